package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

func TestTheFormOffersToSignIn(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	b := s.browser(s.admin)
	typed := url.Values{"address": {annasAddress}}
	page := b.post("/mailboxes/discover", typed, "HX-Request", "true")
	page.has(t, http.StatusOK, "How does Postroom get in?", "Sign in with Google", `value="register"`, "registered at Google once", "Choose an app password if")
	a := b.post("/mailboxes", s.typedAnna("sign_in", "register"))
	id := s.kept().ID
	want := "/settings/apps/new?" + url.Values{"provider": {"gmail"}, "return": {"/mailboxes/" + id.String() + "/sign-in"}}.Encode()
	if a.status != http.StatusSeeOther || a.Get("Location") != want {
		t.Fatalf("without a registration = %d to %q, want %q\n%s", a.status, a.Get("Location"), want, a.body)
	}
	b.get("/mailboxes/"+id.String()).has(t, http.StatusOK, "Draft", "nobody has signed in yet", "Sign in with Google")

	s.register()
	page = b.post("/mailboxes/discover", typed, "HX-Request", "true")
	page.has(t, http.StatusOK, "Sign in with Google", `value="`+s.app.ID.String()+`"`, "Postroom never sees the password")
	if strings.Index(page.body, "Sign in with Google") > strings.Index(page.body, "Or with a password") {
		t.Error("the password comes first")
	}
	b.post("/mailboxes/discover", url.Values{"address": {"ann@example.org"}, "incoming.host": {"imap.example.org"}}, "HX-Request", "true")
}

// kept is Anna's mailbox as it is kept.
func (s *signInOffice) kept() postroom.Mailbox {
	s.Helper()
	m, err := s.db.MailboxByAddress(s.Context(), annasAddress)
	if err != nil {
		s.Fatal(err)
	}
	return m
}

// begin begins a sign-in for Anna's mailbox, and returns the provider's address.
func (s *signInOffice) begin(b *browser, m postroom.Mailbox) (provider string) {
	s.Helper()
	a := b.post("/mailboxes/"+m.ID.String()+"/sign-in", url.Values{"app": {s.app.ID.String()}})
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.Get("Location"), "/oauth/start/") {
		s.Fatalf("sign in = %d to %q\n%s", a.status, a.Get("Location"), a.body)
	}
	return s.sendOff(b, a.Get("Location"))
}

func (s *signInOffice) sendOff(b *browser, start string) (provider string) {
	s.Helper()
	page := b.get(start)
	path, _, _ := strings.Cut(start, "?")
	page.has(s.T, http.StatusOK, "Go on")
	if page.Get("Refresh") != "0;url="+path {
		s.Fatalf("the page between leads to %q", page.Get("Refresh"))
	}
	a := b.get(path)
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.Get("Location"), s.google.AuthorizeURL) {
		s.Fatalf("start = %d to %q\n%s", a.status, a.Get("Location"), a.body)
	}
	cookie := a.Get("Set-Cookie")
	for _, part := range []string{"postroom_sign_in_", "HttpOnly", "SameSite=Lax", "Path=/oauth;"} {
		if !strings.Contains(cookie+";", part) {
			s.Errorf("the cookie %q has no %s", cookie, part)
		}
	}
	if a.Get("Referrer-Policy") != "no-referrer" || a.Get("Cache-Control") != "no-store" {
		s.Errorf("headers of the start: %v", a.Header)
	}
	return a.Get("Location")
}

func (s *signInOffice) path(address string) string { return strings.TrimPrefix(address, s.site.URL) }

// through waits until a page says something.
func (b *browser) through(page, words string) answer {
	b.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		a := b.get(page)
		if strings.Contains(a.body, words) {
			return a
		}
		if time.Now().After(end) {
			b.Fatalf("%s never says %q\n%s", page, words, a.body)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestSomebodySignsInToAMailbox(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	b := s.browser(s.admin)
	a := b.post("/mailboxes", s.typedAnna("sign_in", s.app.ID.String()))
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.Get("Location"), "/oauth/start/") {
		t.Fatalf("POST /mailboxes = %d to %q\n%s", a.status, a.Get("Location"), a.body)
	}
	m := s.kept()
	back := newStranger(t).allow(s.sendOff(b, a.Get("Location")), annasAddress)
	a = b.get(s.path(back))
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.Get("Location"), "/mailboxes/"+m.ID.String()+"/sign-in/") {
		t.Fatalf("callback = %d to %q\n%s", a.status, a.Get("Location"), a.body)
	}
	if a.Get("Referrer-Policy") != "no-referrer" || a.Get("Cache-Control") != "no-store" {
		t.Errorf("headers of the callback: %v", a.Header)
	}
	page := b.through(a.Get("Location"), "Connected.")
	page.has(t, http.StatusOK, "Sign in", "Open the folder", `data-closes`)
	part := b.get(a.Get("Location")+"?seen=x", "HX-Request", "true", "HX-Target", "progress")
	seen := regexp.MustCompile(`seen=([0-9a-f]+)`).FindStringSubmatch(part.body)
	if part.status != http.StatusOK || strings.Contains(part.body, "<html") || seen == nil {
		t.Fatalf("a part of the page = %d\n%s", part.status, part.body)
	}
	if again := b.get(a.Get("Location")+"?seen="+seen[1], "HX-Request", "true", "HX-Target", "progress"); again.status != http.StatusNoContent {
		t.Errorf("what is shown already comes again: %d", again.status)
	}
	b.get("/mailboxes/"+m.ID.String()).has(t, http.StatusOK, "Signs in with Google as "+annasAddress)
	b.get("/mailboxes/"+m.ID.String()+"/settings").has(t, http.StatusOK, "Signs in with Google as "+annasAddress, "Use a password instead")
	credential := b.get("/mailboxes/" + m.ID.String() + "/credential")
	credential.has(t, http.StatusOK, "Google for the office", "Ada Admin", "Read, send and delete mail", googleMail)
	if strings.Contains(credential.body, registeredSecret) || strings.Contains(credential.body, "1//") {
		t.Error("a page shows a secret")
	}

	// The same answer once more, and another browser with it.
	if a := b.get(s.path(back)); a.status != http.StatusSeeOther && a.status < 400 {
		t.Errorf("the answer once more = %d\n%s", a.status, a.body)
	}
	guest := s.browser(postroom.User{})
	foreign := guest.get(s.path(back))
	if foreign.status < 400 || strings.Contains(foreign.body, annasAddress) {
		t.Errorf("the answer in another browser = %d\n%s", foreign.status, foreign.body)
	}
	query := url.Values{}
	if u, err := url.Parse(back); err == nil {
		query = u.Query()
	}
	for _, secret := range []string{query.Get("code"), query.Get("state")} {
		if secret == "" || strings.Contains(foreign.body, secret) {
			t.Errorf("the page shows what the browser came back with")
		}
	}
}

func TestAnAnswerThatNobodyWaitsForIsNotShown(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	b := s.browser(s.admin)
	evil := `<script>alert("x")</script>`
	for _, query := range []url.Values{
		{"state": {"unknown"}, "code": {evil}}, {"error": {evil}, "error_description": {evil}, "state": {evil}}, {"code": {"a", "b"}, "state": {"c"}}, {},
	} {
		a := b.get("/oauth/callback?" + query.Encode())
		if a.status < 400 || a.status >= 500 || strings.Contains(a.body, "<script>alert") || strings.Contains(a.body, "alert(") {
			t.Errorf("callback?%s = %d\n%s", query.Encode(), a.status, a.body)
		}
	}
}

func TestWhatAProviderSaysIsTextAndNothingElse(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	b := s.browser(s.admin)
	m := s.draft()
	provider, err := url.Parse(s.begin(b, m))
	if err != nil {
		t.Fatal(err)
	}
	evil := `<img src=x onerror=alert(1)>`
	a := b.get("/oauth/callback?" + url.Values{"state": {provider.Query().Get("state")}, "error": {"access_denied"}, "error_description": {evil + strings.Repeat("y", 5000)}, "iss": {s.google.Issuer}}.Encode())
	if a.status != http.StatusSeeOther {
		t.Fatalf("callback = %d\n%s", a.status, a.body)
	}
	page := b.get(a.Get("Location"))
	page.has(t, http.StatusOK, "Nobody is signed in by this.", "the mailbox is kept with all its settings", "Sign in again")
	if strings.Contains(page.body, "<img src=x") {
		t.Error("a page carries out what a provider says")
	}
	if again := b.post(a.Get("Location"), url.Values{"do": {"again"}}); again.status != http.StatusSeeOther || !strings.HasPrefix(again.Get("Location"), "/oauth/start/") {
		t.Errorf("sign in again = %d to %q\n%s", again.status, again.Get("Location"), again.body)
	}
}

func TestGuestsSeeTheirSignInAndNothingElse(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	m := s.draft()
	b := s.browser(s.admin)
	at := "/mailboxes/" + m.ID.String() + "/sign-in"
	page := b.post(at, url.Values{"do": {"copy"}, "app": {s.app.ID.String()}})
	page.has(t, http.StatusOK, "Here is the link for the owner of "+annasAddress)
	link := regexp.MustCompile(`/link/[A-Za-z0-9_-]{40,}`).FindString(page.body)
	if link == "" {
		t.Fatalf("no link\n%s", page.body)
	}
	b.get("/mailboxes/links").has(t, http.StatusOK, "Not opened yet", "handed over", annasAddress)

	guest := s.browser(postroom.User{})
	guest.get(link).has(t, http.StatusOK, "Ada Admin asks you to sign in", annasAddress, "Sign in with", "What Postroom may do then", "Send from it")
	for _, path := range []string{at, at + "/1", "/mailboxes/" + m.ID.String() + "/credential", "/mailboxes/links", "/mailboxes/" + m.ID.String()} {
		if a := guest.get(path); a.status != http.StatusSeeOther || !strings.HasPrefix(a.Get("Location"), "/sign-in?") {
			t.Errorf("a guest gets %s: %d", path, a.status)
		}
	}
	a := guest.post(link, nil)
	if a.status != http.StatusSeeOther {
		t.Fatalf("sign in by the link = %d\n%s", a.status, a.body)
	}
	back := newStranger(t).allow(s.sendOff(guest, a.Get("Location")), annasAddress)
	a = guest.get(s.path(back))
	result := a.Get("Location")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(result, "/oauth/result/") {
		t.Fatalf("callback = %d to %q\n%s", a.status, result, a.body)
	}
	done := guest.through(result, "That is all. You can close this page.")
	if strings.Contains(done.body, `href="/mailboxes`) || done.Get("Cache-Control") != "no-store" {
		t.Errorf("a guest is shown the house: %v\n%s", done.Header, done.body)
	}
	guest.get(link).has(t, http.StatusGone, "This link was used already")
	guest.get("/oauth/result/"+strings.Repeat("a", 43)).has(t, http.StatusNotFound)
	guest.get("/link/"+strings.Repeat("a", 43)).has(t, http.StatusNotFound)
	b.get("/mailboxes/links?all=yes").has(t, http.StatusOK, "Signed in")
	if page := b.get("/mailboxes/links"); strings.Contains(page.body, annasAddress) {
		t.Error("who has signed in is still waited for")
	}
}

func TestLinksAreSentRemindedAndTakenBack(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	m := s.draft()
	b := s.browser(s.admin)
	at := "/mailboxes/" + m.ID.String() + "/sign-in"
	b.post(at, url.Values{"do": {"link"}, "send_to": {"nobody"}}).has(t, http.StatusUnprocessableEntity, "This is not a mail address.", `id="wrong-send-to"`)
	b.post(at, url.Values{"do": {"link"}, "send_to": {"anna@example.net"}}).has(t, http.StatusOK, "A link is on its way to anna@example.net.")
	list := b.get("/mailboxes/links")
	id := regexp.MustCompile(`name="link" value="(\d+)"`).FindStringSubmatch(list.body)
	if id == nil {
		t.Fatalf("no link in the list\n%s", list.body)
	}
	b.post("/mailboxes/links", url.Values{"do": {"remind"}, "link": {id[1]}}).has(t, http.StatusOK, "1 link sent once more.", "reminded")
	b.post("/mailboxes/links", url.Values{"do": {"revoke"}, "link": {id[1]}}).has(t, http.StatusOK, "1 link taken back.")
	b.post("/mailboxes/links", url.Values{"do": {"revoke"}}).has(t, http.StatusUnprocessableEntity, "No link was chosen")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mailed) != 2 || s.mailed[0].To != "anna@example.net" {
		t.Fatalf("mailed were %+v", s.mailed)
	}
	link := regexp.MustCompile(`/link/[A-Za-z0-9_-]{40,}`).FindString(s.mailed[1].Text.Reveal())
	s.browser(postroom.User{}).get(link).has(t, http.StatusGone, "This link was taken back.", "Ask Ada Admin")
}

func TestManyOwnersAreAskedAtOnce(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	m := s.draft()
	other := s.box("Elsewhere", "support@example.net")
	b := s.browser(s.admin)
	both := []string{m.ID.String(), other.ID.String()}
	b.post("/mailboxes/many", url.Values{"do": {"links_to_hand_over"}, "mailbox": both}).
		has(t, http.StatusOK, "1 link made. For 1 mailbox there is none.", "/link/", "Not asked", "Who has not signed in yet")
	b.post("/mailboxes/many", url.Values{"do": {"links"}, "mailbox": both[:1]}).has(t, http.StatusOK, "1 link on the way.", "Sent to "+annasAddress)
	b.post("/mailboxes/many", url.Values{"do": {"links"}}).has(t, http.StatusUnprocessableEntity, "No mailbox was chosen.")
	if a := s.browser(s.user("bob@example.net", "Bob", postroom.RoleAgent)).post("/mailboxes/many", url.Values{"do": {"links"}, "mailbox": both}); a.status != http.StatusForbidden {
		t.Errorf("an agent asks owners: %d", a.status)
	}
}

func TestOwnersSignInForTheirOwnMailbox(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	owner := s.user("anna@example.net", "Anna", postroom.RoleOwner)
	m := s.draft(func(m *postroom.Mailbox) { m.Owner = owner.ID })
	at := "/mailboxes/" + m.ID.String() + "/sign-in"
	b := s.browser(owner)
	b.get(at).has(t, http.StatusOK, "Sign in yourself", "Sign in with Google")
	b.get("/mailboxes/"+m.ID.String()+"/credential").has(t, http.StatusOK, "nobody has signed in yet")
	s.begin(b, m)
	if a := b.post(at, url.Values{"do": {"copy"}}); a.status != http.StatusForbidden {
		t.Errorf("an owner makes a link: %d\n%s", a.status, a.body)
	}
	stranger := s.browser(s.user("bob@example.net", "Bob", postroom.RoleAgent))
	stranger.get(at).has(t, http.StatusForbidden, "for its owner and for administrators")
	if a := stranger.post(at, nil); a.status != http.StatusForbidden {
		t.Errorf("somebody else signs in: %d", a.status)
	}
	if a := stranger.get("/mailboxes/" + m.ID.String() + "/credential"); a.status != http.StatusForbidden {
		t.Errorf("somebody else sees what opens the mailbox: %d", a.status)
	}
}

func TestAnAddressIsBroughtByHandWhereNobodyAnswers(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	const nowhere = "http://127.0.0.1:1/oauth/callback"
	s.google.Register(simulator.OAuthApp{ClientID: registeredID, Name: "Postroom", Secret: registeredSecret, RedirectURLs: []string{nowhere}})
	if _, err := s.apps.Change(t.Context(), s.viewer(), s.app.ID, func(a *postroom.OAuthApp) error { a.RedirectURL = nowhere; return nil }, nil); err != nil {
		t.Fatal(err)
	}
	m := s.draft()
	b := s.browser(s.admin)
	a := b.post("/mailboxes/"+m.ID.String()+"/sign-in", url.Values{"app": {s.app.ID.String()}})
	path, _, _ := strings.Cut(a.Get("Location"), "?")
	page := b.get(path)
	page.has(t, http.StatusOK, "copy everything in its address bar", "http://127.0.0.1:1", `name="do" value="paste"`)
	provider := strings.ReplaceAll(regexp.MustCompile(`href="(` + regexp.QuoteMeta(s.google.AuthorizeURL) + `[^"]+)"`).FindStringSubmatch(page.body)[1], "&amp;", "&")
	result := regexp.MustCompile(`action="(/oauth/result/[^"]+)"`).FindStringSubmatch(page.body)[1]
	b.post(result, url.Values{"do": {"paste"}, "address": {"https://example.net/"}}).has(t, http.StatusUnprocessableEntity)
	back := newStranger(t).allow(provider, annasAddress)
	if !strings.HasPrefix(back, nowhere) {
		t.Fatalf("the provider leads to %q", back)
	}
	if foreign := s.browser(postroom.User{}).post(result, url.Values{"do": {"paste"}, "address": {back}}); foreign.status != http.StatusForbidden {
		t.Errorf("another browser brings the address: %d\n%s", foreign.status, foreign.body)
	}
	a = b.post(result, url.Values{"do": {"paste"}, "address": {back}})
	if a.status != http.StatusSeeOther {
		t.Fatalf("paste = %d\n%s", a.status, a.body)
	}
	b.through(a.Get("Location"), "Connected.")
}

func TestACodeForAnotherDevice(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{Kind: simulator.MicrosoftOAuth})
	s.register()
	m := s.draft(func(m *postroom.Mailbox) { m.Address = annasMicrosoft })
	b := s.browser(s.admin)
	at := "/mailboxes/" + m.ID.String() + "/sign-in"
	b.get(at).has(t, http.StatusOK, "Sign in on another device", "Show a code", "Bring a refresh token")
	a := b.post(at, url.Values{"do": {"device"}, "app": {s.app.ID.String()}})
	if a.status != http.StatusSeeOther {
		t.Fatalf("a code = %d\n%s", a.status, a.body)
	}
	b.get(a.Get("Location")).has(t, http.StatusOK, "device-code", "Type this code", s.google.URL, "This page notices by itself.")
	b.post(at, url.Values{"do": {"bring"}, "app": {s.app.ID.String()}}).has(t, http.StatusUnprocessableEntity, "The refresh token is missing.", `id="wrong-refresh-token"`)
	wrong := b.post(at, url.Values{"do": {"bring"}, "app": {s.app.ID.String()}, "refresh_token": {"no such token"}})
	if strings.Contains(wrong.body, "no such token") {
		t.Error("a token that was typed is shown again")
	}
}

func TestTheCookieOfASignInIsSecureBehindHTTPS(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	m := s.draft()
	b := s.browser(s.admin)
	a := b.post("/mailboxes/"+m.ID.String()+"/sign-in", nil)
	path, _, _ := strings.Cut(a.Get("Location"), "?")
	s.pages.Base = func(*http.Request) string { return "https://post.example.net" }
	if cookie := b.get(path + "?from=home").Get("Set-Cookie"); !strings.Contains(cookie, "Secure") {
		t.Errorf("the cookie is %q", cookie)
	}
}

func TestADraftThatNobodyCanSignInToSaysWhy(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	b := s.browser(s.admin)
	b.post("/mailboxes", s.typedAnna("sign_in", "999")).has(t, http.StatusNotFound, "This registration is not here", "Sign in with Google")
	if m := s.kept(); m.State != postroom.MailboxDraft {
		t.Errorf("kept is %+v", m)
	}
}

func TestScopesInWords(t *testing.T) {
	for scope, want := range map[string]string{
		googleMail: "Read, send and delete mail", "https://outlook.office.com/IMAP.AccessAsUser.All": "Read mail by IMAP", "offline_access": "Stay signed in",
		"https://outlook.office.com/SMTP.Send": "Send mail", "openid": "Learn which account it is", "mail-w": "Read and send mail", "x": "Something that only its name tells",
		"https://outlook.office365.com/.default": "What the administrator has allowed the registration",
	} {
		if got := scopeInWords(scope); got != want {
			t.Errorf("scopeInWords(%q) = %q, want %q", scope, got, want)
		}
	}
}

func TestNobodyAnswersAtTheLoopbackOfAnotherMachine(t *testing.T) {
	tests := map[string]struct {
		redirect, base string
		nobody         bool
	}{
		"this server":               {"http://127.0.0.1:8025/oauth/callback", "http://127.0.0.1:8025", false},
		"another port":              {"http://127.0.0.1:1/oauth/callback", "http://127.0.0.1:8025", true},
		"a server with its address": {"https://post.example.net/oauth/callback", "https://post.example.net", false},
		"localhost from elsewhere":  {"http://localhost/oauth/callback", "https://post.example.net", true},
		"another public address":    {"https://post.example.net/oauth/callback", "http://127.0.0.1:8025", false},
		"none":                      {"", "http://127.0.0.1:8025", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, _ := nobodyAnswers("https://provider.example/?"+url.Values{"redirect_uri": {test.redirect}}.Encode(), test.base)
			if got != test.nobody {
				t.Errorf("nobodyAnswers = %v, want %v", got, test.nobody)
			}
		})
	}
}

// signIn signs in to Anna's mailbox, all the way.
func (s *signInOffice) signIn(b *browser, m postroom.Mailbox) {
	s.Helper()
	back := newStranger(s.T).allow(s.begin(b, m), annasAddress)
	a := b.get(s.path(back))
	if a.status != http.StatusSeeOther {
		s.Fatalf("callback = %d\n%s", a.status, a.body)
	}
	b.through(a.Get("Location"), "Connected.")
}

func TestASignInMakesRoomForAPasswordAndBack(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	m := s.draft()
	b := s.browser(s.admin)
	s.signIn(b, m)
	at := "/mailboxes/" + m.ID.String()
	b.get(at+"/password").has(t, http.StatusOK, "That goes on to work until the password is proven")
	wrong := b.post(at+"/password", url.Values{"credential.password": {"not this one"}})
	if wrong.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong password = %d\n%s", wrong.status, wrong.body)
	}
	b.get(at+"/credential").has(t, http.StatusOK, "It is opened by a sign-in with Google.")
	if a := b.post(at+"/password", url.Values{"credential.password": {ownersWord}}); a.status != http.StatusSeeOther {
		t.Fatalf("a password that works = %d\n%s", a.status, a.body)
	}
	b.get(at+"/credential").has(t, http.StatusOK, "It is opened with a password.", "What there was before", annasAddress, "given back")
	b.get(at).has(t, http.StatusOK, "Opened with a password")
	b.get(at+"/sign-in").has(t, http.StatusOK, "It goes on to work until the new sign-in is proven")
	s.signIn(b, m)
	b.get(at+"/credential").has(t, http.StatusOK, "It is opened by a sign-in with Google.")
}

func TestASignInThatIsLostLeadsStraightIntoTheNext(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	box := s.draft()
	b := s.browser(s.admin)
	s.signIn(b, box)
	s.google.Revoke(annasAddress, s.clientID())
	b.get("/mailboxes/"+box.ID.String()+"/sign-in").has(t, http.StatusOK, "Sign in yourself")
	a := b.post("/mailboxes/"+box.ID.String()+"/sign-in", nil)
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.Get("Location"), "/oauth/start/") {
		t.Errorf("sign in again = %d to %q", a.status, a.Get("Location"))
	}
	a = b.post("/mailboxes/"+box.ID.String()+"/sign-in", nil, "HX-Request", "true")
	if at := a.Get("HX-Redirect"); !strings.HasPrefix(at, "/oauth/start/") || strings.Contains(at, "?") {
		t.Errorf("with scripts it leads to %q", at)
	}
	b.post("/mailboxes/"+box.ID.String()+"/sign-in", url.Values{"app": {"999"}}).has(t, http.StatusNotFound, "This registration is not here")
	b.post("/mailboxes/"+box.ID.String()+"/sign-in", url.Values{"do": {"fly"}}).has(t, http.StatusUnprocessableEntity, "There is no such way")
	if a := b.post("/mailboxes/"+box.ID.String()+"/sign-in", nil, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
		t.Errorf("another site begins a sign-in: %d", a.status)
	}
}
