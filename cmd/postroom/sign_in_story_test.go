package main

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/simulator"
)

const gmailClient = "4711-story.apps.googleusercontent.com"

// signInGmail is Google with its sign-in, of which a process knows the servers.
func signInGmail(t *testing.T) (*simulator.Server, *simulator.OAuthServer, *provider.Presets) {
	t.Helper()
	tokens := []string{"PLAIN", "XOAUTH2", "OAUTHBEARER"}
	google, err := simulator.Start(simulator.Options{Gmail: true, Mechanisms: tokens})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { google.Close() })
	smtp, err := google.StartSMTP(simulator.SMTPOptions{Mechanisms: tokens})
	if err != nil {
		t.Fatal(err)
	}
	google.AddAccount(gmailAddress, accountPassword)
	signIn, err := google.StartOAuth(simulator.OAuthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	presets := &provider.Presets{}
	gmail, ok := presets.ByID("gmail")
	if !ok {
		t.Fatal("Gmail is not known")
	}
	gmail.IMAP = []provider.Server{{Host: "localhost", Port: google.Port, TLS: postroom.TLSNone}}
	gmail.SMTP = []provider.Server{{Host: "localhost", Port: smtp.Port, TLS: postroom.TLSNone}}
	gmail.POP3 = nil
	return google, signIn, presets
}

// register makes a process known at Google.
func register(t *testing.T, p *process, signIn *simulator.OAuthServer) {
	t.Helper()
	const secret = "the-secret-of-the-story"
	signIn.Register(simulator.OAuthApp{ClientID: gmailClient, Name: "Postroom", Secret: secret, RedirectURLs: []string{p.PublicURL + "/oauth/callback"}})
	_, err := p.apps.Add(t.Context(), postroom.Viewer{User: 1, Role: postroom.RoleAdmin}, credential.NewApp{
		OAuthApp: postroom.OAuthApp{
			Name: "Google", Provider: "gmail", Kind: postroom.AppSignIn, ClientID: gmailClient, Issuer: signIn.Issuer,
			AuthorizeURL: signIn.AuthorizeURL, TokenURL: signIn.TokenURL, RevokeURL: signIn.RevokeURL,
		},
		Secret: postroom.Hide(secret),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// consents signs in on Google's pages, which may know the browser from before, and
// allows everything.
func (b *browser) consents(signIn *simulator.OAuthServer) {
	b.Helper()
	at := func(field string) string {
		return `location.origin === "` + signIn.URL + `" && !!document.querySelector("` + field + `")`
	}
	b.sees("Google asks", at("form"))
	if answer[bool](b, at("#identifier")) {
		b.do(chromedp.SendKeys("#identifier", gmailAddress), chromedp.Click(chromedp.CSS("#next")))
		b.sees("Google asks for the password", at("input[name=password]"))
	}
	if answer[bool](b, at("input[name=password]")) {
		b.do(chromedp.SendKeys(chromedp.CSS("input[name=password]"), accountPassword), chromedp.Click(chromedp.CSS("#next")))
	}
	b.sees("Google asks what to allow", at("#allow"))
	b.do(chromedp.Click(chromedp.CSS("#allow")))
}

// Somebody signs in with Google; its owner takes that back there; Postroom says so on
// the next page, once, leads straight into signing in again, and brings in what arrived
// meanwhile.
func TestALostSignInIsMendedAndTheGapComesIn(t *testing.T) {
	b := browse(t)
	google, signIn, presets := signInGmail(t)
	deliver := func(name string) {
		t.Helper()
		letter := "From: tom@example.org\r\nTo: " + gmailAddress + "\r\nSubject: " + name + "\r\nMessage-ID: <" + name + "@example.org>\r\nMIME-Version: 1.0\r\n\r\nx\r\n"
		if _, err := google.Append(gmailAddress, "INBOX", []byte(letter), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	p, link := startWith(t, presets)
	register(t, p, signIn)
	home := p.PublicURL
	b.do(chromedp.EmulateViewport(1100, 760), chromedp.Navigate(link), chromedp.WaitReady("#issues"))
	b.do(chromedp.Navigate(home+"/mailboxes/new"), chromedp.SendKeys("#address", gmailAddress), chromedp.KeyEvent("\t"))
	b.sees("to sign in comes first", `document.querySelector("#sign-in-offer .button.next")?.innerText === "Sign in with Google"`)
	b.picture("story-1-offer")
	b.do(chromedp.Click(chromedp.CSS("#sign-in-offer .button.next")))
	b.consents(signIn)
	b.sees("the test ends with a tick", `document.querySelector("#progress")?.innerText.includes("Connected.")`)
	b.picture("story-2-connected")
	b.do(chromedp.Click(chromedp.CSS("#progress a[data-closes]")))
	b.sees("the mailbox is being read", `location.pathname === "/mailboxes/1" && document.querySelector("#mailbox-state").innerText.includes("Reading.")`)
	deliver("before")
	b.sees("the first mail has come", `!document.querySelector("#mailbox-state").innerText.includes("none yet")`)

	// Its owner takes it back at Google, while somebody looks at the issues.
	b.do(chromedp.Navigate(home+"/issues"), chromedp.WaitReady("#bell"))
	b.sees("the page listens", `!!window.htmx && !document.querySelector("#bell .bell-count")`)
	signIn.Revoke(gmailAddress, gmailClient)
	google.Disconnect(gmailAddress)
	for _, name := range []string{"one", "two", "three"} {
		deliver(name)
	}
	b.sees("a pop-up says so by itself", `document.querySelector("#popup")?.open && document.querySelector("#popup").innerText.includes("Sign in again")`)
	b.sees("there is one alert", `document.querySelector("#bell .bell-count").innerText.startsWith("1")`)
	b.picture("story-3-pop-up")
	beside := b.tab(home + "/mailboxes/1")
	beside.sees("the mailbox has a red cross", `document.querySelector("#mailbox-state.bad")?.innerText.includes("Sign-in needed.")`)
	beside.picture("story-4-cross")
	b.do(chromedp.Click(chromedp.CSS("#popup form[method=post] button.next")))
	b.consents(signIn)
	b.sees("what arrived meanwhile is counted", `(document.querySelector("#progress")?.innerText || "").includes("Signed in again. Reading resumes. 3 mails arrived meanwhile.")`)
	b.picture("story-5-again")
	beside.sees("the other tab notices by itself", `document.querySelector("#mailbox-state").innerText.includes("Reading.")`)
	b.do(chromedp.Click(chromedp.CSS("#progress a[data-closes]")))
	b.sees("the ledger accounts for everything", `location.pathname === "/mailboxes/1" && document.querySelector("#ledger").innerText.includes("All 4 messages are accounted for")`)
	b.sees("nothing needs anybody any more", `!document.querySelector("#bell .bell-count")`)
	if page := answer[string](b, `document.documentElement.outerHTML`); strings.Contains(page, "the-secret-of-the-story") {
		t.Error("a page shows a secret")
	}
	if n := signIn.Requests()["authorization_code"]; n != 2 {
		t.Errorf("codes were exchanged %d times, want 2", n)
	}
}

// tab opens another tab of the browser.
func (b *browser) tab(address string) *browser {
	b.Helper()
	ctx, done := chromedp.NewContext(b.ctx)
	b.Cleanup(done)
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as this context
		b.Fatal(err)
	}
	beside := &browser{b.T, ctx}
	beside.do(chromedp.EmulateViewport(1100, 760), chromedp.Navigate(address))
	return beside
}
