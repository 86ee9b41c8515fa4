package store

import (
	"context"
	"fmt"
	"testing"

	"github.com/postroom/postroom"
)

// nextEntry makes the next entry the one with this id.
func (h *house) nextEntry(id int64) {
	h.t.Helper()
	h.do(func(t *tx) error {
		if t.s.db.dialect == dialectPostgres {
			var n int64
			return t.row(`select setval(pg_get_serial_sequence('entry', 'id'), $1)`, id-1).Scan(&n)
		}
		return t.exec(`update sqlite_sequence set seq = $1 where name = 'entry'`, id-1)
	})
}

func TestSearchGoesThroughAllShelves(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		var want []postroom.IssueID
		first := h.file(h.support, 0, "Printer", "the first of all")
		for i, id := range []int64{entriesPerShelf - 1, entriesPerShelf, 2*entriesPerShelf - 1, 5 * entriesPerShelf, 40 * entriesPerShelf, 200*entriesPerShelf + 7} {
			h.nextEntry(id)
			f := h.file(h.support, 0, fmt.Sprint("Printer ", i), "fire")
			if f.entry != postroom.EntryID(id) {
				t.Fatalf("entry %s, want %d", f.entry, id)
			}
			want = append([]postroom.IssueID{f.issue}, want...)
		}
		// The oldest issue goes on on the newest shelf, and one in the middle too.
		h.file(h.support, first.issue, "Re: Printer", "fire again")
		again := h.file(h.support, want[2], "Re: Printer 3", "no fire")
		want = append([]postroom.IssueID{again.issue, first.issue}, append(want[:2:2], want[3:]...)...)
		for _, limit := range []int{1, 2, 3, 50} {
			h.wantIssues(fmt.Sprint("pages of ", limit), h.ben, IssueFilter{Query: "print", Limit: limit}, want...)
		}
		h.wantIssues("a word of the oldest shelf", h.ben, IssueFilter{Query: "first all"}, first.issue)
		h.wantIssues("words of two entries of one issue", h.ben, IssueFilter{Query: "first again"})
	})
}

func TestShelfMarksKeepWordsApart(t *testing.T) {
	if got, want := shelved(entriesPerShelf*37, "ana b"), "0011ana 0011b"; got != want {
		t.Errorf("shelved = %q, want %q", got, want)
	}
	if got := shelved(1, ""); got != "" {
		t.Errorf("shelved nothing = %q", got)
	}
	db := &DB{dialect: dialectSQLite}
	if got, want := db.match([]string{"ana", "b"}, 0, 1), `("0001ana" AND "0001b"*) OR ("0000ana" AND "0000b"*)`; got != want {
		t.Errorf("match = %s, want %s", got, want)
	}
}

// What nobody may see makes pages neither shorter nor longer.
func TestRestrictedListsAreWholePages(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		var open []postroom.IssueID
		for i := range 12 {
			if i%3 == 0 {
				open = append([]postroom.IssueID{h.file(h.support, 0, fmt.Sprint("Printer ", i), "fire").issue}, open...)
			} else {
				h.file(h.privat, 0, fmt.Sprint("Printer ", i), "fire")
			}
		}
		for _, query := range []string{"", "printer"} {
			lines, next, err := h.r.Issues(context.Background(), h.program, IssueFilter{Query: query, Limit: 2})
			h.must(err)
			if len(lines) != 2 || next == "" {
				t.Errorf("%q: %d lines, next %q", query, len(lines), next)
			}
			h.wantIssues("all of them", h.program, IssueFilter{Query: query, Limit: 2}, open...)
		}
	})
}
