package pop3

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

const unknownCAPA = `
	C: CAPA
	S: -ERR what?`

func TestRefusedLogins(t *testing.T) {
	oauth := func(mechanism string) func(*Options) {
		return func(o *Options) {
			o.Mechanism, o.Secret = mechanism, postroom.Hide("token-123")
			o.Login.Host, o.Login.Port = "pop.example.net", 995
		}
	}
	starttls := func(o *Options) { o.TLS = postroom.TLSStart }
	tests := map[string]struct {
		server string
		set    func(*Options)
		want   mail.Refusal // without Err, but see cause
		cause  string
	}{
		"wrong password": {`
			S: +OK hello` + unknownCAPA + `
			C: USER anna@example.net
			S: +OK
			C: PASS pässword
			S: -ERR [AUTH] Authentication failed.`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "-ERR [AUTH] Authentication failed.", Code: "AUTH"}, ""},
		"wrong password, PLAIN": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nSASL PLAIN\r\nUSER\r\n.\r\n"
			C: AUTH PLAIN
			S: +
			C: AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk
			S: -ERR authentication failed`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "-ERR authentication failed"}, ""},
		"a server that repeats the password": {`
			S: +OK hello` + unknownCAPA + `
			C: USER anna@example.net
			S: +OK
			C: PASS pässword
			S: -ERR PASS pässword cMOkc3N3b3Jk: what?`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "-ERR PASS [hidden] [hidden]: what?"}, ""},
		"a mailbox in use": {`
			S: +OK hello` + unknownCAPA + `
			C: USER anna@example.net
			S: +OK
			C: PASS pässword
			S: -err [in-use] Do you have another POP session running?`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "-err [in-use] Do you have another POP session running?", Code: "IN-USE"}, ""},
		"too early, with an argument": {`
			S: +OK hello` + unknownCAPA + `
			C: USER anna@example.net
			S: -ERR [LOGIN-DELAY 300] minimum time between mail checks violation`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "-ERR [LOGIN-DELAY 300] minimum time between mail checks violation", Code: "LOGIN-DELAY"}, ""},
		"a temporary trouble is not answered by another way in": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nSASL PLAIN\r\nUSER\r\n.\r\n"
			C: AUTH PLAIN
			S: -ERR [SYS/TEMP] database is down
			hang`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "-ERR [SYS/TEMP] database is down", Code: "SYS/TEMP"}, ""},
		"a busy server": {`
			S: -ERR [SYS/TEMP] Too many open connections (host 192.0.2.10)`, nil,
			mail.Refusal{Phase: mail.PhaseGreeting, Reply: "-ERR [SYS/TEMP] Too many open connections (host 192.0.2.10)", Code: "SYS/TEMP"}, ""},
		"an IMAP server": {`
			S: * OK [CAPABILITY IMAP4rev1] Dovecot ready.
			hang`, nil,
			mail.Refusal{Phase: mail.PhaseGreeting, Reply: "* OK [CAPABILITY IMAP4rev1] Dovecot ready."}, "not an answer of a POP3 server"},
		"an SMTP server": {`
			S: 220 mx.example.net ESMTP
			hang`, nil,
			mail.Refusal{Phase: mail.PhaseGreeting, Reply: "220 mx.example.net ESMTP"}, "not an answer of a POP3 server"},
		"a greeting and then some": {`
			R: "+OK hello\r\n+OK done\r\n"
			hang`, nil, mail.Refusal{Phase: mail.PhaseGreeting}, "more than it was asked"},
		"no greeting": {`
			hang`, func(o *Options) { o.ConnectTimeout = 100 * time.Millisecond },
			mail.Refusal{Phase: mail.PhaseGreeting}, "i/o timeout"},
		"hung up at once": {``, nil, mail.Refusal{Phase: mail.PhaseGreeting}, "unexpected EOF"},
		"a list of capabilities that does not end": {`
			S: +OK hello
			C: CAPA
			S: +OK
			S: TOP
			hang`, func(o *Options) { o.CommandTimeout = 100 * time.Millisecond },
			mail.Refusal{Phase: mail.PhaseGreeting}, "i/o timeout"},
		"a server that floods": {`
			S: +OK hello
			C: CAPA
			S: +OK hang up is fine
			R: "` + strings.Repeat(`X\n`, maxCapabilityLines+1) + `"
			hang`, nil, mail.Refusal{Phase: mail.PhaseGreeting}, "list does not end"},
		"empty lines without end": {`
			S: +OK hello
			C: CAPA
			R: "` + strings.Repeat(`\r\n`, 200) + `"
			hang`, nil, mail.Refusal{Phase: mail.PhaseGreeting}, "nothing but empty lines"},
		"no answer to the password": {`
			S: +OK hello` + unknownCAPA + `
			C: USER anna@example.net
			S: +OK
			C: PASS pässword
			hang`, func(o *Options) { o.AuthTimeout = 100 * time.Millisecond },
			mail.Refusal{Phase: mail.PhaseAuth}, "i/o timeout"},
		"no way in in clear, in the server's words": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nSTLS\r\nSASL\r\n.\r\n"
			C: USER anna@example.net
			S: -ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", Code: "AUTH"}, ""},
		"STLS that is not offered": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nUSER\r\n.\r\n"
			hang`, starttls, mail.Refusal{Phase: mail.PhaseStartTLS}, mail.ErrNoStartTLS.Error()},
		"STLS that is not known": {`
			S: +OK hello` + unknownCAPA + `
			C: STLS
			S: -ERR unknown command
			hang`, starttls, mail.Refusal{Phase: mail.PhaseStartTLS, Reply: "-ERR unknown command"}, mail.ErrNoStartTLS.Error()},
		"STLS that is refused": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nSTLS\r\n.\r\n"
			C: STLS
			S: -ERR TLS is not configured
			hang`, starttls, mail.Refusal{Phase: mail.PhaseStartTLS, Reply: "-ERR TLS is not configured"}, ""},
		"words slipped in behind the answer to STLS": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nSTLS\r\n.\r\n"
			C: STLS
			R: "+OK go ahead\r\n+OK\r\n"
			hang`, starttls, mail.Refusal{Phase: mail.PhaseStartTLS}, mail.ErrEarlyData.Error()},
		"an empty line slipped in behind the answer to STLS": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nSTLS\r\n.\r\n"
			C: STLS
			R: "+OK go ahead\r\n\r\n"
			hang`, starttls, mail.Refusal{Phase: mail.PhaseStartTLS}, mail.ErrEarlyData.Error()},
		"an access token that has expired, XOAUTH2": {`
			S: +OK hello` + unknownCAPA + `
			C: AUTH XOAUTH2
			S: +
			C: dXNlcj1hbm5hQGV4YW1wbGUubmV0AWF1dGg9QmVhcmVyIHRva2VuLTEyMwEB
			S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=
			C: 
			S: -ERR [AUTH] Authentication failed
			hang`, oauth(mail.XOAuth2),
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "-ERR [AUTH] Authentication failed", Code: "AUTH", Challenge: `{"status":"400","schemes":"Bearer"}`}, ""},
		"an access token that has expired, OAUTHBEARER in the command": {`
			S: +OK hello` + unknownCAPA + `
			C: AUTH OAUTHBEARER
			S: -ERR missing argument
			C: AUTH OAUTHBEARER bixhPWFubmFAZXhhbXBsZS5uZXQsAWhvc3Q9cG9wLmV4YW1wbGUubmV0AXBvcnQ9OTk1AWF1dGg9QmVhcmVyIHRva2VuLTEyMwEB
			S: + eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=
			C: AQ==
			S: -ERR no`, oauth(mail.OAuthBearer),
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "-ERR no", Challenge: `{"status":"invalid_token"}`}, ""},
		"a long token does not go into the command": {`
			S: +OK hello` + unknownCAPA + `
			C: AUTH XOAUTH2
			S: -ERR missing argument
			hang`, func(o *Options) { o.Mechanism, o.Secret = mail.XOAuth2, postroom.Hide(strings.Repeat("x", 200)) },
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "-ERR missing argument"}, ""},
		"a server that does not want to know": {`
			S: +OK hello` + unknownCAPA + `
			C: AUTH PLAIN
			S: +OK go ahead
			hang`, func(o *Options) { o.Mechanism = mail.Plain },
			mail.Refusal{Phase: mail.PhaseAuth}, "yes before it was told"},
		"a SCRAM server that proves nothing": {`
			S: +OK hello` + unknownCAPA + `
			C: AUTH SCRAM-SHA-256
			S: +
			any
			S: +OK come in
			hang`, func(o *Options) { o.Mechanism = mail.ScramSHA256 },
			mail.Refusal{Phase: mail.PhaseAuth}, "without proving itself"},
		"a server that never has enough": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nSASL LOGIN\r\n.\r\n"
			C: AUTH LOGIN
			S: + VXNlcm5hbWU6
			C: YW5uYUBleGFtcGxlLm5ldA==
			S: + UGFzc3dvcmQ6
			C: cMOkc3N3b3Jk
			S: + TW9yZTo=
			C: *
			S: -ERR called off
			hang`, nil, mail.Refusal{Phase: mail.PhaseAuth}, "asks for more"},
		"a server that asks the same again and again": {`
			S: +OK hang up is fine` + unknownCAPA + `
			C: AUTH PLAIN` + strings.Repeat("\nS: +\nC: AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk", maxChallenges) + `
			hang`, func(o *Options) { o.Mechanism = mail.Plain },
			mail.Refusal{Phase: mail.PhaseAuth}, "neither yes nor no"},
		"a mechanism nobody speaks": {`
			S: +OK hello` + unknownCAPA + `
			hang`, func(o *Options) { o.Mechanism = "GSSAPI" }, mail.Refusal{Phase: mail.PhaseAuth}, "not spoken here"},
		"a password of two lines": {`
			S: +OK hello` + unknownCAPA + `
			C: USER anna@example.net
			S: +OK
			hang`, func(o *Options) { o.Secret = postroom.Hide("pässword\r\nDELE 1") },
			mail.Refusal{Phase: mail.PhaseAuth}, "a line end"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, test.server))
			var transcript strings.Builder
			o.Transcript = func(dir byte, line string) { transcript.WriteString(string(dir) + " " + line + "\n") }
			if test.set != nil {
				test.set(&o)
			}
			got := refusalOfOpen(t, o)
			cause := got.Err
			got.Err, test.want.Protocol = nil, postroom.POP3
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(mail.Refusal{}, "Heard")); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if test.cause == "" && cause != nil || test.cause != "" && (cause == nil || !strings.Contains(cause.Error(), test.cause)) {
				t.Errorf("cause = %v, want %q", cause, test.cause)
			}
			for _, secret := range []string{"pässword", "cMOkc3N3b3Jk", "token-123", "dG9rZW4tMTIz", "dXNlcj1hbm5h"} {
				if strings.Contains(transcript.String(), secret) {
					t.Errorf("the transcript shows %q:\n%s", secret, &transcript)
				}
			}
		})
	}
}

func TestLoginsThatWork(t *testing.T) {
	const after = `
		C: CAPA
		R: "+OK\r\nUIDL\r\n.\r\n"
		hang`
	tests := map[string]struct {
		server string
		set    func(*Options)
	}{
		"a password with blanks, by PASS": {`
			S: +OK hello` + unknownCAPA + `
			C: USER anna@example.net
			S: +OK
			C: PASS  app pass word 
			S: +OK` + after, func(o *Options) { o.Secret = postroom.Hide(" app pass word ") }},
		"PLAIN, asked for with words and without a blank": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nUSER\r\nSASL  plain LOGIN\r\n.\r\n"
			C: AUTH PLAIN
			S: +go ahead
			C: AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk
			S: +OK` + after, nil},
		"mechanisms on two lines, capabilities in any case": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nsasl CRAM-MD5\r\n\r\nSasl LOGIN\r\n.\r\n"
			C: AUTH LOGIN
			S: + VXNlcm5hbWU6
			C: YW5uYUBleGFtcGxlLm5ldA==
			S: + UGFzc3dvcmQ6
			C: cMOkc3N3b3Jk
			S: +OK` + after, nil},
		"a list that names no way in": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nTOP\r\n.\r\n"
			C: USER anna@example.net
			S: +OK
			C: PASS pässword
			S: +OK` + after, nil},
		"AUTH that is offered and not known": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n"
			C: AUTH PLAIN
			S: -ERR unknown command
			C: USER anna@example.net
			S: +OK
			C: PASS pässword
			S: +OK` + after, nil},
		"LOGIN as IMAP means it": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n"
			C: USER anna@example.net
			S: +OK
			C: PASS pässword
			S: +OK` + after, func(o *Options) { o.Mechanism = "login" }},
		"APOP in clear, the example of RFC 1939": {`
			S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>` + unknownCAPA + `
			C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
			S: +OK` + after, func(o *Options) { o.Username, o.Secret = "mrose", postroom.Hide("tanstaaf") }},
		"APOP that the server cannot do for this user": {`
			S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>` + unknownCAPA + `
			C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
			S: -ERR [AUTH] no secret
			C: USER mrose
			S: +OK
			C: PASS tanstaaf
			S: +OK` + after, func(o *Options) { o.Username, o.Secret = "mrose", postroom.Hide("tanstaaf") }},
		"LF only, extra blanks, empty lines": {`
			R: "\n \n  +ok   hello\n"
			C: CAPA
			R: "+OK\n USER \n\n . \n"
			C: USER anna@example.net
			R: "\r\n+OK\n"
			C: PASS pässword
			R: "+OK\n\n"
			C: CAPA
			R: "+ok\nuidl\n.\n"
			hang`, nil},
		"capabilities that are not told again": {`
			S: +OK hello
			C: CAPA
			R: "+OK\r\nUSER\r\nUIDL\r\n.\r\n"
			C: USER anna@example.net
			S: +OK
			C: PASS pässword
			S: +OK
			C: CAPA
			S: -ERR not now
			hang`, nil},
		"Gmail shows what it has handed out before": {`
			S: +OK Gpop ready for requests from 192.0.2.1 x7mb1
			C: CAPA
			R: "+OK\r\nUSER\r\nSASL PLAIN XOAUTH2 OAUTHBEARER\r\n.\r\n"
			C: AUTH PLAIN
			S: + 
			C: AHJlY2VudDphbm5hQGV4YW1wbGUubmV0AHDDpHNzd29yZA==
			S: +OK` + after, nil},
		"Gmail, asked for by the user name": {`
			S: +OK Gpop ready for requests from 192.0.2.1 x7mb1` + unknownCAPA + `
			C: USER recent:anna@example.net
			S: +OK send PASS
			C: PASS pässword
			S: +OK` + after, func(o *Options) { o.Username = "recent:anna@example.net" }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, test.server))
			if test.set != nil {
				test.set(&o)
			}
			c := open(t, o)
			if !c.Has("UIDL") || !c.Has("uidl") || c.Has("UID") {
				t.Errorf("capabilities = %q", c.capabilities)
			}
			if want := strings.HasPrefix(name, "Gmail"); c.IsGmail() != want {
				t.Errorf("IsGmail = %v", c.IsGmail())
			}
		})
	}
}

func TestTimestampsOfGreetings(t *testing.T) {
	for greeting, want := range map[string]string{
		"+OK POP3 <1896.697@dbc.mtview.ca.us>":  "<1896.697@dbc.mtview.ca.us>",
		"+OK <x> and <a@b> ready":               "<a@b>",
		"+OK ready":                             "",
		"+OK <1896.697>":                        "",
		"+OK <@b>":                              "",
		"+OK <a@>":                              "",
		"+OK <a@b":                              "",
		"+OK <a b@c>":                           "",
		"+OK <\x80@\xff\x01c>":                  "",
		"+OK <a@b@c>":                           "",
		"+OK The Microsoft Exchange POP3 [UwB]": "",
	} {
		if got := apopTimestamp(greeting); got != want {
			t.Errorf("apopTimestamp(%q) = %q, want %q", greeting, got, want)
		}
	}
}

func TestWhatTheCapabilitiesSay(t *testing.T) {
	for name, test := range map[string]struct {
		lines    []string
		days     int
		isExpiry bool
		delay    time.Duration
	}{
		"nothing":            {},
		"never":              {lines: []string{"EXPIRE NEVER", "LOGIN-DELAY 0"}},
		"at once":            {lines: []string{"EXPIRE 0", "LOGIN-DELAY 300"}, isExpiry: true, delay: 5 * time.Minute},
		"in a month, for me": {lines: []string{"EXPIRE 30 USER", "LOGIN-DELAY 60 USER"}, days: 30, isExpiry: true, delay: time.Minute},
		"nonsense":           {lines: []string{"EXPIRE soon", "LOGIN-DELAY", "LOGIN-DELAY -1", "EXPIRE -5"}},
		"an age":             {lines: []string{"LOGIN-DELAY 99999999999"}, delay: 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			c := maildrop(t, "hang", test.lines...)
			if days, known := c.Expire(); days != test.days || known != test.isExpiry {
				t.Errorf("Expire = %d, %v", days, known)
			}
			if got := c.LoginDelay(); got != test.delay {
				t.Errorf("LoginDelay = %v, want %v", got, test.delay)
			}
		})
	}
}

func TestPhaseOfAConnectionThatIsRefused(t *testing.T) {
	o := optionsFor(script(t, ""))
	o.Endpoint.Port = 1
	if r := refusalOfOpen(t, o); r.Phase != mail.PhaseConnect || r.Protocol != postroom.POP3 || r.Err == nil {
		t.Errorf("refusal = %+v", r)
	}
}

func TestEndOfContextEndsOpening(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, optionsFor(script(t, "hang")))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open: %v", err)
	}
}
