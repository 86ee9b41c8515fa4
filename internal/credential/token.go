package credential

import (
	"context"
	"errors"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A Token is an access token that opens a mailbox for a while.
type Token struct {
	Access  postroom.Secret
	Expires time.Time // by the clock of this process
	Grant   postroom.GrantID
}

const (
	// aheadBy is how long a token that is handed out lasts at least; one that lives
	// shorter, a quarter of its life.
	aheadBy = 5 * time.Minute
	// unsaidLife is for how long a token is taken to last where the provider does not say
	// (RFC 6749 section 5.1 recommends that it does).
	unsaidLife = time.Hour
	// justNow: a token that is younger, and has not opened the mailbox yet, is not asked for
	// again because a server refuses it.
	justNow = time.Minute
)

// Token returns an access token of a mailbox that lasts for a while yet. Where the one
// that is kept does not, the provider is asked for another, by one process at a time;
// the others wait for what it brings. A provider that cannot be asked now is no
// hindrance while the token before still lasts.
func (k *Keeper) Token(ctx context.Context, id postroom.MailboxID) (Token, error) {
	kept, err := k.Store.Credential(ctx, id)
	if err != nil {
		return Token{}, err
	}
	return k.tokenOf(ctx, kept)
}

func (k *Keeper) tokenOf(ctx context.Context, kept store.KeptCredential) (Token, error) {
	if kept.Grant == 0 {
		return Token{}, nobodySignedIn(kept.Kind)
	}
	return k.TokenOf(ctx, kept.Grant)
}

// TokenOf is Token of a grant, also of one that is only proposed.
func (k *Keeper) TokenOf(ctx context.Context, id postroom.GrantID) (Token, error) {
	return k.fresh(ctx, id, need{})
}

// Renew returns another token than the one that a server refused. One that was
// obtained a moment ago, and has opened nothing yet, is returned although it is the same:
// then the refusal is not about its time, and another one would not help.
func (k *Keeper) Renew(ctx context.Context, id postroom.MailboxID, refused postroom.Secret) (Token, error) {
	kept, err := k.Store.Credential(ctx, id)
	if err != nil {
		return Token{}, err
	}
	if kept.Grant == 0 {
		return Token{}, nobodySignedIn(kept.Kind)
	}
	return k.fresh(ctx, kept.Grant, need{refused: refused})
}

// now is the instant at which g was read, by the clock that counts.
func (k *Keeper) now(g store.KeptGrant) time.Time {
	if k.Now != nil {
		return k.Now()
	}
	return g.Now
}

// clock is what the database is told to go by: zero for its own clock.
func (k *Keeper) clock() time.Time {
	if k.Now != nil {
		return k.Now()
	}
	return time.Time{}
}

// obtained is when the tokens of g were given.
func obtained(g store.KeptGrant) time.Time {
	if g.RefreshedAt.After(g.SignedInAt) {
		return g.RefreshedAt
	}
	return g.SignedInAt
}

// A holding is a grant as it was read, with its access token.
type holding struct {
	store.KeptGrant
	now    time.Time
	access postroom.Secret
	lasts  bool // the access token may be used, even if not for long
	spent  bool // a server does not take it, whatever its time
}

// hold opens the access token of g. One that a server has refused is none, unless it
// was obtained just now and has opened nothing yet.
func (k *Keeper) hold(g store.KeptGrant, n need) (h holding, err error) {
	h = holding{KeptGrant: g, now: k.now(g)}
	if g.Access == nil || !h.now.Before(g.AccessExpiresAt) {
		return h, nil
	}
	if h.access, err = k.Ring.Open(g.Access, accessPlace(g.ID)); err != nil {
		if g.Refresh == nil {
			return h, unopenedSignIn(err)
		}
		return h, nil // another one is asked for; if that cannot be done either, it says so
	}
	isNew := h.now.Sub(obtained(g)) < justNow && g.UsedAt.Before(obtained(g))
	h.spent = !n.refused.IsEmpty() && isSame(h.access, n.refused) && !isNew
	h.lasts = !h.spent
	return h, nil
}

// isFresh says whether the access token lasts long enough to begin something with, and
// is not too old for n.
func (h holding) isFresh(n need) bool {
	since := obtained(h.KeptGrant)
	ahead := min(aheadBy, h.AccessExpiresAt.Sub(since)/4)
	return h.now.Before(h.AccessExpiresAt.Add(-ahead)) && (n.renewal == 0 || h.now.Sub(since) < n.renewal)
}

// token is what h opens the mailbox with.
func (k *Keeper) token(h holding) Token {
	expires := h.AccessExpiresAt
	if k.Now == nil {
		expires = time.Now().Add(expires.Sub(h.KeptGrant.Now))
	}
	return Token{Access: h.access, Expires: expires, Grant: h.ID}
}

// Used notes that the grant of a mailbox, if that is what opens it, has just done so.
// It may be called at every turn: it writes once an hour.
func (k *Keeper) Used(ctx context.Context, id postroom.MailboxID) {
	now := time.Now()
	if k.Now != nil {
		now = k.Now()
	}
	if !k.uses.isDue(id, now) {
		return
	}
	if err := k.Store.RecordGrantUse(ctx, id, now); err != nil && !errors.Is(err, context.Canceled) {
		k.log().WarnContext(ctx, "the use of a sign-in was not noted", "mailbox", id, "err", err)
	}
}
