package fetch_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/simulator"
)

// isMessage says whether an answer by IMAP brings the bytes of a message.
func (x *exchange) isMessage() bool {
	return strings.HasPrefix(x.answer, "* ") && strings.Contains(x.answer, " FETCH (") && strings.Contains(x.answer, "BODY[]")
}

// before puts something in front of every message and every tagged answer.
func before(noise string) twist {
	return func(x *exchange) {
		if x.isMessage() || x.isDone() {
			x.answer = noise + x.answer
		}
	}
}

// items changes what stands in front of the bytes of messages.
func items(change func(string) string) twist {
	return func(x *exchange) {
		if x.isMessage() {
			head, bytes, _ := strings.Cut(x.answer, "\r\n")
			x.answer = change(head) + "\r\n" + bytes
		}
	}
}

var (
	sizeItem  = regexp.MustCompile(`RFC822\.SIZE \d+`)
	dateItem  = regexp.MustCompile(`INTERNALDATE "[^"]*"`)
	flagsItem = regexp.MustCompile(`FLAGS \([^)]*\)`)
	uidItem   = regexp.MustCompile(`UID \d+ ?`)
)

func replaced(item *regexp.Regexp, with string) twist {
	return items(func(head string) string { return item.ReplaceAllLiteralString(head, with) })
}

// IMAP servers that answer oddly, and are understood all the same.
func TestOddIMAPServersAreRead(t *testing.T) {
	for name, o := range map[string]oddity{
		"nothing odd at all":             {},
		"VANISHED and UIDFETCH unasked":  {twist: before("* VANISHED (EARLIER) 400:500\r\n* 3 UIDFETCH (FLAGS (\\Seen))\r\n* VANISHED 999\r\n")},
		"responses that nobody knows":    {twist: before("* XYZZY (a (b) {3}\r\nabc)\r\n* 99 NONSENSE\r\n*\r\n* \r\n")},
		"empty lines everywhere":         {twist: func(x *exchange) { x.answer = "\r\n\r\n" + x.answer }},
		"signs of life, again and again": {faults: simulator.Faults{Noise: []string{"* OK Still here", "* OK [ALERT] disk nearly full {12}"}}},
		"8-bit everywhere":               {twist: before("* \xe4\xf6\xfc\xff \x80\r\n* OK Gr\xfc\xdfe\r\n* FLAGS (\xff)\r\n")},
		"one byte a packet":              {faults: simulator.Faults{OneBytePerPacket: true}},
		"a slow drip":                    {faults: simulator.Faults{BytesPerSecond: 20000}},
		"a line of a megabyte":           {twist: before("* OK " + strings.Repeat("x", 1<<20) + "\r\n")},
		"capabilities that change at sign-in": {twist: func(x *exchange) {
			if x.command == "" || x.says("CAPABILITY") || x.says("AUTHENTICATE") || x.says("LOGIN") {
				x.replace("IMAP4rev1", map[bool]string{true: "IMAP4rev1 ESEARCH MOVE X-GM-EXT-1 UIDONLY", false: "IMAP4rev1"}[x.tag == "" || x.says("CAPABILITY")])
			}
		}},
		"LF at the end of lines": {twist: func(x *exchange) {
			if x.isMessage() {
				head, rest, _ := strings.Cut(x.answer, "\r\n")
				x.answer = head + "\n" + strings.TrimSuffix(rest, "\r\n") + "\n"
			} else {
				x.answer = strings.TrimSuffix(x.answer, "\r\n") + "\n"
			}
		}},
		"blanks where one would do, and lower case": {twist: func(x *exchange) {
			if head, rest, _ := strings.Cut(x.answer, "\r\n"); strings.HasPrefix(head, "* ") && !x.says("LIST") {
				x.answer = strings.ReplaceAll(strings.ToLower(head), " ", "   ") + "  \r\n" + rest
			}
		}},
		"the items in another order": {twist: func(x *exchange) {
			if head, rest, ok := strings.Cut(x.answer, "\r\n"); ok && x.isMessage() {
				uid := strings.TrimSpace(uidItem.FindString(head))
				rest = strings.TrimSuffix(strings.TrimSuffix(rest, "\r\n"), ")")
				x.answer = strings.Replace(head, uid+" ", "", 1) + "\r\n" + rest + " " + uid + ")\r\n"
			}
		}},
		"every message twice": {twist: func(x *exchange) {
			if x.isMessage() {
				x.answer += x.answer
			}
		}},
		"a message that is given only when asked again": {twist: func(x *exchange) {
			if x.connection == 1 && x.isMessage() && strings.Contains(x.answer, "UID 3 ") && x.answers < 20 {
				x.answer = ""
			}
		}},
		"dates of nonsense":                     {twist: replaced(dateItem, `INTERNALDATE "32-Foo-20x4 99:99"`)},
		"no dates":                              {twist: replaced(dateItem, `INTERNALDATE NIL`)},
		"absurd flags":                          {twist: replaced(flagsItem, `FLAGS (`+strings.Repeat(`\Seen $`+strings.Repeat("x", 300)+" ", 2000)+`)`)},
		"flags that are none":                   {twist: replaced(flagsItem, `FLAGS NIL`)},
		"sizes too small":                       {twist: replaced(sizeItem, `RFC822.SIZE 1`)},
		"sizes too large":                       {twist: replaced(sizeItem, `RFC822.SIZE 99999`)},
		"sizes of nothing":                      {twist: replaced(sizeItem, `RFC822.SIZE 0`)},
		"numbers of 64 bits":                    {twist: replaced(sizeItem, `RFC822.SIZE 5 MODSEQ (18446744073709551615) X-GM-MSGID 18446744073709551615`)},
		"a size over 64 bits":                   {twist: replaced(sizeItem, `RFC822.SIZE 99999999999999999999999`)},
		"expunges in the middle that were none": {twist: before("* 1 EXPUNGE\r\n* 2 EXISTS\r\n* 5 EXISTS\r\n")},
		"EXISTS that goes down and up":          {twist: before("* 2 EXISTS\r\n* 0 EXISTS\r\n* 5 EXISTS\r\n")},
		"a search that leaves out": {twist: func(x *exchange) {
			if x.says("UID SEARCH") && strings.HasPrefix(x.answer, "* ") {
				x.replace("1:5", "1:3")
				x.replace(" 4 5", "")
			}
		}},
		"a search that is refused": {faults: simulator.Faults{Replies: map[string]string{"UID SEARCH": "BAD Unknown command"}}},
		"a search without an answer": {twist: func(x *exchange) {
			if x.says("UID SEARCH") && !x.isDone() {
				x.answer = ""
			}
		}},
		"no IDLE": {faults: simulator.Faults{HideCapabilities: []string{"IDLE"}}, during: (*oddScene).oneMore, want: six},
		"IDLE that says nothing": {twist: func(x *exchange) {
			if x.says("IDLE") && strings.Contains(x.answer, "EXISTS") {
				x.answer = ""
			}
		}, during: (*oddScene).oneMore, want: six},
		"IDLE that is announced and refused": {faults: simulator.Faults{Replies: map[string]string{"IDLE": "BAD Unknown command"}}, during: (*oddScene).oneMore, want: six},
		"IDLE that ends at once":             {faults: simulator.Faults{Replies: map[string]string{"IDLE": "OK IDLE terminated"}}, during: (*oddScene).oneMore, want: six},
		"IDLE that is over at once": {twist: func(x *exchange) {
			switch {
			case x.says("IDLE") && strings.HasPrefix(x.answer, "+"):
				x.answer += x.tag + " OK IDLE terminated\r\n"
				x.also = "DONE\r\n"
			case x.says("IDLE") && x.isDone():
				x.answer = ""
			}
		}, during: (*oddScene).oneMore, want: six, holds: func(s *oddScene) {
			if times := s.server.Counts(simUser).Commands["IDLE"]; times > 4 {
				s.t.Errorf("IDLE was tried %d times", times)
			}
		}},
		"a greeting that knows us": {mailbox: func(s *oddScene, _ *postroom.Mailbox) { s.line.knows("X LOGIN " + simUser + " secret\r\n") }},
		"a folder in modified UTF-7": {
			letters: func(s *oddScene) { s.into("Entwürfe/März", 0, 5) },
			mailbox: func(_ *oddScene, m *postroom.Mailbox) { m.Incoming.Folders = []string{"Entwürfe/März"} },
		},
		"folders below the inbox": {
			provider: simulator.Options{Namespace: "INBOX."},
			letters:  func(s *oddScene) { s.into("INBOX.Archive.2026", 0, 5) },
			mailbox:  func(_ *oddScene, m *postroom.Mailbox) { m.Incoming.Folders = []string{"Archive/2026"} },
		},
		"an inbox in other letters":            {mailbox: func(_ *oddScene, m *postroom.Mailbox) { m.Incoming.Folders = []string{"Inbox"} }},
		"a server that wants to know who asks": {provider: simulator.Options{RequireID: true}},
		"a message of nothing but a line end": {letters: func(s *oddScene) {
			s.deliver(0, 4)
			s.deliverRaw([]byte("\r\n"), time.Now())
		}},
		"a message without any body": {
			twist: func(x *exchange) {
				if x.isMessage() && strings.Contains(x.answer, "UID 3 ") {
					x.answer = fmt.Sprintf("* 3 FETCH (UID 3 RFC822.SIZE %d BODY[] NIL)\r\n", 200)
				}
			},
			want: map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 4, postroom.ArrivalQuarantined: 1},
		},
		"a message whose body is empty": {
			twist: func(x *exchange) {
				if x.isMessage() && strings.Contains(x.answer, "UID 3 ") {
					x.answer = "* 3 FETCH (UID 3 RFC822.SIZE 200 BODY[] {0}\r\n)\r\n"
				}
			},
			want: map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 4, postroom.ArrivalQuarantined: 1},
		},
		"a message that goes while it is fetched": {
			faults: simulator.Faults{OmitUIDs: []uint32{3}},
			during: func(s *oddScene) {
				s.until("the others are here", func() bool { return s.counts(s.id)[postroom.ArrivalFiled] == 4 })
				if err := s.server.Expunge(simUser, "INBOX", 3); err != nil {
					s.t.Fatal(err)
				}
			},
			fleet: func(f *fetch.Fleet) { f.FirstRetry = 300 * time.Millisecond },
			want:  map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 4, postroom.ArrivalVanished: 1},
		},
	} {
		t.Run(name, o.play)
	}
}

var six = map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 6}

// oneMore delivers a sixth letter, once the five have been read.
func (s *oddScene) oneMore() {
	s.has(s.id, allFive)
	s.deliver(5, 6)
}

// into delivers letters to another folder.
func (s *oddScene) into(folder string, from, to int) {
	s.t.Helper()
	for n := from; n < to; n++ {
		if _, err := s.server.Append(simUser, folder, letter(n, ""), time.Now()); err != nil {
			s.t.Fatal(err)
		}
	}
}
