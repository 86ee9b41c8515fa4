package mailbox

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

func TestTimeoutsAreAdvisedByWhatWasMeasured(t *testing.T) {
	signIn := func(d time.Duration) simulator.Faults {
		return simulator.Faults{Pause: map[string]time.Duration{"AUTHENTICATE": d, "AUTH": d}}
	}
	tests := map[string]struct {
		protocol postroom.Protocol
		set      func(*virtual)
		want     []Advice
	}{
		"quick":                      {postroom.IMAP, func(*virtual) {}, nil},
		"half the time is no reason": {postroom.IMAP, func(s *virtual) { s.imap.SetFaults("", signIn(2500*time.Millisecond)) }, nil},
		"close to the limit": {postroom.IMAP, func(s *virtual) { s.imap.SetFaults("", signIn(4100*time.Millisecond)) },
			[]Advice{{"incoming.auth_timeout", "12s", "To sign in at 127.0.0.1 took 4.1 of 5 seconds. On a bad day that is too little: wait 12 seconds."}}},
		"a little less close": {postroom.IMAP, func(s *virtual) { s.imap.SetFaults("", signIn(3900*time.Millisecond)) },
			[]Advice{{"incoming.auth_timeout", "8s", "To sign in at 127.0.0.1 took 3.9 of 5 seconds. On a bad day that is too little: wait 8 seconds."}}},
		"over the limit": {postroom.IMAP, func(s *virtual) { s.imap.SetFaults("", signIn(time.Minute)) },
			[]Advice{{"incoming.auth_timeout", "15s", "To sign in at 127.0.0.1, 5 seconds was not enough. If the server is only slow, wait 15 seconds."}}},
		"by POP3, over the limit": {postroom.POP3, func(s *virtual) { s.pop.SetFaults("", signIn(time.Minute)) },
			[]Advice{{"incoming.auth_timeout", "15s", "To sign in at 127.0.0.1, 5 seconds was not enough. If the server is only slow, wait 15 seconds."}}},
		"sending": {postroom.IMAP, func(s *virtual) { s.smtp.SetFaults("", signIn(4100*time.Millisecond)) },
			[]Advice{{"incoming.auth_timeout", "12s", "To sign in at 127.0.0.1 took 4.1 of 5 seconds. On a bad day that is too little: wait 12 seconds."}}},
		"both, the longer one": {postroom.IMAP, func(s *virtual) {
			s.imap.SetFaults("", signIn(3900*time.Millisecond))
			s.smtp.SetFaults("", signIn(time.Minute))
		}, []Advice{{"incoming.auth_timeout", "15s", "To sign in at 127.0.0.1, 5 seconds was not enough. If the server is only slow, wait 15 seconds."}}},
		"nobody there": {postroom.IMAP, func(s *virtual) { s.tester.Dial = nobodyThere },
			[]Advice{{"incoming.connect_timeout", "30s", "To reach and encrypt 127.0.0.1, 10 seconds was not enough. If the server is only slow, wait 30 seconds."}}},
		"as long as can be": {postroom.IMAP, func(s *virtual) {
			s.m.Incoming.AuthTimeout = maxTimeout
			s.imap.SetFaults("", signIn(time.Minute))
			s.smtp.SetFaults("", signIn(time.Minute))
		}, nil},
		"looks too often": {postroom.POP3, func(s *virtual) {
			s.pop.SetFaults("", simulator.Faults{POP3: simulator.POP3Faults{LoginDelay: 10 * time.Minute}})
		}, []Advice{{"incoming.poll_interval", "10m", "The server lets nobody sign in more often than every 10 minutes; Postroom keeps to that in any case."}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newVirtual(t, test.protocol, "right")
				test.set(s)
				r := s.tester.Run(t.Context(), s.m, password("right"), TestOptions{})
				if diff := cmp.Diff(test.want, r.Advice); diff != "" {
					t.Errorf("%s: advice: %s", kinds(r), diff)
				}
			})
		})
	}
}

func TestTheFolderThatWasMeantIsFound(t *testing.T) {
	folders := []Folder{{Name: "INBOX"}, {Name: "Gesendete Elemente", Use: "sent"}, {Name: "INBOX/Orders"}, {Name: "INBOX/Orders/2026"}, {Name: "Support"}, {Name: "日本語"}}
	for missing, want := range map[string]string{
		"orders": "INBOX/Orders", "Order": "INBOX/Orders", "INBOX.Orders": "INBOX/Orders", "Orders/2025": "INBOX/Orders/2026",
		"Suppor": "Support", "SUPPORT": "Support", "Gesendete Objekte": "Gesendete Elemente", "Everything": "", "x": "", "日本": "日本語", "": "",
	} {
		if got, ok := nearest(missing, folders); got != want || ok != (want != "") {
			t.Errorf("nearest(%q) = %q, %v, want %q", missing, got, ok, want)
		}
	}
}
