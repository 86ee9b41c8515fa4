package diagnose

import (
	"time"

	"github.com/postroom/postroom"
)

// An OAuthFailure is what is known of something that the OAuth server of a provider did
// not do: its words or the error of the network, and what is known here. What is not
// known stays zero.
type OAuthFailure struct {
	// Phase is what was asked of it, in the words of the catalogue: authorize, token,
	// device, revoke, userinfo, discover.
	Phase  string
	Status int // of HTTP; 0: there was no answer, or it came with the browser
	// Code is the error's name (RFC 6749 section 5.2), as it was sent.
	Code        string
	Description string
	Reply       string
	// Heard is Reply before secrets were removed, which may be words that matter; empty:
	// nothing was removed. It is looked up, and never shown.
	Heard      postroom.Secret
	RetryAfter time.Duration
	// Unreadable: what came is not an answer of OAuth. Page: it is a page for people,
	// perhaps of a hotspot or a proxy on the way.
	Unreadable, Page bool
	Err              error // the whole error; the network's where there was no answer

	ProviderID   string // of a preset; empty: generic
	ProviderName string // as people call it; empty: it is not known
	Host         string // of the place that was asked; empty: not known
	AppName      string // what the registration is called here
	// Own: no person signs in, the registration opens mailboxes by itself.
	Own       bool
	IsTesting bool // the provider ends every grant of the app after seven days

	Address string // of the mailbox; empty: none is concerned
	Account string // who had signed in; empty: nobody, or it is not known
	// HasWorked says that this sign-in has given access before. Then what nobody knows is
	// a delay.
	HasWorked bool
	// Interrupted says that this side was ended while the provider was renewing the
	// sign-in, so that its answer may be lost.
	Interrupted bool
	SignedInAt  time.Time // zero: not known
	UsedAt      time.Time // when the sign-in was last renewed or used; zero: not known
	ConsentURL  string    // where an administrator allows the app for everybody; empty: nowhere
	RedirectURL string    // where the browser is to come back to
}

// OAuth says what f means to people, and to the program whether a retry can help. It is
// nil for a [context.Canceled] without a reply: then nobody failed. Otherwise it is
// never nil. What is wrong with a registration is said without naming the mailbox, so
// that it is the same for all that sign in by it.
func (c *Catalogue) OAuth(f OAuthFailure) *postroom.Fault {
	return c.explainOAuth(&f)
}
