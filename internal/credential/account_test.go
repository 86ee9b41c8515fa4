package credential

import (
	"slices"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

func TestWhichAccountsAreOneAndTheSame(t *testing.T) {
	tests := map[string]struct {
		provider, a, b string
		want           bool
	}{
		"letters' case":                  {"microsoft365", "Anna@Example.NET", "anna@example.net", true},
		"what follows a plus":            {"google_workspace", "anna+paris@example.net", "anna@example.net", true},
		"a plus alone":                   {"gmail", "+anna@gmail.com", "anna@gmail.com", false},
		"dots at Gmail":                  {"gmail", "a.n.n.a@gmail.com", "anna@gmail.com", true},
		"Gmail's two names":              {"gmail", "an.na+x@googlemail.com", "anna@gmail.com", true},
		"dots in a company's own domain": {"google_workspace", "an.na@example.net", "anna@example.net", false},
		"dots at Microsoft":              {"outlook_com", "an.na@outlook.com", "anna@outlook.com", false},
		"an international domain":        {"generic", "info@münchen.example", "info@xn--mnchen-3ya.example", true},
		"another person":                 {"gmail", "bert@gmail.com", "anna@gmail.com", false},
		"another domain":                 {"generic", "anna@example.org", "anna@example.net", false},
		"nothing":                        {"generic", "", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := isSameAccount(test.provider, test.a, test.b); got != test.want {
				t.Errorf("isSameAccount(%q, %q) = %v", test.a, test.b, got)
			}
			if got := isSameAccount(test.provider, test.b, test.a); got != test.want {
				t.Errorf("isSameAccount(%q, %q) = %v, otherwise round", test.b, test.a, got)
			}
		})
	}
}

func TestWhoMaySignInForAMailboxIsKnownByEachOfItsNames(t *testing.T) {
	m := postroom.Mailbox{Address: "support@example.net"}
	m.Incoming.Username = "recent:shared@example.net"
	m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Username: "joe@example.net"}}
	tests := map[string]struct {
		account, was postroom.Account
		want         relation
	}{
		"its address":           {account: postroom.Account{Address: "SUPPORT@example.net"}, want: accountSame},
		"an alias":              {account: postroom.Account{Address: "x@example.net", Others: []string{"support@example.net"}}, want: accountSame},
		"its user name":         {account: postroom.Account{Address: "shared@example.net"}, want: accountSame},
		"who sends":             {account: postroom.Account{Address: "joe@example.net"}, want: accountSame},
		"who was let in before": {account: postroom.Account{Address: "new@example.net", Issuer: "i", Subject: "7"}, was: postroom.Account{Address: "old@example.net", Issuer: "i", Subject: "7"}, want: accountSame},
		"another issuer's 7":    {account: postroom.Account{Address: "new@example.net", Issuer: "j", Subject: "7"}, was: postroom.Account{Address: "old@example.net", Issuer: "i", Subject: "7"}, want: accountOther},
		"nobody knows":          {account: postroom.Account{Subject: "7"}, want: accountUnknown},
		"somebody else":         {account: postroom.Account{Address: "eve@example.net"}, want: accountOther},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := relate("microsoft365", m, test.account, test.was); got != test.want {
				t.Errorf("relate = %s, want %s", got, test.want)
			}
		})
	}
}

func TestTheWrongAccountIsRefusedWhereItCannotOpenTheMailbox(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	s := c.whole(far)
	c.wantStep(s, postroom.SignInRefused, far, support, "Use another account")
	if g := c.grant(s.Grant); g.EndedAt.IsZero() || g.Revocation != postroom.RevocationDue {
		t.Errorf("what it allowed is %+v", g)
	}
	// Again, the provider lets them choose.
	b, err := c.desk.AgainByID(t.Context(), appAdmin, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	s = c.back(c.signIn(c.send(b), support), support)
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
	// Also where the right one has allowed it before, and gets nothing to stay signed in
	// with unless it is asked for.
	c.newBrowser()
	s = c.whole(far)
	c.wantStep(s, postroom.SignInRefused, far)
	if b, err = c.desk.AgainByID(t.Context(), appAdmin, s.ID); err != nil {
		t.Fatal(err)
	}
	s = c.back(c.signIn(c.send(b), support), support)
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
	c.nothingLeaked()
}

func TestAnotherAccountIsAskedAbout(t *testing.T) {
	bothKinds(t, func(c *counter) {
		s := c.whole(joe)
		c.wantStep(s, postroom.SignInAsking)
		p, err := c.desk.SignInByID(c.Context(), appAdmin, s.ID)
		if err != nil || p.Address != support || p.SignIn.Account.Address != joe || !slices.Contains(p.Choices, ChoiceOther) || !p.CanRetry {
			c.Fatalf("the page is told %+v, %v", p, err)
		}
		if len(c.tried) > 0 || c.kept().Grant != 0 {
			c.Error("it was tried before anybody answered")
		}
		if _, err := c.desk.AnswerByID(c.Context(), appAdmin, s.ID, "nonsense"); postroom.KindOf(err) != postroom.Invalid {
			c.Errorf("a made-up answer: %v", err)
		}
		p, err = c.desk.AnswerByID(c.Context(), appAdmin, s.ID, ChoiceOther)
		if err != nil {
			c.Fatal(err)
		}
		c.wantStep(p.SignIn, postroom.SignInRefused, joe, support)
		again, err := c.desk.AnswerByID(c.Context(), appAdmin, s.ID, ChoiceAlias)
		if err != nil || again.SignIn.Step != postroom.SignInRefused {
			c.Errorf("answered twice: %+v, %v", again.SignIn, err)
		}
		if g := c.grant(s.Grant); g.EndedAt.IsZero() {
			c.Errorf("the grant is %+v", g)
		}
	})
}

func TestASharedMailboxIsOpenedBySomebodyWhoSendsAsThemselves(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.MicrosoftOAuth)
	c.oauth.Share(support, joe)
	b := c.begin()
	s := c.back(c.signIn(c.send(b), joe), joe)
	c.wantStep(s, postroom.SignInAsking)
	if _, err := c.desk.Answer(t.Context(), startOf(b), ChoiceShared); err != nil {
		t.Fatal(err)
	}
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
	m, err := c.desk.Store.Mailbox(t.Context(), c.mailbox.ID)
	if err != nil || m.Incoming.Username != support || m.Outgoing.Username != joe {
		t.Errorf("it is opened as %q and sends as %q, %v", m.Incoming.Username, m.Outgoing.Username, err)
	}
	// Signing in again, joe is who is expected, and nobody is asked.
	c.mailbox = m
	p, err := c.desk.SignInByID(t.Context(), appAdmin, c.begin().SignIn.ID)
	if err != nil || p.Expected != joe {
		t.Errorf("expected is %q, %v", p.Expected, err)
	}
	c.newBrowser()
	c.wantStep(c.whole(joe), postroom.SignInProven)
	c.nothingLeaked()
}

func TestAnAccountThatMayNotOpenTheMailboxIsRefusedWhateverAnybodySays(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.MicrosoftOAuth)
	s := c.whole(joe)
	if _, err := c.desk.AnswerByID(t.Context(), appAdmin, s.ID, ChoiceShared); err != nil {
		t.Fatal(err)
	}
	c.work()
	s = c.signInNow(s.ID)
	c.wantStep(s, postroom.SignInRefused)
	if g := c.grant(s.Grant); g.EndedAt.IsZero() || c.kept().Grant != 0 {
		t.Errorf("the grant is %+v", g)
	}
	if p, err := c.desk.SignInByID(t.Context(), appAdmin, s.ID); err != nil || string(p.Report) != `{"ok":false}` {
		t.Errorf("the report is %s, %v", p.Report, err)
	}
}

func TestAnotherNameOfTheAccountIsOpenedAsTheAccount(t *testing.T) {
	bothKinds(t, func(c *counter) {
		alias := "help@example.net" // which the provider knows for sending to only
		c.mailbox = c.add(alias, nil)
		s := c.back(c.signIn(c.send(c.begin()), joe), joe)
		c.wantStep(s, postroom.SignInAsking)
		if _, err := c.desk.AnswerByID(c.Context(), appAdmin, s.ID, ChoiceAlias); err != nil {
			c.Fatal(err)
		}
		c.work()
		c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
		m, err := c.desk.Store.Mailbox(c.Context(), c.mailbox.ID)
		if err != nil || m.Incoming.Username != joe || m.Outgoing.Username != joe || m.Address != alias {
			c.Errorf("it is opened as %q and sends as %q, %v", m.Incoming.Username, m.Outgoing.Username, err)
		}
	})
}

func TestWhereNobodySaysWhoSignedInTheMailboxDecides(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	var err error
	c.app, err = c.desk.Apps.Add(t.Context(), appAdmin, NewApp{
		OAuthApp: postroom.OAuthApp{
			Name: "A server of our own", Provider: postroom.GenericProvider, Kind: postroom.AppSignIn, ClientID: clientID,
			AuthorizeURL: c.oauth.AuthorizeURL, TokenURL: c.oauth.TokenURL, Scopes: []string{allMail},
			ExtraParams: map[string]string{"access_type": "offline", "prompt": "consent"},
		}, Secret: postroom.Hide(deskSecret),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := c.whole(support)
	c.wantStep(s, postroom.SignInProven)
	if s.Account.Address != "" {
		t.Errorf("the account is %+v", s.Account)
	}
	before := c.kept().Grant
	c.newBrowser()
	c.wantStep(c.whole(joe), postroom.SignInRefused)
	if c.kept().Grant != before {
		t.Error("what opened the mailbox was replaced")
	}
	c.nothingLeaked()
}

func TestANameThatOpensTheMailboxIsKept(t *testing.T) {
	bothKinds(t, func(c *counter) {
		const alias = "info@example.net"
		c.oauth.SetAliases(joe, alias)
		c.mailbox = c.add(alias, nil)
		s := c.back(c.signIn(c.send(c.begin()), joe), joe)
		if s.Step == postroom.SignInAsking {
			if _, err := c.desk.AnswerByID(c.Context(), appAdmin, s.ID, ChoiceAlias); err != nil {
				c.Fatal(err)
			}
		}
		c.work()
		c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
		m, err := c.desk.Store.Mailbox(c.Context(), c.mailbox.ID)
		if err != nil || m.Incoming.Username != alias || m.Outgoing.Username != alias {
			c.Errorf("it is opened as %q and sends as %q, %v", m.Incoming.Username, m.Outgoing.Username, err)
		}
	})
}

func TestASignInNameThatIsNotTheAddressIsNoOtherAccount(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.MicrosoftOAuth)
	const upn = "s.upport@corp.example.net"
	c.oauth.SetUPN(support, upn)
	s := c.whole(support)
	c.wantStep(s, postroom.SignInProven)
	if !s.Account.Is(support) || !s.Account.Is(upn) {
		t.Errorf("the account is %+v", s.Account)
	}
	// Where the server wants that name, it is tried too, and kept.
	c.proof = func(m postroom.Mailbox) *Proof {
		if m.Incoming.Username == upn && m.Outgoing.Username == upn {
			return nil
		}
		return &Proof{Fault: refusedWith("Not by this name.", "…")}
	}
	c.wantStep(c.whole(support), postroom.SignInProven)
	m, err := c.desk.Store.Mailbox(t.Context(), c.mailbox.ID)
	if err != nil || m.Incoming.Username != upn || m.Outgoing.Username != upn {
		t.Errorf("it is opened as %q, %v", m.Incoming.Username, err)
	}
}
