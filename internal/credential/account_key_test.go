package credential

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/simulator"
)

func TestGivingBackWhatNobodySaidWhoseItWasLeavesTheSignInAfterIt(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth) // which ends all that an account has allowed an app at once
	refresh, ok := c.oauth.Allow(support, clientID, allMail)
	if !ok {
		t.Fatal("the provider does not know the account")
	}
	s, err := c.desk.Bring(t.Context(), appAdmin, c.mailbox.ID, c.app.ID, postroom.Hide(refresh))
	if err != nil {
		t.Fatal(err)
	}
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
	brought := c.kept().Grant
	if a := c.grant(brought).Account; a.Subject != "" || a.Address != "" {
		t.Fatalf("the provider says who it was: %+v", a)
	}
	c.wantStep(c.whole(support), postroom.SignInProven)
	c.clock.pass(time.Minute)
	if _, _, err := c.desk.Keeper.revoke(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.clock.pass(time.Hour)
	if _, err := c.desk.Keeper.Token(t.Context(), c.mailbox.ID); err != nil {
		t.Errorf("the sign-in after it: %v", err)
	}
	if g := c.grant(brought); g.Revocation != postroom.RevocationShared {
		t.Errorf("what was brought is %q", g.Revocation)
	}
}

func TestAnAccountHasOneKeyHoweverItsProviderTellsOfIt(t *testing.T) {
	byToken := accountOf(oauth.Account{Issuer: "https://accounts.google.com", Subject: "7", Email: support})
	byAsking := accountOf(oauth.Account{Subject: "7", Email: support})
	if a, b := accountKey(byToken), accountKey(byAsking); a != b {
		t.Errorf("the keys are %q and %q", a, b)
	}
}
