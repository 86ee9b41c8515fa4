package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/postroom/postroom"
)

const (
	// maxWords is how many bytes of words of one text are searchable. PostgreSQL
	// allows less than 1 MB in a tsvector.
	maxWords = 256 << 10
	// maxWord is how many bytes of one word count. PostgreSQL allows 2 KB.
	maxWord = 64
	// maxQueryWords is how many words of a query count.
	maxQueryWords = 32
)

// words are what can be searched of a text, for the index and for queries alike,
// on both databases: runs of letters and digits without case and diacritics, with
// one space between them. Scripts that put no spaces between words (Chinese
// characters, kana, Thai and their like) are searched by character.
func words(text string) string {
	w := wordWriter{out: make([]byte, 0, min(len(text)+1, maxWords)+maxWord)}
	var scratch []byte
	for i := 0; i < len(text) && len(w.out) < maxWords; {
		if c := text[i]; c < utf8.RuneSelf {
			w.ascii(c)
			i++
			continue
		}
		end := i + 1
		for end < len(text) && text[end] >= utf8.RuneSelf && end-i < 4096 || end < len(text) && !utf8.RuneStart(text[end]) {
			end++
		}
		scratch = norm.NFKD.AppendString(scratch[:0], text[i:end])
		for rest := scratch; len(rest) > 0; {
			r, size := utf8.DecodeRune(rest)
			w.rune(r)
			rest = rest[size:]
		}
		i = end
	}
	return w.done()
}

// A wordWriter collects words.
type wordWriter struct {
	out   []byte
	begun int  // where the word under way begins
	in    bool // a word is under way
	full  bool // it has reached maxWord
}

func (w *wordWriter) ascii(c byte) {
	switch {
	case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
	case 'A' <= c && c <= 'Z':
		c += 'a' - 'A'
	default:
		w.in = false
		return
	}
	if w.room(1) {
		w.out = append(w.out, c)
	}
}

func (w *wordWriter) rune(r rune) {
	switch {
	case r < utf8.RuneSelf:
		w.ascii(byte(r))
		return
	case unicode.Is(unicode.Mn, r):
		return
	case standsAlone(r):
		w.in = false
		w.put(unicode.ToLower(r))
		w.in = false
		return
	case !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.Mc, r):
		w.in = false
		return
	}
	if plain := withoutStroke(r); plain != "" {
		for _, c := range []byte(plain) {
			w.ascii(c)
		}
		return
	}
	w.put(unicode.ToLower(r))
}

func (w *wordWriter) put(r rune) {
	if w.room(utf8.RuneLen(r)) {
		w.out = utf8.AppendRune(w.out, r)
	}
}

// room makes place for n bytes of the word under way, or begins one. It is false
// when the word is long enough.
func (w *wordWriter) room(n int) bool {
	if !w.in {
		if len(w.out) > 0 {
			w.out = append(w.out, ' ')
		}
		w.begun, w.in, w.full = len(w.out), true, false
	}
	w.full = w.full || len(w.out)-w.begun+n > maxWord
	return !w.full
}

func (w *wordWriter) done() string {
	if len(w.out) > maxWords {
		w.out = w.out[:max(0, strings.LastIndexByte(string(w.out[:maxWords+1]), ' '))]
	}
	return string(w.out)
}

// standsAlone says whether a character is searched as a word of its own.
func standsAlone(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) &&
		(unicode.IsLetter(r) || unicode.IsNumber(r))
}

// withoutStroke spells the letters that people type without their stroke or
// ligature and that Unicode does not take apart; empty for all others.
func withoutStroke(r rune) string {
	switch r {
	case 'ß', 'ẞ':
		return "ss"
	case 'æ', 'Æ':
		return "ae"
	case 'œ', 'Œ':
		return "oe"
	case 'ø', 'Ø':
		return "o"
	case 'ł', 'Ł':
		return "l"
	case 'đ', 'Đ', 'ð', 'Ð':
		return "d"
	case 'ı':
		return "i"
	}
	return ""
}

// match writes a query in the language of this database's index: all words, the
// last one as the beginning of one. Words are letters and digits, so nothing in
// them means anything to that language. Empty: there is nothing to search for.
func (db *DB) match(query string) string {
	list := strings.Fields(words(clip(query, 4096)))
	if len(list) > maxQueryWords {
		list = list[:maxQueryWords]
	}
	if len(list) == 0 {
		return ""
	}
	if db.dialect == dialectPostgres {
		return "'" + strings.Join(list, "' & '") + "':*"
	}
	return `"` + strings.Join(list, `" "`) + `"*`
}

const searchSQLite = `
	select e.id, e.issue from entry_text x join entry e on e.id = x.rowid join issue i on i.id = e.issue
	where x.entry_text match $3 and x.rowid < $4`

const searchPostgres = `
	select e.id, e.issue from entry_text x join entry e on e.id = x.entry join issue i on i.id = e.issue
	where x.words @@ cast($3 as tsquery) and x.entry < $4`

// search lists issues by their newest entry that matches, each issue once.
func (r *Reader) search(ctx context.Context, v postroom.Viewer, f IssueFilter) (lines []IssueLine, next string, err error) {
	place, err := readCursor(f.Cursor, "q", 1)
	if err != nil {
		return nil, "", err
	}
	match := r.db.match(f.Query)
	if match == "" {
		return nil, "", nil
	}
	from := int64(1) << 62
	if place != nil {
		from = place[0]
	}
	limit := pageSize(f.Limit)
	found, next, err := r.find(ctx, v, f, match, from, limit)
	if err != nil {
		return nil, "", fmt.Errorf("search: %w", err)
	}
	if lines, err = r.issuesInOrder(ctx, v, found); err != nil {
		return nil, "", fmt.Errorf("search: %w", err)
	}
	return lines, next, r.complete(ctx, v, lines)
}

type hit struct {
	entry postroom.EntryID
	issue postroom.IssueID
}

// find walks the matching entries before from, newest first, until it has limit
// issues or there are no more.
func (r *Reader) find(ctx context.Context, v postroom.Viewer, f IssueFilter, match string, from int64, limit int) (found []postroom.IssueID, next string, err error) {
	first := from
	seen := make(map[postroom.IssueID]bool)
	for {
		hits, err := r.hits(ctx, v, f, match, from, limit+1)
		if err != nil {
			return nil, "", err
		}
		shown, err := r.shownBefore(ctx, match, first, hits)
		if err != nil {
			return nil, "", err
		}
		for _, h := range hits {
			if seen[h.issue] || shown[h.issue] {
				from = int64(h.entry)
				continue
			}
			if len(found) == limit {
				return found, makeCursor("q", from), nil
			}
			from = int64(h.entry)
			seen[h.issue] = true
			found = append(found, h.issue)
		}
		if len(hits) <= limit {
			return found, "", nil
		}
	}
}

// hits are the next matching entries that v may see, newest first.
func (r *Reader) hits(ctx context.Context, v postroom.Viewer, f IssueFilter, match string, from int64, limit int) ([]hit, error) {
	text, order := searchSQLite, " order by x.rowid desc limit ?"
	if r.db.dialect == dialectPostgres {
		text, order = searchPostgres, " order by x.entry desc limit ?"
	}
	c := where(v, text)
	c.args = append(c.args, match, from)
	c.filter(f)
	c.and("(e.mail is null or " + seesMail + ")")
	c.write(order, limit)
	rows, err := r.db.query(ctx, c.text.String(), c.args...)
	return collect(rows, err, func(rows *sql.Rows) (h hit, err error) {
		err = rows.Scan(&h.entry, &h.issue)
		return h, err
	})
}

const newerEntries = `select id, issue from entry where id >= ? and issue in (`

// shownBefore says which issues of hits have a matching entry from first on, and
// so were on an earlier page.
func (r *Reader) shownBefore(ctx context.Context, match string, first int64, hits []hit) (map[postroom.IssueID]bool, error) {
	if first == 1<<62 || len(hits) == 0 {
		return nil, nil
	}
	var issues []postroom.IssueID
	for _, h := range hits {
		issues = append(issues, h.issue)
	}
	in := listed(issues)
	c := &condition{}
	c.write(newerEntries, first)
	c.write(marks(len(in))+")", in...)
	rows, err := r.db.query(ctx, c.text.String(), c.args...)
	newer := make(map[postroom.EntryID]postroom.IssueID)
	entries, err := collect(rows, err, func(rows *sql.Rows) (postroom.EntryID, error) {
		var h hit
		err := rows.Scan(&h.entry, &h.issue)
		newer[h.entry] = h.issue
		return h.entry, err
	})
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	in = listed(entries)
	c = &condition{}
	if r.db.dialect == dialectPostgres {
		c.write("select entry from entry_text where words @@ cast(? as tsquery) and entry in (", match)
	} else {
		c.write("select rowid from entry_text where entry_text match ? and rowid in (", match)
	}
	c.write(marks(len(in))+")", in...)
	shown := make(map[postroom.IssueID]bool)
	rows, err = r.db.query(ctx, c.text.String(), c.args...)
	_, err = collect(rows, err, func(rows *sql.Rows) (id postroom.EntryID, err error) {
		err = rows.Scan(&id)
		shown[newer[id]] = true
		return id, err
	})
	return shown, err
}

// issuesInOrder reads the issues with the given ids and keeps their order.
func (r *Reader) issuesInOrder(ctx context.Context, v postroom.Viewer, ids []postroom.IssueID) ([]IssueLine, error) {
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
