package mail

import (
	"errors"
	"strings"

	"github.com/postroom/postroom"
)

// A Phase is the step of a conversation at which something was refused. The
// words are those of the error catalogue (package diagnose).
type Phase string

const (
	PhaseConnect  Phase = "connect" // name lookup, TCP, implicit TLS
	PhaseGreeting Phase = "greeting"
	PhaseStartTLS Phase = "starttls"
	PhaseAuth     Phase = "auth"
	PhaseSelect   Phase = "select"
	PhaseList     Phase = "list"
	PhaseSearch   Phase = "search"
	PhaseFetch    Phase = "fetch"
	PhaseIdle     Phase = "idle"
	PhaseAppend   Phase = "append"
	PhaseMailFrom Phase = "mail_from"
	PhaseRcptTo   Phase = "rcpt_to"
	PhaseData     Phase = "data"
	PhaseLogout   Phase = "logout"
	PhaseAny      Phase = "any" // where the step says nothing about the cause
)

// A Refusal is what a server answered instead of doing what it was asked, or
// what broke the connection. It holds the reply and the phase, nothing more: what
// it means is for others to say.
type Refusal struct {
	Protocol postroom.Protocol // empty: the connection never got as far
	Phase    Phase
	// Reply is the server's line without its tag, secrets removed: "NO
	// [AUTHENTICATIONFAILED] …", "* BYE …". Empty when there was none.
	Reply string
	// Heard is Reply before secrets were removed, for whoever looks up what it means: a
	// password may be one of the server's own words. Empty: none were.
	Heard postroom.Secret
	// Code is the response code of Reply (RFC 5530), upper case and without its
	// arguments: "AUTHENTICATIONFAILED"; of SMTP the enhanced status code (RFC 3463):
	// "5.7.8". Empty when there was none.
	Code string
	// Challenge is the error that an OAuth mechanism was told before the refusal
	// (RFC 7628 section 3.2.2), as text; empty when there was none.
	Challenge string
	// Err is the network or TLS error where there was no reply.
	Err error
}

// Said fills in Reply and Heard: what the server said, and what may be shown of it.
func (r *Refusal) Said(heard, shown string) *Refusal {
	if r.Reply = shown; heard != shown {
		r.Heard = postroom.Hide(heard)
	}
	return r
}

func (r *Refusal) Error() string {
	var text strings.Builder
	if r.Protocol != "" {
		text.WriteString(string(r.Protocol))
		text.WriteByte(' ')
	}
	text.WriteString(string(r.Phase))
	for _, part := range []string{r.Reply, r.Challenge} {
		if part != "" {
			text.WriteString(": ")
			text.WriteString(part)
		}
	}
	if r.Err != nil {
		text.WriteString(": ")
		text.WriteString(r.Err.Error())
	}
	return text.String()
}

func (r *Refusal) Unwrap() error { return r.Err }

// RefusalOf returns the Refusal in err's chain; ok is false when there is none.
func RefusalOf(err error) (r *Refusal, ok bool) {
	ok = errors.As(err, &r)
	return r, ok
}

// ErrNoStartTLS is the cause when STARTTLS is required and not offered.
var ErrNoStartTLS = errors.New("the server doesn't support STARTTLS")

// ErrNoTokens is the cause when a server has no mechanism for access tokens: it lists
// none, and refused those that are spoken here before it was shown the token.
var ErrNoTokens = errors.New("the server takes no access tokens")

// ErrEarlyData is the cause when a server, or somebody between, sent more than
// the answer to STARTTLS before the handshake. What was sent in clear must never
// be read as if it had come encrypted (CVE-2011-0411).
var ErrEarlyData = errors.New("unexpected plain text after the answer to STARTTLS")
