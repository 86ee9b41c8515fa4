package access

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

const (
	tokenPrefix = "pr_"           // so that a token found somewhere is recognised
	tokenCached = 5 * time.Second // for so long a token revoked by another process still works
	tokenNoted  = time.Minute     // how exactly it is known when a token was last used
	maxCached   = 1000
	maxToken    = 200 // bytes of a name
)

// CreateToken makes a token for a program. It sees the mail that is visible to
// everyone, and that of mailboxes. It is shown this once.
func (d *Door) CreateToken(ctx context.Context, name string, scope postroom.Scope, mailboxes []postroom.MailboxID) (token postroom.Secret, id postroom.TokenID, err error) {
	name = strings.Join(strings.Fields(name), " ")
	if name == "" || len(name) > maxToken || strings.ContainsFunc(name, func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) }) {
		return token, 0, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "name",
			Explanation: "A token needs a name of at most 200 letters.",
			Remedy:      "Name it after the program that will use it.",
		}
	}
	switch scope {
	case postroom.ScopeRead, postroom.ScopeWrite, postroom.ScopeAdmin:
	default:
		return token, 0, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "scope",
			Explanation: "There is no such scope.",
			Remedy:      "Choose read, write or admin.",
			Err:         fmt.Errorf("scope %q", scope),
		}
	}
	text, hash := newSecret(tokenPrefix)
	id, missing, err := d.Store.CreateToken(ctx, Token{Name: name, Scope: scope, Mailboxes: mailboxes, CreatedAt: d.now()}, hash)
	if err != nil {
		return token, 0, err
	}
	if missing != 0 {
		return token, 0, &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "mailboxes",
			Explanation: "There is no mailbox " + missing.String() + ".",
			Remedy:      "Look at the list of mailboxes: “postroom mailbox list”.",
		}
	}
	d.log().InfoContext(ctx, "token created", "token", id, "scope", scope)
	return postroom.Hide(text), id, nil
}

// Token says which program asks, from the text behind “Bearer” (RFC 6750 section
// 2.1). One that opens nothing is [postroom.Unauthenticated].
func (d *Door) Token(ctx context.Context, bearer string) (postroom.Viewer, error) {
	hash, ok := hashOf(bearer, tokenPrefix)
	if !ok {
		return postroom.Viewer{}, unknownToken()
	}
	now := d.now()
	t, age, ok := d.tokens.find(hash, now)
	if !ok {
		var err error
		if t, ok, err = d.Store.Token(ctx, hash); err != nil {
			return postroom.Viewer{}, err
		}
		if !ok {
			return postroom.Viewer{}, unknownToken()
		}
		if now.Sub(t.LastUsedAt) >= tokenNoted {
			t.LastUsedAt = now
			if err := d.Store.TouchToken(ctx, t.ID, now); err != nil {
				d.log().WarnContext(ctx, "token not noted as used", "token", t.ID, "err", err)
			}
		}
		d.tokens.keep(hash, t, now, age)
	}
	return postroom.Viewer{Token: t.ID, Scope: t.Scope, Mailboxes: t.Mailboxes, Name: t.Name}, nil
}

// Tokens lists the tokens that are good, the oldest first.
func (d *Door) Tokens(ctx context.Context) ([]Token, error) { return d.Store.Tokens(ctx) }

// RevokeToken makes a token useless for ever: at once in this process, and in
// others within seconds.
func (d *Door) RevokeToken(ctx context.Context, id postroom.TokenID) error {
	ok, err := d.Store.RevokeToken(ctx, id, d.now())
	d.tokens.clear()
	if err != nil {
		return err
	}
	if !ok {
		return &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "There is no token " + id.String() + ", or it was revoked before.",
			Remedy:      "Look at the list of tokens: “postroom token list”, or Settings in the browser.",
		}
	}
	d.log().InfoContext(ctx, "token revoked", "token", id)
	return nil
}

func unknownToken() error {
	return &postroom.Fault{
		Kind: postroom.Unauthenticated, Class: postroom.BadCredentials, FixBy: postroom.FixByUser,
		Explanation: "This token is not known here, or it was revoked.",
		Remedy:      "Make a new one with “postroom token create”, or under Settings in the browser.",
	}
}

// tokenCache remembers for a few seconds what the database said of tokens that
// are good. Its zero value is ready.
type tokenCache struct {
	mu     sync.Mutex
	age    int // how often it was cleared
	tokens map[[32]byte]cachedToken
}

type cachedToken struct {
	Token
	until time.Time
}

// find returns what is remembered of a token, and the age that keep wants.
func (c *tokenCache) find(hash [32]byte, now time.Time) (t Token, age int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached, ok := c.tokens[hash]
	return cached.Token, c.age, ok && now.Before(cached.until)
}

// keep remembers an answer, unless the cache was cleared since it was asked for.
func (c *tokenCache) keep(hash [32]byte, t Token, now time.Time, age int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age != c.age {
		return
	}
	if c.tokens == nil || len(c.tokens) >= maxCached {
		c.tokens = make(map[[32]byte]cachedToken)
	}
	c.tokens[hash] = cachedToken{t, now.Add(tokenCached)}
}

func (c *tokenCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.age++
	c.tokens = nil
}
