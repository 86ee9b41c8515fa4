package postroom

import "strings"

// Of a secret as long as a token, every piece tells: it goes on where the next line
// begins. In letters.
const (
	longSecret  = 64
	strandPiece = 12 // so many letters in a row are a piece of it
	strandStep  = 4  // a piece is looked for at every fourth letter, so that 15 in a row are found
)

// strands are the forms of a long secret. Nothing is prepared but the forms themselves:
// what servers say is short.
type strands []string

// isLong says whether a secret has so many letters that its pieces are looked for.
func isLong(secret string) bool { return len(letters(secret).runes) >= longSecret }

// strandsOf are the letters of forms, each once.
func strandsOf(forms []string) strands {
	var all strands
	seen := map[string]bool{}
	for _, form := range forms {
		strand := squeeze(letters(form).runes)
		if len(strand) >= strandPiece && !seen[strand] {
			seen[strand] = true
			all = append(all, strand)
		}
	}
	return all
}

// squeeze makes one byte of each letter; of those beyond ASCII it takes a part, which is
// the same for the same letter.
func squeeze(letters []rune) string {
	var b strings.Builder
	b.Grow(len(letters))
	for _, r := range letters {
		if r >= 0x80 {
			r = r&0x7f | 0x80
		}
		b.WriteByte(byte(r))
	}
	return b.String()
}

// unravel hides every piece of a strand.
func (s *spelling) unravel(all strands) {
	text := squeeze(s.runes)
	for _, strand := range all {
		for at := 0; at+strandPiece <= len(text); at += strandStep {
			found := strings.Index(strand, text[at:at+strandPiece])
			if found < 0 {
				continue
			}
			from, to := at, at+strandPiece
			for begin := found; from > 0 && begin > 0 && text[from-1] == strand[begin-1]; begin-- {
				from--
			}
			for end := found + strandPiece; to < len(text) && end < len(strand) && text[to] == strand[end]; end++ {
				to++
			}
			s.hideRun(from, to, 2*strandPiece)
			at = max(at, to-strandPiece-strandStep)
		}
	}
}
