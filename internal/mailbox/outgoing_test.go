package mailbox

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// twoServers runs a server to read from and one to send by, both behind TLS, with
// an account support@example.net. m is a mailbox of both.
func twoServers(t *testing.T, o simulator.SMTPOptions) (read *simulator.Server, send *simulator.SMTPServer, m postroom.Mailbox) {
	t.Helper()
	read, err := simulator.Start(simulator.Options{TLS: postroom.TLSImplicit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close() })
	read.AddAccount("support@example.net", "right")
	if send, err = read.StartSMTP(o); err != nil {
		t.Fatal(err)
	}
	m = mailboxOn(t, func(m *postroom.Mailbox) {
		m.Incoming.ServerSettings = serverAt(t, read.Address(), postroom.TLSImplicit, read.CAPEM)
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: serverAt(t, send.Address(), o.TLS, read.CAPEM)}
	})
	return read, send, m
}

func serverAt(t *testing.T, address string, tls postroom.TLSPolicy, ca string) postroom.ServerSettings {
	t.Helper()
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return postroom.ServerSettings{Host: "127.0.0.1", Port: at.Port, TLS: tls, Username: "support@example.net", CACertificate: ca}
}

const readable = "connection encryption greeting sign_in folder news "

func TestBothSidesAreTested(t *testing.T) {
	tests := map[string]struct {
		options simulator.SMTPOptions
		faults  simulator.Faults
		change  func(*postroom.Mailbox)
		steps   string
		class   postroom.Class
		words   string
	}{
		"TLS at once": {simulator.SMTPOptions{TLS: postroom.TLSImplicit}, simulator.Faults{}, nil,
			"outgoing_connection outgoing_encryption outgoing_greeting outgoing_sign_in outgoing_sender", "", ""},
		"STARTTLS": {simulator.SMTPOptions{TLS: postroom.TLSStart}, simulator.Faults{}, nil,
			"outgoing_connection outgoing_greeting outgoing_encryption outgoing_sign_in outgoing_sender", "", ""},
		"STARTTLS that is hidden": {simulator.SMTPOptions{TLS: postroom.TLSStart}, simulator.Faults{HideCapabilities: []string{"STARTTLS"}}, nil,
			"outgoing_connection outgoing_greeting ✕outgoing_encryption", postroom.ProtocolMismatch, "offers no STARTTLS"},
		"a password refused": {simulator.SMTPOptions{TLS: postroom.TLSImplicit}, simulator.Faults{RefuseLogin: "535 5.7.8 Error: authentication failed"}, nil,
			"outgoing_connection outgoing_encryption outgoing_greeting ✕outgoing_sign_in", postroom.BadCredentials, "refused this password"},
		"programs may not send": {simulator.SMTPOptions{TLS: postroom.TLSImplicit}, simulator.Faults{RefuseLogin: "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information."}, nil,
			"outgoing_connection outgoing_encryption outgoing_greeting ✕outgoing_sign_in", postroom.SMTPAuthDisabled, "does not let programs send"},
		"a busy server": {simulator.SMTPOptions{TLS: postroom.TLSImplicit}, simulator.Faults{ByeAtGreeting: "421 4.3.2 Service shutting down"}, nil,
			"outgoing_connection outgoing_encryption ✕outgoing_greeting", postroom.ServerBusy, "not ready at the moment"},
		"not as this sender": {simulator.SMTPOptions{TLS: postroom.TLSImplicit}, simulator.Faults{Replies: map[string]string{"MAIL": "550 5.7.60 SMTP; Client does not have permissions to send as this sender"}}, nil,
			"outgoing_connection outgoing_encryption outgoing_greeting outgoing_sign_in ✕outgoing_sender", postroom.RelayDenied, "Send as"},
		"not to this recipient": {simulator.SMTPOptions{TLS: postroom.TLSImplicit}, simulator.Faults{Replies: map[string]string{"RCPT": "554 5.7.1 <support@example.net>: Relay access denied"}}, nil,
			"outgoing_connection outgoing_encryption outgoing_greeting outgoing_sign_in ✕outgoing_sender", postroom.RelayDenied, ""},
		"an authority that is not known": {simulator.SMTPOptions{TLS: postroom.TLSImplicit}, simulator.Faults{}, func(m *postroom.Mailbox) { m.Outgoing.CACertificate = "" },
			"outgoing_connection ✕outgoing_encryption", postroom.TLSUntrusted, "not trusted"},
		"nobody there": {simulator.SMTPOptions{TLS: postroom.TLSImplicit}, simulator.Faults{}, func(m *postroom.Mailbox) { m.Outgoing.Port = 1 },
			"✕outgoing_connection", postroom.Refused, "Nothing answers at 127.0.0.1 on port 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, server, m := twoServers(t, test.options)
			server.SetFaults("", test.faults)
			if test.change != nil {
				test.change(&m)
			}
			r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("right"), TestOptions{})
			wantSteps(t, r, readable+test.steps, test.class, test.words)
			if f := r.Fault(); f != nil && f.Field != "" && !strings.HasPrefix(f.Field, "outgoing.") {
				t.Errorf("the fault blames %s", f.Field)
			}
			if taken := server.Accepted(); len(taken) != 0 {
				t.Errorf("a test has sent %d mails", len(taken))
			}
			for _, s := range r.Steps {
				t.Logf("%s · %s", s.Kind.Title(), s.Detail)
				if s.Kind.Title() == string(s.Kind) {
					t.Errorf("step %s has no words", s.Kind)
				}
			}
		})
	}
}

func TestMailboxThatOnlyReadsHasNoSendingSteps(t *testing.T) {
	_, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	m.Outgoing = nil
	r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("right"), TestOptions{})
	wantSteps(t, r, strings.TrimSpace(readable), "", "")
	if slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Kind.IsOutgoing() }) {
		t.Error("there are sending steps")
	}
}

// What cannot be read may still be able to send, and that is worth knowing.
func TestOneSideDoesNotHideTheOther(t *testing.T) {
	read, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	read.SetFaults("", simulator.Faults{RefuseLogin: "NO [AUTHENTICATIONFAILED] no"})
	r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("right"), TestOptions{})
	wantSteps(t, r, "connection encryption greeting ✕sign_in outgoing_connection outgoing_encryption outgoing_greeting outgoing_sign_in outgoing_sender",
		postroom.BadCredentials, "refused this password")
}

func TestOutgoingServerWithAnotherPassword(t *testing.T) {
	read, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	read.AddAccount("relay", "other")
	m.Outgoing.Username = "relay"
	c := password("right")
	r := Tester{Explainer: explainer()}.Run(t.Context(), m, c, TestOptions{})
	if f := r.Fault(); f == nil || f.Class != postroom.BadCredentials {
		t.Errorf("with the mailbox's password: %+v", f)
	}
	own := password("other")
	c.Outgoing = &own
	if r := (Tester{Explainer: explainer()}).Run(t.Context(), m, c, TestOptions{}); !r.OK {
		t.Errorf("with its own: %s, %+v", kinds(r), r.Fault())
	}
}

// An app password is kept without the blanks that providers show; a server that
// was given it with them is asked a second time.
func TestAppPasswordWithAndWithoutBlanks(t *testing.T) {
	for _, at := range []string{"abcdefghijklmnop", "abcd efgh ijkl mnop"} {
		for _, typed := range []string{"abcdefghijklmnop", "abcd efgh ijkl mnop"} {
			read, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
			read.AddAccount("relay", at)
			m.Outgoing.Username = "relay"
			c, err := Credential{Kind: KindPassword, Password: postroom.Hide("right"), Outgoing: &Credential{Kind: KindAppPassword, Password: postroom.Hide(typed)}}.Complete()
			if err != nil {
				t.Fatal(err)
			}
			if r := (Tester{Explainer: explainer()}).Run(t.Context(), m, c, TestOptions{}); !r.OK {
				t.Errorf("%q typed, %q wanted: %s, %+v", typed, at, kinds(r), r.Fault())
			}
		}
	}
}

func TestOutgoingCredentialOfItsOwn(t *testing.T) {
	ctx := context.Background()
	d, _ := newDesk(t)
	own := password("to send")
	c := password("right")
	c.Outgoing = &own
	settings := plain()
	settings.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "smtp.example.net"}}
	m, err := d.Add(ctx, admin(), settings, c)
	if err != nil {
		t.Fatal(err)
	}
	want := func(what, secret string) {
		t.Helper()
		if got, err := d.outgoingCredential(ctx, m.ID); err != nil || got.Password.Reveal() != secret {
			t.Errorf("%s: sends with %q, %v, want %q", what, got.Password.Reveal(), err, secret)
		}
	}
	asItIs := func(*postroom.Mailbox) error { return nil }
	want("new", "to send")
	another, incoming := password("another"), password("incoming")
	if _, err := d.ChangeWith(ctx, admin(), m.ID, asItIs, NewCredentials{Outgoing: &another}); err != nil {
		t.Fatal(err)
	}
	want("replaced", "another")
	if now, err := d.Store.Mailbox(ctx, m.ID); err != nil || now.State != postroom.MailboxDraft {
		t.Errorf("state %s, %v", now.State, err)
	}
	if _, err := d.Change(ctx, admin(), m.ID, asItIs, &incoming); err != nil {
		t.Fatal(err)
	}
	want("the mailbox's replaced", "another")
	if _, err := d.ChangeWith(ctx, admin(), m.ID, asItIs, NewCredentials{SameOutgoing: true}); err != nil {
		t.Fatal(err)
	}
	want("given up", "incoming")
	_, err = d.ChangeWith(ctx, admin(), m.ID, asItIs, NewCredentials{Outgoing: &Credential{}})
	wantFault(t, err, postroom.Invalid, "outgoing.credential.password")
	c.Outgoing = &Credential{Kind: "oauth"}
	_, err = d.Test(ctx, admin(), settings, c, TestOptions{})
	wantFault(t, err, postroom.Invalid, "outgoing.credential.kind")
}
