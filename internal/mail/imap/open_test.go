package imap

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

// refusalOfOpen opens a client that must be refused.
func refusalOfOpen(t *testing.T, o Options) mail.Refusal {
	t.Helper()
	c, err := Open(t.Context(), o)
	if err == nil {
		c.Close()
		t.Fatal("Open succeeded")
	}
	r, ok := mail.RefusalOf(err)
	if !ok {
		t.Fatalf("Open: %v, want a refusal", err)
	}
	return *r
}

func TestRefusedLogins(t *testing.T) {
	tests := map[string]struct {
		server string
		set    func(*Options)
		want   mail.Refusal // without Err, but see cause
		cause  string
	}{
		"wrong password": {`
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=LOGIN] hello
			C: AUTHENTICATE PLAIN AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk
			S: <tag> NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", Code: "AUTHENTICATIONFAILED"}, ""},
		"a server that repeats the password": {`
			S: * OK [CAPABILITY IMAP4rev1] hello
			C: LOGIN "anna@example.net" {9}
			S: + ok
			C: pässword
			S: <tag> BAD LOGIN anna@example.net pässword AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk: what?`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "BAD LOGIN anna@example.net [hidden] [hidden]: what?"}, ""},
		"a busy server": {`
			S: * BYE Too many open connections (host 192.0.2.10)`, nil,
			mail.Refusal{Phase: mail.PhaseGreeting, Reply: "* BYE Too many open connections (host 192.0.2.10)"}, ""},
		"a BYE instead of an answer": {`
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello
			C: AUTHENTICATE PLAIN AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk
			S: * BYE [LIMIT] Maximum number of connections`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "* BYE [LIMIT] Maximum number of connections", Code: "LIMIT"}, ""},
		"a BYE, then the answer": {`
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello
			C: AUTHENTICATE PLAIN AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk
			S: * BYE disconnecting
			S: <tag> NO [LIMIT] Too many`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "NO [LIMIT] Too many", Code: "LIMIT"}, ""},
		"a POP3 server": {`
			S: +OK Dovecot ready.
			hang`, nil, mail.Refusal{Phase: mail.PhaseGreeting, Reply: "+OK Dovecot ready."}, ""},
		"no greeting": {`
			hang`, func(o *Options) { o.ConnectTimeout = 100 * time.Millisecond },
			mail.Refusal{Phase: mail.PhaseGreeting}, "i/o timeout"},
		"hung up at once": {``, nil, mail.Refusal{Phase: mail.PhaseGreeting}, "unexpected EOF"},
		"no answer to the password": {`
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello
			C: AUTHENTICATE PLAIN AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk
			hang`, func(o *Options) { o.AuthTimeout = 100 * time.Millisecond },
			mail.Refusal{Phase: mail.PhaseAuth}, "i/o timeout"},
		"no answer but noise": {`
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello
			C: AUTHENTICATE PLAIN AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk
			S: * OK still here
			hang`, func(o *Options) { o.AuthTimeout = 100 * time.Millisecond },
			mail.Refusal{Phase: mail.PhaseAuth}, "i/o timeout"},
		"no way to log in in clear": {`
			S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello
			hang`, nil,
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "* CAPABILITY IMAP4REV1 STARTTLS LOGINDISABLED"}, ""},
		"STARTTLS that is not offered": {`
			S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello
			C: CAPABILITY
			S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
			S: <tag> OK done
			hang`, func(o *Options) { o.TLS = postroom.TLSStart },
			mail.Refusal{Phase: mail.PhaseStartTLS}, mail.ErrNoStartTLS.Error()},
		"STARTTLS that is refused": {`
			S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello
			C: STARTTLS
			S: <tag> NO TLS is not configured
			hang`, func(o *Options) { o.TLS = postroom.TLSStart },
			mail.Refusal{Phase: mail.PhaseStartTLS, Reply: "NO TLS is not configured"}, ""},
		"PREAUTH where STARTTLS is required": {`
			S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello anna
			hang`, func(o *Options) { o.TLS = postroom.TLSStart },
			mail.Refusal{Phase: mail.PhaseStartTLS}, mail.ErrNoStartTLS.Error()},
		"words slipped in behind the answer to STARTTLS": {`
			S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello
			C: STARTTLS
			R: "<tag> OK go ahead\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"
			hang`, func(o *Options) { o.TLS = postroom.TLSStart },
			mail.Refusal{Phase: mail.PhaseStartTLS}, mail.ErrEarlyData.Error()},
		"an access token that has expired, XOAUTH2": {`
			S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hello
			C: AUTHENTICATE XOAUTH2 dXNlcj1hbm5hQGV4YW1wbGUubmV0AWF1dGg9QmVhcmVyIHRva2VuLTEyMwEB
			S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=
			L: "\r\n"
			S: <tag> NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
			hang`, func(o *Options) { o.Mechanism, o.Secret = mail.XOAuth2, postroom.Hide("token-123") },
			mail.Refusal{Phase: mail.PhaseAuth, Reply: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", Code: "AUTHENTICATIONFAILED",
				Challenge: `{"status":"400","schemes":"Bearer"}`}, ""},
		"an access token that has expired, OAUTHBEARER without SASL-IR": {`
			S: * OK [CAPABILITY IMAP4rev1 AUTH=OAUTHBEARER] hello
			C: AUTHENTICATE OAUTHBEARER
			S: +
			C: bixhPWFubmFAZXhhbXBsZS5uZXQsAWhvc3Q9aW1hcC5leGFtcGxlLm5ldAFwb3J0PTk5MwFhdXRoPUJlYXJlciB0b2tlbi0xMjMBAQ==
			S: + eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=
			C: AQ==
			S: <tag> NO no
			hang`, func(o *Options) {
			o.Mechanism, o.Secret, o.Login.Host, o.Login.Port = mail.OAuthBearer, postroom.Hide("token-123"), "imap.example.net", 993
		}, mail.Refusal{Phase: mail.PhaseAuth, Reply: "NO no", Challenge: `{"status":"invalid_token"}`}, ""},
		"a SCRAM server that proves nothing": {`
			S: * OK [CAPABILITY IMAP4rev1] hello
			C: AUTHENTICATE SCRAM-SHA-256
			S: <tag> OK come in
			hang`, func(o *Options) { o.Mechanism = mail.ScramSHA256 },
			mail.Refusal{Phase: mail.PhaseAuth}, "without proving itself"},
		"a server that never has enough": {`
			S: * OK [CAPABILITY IMAP4rev1 AUTH=LOGIN LOGINDISABLED] hello
			C: AUTHENTICATE LOGIN
			S: + VXNlcm5hbWU6
			C: YW5uYUBleGFtcGxlLm5ldA==
			S: + UGFzc3dvcmQ6
			C: cMOkc3N3b3Jk
			S: + TW9yZTo=
			C: *
			S: <tag> BAD called off
			hang`, nil,
			mail.Refusal{Phase: mail.PhaseAuth}, "asks for more"},
		"a mechanism nobody speaks": {`
			S: * OK [CAPABILITY IMAP4rev1] hello
			hang`, func(o *Options) { o.Mechanism = "GSSAPI" },
			mail.Refusal{Phase: mail.PhaseAuth}, "not spoken here"},
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
			got.Err, test.want.Protocol = nil, postroom.IMAP
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
	tests := map[string]struct {
		server string
		set    func(*Options)
	}{
		"LOGIN with words that need quoting": {`
			S: * OK hello
			C: CAPABILITY
			S: * CAPABILITY IMAP4rev1
			S: <tag> OK done
			C: LOGIN "anna@example.net" "a\"b\\c d"
			S: * CAPABILITY IMAP4rev1 IDLE
			S: <tag> OK welcome
			hang`, func(o *Options) { o.Secret = postroom.Hide(`a"b\c d`) }},
		"LOGIN with literals at once": {`
			S: * OK [CAPABILITY IMAP4rev1 LITERAL-] hello
			C: LOGIN "anna@example.net" {9+}
			C: pässword
			S: <tag> OK [CAPABILITY IMAP4rev1 IDLE] welcome
			hang`, nil},
		"PLAIN without SASL-IR, asked for with words": {`
			S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED] hello
			C: AUTHENTICATE PLAIN
			S: + go ahead please
			C: AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk
			S: <tag> OK welcome
			C: CAPABILITY
			S: * CAPABILITY IMAP4rev1 IDLE
			S: <tag> OK done
			hang`, nil},
		"SASL LOGIN where LOGIN is disabled": {`
			S: * OK [CAPABILITY IMAP4rev1 AUTH=LOGIN LOGINDISABLED] hello
			C: AUTHENTICATE LOGIN
			S: + VXNlcm5hbWU6
			C: YW5uYUBleGFtcGxlLm5ldA==
			S: + UGFzc3dvcmQ6
			C: cMOkc3N3b3Jk
			S: <tag> OK [CAPABILITY IMAP4rev1 IDLE] welcome
			hang`, nil},
		"a server that knows no CAPABILITY": {`
			S: * OK hello
			C: CAPABILITY
			S: <tag> BAD what?
			C: LOGIN "anna@example.net" "app pass word"
			S: <tag> OK welcome
			C: CAPABILITY
			S: * CAPABILITY IDLE
			S: <tag> OK done
			hang`, func(o *Options) { o.Secret = postroom.Hide("app pass word") }},
		"PREAUTH": {`
			S: * CAPABILITY IMAP4rev1
			R: "\n"
			S: *  preauth  [capability IMAP4rev1  IDLE]  hello anna
			hang`, nil},
		"a client that says who it is, and a server that does not like it": {`
			S: * PREAUTH [CAPABILITY IMAP4rev1 ID IDLE] hello
			C: ID ("name" "Postroom" "os" "Gre" "version" "1")
			S: * ID ("name" "x" "support-url" NIL)
			S: <tag> NO not you
			hang`, func(o *Options) {
			o.ClientID = map[string]string{"version": "1", "name": "Postroom", "os": "Größe\r\n\""}
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, test.server))
			if test.set != nil {
				test.set(&o)
			}
			c := open(t, o)
			if !c.Has("IDLE") || !c.Has("idle") || c.Has("IDL") {
				t.Errorf("capabilities = %q", c.capabilities)
			}
		})
	}
}

func TestPhaseOfAConnectionThatIsRefused(t *testing.T) {
	o := optionsFor(script(t, ""))
	o.Endpoint.Port = 1
	if r := refusalOfOpen(t, o); r.Phase != mail.PhaseConnect || r.Protocol != postroom.IMAP || r.Err == nil {
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
