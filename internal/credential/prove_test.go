package credential

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
)

func delayed() *Proof {
	return &Proof{Fault: &postroom.Fault{Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByWaiting, Explanation: "The server did not answer.", Remedy: "Wait."}}
}

func TestWhatOpenedTheMailboxWorksUntilAnotherIsProven(t *testing.T) {
	bothKinds(t, func(c *counter) {
		c.wantStep(c.whole(support), postroom.SignInProven)
		before := c.kept()
		c.proof = func(postroom.Mailbox) *Proof { return delayed() }
		s := c.whole(support)
		c.wantStep(s, postroom.SignInProposed, "did not answer")
		k, err := c.desk.Store.SignIn(c.Context(), s.ID)
		if err != nil || k.Tries != 1 || !k.NextTryAt.After(c.clock.now()) {
			c.Errorf("it is tried again at %v (%d tries), %v", k.NextTryAt, k.Tries, err)
		}
		if now := c.kept(); now.Grant != before.Grant {
			c.Error("what opened the mailbox was replaced by something unproven")
		}
		c.proof = nil
		c.clock.pass(10 * time.Second)
		c.work()
		c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
		old := c.grant(before.Grant)
		if c.kept().Grant != s.Grant || old.EndedAt.IsZero() || old.Revocation != postroom.RevocationShared {
			c.Errorf("the one before is %+v", old)
		}
	})
}

func TestAProposalIsTriedForDaysAndThenEnds(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.MicrosoftOAuth)
	c.wantStep(c.whole(support), postroom.SignInProven)
	c.proof = func(postroom.Mailbox) *Proof { return delayed() }
	s := c.whole(support)
	tries := 0
	for began := c.clock.now(); c.clock.now().Sub(began) < proveFor+2*time.Hour; tries++ {
		k, err := c.desk.Store.SignIn(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if k.Step.HasEnded() {
			break
		}
		if wait := k.NextTryAt.Sub(c.clock.now()); wait > time.Hour {
			t.Fatalf("the next try is in %v", wait)
		} else {
			c.clock.pass(wait)
		}
		c.work()
	}
	c.wantStep(c.signInNow(s.ID), postroom.SignInRefused, "did not answer")
	if tries > 200 {
		t.Errorf("it was tried %d times", tries)
	}
	if g := c.grant(s.Grant); g.EndedAt.IsZero() {
		t.Errorf("the grant is %+v", g)
	}
}

func TestWhereNothingOpensTheMailboxItsReaderGoesOnTrying(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	c.proof = func(postroom.Mailbox) *Proof { return delayed() }
	s := c.whole(support)
	c.wantStep(s, postroom.SignInProven)
	if c.kept().Grant != s.Grant || !c.kept().WorkedAt.IsZero() {
		t.Errorf("the mailbox has %+v", c.kept())
	}
	p, err := c.desk.SignInByID(t.Context(), appAdmin, s.ID)
	if err != nil || p.Opened {
		t.Errorf("the page is told %+v, %v", p, err)
	}
	c.proof = nil
	s = c.whole(support)
	if p, err = c.desk.SignInByID(t.Context(), appAdmin, s.ID); err != nil || !p.Opened {
		t.Errorf("once it has opened, the page is told %+v, %v", p, err)
	}
}

func TestWhatHasToBePutRightInTheMailboxCostsNoSecondSignIn(t *testing.T) {
	t.Parallel()
	off := &postroom.Fault{Kind: postroom.NeedsRepair, Class: postroom.IMAPDisabled, FixBy: postroom.FixByMailboxAdmin, Explanation: "IMAP is off.", Remedy: "Switch it on."}
	c := openCounter(t, simulator.GoogleOAuth)
	c.proof = func(postroom.Mailbox) *Proof { return &Proof{Fault: off} }
	s := c.whole(support)
	c.wantStep(s, postroom.SignInProven)
	if c.kept().Grant != s.Grant || !c.kept().WorkedAt.IsZero() {
		t.Errorf("the mailbox has %+v", c.kept())
	}
	// One that the server itself does not let in is no sign-in.
	c = openCounter(t, simulator.GoogleOAuth)
	c.proof = func(postroom.Mailbox) *Proof { return &Proof{Fault: refusedWith("Not this one.", "Sign in again.")} }
	c.wantStep(c.whole(support), postroom.SignInRefused, "Not this one")
}

func TestAMailboxThatCannotSendIsReadAllTheSame(t *testing.T) {
	t.Parallel()
	off := &postroom.Fault{Kind: postroom.NeedsRepair, Class: postroom.SMTPAuthDisabled, FixBy: postroom.FixByMailboxAdmin, Explanation: "Sending is off.", Remedy: "Switch it on."}
	c := openCounter(t, simulator.MicrosoftOAuth)
	c.proof = func(postroom.Mailbox) *Proof { return &Proof{Reads: true, Fault: off} }
	s := c.whole(support)
	c.wantStep(s, postroom.SignInProven)
	if c.kept().Grant != s.Grant || c.kept().WorkedAt.IsZero() {
		t.Errorf("the mailbox has %+v", c.kept())
	}
	// What does both is not given up for what only reads.
	again := c.whole(support)
	c.wantStep(again, postroom.SignInRefused, "Sending is off")
	if c.kept().Grant != s.Grant {
		t.Error("what opened the mailbox was replaced")
	}
}

func TestARefusalByTheMailboxLeavesWhatOpensIt(t *testing.T) {
	bothKinds(t, func(c *counter) {
		c.wantStep(c.whole(support), postroom.SignInProven)
		before := c.kept()
		c.proof = func(postroom.Mailbox) *Proof {
			return &Proof{Fault: &postroom.Fault{Kind: postroom.NeedsRepair, Class: postroom.IMAPDisabled, FixBy: postroom.FixByMailboxAdmin, Explanation: "IMAP is off.", Remedy: "Switch it on."}, Report: []byte(`{}`)}
		}
		s := c.whole(support)
		c.wantStep(s, postroom.SignInRefused, "IMAP is off")
		if now := c.kept(); now.Grant != before.Grant {
			c.Error("what opened the mailbox was replaced")
		}
		if g := c.grant(s.Grant); g.Revocation != postroom.RevocationShared {
			c.Errorf("revoking %q would end the grant that works", g.Revocation)
		}
	})
}

func TestOfTwoSignInsTheLaterOneCounts(t *testing.T) {
	bothKinds(t, func(c *counter) {
		first := c.back(c.signIn(c.send(c.begin()), support), support)
		second := c.back(c.signIn(c.send(c.begin()), support), support)
		c.wantStep(second, postroom.SignInProposed)
		// The later one is proven first.
		k, err := c.desk.Store.SignIn(c.Context(), second.ID)
		if err != nil {
			c.Fatal(err)
		}
		c.desk.lookAfter(c.Context(), k)
		c.wantStep(c.signInNow(second.ID), postroom.SignInProven)
		c.work()
		c.wantStep(c.signInNow(first.ID), postroom.SignInRefused, "later sign-in")
		if c.kept().Grant != c.signInNow(second.ID).Grant || c.grant(c.signInNow(first.ID).Grant).EndedAt.IsZero() {
			c.Error("the earlier one counts")
		}
	})
}

func TestAPasswordGivesWayToASignInAndTheMailboxStaysItself(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	password := pass
	c.mailbox = c.add(joe, &password)
	was := c.kept()
	if was.Kind != postroom.CredentialPassword {
		t.Fatal("it has no password")
	}
	s := c.whole(joe)
	c.wantStep(s, postroom.SignInProven)
	m, err := c.desk.Store.Mailbox(t.Context(), c.mailbox.ID)
	if err != nil || m.ID != c.mailbox.ID || c.kept().Kind != postroom.CredentialOAuth || len(c.kept().Sealed) != 0 {
		t.Errorf("the mailbox is %+v, %v", m, err)
	}
	// And back.
	if err := c.desk.Store.SaveCredential(t.Context(), m.ID, store.NewCredential{Kind: postroom.CredentialAppPassword, Seal: func(id postroom.MailboxID) ([]byte, error) {
		return c.desk.Keeper.Seal(id, postroom.Hide(pass))
	}}); err != nil {
		t.Fatal(err)
	}
	if g := c.grant(s.Grant); g.EndedAt.IsZero() || g.Revocation != postroom.RevocationDue {
		t.Errorf("the grant is %+v", g)
	}
	v, err := c.desk.Credential(t.Context(), appAdmin, m.ID)
	if err != nil || v.Kind != postroom.CredentialAppPassword || v.Grant != nil || len(v.Former) != 1 || v.Former[0].App == "" {
		t.Errorf("the view is %+v, %v", v, err)
	}
}

func TestAPasswordThatIsEnteredAfterASignInStays(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.MicrosoftOAuth)
	c.wantStep(c.whole(support), postroom.SignInProven)
	c.proof = func(postroom.Mailbox) *Proof { return delayed() }
	c.clock.pass(-2 * time.Minute) // the database has a clock of its own
	s := c.whole(support)
	c.wantStep(s, postroom.SignInProposed)
	if err := c.desk.Store.SaveCredential(t.Context(), c.mailbox.ID, store.NewCredential{Kind: postroom.CredentialAppPassword, Seal: func(id postroom.MailboxID) ([]byte, error) {
		return c.desk.Keeper.Seal(id, postroom.Hide(pass))
	}}); err != nil {
		t.Fatal(err)
	}
	c.proof = nil
	c.clock.pass(time.Hour)
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInRefused, "password was entered")
	if c.kept().Kind != postroom.CredentialAppPassword || c.grant(s.Grant).EndedAt.IsZero() {
		t.Errorf("the mailbox has %+v", c.kept())
	}
}

func TestAMailboxThatIsRemovedMeanwhileIsNotOpened(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	s := c.back(c.signIn(c.send(c.begin()), support), support)
	if err := c.desk.Store.DeleteMailbox(t.Context(), c.mailbox.ID, false); err != nil {
		t.Fatal(err)
	}
	c.work()
	c.sweep()
	s = c.signInNow(s.ID)
	c.wantStep(s, postroom.SignInRefused)
	if g := c.grant(s.Grant); g.EndedAt.IsZero() {
		t.Errorf("the grant is %+v", g)
	}
}

func TestRunProvesWhatIsProposedAtOnceAndAfterARestart(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	early := c.back(c.signIn(c.send(c.begin()), support), support) // before anybody runs
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := c.desk.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	await := func(id postroom.SignInID) {
		t.Helper()
		for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			if s := c.signInNow(id); s.Step.HasEnded() {
				c.wantStep(s, postroom.SignInProven)
				return
			}
			if time.Since(began) > 4*time.Second {
				t.Fatal("nobody proves it")
			}
		}
	}
	await(early.ID)
	await(c.back(c.signIn(c.send(c.begin()), support), support).ID)
	stop()
	running.Wait()
}

func TestAStopGivesUpWhatIsUnderWayAndTheNextProcessGoesOn(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	s := c.back(c.signIn(c.send(c.begin()), support), support)
	ctx, stop := context.WithCancel(t.Context())
	c.proof = func(postroom.Mailbox) *Proof {
		stop()
		return delayed()
	}
	claimed, err := c.desk.claim(ctx, 1)
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claimed are %+v, %v", claimed, err)
	}
	c.desk.lookAfter(ctx, claimed[0])
	c.wantStep(c.signInNow(s.ID), postroom.SignInProposed)
	c.proof = nil
	c.work() // at once
	c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
}

func TestTwoProcessesProveEachSignInOnce(t *testing.T) {
	t.Parallel()
	o := store.Options{URL: testbed.Postgres(t)}
	if err := store.Migrate(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	open := func() *store.DB {
		db, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	c := openCounterWith(t, open(), simulator.GoogleOAuth)
	var begun []postroom.SignInID
	for i := range 25 {
		address := fmt.Sprintf("box%d@example.net", i)
		c.provider.AddAccount(address, pass)
		c.mailbox = c.add(address, nil)
		refresh, ok := c.oauth.Allow(address, clientID, "openid", "email", allMail)
		if !ok {
			t.Fatal("the provider does not know the account")
		}
		s, err := c.desk.Bring(t.Context(), appAdmin, c.mailbox.ID, c.app.ID, postroom.Hide(refresh))
		if err != nil {
			t.Fatal(err)
		}
		begun = append(begun, s.ID)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, db := range []*store.DB{c.desk.Store, open()} {
		keeper := &Keeper{Store: db, Ring: c.desk.Keeper.Ring, Registration: c.desk.Apps.Registration, Client: c.desk.Client, Now: c.clock.now}
		d := &Desk{Store: db, Keeper: keeper, Apps: c.desk.Apps, Client: c.desk.Client, Prove: c.prove, Now: c.clock.now, Log: c.desk.Log}
		running.Go(func() {
			if err := d.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	for _, id := range begun {
		for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			if s := c.signInNow(id); s.Step.HasEnded() {
				c.wantStep(s, postroom.SignInProven)
				break
			}
			if time.Since(began) > 20*time.Second {
				t.Fatal("nobody proves it")
			}
		}
	}
	stop()
	running.Wait()
	slices.Sort(c.tried)
	if once := slices.Compact(slices.Clone(c.tried)); len(c.tried) != len(begun) || len(once) != len(begun) {
		t.Errorf("%d mailboxes were tried %d times", len(once), len(c.tried))
	}
}
