package credential

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
)

func TestWhoStopsWaitingLosesNoAnswer(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{Rotation: simulator.RotateStrict}, openStore(t))
	before := s.asked()
	for range 3 {
		s.clock.pass(time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		k := s.process()
		k.Step = func(point string) {
			if point == "lease taken" {
				stop()
			}
		}
		_, _ = k.Token(ctx, s.mailbox.ID)
		s.wantToken(s.process())
	}
	if asked := s.asked() - before; asked != 3 {
		t.Errorf("the provider was asked %d times for three needs", asked)
	}
}

func TestWhoeverComesSecondWaitsForTheFirst(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{Rotation: simulator.RotateStrict}, openStore(t))
	s.clock.pass(time.Hour)
	before := s.asked()
	var others sync.WaitGroup
	s.keeper.Step = func(point string) {
		if point != "lease taken" {
			return
		}
		for range 20 {
			others.Go(func() { s.wantToken(s.keeper) })
		}
		// In another process, and in a hurry.
		ctx, stop := context.WithTimeout(t.Context(), 40*time.Millisecond)
		defer stop()
		if _, err := s.process().Token(ctx, s.mailbox.ID); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who cannot wait hears %v", err)
		}
	}
	s.wantToken(s.keeper)
	others.Wait()
	if asked := s.asked() - before; asked != 1 {
		t.Errorf("the provider was asked %d times", asked)
	}
}

func TestTheDatabasesClockCountsWhereThereIsNoOther(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	k := s.process()
	k.Now = nil
	g, err := s.store.AddGrant(t.Context(), k.newGrant(postroom.Grant{Mailbox: s.mailbox.ID, App: s.app.ID, Way: postroom.GrantBrought}, oauth.Grant{
		At: time.Now().Add(-2 * time.Hour), RefreshToken: s.allowed(), AccessToken: postroom.Hide("over"), Expires: time.Now().Add(-time.Hour),
	}))
	s.must(err)
	s.adopt(g.ID)
	before := s.asked()
	for range 2 {
		got, err := k.Token(t.Context(), s.mailbox.ID)
		if lasts := time.Until(got.Expires); err != nil || lasts < 55*time.Minute || lasts > 65*time.Minute {
			t.Errorf("Token lasts %v, %v, want an hour", lasts, err)
		}
	}
	if asked := s.asked() - before; asked != 1 {
		t.Errorf("the provider was asked %d times", asked)
	}
	s.must(s.store.DeleteMailbox(t.Context(), s.mailbox.ID, false))
	s.turn(k)
	if kept, err := s.store.Grant(t.Context(), g.ID); err != nil || kept.Refresh != nil {
		t.Errorf("the grant is %+v, %v", kept.Grant, err)
	}
}

func TestALeaseThatTookTooLongToGetIsNotUsed(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	s.clock.pass(time.Hour)
	before := s.asked()
	k := s.process()
	k.Step = func(point string) {
		if point == "lease taken" { // as by a database that hangs: another process may have it by now
			s.clock.pass(leaseLasts - askTimeout)
		}
	}
	if _, err := k.Token(t.Context(), s.mailbox.ID); postroom.KindOf(err) != postroom.Delayed {
		t.Errorf("Token = %v, want a delay", err)
	}
	if asked := s.asked() - before; asked != 0 {
		t.Errorf("the provider was asked %d times without a lease that outlives the answer", asked)
	}
	s.clock.pass(time.Minute)
	s.wantToken(s.keeper)
	if g := s.grant(); g.Interrupted != 0 {
		t.Errorf("%d answers count as lost, and nobody was asked", g.Interrupted)
	}
}

// allowed is a refresh token that the owner of the account has just allowed.
func (s *signedIn) allowed() postroom.Secret {
	s.Helper()
	refresh, ok := s.provider.Allow(ana, clientID, s.scope)
	if !ok {
		s.Fatal("the provider does not know the account")
	}
	return postroom.Hide(refresh)
}

func TestASignInWithoutItsKeyIsMendedByTheKeyAlone(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	s.clock.pass(time.Hour)
	lost := s.process()
	lost.Ring = newRing(t)
	_, err := lost.Token(t.Context(), s.mailbox.ID)
	wantWords(t, err, postroom.NeedsRepair, "not in the key file")
	s.wantToken(s.keeper)
	_, err = lost.Token(t.Context(), s.mailbox.ID)
	wantWords(t, err, postroom.NeedsRepair, "not in the key file")
}

func TestATokenOfOneMailboxOpensNoOther(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	g := s.grant()
	other := s.add("other@example.net")
	moved, err := s.store.AddGrant(t.Context(), store.NewGrant{
		Grant: postroom.Grant{Mailbox: other.ID, App: s.app.ID, Way: postroom.GrantByCode}, AccountKey: "other",
		Seal: func(postroom.GrantID) (store.SealedTokens, error) { return g.SealedTokens, nil },
	})
	s.must(err)
	_, err = s.keeper.TokenOf(t.Context(), moved.ID)
	wantWords(t, err, postroom.NeedsRepair, "was changed")
}

func TestWhateverIsSaidOfAnOutageItAsksNobodyToSignIn(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	s.keeper.Explain = func(err error, _ Situation) *postroom.Fault {
		return &postroom.Fault{Kind: postroom.NeedsSignIn, Class: postroom.TokenRevoked, Explanation: "It is over.", Remedy: "Sign in.", Err: err}
	}
	s.provider.SetFaults(simulator.OAuthFaults{Status: 503})
	s.clock.pass(time.Hour)
	_, err := s.keeper.Token(t.Context(), s.mailbox.ID)
	wantWords(t, err, postroom.Delayed, "just now")
	s.provider.SetFaults()
	s.provider.Revoke(ana, clientID)
	s.clock.pass(time.Hour)
	_, err = s.keeper.Token(t.Context(), s.mailbox.ID)
	wantWords(t, err, postroom.NeedsSignIn, "It is over")
}

func TestWithoutACatalogueRefusalsAreExplainedPlainly(t *testing.T) {
	tests := map[string]struct {
		fault simulator.OAuthFaults
		kind  postroom.Kind
		words string
	}{
		"an outage":            {simulator.OAuthFaults{Status: 503}, postroom.Delayed, "just now"},
		"an ended grant":       {simulator.OAuthFaults{Status: 400, Body: `{"error":"invalid_grant"}`}, postroom.NeedsSignIn, "no longer lets Postroom"},
		"a person is wanted":   {simulator.OAuthFaults{Status: 400, Body: `{"error":"interaction_required"}`}, postroom.NeedsSignIn, "no longer lets Postroom"},
		"an unknown client":    {simulator.OAuthFaults{Status: 401, Body: `{"error":"invalid_client"}`}, postroom.NeedsRepair, "registration “Mail”"},
		"another grant wanted": {simulator.OAuthFaults{Status: 400, Body: `{"error":"unauthorized_client"}`}, postroom.NeedsRepair, "registration “Mail”"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := startKept(t, simulator.OAuthOptions{}, openStore(t))
			s.keeper.Explain = nil
			s.provider.SetFaults(test.fault)
			s.clock.pass(time.Hour)
			_, err := s.keeper.Token(t.Context(), s.mailbox.ID)
			wantWords(t, err, test.kind, test.words)
		})
	}
}
