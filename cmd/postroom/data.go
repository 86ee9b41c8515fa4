package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

// dataFlags say where the data is. Every command that works on data has them.
type dataFlags struct {
	Data     string `help:"The directory that holds the data, made if it is not there." placeholder:"DIR" default:"./postroom-data"`
	Database string `help:"A PostgreSQL database instead of SQLite in the data directory: postgres://user@host/name. The directory still holds the key." placeholder:"URL"`
}

// An installation is the data of Postroom, opened.
type installation struct {
	DB   *store.DB
	Ring *vault.Ring
	lock *store.DirLock // while this process is the server
}

func (f dataFlags) options(log *slog.Logger) store.Options {
	return store.Options{Path: filepath.Join(f.Data, "postroom.db"), URL: f.Database, Log: log}
}

// open opens the data for a command, a server running beside it or not. A
// database that is not there yet is made, one that is older is brought up to date
// unless a server is using it.
func (f dataFlags) open(ctx context.Context, log *slog.Logger) (*installation, error) {
	if err := f.makeDir(); err != nil {
		return nil, err
	}
	lock, err := store.LockDir(f.Data)
	if err == nil {
		err = store.Migrate(ctx, f.options(log))
		err = errors.Join(err, lock.Unlock())
	} else if store.IsLocked(err) {
		err = nil // the server has brought the database up to date
	}
	if err != nil {
		return nil, err
	}
	return f.opened(ctx, f.options(log))
}

// openForServer opens the data for the one server that may use the directory.
func (f dataFlags) openForServer(ctx context.Context, o store.Options) (*installation, error) {
	if err := f.makeDir(); err != nil {
		return nil, err
	}
	lock, err := store.LockDir(f.Data)
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx, o); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	in, err := f.opened(ctx, o)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	in.lock = lock
	return in, nil
}

func (f dataFlags) makeDir() error {
	if err := os.MkdirAll(f.Data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	return nil
}

func (f dataFlags) opened(ctx context.Context, o store.Options) (*installation, error) {
	db, err := store.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	ring, err := f.openRing(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &installation{DB: db, Ring: ring}, nil
}

// vaultSample is the setting that holds a sealed text without meaning: a key file
// that cannot open it belongs to other data.
const vaultSample = "vault_sample"

func (f dataFlags) openRing(ctx context.Context, db *store.DB) (*vault.Ring, error) {
	held, known, err := db.Setting(ctx, vaultSample)
	if err != nil {
		return nil, err
	}
	ring, err := vault.Open(vault.Source{Dir: f.Data, File: os.Getenv(vault.FileVariable), MustExist: known})
	if err != nil {
		return nil, err
	}
	if !known {
		sample, err := ring.Sample()
		if err != nil {
			return nil, err
		}
		if held, err = db.SetSettingOnce(ctx, vaultSample, base64.StdEncoding.EncodeToString(sample)); err != nil {
			return nil, err
		}
	}
	sample, err := base64.StdEncoding.DecodeString(held)
	if err != nil {
		return nil, fmt.Errorf("read the vault's sample: %w", err)
	}
	return ring, ring.Check(sample)
}

// Close ends all use of the data.
func (in *installation) Close() error {
	err := in.DB.Close()
	if in.lock != nil {
		err = errors.Join(err, in.lock.Unlock())
	}
	return err
}
