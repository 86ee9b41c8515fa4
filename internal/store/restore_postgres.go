package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"
)

// postgresRestore loads tables in one transaction, into a schema that the migrations
// have made as it was.
type postgresRestore struct {
	options Options
	conn    *pgx.Conn
	tx      pgx.Tx // nil before the first table
	schema  int64
	loaded  []string
}

// beginPostgresRestore refuses a database that anybody has used. An empty one may have
// tables, from a restore that did not come to its end.
func beginPostgresRestore(ctx context.Context, o Options, schema int64) (_ restoreTarget, err error) {
	db, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	have, _, err := db.schema(ctx)
	if err := errors.Join(err, db.closePools()); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, o.URL)
	if err != nil {
		return nil, err
	}
	r := &postgresRestore{options: o, conn: conn, schema: schema}
	var empty bool
	empty, err = r.isEmpty(ctx)
	if err == nil && (!empty || have > schema) {
		err = notEmptyFault("The database", "Make a new database and name it with --database.")
	}
	if err != nil {
		return nil, errors.Join(err, r.abandon())
	}
	return r, nil
}

// isEmpty passes over the counters, which the migrations make.
func (r *postgresRestore) isEmpty(ctx context.Context) (bool, error) {
	tx, err := r.conn.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	tables, err := tablesOf(ctx, tx)
	if err != nil {
		return false, err
	}
	for _, t := range tables {
		var used bool
		err := tx.QueryRow(ctx, "select exists (select 1 from "+pgx.Identifier{t.Name}.Sanitize()+")").Scan(&used)
		if err != nil || used && t.Name != "counter" {
			return false, err
		}
	}
	return true, nil
}

// begin makes the tables as they were when the backup was made, and empties the few
// that the migrations put something into.
func (r *postgresRestore) begin(ctx context.Context) (err error) {
	if err := migrate(ctx, r.options, migration{to: r.schema}); err != nil {
		return err
	}
	if r.tx, err = r.conn.Begin(ctx); err != nil {
		return err
	}
	tables, err := tablesOf(ctx, r.tx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if _, err := r.tx.Exec(ctx, "truncate "+pgx.Identifier{t.Name}.Sanitize()+" cascade"); err != nil {
			return err
		}
	}
	return nil
}

func (r *postgresRestore) load(ctx context.Context, s Stream, from io.Reader) error {
	if r.tx == nil {
		if err := r.begin(ctx); err != nil {
			return err
		}
	}
	tables, err := tablesOf(ctx, r.tx)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(tables, func(t Stream) bool { return t.Name == s.Name })
	if !known || slices.Contains(r.loaded, s.Name) {
		return fmt.Errorf("%s is no table of schema %d, or came twice", s.Name, r.schema)
	}
	r.loaded = append(r.loaded, s.Name)
	_, err = r.conn.PgConn().CopyFrom(ctx, from, "copy "+tableAndColumns(s)+" from stdin (format binary)")
	return err
}

// ownSequences are those of ids, with the statement that has one go on behind the
// highest id that was loaded.
const ownSequences = `
	select format('select setval(%L, greatest((select max(%I) from %I), 1))',
		pg_get_serial_sequence(quote_ident(c.relname), a.attname), a.attname, c.relname)
	from pg_attribute a join pg_class c on c.oid = a.attrelid
	where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace and a.attidentity <> ''
	order by c.relname`

func (r *postgresRestore) finish(ctx context.Context, settle func(loaded) error) error {
	if r.tx == nil {
		return errors.New("nothing was loaded")
	}
	rows, err := r.tx.Query(ctx, ownSequences)
	if err != nil {
		return err
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, statement := range append(statements, "analyze") {
		if _, err := r.tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	if err := settle(postgresLoaded{r.tx}); err != nil {
		return err
	}
	if err := r.tx.Commit(ctx); err != nil {
		return err
	}
	r.tx = nil
	return errors.Join(r.abandon(), migrate(ctx, r.options, migration{}))
}

// postgresLoaded is the transaction in which tables were loaded.
type postgresLoaded struct{ pgx.Tx }

func (l postgresLoaded) row(ctx context.Context, query string, args ...any) interface{ Scan(...any) error } {
	return l.QueryRow(ctx, query, args...)
}

func (l postgresLoaded) exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	tag, err := l.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

const skipIDsPostgres = `
	select setval(pg_get_serial_sequence(relname, 'id'), nextval(pg_get_serial_sequence(relname, 'id')) + $1)
	from pg_class where relnamespace = current_schema()::regnamespace and relkind = 'r' and relname in ` + idsOf

func (l postgresLoaded) skipIDs(ctx context.Context) error {
	_, err := l.exec(ctx, skipIDsPostgres, int64(idGap))
	return err
}

func (r *postgresRestore) abandon() error {
	if r.conn == nil {
		return nil
	}
	ctx := context.Background()
	var err error
	if r.tx != nil {
		err = r.tx.Rollback(ctx)
		r.tx = nil
	}
	err = errors.Join(err, r.conn.Close(ctx))
	r.conn = nil
	return err
}
