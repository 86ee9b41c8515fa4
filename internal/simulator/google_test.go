package simulator

import (
	"strings"
	"testing"
)

// googleOf is an account whose password is "secret", by all three protocols.
func googleOf(t *testing.T, g Google) (imap *Server, pop *POP3Server, smtp *SMTPServer) {
	t.Helper()
	s := begin(t, Options{Gmail: true})
	if err := s.SetGoogle(anna, g); err != nil {
		t.Fatal(err)
	}
	smtp, err := s.StartSMTP(SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s, popOf(t, s, POP3Options{}), smtp
}

func TestGoogleTakesAppPasswordsOnly(t *testing.T) {
	const (
		right    = "abcd efgh ijkl mnop"
		required = "Application-specific password required"
		wrong    = "redentials"
	)
	open := Google{TwoStep: true, AppPasswords: []string{right, "zyxwvutsrqponmlk"}}
	for name, c := range map[string]struct {
		google          Google
		password        string
		imap, pop, smtp string // what the answer holds; POP3 and SMTP speak of a user name
	}{
		"an app password with blanks":           {open, right, "a OK", "+OK", "235"},
		"an app password without":               {open, "abcdefghijklmnop", "a OK", "+OK", "235"},
		"another app password":                  {open, "zyxw vutsrqponmlk", "a OK", "+OK", "235"},
		"the password of the account":           {open, "secret", required, required, required},
		"a wrong one":                           {open, "guess", "Invalid credentials (Failure)", "[AUTH] Username and password not accepted.", "535-5.7.8 Username and Password not accepted."},
		"the password without two steps":        {Google{}, "secret", "Invalid credentials (Failure)", "not accepted", "p=BadCredentials"},
		"an app password once two steps is off": {Google{AppPasswords: []string{right}}, right, "Invalid credentials (Failure)", "not accepted", "p=BadCredentials"},
		"IMAP off":                              {Google{TwoStep: true, AppPasswords: []string{right}, NoIMAP: true}, right, "[ALERT] Your account is not enabled for IMAP use.", "+OK", "235"},
		"POP off":                               {Google{TwoStep: true, AppPasswords: []string{right}, NoPOP: true}, right, "a OK", "[SYS/PERM] Your account is not enabled for POP access.", "235"},
	} {
		t.Run(name, func(t *testing.T) {
			imap, pop, smtp := googleOf(t, c.google)
			if got := rawClient(t, imap).sayFor(`a LOGIN ` + anna + ` "` + c.password + `"`); !strings.Contains(got, c.imap) {
				t.Errorf("IMAP says %q, want %q", got, c.imap)
			}
			if got := popClient(t, pop).login(recentPrefix+anna, c.password); !strings.Contains(got, c.pop) {
				t.Errorf("POP3 says %q, want %q", got, c.pop)
			}
			r := smtpClient(t, smtp)
			r.reply("EHLO x")
			if got := r.reply(plain(anna, c.password)); !strings.Contains(got, c.smtp) {
				t.Errorf("SMTP says %q, want %q", got, c.smtp)
			}
		})
	}
	if err := begin(t, Options{}).SetGoogle(anna, Google{}); err == nil {
		t.Error("a server that is not Gmail has an account of Google's")
	}
}
