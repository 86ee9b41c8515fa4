package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

func refused(phase mail.Phase, reply string) error {
	return fmt.Errorf("open: %w", &mail.Refusal{Protocol: postroom.IMAP, Phase: phase, Reply: reply})
}

func TestExplain(t *testing.T) {
	own := &postroom.Fault{Kind: postroom.NeedsRepair, Class: postroom.QuotaFull, Explanation: "There is no space left."}
	no := refused(mail.PhaseAuth, "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)")
	tests := map[string]struct {
		err       error
		host      string
		password  string
		hasWorked bool
		kind      postroom.Kind
		class     postroom.Class
		words     string
	}{
		"a fault stays what it is":                 {fmt.Errorf("open: %w", own), "imap.example.net", "x", false, postroom.NeedsRepair, postroom.QuotaFull, "no space left"},
		"a mistake of our own":                     {errors.New("index out of range"), "imap.example.net", "x", false, postroom.Delayed, postroom.Unknown, "mistake in Postroom"},
		"a wrong password":                         {no, "imap.example.net", "x", false, postroom.NeedsSignIn, postroom.BadCredentials, "imap.example.net refused"},
		"the account password instead of an app's": {no, "imap.gmail.com", "my dog's name", false, postroom.NeedsSignIn, postroom.AccountPasswordPasted, "only app passwords"},
		"an app password that is wrong":            {no, "imap.gmail.com", "abcd efgh ijkl mnop", false, postroom.NeedsSignIn, postroom.BadCredentials, "Google refused"},
		"an outage after better days":              {refused(mail.PhaseAuth, "NO something odd"), "imap.example.net", "x", true, postroom.Delayed, postroom.Unknown, ""},
		"the same before the first success":        {refused(mail.PhaseAuth, "NO something odd"), "imap.example.net", "x", false, postroom.NeedsSignIn, postroom.Unknown, ""},
		"the password in the answer":               {refused(mail.PhaseAuth, "NO bad password hunter22"), "imap.example.net", "hunter22", false, postroom.NeedsSignIn, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := plain()
			m.Incoming.Host, m.Incoming.Protocol = test.host, postroom.IMAP
			f := explainer().Explain(test.err, m, password(test.password), test.hasWorked)
			if f == nil || f.Kind != test.kind || test.class != "" && f.Class != test.class || !strings.Contains(f.Explanation, test.words) {
				t.Errorf("fault %+v, want kind %s, class %s, words %q", f, test.kind, test.class, test.words)
			}
			if f != nil && len(test.password) > 3 && strings.Contains(f.Reply+f.Error(), test.password) {
				t.Errorf("the fault repeats the password: %+v", f)
			}
		})
	}
	if f := explainer().Explain(context.Canceled, plain(), password("x"), false); f != nil {
		t.Errorf("fault %+v for a stop, want none", f)
	}
}

func TestAServerOfTheOtherProtocolIsNamed(t *testing.T) {
	tests := map[string]struct {
		protocol     postroom.Protocol
		greeting     string
		words, field string
	}{
		"POP3 where IMAP was chosen": {postroom.IMAP, "+OK Dovecot ready.", "is a POP3 server", "incoming.protocol"},
		"IMAP where POP3 was chosen": {postroom.POP3, "* OK [CAPABILITY IMAP4rev1] ready.", "is an IMAP server", "incoming.protocol"},
		"SMTP":                       {postroom.IMAP, "220 mail.example.net ESMTP", "is a server for sending mail", "incoming.port"},
	}
	for name, test := range tests {
		m := plain()
		m.Incoming.Protocol = test.protocol
		err := &mail.Refusal{Protocol: test.protocol, Phase: mail.PhaseGreeting, Reply: test.greeting}
		f := explainer().Explain(err, m, password("x"), false)
		if f == nil || f.Class != postroom.ProtocolMismatch || !strings.Contains(f.Explanation, test.words) || f.Field != test.field {
			t.Errorf("%s: fault %+v, want %q at %s", name, f, test.words, test.field)
		}
	}
}
