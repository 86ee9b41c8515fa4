package oauth

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// A Phase is what was asked of a provider when it refused. The words are those of the
// error catalogue (package diagnose).
type Phase string

const (
	PhaseAuthorize Phase = "authorize" // in the browser
	PhaseToken     Phase = "token"
	PhaseDevice    Phase = "device"
	PhaseRevoke    Phase = "revoke"
	PhaseUserInfo  Phase = "userinfo"
	PhaseDiscover  Phase = "discover"
)

// A Refusal is what a provider answered instead of doing what it was asked, or what
// broke the connection. It holds the reply and the phase, nothing more. No code, token,
// verifier, secret or assertion is in it, whatever the provider has repeated.
type Refusal struct {
	Phase  Phase
	Status int // of HTTP; 0: there was no answer, or it came with the browser
	// Code is the error's name (RFC 6749 section 5.2), as it was sent: "invalid_grant",
	// or in a provider's own words: "INVALID_REFRESH_TOKEN". Empty: none.
	Code        string
	Description string
	URI         string // of a page about the error, http or https
	RetryAfter  time.Duration
	// Reply is what was said: the fields of an answer that tell about the error, as JSON;
	// else the beginning of the text, or the title of the page. Empty: nothing.
	Reply string
	// Heard is Reply before secrets were removed, for whoever looks up what it means; empty:
	// nothing was removed.
	Heard postroom.Secret
	// Err is the error of the network or of TLS where there was no answer, or what is
	// wrong with the answer: one of the errors of this package.
	Err error
}

var (
	// ErrPage: a page for people came, perhaps of a hotspot or a proxy on the way.
	ErrPage = errors.New("a web page came instead of an answer")
	// ErrRedirect: the answer leads elsewhere. Secrets are not carried there.
	ErrRedirect = errors.New("the answer leads to another address")
	// ErrAnswer: what came is not an answer of OAuth.
	ErrAnswer = errors.New("the answer cannot be read")
	// ErrTooLong: the answer has no end in sight.
	ErrTooLong = errors.New("the answer is longer than 64 KB")
	// ErrNoToken: an answer without an error, and without what was asked for.
	ErrNoToken = errors.New("the answer holds no token")
	// ErrTokenType: a token that has to be used in a way that is not spoken here (RFC 6749
	// section 7.1).
	ErrTokenType = errors.New("the token is of a kind that is not spoken here")
)

func (r *Refusal) Error() string {
	parts := []string{"oauth " + string(r.Phase)}
	if r.Status != 0 {
		parts[0] += " " + strconv.Itoa(r.Status)
	}
	if r.Code != "" {
		parts[0] += " " + r.Code
	}
	switch {
	case r.Description != "":
		parts = append(parts, r.Description)
	case r.Code == "" && r.Reply != "":
		parts = append(parts, r.Reply)
	}
	if r.Err != nil {
		parts = append(parts, r.Err.Error())
	}
	return strings.Join(parts, ": ")
}

func (r *Refusal) Unwrap() error { return r.Err }

// RefusalOf returns the Refusal in err's chain; ok is false when there is none.
func RefusalOf(err error) (r *Refusal, ok bool) {
	ok = errors.As(err, &r)
	return r, ok
}
