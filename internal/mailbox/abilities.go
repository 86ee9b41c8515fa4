package mailbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// abilities says what a server has told before the sign-in: how one may sign in, and
// what else people care about.
func abilities(p postroom.Protocol, lines []string) string {
	words := "The server speaks " + protocolInWords(p)
	offers := offered(p, lines)
	var ways []string
	for _, o := range offers {
		switch way, isWay := strings.CutPrefix(o, "AUTH="); {
		case isWay:
			ways = append(ways, way)
		case p != postroom.IMAP && (strings.HasPrefix(o, "AUTH ") || strings.HasPrefix(o, "SASL ")):
			ways = append(ways, strings.Fields(o)[1:]...)
		case p == postroom.POP3 && o == "USER":
			ways = append(ways, o)
		case p == postroom.SMTP && strings.HasPrefix(o, "SIZE "):
			if limit, err := strconv.ParseInt(strings.TrimPrefix(o, "SIZE "), 10, 64); err == nil && limit > 0 {
				words += fmt.Sprintf(" and takes messages of up to %s MB", grouped(max(limit/1_000_000, 1)))
			}
		}
	}
	if slices.Contains(offers, "SMTPUTF8") {
		words += "; addresses may have any letters"
	}
	slices.Sort(ways)
	if ways = slices.Compact(ways); len(ways) > 0 {
		words += "; one signs in by " + printable(strings.Join(ways[:min(len(ways), 8)], ", "))
	}
	return words + "."
}

// offered are the abilities that a server has named, in capitals: of IMAP single
// words, else the lines of its answer to CAPA or EHLO.
func offered(p postroom.Protocol, lines []string) (all []string) {
	for _, line := range lines {
		line = strings.ToUpper(strings.TrimSpace(line))
		switch p {
		case postroom.IMAP:
			if _, after, ok := strings.Cut(line, "CAPABILITY "); ok && strings.HasPrefix(line, "*") {
				list, _, _ := strings.Cut(after, "]")
				all = append(all, strings.Fields(list)...)
			}
		case postroom.SMTP:
			if len(line) > 4 && strings.HasPrefix(line, "250") {
				all = append(all, line[4:])
			}
		default:
			all = append(all, line)
		}
	}
	return all
}
