package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
)

// postgresSnapshot reads tables by COPY inside a transaction that sees one instant.
type postgresSnapshot struct {
	conn *pgx.Conn
	tx   pgx.Tx
}

func beginPostgresSnapshot(ctx context.Context, db *DB) (snapshotSource, error) {
	if err := db.closePools(); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, db.url)
	if err != nil {
		return nil, err
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return &postgresSnapshot{conn, tx}, nil
}

func (s *postgresSnapshot) row(ctx context.Context, query string, args ...any) interface{ Scan(...any) error } {
	return s.tx.QueryRow(ctx, query, args...)
}

// ownTables are the tables of the schema that new ones are made in, parents before
// children, with the columns that can be written. The migrations' own table is no part
// of it: the schema is made anew by them.
const ownTables = `
	with recursive own as (
		select c.oid, c.relname, pg_table_size(c.oid) as bytes from pg_class c
		where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace and c.relname <> 'goose_db_version'
	), depth (oid, level) as (
		select oid, 0 from own
		union
		select k.conrelid, d.level + 1 from pg_constraint k join depth d on k.confrelid = d.oid
		where k.contype = 'f' and k.conrelid <> k.confrelid and d.level < 100
	)
	select o.relname, o.bytes, (
		select string_agg(a.attname, ',' order by a.attnum) from pg_attribute a
		where a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')
	from own o join depth d on d.oid = o.oid
	group by o.oid, o.relname, o.bytes order by max(d.level), o.relname`

func tablesOf(ctx context.Context, tx pgx.Tx) ([]Stream, error) {
	rows, err := tx.Query(ctx, ownTables)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Stream, error) {
		var s Stream
		var columns string
		err := row.Scan(&s.Name, &s.SizeBytes, &columns)
		s.Columns = strings.Split(columns, ",")
		return s, err
	})
}

func (s *postgresSnapshot) streams(ctx context.Context) ([]Stream, error) { return tablesOf(ctx, s.tx) }

// The binary format is exact, and half as large as text where there are bytes
// (PostgreSQL manual, COPY).
func (s *postgresSnapshot) copyTo(ctx context.Context, stream Stream, w io.Writer) error {
	_, err := s.conn.PgConn().CopyTo(ctx, w, "copy "+tableAndColumns(stream)+" to stdout (format binary)")
	return err
}

func tableAndColumns(s Stream) string {
	columns := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		columns[i] = pgx.Identifier{c}.Sanitize()
	}
	return fmt.Sprintf("%s (%s)", pgx.Identifier{s.Name}.Sanitize(), strings.Join(columns, ", "))
}

func (s *postgresSnapshot) close() error {
	ctx := context.Background()
	return errors.Join(s.tx.Rollback(ctx), s.conn.Close(ctx))
}
