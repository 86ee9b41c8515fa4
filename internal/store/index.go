package store

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/postroom/postroom"
)

// indexed is the text of an entry on its way into the full-text index.
type indexed struct {
	entry postroom.EntryID
	words string
}

const indexEntrySQLite = `insert into entry_text (rowid, words) values ($1, $2)`

const indexEntryPostgres = `
	insert into entry_text (entry, words) values ($1, array_to_tsvector(string_to_array($2, ' ')))`

// indexEntry makes an entry searchable by words, as distinct made them. An entry is
// indexed once. The words are written at the end of the joined commit: on SQLite
// every savepoint writes out what the index holds in memory, so that a hundred
// mails would cost a hundred small merges instead of one.
func indexEntry(t *tx, entry postroom.EntryID, words string) {
	t.index = append(t.index, indexed{entry, words})
}

func (s *committer) writeIndex(ctx context.Context, texts []indexed) error {
	query := indexEntrySQLite
	if s.db.dialect == dialectPostgres {
		query = indexEntryPostgres
	}
	for _, x := range texts {
		text := x.words
		if s.db.dialect == dialectSQLite {
			text = shelved(int64(x.entry), text)
		}
		if err := s.exec(ctx, query, int64(x.entry), text); err != nil {
			return fmt.Errorf("index entry %s: %w", x.entry, err)
		}
	}
	return nil
}

// distinct returns the words of a text, each once: the index knows which words an
// entry has, not how often.
func distinct(text string) string {
	all := words(text)
	seen := newWordSet(len(all) / 4)
	var b strings.Builder
	b.Grow(len(all) / 2)
	for word := range strings.SplitSeq(all, " ") {
		if word == "" || !seen.add(word) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return b.String()
}

// A wordSet remembers words by their hashes of 64 bits, in a table that it probes
// from there on. Two words of one text with the same hash, once in 10^12 texts,
// leave the second one out of the index.
type wordSet struct {
	seed  maphash.Seed
	table []uint64 // 0: free; a power of two long, and never full
}

// newWordSet makes a set for about so many words, at most twice as many.
func newWordSet(words int) *wordSet {
	size := 64
	for size < 2*words+2 {
		size *= 2
	}
	return &wordSet{maphash.MakeSeed(), make([]uint64, size)}
}

// add remembers a word; it is false for one that is known.
func (s *wordSet) add(word string) bool {
	hash := max(maphash.String(s.seed, word), 1)
	for i := hash; ; i++ {
		switch at := &s.table[i&uint64(len(s.table)-1)]; *at {
		case hash:
			return false
		case 0:
			*at = hash
			return true
		}
	}
}

// forgetEntry takes the text of an entry out of the index.
func forgetEntry(t *tx, entry postroom.EntryID) error {
	query := `delete from entry_text where rowid = $1`
	if t.s.db.dialect == dialectPostgres {
		query = `delete from entry_text where entry = $1`
	}
	return t.exec(query, int64(entry))
}
