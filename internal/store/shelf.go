package store

import (
	"strconv"
	"strings"
)

// On SQLite the full-text index keeps the words of each shelf of entries apart, by
// writing the shelf in front of every word. FTS5 collects all entries of all words
// with a beginning before it hands out the first one; so it does that for a shelf,
// and a search for a common word is done after the newest shelf or two.
const (
	entriesPerShelf = 1 << 14
	// maxShelves is how many shelves are asked at once.
	maxShelves = 16
	// maxQueryWords is how many words of a query count.
	maxQueryWords = 32
)

func shelfOf(entry int64) int64 { return entry / entriesPerShelf }

// shelfMark is what stands in front of the words of a shelf: four digits, enough
// for 27,000 million entries.
func shelfMark(shelf int64) string {
	digits := strconv.FormatInt(shelf, 36)
	return strings.Repeat("0", max(0, 4-len(digits))) + digits
}

// shelved writes the shelf of an entry in front of its words.
func shelved(entry int64, words string) string {
	if words == "" {
		return ""
	}
	mark := shelfMark(shelfOf(entry))
	return mark + strings.ReplaceAll(words, " ", " "+mark)
}

// queryWords are the words to search for.
func queryWords(query string) []string {
	list := strings.Fields(words(clip(query, 4096)))
	return list[:min(len(list), maxQueryWords)]
}

// match writes a query in the language of this database's index: all words, the
// last one as the beginning of one, on one of the shelves from begin to last. Words
// are letters and digits, so nothing in them means anything to that language.
func (db *DB) match(words []string, begin, last int64) string {
	if db.dialect == dialectPostgres {
		return "'" + strings.Join(words, "' & '") + "':*"
	}
	var b strings.Builder
	for shelf := last; shelf >= begin; shelf-- {
		if b.Len() > 0 {
			b.WriteString(" OR ")
		}
		mark := shelfMark(shelf)
		b.WriteString(`("` + mark + strings.Join(words, `" AND "`+mark) + `"*)`)
	}
	return b.String()
}
