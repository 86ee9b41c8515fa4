package pop3

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// The dialogue is with a server that is given a token; what refuses says so.
func TestTokens(t *testing.T) {
	encoded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	token := strings.Repeat("EwB4A8l6BAAUnQ0", 160)
	xoauth2 := func(name string) string { return encoded("user=" + name + "\x01auth=Bearer " + token + "\x01\x01") }
	const anna = "anna@example.net"
	bearer := encoded("n,a=" + anna + ",\x01host=pop.example.net\x01port=995\x01auth=Bearer " + token + "\x01\x01")
	hello := func(lines ...string) string {
		return "S: +OK hello\nC: CAPA\nS: +OK\nS: " + strings.Join(append(lines, "UIDL"), "\nS: ") + "\nS: .\n"
	}
	const in = "\nS: +OK welcome\nC: CAPA\nS: +OK\nS: UIDL\nS: .\nhang"
	for name, test := range map[string]struct {
		server  string
		refusal mail.Refusal // Reply and Challenge; empty: there is none
		cause   error
	}{
		"XOAUTH2 in two lines, as Microsoft wants it": {hello("SASL PLAIN XOAUTH2", "USER") + "C: AUTH XOAUTH2\nS: + \nC: " + xoauth2(anna) + in, mail.Refusal{}, nil},
		"OAUTHBEARER where there is no other":         {hello("SASL PLAIN OAUTHBEARER") + "C: AUTH OAUTHBEARER\nS: +\nC: " + bearer + in, mail.Refusal{}, nil},
		"a server that does not know CAPA": {"S: +OK hello\nC: CAPA\nS: -ERR unknown\nC: AUTH XOAUTH2\nS: -ERR unknown\n" +
			"C: AUTH OAUTHBEARER\nS: +\nC: " + bearer + "\nS: +OK welcome\nC: CAPA\nS: -ERR unknown\nhang", mail.Refusal{}, nil},
		"a server that knows neither is shown none": {hello("USER") + "C: AUTH XOAUTH2\nS: -ERR unknown\nC: AUTH OAUTHBEARER\nS: -ERR what?\nhang",
			mail.Refusal{Reply: "-ERR what?"}, mail.ErrNoTokens},
		"a server that has trouble is not asked on": {hello("USER") + "C: AUTH XOAUTH2\nS: -ERR [SYS/TEMP] later\nhang", mail.Refusal{Reply: "-ERR [SYS/TEMP] later"}, nil},
		"a token that Microsoft refuses": {hello("SASL PLAIN XOAUTH2", "USER") + "C: AUTH XOAUTH2\nS: + \nC: " + xoauth2(anna) +
			"\nS: -ERR Authentication failure: unknown user name or bad password.\nhang", mail.Refusal{Reply: "-ERR Authentication failure: unknown user name or bad password."}, nil},
		"a reason before": {hello("SASL OAUTHBEARER") + "C: AUTH OAUTHBEARER\nS: +\nC: " + bearer + "\nS: + " + encoded(`{"status":"invalid_token"}`) + "\nC: AQ==\nS: -ERR no\nhang",
			mail.Refusal{Reply: "-ERR no", Challenge: `{"status":"invalid_token"}`}, nil},
		"Gmail, by the name that shows everything": {"S: +OK Gpop ready for requests from 192.0.2.1 x7mb1\nC: CAPA\nS: +OK\nS: SASL PLAIN XOAUTH2 OAUTHBEARER\nS: .\n" +
			"C: AUTH XOAUTH2\nS: + \nC: " + xoauth2("recent:"+anna) + in, mail.Refusal{}, nil},
		"Gmail, should that name not do": {"S: +OK Gpop ready for requests from 192.0.2.1 x7mb1\nC: CAPA\nS: +OK\nS: SASL PLAIN XOAUTH2 OAUTHBEARER\nS: .\n" +
			"C: AUTH XOAUTH2\nS: + \nC: " + xoauth2("recent:"+anna) + "\nS: + " + encoded(`{"status":"400"}`) + "\nC: \nS: -ERR [AUTH] Invalid credentials\n" +
			"C: AUTH XOAUTH2\nS: + \nC: " + xoauth2(anna) + in, mail.Refusal{}, nil},
		"a server that asks for it again and again": {hello("SASL XOAUTH2") + "C: AUTH XOAUTH2" + "\nS: +\nC: " + xoauth2(anna) + "\nS: +\nC: " + xoauth2(anna) +
			"\nS: +\nC: \nS: +\nC: \nS: +\nC: *\nS: -ERR cancelled\nhang", mail.Refusal{}, errors.New("XOAUTH2: the server asks for more than there is")},
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, test.server))
			o.OAuth, o.Secret, o.Login.Host, o.Login.Port = true, postroom.Hide(token), "pop.example.net", 995
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
			if strings.Contains(said.String(), token[:20]) || strings.Contains(said.String(), encoded(token)[8:28]) {
				t.Errorf("the transcript tells the token:\n%s", said.String())
			}
		})
	}
}
