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

func TestWhatIsKnownOfTheProviderLeadsToItsPages(t *testing.T) {
	tests := map[string]struct {
		host, password, reply string
		class                 postroom.Class
		says, url, other      string
	}{
		"an app password of Yahoo's that ended": {"imap.mail.yahoo.com", "abcdefghijklmnop", "NO [AUTHENTICATIONFAILED] no", postroom.BadCredentials,
			"Yahoo refused this password.", "https://login.yahoo.com/account/security", "the app password was deleted"},
		"the own password at Yahoo": {"imap.mail.yahoo.com", "my dog's name", "NO [AUTHENTICATIONFAILED] no", postroom.AppPasswordRequired,
			"Yahoo accepts only app passwords here.", "https://login.yahoo.com/account/security", "the name or the password is not right"},
		"the own password at Gmail": {"imap.gmail.com", "my dog's name", "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", postroom.AccountPasswordPasted,
			"Google", "https://myaccount.google.com/apppasswords", "the name or the password is not right"},
		"IMAP switched off at Gmail": {"imap.gmail.com", "abcdefghijklmnop", "NO [ALERT] Your account is not enabled for IMAP use.", postroom.IMAPDisabled,
			"Google", "https://mail.google.com/mail/u/0/#settings/fwdandpop", ""},
		"a password at Outlook":                             {"outlook.office365.com", "x", "NO go away", postroom.Unknown, "Microsoft", "", ""},
		"a wrong password at one that has no app passwords": {"imap.strato.de", "x", "NO [AUTHENTICATIONFAILED] no", postroom.BadCredentials, "STRATO refused this password.", "", ""},
		"a wrong password at nobody's":                      {"imap.example.net", "x", "NO [AUTHENTICATIONFAILED] no", postroom.BadCredentials, "imap.example.net refused this password.", "", "an app password is needed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := plain()
			m.Incoming.Host, m.Incoming.Protocol = test.host, postroom.IMAP
			f := explainer().Explain(refused(mail.PhaseAuth, test.reply), m, password(test.password), false)
			if f == nil || f.Class != test.class || !strings.Contains(f.Explanation, test.says) || f.Link.URL != test.url {
				t.Fatalf("fault %+v, want %s, %q, %q", f, test.class, test.says, test.url)
			}
			if others := strings.Join(f.Others, "; "); !strings.Contains(others, test.other) || test.other == "" && len(f.Others) > 0 {
				t.Errorf("others %q, want %q", f.Others, test.other)
			}
		})
	}
}

func TestAMistypedServerIsRecognised(t *testing.T) {
	for name, test := range map[string]struct {
		address, host string
		protocol      postroom.Protocol
		want          string
	}{
		"a slip in a server":               {"anna@gmail.com", "imap.gmial.com", postroom.IMAP, "imap.gmail.com"},
		"a slip in a domain":               {"anna@example.net", "hotmial.com", postroom.IMAP, "outlook.office365.com"},
		"a server that was never there":    {"anna@gmx.de", "mail.gmx.de", postroom.IMAP, "imap.gmx.net"},
		"a slip in the own domain":         {"anna@example.net", "imap.exampel.net", postroom.IMAP, "imap.example.net"},
		"nonsense, but the address is one": {"anna@gmail.com", "foo.bar.baz", postroom.POP3, "pop.gmail.com"},
		"nonsense of somebody unknown":     {"anna@example.net", "foo.bar.baz", postroom.POP3, ""},
		"in letters of their own":          {"anna@bücher.example", "imap.bücherr.example", postroom.IMAP, "imap.bücher.example"},
		"the right one":                    {"anna@gmail.com", "imap.gmail.com", postroom.IMAP, ""},
	} {
		m := plain()
		m.Address, m.Incoming.Host, m.Incoming.Protocol = test.address, test.host, test.protocol
		if got := explainer().meant(m); got != test.want {
			t.Errorf("%s: %q for %s, want %q", name, got, test.host, test.want)
		}
	}
}
