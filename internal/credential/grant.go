package credential

import (
	"context"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

// The places of the tokens of a grant: none opens in the place of another.
func refreshPlace(id postroom.GrantID) vault.Place { return grantPlace("sealed_refresh", id) }
func formerPlace(id postroom.GrantID) vault.Place  { return grantPlace("sealed_former", id) }
func accessPlace(id postroom.GrantID) vault.Place  { return grantPlace("sealed_access", id) }

func grantPlace(column string, id postroom.GrantID) vault.Place {
	return vault.Place{Table: "oauth_grant", Column: column, Row: id.String()}
}

// newGrant is what is kept of tokens that a provider gave, proposed. The caller says in
// g for which mailbox, by which registration, how, and who signed in.
func (k *Keeper) newGrant(g postroom.Grant, given oauth.Grant) store.NewGrant {
	g.Scopes, g.SignedInAt, g.RefreshExpiresAt = given.Scopes, given.At, given.RefreshExpires
	if !given.AccessToken.IsEmpty() {
		g.AccessExpiresAt = endOf(given)
	}
	return store.NewGrant{
		Grant: g, AccountKey: accountKey(g.Account),
		Seal: func(id postroom.GrantID) (store.SealedTokens, error) {
			return k.sealTokens(id, given.RefreshToken, postroom.Secret{}, given.AccessToken)
		},
	}
}

// dated is what a provider gave with its times by the clock that counts, which all
// processes share. now is the clock by which they were taken.
func (k *Keeper) dated(ctx context.Context, given oauth.Grant, now time.Time) (oauth.Grant, error) {
	counts, err := k.instant(ctx)
	if err != nil {
		return given, err
	}
	apart := counts.Sub(now)
	for _, at := range []*time.Time{&given.At, &given.Expires, &given.RefreshExpires} {
		if !at.IsZero() {
			*at = at.Add(apart)
		}
	}
	return given, nil
}

// endOf is when an access token ends.
func endOf(given oauth.Grant) time.Time {
	if given.Expires.IsZero() {
		return given.At.Add(unsaidLife)
	}
	return given.Expires
}

// sealTokens makes what is kept of tokens; of an empty one nothing is.
func (k *Keeper) sealTokens(id postroom.GrantID, refresh, former, access postroom.Secret) (s store.SealedTokens, err error) {
	seal := func(secret postroom.Secret, place vault.Place) []byte {
		if err != nil || secret.IsEmpty() {
			return nil
		}
		var sealed []byte
		sealed, err = k.Ring.Seal(secret, place)
		return sealed
	}
	s.Refresh = seal(refresh, refreshPlace(id))
	s.Former = seal(former, formerPlace(id))
	s.Access = seal(access, accessPlace(id))
	return s, err
}

// usesEvery is how often the use of a grant is written down.
const usesEvery = time.Hour

// uses are when the use of grants was last written down. It is safe for concurrent use.
type uses struct {
	mu sync.Mutex
	at map[postroom.MailboxID]time.Time
}

// isDue says whether a use is to be written down, and takes it that it is.
func (u *uses) isDue(id postroom.MailboxID, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if last, ok := u.at[id]; ok && now.Sub(last) < usesEvery {
		return false
	}
	if u.at == nil {
		u.at = make(map[postroom.MailboxID]time.Time)
	}
	u.at[id] = now
	return true
}
