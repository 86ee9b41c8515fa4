package store

import (
	"context"
	"fmt"
)

const readSetting = `select value from setting where name = $1`

// Setting returns a fact about this database itself; ok is false when nobody has
// set it.
func (db *DB) Setting(ctx context.Context, name string) (value string, ok bool, err error) {
	err = db.queryRow(ctx, readSetting, name).Scan(&value)
	switch {
	case noRows(err):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("read setting %s: %w", name, err)
	}
	return value, true, nil
}

const writeSetting = `
	insert into setting (name, value) values ($1, $2)
	on conflict (name) do update set value = excluded.value`

// SetSetting keeps a fact about this database itself.
func (db *DB) SetSetting(ctx context.Context, name, value string) error {
	return db.commit(ctx, func(t *tx) error {
		if err := t.exec(writeSetting, name, clean(value)); err != nil {
			return fmt.Errorf("write setting %s: %w", name, err)
		}
		return nil
	})
}

const writeSettingOnce = `
	insert into setting (name, value) values ($1, $2)
	on conflict (name) do nothing`

// SetSettingOnce keeps a fact unless there is one already, and returns the one
// that holds. Of two nodes that start together, both get the same.
func (db *DB) SetSettingOnce(ctx context.Context, name, value string) (held string, err error) {
	err = db.commit(ctx, func(t *tx) error {
		if err := t.exec(writeSettingOnce, name, clean(value)); err != nil {
			return fmt.Errorf("write setting %s: %w", name, err)
		}
		return t.row(readSetting, name).Scan(&held)
	})
	return held, err
}
