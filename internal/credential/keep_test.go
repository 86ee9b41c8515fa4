package credential

import (
	"context"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// turn does what Run does until there is nothing left to do.
func (s *signedIn) turn(k *Keeper) {
	s.Helper()
	if _, _, err := k.keep(s.Context()); err != nil {
		s.Fatalf("keep: %v", err)
	}
	for {
		did, _, err := k.revoke(s.Context())
		if err != nil {
			s.Fatalf("revoke: %v", err)
		}
		if did == 0 {
			return
		}
	}
}

func (s *signedIn) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func TestWhatNobodyUsesIsRenewedEveryWeek(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{Rotation: simulator.RotateStrict, Lifetime: 30 * 24 * time.Hour}, openStore(t))
	s.must(s.store.PauseMailbox(t.Context(), s.mailbox.ID))
	before := s.asked()
	last := s.clock.now()
	for range 400 * 2 {
		s.clock.pass(12 * time.Hour)
		s.turn(s.keeper)
		if at := s.grant().RefreshedAt; at.After(last) {
			last = at
		}
		if idle := s.clock.now().Sub(last); idle > 7*24*time.Hour {
			t.Fatalf("nothing was renewed for %v", idle)
		}
	}
	if asked := s.asked() - before; asked < 400/7 || asked > 400/6+1 {
		t.Errorf("the provider was asked %d times in 400 days", asked)
	}
	s.must(s.store.ResumeMailbox(t.Context(), s.mailbox.ID))
	s.wantToken(s.keeper)
}

func TestWhatWasRestoredIsNotRenewedBeforeSomebodyHasLooked(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{Rotation: simulator.RotateStrict}, openStore(t))
	// The database that the backup was made of may still be at work with the same tokens.
	s.must(s.store.SetSetting(t.Context(), "restored", `{"paused":1}`))
	s.must(s.store.PauseMailbox(t.Context(), s.mailbox.ID))
	s.clock.pass(7 * 24 * time.Hour)
	before := s.asked()
	s.turn(s.keeper)
	if asked := s.asked() - before; asked != 0 {
		t.Errorf("the provider was asked %d times", asked)
	}
	s.must(s.store.ForgetRestore(t.Context()))
	s.turn(s.keeper)
	if asked := s.asked() - before; asked != 1 {
		t.Errorf("afterwards the provider was asked %d times, want once", asked)
	}
}

func TestWhatIsRefusedForGoodIsNotAskedForAgainByItself(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	s.provider.Revoke(ana, clientID)
	before := s.asked()
	for range 60 {
		s.clock.pass(24 * time.Hour)
		s.turn(s.keeper)
	}
	if asked := s.asked() - before; asked != 1 {
		t.Errorf("the provider was asked %d times, want once", asked)
	}
	if g := s.grant(); g.Fault == nil || g.Fault.Kind != postroom.NeedsSignIn {
		t.Errorf("what is wrong is not kept: %v", g.Fault)
	}
}

func TestAProposalThatWasForgottenIsGivenBack(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	id := s.propose(s.add("other@example.net"))
	s.clock.pass(6 * 24 * time.Hour)
	s.turn(s.keeper)
	if g, err := s.store.Grant(t.Context(), id); err != nil || !g.EndedAt.IsZero() {
		t.Errorf("a proposal ended after six days: %v", err)
	}
	s.clock.pass(2 * 24 * time.Hour)
	s.turn(s.keeper)
	if g, err := s.store.Grant(t.Context(), id); err != nil || g.EndedAt.IsZero() || g.Refresh != nil {
		t.Errorf("a forgotten proposal is still there: %v", err)
	}
}

func TestARemovedMailboxIsSignedOutAtItsProvider(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	g := s.grant()
	s.must(s.store.DeleteMailbox(t.Context(), s.mailbox.ID, false))
	if s.provider.Grants(ana) == 0 {
		t.Fatal("nothing to give back")
	}
	s.clock.pass(time.Minute)
	s.turn(s.keeper)
	kept, err := s.store.Grant(t.Context(), g.ID)
	if err != nil || kept.Revocation != postroom.RevocationDone || kept.Refresh != nil || kept.Access != nil {
		t.Errorf("the grant is %+v, %v", kept.Grant, err)
	}
	if _, err := s.keeper.TokenOf(t.Context(), g.ID); postroom.KindOf(err) != postroom.Conflict {
		t.Errorf("it still gives tokens: %v", err)
	}
	if s.provider.Requests()["revoke"] != 1 || s.provider.Grants(ana) != 0 {
		t.Errorf("the provider was asked %d times, and %d grants are left", s.provider.Requests()["revoke"], s.provider.Grants(ana))
	}
}

func TestAnAccountThatAnotherMailboxLivesByIsNotSignedOut(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	shared := s.add("shared@example.net")
	s.adopt(s.propose(shared))
	g := s.grant()
	s.must(s.store.DeleteMailbox(t.Context(), s.mailbox.ID, false))
	s.clock.pass(time.Minute)
	s.turn(s.keeper)
	kept, err := s.store.Grant(t.Context(), g.ID)
	if err != nil || kept.Revocation != postroom.RevocationShared || kept.Refresh != nil {
		t.Errorf("the grant is %+v, %v", kept.Grant, err)
	}
	s.clock.pass(time.Hour)
	if _, err := s.keeper.Token(t.Context(), shared.ID); err != nil || s.provider.Requests()["revoke"] != 0 {
		t.Errorf("the other mailbox: %v, after %d revocations", err, s.provider.Requests()["revoke"])
	}
}

func TestGivingBackIsTriedForADay(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	g := s.grant()
	s.provider.SetFaults(simulator.OAuthFaults{Status: 503})
	s.must(s.store.DeleteMailbox(t.Context(), s.mailbox.ID, false))
	tries := func() int { return s.provider.Requests()["revoke"] }
	for range 23 * 60 {
		s.clock.pass(time.Minute)
		s.turn(s.keeper)
	}
	kept, err := s.store.Grant(t.Context(), g.ID)
	if err != nil || kept.Revocation != postroom.RevocationDue || kept.Refresh == nil || tries() < 10 || tries() > 40 {
		t.Errorf("after 23 hours and %d tries it is %q, %v", tries(), kept.Revocation, err)
	}
	s.clock.pass(4 * time.Hour)
	s.turn(s.keeper)
	if kept, err := s.store.Grant(t.Context(), g.ID); err != nil || kept.Revocation != postroom.RevocationFailed || kept.Refresh != nil {
		t.Errorf("after a day it is %q, %v", kept.Revocation, err)
	}
}

func TestAProviderWithoutAPlaceForItKeepsNothingOfOurs(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	s.app.OAuth.RevokeURL = ""
	g := s.grant()
	s.must(s.store.DeleteMailbox(t.Context(), s.mailbox.ID, false))
	s.clock.pass(time.Minute)
	s.turn(s.keeper)
	if kept, err := s.store.Grant(t.Context(), g.ID); err != nil || kept.Revocation != postroom.RevocationAbsent || kept.Refresh != nil {
		t.Errorf("the grant is %q, %v", kept.Revocation, err)
	}
}

func TestWithoutItsRegistrationNothingCanBeGivenBack(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	g := s.grant()
	s.must(s.store.DeleteMailbox(t.Context(), s.mailbox.ID, false))
	s.keeper.Registration = func(context.Context, postroom.OAuthAppID) (Registration, error) {
		return Registration{}, &postroom.Fault{Kind: postroom.NotFound}
	}
	s.clock.pass(time.Minute)
	s.turn(s.keeper)
	if kept, err := s.store.Grant(t.Context(), g.ID); err != nil || kept.Revocation != postroom.RevocationFailed || kept.Refresh != nil {
		t.Errorf("the grant is %q, %v", kept.Revocation, err)
	}
}

func TestRunEndsWhenItIsToldTo(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	s.clock.pass(7 * 24 * time.Hour)
	before := s.grant().Answers
	s.provider.SetFaults(simulator.OAuthFaults{Hang: true})
	ctx, stop := context.WithCancel(t.Context())
	s.keeper.Client.Timeout = 50 * time.Millisecond
	s.keeper.Step = func(point string) {
		if point == "lease taken" {
			stop()
		}
	}
	if err := s.keeper.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	if g := s.grant(); g.Answers != before+1 || !g.LeaseUntil.IsZero() {
		t.Errorf("what was under way is not recorded: %d answers, a lease until %v", g.Answers-before, g.LeaseUntil)
	}
	if err := (&Keeper{Store: s.store, Ring: s.ring}).Run(ctx); err != nil {
		t.Errorf("Run without registrations: %v", err)
	}
}

func TestUseIsWrittenDownOnceAnHour(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	s.clock.pass(time.Minute)
	first := s.clock.now()
	s.keeper.Used(t.Context(), s.mailbox.ID)
	if g := s.grant(); !g.UsedAt.Equal(first) {
		t.Errorf("used at %v, want %v", g.UsedAt, first)
	}
	s.clock.pass(30 * time.Minute)
	s.keeper.Used(t.Context(), s.mailbox.ID)
	if g := s.grant(); !g.UsedAt.Equal(first) {
		t.Errorf("written down again after half an hour")
	}
	s.clock.pass(31 * time.Minute)
	s.keeper.Used(t.Context(), s.mailbox.ID)
	if g := s.grant(); !g.UsedAt.Equal(s.clock.now()) {
		t.Errorf("used at %v, want %v", g.UsedAt, s.clock.now())
	}
}
