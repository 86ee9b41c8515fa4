package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
)

// What providers make tokens and secrets of.
var (
	clientSecret  = "GOCSPX-q7Lw_2ZbV8nYt4RxKd0sPfHm"
	refreshTokens = []string{
		"1//0gUvX3mPq8RtYwZ-L9IrSnB4kCdEfGhJ7aMoN2pQ",
		"0.AXkAr" + strings.Repeat("Zk8_vTq2", 20) + ".AgABAwEAAAB", // long
		"rt-5f0c7e1ab94d4d3f",
	}
	nextTokens   = []string{"1//0hBwY5nRs0TvUxA-M2JtToC6lDeFgHiK9bNpP4qR", "0.AYmBs" + strings.Repeat("Wn3-xLd6", 20), "rt-71bd9206c5a84e11"}
	accessTokens = []string{
		"ya29.c0ASRK0Gb_8WkVxN3qTzR6mYpL1dHfJsQeUiOaBvCn",
		"eyJ0eXAiOiJKV1QiLCJub25jZSI6" + strings.Repeat("Qm9sZ3Vz", 30) + ".x7Kd0sPfHmq7Lw2ZbV8nYt4R", // long
		"at-93fb6d20e7c14a58",
	}
)

// secretsOfProviders are all of them.
func secretsOfProviders() []string {
	all := []string{clientSecret}
	for _, tokens := range [][]string{refreshTokens, nextTokens, accessTokens} {
		all = append(all, tokens...)
	}
	return all
}

// A tokenParrot is an OAuth server that gives tokens every other time, and otherwise
// refuses and repeats what it was sent, each time in another way.
type tokenParrot struct {
	*httptest.Server
	mu    sync.Mutex
	asked int
}

func newTokenParrot(t *testing.T) *tokenParrot {
	p := &tokenParrot{}
	p.Server = httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(p.Close)
	return p
}

func (p *tokenParrot) answer(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	asked := p.asked
	p.asked++
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	for n, refresh := range refreshTokens {
		given := r.PostForm.Get("refresh_token")
		if given != refresh && given != nextTokens[n] || asked%2 != 0 || r.URL.Path != "/token" {
			continue
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": accessTokens[n], "refresh_token": nextTokens[n], "token_type": "Bearer", "expires_in": 1 + asked%4/2*3600, "scope": "mail",
		})
		return
	}
	said := ways[asked/2%len(ways)].repeat(r.PostForm.Encode() + " " + r.PostForm.Get("refresh_token") + " " + r.PostForm.Get("client_secret") + " " + r.Header.Get("Authorization"))
	w.WriteHeader([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusServiceUnavailable}[asked%3])
	if asked%5 == 0 {
		fmt.Fprintf(w, "<html><title>%s</title>%s</html>", said, said)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"error": []string{"invalid_grant", "invalid_client", "unheard_of"}[asked%3], "error_description": "you said " + said,
		"access_token": accessTokens[asked%len(accessTokens)], // where there is none to be
	})
}

// TestNoTokenComesOut has the product sign in at a provider whose servers repeat every
// token and secret in every form, and reads all that comes out of it.
func TestNoTokenComesOut(t *testing.T) {
	t.Parallel()
	var parrots []*parrot
	for _, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3, postroom.SMTP} {
		for _, mechanism := range []string{"XOAUTH2", "OAUTHBEARER"} {
			parrots = append(parrots, newParrot(t, protocol, mechanism))
		}
	}
	provider := newTokenParrot(t)
	l := newLeak(t, parrots, secretsOfProviders())
	i := install(t, "--log-level", "debug")
	app := l.register(i, provider)
	boxes := l.bringAll(i, parrots, app)
	l.checkSignIns(i, boxes, app)
	passing := l.signInByBrowser(i, boxes, app)
	l.useAll(i, boxes)
	l.crawl(i)
	for n, id := range boxes { // the tokens are given back
		if n%2 == 0 {
			l.look("DELETE mailbox", l.api(i, http.MethodDelete, "/mailboxes/"+id, nil))
		}
	}
	for _, path := range []string{"/metrics", "/readyz"} {
		l.fetch(http.DefaultClient, i.server.url+path)
	}
	l.look("the log", i.server.printed())
	l.look("the disk", l.disk(i.data))
	// What a browser carries stands in its addresses, and nowhere else.
	l.forms = nil
	for _, secret := range passing {
		l.forms = append(l.forms, formsOf(secret))
	}
	l.look("the log", i.server.printed())
	l.look("the disk", l.disk(i.data))
	told := 0
	for _, p := range parrots {
		p.mu.Lock()
		for _, n := range p.asked {
			told += n
		}
		p.mu.Unlock()
	}
	t.Logf("%d mailboxes, mail servers told %d times, the provider asked %d times, %d KB read", len(boxes), told, provider.asked, l.looked>>10)
	if told < len(boxes) || provider.asked < 2*len(boxes) || l.looked < 1<<20 {
		t.Error("that is too little to prove anything")
	}
}

// register enters the app with its secret, and another that is never right.
func (l *leak) register(i *installed, p *tokenParrot) (id string) {
	l.Helper()
	answer := l.api(i, http.MethodPost, "/oauth-apps", map[string]any{
		"name": "Parrot", "provider": "generic", "client_id": "desk", "client_secret": clientSecret, "scopes": []string{"mail"},
		"authorize_url": p.URL + "/authorize", "token_url": p.URL + "/token", "revoke_url": p.URL + "/revoke", "userinfo_url": p.URL + "/userinfo", "device_url": p.URL + "/device",
	})
	l.look("POST /oauth-apps", answer)
	var app api.OAuthApp
	if err := json.Unmarshal([]byte(answer), &app); err != nil || app.ID == "" {
		l.Fatalf("POST /oauth-apps: %s", answer)
	}
	return app.ID
}

// bringAll keeps a mailbox for each refresh token at each pair of servers, in one way
// after the other, and waits until each sign-in has ended or waits itself.
func (l *leak) bringAll(i *installed, parrots []*parrot, app string) (ids []string) {
	l.Helper()
	way := 0
	for n, refresh := range refreshTokens {
		for _, pair := range pairs(parrots) {
			for _, kind := range []string{"", ".late", ".busy"} {
				user := fmt.Sprintf("way%d%s.box%d@example.net", way%len(ways), kind, way)
				settings := parrotSettings(user, pair[0], pair[1], "")
				settings["credential"] = map[string]string{"kind": "oauth", "oauth_app": app, "refresh_token": refresh}
				var m api.Mailbox
				for try := 0; m.ID == "" && try < 3; try++ { // the provider refuses every other time
					answer := l.api(i, http.MethodPost, "/mailboxes", settings)
					l.look("POST /mailboxes", answer)
					_ = json.Unmarshal([]byte(answer), &m)
					if m.ID == "" {
						settings["credential"] = map[string]string{"kind": "oauth"}
						l.look("POST /mailboxes/test", l.api(i, http.MethodPost, "/mailboxes/test", settings))
						settings["credential"] = map[string]string{"kind": "oauth", "oauth_app": app, "refresh_token": refreshTokens[n]}
					}
				}
				if m.ID == "" {
					continue // it is here, and its sign-in was refused
				}
				ids = append(ids, m.ID)
				way++
			}
		}
	}
	if len(ids) == 0 {
		l.Fatal("no mailbox is here")
	}
	return ids
}

// signInByBrowser goes to the provider and comes back with a code, as a browser does. It
// returns what is secret of that: the starts, the states and the codes.
func (l *leak) signInByBrowser(i *installed, ids []string, app string) (passing []string) {
	l.Helper()
	for n, id := range ids[:min(len(ids), 8)] {
		answer := l.api(i, http.MethodPost, "/mailboxes/"+id+"/connect", map[string]string{"oauth_app": app})
		var begun api.Connecting
		if err := json.Unmarshal([]byte(answer), &begun); err != nil || begun.URL == "" {
			l.Fatalf("POST connect: %s", answer)
		}
		jar, err := cookiejar.New(nil)
		if err != nil {
			l.Fatal(err)
		}
		browser := &http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		_, path, _ := strings.Cut(begun.URL, "/oauth/")
		sent, err := browser.Get(i.server.url + "/oauth/" + path)
		if err != nil {
			l.Fatal(err)
		}
		_ = sent.Body.Close()
		to, err := sent.Location()
		if err != nil || to.Query().Get("state") == "" {
			l.Fatalf("the browser is not sent to the provider: %s, %v", sent.Status, err)
		}
		start, state, code := path[strings.LastIndexByte(path, '/')+1:], to.Query().Get("state"), fmt.Sprintf("4/0AdQt8qh%dLm2xYzW9vUuT6sKpRcBnVg", n)
		passing = append(passing, start, state, code)
		back := url.Values{"state": {state}, "code": {code}}
		if n%3 == 2 {
			back = url.Values{"state": {state}, "error": {"access_denied"}, "error_description": {"you said " + state + " " + code}}
		}
		l.look("GET /oauth/callback", l.fetch(browser, i.server.url+"/oauth/callback?"+back.Encode()))
	}
	return passing
}

// checkSignIns reads what became of every sign-in, once it is known.
func (l *leak) checkSignIns(i *installed, ids []string, app string) {
	l.Helper()
	adopted := 0
	for _, id := range ids {
		var c api.KeptCredential
		_ = eventually(5*time.Second, func() error {
			answer := l.api(i, http.MethodGet, "/mailboxes/"+id+"/credential", nil)
			l.look("GET credential", answer)
			if err := json.Unmarshal([]byte(answer), &c); err != nil || c.Grant == nil && (len(c.SignIns) == 0 || c.SignIns[0].EndedAt == nil) {
				return fmt.Errorf("the sign-in of %s goes on: %s", id, answer)
			}
			return nil
		})
		if c.Grant != nil {
			adopted++
		}
		for _, s := range c.SignIns {
			l.look("GET /sign-ins", l.api(i, http.MethodGet, "/sign-ins/"+s.ID, nil))
		}
		l.look("POST device", l.api(i, http.MethodPost, "/mailboxes/"+id+"/device", map[string]string{"oauth_app": app}))
	}
	for range 3 {
		l.look("POST check", l.api(i, http.MethodPost, "/oauth-apps/"+app+"/check", nil))
	}
	for _, path := range []string{"/oauth-apps", "/oauth-apps/" + app, "/alerts", "/forecast"} {
		l.look("GET "+path, l.api(i, http.MethodGet, path, nil))
	}
	if adopted == 0 {
		l.Error("no sign-in has come to open a mailbox")
	}
}
