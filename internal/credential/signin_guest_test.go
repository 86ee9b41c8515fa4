package credential

import (
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
)

// guest begins a sign-in by a link to support's mailbox, and goes through it as user.
func (c *counter) guest(user string) (Begun, postroom.SignIn) {
	c.Helper()
	b, err := c.desk.BeginByLink(c.Context(), c.linkSecret(c.ask(AskOptions{})))
	if err != nil {
		c.Fatal(err)
	}
	return b, c.back(c.signIn(c.send(b), user), user)
}

func TestAGuestDoesNotDecideThatAnotherAccountIsReadInPlaceOfTheMailbox(t *testing.T) {
	bothKinds(t, func(c *counter) {
		b, s := c.guest(joe)
		c.wantStep(s, postroom.SignInAsking)
		p, err := c.desk.SignIn(c.Context(), startOf(b))
		if err != nil || slices.Contains(p.Choices, ChoiceAlias) || !slices.Contains(p.Choices, ChoiceOther) {
			c.Errorf("a guest may say %v, %v", p.Choices, err)
		}
		_, err = c.desk.Answer(c.Context(), startOf(b), ChoiceAlias)
		c.wantFault(err, postroom.Forbidden, "administrator")
		c.work()
		if got := c.signInNow(s.ID); got.Step != postroom.SignInAsking || c.kept().Grant != 0 {
			c.Fatalf("it went on: %s, grant %s", got.Step, c.kept().Grant)
		}
		// An administrator may.
		if p, err = c.desk.SignInByID(c.Context(), appAdmin, s.ID); err != nil || !slices.Contains(p.Choices, ChoiceAlias) {
			c.Errorf("an administrator may say %v, %v", p.Choices, err)
		}
		if _, err := c.desk.AnswerByID(c.Context(), appAdmin, s.ID, ChoiceAlias); err != nil {
			c.Fatal(err)
		}
		c.work()
		c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
	})
}

func TestAGuestOpensASharedMailboxWhereTheServerChecksIt(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.MicrosoftOAuth)
	b, s := c.guest(joe)
	c.wantStep(s, postroom.SignInAsking)
	if _, err := c.desk.Answer(t.Context(), startOf(b), ChoiceShared); err != nil {
		t.Fatal(err)
	}
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInRefused) // support is not joe's to open
	c.oauth.Share(support, joe)
	c.newBrowser()
	b, s = c.guest(joe)
	if _, err := c.desk.Answer(t.Context(), startOf(b), ChoiceShared); err != nil {
		t.Fatal(err)
	}
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInProven)

	// A server that nobody knows may well open the account's own mailbox, whatever name
	// it is given.
	if got := choicesOf(guestSays, postroom.GenericProvider, c.mailbox, postroom.Account{Address: joe}); !slices.Equal(got, []Choice{ChoiceOther}) {
		t.Errorf("at a provider of its own a guest may say %v", got)
	}
}

func TestANameThatAnAccountGivesItselfOpensNothingForAGuest(t *testing.T) {
	t.Parallel()
	m := postroom.Mailbox{Address: support, Incoming: postroom.IncomingSettings{ServerSettings: postroom.ServerSettings{Username: support}}}
	// Anybody can have an organisation of their own at Microsoft, and say there that their
	// mail address is this one.
	eve := postroom.Account{Subject: "7", Tenant: "t", Address: support, Others: []string{far}}
	at := func(id, tenant string) Registration {
		return Registration{OAuthApp: postroom.OAuthApp{Provider: id, Tenant: tenant}, OAuth: oauth.App{Tenant: tenant}}
	}
	tests := map[string]struct {
		reg     Registration
		by      postroom.UserID
		account postroom.Account
		want    []string
	}{
		"a guest from any organisation":               {at("microsoft365", ""), 0, eve, []string{""}},
		"a guest from any organisation, as it says":   {at("microsoft365", "organizations"), 0, eve, []string{""}},
		"a guest from the organisation of the app":    {at("microsoft365", simulator.OAuthTenant), 0, eve, []string{"", far}},
		"a guest at a provider that nobody knows":     {at("generic", ""), 0, eve, []string{""}},
		"a guest with another name of the same place": {at("generic", ""), 0, postroom.Account{Address: support, Others: []string{joe}}, []string{"", joe}},
		"somebody who lives here":                     {at("microsoft365", ""), 4, eve, []string{"", far}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, a := range attemptsFor(m, test.account, "", namesBy(test.reg, m, test.by)) {
				got = append(got, a.incoming)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("it is tried as %q, want %q", got, test.want)
			}
		})
	}
}

func TestOfTwoSignInsByOneLinkTheSecondOpensNothing(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	a := c.ask(AskOptions{})
	secret := c.linkSecret(a)
	var both []Begun
	for range 2 {
		b, err := c.desk.BeginByLink(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, b)
	}
	pages := []page{c.signIn(c.send(both[0]), support)}
	second := c.signIn(c.send(both[1]), support)
	first := c.back(pages[0], support)
	c.work()
	c.wantStep(c.signInNow(first.ID), postroom.SignInProven)
	late := c.back(second, support)
	c.work()
	late = c.signInNow(late.ID)
	c.wantStep(late, postroom.SignInRefused)
	if c.kept().Grant != c.signInNow(first.ID).Grant || c.grant(late.Grant).EndedAt.IsZero() {
		t.Errorf("the mailbox is opened by %s", c.kept().Grant)
	}
}

func TestALinkThatIsTakenBackEndsWhatIsBeingProven(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	a := c.ask(AskOptions{})
	b, err := c.desk.BeginByLink(t.Context(), c.linkSecret(a))
	if err != nil {
		t.Fatal(err)
	}
	s := c.back(c.signIn(c.send(b), support), support)
	c.wantStep(s, postroom.SignInProposed)
	if err := c.desk.RevokeLink(t.Context(), appAdmin, a.Link.ID); err != nil {
		t.Fatal(err)
	}
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInRefused, "taken back")
	if g := c.grant(s.Grant); g.EndedAt.IsZero() || c.kept().Grant != 0 {
		t.Errorf("the grant is %+v", g)
	}
}

func TestLinksOfARemovedMailboxStayClosedWhenItComesBack(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	a := c.ask(AskOptions{})
	if err := c.desk.Store.DeleteMailbox(t.Context(), c.mailbox.ID, false); err != nil {
		t.Fatal(err)
	}
	m, err := c.desk.Store.Mailbox(t.Context(), c.mailbox.ID)
	if postroom.KindOf(err) != postroom.NotFound {
		t.Fatalf("it is %+v, %v", m, err)
	}
	_, err = c.desk.Store.ContinueMailbox(t.Context(), c.mailbox.ID, c.mailbox, postroom.CredentialOAuth, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.desk.BeginByLink(t.Context(), c.linkSecret(a))
	c.wantFault(err, postroom.Conflict, "taken back")
}

func TestAPasswordThatIsEnteredWhileASignInIsTriedStays(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	c.desk.Keeper.Now = nil // as in production
	entered := false
	c.proof = func(postroom.Mailbox) *Proof {
		entered = true
		err := c.desk.Store.SaveCredential(t.Context(), c.mailbox.ID, store.NewCredential{Kind: postroom.CredentialPassword, Seal: func(id postroom.MailboxID) ([]byte, error) {
			return c.desk.Keeper.Seal(id, postroom.Hide(pass))
		}})
		if err != nil {
			t.Error(err)
		}
		return nil
	}
	s := c.whole(support)
	c.wantStep(s, postroom.SignInRefused, "password")
	if !entered || c.kept().Kind != postroom.CredentialPassword {
		t.Errorf("it is opened by a %s", c.kept().Kind)
	}
}

func TestASignInIsDatedByTheClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	for name, apart := range map[string]time.Duration{"ahead of it": 3 * time.Minute, "behind it": -3 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := openCounter(t, simulator.GoogleOAuth)
			c.desk.Keeper.Now = nil // as in production
			c.clock.pass(apart - time.Minute)
			s := c.back(c.signIn(c.send(c.begin()), support), support)
			g := c.grant(s.Grant)
			if off := time.Since(g.SignedInAt).Abs(); off > 30*time.Second {
				t.Errorf("it was given %v from now", off)
			}
			if lasts := time.Until(g.AccessExpiresAt); lasts < 59*time.Minute || lasts > 61*time.Minute {
				t.Errorf("it lasts for %v, want an hour", lasts)
			}
		})
	}
}

func TestAGuestWhoBeginsWithoutEndKeepsNobodyElseOut(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	secret := c.linkSecret(c.ask(AskOptions{}))
	var err error
	for range 101 {
		_, err = c.desk.BeginByLink(t.Context(), secret)
	}
	c.wantFault(err, postroom.TooMany, "ten minutes")
	c.begin()
	if _, err := c.desk.BeginByLink(t.Context(), c.linkSecret(c.ask(AskOptions{}))); err != nil {
		t.Errorf("by another link: %v", err)
	}
}
