package web

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/provider"
)

func failed(kind mailbox.StepKind, class postroom.Class, field string) mailbox.Step {
	return mailbox.Step{Kind: kind, Fault: &postroom.Fault{Kind: postroom.NeedsSignIn, Class: class, Field: field, Explanation: string(kind)}}
}

func TestWhatIsWrongStandsBesideItsField(t *testing.T) {
	tests := map[string]struct {
		steps []mailbox.Step
		want  []string
	}{
		"a refused password":                      {[]mailbox.Step{failed(mailbox.StepSignIn, postroom.BadCredentials, "")}, []string{"credential.password"}},
		"refused by both: it is one password":     {[]mailbox.Step{failed(mailbox.StepSignIn, postroom.BadCredentials, ""), failed(mailbox.StepOutgoingSignIn, postroom.AppPasswordRequired, "")}, []string{"credential.password"}},
		"refused for sending alone":               {[]mailbox.Step{failed(mailbox.StepOutgoingSignIn, postroom.BadCredentials, "")}, []string{"outgoing.credential.password"}},
		"the fault knows better":                  {[]mailbox.Step{failed(mailbox.StepSignIn, postroom.BadCredentials, "incoming.username")}, []string{"incoming.username"}},
		"a certificate is nobody's field":         {[]mailbox.Step{failed(mailbox.StepEncryption, postroom.TLSUntrusted, "")}, nil},
		"IMAP that is switched off is not either": {[]mailbox.Step{failed(mailbox.StepSignIn, postroom.IMAPDisabled, "")}, nil},
	}
	s := &Server{Presets: &provider.Presets{}}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, b := range s.viewEnd(visitor{}, testPage{}, postroom.Mailbox{}, mailbox.Report{Steps: test.steps}).Beside {
				got = append(got, b.Field)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAdviceIsForTheForm(t *testing.T) {
	got := viewAdvice(mailbox.Advice{Field: "incoming.auth_timeout", Value: "12s", Words: "It took 4.6 of 5 seconds."})
	want := adviceView{Words: "It took 4.6 of 5 seconds.", Button: "Use 12 seconds", Field: "incoming.auth_timeout", Value: "12"}
	if got != want {
		t.Errorf("viewAdvice = %+v, want %+v", got, want)
	}
	page := testPage{Mailbox: "7"}
	if at := page.settingsWith(got.Field, got.Value); at != "/mailboxes/7/settings?set=incoming.auth_timeout%3D12#incoming-auth-timeout" {
		t.Errorf("the settings with it are at %s", at)
	}
}

func TestADialogueIsReadyForATicket(t *testing.T) {
	m := postroom.Mailbox{Address: "support@example.net", Outgoing: &postroom.OutgoingSettings{}}
	m.Incoming.Host, m.Incoming.Port, m.Incoming.Protocol, m.Outgoing.Host, m.Outgoing.Port = "imap.example.net", 993, postroom.IMAP, "smtp.example.net", 465
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	got := dialogueText(m, []mailbox.DialogueLine{
		{At: at, Side: mailbox.IncomingSide, Direction: 'S', Text: "* OK ready\r\n"},
		{At: at.Add(5 * time.Millisecond), Side: mailbox.IncomingSide, Direction: 'C', Text: "P1 LOGIN [hidden]"},
		{At: at, Side: mailbox.OutgoingSide, Direction: 'S', Text: "220 ready"},
	})
	want := strings.TrimLeft(`
Test of support@example.net, 20 November 2026, 09:00:00 UTC

Reading: imap.example.net by IMAP, port 993 (C: Postroom, S: the server)
09:00:00.000 S: * OK ready
09:00:00.005 C: P1 LOGIN [hidden]

Sending: smtp.example.net by SMTP, port 465 (C: Postroom, S: the server)
09:00:00.000 S: 220 ready
`, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestACertificateIsShownBeforeItIsTrusted(t *testing.T) {
	step := failed(mailbox.StepOutgoingEncryption, postroom.TLSUntrusted, "")
	step.Certificate = &mailbox.Certificate{Subject: "mail", Issuer: "mail", Names: []string{"a", "b", "c", "d", "e", "f", "g"}, SHA256: strings.Repeat("0A", 32)}
	s := &Server{Presets: &provider.Presets{}}
	got := s.viewStep(visitor{}, postroom.Mailbox{}, step).Certificate
	if got == nil || got.Field != "outgoing.pinned_sha256" || got.SHA256 != strings.Repeat("0a", 32) || !strings.HasPrefix(got.Fingerprint, "0A 0A ") || got.Names != "a, b, c, d, e, and 2 more" {
		t.Errorf("it is shown as %+v", got)
	}
	step.Fault.Class = postroom.TLSMismatch
	if s.viewStep(visitor{}, postroom.Mailbox{}, step).Certificate != nil {
		t.Error("a certificate that is not what is wrong can be trusted")
	}
}

func TestTheDifferenceLeavesOutWhatIsTheSame(t *testing.T) {
	found := provider.Found{
		Address: "support@example.net", Domain: "example.net",
		Incoming: []provider.Candidate{{Protocol: postroom.IMAP, Host: "imap.example.net", Port: 993, TLS: postroom.TLSImplicit, Username: "support@example.net", Source: provider.SourcePublished, Where: "example.net"}},
		Outgoing: []provider.Candidate{{Protocol: postroom.SMTP, Host: "smtp.example.net", Port: 587, TLS: postroom.TLSStart, Username: "support@example.net", Source: provider.SourceGuess}},
	}
	typed := typedWith("incoming.host", "IMAP.example.net", "incoming.port", "", "outgoing.host", "smtp.example.net", "outgoing.port", "", "outgoing.tls", "starttls")
	if v := describeFound(found, chooseFound(found, typed), typed, ""); !v.Same || len(v.Rows) != 0 {
		t.Errorf("empty is the usual port and the address, and capitals do not count: %+v", v.Rows)
	}
	typed.Set("outgoing.tls", "implicit")
	v := describeFound(found, chooseFound(found, typed), typed, "7")
	var fields []string
	for _, row := range v.Rows {
		fields = append(fields, row.Field+": "+row.Now+" → "+row.Found+", "+row.From)
	}
	want := []string{"outgoing.port: the usual one → 587, guessed, please test", "outgoing.tls: TLS from the first byte → TLS after STARTTLS, guessed, please test"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
	if v.Fill != "/mailboxes/7/fill" || v.Sentence != "imap.example.net by IMAP, sending by smtp.example.net — published by example.net; sending: guessed, please test." {
		t.Errorf("it says %q", v.Sentence)
	}
}

func TestAFormIsFilledOnlyWhereNobodyTyped(t *testing.T) {
	empty := typedWith("incoming.host", "", "incoming.port", "")
	if !isUntouched(empty) {
		t.Error("an empty form is touched")
	}
	found := provider.Found{Incoming: []provider.Candidate{{Protocol: postroom.IMAP, Host: "imap.example.net", Port: 993, TLS: postroom.TLSImplicit}}}
	chooseFound(found, empty).fill(empty)
	if empty.Get("incoming.host") != "imap.example.net" || !isUntouched(empty) {
		t.Error("what discovery has filled in counts as typed")
	}
	empty.Set("incoming.host", "other.example.net")
	if isUntouched(empty) {
		t.Error("what was typed over it does not count")
	}
	if typed := typedWith("incoming.host", "", "incoming.port", "", "outgoing.username", "me"); isUntouched(typed) {
		t.Error("a user name for sending does not count")
	}
}
