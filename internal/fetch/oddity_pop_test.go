package fetch_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/simulator"
)

// hides takes lines out of a list by POP3.
func hides(command string, line *regexp.Regexp) twist {
	return func(x *exchange) {
		if strings.EqualFold(x.command, command) && strings.HasPrefix(x.answer, "+OK") {
			x.answer = line.ReplaceAllString(x.answer, "")
		}
	}
}

// without leaves capabilities out, and what needs them.
func without(capabilities ...string) simulator.Faults {
	return simulator.Faults{HideCapabilities: capabilities}
}

// visits waits until the mailbox has been visited so many times more.
func (s *oddScene) visits(more int) {
	s.t.Helper()
	began := s.pop.Counts(simUser).Logins
	s.until("the mailbox is visited again", func() bool { return s.pop.Counts(simUser).Logins >= began+more })
}

// sixth delivers one more letter and has the mailbox visited twice more.
func (s *oddScene) sixth() {
	s.has(s.id, allFive)
	s.visits(2)
	s.deliver(5, 6)
	s.has(s.id, six)
	s.visits(2)
}

// POP3 servers that answer oddly, and are understood all the same: every message
// once, however often the mailbox is visited.
func TestOddPOP3ServersAreRead(t *testing.T) {
	deletes := func(_ *oddScene, m *postroom.Mailbox) { m.AfterImport = postroom.AfterImportDelete }
	emptied := func(s *oddScene) {
		s.until("the server's mailbox is empty", func() bool {
			return len(s.server.Messages(simUser, "INBOX")) == 0
		})
	}
	for name, o := range map[string]oddity{
		"nothing odd at all":   {},
		"no UIDL":              {faults: without("UIDL")},
		"no TOP":               {faults: without("TOP")},
		"neither UIDL nor TOP": {faults: without("UIDL", "TOP")},
		"no CAPA":              {faults: without("CAPA")},
		"UIDLs that are new each time": {
			faults: simulator.Faults{POP3: simulator.POP3Faults{UIDLs: simulator.UIDLsFresh}},
			during: func(s *oddScene) {
				s.has(s.id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 5, postroom.ArrivalDuplicate: 10})
				s.visits(3) // by then mail is known by its content
				s.deliver(5, 6)
			},
			want: map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 6, postroom.ArrivalDuplicate: 10},
		},
		"UIDLs made of the bytes":    {faults: simulator.Faults{POP3: simulator.POP3Faults{UIDLs: simulator.UIDLsFromMail}}},
		"two messages with one UIDL": {faults: simulator.Faults{POP3: simulator.POP3Faults{UIDLs: simulator.UIDLsShared}}},
		"sizes too large":            {faults: simulator.Faults{POP3: simulator.POP3Faults{SizesOffBy: 7}}},
		"sizes too small":            {faults: simulator.Faults{POP3: simulator.POP3Faults{SizesOffBy: -7}}},
		"status fields that change":  {faults: simulator.Faults{POP3: simulator.POP3Faults{Rewrite: simulator.StatusFields}}},
		"lines that end with LF":     {faults: simulator.Faults{POP3: simulator.POP3Faults{Rewrite: simulator.LineFeeds}}},
		"no final blanks":            {faults: simulator.Faults{POP3: simulator.POP3Faults{Rewrite: simulator.WithoutFinalBlanks}}},
		"one byte a packet":          {faults: simulator.Faults{OneBytePerPacket: true}},
		"EXPIRE NEVER":               {faults: simulator.Faults{POP3: simulator.POP3Faults{Expire: "NEVER"}}},
		"words behind every +OK": {twist: func(x *exchange) {
			x.answer = strings.Replace(x.answer, "+OK", "+OK  \xfcber 5 messages (999 octets)", 1)
		}},
		"LF in the server's own lines": {twist: func(x *exchange) {
			if !strings.HasPrefix(strings.ToUpper(x.command), "RETR") {
				x.answer = strings.ReplaceAll(x.answer, "\r\n", "\n")
			}
		}},
		"a list with a garbled line": {twist: func(x *exchange) {
			if strings.EqualFold(x.command, "LIST") && x.connection == 1 {
				x.answer = regexp.MustCompile(`(?m)^3 \d+`).ReplaceAllString(x.answer, "three octets many")
			}
		}},
		"UIDL that leaves one out, once": {twist: func(x *exchange) {
			if strings.EqualFold(x.command, "UIDL") && x.connection <= 2 {
				x.answer = regexp.MustCompile(`(?m)^3 .*\r\n`).ReplaceAllString(x.answer, "")
			}
		}},
		"QUIT that is never answered": {
			mailbox: deletes, faults: simulator.Faults{Ignore: []string{"QUIT"}}, want: allFive,
			during: func(s *oddScene) {
				s.has(s.id, allFive)
				s.visits(1)
				s.setFaults(simulator.Faults{})
			},
			fleet: func(f *fetch.Fleet) { f.CommandTimeout = 100 * time.Millisecond }, holds: emptied,
		},
		"QUIT that is refused, in the end": {
			mailbox: deletes, twist: func(x *exchange) {
				if strings.EqualFold(x.command, "QUIT") && x.connection == 1 {
					x.answer = "-ERR [SYS/TEMP] some messages were not deleted\r\n"
				}
			}, holds: emptied,
		},
		"a UIDL that goes to the next message": {
			mailbox: deletes, faults: simulator.Faults{POP3: simulator.POP3Faults{UIDLs: simulator.UIDLsReused}},
			during: func(s *oddScene) {
				s.has(s.id, allFive)
				emptied(s)
				s.deliver(5, 6)
			}, want: six, holds: emptied,
		},
		"a UIDL that goes and comes back": {
			twist: func(x *exchange) {
				if x.connection == 2 {
					hides("UIDL", regexp.MustCompile(`(?m)^5 .*\r\n`))(x)
					hides("LIST", regexp.MustCompile(`(?m)^5 .*\r\n`))(x)
				}
			},
			want: map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 5, postroom.ArrivalDuplicate: 1},
			during: func(s *oddScene) {
				s.visits(3)
			},
		},
		"a message cut off once": {twist: func(x *exchange) {
			if strings.EqualFold(x.command, "RETR 3") && x.connection == 1 {
				x.answer, x.hangUp = x.answer[:len(x.answer)/2], true
			}
		}},
		"a message that is refused for good": {
			faults: simulator.Faults{Replies: map[string]string{"RETR 3": "-ERR [SYS/PERM] Could not read message file"}},
			want:   map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 4, postroom.ArrivalQuarantined: 1},
		},
	} {
		o.pop3 = &simulator.POP3Options{}
		if o.mailbox == nil && o.during == nil && o.want == nil {
			o.during, o.want = (*oddScene).sixth, six
		}
		t.Run(name, o.play)
	}
}

// What a mailbox by POP3 says when something is wrong.
func TestTroubleByPOP3(t *testing.T) {
	again := func(*oddScene, *postroom.Mailbox) {}
	for name, o := range map[string]oddity{
		"somebody else is in there": {state: delayed, class: postroom.MailboxInUse,
			faults: simulator.Faults{POP3: simulator.POP3Faults{InUse: "Do you have another POP session running?"}}},
		"too soon after the last login": {state: delayed, class: postroom.RateLimited,
			faults: simulator.Faults{RefuseLogin: "-ERR [LOGIN-DELAY] Logins must be at least 5 minutes apart"}},
		"the server is in trouble": {state: delayed, class: postroom.ServerBusy,
			faults: simulator.Faults{RefuseLogin: "-ERR [SYS/TEMP] Unable to open maildrop: System I/O error"}},
		"too many connections": {state: delayed, class: postroom.TooManyConnections,
			twist: greets("-ERR Too many open connections (host 192.0.2.10)", true)},
		"a list that never comes": {state: delayed, class: postroom.Timeout,
			faults: simulator.Faults{Ignore: []string{"LIST"}}},
		"garbage": {state: delayed, class: postroom.Unknown,
			twist: func(x *exchange) { x.answer = "\x00\xff\xfe?\r\n" }},
		"another protocol answers": {state: needsRepair, class: postroom.ProtocolMismatch,
			twist: greets("* OK [CAPABILITY IMAP4rev1] Dovecot ready.", false)},
		"POP switched off": {state: needsRepair, class: postroom.POPDisabled,
			faults: simulator.Faults{RefuseLogin: "-ERR [SYS/PERM] Your account is not enabled for POP access. Please visit your Gmail settings page and enable your account for POP access."}},
		"a wrong password": {state: needsSignIn, class: postroom.BadCredentials, repair: again,
			faults: simulator.Faults{RefuseLogin: "-ERR [AUTH] Username and password not accepted."}},
		"a wrong password, without a code": {state: needsSignIn, class: postroom.BadCredentials, repair: again,
			faults: simulator.Faults{RefuseLogin: "-ERR Logon failure: unknown user name or bad password."}},
	} {
		o.pop3 = &simulator.POP3Options{}
		t.Run(name, o.play)
	}
}
