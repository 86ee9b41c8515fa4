package access

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func mustToken(t *testing.T, d *Door, scope postroom.Scope) (token string, id postroom.TokenID) {
	t.Helper()
	secret, id, err := d.CreateToken(t.Context(), "shop", scope, nil)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Reveal(), id
}

func TestTokenSaysWhoAsks(t *testing.T) {
	d, _ := newDoor(t)
	token, id := mustToken(t, d, postroom.ScopeWrite)
	if !regexp.MustCompile(`^pr_[A-Za-z0-9_-]{43}$`).MatchString(token) {
		t.Errorf("token %q has another form", token)
	}
	for range 2 { // from the database, then remembered
		v, err := d.Token(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if v.User != 0 || v.Token != id || v.Scope != postroom.ScopeWrite || v.Name != "shop" {
			t.Errorf("viewer = %+v", v)
		}
	}
	for _, other := range []string{"", "pr_", token[:len(token)-1], token + "x", strings.ToUpper(token), "pr_" + strings.Repeat("A", 43)} {
		_, err := d.Token(t.Context(), other)
		wantKind(t, "the token "+other, err, postroom.Unauthenticated)
	}
}

func TestRevokedTokenOpensNothing(t *testing.T) {
	d, c := newDoor(t)
	elsewhere := &Door{Store: d.Store, Now: c.now}
	token, id := mustToken(t, d, postroom.ScopeAdmin)
	for _, door := range []*Door{d, elsewhere} {
		if _, err := door.Token(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.RevokeToken(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, err := d.Token(t.Context(), token)
	wantKind(t, "in this process, at once", err, postroom.Unauthenticated)
	c.pass(tokenCached)
	_, err = elsewhere.Token(t.Context(), token)
	wantKind(t, "in another process, after a while", err, postroom.Unauthenticated)
	wantKind(t, "revoking again", d.RevokeToken(t.Context(), id), postroom.NotFound)
}

func TestAnswerFromBeforeARevocationIsNotRemembered(t *testing.T) {
	var c tokenCache
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	_, age, _ := c.find([32]byte{1}, now)
	c.clear()
	c.keep([32]byte{1}, Token{ID: 1}, now, age)
	if _, _, ok := c.find([32]byte{1}, now); ok {
		t.Error("it is remembered")
	}
	for i := range maxCached * 2 {
		_, age, _ = c.find([32]byte{1}, now)
		c.keep([32]byte{byte(i), byte(i >> 8)}, Token{ID: 1}, now, age)
	}
	if len(c.tokens) > maxCached {
		t.Errorf("%d are remembered, want at most %d", len(c.tokens), maxCached)
	}
}

func TestUseOfATokenIsNotedByTheMinute(t *testing.T) {
	d, c := newDoor(t)
	token, _ := mustToken(t, d, postroom.ScopeRead)
	used := func() time.Time {
		t.Helper()
		if _, err := d.Token(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		list, err := d.Tokens(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("Tokens = %v, %v, want one", list, err)
		}
		return list[0].LastUsedAt
	}
	first := used()
	if !first.Equal(c.now()) {
		t.Errorf("used at %v, want %v", first, c.now())
	}
	c.pass(tokenNoted - time.Second)
	if again := used(); !again.Equal(first) {
		t.Errorf("within a minute it was noted again, %v", again)
	}
	c.pass(tokenCached)
	if later := used(); !later.Equal(c.now()) {
		t.Errorf("after a minute it is %v, want %v", later, c.now())
	}
}

func TestTokensThatAreNotMade(t *testing.T) {
	d, _ := newDoor(t)
	tests := map[string]struct {
		name      string
		scope     postroom.Scope
		mailboxes []postroom.MailboxID
		want      postroom.Kind
	}{
		"no name":            {" ", postroom.ScopeRead, nil, postroom.Invalid},
		"a very long name":   {strings.Repeat("x", 300), postroom.ScopeRead, nil, postroom.Invalid},
		"a name not of text": {"a\x00b", postroom.ScopeRead, nil, postroom.Invalid},
		"no scope":           {"shop", "", nil, postroom.Invalid},
		"an unknown scope":   {"shop", "root", nil, postroom.Invalid},
		"an unknown mailbox": {"shop", postroom.ScopeRead, []postroom.MailboxID{12345}, postroom.NotFound},
	}
	for name, tt := range tests {
		_, _, err := d.CreateToken(t.Context(), tt.name, tt.scope, tt.mailboxes)
		wantKind(t, name, err, tt.want)
	}
	if list, err := d.Tokens(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("Tokens = %v, %v, want none", list, err)
	}
}
