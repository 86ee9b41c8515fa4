package credential

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
)

func TestSomebodySignsInAndTheMailboxOpens(t *testing.T) {
	bothKinds(t, func(c *counter) {
		s := c.whole(support)
		c.wantStep(s, postroom.SignInProven)
		kept := c.kept()
		if kept.Kind != postroom.CredentialOAuth || kept.Grant != s.Grant || kept.WorkedAt.IsZero() || c.wakes == 0 {
			c.Errorf("the credential is %+v after sign-in %+v", kept, s)
		}
		g := c.grant(s.Grant)
		if !g.Account.Is(support) || g.AdoptedAt.IsZero() || !g.HasRefresh || g.Way != postroom.GrantByCode || len(g.Scopes) == 0 {
			c.Errorf("the grant is %+v", g)
		}
		k, err := c.desk.Store.SignIn(c.Context(), s.ID)
		if err != nil || k.Sealed != nil || !strings.Contains(string(k.Report), "true") {
			c.Errorf("after it the sign-in holds secrets (%t) and the report %s: %v", k.Sealed != nil, k.Report, err)
		}
		v, err := c.desk.Credential(c.Context(), appAdmin, c.mailbox.ID)
		if err != nil || v.Grant == nil || v.App == nil || v.Provider == "" || len(v.SignIns) != 1 || v.Since.IsZero() {
			c.Errorf("the view is %+v, %v", v, err)
		}
	})
}

func TestTheProviderIsAskedForTheMailboxsAccount(t *testing.T) {
	bothKinds(t, func(c *counter) {
		b := c.begin()
		sent, err := c.desk.Send(c.Context(), startOf(b), here)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(sent.Address)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if q.Get("login_hint") != support || q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != here+"/oauth/callback" || q.Get("nonce") == "" {
			c.Errorf("the browser is sent to %v", q)
		}
		k, err := c.desk.Store.SignIn(c.Context(), b.SignIn.ID)
		if err != nil || strings.Contains(string(k.Sealed), q.Get("nonce")) || sent.Lasts <= 0 || !strings.HasPrefix(sent.Cookie, CookiePrefix) {
			c.Errorf("sent %+v, kept %v", sent, err)
		}
	})
}

func TestWhatSomebodyDeclinesIsNotForced(t *testing.T) {
	bothKinds(t, func(c *counter) {
		p := c.enter(c.send(c.begin()), "password", pass)
		s := c.back(c.enter(p, "do", "decline"), support)
		c.wantStep(s, postroom.SignInRefused)
		if s.Fault.Class != postroom.ConsentMissing || s.Fault.Remedy == "" {
			c.Errorf("declined is %+v", s.Fault)
		}
		if c.kept().Grant != 0 {
			c.Error("something was adopted")
		}
	})
}

func TestABoxThatWasLeftEmptyIsNamed(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	p := c.enter(c.send(c.begin()), "password", pass)
	s := c.back(c.enter(p, "do", "allow"), support) // without the box
	c.wantStep(s, postroom.SignInRefused, "Read, compose, send", "tick")
	if g := c.grant(s.Grant); g.EndedAt.IsZero() || g.Revocation != postroom.RevocationDue {
		c.Errorf("what was allowed is kept: %+v", g)
	}
	b, err := c.desk.AgainByID(c.Context(), appAdmin, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	s = c.back(c.signIn(c.send(b), support), support)
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
	c.nothingLeaked()
}

func TestAStateWorksOnceInTheBrowserThatWasSentAndForTenMinutes(t *testing.T) {
	bothKinds(t, func(c *counter) {
		b := c.begin()
		p := c.signIn(c.send(b), support)
		// Another browser.
		for _, cookies := range [][]postroom.Secret{nil, {postroom.Hide("x"), postroom.Hide(startOf(b) + ".x")}} {
			_, err := c.desk.Return(c.Context(), p.back, cookies...)
			c.wantFault(err, postroom.Forbidden, "another browser")
		}
		// A state that nobody made, and what is no answer at all.
		_, err := c.desk.Return(c.Context(), url.Values{"state": {"made up"}, "code": {"x"}}, c.cookies...)
		c.wantFault(err, postroom.NotFound, "once more")
		_, err = c.desk.Return(c.Context(), url.Values{"foo": {"bar"}}, c.cookies...)
		c.wantFault(err, postroom.Invalid, "not the end of a sign-in")
		s := c.back(p, support)
		c.wantStep(s, postroom.SignInProposed)
		asked := c.oauth.Requests()["authorization_code"]
		again := c.back(p, support) // a reload
		if again.ID != s.ID || c.oauth.Requests()["authorization_code"] != asked {
			c.Error("a reload exchanged the code again")
		}
		c.work()
		c.wantStep(c.signInNow(s.ID), postroom.SignInProven)
		c.wantStep(c.back(p, support), postroom.SignInProven)

		late := c.begin()
		c.clock.pass(SignInLasts - time.Second)
		p = c.signIn(c.send(late), support)
		c.clock.pass(SignInLasts)
		c.wantStep(c.back(p, support), postroom.SignInRefused, "within its time")
		if sent, err := c.desk.Send(c.Context(), startOf(late), here); err != nil || sent.Address != "" || sent.Result != late.Result {
			c.Errorf("the start of a sign-in that has ended leads to %+v, %v", sent, err)
		}
	})
}

func TestAStartThatIsOpenedAgainAndAgainEndsAllTheSame(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	b := c.begin()
	for range 4 {
		c.send(b)
		c.clock.pass(SignInLasts - time.Minute)
	}
	sent, err := c.desk.Send(t.Context(), startOf(b), here)
	if err != nil || sent.Address != "" {
		t.Errorf("after 36 minutes it leads to %+v, %v", sent, err)
	}
	c.wantStep(c.signInNow(b.SignIn.ID), postroom.SignInRefused)
}

func TestOpeningTheStartAgainBeginsAnew(t *testing.T) {
	bothKinds(t, func(c *counter) {
		b := c.begin()
		old := c.signIn(c.send(b), support)
		oldCookies := c.cookies
		c.newBrowser()
		p := c.signIn(c.send(b), support)
		_, err := c.desk.Return(c.Context(), old.back, oldCookies...)
		c.wantFault(err, postroom.NotFound, "begun anew")
		c.wantStep(c.back(p, support), postroom.SignInProposed)
	})
}

func TestOfTwoReturnsAtTheSameTimeOneExchanges(t *testing.T) {
	bothKinds(t, func(c *counter) {
		p := c.signIn(c.send(c.begin()), support)
		asked := c.oauth.Requests()["authorization_code"]
		var both sync.WaitGroup
		var ids [4]postroom.SignInID
		for i := range ids {
			both.Go(func() {
				back, err := c.desk.Return(c.Context(), p.back, c.cookies...)
				if err != nil {
					c.Errorf("Return: %v", err)
				}
				ids[i] = back.SignIn.ID
			})
		}
		both.Wait()
		if n := c.oauth.Requests()["authorization_code"] - asked; n != 1 {
			c.Errorf("the code was exchanged %d times", n)
		}
		c.work()
		c.wantStep(c.signInNow(ids[0]), postroom.SignInProven)
	})
}

func TestAnAnswerFromAnotherProviderIsNotUsed(t *testing.T) {
	bothKinds(t, func(c *counter) {
		p := c.signIn(c.send(c.begin()), support)
		p.back.Set("iss", "https://evil.example.net")
		asked := c.oauth.Requests()["authorization_code"]
		s := c.back(p, support)
		c.wantStep(s, postroom.SignInRefused, "did not come from")
		if c.oauth.Requests()["authorization_code"] != asked {
			c.Error("the code was sent off all the same")
		}
	})
}

func TestACodeOfAnotherSignInIsRefused(t *testing.T) {
	bothKinds(t, func(c *counter) {
		first := c.signIn(c.send(c.begin()), support)
		second := c.signIn(c.send(c.begin()), support)
		second.back.Set("code", first.back.Get("code")) // injected
		c.wantStep(c.back(second, support), postroom.SignInRefused)
		c.wantStep(c.back(first, support), postroom.SignInProposed)
	})
}

func TestAnAddressThatSomebodyCopiedIsAsGoodAsTheBrowser(t *testing.T) {
	bothKinds(t, func(c *counter) {
		b, other := c.begin(), c.begin()
		if !b.Pastes {
			c.Error("nobody is told to copy the address")
		}
		p := c.signIn(c.send(b), support)
		address := here + "/oauth/callback?" + p.back.Encode()
		_, err := c.desk.Paste(c.Context(), startOf(other), address, c.cookies...)
		c.wantFault(err, postroom.Invalid, "another sign-in")
		_, err = c.desk.Paste(c.Context(), startOf(b), here, c.cookies...)
		c.wantFault(err, postroom.Invalid, "copy all of it")
		back, err := c.desk.Paste(c.Context(), startOf(b), "  "+address+" \n", c.cookies...)
		if err != nil {
			c.Fatal(err)
		}
		c.wantStep(back.SignIn, postroom.SignInProposed)
		if back.Result != b.Result {
			c.Errorf("the result is at %q, want %q", back.Result, b.Result)
		}
	})
}

func TestARefreshTokenIsAskedForAgainWithConsent(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	if _, err := c.desk.Apps.Change(c.Context(), appAdmin, c.app.ID, func(a *postroom.OAuthApp) error {
		a.ExtraParams = map[string]string{"access_type": "offline"} // no consent each time
		return nil
	}, nil); err != nil {
		t.Fatal(err)
	}
	c.wantStep(c.whole(support), postroom.SignInProven)
	pages := c.oauth.Requests()["authorize"]
	c.wantStep(c.whole(support), postroom.SignInProven) // Google gives none the second time
	if n := c.oauth.Requests()["authorize"] - pages; n != 2 {
		c.Errorf("the provider was asked %d times, want twice", n)
	}
	// And where there is none in any case:
	if _, err := c.desk.Apps.Change(c.Context(), appAdmin, c.app.ID, func(a *postroom.OAuthApp) error {
		a.ExtraParams = map[string]string{"prompt": "consent"}
		return nil
	}, nil); err != nil {
		t.Fatal(err)
	}
	before := c.kept().Grant
	s := c.whole(support)
	c.wantStep(s, postroom.SignInRefused, "myaccount.google.com")
	if c.kept().Grant != before {
		t.Error("what opened the mailbox was replaced")
	}
	c.nothingLeaked()
}

func TestAnOutageOfTheTokenEndpointAsksForPatience(t *testing.T) {
	bothKinds(t, func(c *counter) {
		p := c.signIn(c.send(c.begin()), support)
		c.oauth.SetFaults(simulator.OAuthFaults{Status: 503, Body: "busy", ContentType: "text/plain", Times: 1})
		c.wantStep(c.back(p, support), postroom.SignInProposed) // the second try
		p = c.signIn(c.send(c.begin()), support)
		c.oauth.SetFaults(simulator.OAuthFaults{Status: 503, Body: "busy", ContentType: "text/plain"})
		s := c.back(p, support)
		c.oauth.SetFaults()
		c.wantStep(s, postroom.SignInRefused)
		if s.Fault.Kind != postroom.Delayed {
			c.Errorf("the fault is %s: %v", s.Fault.Kind, s.Fault)
		}
	})
}

func TestOnlyTheOwnerAndAdministratorsSignIn(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	s := c.begin().SignIn
	for name, by := range map[string]postroom.Viewer{
		"an agent": {User: 7, Role: postroom.RoleAgent}, "a token that reads": {Scope: postroom.ScopeRead}, "nobody": {},
		"another owner": {User: 8, Role: postroom.RoleOwner},
	} {
		_, err := c.desk.Begin(t.Context(), by, c.mailbox.ID, c.app.ID)
		_, second := c.desk.SignInByID(t.Context(), by, s.ID)
		_, third := c.desk.Credential(t.Context(), by, c.mailbox.ID)
		_, fourth := c.desk.Bring(t.Context(), by, c.mailbox.ID, c.app.ID, postroom.Hide("x"))
		_, _, fifth := c.desk.BeginDevice(t.Context(), by, c.mailbox.ID, c.app.ID)
		_, sixth := c.desk.Ask(t.Context(), by, []postroom.MailboxID{c.mailbox.ID}, 0, AskOptions{})
		for _, err := range []error{err, second, third, fourth, fifth, sixth} {
			if postroom.KindOf(err) != postroom.Forbidden {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestASignInThatWasInterruptedSaysSo(t *testing.T) {
	bothKinds(t, func(c *counter) {
		for _, point := range []string{"returned", "exchanged"} {
			p := c.signIn(c.send(c.begin()), support)
			if !c.crash(point, func() { _, _ = c.desk.Return(c.Context(), p.back, c.cookies...) }) {
				c.Fatalf("%s was not reached", point)
			}
			list, err := c.desk.Store.SignIns(c.Context(), c.mailbox.ID, 1)
			if err != nil {
				c.Fatal(err)
			}
			c.wantStep(list[0].SignIn, postroom.SignInReturned)
			c.sweep()
			c.wantStep(c.signInNow(list[0].ID), postroom.SignInReturned)
			c.clock.pass(exchangeLost)
			c.sweep()
			c.wantStep(c.signInNow(list[0].ID), postroom.SignInRefused, "was stopped in the middle")
		}
		// Once it is proposed nothing is lost, wherever it ends.
		for _, point := range []string{"proposed", "proving"} {
			p := c.signIn(c.send(c.begin()), support)
			if !c.crash(point, func() {
				_, _ = c.desk.Return(c.Context(), p.back, c.cookies...)
				c.work()
			}) {
				c.Fatalf("%s was not reached", point)
			}
			c.clock.pass(claimLasts)
			c.work()
			list, err := c.desk.Store.SignIns(c.Context(), c.mailbox.ID, 1)
			if err != nil {
				c.Fatal(err)
			}
			c.wantStep(list[0].SignIn, postroom.SignInProven)
		}
	})
}

// crash does something in a process that ends at a point.
func (c *counter) crash(point string, do func()) (reached bool) {
	c.Helper()
	c.at = func(at string) {
		if at == point {
			panic(interruption{at})
		}
	}
	defer func() {
		c.at = nil
		switch cause := recover().(type) {
		case nil:
		case interruption:
			reached = true
		default:
			panic(cause)
		}
	}()
	do()
	return false
}

func TestOldSignInsAreForgotten(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	s := c.whole(support)
	begun := c.begin()
	c.send(begun)
	c.clock.pass(SignInLasts + time.Second)
	c.sweep()
	c.wantStep(c.signInNow(begun.SignIn.ID), postroom.SignInRefused)
	if k, err := c.desk.Store.SignIn(t.Context(), begun.SignIn.ID); err != nil || k.Sealed != nil {
		t.Errorf("its secrets are kept: %v", err)
	}
	c.clock.pass(keepFor)
	c.sweep()
	if _, err := c.desk.Store.SignIn(t.Context(), s.ID); postroom.KindOf(err) != postroom.NotFound {
		t.Errorf("after 30 days it is %v", err)
	}
	if c.kept().Grant == 0 {
		t.Error("what opens the mailbox was forgotten too")
	}
}

func TestAnAnswerToAnotherSignInIsKnownByItsNonce(t *testing.T) {
	bothKinds(t, func(c *counter) {
		b := c.begin()
		p := c.signIn(c.send(b), support)
		k, err := c.desk.Store.SignIn(c.Context(), b.SignIn.ID)
		if err != nil {
			c.Fatal(err)
		}
		said, err := c.desk.open(k)
		if err != nil {
			c.Fatal(err)
		}
		c.secrets = append(c.secrets, said.Nonce, said.Verifier)
		said.Nonce = "of another one"
		sealed, err := c.desk.seal(k.ID, said)
		if err != nil {
			c.Fatal(err)
		}
		err = c.desk.Store.SendSignIn(c.Context(), k.ID, k.Step, store.Sending{
			State: hashOf(p.back.Get("state")), Browser: [32]byte(k.BrowserHash), RedirectURL: k.RedirectURL, Scopes: k.Scopes, Sealed: sealed, Expires: k.ExpiresAt,
		})
		if err != nil {
			c.Fatal(err)
		}
		s := c.back(p, support)
		c.wantStep(s, postroom.SignInRefused, "does not belong to this sign-in")
	})
}

func TestWhatAnAdministratorMustAllowIsSaidWithTheLink(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.MicrosoftOAuth)
	c.oauth.RequireAdminConsent(true)
	p := c.enter(c.send(c.begin()), "password", pass)
	s := c.back(c.enter(p, "do", "decline"), support) // "Return to the application"
	c.wantStep(s, postroom.SignInRefused)
	c.clock.pass(time.Minute)

	back, err := c.desk.Return(t.Context(), url.Values{"admin_consent": {"True"}, "tenant": {simulator.OAuthTenant}, "state": {"of a link"}})
	if err != nil || !back.Allowed || back.Tenant != simulator.OAuthTenant {
		t.Errorf("an administrator comes back to %+v, %v", back, err)
	}
	c.nothingLeaked()
}

func TestTheEndOfAGrantInTestingIsKnown(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	c.oauth.SetTesting(true)
	s := c.whole(support)
	c.wantStep(s, postroom.SignInProven)
	if ends := c.grant(s.Grant).RefreshExpiresAt; ends.Sub(c.clock.now()).Round(time.Hour) != 7*24*time.Hour {
		t.Errorf("it ends at %v, it is %v", ends, c.clock.now())
	}
}

func TestNobodyBeginsSignInsWithoutEnd(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	for range 100 {
		c.begin()
	}
	_, err := c.desk.Begin(t.Context(), appAdmin, c.mailbox.ID, c.app.ID)
	c.wantFault(err, postroom.TooMany, "ten minutes")
	c.clock.pass(SignInLasts)
	c.sweep()
	c.begin()
}

func TestNoSecretOfASignInIsInTheDatabaseInClear(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := store.Options{Path: filepath.Join(dir, "postroom.db")}
	if err := store.Migrate(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c := openCounterWith(t, db, simulator.MicrosoftOAuth)
	c.wantStep(c.whole(support), postroom.SignInProven)
	waiting := c.begin()
	c.send(waiting)
	secret := c.linkSecret(c.ask(AskOptions{}))
	if _, err := c.desk.BeginByLink(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	s, _ := c.device()
	for _, id := range []postroom.SignInID{waiting.SignIn.ID, s.ID} {
		k, err := db.SignIn(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		said, err := c.desk.open(k)
		if err != nil {
			t.Fatal(err)
		}
		c.secrets = append(c.secrets, said.Verifier, said.Nonce, said.Device)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var kept []byte
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, text...)
	}
	if !bytes.Contains(kept, []byte(support)) {
		t.Fatal("the database was not read")
	}
	for _, secret := range c.secrets {
		if len(secret) > 5 && bytes.Contains(kept, []byte(secret)) {
			t.Errorf("a secret of %d characters is kept in clear", len(secret))
		}
	}
}
