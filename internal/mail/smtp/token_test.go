package smtp

import (
	"errors"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// The dialogue is with a server that is given a token; what refuses says so.
func TestTokens(t *testing.T) {
	short, long := "1//0gToken-of-Google", strings.Repeat("EwB4A8l6BAAUnQ0", 160)
	xoauth2 := func(token string) string {
		return encoded("user=anna@example.net\x01auth=Bearer " + token + "\x01\x01")
	}
	bearer := func(token string) string {
		return encoded("n,a=anna@example.net,\x01host=smtp.example.net\x01port=587\x01auth=Bearer " + token + "\x01\x01")
	}
	hello := func(line string) string {
		return "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250 " + line + "\n"
	}
	const in = "\nS: 235 2.7.0 Accepted\nC: QUIT\nS: 221 bye"
	for name, test := range map[string]struct {
		token, server string
		refusal       mail.Refusal // Reply and Challenge; empty: there is none
		cause         error
	}{
		"XOAUTH2 first, in the command where it fits": {short, hello("AUTH LOGIN OAUTHBEARER XOAUTH2") + "C: AUTH XOAUTH2 " + xoauth2(short) + in, mail.Refusal{}, nil},
		"a long one on a line of its own":             {long, hello("AUTH LOGIN XOAUTH2") + "C: AUTH XOAUTH2\nS: 334 \nC: " + xoauth2(long) + in, mail.Refusal{}, nil},
		"OAUTHBEARER where there is no other":         {short, hello("AUTH OAUTHBEARER") + "C: AUTH OAUTHBEARER " + bearer(short) + in, mail.Refusal{}, nil},
		"the other, where one is not spoken after all": {long, hello("AUTH XOAUTH2 OAUTHBEARER") + "C: AUTH XOAUTH2\nS: 504 5.5.4 Unrecognized authentication type\n" +
			"C: AUTH OAUTHBEARER\nS: 334 \nC: " + bearer(long) + in, mail.Refusal{}, nil},
		"a server that lists neither, and takes it": {short, hello("AUTH PLAIN") + "C: AUTH XOAUTH2\nS: 334 \nC: " + xoauth2(short) + in, mail.Refusal{}, nil},
		"a server that knows neither is shown none": {short, hello("AUTH PLAIN") + "C: AUTH XOAUTH2\nS: 504 5.7.4 Unrecognized authentication type\n" +
			"C: AUTH OAUTHBEARER\nS: 504 5.7.4 Unrecognized authentication type\nC: QUIT\nS: 221 bye",
			mail.Refusal{Reply: "504 5.7.4 Unrecognized authentication type"}, mail.ErrNoTokens},
		"a server that has trouble is not asked on": {short, hello("AUTH PLAIN") + "C: AUTH XOAUTH2\nS: 454 4.7.0 Temporary authentication failure\nC: QUIT\nS: 221 bye",
			mail.Refusal{Reply: "454 4.7.0 Temporary authentication failure"}, nil},
		"a token that Google refuses": {long, hello("AUTH XOAUTH2 OAUTHBEARER") + "C: AUTH XOAUTH2\nS: 334 \nC: " + xoauth2(long) +
			"\nS: 334 " + encoded(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`) + "\nC: \nS: 535-5.7.8 Username and Password not accepted. For\nS: 535 5.7.8 more\nC: QUIT\nS: 221 bye",
			mail.Refusal{Reply: "535-5.7.8 Username and Password not accepted. For 535 5.7.8 more", Challenge: `{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`}, nil},
		"a token that Microsoft refuses": {long, hello("AUTH LOGIN XOAUTH2") + "C: AUTH XOAUTH2\nS: 334 \nC: " + xoauth2(long) +
			"\nS: 535 5.7.3 Authentication unsuccessful [X.prod.outlook.com]\nC: QUIT\nS: 221 bye",
			mail.Refusal{Reply: "535 5.7.3 Authentication unsuccessful [X.prod.outlook.com]"}, nil},
		"a reason of RFC 7628": {short, hello("AUTH OAUTHBEARER") + "C: AUTH OAUTHBEARER " + bearer(short) + "\nS: 334 " + encoded(`{"status":"invalid_token"}`) +
			"\nC: AQ==\nS: 535 5.7.8 no\nC: QUIT\nS: 221 bye", mail.Refusal{Reply: "535 5.7.8 no", Challenge: `{"status":"invalid_token"}`}, nil},
		"a server that asks for it again and again": {short, hello("AUTH XOAUTH2") + "C: AUTH XOAUTH2 " + xoauth2(short) + "\nS: 334 \nC: " + xoauth2(short) +
			"\nS: 334 \nC: \nS: 334 \nC: \nS: 334 \nC: *\nS: 501 cancelled\nC: QUIT\nS: 221 bye", mail.Refusal{}, errors.New("XOAUTH2: the server asks for more than there is")},
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, test.server))
			o.OAuth, o.Mechanism, o.Secret, o.Login.Host, o.Login.Port = true, "", postroom.Hide(test.token), "smtp.example.net", 587
			var said strings.Builder
			o.Transcript = func(dir byte, line string) { said.WriteString(string(dir) + ": " + line + "\n") }
			c, err := Open(t.Context(), o)
			if err == nil {
				c.Close()
			}
			if test.refusal.Reply == "" && test.cause == nil {
				if err != nil {
					t.Error(err)
				}
			} else if r, ok := mail.RefusalOf(err); !ok || r.Reply != test.refusal.Reply || r.Challenge != test.refusal.Challenge || r.Phase != mail.PhaseAuth {
				t.Errorf("refused with %v", err)
			} else if cause := r.Err; cause != test.cause && (cause == nil || test.cause == nil || cause.Error() != test.cause.Error()) {
				t.Errorf("the cause is %v, want %v", cause, test.cause)
			}
			if strings.Contains(said.String(), test.token[:20]) || strings.Contains(said.String(), encoded(test.token)[4:24]) {
				t.Errorf("the transcript tells the token:\n%s", said.String())
			}
		})
	}
}
