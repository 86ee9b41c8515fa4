package smtp

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestSignIn(t *testing.T) {
	hello := func(auth string) string {
		return "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250 " + auth + "\n"
	}
	tests := map[string]struct {
		mechanism string
		dialogue  string
	}{
		"PLAIN in one line": {mail.Plain, hello("AUTH PLAIN") +
			"C: AUTH PLAIN " + encoded("\x00anna@example.net\x00pässword") + "\nS: 235 ok"},
		"PLAIN for a server that asks all the same": {mail.Plain, hello("AUTH PLAIN") +
			"C: AUTH PLAIN " + encoded("\x00anna@example.net\x00pässword") + "\nS: 334 go on\nC: " +
			encoded("\x00anna@example.net\x00pässword") + "\nS: 235 ok"},
		"LOGIN": {mail.LoginSASL, hello("AUTH LOGIN") +
			"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: " + encoded("anna@example.net") + "\nS: 334 UGFzc3dvcmQ6\nC: " + encoded("pässword") + "\nS: 235 ok"},
		"XOAUTH2": {mail.XOAuth2, hello("AUTH XOAUTH2 PLAIN") +
			"C: AUTH XOAUTH2 " + encoded("user=anna@example.net\x01auth=Bearer pässword\x01\x01") + "\nS: 235 ok"},
		"OAUTHBEARER though nobody offers it": {mail.OAuthBearer, hello("AUTH PLAIN") +
			"C: AUTH OAUTHBEARER " + encoded("n,a=anna@example.net,\x01host=mail\x01port=1\x01auth=Bearer pässword\x01\x01") + "\nS: 235 ok"},
		"without encryption rather LOGIN than nothing, from an old list": {"", hello("AUTH=LOGIN") +
			"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: " + encoded("anna@example.net") + "\nS: 334 UGFzc3dvcmQ6\nC: " + encoded("pässword") + "\nS: 235 ok"},
		"the next mechanism, when the server does not speak the first": {"", hello("AUTH PLAIN LOGIN") +
			"C: AUTH PLAIN " + encoded("\x00anna@example.net\x00pässword") + "\nS: 504 5.5.4 Unrecognized authentication type\n" +
			"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: " + encoded("anna@example.net") + "\nS: 334 UGFzc3dvcmQ6\nC: " + encoded("pässword") + "\nS: 235 ok"},
		"HELO, where EHLO is not known": {mail.Plain,
			"S: 220 hello\nC: EHLO [127.0.0.1]\nS: 502 what\nC: HELO [127.0.0.1]\nS: 250 hello\n" +
				"C: AUTH PLAIN " + encoded("\x00anna@example.net\x00pässword") + "\nS: 235 ok"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, test.dialogue+"\nC: QUIT\nS: 221 bye"))
			o.Mechanism, o.Login.Host, o.Login.Port = test.mechanism, "mail", 1
			var said strings.Builder
			o.Transcript = func(dir byte, line string) { said.WriteString(string(dir) + ": " + line + "\n") }
			c := open(t, o)
			if test.mechanism != "" && c.Mechanism() != test.mechanism {
				t.Errorf("signed in by %s, want %s", c.Mechanism(), test.mechanism)
			}
			c.Close()
			for _, secret := range []string{"pässword", encoded("pässword"), encoded("\x00anna@example.net\x00pässword"), "Bearer"} {
				if strings.Contains(said.String(), secret) {
					t.Errorf("the transcript holds %q:\n%s", secret, said.String())
				}
			}
			if !strings.Contains(said.String(), "C: EHLO [127.0.0.1]\n") {
				t.Errorf("the transcript is not whole:\n%s", said.String())
			}
		})
	}
}

// A first response that makes the command too long waits to be asked for (RFC
// 4954 section 4).
func TestLongTokenGoesOnItsOwnLine(t *testing.T) {
	token := strings.Repeat("ya29.", 300)
	o := optionsFor(script(t, "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250 AUTH XOAUTH2\nC: AUTH XOAUTH2\nS: 334 \nC: "+
		encoded("user=anna@example.net\x01auth=Bearer "+token+"\x01\x01")+"\nS: 235 ok"))
	o.Mechanism, o.Secret = mail.XOAuth2, postroom.Hide(token)
	open(t, o)
}

func TestRefusedSignIn(t *testing.T) {
	const hello = "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250-SIZE 1000\nS: 250 AUTH PLAIN XOAUTH2\n"
	plain := "C: AUTH PLAIN " + encoded("\x00anna@example.net\x00pässword") + "\n"
	tests := map[string]struct {
		mechanism, dialogue string
		want                mail.Refusal
	}{
		"with a reply of several lines": {mail.Plain, hello + plain +
			"S: 535-5.7.8 Username and Password not accepted. For more information, go to\nS: 535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp",
			mail.Refusal{Phase: mail.PhaseAuth, Code: "5.7.8",
				Reply: "535-5.7.8 Username and Password not accepted. For more information, go to 535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp"}},
		"with the password in it": {mail.Plain, hello + plain + "S: 535 no, pässword is not right",
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "535 no, [hidden] is not right"}},
		"with a challenge before": {mail.XOAuth2, hello + "C: AUTH XOAUTH2 " + encoded("user=anna@example.net\x01auth=Bearer pässword\x01\x01") +
			"\nS: 334 " + encoded(`{"status":"400"}`) + "\nC: \nS: 535-5.7.8 Username and Password not accepted.\nS: 535 5.7.8 x - gsmtp",
			mail.Refusal{Phase: mail.PhaseAuth, Code: "5.7.8", Challenge: `{"status":"400"}`,
				Reply: "535-5.7.8 Username and Password not accepted. 535 5.7.8 x - gsmtp"}},
		"by closing with a word": {mail.Plain, hello + plain + "S: 421 4.7.0 Too many errors",
			mail.Refusal{Phase: mail.PhaseAuth, Code: "4.7.0", Reply: "421 4.7.0 Too many errors"}},
		"by breaking off within the answer": {mail.Plain, hello + plain + "S: 535-5.7.139 Authentication unsuccessful",
			mail.Refusal{Phase: mail.PhaseAuth, Code: "5.7.139", Reply: "535-5.7.139 Authentication unsuccessful"}},
		"by closing": {mail.Plain, hello + plain,
			mail.Refusal{Phase: mail.PhaseAuth, Err: io.ErrUnexpectedEOF}},
		"by asking for more than there is": {mail.Plain, hello + plain + "S: 334 " + encoded("more") + "\nC: *\nS: 501 cancelled",
			mail.Refusal{Phase: mail.PhaseAuth, Err: errors.New("PLAIN: the server asks for more than there is")}},
		"before it, because nothing is offered": {"", "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250-SIZE 1000\nS: 250 AUTH GSSAPI",
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "250 AUTH GSSAPI SIZE 1000"}},
		"at the greeting": {mail.Plain, "S: 554 5.7.1 not you",
			mail.Refusal{Phase: mail.PhaseGreeting, Code: "5.7.1", Reply: "554 5.7.1 not you"}},
		"by another protocol": {mail.Plain, "S: * OK IMAP4rev1 ready",
			mail.Refusal{Phase: mail.PhaseGreeting, Reply: "* OK IMAP4rev1 ready"}},
		"by a busy server": {mail.Plain, "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 421 4.3.2 later",
			mail.Refusal{Phase: mail.PhaseGreeting, Code: "4.3.2", Reply: "421 4.3.2 later"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, test.dialogue))
			o.Mechanism = test.mechanism
			c, err := Open(t.Context(), o)
			if err == nil {
				c.Close()
				t.Fatal("Open succeeded")
			}
			got := refusalOf(t, err)
			if got.Phase != test.want.Phase || got.Reply != test.want.Reply || got.Code != test.want.Code || got.Challenge != test.want.Challenge {
				t.Errorf("refusal\n %+v, want\n %+v", *got, test.want)
			}
			if want := test.want.Err; want != nil && (got.Err == nil || got.Err.Error() != want.Error()) {
				t.Errorf("cause %v, want %v", got.Err, want)
			}
		})
	}
}

// A server that accepts without knowing the password may be another one.
func TestServerMustProveItself(t *testing.T) {
	o := optionsFor(script(t, "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250 AUTH SCRAM-SHA-256\nA\nS: 235 welcome\nsilence"))
	o.Mechanism = mail.ScramSHA256
	_, err := Open(t.Context(), o)
	if r := refusalOf(t, err); r.Phase != mail.PhaseAuth || r.Err == nil || !strings.Contains(r.Err.Error(), "without proving itself") {
		t.Errorf("refusal %+v, want that the server did not prove itself", r)
	}
}

func TestWaitsEnd(t *testing.T) {
	for name, dialogue := range map[string]string{
		"a greeting that does not come":  "silence",
		"a greeting in drips":            `R: "220-"` + "\nsilence",
		"an EHLO without an answer":      "S: 220 hello\nsilence",
		"a sign-in without an answer":    "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250 AUTH PLAIN\nsilence",
		"an answer that does not end":    "S: 220 hello\nC: EHLO [127.0.0.1]\n" + strings.Repeat("S: 250-x\n", maxReplyLines+1) + "silence",
		"a greeting without a line end":  `R: "220 ` + strings.Repeat("x", 100_000) + `"` + "\nsilence",
		"blank lines without an end":     strings.Repeat("S: \n", maxBlankLines+1) + "silence",
		"a hello that asks for more":     "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 354 go on\nsilence",
		"an answer of another protocol":  "S: 220 hello\nC: EHLO [127.0.0.1]\nS: HTTP/1.1 400 Bad Request\nsilence",
		"a code of more than three dots": "S: 2200 hello\nsilence",
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, dialogue))
			o.ConnectTimeout, o.AuthTimeout = 200*time.Millisecond, 200*time.Millisecond
			c, err := Open(t.Context(), o)
			if err == nil {
				c.Close()
				t.Fatal("Open succeeded")
			}
			refusalOf(t, err)
		})
	}
}

func TestEndOfContextEndsAnyWait(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("nobody wants to know any more")
	addr := script(t, "S: 220 hello\nsilence")
	o := optionsFor(addr)
	o.ConnectTimeout = time.Minute
	o.Transcript = func(dir byte, line string) {
		if dir == 'C' {
			cancel(why)
		}
	}
	_, err := Open(ctx, o)
	if r := refusalOf(t, err); !errors.Is(r, why) {
		t.Errorf("refusal %v, want %v", r, why)
	}
}

func TestOddAnswersAreUnderstood(t *testing.T) {
	c := open(t, optionsFor(script(t, `
	S: 
	R: "220-one\n"
	R: "220\n"
	C: EHLO [127.0.0.1]
	S: 250-smtp.example.net
	S: 250-size 1000
	S: 250-8bitmime
	S: without a code
	S: 250-	X-STRANGE	value
	S: 250-AUTH=LOGIN
	S: 250 auth plain
	C: AUTH PLAIN AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk
	S: 235
	C: QUIT
	S: 221 bye`)))
	if !c.Has("8BITMIME") || !c.Has("auth") || c.Has("PIPELINING") || c.MaxSize() != 1000 {
		t.Errorf("extensions %v", c.extensions)
	}
}
