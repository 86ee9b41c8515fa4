package store

import (
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

var signInNoon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func secretHash(text string) [32]byte { return sha256.Sum256([]byte(text)) }

// signIn keeps a sign-in that begins by a secret.
func (g *grantsTest) signIn(m postroom.MailboxID, start string, more ...func(*NewSignIn)) postroom.SignIn {
	g.Helper()
	n := NewSignIn{
		SignIn: postroom.SignIn{
			Mailbox: m, App: g.app, Way: postroom.GrantByCode, Step: postroom.SignInBegun,
			CreatedAt: signInNoon, ExpiresAt: signInNoon.Add(10 * time.Minute),
		},
		Start: secretHash(start), Scopes: []string{"mail", "openid"},
		Seal: func(id postroom.SignInID) ([]byte, error) { return []byte("sealed " + id.String()), nil },
	}
	for _, change := range more {
		change(&n)
	}
	s, err := g.db.AddSignIn(g.Context(), n)
	g.must(err)
	return s
}

// sent has a browser sent off with a state.
func (g *grantsTest) sent(id postroom.SignInID, from postroom.SignInStep, state string) error {
	return g.db.SendSignIn(g.Context(), id, from, Sending{
		State: secretHash(state), Browser: secretHash("browser"), RedirectURL: "https://post.example.net/oauth/callback",
		Scopes: []string{"mail"}, Sealed: []byte("verifier"), Expires: signInNoon.Add(10 * time.Minute),
	})
}

func (g *grantsTest) kept(id postroom.SignInID) KeptSignIn {
	g.Helper()
	k, err := g.db.SignIn(g.Context(), id)
	g.must(err)
	return k
}

// proposal is what an account has brought for a mailbox.
func (g *grantsTest) proposal(m postroom.MailboxID, account string, step postroom.SignInStep) Proposal {
	return Proposal{Step: step, At: signInNoon, Grant: NewGrant{
		Grant:      postroom.Grant{Mailbox: m, App: g.app, Way: postroom.GrantByCode, Account: postroom.Account{Subject: account, Address: account + "@example.net", Others: []string{"x"}}, Scopes: []string{"mail"}},
		AccountKey: account,
		Seal: func(postroom.GrantID) (SealedTokens, error) {
			return SealedTokens{Refresh: []byte("refresh"), Access: []byte("access")}, nil
		},
	}}
}

// returned goes the way up to the exchange of the code.
func (g *grantsTest) returned(m postroom.MailboxID, start string) postroom.SignIn {
	g.Helper()
	s := g.signIn(m, start)
	g.must(g.sent(s.ID, postroom.SignInBegun, "state of "+start))
	g.must(g.db.ReturnSignIn(g.Context(), s.ID, secretHash("state of "+start), signInNoon.Add(time.Minute)))
	return s
}

func TestASignInIsKeptAsItGoes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, ctx := newGrantsTest(t, db), t.Context()
		m := g.mailbox("a@example.net")
		s := g.signIn(m, "start")
		if s.WasState != postroom.MailboxDraft || s.Again || s.ID == 0 {
			t.Errorf("begun is %+v", s)
		}
		k := g.kept(s.ID)
		if cmp.Diff(k.SignIn, s) != "" || string(k.Sealed) != "sealed "+s.ID.String() || len(k.Scopes) != 2 || k.BrowserHash != nil {
			t.Errorf("kept is %+v\n%s", k, cmp.Diff(k.SignIn, s))
		}
		if by, err := db.SignInByStart(ctx, secretHash("start")); err != nil || by.ID != s.ID {
			t.Errorf("by its start it is %+v, %v", by.SignIn, err)
		}
		g.must(g.sent(s.ID, postroom.SignInBegun, "first"))
		g.must(g.sent(s.ID, postroom.SignInSent, "second")) // another browser
		if _, err := db.SignInByState(ctx, secretHash("first")); postroom.KindOf(err) != postroom.NotFound {
			t.Errorf("the state before: %v", err)
		}
		k, err := db.SignInByState(ctx, secretHash("second"))
		if err != nil || k.ID != s.ID || k.Step != postroom.SignInSent || len(k.BrowserHash) != 32 || string(k.Sealed) != "verifier" || k.RedirectURL == "" {
			t.Errorf("sent is %+v, %v", k, err)
		}
		if err := db.ReturnSignIn(ctx, s.ID, secretHash("first"), signInNoon); !errors.Is(err, ErrSignInMoved) {
			t.Errorf("return with the state before: %v", err)
		}
		g.must(db.ReturnSignIn(ctx, s.ID, secretHash("second"), signInNoon.Add(time.Minute)))
		if k = g.kept(s.ID); k.Step != postroom.SignInReturned || k.Sealed != nil {
			t.Errorf("returned is %+v", k)
		}
		if err := g.sent(s.ID, postroom.SignInSent, "third"); !errors.Is(err, ErrSignInMoved) {
			t.Errorf("sent once more: %v", err)
		}
		id, err := db.ProposeSignIn(ctx, s.ID, g.proposal(m, "ana", postroom.SignInProposed))
		g.must(err)
		if k = g.kept(s.ID); k.Step != postroom.SignInProposed || k.Grant != id || k.Account.Address != "ana@example.net" || len(k.Account.Others) != 1 {
			t.Errorf("proposed is %+v", k)
		}
		if _, err := db.ProposeSignIn(ctx, s.ID, g.proposal(m, "eve", postroom.SignInProposed)); !errors.Is(err, ErrSignInMoved) {
			t.Errorf("proposed twice: %v", err)
		}
		g.must(db.PutOffSignIn(ctx, s.ID, &postroom.Fault{Kind: postroom.Delayed, Explanation: "Later.", Remedy: "Wait."}, []byte(`{"n":1}`), signInNoon.Add(time.Hour)))
		if k = g.kept(s.ID); k.Tries != 1 || k.Fault == nil || string(k.Report) != `{"n":1}` || !k.NextTryAt.Equal(signInNoon.Add(time.Hour)) {
			t.Errorf("put off is %+v", k)
		}
		g.must(db.AdoptGrant(ctx, Adoption{Grant: id, SignIn: s.ID, Report: []byte(`{"n":2}`)}))
		if k = g.kept(s.ID); k.Step != postroom.SignInProven || k.Fault != nil || k.EndedAt.IsZero() || string(k.Report) != `{"n":2}` {
			t.Errorf("proven is %+v", k)
		}
		for what, err := range map[string]error{
			"refuse":  db.RefuseSignIn(ctx, s.ID, nil, nil, signInNoon),
			"put off": db.PutOffSignIn(ctx, s.ID, nil, nil, signInNoon),
			"answer":  db.AnswerSignIn(ctx, s.ID, "alias", signInNoon),
			"poll":    db.PollSignIn(ctx, s.ID, "{}", signInNoon),
		} {
			if !errors.Is(err, ErrSignInMoved) {
				t.Errorf("%s after its end: %v", what, err)
			}
		}
		if !g.grant(id).EndedAt.IsZero() {
			t.Error("what was adopted has ended")
		}
		if list, err := db.SignIns(ctx, m, 10); err != nil || len(list) != 1 {
			t.Errorf("the list is %+v, %v", list, err)
		}
	})
}

func TestARefusedSignInEndsWhatItBrought(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, ctx := newGrantsTest(t, db), t.Context()
		m := g.mailbox("a@example.net")
		f := &postroom.Fault{Kind: postroom.NeedsSignIn, Explanation: "No.", Remedy: "Again."}

		at := g.returned(m, "at once")
		p := g.proposal(m, "eve", postroom.SignInRefused)
		p.Fault = f
		id, err := db.ProposeSignIn(ctx, at.ID, p)
		g.must(err)
		g.wantEnd(id, postroom.RevocationDue)
		if k := g.kept(at.ID); k.Step != postroom.SignInRefused || k.Fault == nil || k.EndedAt.IsZero() {
			t.Errorf("refused is %+v", k)
		}

		later := g.returned(m, "later")
		id, err = db.ProposeSignIn(ctx, later.ID, g.proposal(m, "joe", postroom.SignInAsking))
		g.must(err)
		if claimed, err := db.ClaimSignIns(ctx, signInNoon.Add(time.Hour), signInNoon.Add(2*time.Hour), 10); err != nil || len(claimed) != 0 {
			t.Errorf("claimed before anybody answered: %+v, %v", claimed, err)
		}
		g.must(db.AnswerSignIn(ctx, later.ID, "shared", signInNoon))
		if err := db.AnswerSignIn(ctx, later.ID, "alias", signInNoon); !errors.Is(err, ErrSignInMoved) {
			t.Errorf("answered twice: %v", err)
		}
		if k := g.kept(later.ID); k.Answer != "shared" || k.Step != postroom.SignInProposed {
			t.Errorf("answered is %+v", k)
		}
		g.must(db.RefuseSignIn(ctx, later.ID, f, []byte(`{}`), signInNoon))
		g.wantEnd(id, postroom.RevocationDue)
	})
}

func TestADueSignInIsLookedAfterByOne(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, ctx := newGrantsTest(t, db), t.Context()
		const some = 20
		for i := range some {
			m := g.mailbox(string(rune('a'+i)) + "@example.net")
			s := g.returned(m, string(rune('a'+i)))
			_, err := db.ProposeSignIn(ctx, s.ID, g.proposal(m, "ana", postroom.SignInProposed))
			g.must(err)
		}
		if next, err := db.NextSignIn(ctx); err != nil || !next.Equal(signInNoon) {
			t.Errorf("the next is due at %v, %v", next, err)
		}
		var count atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range some {
					claimed, err := db.ClaimSignIns(ctx, signInNoon, signInNoon.Add(time.Minute), 3)
					if err != nil {
						t.Errorf("claim: %v", err)
					}
					count.Add(int64(len(claimed)))
				}
			})
		}
		all.Wait()
		if n := count.Load(); n != some {
			t.Errorf("%d were claimed, want each of %d once", n, some)
		}
		if claimed, err := db.ClaimSignIns(ctx, signInNoon.Add(time.Minute), signInNoon.Add(2*time.Minute), 100); err != nil || len(claimed) != some {
			t.Errorf("after the claims are over %d are claimed, %v", len(claimed), err)
		}
	})
}

func TestADeviceIsAskedAboutWhenItIsTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, ctx := newGrantsTest(t, db), t.Context()
		m := g.mailbox("a@example.net")
		s := g.signIn(m, "device", func(n *NewSignIn) {
			n.Way, n.Step, n.Device, n.NextTryAt = postroom.GrantByDevice, postroom.SignInSent, `{"user_code":"A"}`, signInNoon.Add(5*time.Second)
		})
		if claimed, err := db.ClaimSignIns(ctx, signInNoon, signInNoon.Add(time.Minute), 10); err != nil || len(claimed) != 0 {
			t.Errorf("too early: %+v, %v", claimed, err)
		}
		claimed, err := db.ClaimSignIns(ctx, signInNoon.Add(5*time.Second), signInNoon.Add(time.Minute), 10)
		if err != nil || len(claimed) != 1 || claimed[0].Device != `{"user_code":"A"}` || claimed[0].Sealed == nil {
			t.Fatalf("in time: %+v, %v", claimed, err)
		}
		g.must(db.PollSignIn(ctx, s.ID, `{"user_code":"B"}`, signInNoon.Add(20*time.Second)))
		if next, err := db.NextSignIn(ctx); err != nil || !next.Equal(signInNoon.Add(20*time.Second)) {
			t.Errorf("the next is due at %v, %v", next, err)
		}
		_, err = db.ProposeSignIn(ctx, s.ID, g.proposal(m, "ana", postroom.SignInProposed))
		g.must(err)
		if k := g.kept(s.ID); k.Sealed != nil || k.Step != postroom.SignInProposed {
			t.Errorf("proposed is %+v", k)
		}
	})
}

func TestOldSignInsEndAndAreForgotten(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, ctx := newGrantsTest(t, db), t.Context()
		m := g.mailbox("a@example.net")
		begun, returned, asking, proposed := g.signIn(m, "1"), g.returned(m, "2"), g.returned(m, "3"), g.returned(m, "4")
		device := g.signIn(m, "5", func(n *NewSignIn) {
			n.Way, n.Step, n.Device, n.NextTryAt = postroom.GrantByDevice, postroom.SignInSent, `{}`, signInNoon
		})
		grant, err := db.ProposeSignIn(ctx, asking.ID, g.proposal(m, "joe", postroom.SignInAsking))
		g.must(err)
		_, err = db.ProposeSignIn(ctx, proposed.ID, g.proposal(m, "ana", postroom.SignInProposed))
		g.must(err)
		sweep := func(now time.Time) int {
			t.Helper()
			ended, err := db.SweepSignIns(ctx, SignInLimits{
				Now: now, Late: &postroom.Fault{Explanation: "late"}, Interrupted: &postroom.Fault{Explanation: "interrupted"},
				Unanswered: &postroom.Fault{Explanation: "unanswered"}, UnansweredSince: now.Add(-24 * time.Hour), Forget: now.Add(-30 * 24 * time.Hour),
			})
			g.must(err)
			return ended
		}
		want := func(id postroom.SignInID, words string) {
			t.Helper()
			k := g.kept(id)
			if words == "" && !k.EndedAt.IsZero() || words != "" && (k.Fault == nil || k.Fault.Explanation != words || k.Step != postroom.SignInRefused || k.Sealed != nil) {
				t.Errorf("sign-in %s is %s with %v, want %q", id, k.Step, k.Fault, words)
			}
		}
		if n := sweep(signInNoon.Add(59 * time.Second)); n != 0 {
			t.Errorf("%d have ended before their time", n)
		}
		sweep(signInNoon.Add(time.Minute))
		want(returned.ID, "interrupted")
		want(begun.ID, "")
		sweep(signInNoon.Add(10 * time.Minute))
		want(begun.ID, "late")
		want(device.ID, "") // whoever asks about it ends it
		sweep(signInNoon.Add(20 * time.Minute))
		want(device.ID, "late")
		want(asking.ID, "")
		sweep(signInNoon.Add(24 * time.Hour))
		want(asking.ID, "unanswered")
		g.wantEnd(grant, postroom.RevocationDue)
		want(proposed.ID, "")
		sweep(signInNoon.Add(31 * 24 * time.Hour))
		if list, err := db.SignIns(ctx, m, 10); err != nil || len(list) != 1 || list[0].ID != proposed.ID {
			t.Errorf("left are %+v, %v", list, err)
		}
	})
}

func TestWhatArrivedSinceASignInBeganIsCounted(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, p := newGrantsTest(t, db), newPostman(t, db, "one")
		box, other := p.mailbox("support"), p.mailbox("sales")
		p.put(box, "before", letterOf("before"))
		s := g.signIn(box, "start")
		if s.After == 0 {
			t.Errorf("begun is %+v", s)
		}
		p.put(box, "first", letterOf("first"))
		p.bring(box, "second", true)
		p.put(other, "elsewhere", letterOf("elsewhere"))
		if n, err := db.ArrivedAfter(t.Context(), box, s.After); err != nil || n != 2 {
			t.Errorf("%d have arrived, %v, want 2", n, err)
		}
	})
}

func TestALinkIsUsedWhenItsSignInIsProven(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, ctx := newGrantsTest(t, db), t.Context()
		m := g.mailbox("a@example.net")
		link := func(secret, to string) postroom.SignInLink {
			t.Helper()
			l, err := db.AddSignInLink(ctx, postroom.SignInLink{Mailbox: m, App: g.app, SentTo: to, CreatedAt: signInNoon, ExpiresAt: signInNoon.Add(time.Hour)},
				secretHash(secret), func(id postroom.SignInLinkID) ([]byte, error) { return []byte(secret + id.String()), nil })
			g.must(err)
			return l
		}
		l := link("secret", "")
		k, err := db.SignInLinkByHash(ctx, secretHash("secret"))
		if err != nil || k.ID != l.ID || string(k.Sealed) != "secret"+l.ID.String() || !k.IsOpen(signInNoon) {
			t.Fatalf("kept is %+v, %v", k, err)
		}
		g.must(db.RecordLinkOpened(ctx, l.ID, signInNoon))
		g.must(db.RecordLinkOpened(ctx, l.ID, signInNoon.Add(time.Minute)))
		s := g.signIn(m, "start", func(n *NewSignIn) { n.Link = l.ID })
		g.must(g.sent(s.ID, postroom.SignInBegun, "state"))
		g.must(db.ReturnSignIn(ctx, s.ID, secretHash("state"), signInNoon.Add(time.Minute)))
		grant, err := db.ProposeSignIn(ctx, s.ID, g.proposal(m, "ana", postroom.SignInProposed))
		g.must(err)
		if k, err = db.SignInLink(ctx, l.ID); err != nil || !k.UsedAt.IsZero() || !k.OpenedAt.Equal(signInNoon) {
			t.Errorf("before it is proven the link is %+v, %v", k, err)
		}
		g.must(db.AdoptGrant(ctx, Adoption{Grant: grant, SignIn: s.ID}))
		if k, err = db.SignInLink(ctx, l.ID); err != nil || k.UsedAt.IsZero() || k.Sealed != nil {
			t.Errorf("afterwards it is %+v, %v", k, err)
		}
		if ok, err := db.RevokeSignInLink(ctx, l.ID, nil, signInNoon); err != nil || ok {
			t.Errorf("a used link was revoked: %v", err)
		}

		first, second := link("first", "a@example.org"), link("second", "a@example.org")
		if k, err = db.SignInLink(ctx, first.ID); err != nil || k.RevokedAt.IsZero() || k.Sealed != nil {
			t.Errorf("of two to one address the first is %+v, %v", k, err)
		}
		g.must(db.RecordLinkSent(ctx, second.ID, "a@example.org", signInNoon))
		if k, err = db.SignInLink(ctx, second.ID); err != nil || !k.SentAt.Equal(signInNoon) || !k.RemindedAt.IsZero() {
			t.Errorf("sent is %+v, %v", k, err)
		}
		g.must(db.RecordLinkSent(ctx, second.ID, "b@example.org", signInNoon.Add(time.Minute)))
		if k, err = db.SignInLink(ctx, second.ID); err != nil || !k.SentAt.Equal(signInNoon) || !k.RemindedAt.Equal(signInNoon.Add(time.Minute)) || k.SentTo != "b@example.org" {
			t.Errorf("reminded is %+v, %v", k, err)
		}
		begun := g.signIn(m, "by link", func(n *NewSignIn) { n.Link = second.ID })
		if ok, err := db.RevokeSignInLink(ctx, second.ID, &postroom.Fault{Explanation: "taken back"}, signInNoon); err != nil || !ok {
			t.Errorf("revoke: %v, %v", ok, err)
		}
		if k := g.kept(begun.ID); k.Step != postroom.SignInRefused || k.Fault.Explanation != "taken back" {
			t.Errorf("the sign-in that it began is %+v", k)
		}
		list, next, err := db.SignInLinks(ctx, LinkFilter{Mailbox: m, Now: signInNoon, Limit: 2})
		if err != nil || len(list) != 2 || next == "" || list[0].ID != second.ID || list[0].Address != "a@example.net" {
			t.Errorf("the list is %+v, %q, %v", list, next, err)
		}
		if list, next, err = db.SignInLinks(ctx, LinkFilter{Mailbox: m, Now: signInNoon, Limit: 2, Cursor: next}); err != nil || len(list) != 1 || next != "" {
			t.Errorf("its end is %+v, %q, %v", list, next, err)
		}
		if list, _, err = db.SignInLinks(ctx, LinkFilter{Open: true, Now: signInNoon}); err != nil || len(list) != 0 {
			t.Errorf("open are %+v, %v", list, err)
		}
		// Who has signed in otherwise meanwhile need not be reminded.
		other := g.mailbox("b@example.net")
		_, err = db.AddSignInLink(ctx, postroom.SignInLink{Mailbox: other, App: g.app, CreatedAt: signInNoon, ExpiresAt: signInNoon.Add(time.Hour)}, secretHash("b"), func(postroom.SignInLinkID) ([]byte, error) { return nil, nil })
		g.must(err)
		if list, _, err = db.SignInLinks(ctx, LinkFilter{Open: true, Now: signInNoon}); err != nil || len(list) != 1 || list[0].SignedIn {
			t.Errorf("open are %+v, %v", list, err)
		}
		g.adopt(g.propose(other, "bert"))
		if list, _, err = db.SignInLinks(ctx, LinkFilter{Open: true, Now: signInNoon}); err != nil || len(list) != 0 {
			t.Errorf("open are %+v, %v", list, err)
		}
		if list, _, err = db.SignInLinks(ctx, LinkFilter{Mailbox: other, Now: signInNoon}); err != nil || len(list) != 1 || !list[0].SignedIn {
			t.Errorf("the list is %+v, %v", list, err)
		}
		_, err = db.AddSignInLink(ctx, postroom.SignInLink{Mailbox: 999, App: g.app, CreatedAt: signInNoon, ExpiresAt: signInNoon}, secretHash("none"), func(postroom.SignInLinkID) ([]byte, error) { return nil, nil })
		if postroom.KindOf(err) != postroom.NotFound {
			t.Errorf("a link for no mailbox: %v", err)
		}
	})
}
