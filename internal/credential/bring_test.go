package credential

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

func TestARefreshTokenObtainedElsewhereIsTriedAndProven(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	bring := func(user string) (postroom.SignIn, error) {
		refresh, ok := c.oauth.Allow(user, clientID, "openid", "email", allMail)
		if !ok {
			t.Fatal("the provider does not know the account")
		}
		c.secrets = append(c.secrets, refresh)
		return c.desk.Bring(t.Context(), appAdmin, c.mailbox.ID, c.app.ID, postroom.Hide(" "+refresh+"\n"))
	}
	s, err := bring(support)
	if err != nil {
		t.Fatal(err)
	}
	c.wantStep(s, postroom.SignInProposed)
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
	if g := c.grant(c.kept().Grant); g.Way != postroom.GrantBrought || !g.HasRefresh || !g.Account.Is(support) {
		t.Errorf("the grant is %+v", g)
	}
	before := c.kept().Grant
	_, err = bring(far)
	c.wantFault(err, postroom.NeedsSignIn, far)
	_, err = c.desk.Bring(t.Context(), appAdmin, c.mailbox.ID, c.app.ID, postroom.Hide("made up"))
	c.wantFault(err, postroom.Invalid, "")
	_, err = c.desk.Bring(t.Context(), appAdmin, c.mailbox.ID, c.app.ID, postroom.Secret{})
	c.wantFault(err, postroom.Invalid, "missing")
	c.oauth.SetFaults(simulator.OAuthFaults{Status: 503})
	_, err = c.desk.Bring(t.Context(), appAdmin, c.mailbox.ID, c.app.ID, postroom.Hide("made up"))
	c.wantFault(err, postroom.Delayed, "")
	if c.kept().Grant != before {
		t.Error("what opens the mailbox was replaced")
	}
	c.nothingLeaked()
}

func TestARegistrationThatNeedsNobodyOpensEveryMailbox(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.MicrosoftOAuth)
	app := c.register(simulator.MicrosoftOAuth, postroom.AppClient)
	c.clock.pass(time.Minute)
	for _, address := range []string{support, joe} {
		if address == joe {
			c.mailbox = c.add(joe, nil)
		}
		s, err := c.desk.Bring(t.Context(), appAdmin, c.mailbox.ID, app.ID, postroom.Secret{})
		if err != nil {
			t.Fatal(err)
		}
		c.work()
		c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
		if g := c.grant(c.kept().Grant); g.Way != postroom.GrantByApp || g.HasRefresh {
			t.Errorf("the grant is %+v", g)
		}
	}
	_, err := c.desk.Bring(t.Context(), appAdmin, c.mailbox.ID, app.ID, postroom.Hide("a token"))
	c.wantFault(err, postroom.Invalid, "in its own name")
	_, err = c.desk.Begin(t.Context(), appAdmin, c.mailbox.ID, app.ID)
	c.wantFault(err, postroom.Invalid, "nobody signs in")
	before := c.kept().Grant
	c.oauth.ExpireSecret(clientID)
	s, err := c.desk.Bring(t.Context(), appAdmin, c.mailbox.ID, app.ID, postroom.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	c.work()
	s = c.signInNow(s.ID)
	c.wantStep(s, postroom.SignInRefused)
	if s.Fault.Kind != postroom.NeedsRepair || c.kept().Grant != before {
		t.Errorf("with a secret that has ended: %+v", s.Fault)
	}
	c.nothingLeaked()
}

func TestAServiceAccountOpensTheMailboxesOfItsDomain(t *testing.T) {
	t.Parallel()
	const email = "postroom@project.example"
	c := openCounter(t, simulator.GoogleOAuth, func(o *simulator.OAuthOptions) {
		o.ServiceAccounts = []simulator.OAuthServiceAccount{{Email: email, Key: rsaKey().Public(), Domains: []string{"example.net"}, Scopes: []string{allMail}}}
	})
	app, err := c.desk.Apps.Add(t.Context(), appAdmin, NewApp{
		OAuthApp: postroom.OAuthApp{Name: "Domain", Provider: "google_workspace", Kind: postroom.AppServiceAccount, TokenURL: c.oauth.TokenURL},
		Secret:   postroom.Hide(keyFile(t, email, c.oauth.TokenURL)),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.clock.pass(time.Minute)
	s, err := c.desk.Bring(t.Context(), appAdmin, c.mailbox.ID, app.ID, postroom.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
	c.mailbox = c.add(far, nil)
	if s, err = c.desk.Bring(t.Context(), appAdmin, c.mailbox.ID, app.ID, postroom.Secret{}); err != nil {
		t.Fatal(err)
	}
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInRefused)
	c.nothingLeaked()
}
