package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Listen passes on that other nodes have appended events, until ctx ends. It is a
// nudge: whoever waits for events also looks from time to time. On SQLite there
// are no other nodes, only commands beside the server, whose changes are found by
// looking.
func (db *DB) Listen(ctx context.Context) error {
	if db.dialect == dialectSQLite {
		return nil
	}
	for ctx.Err() == nil {
		if err := db.listenOnce(ctx); err != nil && ctx.Err() == nil {
			db.log.WarnContext(ctx, "not told what other nodes do", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Second):
			}
		}
	}
	return nil
}

func (db *DB) listenOnce(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, db.url)
	if err != nil {
		return fmt.Errorf("connect to listen: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "listen postroom_changed"); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		db.changed.tell()
	}
}
