package credential

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// A Desk is where people sign in for mailboxes. What they bring is kept as proposed
// until the mailbox has opened with it; until then what opened it before works on.
type Desk struct {
	Store  *store.DB
	Keeper *Keeper
	Apps   *Apps
	Client *oauth.Client
	// Explain says what a refusal means; nil: refusals stay as they are.
	Explain func(err error, s Situation) *postroom.Fault
	// Prove tries a mailbox with an access token: opens its folders, and signs in to its
	// outgoing server.
	Prove func(ctx context.Context, m postroom.Mailbox, t Token) Proof
	// Wake tells whoever reads mailboxes that one opens again; nil: they look by themselves.
	Wake func()
	// Mail has a link mailed; nil: links are handed over otherwise.
	Mail func(ctx context.Context, m LinkMail) error
	Base string           // the public address of this Postroom: https://post.example.net
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // nil: the default one
	// Step hears how far work has come, by name; nil: nobody does.
	Step func(point string)

	once sync.Once
	bell chan struct{} // nudges Run
}

// A Proof is what came of trying a mailbox with a token.
type Proof struct {
	OK     bool
	Reads  bool            // the folders open, whatever is wrong with sending
	Fault  *postroom.Fault // nil with OK
	Report []byte          // JSON, for the page
}

// A LinkMail is a mail with a link to sign in.
type LinkMail struct {
	To      string
	Subject string
	Text    postroom.Secret // it holds the link
	Link    postroom.SignInLinkID
	// Reminder: the link was sent before.
	Reminder bool
}

func (d *Desk) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

func (d *Desk) log() *slog.Logger {
	if d.Log == nil {
		return slog.Default()
	}
	return d.Log
}

func (d *Desk) step(point string) {
	if d.Step != nil {
		d.Step(point)
	}
}

func (d *Desk) nudge() chan struct{} {
	d.once.Do(func() { d.bell = make(chan struct{}, 1) })
	return d.bell
}

// ring has Run look now.
func (d *Desk) ring() { work.Ring(d.nudge()) }

// newSecret makes 32 octets that nobody can guess, and what is kept of them.
func newSecret() (text string, hash [32]byte) {
	octets := make([]byte, 32)
	_, _ = rand.Read(octets) // never fails
	text = base64.RawURLEncoding.EncodeToString(octets)
	return text, sha256.Sum256([]byte(text))
}

func hashOf(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }
