package imap

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// The dialogue is with a server that is given a token; what refuses says so.
func TestTokens(t *testing.T) {
	token := strings.Repeat("ya29.a0AfB_byC", 20)
	long := strings.Repeat(token, 30)
	xoauth2 := func(token string) string {
		return encoded("user=anna@example.net\x01auth=Bearer " + token + "\x01\x01")
	}
	bearer := encoded("n,a=anna@example.net,\x01host=imap.example.net\x01port=993\x01auth=Bearer " + token + "\x01\x01")
	const in = "\nS: <tag> OK [CAPABILITY IMAP4rev1] welcome\nhang"
	for name, test := range map[string]struct {
		token, server string
		refusal       mail.Refusal // Reply and Challenge; empty: there is none
		cause         error
	}{
		"XOAUTH2 first, in the command": {token, `
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=OAUTHBEARER AUTH=XOAUTH2] hello
			C: AUTHENTICATE XOAUTH2 ` + xoauth2(token) + in, mail.Refusal{}, nil},
		"OAUTHBEARER where there is no other, as a server without SASL-IR asks for it": {token, `
			S: * OK [CAPABILITY IMAP4rev1 AUTH=OAUTHBEARER] hello
			C: AUTHENTICATE OAUTHBEARER
			S: +
			C: ` + bearer + in, mail.Refusal{}, nil},
		"what does not fit into a command waits": {long, `
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hello
			C: AUTHENTICATE XOAUTH2
			S: +
			C: ` + xoauth2(long) + in, mail.Refusal{}, nil},
		"a greeting that does not name it": {token, `
			S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello
			C: CAPABILITY
			S: * CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2
			S: <tag> OK
			C: AUTHENTICATE XOAUTH2 ` + xoauth2(token) + in, mail.Refusal{}, nil},
		"a server that lists neither, and takes it": {token, `
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello
			C: CAPABILITY
			S: * CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN
			S: <tag> OK
			C: AUTHENTICATE XOAUTH2
			S: <tag> NO [CANNOT] Unsupported authentication mechanism.
			C: AUTHENTICATE OAUTHBEARER
			S: +
			C: ` + bearer + in, mail.Refusal{}, nil},
		"a server that knows neither is shown none": {token, `
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello
			C: CAPABILITY
			S: * CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN
			S: <tag> OK
			C: AUTHENTICATE XOAUTH2
			S: <tag> NO [CANNOT] Unsupported authentication mechanism.
			C: AUTHENTICATE OAUTHBEARER
			S: <tag> NO [CANNOT] Unsupported authentication mechanism.
			hang`, mail.Refusal{Reply: "NO [CANNOT] Unsupported authentication mechanism."}, mail.ErrNoTokens},
		"a token that is refused is not tried by another mechanism": {token, `
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER] hello
			C: AUTHENTICATE XOAUTH2 ` + xoauth2(token) + `
			S: + ` + encoded(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`) + `
			L: "\r\n"
			S: <tag> NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
			hang`, mail.Refusal{Reply: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
			Challenge: `{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`}, nil},
		"a reason in plain words, with the token in it": {token, `
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=OAUTHBEARER] hello
			C: AUTHENTICATE OAUTHBEARER ` + bearer + `
			S: + the token ` + token + ` has expired
			C: AQ==
			S: <tag> NO no
			hang`, mail.Refusal{Reply: "NO no", Challenge: "the token [hidden] has expired"}, nil},
		"a BYE after the reason": {token, `
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=OAUTHBEARER] hello
			C: AUTHENTICATE OAUTHBEARER ` + bearer + `
			S: + ` + encoded(`{"status":"invalid_token"}`) + `
			C: AQ==
			S: * BYE go away`, mail.Refusal{Reply: "* BYE go away", Challenge: `{"status":"invalid_token"}`}, nil},
		"a server that asks for it again and again": {token, `
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hello
			C: AUTHENTICATE XOAUTH2 ` + xoauth2(token) + `
			S: +
			C: ` + xoauth2(token) + `
			S: +
			L: "\r\n"
			S: +
			L: "\r\n"
			S: +
			C: *
			S: <tag> BAD cancelled
			hang`, mail.Refusal{}, errors.New("XOAUTH2: the server asks for more than there is")},
		"a token of two lines": {token + "\x01", "S: * OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] hello\nhang",
			mail.Refusal{}, errors.New("user name or access token holds a control character, which no server takes")},
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, test.server))
			o.OAuth, o.Secret, o.Login.Host, o.Login.Port = true, postroom.Hide(test.token), "imap.example.net", 993
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
