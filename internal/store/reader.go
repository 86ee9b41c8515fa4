package store

import (
	"database/sql"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// A Reader answers pages and lists. It cannot write.
//
// Lists hand out at most [MaxPage] things at a time and a cursor for what follows
// ("" at the end). A cursor holds the place of the last thing, so that what arrives
// meanwhile neither repeats nor hides anything.
type Reader struct{ db *DB }

// Reader returns the reading side of the database.
func (db *DB) Reader() *Reader { return &Reader{db} }

const (
	// DefaultPage is how many things a list shows where nobody says how many.
	DefaultPage = 50
	// MaxPage is how many things a list shows at most.
	MaxPage = 500
)

func pageSize(limit int) int {
	switch {
	case limit <= 0:
		return DefaultPage
	case limit > MaxPage:
		return MaxPage
	}
	return limit
}

// seesMailbox holds for the mailboxes b whose mail the viewer may see. It wants the
// viewer's user as $1 and the viewer's token as $2.
const seesMailbox = `(b.everyone
	or exists (select 1 from mailbox_reader mr where mr.mailbox = b.id and mr.app_user = $1)
	or exists (select 1 from token_mailbox tm where tm.mailbox = b.id and tm.token = $2))`

// seesIssue holds for the issues i that the viewer may see.
const seesIssue = `exists (select 1 from issue_mailbox im join mailbox b on b.id = im.mailbox
	where im.issue = i.id and ` + seesMailbox + `)`

// isKept holds for the issues i that are not deleted, and for the deleted ones that
// can still be recovered: for 30 days, see [postroom.RecoverableFor].
const isKept = `i.erased_at is null and (i.deleted_at is null or i.deleted_at > db_now() - 2592000000000)`

// A condition collects the where clause of a list together with its arguments.
type condition struct {
	text strings.Builder
	args []any
}

// where begins a condition on what the viewer sees: $1 and $2 are the viewer's.
func where(v postroom.Viewer, text string) *condition {
	c := &condition{args: []any{int64(v.User), int64(v.Token)}}
	c.text.WriteString(text)
	return c
}

// and adds a clause whose question marks stand for args, in order.
func (c *condition) and(clause string, args ...any) {
	c.text.WriteString(" and ")
	c.write(clause, args...)
}

func (c *condition) write(clause string, args ...any) {
	for _, arg := range args {
		before, after, _ := strings.Cut(clause, "?")
		c.args = append(c.args, arg)
		c.text.WriteString(before + "$" + strconv.Itoa(len(c.args)))
		clause = after
	}
	c.text.WriteString(clause)
}

// marks writes question marks for a list of n arguments.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

// listed are the ids as arguments of an "in" list, filled up with 0 to one of a few
// lengths, so that there are few different statements to keep prepared.
func listed[ID ~int64](ids []ID) []any {
	n := 8
	for n < len(ids) {
		n *= 4
	}
	args := make([]any, n)
	for i := range args {
		args[i] = int64(0)
		if i < len(ids) {
			args[i] = int64(ids[i])
		}
	}
	return args
}

// makeCursor keeps a place in a list of the given kind.
func makeCursor(kind string, place ...int64) string {
	var text strings.Builder
	text.WriteString(kind)
	for _, n := range place {
		text.WriteString("." + strconv.FormatInt(n, 36))
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text.String()))
}

// readCursor returns the place in a cursor that this list of n numbers handed out;
// nil when there is no cursor yet.
func readCursor(cursor, kind string, n int) ([]int64, error) {
	if cursor == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, wrongCursor(err)
	}
	parts := strings.Split(string(text), ".")
	if parts[0] != kind || len(parts) != n+1 {
		return nil, wrongCursor(fmt.Errorf("cursor %q is not one of list %q", text, kind))
	}
	place := make([]int64, n)
	for i := range place {
		if place[i], err = strconv.ParseInt(parts[i+1], 36, 64); err != nil {
			return nil, wrongCursor(err)
		}
	}
	return place, nil
}

func wrongCursor(cause error) error {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "This cursor does not belong to this list.",
		Remedy:      "Start the list again without a cursor, and follow next_cursor from there.",
		Field:       "cursor",
		Err:         cause,
	}
}

// notFound is the answer for what is not there, and for what is not for this
// reader: the two look the same from outside.
func notFound(what string) error {
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "There is no such " + what + ", or it is not for you to see.",
		Remedy:      "Go back to the list and open it from there.",
	}
}

// collect reads all rows with scan.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
