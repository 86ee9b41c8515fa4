// Package access decides who may come in.
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A Door lets people in by password and programs by token, and knows who they are
// from then on. Rate limits, a token's few seconds of cache and the links of
// [Door.SignInLink] are of this process; everything else is in the database.
type Door struct {
	Store door
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: nothing is logged

	passwords hasher
	tries     tries
	tokens    tokenCache

	mu    sync.Mutex
	links map[[32]byte]postroom.UserID // by the SHA-256 of the secret
}

// A Session is one browser in which a user is signed in.
type Session = store.Session

// A Token opens the API to a program.
type Token = store.Token

// A Client is where a request comes from.
type Client struct {
	Address string // of the network, without a port; empty: unknown
	Agent   string // as the browser calls itself
}

// door is what access asks of the database.
type door interface {
	people
	sessions
	tokens
	links
}

type people interface {
	CreateUser(ctx context.Context, u postroom.User, passwordHash string) (postroom.UserID, error)
	User(ctx context.Context, id postroom.UserID) (u postroom.User, ok bool, err error)
	UserByEmail(ctx context.Context, email string) (u postroom.User, passwordHash string, ok bool, err error)
	Users(ctx context.Context) ([]postroom.User, error)
	SetPassword(ctx context.Context, id postroom.UserID, passwordHash string) (ok bool, err error)
	DisableUser(ctx context.Context, id postroom.UserID, at time.Time) (ok bool, err error)
	EnableUser(ctx context.Context, id postroom.UserID) (ok bool, err error)
	SetRole(ctx context.Context, id postroom.UserID, role postroom.Role) (ok bool, err error)
}

type sessions interface {
	BeginSession(ctx context.Context, hash [32]byte, s store.Session, passwordHash string) (ok bool, err error)
	BeginLinkSession(ctx context.Context, hash [32]byte, s store.Session) (ok bool, err error)
	Session(ctx context.Context, hash [32]byte, now time.Time) (s store.Session, u postroom.User, ok bool, err error)
	Sessions(ctx context.Context, user postroom.UserID, now time.Time) ([]store.Session, error)
	TouchSession(ctx context.Context, id postroom.SessionID, seen, expires time.Time) error
	EndSession(ctx context.Context, hash [32]byte) error
	RevokeSession(ctx context.Context, user postroom.UserID, id postroom.SessionID) (ok bool, err error)
}

type tokens interface {
	CreateToken(ctx context.Context, t store.Token, hash [32]byte) (id postroom.TokenID, missing postroom.MailboxID, err error)
	Token(ctx context.Context, hash [32]byte) (t store.Token, ok bool, err error)
	Tokens(ctx context.Context) ([]store.Token, error)
	TouchToken(ctx context.Context, id postroom.TokenID, at time.Time) error
	RevokeToken(ctx context.Context, id postroom.TokenID, at time.Time) (ok bool, err error)
}

type links interface {
	ReplaceFirstLink(ctx context.Context, hash [32]byte, expires time.Time) (needed bool, err error)
	FirstLinkIsOpen(ctx context.Context, hash [32]byte, now time.Time) (bool, error)
	UseFirstLink(ctx context.Context, link [32]byte, u postroom.User, passwordHash string, session [32]byte, s store.Session) (postroom.UserID, error)
}

// now is to the microsecond, as the database keeps times.
func (d *Door) now() time.Time {
	now := time.Now
	if d.Now != nil {
		now = d.Now
	}
	return now().UTC().Truncate(time.Microsecond)
}

func (d *Door) log() *slog.Logger {
	if d.Log != nil {
		return d.Log
	}
	return slog.New(slog.DiscardHandler)
}

// secretLength is how many characters 256 random bits have in base64url.
const secretLength = 43

// newSecret makes 256 random bits (the operating system's), in base64url without
// padding (RFC 4648 section 5), behind a prefix.
func newSecret(prefix string) (text string, hash [32]byte) {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // never fails
	text = prefix + base64.RawURLEncoding.EncodeToString(bits[:])
	return text, sha256.Sum256([]byte(text))
}

// hashOf returns what the database knows of a secret; ok is false for a text that
// was never given out. A plain hash is enough for 256 random bits.
func hashOf(text, prefix string) (hash [32]byte, ok bool) {
	if len(text) != len(prefix)+secretLength || text[:len(prefix)] != prefix {
		return hash, false
	}
	return sha256.Sum256([]byte(text)), true
}

// Administer is nil for those who may see and change settings, users and tokens.
func Administer(by postroom.Viewer) error {
	if by.IsAdmin() {
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.Forbidden, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "Only an administrator can do this.",
		Remedy:      "Ask an administrator of Postroom, or use a token with the admin scope.",
	}
}

// Work is nil for those who may work on issues.
func Work(by postroom.Viewer) error {
	if by.CanWrite() {
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.Forbidden, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "You can read here, but not change anything.",
		Remedy:      "Ask an administrator of Postroom for another role, or use a token with the write scope.",
	}
}
