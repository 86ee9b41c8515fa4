package web

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/alert"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/vault"
)

// A careOffice is an office with registrations at a pretended provider, and somebody who
// tells of what needs a person.
type careOffice struct {
	*office
	mail   *simulator.Server
	google *simulator.OAuthServer
	alerts *alert.Desk
	ahead  atomic.Int64 // of the clock of desk and pages, in nanoseconds
}

const (
	careClient     = "4711.apps.googleusercontent.com"
	careSecret     = "GOCSPX-the-secret-of-this-office"
	contactAddress = "ops@elsewhere.example"
)

// openCareOffice opens one. The pretended provider is in the place of Google.
func openCareOffice(t *testing.T) *careOffice {
	t.Helper()
	c := &careOffice{}
	var err error
	if c.mail, err = simulator.Start(simulator.Options{Gmail: true, Mechanisms: []string{"PLAIN", "XOAUTH2"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.mail.Close() })
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	if c.google, err = c.mail.StartOAuth(simulator.OAuthOptions{Kind: simulator.GoogleOAuth, Key: key}); err != nil {
		t.Fatal(err)
	}
	presets := &provider.Presets{}
	for _, id := range []string{"gmail", "google_workspace"} {
		preset, ok := presets.ByID(id)
		if !ok {
			t.Fatalf("%s is not known", id)
		}
		preset.OAuth.AuthorizeURL, preset.OAuth.TokenURL, preset.OAuth.RevokeURL = c.google.AuthorizeURL, c.google.TokenURL, c.google.RevokeURL
		preset.OAuth.DeviceURL, preset.OAuth.Issuer = c.google.DeviceURL, c.google.Issuer
	}
	c.office = openOffice(t, func(o *office) { c.equip(o, presets) })
	c.pages.Apps.Base, c.alerts.Base = c.site.URL, c.site.URL
	c.google.Register(simulator.OAuthApp{ClientID: careClient, Name: "Postroom", Secret: careSecret, RedirectURLs: []string{c.site.URL + "/oauth/callback"}})
	return c
}

func (c *careOffice) equip(o *office, presets *provider.Presets) {
	ring, err := vault.Open(vault.Source{Dir: o.TempDir()})
	if err != nil {
		o.Fatal(err)
	}
	o.pages.Presets = presets
	o.pages.Apps = &credential.Apps{Store: o.db, Ring: ring, Client: &oauth.Client{}, Presets: presets, Log: o.pages.Log}
	o.pages.Forecast = &credential.Forecast{Store: o.db, Presets: presets}
	c.alerts = &alert.Desk{Store: o.db, Ring: ring, Log: o.pages.Log, Ahead: o.pages.Forecast.Ahead}
	c.alerts.Now = func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }
	o.pages.Alerts, o.pages.Now = c.alerts, c.alerts.Now
}

func (c *careOffice) viewer() postroom.Viewer {
	return postroom.Viewer{User: c.admin.ID, Name: c.admin.Name, Role: postroom.RoleAdmin}
}

// register keeps a registration.
func (c *careOffice) register(n credential.NewApp) postroom.OAuthApp {
	c.Helper()
	app, err := c.pages.Apps.Add(c.Context(), c.viewer(), n)
	if err != nil {
		c.Fatal(err)
	}
	return app
}

// googleApp is a registration that works.
func googleApp() credential.NewApp {
	return credential.NewApp{
		OAuthApp: postroom.OAuthApp{Name: "Google for the office", Provider: "google_workspace", Kind: postroom.AppSignIn, ClientID: careClient}, Secret: postroom.Hide(careSecret),
	}
}

// later lets time go by, and has the desk look again.
func (c *careOffice) later(d time.Duration) {
	c.Helper()
	c.ahead.Add(int64(d))
	if err := c.db.SetSetting(c.Context(), "test.later", strconv.FormatInt(c.ahead.Load(), 10)); err != nil { // the desk looks when something happens
		c.Fatal(err)
	}
}

// watch has the desk look for what needs somebody, and send its notices by a relay.
func (c *careOffice) watch() {
	c.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(c.Context()))
	ended := make(chan error, 1)
	go func() { ended <- c.alerts.Run(ctx) }()
	c.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			c.Errorf("Run: %v", err)
		}
	})
}

// relay has notices leave by the pretended provider, and to an address there.
func (c *careOffice) relay() *simulator.SMTPServer {
	c.Helper()
	server, err := c.mail.StartSMTP(simulator.SMTPOptions{})
	if err != nil {
		c.Fatal(err)
	}
	c.mail.AddAccount(contactAddress, "five open red doors")
	password := postroom.Hide("five open red doors")
	err = c.alerts.SetRelay(c.Context(), c.viewer(), alert.Relay{
		ServerSettings: postroom.ServerSettings{Host: "127.0.0.1", Port: server.Port, TLS: postroom.TLSNone, Username: contactAddress}, From: contactAddress, Password: &password,
	})
	if err == nil {
		err = c.alerts.SetContact(c.Context(), c.viewer(), []string{contactAddress})
	}
	if err != nil {
		c.Fatal(err)
	}
	return server
}

// alerted waits until so many alerts are open.
func (c *careOffice) alerted(n int) []postroom.Alert {
	c.Helper()
	limit := time.Now().Add(20 * time.Second)
	for {
		open, err := c.alerts.Open(c.Context(), c.viewer())
		if err != nil {
			c.Fatal(err)
		}
		if len(open) == n {
			return open
		}
		if time.Now().After(limit) {
			c.Fatalf("%d alerts are open, want %d: %+v", len(open), n, open)
		}
		select {
		case <-c.db.Reader().Changed():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// mend has a mailbox read again.
func (c *careOffice) mend(b *box) {
	c.Helper()
	kept, err := c.db.KeptMailbox(c.Context(), b.ID)
	if err == nil {
		err = c.db.RecordHealth(c.Context(), b.fence, kept.Version)
	}
	if err != nil {
		c.Fatal(err)
	}
}

// calm lets so much time go by that trouble which is over is known to be.
func (c *careOffice) calm() {
	c.Helper()
	for range 30 {
		c.later(11 * time.Minute)
		if open, err := c.alerts.Open(c.Context(), c.viewer()); err != nil {
			c.Fatal(err)
		} else if len(open) == 0 {
			return
		}
		time.Sleep(600 * time.Millisecond) // the desk looks twice a second at most
	}
	c.Fatal("what is mended still needs somebody")
}

// revoked is what a mailbox says whose owner took back what they allowed.
func revoked() *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.NeedsSignIn, Class: postroom.TokenRevoked, FixBy: postroom.FixByUser,
		Explanation: "Google no longer lets Postroom read this mailbox.",
		Remedy:      "Sign in again. Reading resumes where it stopped, and what arrived meanwhile is brought in.",
	}
}

// arrives waits until the contact has so many mails.
func (c *careOffice) arrives(n int) {
	c.Helper()
	limit := time.Now().Add(20 * time.Second)
	for len(c.mail.Messages(contactAddress, "INBOX")) < n {
		if time.Now().After(limit) {
			c.Fatalf("the contact has %d mails, want %d", len(c.mail.Messages(contactAddress, "INBOX")), n)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
