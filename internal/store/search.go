package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom"
)

// hit is an entry that matches a query.
type hit struct {
	entry postroom.EntryID
	issue postroom.IssueID
}

// search lists issues by their newest entry that matches, each issue once.
func (r *Reader) search(ctx context.Context, v postroom.Viewer, f IssueFilter) (lines []IssueLine, next string, err error) {
	place, err := readCursor(f.Cursor, "q", 1)
	if err != nil {
		return nil, "", err
	}
	wanted := queryWords(f.Query)
	if len(wanted) == 0 {
		return nil, "", nil
	}
	s := &searching{r: r, v: v, f: f, wanted: wanted, limit: pageSize(f.Limit), seen: make(map[postroom.IssueID]bool)}
	if err := s.begin(ctx, place); err != nil {
		return nil, "", fmt.Errorf("search: %w", err)
	}
	if err := s.run(ctx); err != nil {
		return nil, "", fmt.Errorf("search: %w", err)
	}
	if lines, err = r.issuesInOrder(ctx, s.found); err != nil {
		return nil, "", fmt.Errorf("search: %w", err)
	}
	return lines, s.next, r.complete(ctx, v, lines)
}

// searching is one search under way.
type searching struct {
	r      *Reader
	v      postroom.Viewer
	f      IssueFilter
	wanted []string
	limit  int

	first int64 // the page shows entries before this one
	from  int64 // what comes before this one has not been looked at
	later bool  // it is not the first page
	seen  map[postroom.IssueID]bool
	found []postroom.IssueID
	next  string
}

func (s *searching) begin(ctx context.Context, place []int64) error {
	if place != nil {
		s.from, s.later = place[0], true
	} else if err := s.r.db.queryRow(ctx, `select coalesce(max(id), 0) + 1 from entry`).Scan(&s.from); err != nil {
		return err
	}
	s.first = s.from
	return nil
}

// run walks back through the shelves, newest first, until the page is full. When
// words turn out to be rare, more and more shelves are asked at once.
func (s *searching) run(ctx context.Context) error {
	for size := int64(1); s.from > 1; size = min(2*size, maxShelves) {
		last := shelfOf(s.from - 1)
		begin := max(0, last-size+1)
		if s.r.db.dialect == dialectPostgres && size > 2 {
			begin = 0 // there are no shelves in its index: it gives all that is left at once
		}
		full, err := s.walk(ctx, begin, last)
		if err != nil || full {
			return err
		}
		s.from = begin * entriesPerShelf
	}
	return nil
}

// walk goes through the matching entries of some shelves before from; full says
// that the page is.
func (s *searching) walk(ctx context.Context, begin, last int64) (full bool, err error) {
	match := s.r.db.match(s.wanted, begin, last)
	for {
		hits, err := s.hits(ctx, match, begin)
		if err != nil {
			return false, err
		}
		shown, err := s.shownBefore(ctx, hits)
		if err != nil {
			return false, err
		}
		for _, h := range hits {
			if !s.seen[h.issue] && !shown[h.issue] {
				if len(s.found) == s.limit {
					s.next = makeCursor("q", s.from)
					return true, nil
				}
				s.seen[h.issue] = true
				s.found = append(s.found, h.issue)
			}
			s.from = int64(h.entry)
		}
		if len(hits) <= s.limit {
			return false, nil
		}
	}
}

const searchSQLite = `
	select e.id, e.issue from entry_text x join entry e on e.id = x.rowid join issue i on i.id = e.issue
	where x.entry_text match $3 and x.rowid < $4`

// searchNewest walks back along the newest entries: the short way to common words.
const searchNewest = `
	select e.id, e.issue from entry_text x join entry e on e.id = x.entry join issue i on i.id = e.issue
	where x.words @@ cast($3 as tsquery) and x.entry < $4`

// searchAll asks the index for everything: the short way to words that are not
// common among the newest entries. Left to itself, the planner takes a word that it
// has never seen for a common one.
const searchAll = `
	with x as materialized (select entry from entry_text where words @@ cast($3 as tsquery) and entry < $4)
	select e.id, e.issue from x join entry e on e.id = x.entry join issue i on i.id = e.issue
	where 1 = 1`

// hits are the next matching entries that the viewer may see, newest first; none
// is older than the shelf begin.
func (s *searching) hits(ctx context.Context, match string, begin int64) ([]hit, error) {
	text, id := searchSQLite, "x.rowid"
	if s.r.db.dialect == dialectPostgres {
		text, id = searchAll, "x.entry"
		if begin > 0 {
			text = searchNewest
		}
	}
	c := where(s.v, text)
	c.args = append(c.args, match, s.from)
	if text == searchNewest {
		c.and("x.entry >= ?", begin*entriesPerShelf)
	}
	c.filter(s.f)
	c.and("(e.mail is null or " + seesMail + ")")
	c.write(" order by "+id+" desc limit ?", s.limit+1)
	rows, err := s.r.db.queryPlanned(ctx, c.text.String(), c.args...)
	return collect(rows, err, func(rows *sql.Rows) (h hit, err error) {
		err = rows.Scan(&h.entry, &h.issue)
		return h, err
	})
}

// queryPlanned is query, planned by PostgreSQL for these very arguments. A prepared
// statement would soon have one plan for all words, common and rare.
func (db *DB) queryPlanned(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if db.dialect == dialectPostgres {
		args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
		return db.read.QueryContext(ctx, query, args...)
	}
	return db.query(ctx, query, args...)
}

const newerEntries = `select id, issue from entry where id >= ? and issue in (`

// shownBefore says which issues of hits have a matching entry that an earlier page
// has passed.
func (s *searching) shownBefore(ctx context.Context, hits []hit) (map[postroom.IssueID]bool, error) {
	if !s.later || len(hits) == 0 {
		return nil, nil
	}
	var issues []postroom.IssueID
	for _, h := range hits {
		issues = append(issues, h.issue)
	}
	in := listed(issues)
	c := &condition{}
	c.write(newerEntries, s.first)
	c.write(marks(len(in))+")", in...)
	rows, err := s.r.db.query(ctx, c.text.String(), c.args...)
	newer := make(map[postroom.EntryID]postroom.IssueID)
	shelves := make(map[int64][]postroom.EntryID)
	_, err = collect(rows, err, func(rows *sql.Rows) (h hit, err error) {
		err = rows.Scan(&h.entry, &h.issue)
		newer[h.entry] = h.issue
		shelves[shelfOf(int64(h.entry))] = append(shelves[shelfOf(int64(h.entry))], h.entry)
		return h, err
	})
	if err != nil {
		return nil, err
	}
	shown := make(map[postroom.IssueID]bool)
	for shelf, entries := range shelves {
		matching, err := s.r.matching(ctx, s.r.db.match(s.wanted, shelf, shelf), entries)
		if err != nil {
			return nil, err
		}
		for _, e := range matching {
			shown[newer[e]] = true
		}
	}
	return shown, nil
}

const matchingSQLite = `select rowid from entry_text where entry_text match ? and +rowid in (`

const matchingPostgres = `select entry from entry_text where words @@ cast(? as tsquery) and entry in (`

// matching are those of entries that match.
func (r *Reader) matching(ctx context.Context, match string, entries []postroom.EntryID) ([]postroom.EntryID, error) {
	text := matchingSQLite
	if r.db.dialect == dialectPostgres {
		text = matchingPostgres
	}
	in := listed(entries)
	c := &condition{}
	c.write(text, match)
	c.write(marks(len(in))+")", in...)
	rows, err := r.db.query(ctx, c.text.String(), c.args...)
	return collect(rows, err, func(rows *sql.Rows) (id postroom.EntryID, err error) {
		err = rows.Scan(&id)
		return id, err
	})
}

// issuesInOrder reads the issues with the given ids and keeps their order.
func (r *Reader) issuesInOrder(ctx context.Context, ids []postroom.IssueID) ([]IssueLine, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	in := listed(ids)
	c := &condition{}
	c.write(selectIssue+"i.id in ("+marks(len(in))+")", in...)
	rows, err := r.db.query(ctx, c.text.String(), c.args...)
	byID := make(map[postroom.IssueID]IssueLine, len(ids))
	_, err = collect(rows, err, func(rows *sql.Rows) (IssueLine, error) {
		l, err := scanIssue(rows)
		byID[l.ID] = l
		return l, err
	})
	if err != nil {
		return nil, err
	}
	var lines []IssueLine
	for _, id := range ids {
		if l, ok := byID[id]; ok {
			lines = append(lines, l)
		}
	}
	return lines, nil
}
