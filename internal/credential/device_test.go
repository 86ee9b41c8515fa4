package credential

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// confirm types the code on another device, and answers there.
func (c *counter) confirm(shown Shown, user, do string) {
	c.Helper()
	c.newBrowser()
	p := c.page(c.browser.Get(shown.VerifyURL))
	for range 8 {
		switch {
		case strings.Contains(p.text, `id="user_code"`):
			p = c.enter(p, "user_code", shown.UserCode)
		case strings.Contains(p.text, `id="choose"`):
			p = c.enter(p, "do", "other")
		case strings.Contains(p.text, `id="identifier"`):
			p = c.enter(p, "identifier", user)
		case strings.Contains(p.text, `id="password"`):
			p = c.enter(p, "password", pass)
		case strings.Contains(p.text, `id="allow"`):
			form := url.Values{"flow": {flowField.FindStringSubmatch(p.text)[1]}, "do": {do}, "scope": {allMail}}
			_ = c.page(c.browser.PostForm(c.oauth.URL+"/signin", form))
			return
		default:
			c.Fatalf("stuck at %s", p.text)
		}
	}
	c.Fatal("no end of pages")
}

func (c *counter) device() (postroom.SignIn, Shown) {
	c.Helper()
	s, shown, err := c.desk.BeginDevice(c.Context(), appAdmin, c.mailbox.ID, c.app.ID)
	if err != nil {
		c.Fatal(err)
	}
	if shown.UserCode == "" || shown.VerifyURL == "" || !shown.Expires.After(c.clock.now()) {
		c.Fatalf("shown is %+v", shown)
	}
	return s, shown
}

func TestSomebodySignsInOnAnotherDevice(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.MicrosoftOAuth) // Google gives devices no mail
	s, shown := c.device()
	c.work() // too early
	c.clock.pass(10 * time.Second)
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInSent)
	if n := c.oauth.Requests()["urn:ietf:params:oauth:grant-type:device_code"]; n != 1 {
		t.Errorf("the provider was asked %d times, want once", n)
	}
	p, err := c.desk.SignInByID(t.Context(), appAdmin, s.ID)
	if err != nil || p.Shown == nil || p.Shown.UserCode != shown.UserCode {
		t.Errorf("after a restart it shows %+v, %v", p.Shown, err)
	}
	c.confirm(shown, support, "allow")
	c.clock.pass(10 * time.Second)
	c.work()
	s = c.signInNow(s.ID)
	c.wantStep(s, postroom.SignInProven)
	if g := c.grant(s.Grant); g.Way != postroom.GrantByDevice || !g.Account.Is(support) {
		t.Errorf("the grant is %+v", g)
	}
	c.nothingLeaked()
}

func TestADeviceThatDeclinesOrWaitsTooLongEndsTheSignIn(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.MicrosoftOAuth)
	s, shown := c.device()
	c.confirm(shown, support, "decline")
	c.clock.pass(10 * time.Second)
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInRefused)

	s, shown = c.device()
	c.clock.pass(shown.Expires.Sub(c.clock.now()) + time.Second)
	c.work()
	c.wantStep(c.signInNow(s.ID), postroom.SignInRefused, "within its time")
}

func TestADeviceIsAskedAboutLessOftenWhileTheProviderIsAway(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.MicrosoftOAuth)
	s, _ := c.device()
	c.oauth.SetFaults(simulator.OAuthFaults{Status: 503})
	for range 60 {
		c.clock.pass(5 * time.Second)
		c.work()
	}
	c.wantStep(c.signInNow(s.ID), postroom.SignInSent)
	if n := c.oauth.Requests()["urn:ietf:params:oauth:grant-type:device_code"]; n < 3 || n > 10 {
		t.Errorf("the provider was asked %d times in five minutes", n)
	}
}

func TestAProviderWithoutDevicesSaysSo(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	_, _, err := c.desk.BeginDevice(t.Context(), appAdmin, c.mailbox.ID, c.app.ID)
	if _, ok := postroom.FaultOf(err); !ok {
		t.Errorf("at Google it is %v", err)
	}
	if _, err := c.desk.Apps.Change(t.Context(), appAdmin, c.app.ID, func(a *postroom.OAuthApp) error {
		a.DeviceURL = ""
		return nil
	}, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err = c.desk.BeginDevice(t.Context(), appAdmin, c.mailbox.ID, c.app.ID)
	c.wantFault(err, postroom.Invalid, "does not offer")
}
