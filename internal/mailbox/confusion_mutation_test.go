package mailbox

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"regexp"
	"strings"

	"github.com/postroom/postroom"
)

// A mutation is how a known reply is said another time, at another place or by another
// version of the server. The result is without a tag, its lines divided by LF; it is
// empty where the mutation would change nothing.
type mutation struct {
	name string
	say  func(knownReply) string
}

// The mutations of which nothing but a code for programs is left.
const (
	codeAlone    = "code alone"
	codeAndOther = "code, other words"
)

// mutations are played for every reply of the catalogue. They are the same in every
// run.
var mutations = []mutation{
	{"as it stands", func(r knownReply) string { return r.lines() }},
	{"other ids and hosts", func(r knownReply) string { return r.changed(otherIDs) }},
	{"small letters", func(r knownReply) string {
		return r.changed(func(_ *rand.Rand, text string) string { return strings.ToLower(text) })
	}},
	{"capitals", func(r knownReply) string {
		return r.changed(func(_ *rand.Rand, text string) string { return strings.ToUpper(text) })
	}},
	{"wrapped", wrapped},
	{codeAlone, func(r knownReply) string { return r.code() }},
	{codeAndOther, func(r knownReply) string {
		if code := r.code(); code != "" {
			return code + " Der Vorgang wurde nicht ausgeführt."
		}
		return ""
	}},
	{"without its code", withoutCode},
	{"more in brackets", func(r knownReply) string { return r.changed(withTrace) }},
	{"double blanks", func(r knownReply) string {
		return r.changed(func(_ *rand.Rand, text string) string { return strings.ReplaceAll(text, " ", "  ") })
	}},
	{"without the full stop", func(r knownReply) string {
		return r.changed(func(_ *rand.Rand, text string) string { return strings.TrimRight(text, ".") })
	}},
}

var smtpLine = regexp.MustCompile(` (\d\d\d[ -])`)

// lines is the sample as the server sent it. The catalogue has joined the lines of SMTP
// by blanks, and not always kept the last one.
func (r knownReply) lines() string {
	if r.Protocol != postroom.SMTP || len(r.Sample) < 4 {
		return r.Sample
	}
	code := r.Sample[:3]
	text := smtpLine.ReplaceAllStringFunc(r.Sample, func(found string) string {
		if found[1:4] != code {
			return found
		}
		return "\n" + found[1:]
	})
	last := strings.LastIndexByte(text, '\n') + 1
	return text[:last] + code + " " + text[last+4:]
}

// status is what a program reads and nobody may change: the status word or code.
var status = regexp.MustCompile(`^(?:(?:\* )?(?:NO|BAD|BYE|OK|CAPABILITY)|-ERR|\+OK|\d\d\d[ -](?:\d\.\d{1,3}\.\d{1,3}\b)?|\+ |334 )`)

// changed is the reply with something done to what stands behind the status of each
// of its lines.
func (r knownReply) changed(change func(*rand.Rand, string) string) string {
	if r.isChallenge() || r.isGreetingOfAnother() {
		return ""
	}
	before := r.lines()
	var after []string
	for n, line := range strings.Split(before, "\n") {
		begin := status.FindString(line)
		after = append(after, begin+change(r.random(n), line[len(begin):]))
	}
	if text := strings.Join(after, "\n"); text != before {
		return text
	}
	return ""
}

// isChallenge says whether a reply is the reason that an OAuth mechanism gives. It is
// JSON, and read by programs.
func (r knownReply) isChallenge() bool {
	return strings.HasPrefix(r.Sample, "{") || strings.HasPrefix(r.Sample, "334 ")
}

// isGreetingOfAnother says whether a reply is how another kind of server begins, which
// is known by nothing but its first word.
func (r knownReply) isGreetingOfAnother() bool {
	return r.Phase == "greeting" && r.Class == postroom.ProtocolMismatch
}

func (r knownReply) random(line int) *rand.Rand {
	seed := fnv.New64a()
	fmt.Fprint(seed, r.ID)
	return rand.New(rand.NewPCG(seed.Sum64(), uint64(line)))
}

var (
	link    = regexp.MustCompile(`https?://[^\s>\]]+`)
	plt     = regexp.MustCompile(`(plt|sarp|scc)=([A-Za-z0-9]+)`)
	ip      = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	address = regexp.MustCompile(`\b[a-z]+@example\.(?:com|net)\b`)
	domain  = regexp.MustCompile(`\b(?:[a-z0-9-]+\.)*example\.(?:com|net)\b`)
	machine = regexp.MustCompile(`\b[A-Z]{2}[A-Z0-9]{6,}\.`)
	instant = regexp.MustCompile(`\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d`)
	long    = regexp.MustCompile(`[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*`)
	number  = regexp.MustCompile(`^\d{5,}$`)
)

// otherIDs puts other names, addresses, machines, times and ids into a text.
func otherIDs(random *rand.Rand, text string) string {
	between := func(text string) string {
		text = ip.ReplaceAllStringFunc(text, func(string) string {
			if random.IntN(4) == 0 {
				return fmt.Sprintf("2001:db8:%x::%x", random.IntN(1<<16), random.IntN(1<<16))
			}
			return fmt.Sprintf("198.51.100.%d", random.IntN(256))
		})
		text = address.ReplaceAllString(text, "zoe.o-neil@post.example.org")
		text = domain.ReplaceAllString(text, "relay7.firma.example.org")
		text = machine.ReplaceAllStringFunc(text, func(found string) string { return scrambled(random, found) })
		text = instant.ReplaceAllString(text, "2027-01-31T23:59:58")
		return long.ReplaceAllStringFunc(text, func(found string) string {
			if strings.HasPrefix(strings.ToUpper(found), "IMAP4") || len(found) < 8 && !number.MatchString(found) {
				return found
			}
			return scrambled(random, found)
		})
	}
	var all strings.Builder
	from := 0
	for _, at := range link.FindAllStringIndex(text, -1) { // which page is meant, says something
		all.WriteString(between(text[from:at[0]]))
		all.WriteString(plt.ReplaceAllStringFunc(text[at[0]:at[1]], func(found string) string {
			return found[:5] + scrambled(random, found[5:])
		}))
		from = at[1]
	}
	return all.String() + between(text[from:])
}

// scrambled has other letters and digits in the places of the old ones.
func scrambled(random *rand.Rand, text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= '0' && c <= '9':
			return '0' + rune(random.IntN(10))
		case c >= 'a' && c <= 'z':
			return 'a' + rune(random.IntN(26))
		case c >= 'A' && c <= 'Z':
			return 'A' + rune(random.IntN(26))
		}
		return c
	}, text)
}

// withTrace adds what servers put behind their words for their own people.
func withTrace(random *rand.Rand, text string) string {
	if strings.TrimSpace(text) == "" {
		return text
	}
	traces := []string{
		" [FR4P281CA0123.DEUP281.PROD.OUTLOOK.COM 2027-01-31T23:59:58.123Z 08DD2F1E5A6B7C8D]",
		" (sc=kQxZ3b0Lc4Y1-7fW2mPd_014530_imap-12)",
		" [node-17.fra.example.org:1798761598]",
	}
	return text + traces[random.IntN(len(traces))]
}

// wrapped is a reply of SMTP in lines of 60 columns. The other protocols know no lines
// in a reply.
func wrapped(r knownReply) string {
	if r.Protocol != postroom.SMTP || r.isChallenge() {
		return ""
	}
	const columns = 60
	code := r.Sample[:3]
	begin := code
	if enhanced := strings.TrimSpace(status.FindString(r.Sample)[4:]); enhanced != "" {
		begin += "-" + enhanced + " "
	} else {
		begin += "-"
	}
	var lines []string
	line := begin
	for n, part := range strings.Split(r.lines(), "\n") {
		words := strings.Fields(part[len(status.FindString(part)):])
		for k, word := range words {
			if (n > 0 && k == 0 || len(line)+len(word) > columns) && line != begin {
				lines, line = append(lines, strings.TrimRight(line, " ")), begin
			}
			line += word + " "
		}
	}
	lines = append(lines, strings.TrimRight(line, " "))
	last := len(lines) - 1
	lines[last] = code + " " + lines[last][min(4, len(lines[last])):]
	return strings.Join(lines, "\n")
}

var (
	imapCode = regexp.MustCompile(`^((?:\* )?(?:NO|BAD|BYE) \[)([^\]]+)\]`)
	popCode  = regexp.MustCompile(`^-ERR \[[A-Z/-]+\]`)
	smtpCode = regexp.MustCompile(`^(\d\d\d)[ -](\d\.\d{1,3}\.\d{1,3}\b)?`)
)

// withoutCode is a reply with its words alone, as servers say it that know no codes
// for programs. A word or two may be anything.
func withoutCode(r knownReply) string {
	var lines []string
	for line := range strings.SplitSeq(r.lines(), "\n") {
		begin := status.FindString(line)
		text := strings.TrimSpace(line[len(begin):])
		if strings.HasPrefix(text, "[") && r.Protocol != postroom.SMTP {
			_, text, _ = strings.Cut(text, "]")
		}
		begin = strings.TrimSpace(begin) + " "
		if r.Protocol == postroom.SMTP {
			begin = line[:4]
		}
		lines = append(lines, begin+strings.TrimSpace(text))
	}
	text := strings.Join(lines, "\n")
	if r.code() == "" || text == r.lines() || len(strings.Fields(text)) < 4 {
		return ""
	}
	return text
}

// code is what of a reply is for programs: the response code of IMAP and POP3, the
// codes of SMTP. It is empty where there is none; ALERT is none, it only says that
// the words are to be shown (RFC 9051 section 7.1).
func (r knownReply) code() string {
	switch r.Protocol {
	case postroom.IMAP:
		if found := imapCode.FindStringSubmatch(r.Sample); found != nil && found[2] != "ALERT" {
			return found[0]
		}
	case postroom.POP3:
		return popCode.FindString(r.Sample)
	case postroom.SMTP:
		if found := smtpCode.FindStringSubmatch(r.Sample); found != nil && found[1] >= "400" {
			return strings.TrimSpace(found[1] + " " + found[2])
		}
	}
	return ""
}
