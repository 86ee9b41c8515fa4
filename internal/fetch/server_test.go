package fetch

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestServerThatRefusesManyIsInTroubleItself(t *testing.T) {
	start := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	type happening struct {
		after   time.Duration
		mailbox postroom.MailboxID
		let     bool
	}
	refused := func(after time.Duration, id postroom.MailboxID) happening { return happening{after, id, false} }
	let := func(after time.Duration, id postroom.MailboxID) happening { return happening{after, id, true} }
	tests := map[string]struct {
		happened []happening
		want     bool
	}{
		"nothing happened":                      {nil, false},
		"two are refused":                       {[]happening{refused(0, 1), refused(time.Minute, 2)}, false},
		"one is refused again and again":        {[]happening{refused(0, 1), refused(time.Minute, 1), refused(2*time.Minute, 1)}, false},
		"three are refused":                     {[]happening{refused(0, 1), refused(time.Minute, 2), refused(9*time.Minute, 3)}, true},
		"three within an hour":                  {[]happening{refused(0, 1), refused(20*time.Minute, 2), refused(40*time.Minute, 3)}, false},
		"three while as many are let in":        {[]happening{refused(0, 1), let(0, 4), let(0, 5), let(0, 6), refused(0, 2), refused(0, 3)}, false},
		"four while two are let in":             {[]happening{refused(0, 1), let(0, 5), let(0, 6), refused(0, 2), refused(0, 3), refused(0, 4)}, true},
		"those refused are let in again":        {[]happening{refused(0, 1), refused(0, 2), refused(0, 3), let(time.Minute, 1)}, false},
		"those let in are refused after all":    {[]happening{refused(0, 1), let(0, 2), let(0, 3), refused(1, 2), refused(1, 3)}, true},
		"those let in long ago count no longer": {[]happening{refused(0, 9), let(0, 4), let(0, 5), let(0, 6), refused(11*time.Minute, 1), refused(11*time.Minute, 2), refused(11*time.Minute, 3)}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var s servers
			now := start
			for _, h := range test.happened {
				now = start.Add(h.after)
				if h.let {
					s.opened("imap.example.net:993", h.mailbox, now)
				} else {
					s.refusedPassword("imap.example.net:993", h.mailbox, now)
				}
			}
			if _, got := s.inTrouble("imap.example.net:993", now); got != test.want {
				t.Errorf("inTrouble = %v, want %v", got, test.want)
			}
			if _, got := s.inTrouble("imap.example.org:993", now); got {
				t.Error("another server is in trouble too")
			}
		})
	}
}

func TestServerIsForgottenWhenAllIsWell(t *testing.T) {
	var s servers
	now := time.Now()
	s.refusedPassword("a", 1, now)
	s.opened("a", 1, now)
	s.opened("b", 2, now)
	if len(s.known) != 0 {
		t.Errorf("%d servers are remembered, want none", len(s.known))
	}
}

func TestOneFullMailboxDoesNotMakeAFullServer(t *testing.T) {
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		others, refusals int
		every            time.Duration
		want             bool
	}{
		"no other connection of ours":          {0, 10, time.Second, false},
		"thirty refused beside twenty":         {20, 30, time.Second, true},
		"one is refused again and again":       {20, 3, time.Minute, true},
		"one among hundreds":                   {400, 5, time.Minute, false},
		"refusals hours apart":                 {20, 10, time.Hour, false},
		"a tenth of hundreds is not by chance": {400, 40, time.Second, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var s servers
			got := false
			for i := range test.refusals {
				_, full := s.isFull("a", postroom.MailboxID(i), test.others, now.Add(time.Duration(i)*test.every))
				got = got || full
			}
			if got != test.want {
				t.Errorf("isFull = %v, want %v", got, test.want)
			}
		})
	}
}
