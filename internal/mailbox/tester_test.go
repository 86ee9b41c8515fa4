package mailbox

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// mailboxOn is a complete mailbox of a server.
func mailboxOn(t *testing.T, change func(*postroom.Mailbox)) postroom.Mailbox {
	t.Helper()
	m := postroom.Mailbox{Address: "support@example.net"}
	m.Incoming.Username = "support"
	change(&m)
	m, err := Rules{Now: noon()}.Complete(m)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func kinds(r Report) string {
	var words []string
	for _, s := range r.Steps {
		word := string(s.Kind)
		if !s.OK {
			word = "✕" + word
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// wantSteps checks the steps, and the fault of the first that failed.
func wantSteps(t *testing.T, r Report, steps string, class postroom.Class, words string) {
	t.Helper()
	if got := kinds(r); got != steps {
		t.Errorf("steps %s, want %s", got, steps)
	}
	f := r.Fault()
	switch {
	case class == "" && (f != nil || !r.OK):
		t.Errorf("fault %+v, want none", f)
	case class == "":
	case f == nil || f.Class != class || !strings.Contains(f.Explanation+" "+f.Remedy, words) || r.OK:
		t.Errorf("fault %+v, want one of class %s that says %q", f, class, words)
	}
}

// listen opens a port that greets with a text, or closes it again.
func listen(t *testing.T, open bool, greeting string) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if !open {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(greeting)) // whoever is gone does not hear it
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return port
}

func TestServersThatCannotBeReached(t *testing.T) {
	ctx := context.Background()
	tester := Tester{
		Explainer: explainer(),
		LookUp: func(_ context.Context, host string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		},
	}
	tests := map[string]struct {
		host  string
		port  int
		tls   postroom.TLSPolicy
		steps string
		class postroom.Class
		words string
	}{
		"a name that nobody knows": {"imap.example.invalid", 993, postroom.TLSImplicit, "✕name", postroom.DNS, "no server with the name imap.example.invalid"},
		"a closed port":            {"127.0.0.1", listen(t, false, ""), postroom.TLSImplicit, "✕connection", postroom.Refused, "Nothing answers"},
		"no encryption there":      {"127.0.0.1", listen(t, true, "* OK ready\r\n"), postroom.TLSImplicit, "connection ✕encryption", postroom.ProtocolMismatch, "does not begin with encryption"},
		"another protocol":         {"127.0.0.1", listen(t, true, "220 smtp.example.net ESMTP\r\n"), postroom.TLSNone, "connection ✕greeting", postroom.ProtocolMismatch, ""},
		"a server that says no":    {"127.0.0.1", listen(t, true, "* BYE Maximum number of connections from user+IP exceeded\r\n"), postroom.TLSNone, "connection ✕greeting", postroom.TooManyConnections, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := mailboxOn(t, func(m *postroom.Mailbox) {
				m.Incoming.Host, m.Incoming.Port, m.Incoming.TLS = test.host, test.port, test.tls
			})
			wantSteps(t, tester.Run(ctx, m, password("x"), TestOptions{}), test.steps, test.class, test.words)
		})
	}
}

func TestEndedTestSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m := mailboxOn(t, func(m *postroom.Mailbox) { m.Incoming.Host = "127.0.0.1" })
	r := Tester{Explainer: explainer()}.Run(ctx, m, password("x"), TestOptions{})
	wantSteps(t, r, "✕connection", postroom.Timeout, "ended before it was through")
}

func TestAgainstDovecot(t *testing.T) {
	server := testbed.Dovecot(t, testbed.DovecotOptions{
		Users: map[string]string{"support": "right", "empty": "right"}, RequireTLS: true,
	})
	server.Deliver("support", "INBOX", []byte("Subject: secret words\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\nHello\r\n"))
	implicit := func(m *postroom.Mailbox) {
		m.Incoming.Host, m.Incoming.Port, m.Incoming.CACertificate = server.Host, server.IMAPSPort, server.CAPEM
	}
	starttls := func(m *postroom.Mailbox) {
		implicit(m)
		m.Incoming.Port, m.Incoming.TLS = server.IMAPPort, postroom.TLSStart
	}
	const all = "connection encryption greeting sign_in folder message news"
	tests := map[string]struct {
		change   func(*postroom.Mailbox)
		password string
		steps    string
		class    postroom.Class
		words    string
	}{
		"everything works":        {implicit, "right", all, "", ""},
		"everything by STARTTLS":  {starttls, "right", "connection greeting encryption sign_in folder message news", "", ""},
		"an empty folder":         {func(m *postroom.Mailbox) { implicit(m); m.Incoming.Username = "empty" }, "right", "connection encryption greeting sign_in folder news", "", ""},
		"a wrong password":        {implicit, "wrong", "connection encryption greeting ✕sign_in", postroom.BadCredentials, "refused this password"},
		"an authority unknown":    {func(m *postroom.Mailbox) { implicit(m); m.Incoming.CACertificate = "" }, "right", "connection ✕encryption", postroom.TLSUntrusted, "not trusted"},
		"unknown, by STARTTLS":    {func(m *postroom.Mailbox) { starttls(m); m.Incoming.CACertificate = "" }, "right", "connection greeting ✕encryption", postroom.TLSUntrusted, "not trusted"},
		"another pin":             {func(m *postroom.Mailbox) { implicit(m); m.Incoming.PinnedSHA256 = strings.Repeat("ab", 32) }, "right", "connection ✕encryption", postroom.TLSUntrusted, "another certificate"},
		"a folder that is not":    {func(m *postroom.Mailbox) { implicit(m); m.Incoming.Folders = []string{"INBOX", "Nowhere"} }, "right", "connection encryption greeting sign_in folder ✕folder", postroom.FolderMissing, "“INBOX”"},
		"TLS where STARTTLS is":   {func(m *postroom.Mailbox) { starttls(m); m.Incoming.TLS = postroom.TLSImplicit }, "right", "connection ✕encryption", postroom.ProtocolMismatch, "STARTTLS"},
		"no TLS where it is must": {func(m *postroom.Mailbox) { starttls(m); m.Incoming.TLS = postroom.TLSNone }, "right", "connection greeting ✕sign_in", postroom.ProtocolMismatch, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := Tester{Explainer: explainer()}.Run(context.Background(), mailboxOn(t, test.change), password(test.password), TestOptions{})
			wantSteps(t, r, test.steps, test.class, test.words)
			for _, s := range r.Steps {
				if s.Took < 0 || s.Took > time.Minute {
					t.Errorf("step %s took %v", s.Kind, s.Took)
				}
				if text := s.Detail; strings.Contains(text, "secret words") || strings.Contains(text, "wrong") || s.Fault != nil && strings.Contains(s.Fault.Error(), "wrong-") {
					t.Errorf("step %s tells what it must not: %s", s.Kind, text)
				}
				t.Logf("%s · %s", s.Kind.Title(), s.Detail)
			}
		})
	}
}
