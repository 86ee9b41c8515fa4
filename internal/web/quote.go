package web

import (
	"regexp"
	"strings"
)

// A passage is a stretch of a mail's text. Earlier ones quote what was written
// before and are folded away.
type passage struct {
	Earlier bool
	Pieces  []piece
}

// A piece is text, or a link when Href is set.
type piece struct {
	Text string
	Href string
}

// shownText is how many bytes of a text a page shows; the download has the rest.
const shownText = 256 << 10

// passages splits a text into what is new and what is quoted: two or more lines
// that begin with ">", and the line above them that says who wrote them.
func passages(text string) (all []passage, cut bool) {
	text = strings.ReplaceAll(strings.TrimRight(text, " \t\r\n"), "\r\n", "\n")
	if len(text) > shownText {
		text, cut = strings.ToValidUTF8(text[:shownText], ""), true
	}
	lines := strings.Split(text, "\n")
	var fresh []string
	flush := func() {
		if joined := strings.Trim(strings.Join(fresh, "\n"), "\n"); joined != "" {
			all = append(all, passage{Pieces: pieces(joined)})
		}
		fresh = nil
	}
	for i := 0; i < len(lines); {
		end := quotedUntil(lines, i)
		if end-i < 2 {
			fresh = append(fresh, lines[i])
			i++
			continue
		}
		start := attribution(fresh)
		quoted := append(append([]string(nil), fresh[start:]...), lines[i:end]...)
		fresh = fresh[:start]
		flush()
		all = append(all, passage{Earlier: true, Pieces: pieces(strings.Join(quoted, "\n"))})
		i = end
	}
	flush()
	return all, cut
}

// quotedUntil returns the end of the quoted lines that begin at from. Empty lines
// between two of them belong to them.
func quotedUntil(lines []string, from int) int {
	end := from
	for i := from; i < len(lines); i++ {
		switch line := strings.TrimSpace(lines[i]); {
		case strings.HasPrefix(line, ">"):
			end = i + 1
		case line != "" || i == from:
			return end
		}
	}
	return end
}

// attribution returns where the words that introduce a quotation begin in fresh:
// one or two lines, the last of which ends in a colon.
func attribution(fresh []string) int {
	end := len(fresh)
	for end > 0 && strings.TrimSpace(fresh[end-1]) == "" {
		end--
	}
	if end == 0 || !strings.HasSuffix(strings.TrimSpace(fresh[end-1]), ":") {
		return len(fresh)
	}
	if end > 1 && len(fresh[end-1]) < 40 && strings.TrimSpace(fresh[end-2]) != "" {
		return end - 2
	}
	return end - 1
}

var webAddress = regexp.MustCompile(`https?://[^\s<>"'\x60{}|\\^]+`)

// pieces finds the addresses in a text.
func pieces(text string) []piece {
	var all []piece
	last := 0
	for _, at := range webAddress.FindAllStringIndex(text, 1000) {
		href := strings.TrimRight(text[at[0]:at[1]], ".,;:!?")
		if strings.HasSuffix(href, ")") && !strings.Contains(href, "(") {
			href = strings.TrimSuffix(href, ")")
		}
		if at[0] > last {
			all = append(all, piece{Text: text[last:at[0]]})
		}
		all = append(all, piece{Text: href, Href: href})
		last = at[0] + len(href)
	}
	if last < len(text) {
		all = append(all, piece{Text: text[last:]})
	}
	return all
}
