package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestWhoeverIsNotSignedInIsAskedTo(t *testing.T) {
	o := openOffice(t)
	b := o.browser(postroom.User{})
	for _, path := range []string{"/issues", "/issues/1?q=a", "/mailboxes", "/settings", "/mails/1/html", "/mails/1/raw", "/nothing"} {
		a := b.get(path)
		want := "/sign-in?" + url.Values{"next": {path}}.Encode()
		if a.status != http.StatusSeeOther || a.Get("Location") != want {
			t.Errorf("GET %s = %d to %q, want %q", path, a.status, a.Get("Location"), want)
		}
	}
	if a := b.get("/live"); a.status != http.StatusNoContent {
		t.Errorf("GET /live = %d, want 204, which ends an EventSource", a.status)
	}
	if a := b.get("/issues", "HX-Request", "true"); a.Get("HX-Redirect") == "" {
		t.Errorf("htmx is sent to %v, want an HX-Redirect", a.Header)
	}
}

func TestSignInAndOut(t *testing.T) {
	o := openOffice(t)
	b := o.browser(postroom.User{})
	b.post("/sign-in", url.Values{"email": {"ada@example.net"}, "password": {"not this one"}}).
		has(t, http.StatusUnauthorized, "This address and password do not open anything here.", `value="ada@example.net"`)
	a := b.post("/sign-in", url.Values{"email": {"ada@example.net"}, "password": {ownPassword}, "next": {"/mailboxes"}})
	if a.status != http.StatusSeeOther || a.Get("Location") != "/mailboxes" {
		t.Fatalf("sign in = %d to %q", a.status, a.Get("Location"))
	}
	cookie := a.Get("Set-Cookie")
	for _, part := range []string{"postroom=", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie %q has no %s", cookie, part)
		}
	}
	b.get("/issues").has(t, http.StatusOK, "No issues yet, because no mailbox is connected.")
	if a := b.post("/sign-out", nil); a.status != http.StatusSeeOther {
		t.Errorf("sign out = %d", a.status)
	}
	if a := b.get("/issues"); a.status != http.StatusSeeOther {
		t.Errorf("after signing out the issues are %d, want the way to the sign-in", a.status)
	}
}

func TestCookiesAreSecureBehindHTTPS(t *testing.T) {
	s := &Server{PublicURL: "https://post.example.net"}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err != nil || s.cookieName(r) != "__Host-postroom" {
		t.Errorf("cookieName = %q, want the prefix __Host-", s.cookieName(r))
	}
}

func TestNextStaysOnThisSite(t *testing.T) {
	for _, address := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, `\\evil.example`, "javascript:alert(1)", "", "/\t/evil.example", "mailto:a@b"} {
		if got := local(address); got != "/" {
			t.Errorf("local(%q) = %q, want /", address, got)
		}
	}
	if got := local("/issues?q=a%20b"); got != "/issues?q=a%20b" {
		t.Errorf("local keeps %q", got)
	}
}

func TestTheFirstAdministratorComesInOnce(t *testing.T) {
	o := openEmptyOffice(t)
	secret, needed, err := o.door.FirstLink(t.Context())
	if err != nil || !needed {
		t.Fatalf("FirstLink = %v, %v", needed, err)
	}
	b := o.browser(postroom.User{})
	at := "/welcome/" + secret.Reveal()
	b.get(at).has(t, http.StatusOK, "You are the first one here.")
	b.post(at, url.Values{"email": {"ada@example.net"}, "name": {"Ada"}, "password": {"short"}}).
		has(t, http.StatusUnprocessableEntity, "This password is too short.", `value="ada@example.net"`, `value="Ada"`)
	if a := b.post(at, url.Values{"email": {"ada@example.net"}, "name": {"Ada"}, "password": {ownPassword}}); a.status != http.StatusSeeOther || a.Get("Location") != "/mailboxes/new" {
		t.Fatalf("POST welcome = %d to %q\n%s", a.status, a.Get("Location"), a.body)
	}
	b.get("/mailboxes/new").has(t, http.StatusOK, "Connect a mailbox")
	for _, path := range []string{at, "/welcome/" + strings.Repeat("a", 43)} {
		o.browser(postroom.User{}).get(path).has(t, http.StatusConflict, "This link was used already, or is too old.")
	}
}

func TestRequestsOfOtherSitesDoNothing(t *testing.T) {
	o := openOffice(t)
	filed := o.box("Support", "support@example.net").deliver(letter("a@example.org", "Hello", "Hello"), time.Now())
	b := o.browser(o.admin)
	for _, from := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
		b.post(fmt.Sprintf("/issues/%s/close", filed.Issue), nil, from...).has(t, http.StatusForbidden, "This request came from another site")
	}
	b.get("/issues/"+filed.Issue.String()).has(t, http.StatusOK, "Open")
}

func TestEveryPageHasItsWalls(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	for _, path := range []string{"/issues", "/mailboxes", "/mailboxes/new", "/health", "/guides/gmail", "/help", "/help/arrive", "/settings", "/sign-in", "/nothing"} {
		a := b.get(path)
		if got := a.Get("Content-Security-Policy"); got != pagePolicy {
			t.Errorf("GET %s: policy %q", path, got)
		}
		if a.Get("X-Content-Type-Options") != "nosniff" || a.Get("Cross-Origin-Opener-Policy") != "same-origin" || a.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("GET %s: headers %v", path, a.Header)
		}
		// Whatever the policy would refuse is not there to begin with.
		if m := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?: [^>]*)?>[^<]`).FindString(a.body); m != "" {
			t.Errorf("GET %s has %q inside the page", path, m)
		}
	}
}

func TestFilesAreKeptForGood(t *testing.T) {
	o := openOffice(t)
	b := o.browser(postroom.User{})
	page := b.get("/sign-in").body
	for _, address := range regexp.MustCompile(`/static/[^"]+`).FindAllString(page, -1) {
		a := b.get(address)
		if a.status != http.StatusOK || a.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("GET %s = %d, %v", address, a.status, a.Header)
		}
	}
	if a := b.get("/static/000000000000/postroom.css"); a.status != http.StatusNotFound {
		t.Errorf("an old address answers %d, want 404", a.status)
	}
}

func TestMailIsForItsReadersOnly(t *testing.T) {
	o := openOffice(t)
	secret := o.box("Payroll", "payroll@example.net", func(m *postroom.Mailbox) {
		m.Owner, m.Visibility = o.admin.ID, postroom.Visibility{Kind: postroom.VisibleToOwner}
	})
	filed := secret.deliver(newsletter, time.Now())
	agent := o.browser(o.user("bob@example.net", "Bob", postroom.RoleAgent))
	id := filed.Issue.String()
	for _, path := range []string{"/issues/" + id, "/issues/" + id + "/news", "/mails/1/html", "/mails/1/raw", "/mails/1/attachments/0", "/mailboxes/" + secret.ID.String(),
		"/mailboxes/" + secret.ID.String() + "/ledger", "/mailboxes/" + secret.ID.String() + "/arrivals?state=filed"} {
		if a := agent.get(path); a.status != http.StatusNotFound || strings.Contains(a.body, "4711") {
			t.Errorf("GET %s = %d for somebody who may not see it\n%s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"/issues", "/issues?q=4711", "/mailboxes"} {
		if a := agent.get(path); a.status != http.StatusOK || strings.Contains(a.body, "Your order") || strings.Contains(a.body, "Payroll") {
			t.Errorf("GET %s shows what is not for this reader", path)
		}
	}
	for _, path := range []string{"/mailboxes/new", "/mailboxes/" + secret.ID.String() + "/settings"} {
		agent.get(path).has(t, http.StatusForbidden, "administrator")
	}
	for _, path := range []string{"/issues/" + id + "/close", "/issues/" + id + "/delete"} {
		if a := agent.post(path, nil); a.status != http.StatusNotFound {
			t.Errorf("POST %s = %d, want 404", path, a.status)
		}
	}
	o.browser(o.admin).get("/issues/"+id).has(t, http.StatusOK, "Your order 4711")
}

func TestWorkOnAnIssue(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	filed := support.deliver(letter("Tom <tom@example.org>", "The <b>shed</b>", "It leaks.\n\nOn Monday you wrote:\n> one\n> two"), time.Now())
	b := o.browser(o.admin)
	at := "/issues/" + filed.Issue.String()
	b.get("/issues").has(t, http.StatusOK, "The &lt;b&gt;shed&lt;/b&gt;", "Tom", "Support")
	b.get(at).has(t, http.StatusOK, "It leaks.", "··· earlier text", "Tom &lt;tom@example.org&gt;", "Nobody is assigned")
	for _, step := range []struct {
		post string
		form url.Values
		then string
	}{
		{"/notes", url.Values{"text": {"I called him.\r\nHe is in."}}, "I called him.\nHe is in."},
		{"/assign?me=1", url.Values{"to": {""}}, "Assigned to Ada Admin"},
		{"/assign", url.Values{"to": {""}}, "Assigned to nobody"},
		{"/close", nil, "Reopen"},
		{"/reopen", nil, "Reopened"},
	} {
		if a := b.post(at+step.post, step.form); a.status != http.StatusSeeOther {
			t.Fatalf("POST %s = %d\n%s", step.post, a.status, a.body)
		}
		b.get(at).has(t, http.StatusOK, step.then)
	}
	b.post(at+"/notes", url.Values{"text": {"  "}}).has(t, http.StatusUnprocessableEntity, "This note says nothing.")
	if a := b.post(at+"/close", nil, "HX-Request", "true"); a.status != http.StatusNoContent || a.Get("HX-Trigger") != "issue-changed" {
		t.Errorf("with htmx closing answers %d, %v", a.status, a.Header)
	}
	a := b.post(at+"/delete", nil)
	b.get(a.Get("Location")).has(t, http.StatusOK, "Deleted.", "Undo")
	b.get("/issues?view=deleted").has(t, http.StatusOK, "The &lt;b&gt;shed")
	b.get(b.post(at+"/recover", nil).Get("Location")).has(t, http.StatusOK, "It leaks.", "Reopen")
}

func TestTheListIsFiltered(t *testing.T) {
	o := openOffice(t)
	support, sales := o.box("Support", "support@example.net"), o.box("Sales", "sales@example.net")
	support.deliver(letter("a@example.org", "Tulips", "Red ones"), time.Now())
	closed := sales.deliver(letter("b@example.org", "Roses", "White ones"), time.Now())
	b := o.browser(o.admin)
	b.post("/issues/"+closed.Issue.String()+"/close", nil)
	tests := map[string]struct {
		query string
		tulip bool
		rose  bool
	}{
		"all": {"", true, true}, "open": {"view=open", true, false}, "closed": {"view=closed", false, true}, "mine": {"view=mine", false, false},
		"a mailbox": {"mailbox=" + sales.ID.String(), false, true}, "a word": {"q=tul", true, false}, "no such word": {"q=zebra", false, false},
		"a view that is none": {"view=x", true, true}, "a cursor of elsewhere": {"cursor=x", false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			page := b.get("/issues?" + test.query).body
			if got := strings.Contains(page, "Tulips"); got != test.tulip {
				t.Errorf("the list has tulips: %v, want %v", got, test.tulip)
			}
			if got := strings.Contains(page, "Roses"); got != test.rose {
				t.Errorf("the list has roses: %v, want %v", got, test.rose)
			}
		})
	}
}

func TestTheListGoesOn(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	now := time.Now()
	for i := range 60 {
		support.deliver(letter("a@example.org", fmt.Sprintf("Letter %d.", i), "x"), now.Add(-time.Duration(i)*time.Minute))
	}
	b := o.browser(o.admin)
	first := b.get("/issues")
	more := regexp.MustCompile(`href="(/issues\?cursor=[^"]+)"`).FindStringSubmatch(first.body)
	if more == nil {
		t.Fatal("no More")
	}
	rest := b.get(more[1], "HX-Request", "true", "HX-Target", "more")
	for i := range 60 {
		subject := fmt.Sprintf("Letter %d.", i)
		if strings.Contains(first.body, subject) == strings.Contains(rest.body, subject) {
			t.Errorf("%q is in both parts of the list, or in none", subject)
		}
	}
	if strings.Contains(rest.body, "<html") {
		t.Error("htmx gets a whole page")
	}
	since := fmt.Sprint(now.Add(-150 * time.Second).UnixMicro())
	b.get("/issues/news?since="+since).has(t, http.StatusOK, "3 new")
	if a := b.get("/issues/news?since=" + fmt.Sprint(now.Add(time.Hour).UnixMicro())); strings.Contains(a.body, "new") {
		t.Errorf("nothing is new: %q", a.body)
	}
}

func TestTheHTMLOfAMail(t *testing.T) {
	o := openOffice(t)
	o.box("Support", "support@example.net").deliver(newsletter, time.Now())
	b := o.browser(o.admin)
	a := b.get("/mails/1/html")
	a.has(t, http.StatusOK, "<b>Monday</b>", "2 pictures are kept out", `src="data:image/png;base64,`+onePixel+`"`, `href="https://garden.example/track/4711"`)
	for _, text := range []string{"<script", "onerror", "tracker.example", "127.0.0.1", "background:red"} {
		if strings.Contains(a.body, text) {
			t.Errorf("the mail still has %q:\n%s", text, a.body)
		}
	}
	if got := a.Get("Content-Security-Policy"); got != framePolicy || strings.Contains(got, "allow-scripts") || strings.Contains(got, "allow-same-origin") {
		t.Errorf("the frame's policy is %q", got)
	}
	page := b.get("/issues/1")
	page.has(t, http.StatusOK, `sandbox="allow-popups allow-popups-to-escape-sandbox"`, "Invoice 4711.pdf")
	if strings.Contains(page.body, "logo.png") {
		t.Error("a picture that is seen in its place is listed once more")
	}
}

func TestPicturesOfAMailAreFound(t *testing.T) {
	html := `<img src="cid:a@b"><img src='cid:c%40d'><img src=cid:e&amp;f>` + strings.Repeat("<img src=cid:x>", 2000) + "cid:"
	named := namedPictures(html)
	for _, id := range []string{"a@b", "c@d", "e&f", "x"} {
		if !named[id] {
			t.Errorf("%q is not found among %v", id, named)
		}
	}
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "<img src=cid:%d>", i)
	}
	if n := len(namedPictures(many.String())); n != 1000 {
		t.Errorf("%d names are kept of thousands, want 1000", n)
	}
	all := []postroom.Attachment{{N: 0, Type: "image/svg+xml", ContentID: "a"}, {N: 1, Type: "image/png", ContentID: "a"}, {N: 2, Type: "image/gif", ContentID: "a"}, {N: 3, Type: "image/gif"}}
	if p := picturesOf(all); len(p) != 1 || p["a"].N != 1 {
		t.Errorf("picturesOf = %v, want the one that can be shown", p)
	}
}

func TestDownloads(t *testing.T) {
	o := openOffice(t)
	o.box("Support", "support@example.net").deliver(newsletter, time.Now())
	b := o.browser(o.admin)
	file := regexp.MustCompile(`/mails/1/attachments/\d+`).FindString(b.get("/issues/1").body)
	a := b.get(file)
	want, _ := base64.StdEncoding.DecodeString("JVBERi0xLjQKJSBub3QgcmVhbGx5IGEgUERGCg==")
	if a.status != http.StatusOK || !bytes.Equal([]byte(a.body), want) {
		t.Errorf("the attachment is %d %q, want %q", a.status, a.body, want)
	}
	if a.Get("Content-Type") != "application/octet-stream" || a.Get("Content-Disposition") != `attachment; filename="Invoice 4711.pdf"` || a.Get("Content-Security-Policy") != downloadPolicy {
		t.Errorf("the attachment comes with %v", a.Header)
	}
	exact := strings.ReplaceAll(strings.TrimLeft(newsletter, "\n"), "\n", "\r\n")
	if a := b.get("/mails/1/raw"); a.body != exact || !strings.HasPrefix(a.Get("Content-Disposition"), "attachment") {
		t.Errorf("the raw message is not what came: %v", a.Header)
	}
	if a := b.get("/mails/1/raw?view=1"); a.body != exact || !strings.HasPrefix(a.Get("Content-Type"), "text/plain") || a.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the raw message to look at: %v", a.Header)
	}
	b.get("/mails/1/attachments/99").has(t, http.StatusNotFound, "no such attachment")
}

func TestNamesOfAttachmentsAreWhatTheySeem(t *testing.T) {
	for name, want := range map[string]string{"invoice\u202efdp.exe": "invoicefdp.exe", "a\u200b\r\n.txt": "a.txt", "": "attachment 1", "\u202e": "attachment 1", "Größe.pdf": "Größe.pdf"} {
		if got := nameOf(postroom.Attachment{Name: name}); got != want {
			t.Errorf("nameOf(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNamesOfDownloads(t *testing.T) {
	for name, want := range map[string]string{
		"a.pdf":                `attachment; filename=a.pdf`,
		`..\..\a"b.exe`:        `attachment; filename=.._.._a_b.exe`,
		"/etc/passwd":          `attachment; filename=_etc_passwd`,
		"Grüße.txt":            `attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.txt`,
		"a\r\nSet-Cookie: b":   `attachment; filename="a__Set-Cookie_ b"`,
		"\u202efdp.exe":        `attachment; filename=_fdp.exe`,
		strings.Repeat(" ", 3): `attachment; filename="   "`,
	} {
		if got := disposition(name); got != want {
			t.Errorf("disposition(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestLivePagesHearOfChanges(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	b := o.browser(o.admin)
	position, err := o.db.Reader().LastEvent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/live?after=%d", o.site.URL, position), nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	filed := support.deliver(letter("a@example.org", "Hello", "Hello"), time.Now())
	want := fmt.Sprintf(`"issue":%q`, filed.Issue.String())
	for lines := bufio.NewScanner(w.Body); ; {
		if !lines.Scan() {
			t.Fatalf("the stream ended without %s: %v", want, lines.Err())
		}
		if strings.Contains(lines.Text(), want) {
			return
		}
	}
}

func TestLivePagesEndWithTheirSession(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	b := o.browser(o.admin)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.site.URL+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	lines := bufio.NewScanner(w.Body)
	if !lines.Scan() {
		t.Fatalf("the stream did not begin: %v", lines.Err())
	}
	if err := o.door.Disable(t.Context(), postroom.Viewer{User: o.user("ed@example.net", "Ed", postroom.RoleAdmin).ID, Role: postroom.RoleAdmin}, o.admin.ID); err != nil {
		t.Fatal(err)
	}
	support.deliver(letter("a@example.org", "Hello", "Hello"), time.Now())
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data:") {
			t.Errorf("somebody who may not sign in any more was told %s", lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the stream did not end by itself: %v", err)
	}
}

func TestOurOwnMistakesHaveANumber(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	if err := o.db.Close(); err != nil {
		t.Fatal(err)
	}
	b.get("/issues").has(t, http.StatusInternalServerError, "Something in Postroom itself went wrong.", "Number:")
}

func TestSettings(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	b.get("/settings").has(t, http.StatusOK, "ada@example.net", "This one", "No program has a token.")
	b.post("/settings/people", url.Values{"email": {"bob@example.net"}, "name": {"Bob"}, "role": {"agent"}, "password": {"short"}}).
		has(t, http.StatusUnprocessableEntity, "This password is too short.", `value="bob@example.net"`)
	b.post("/settings/people", url.Values{"email": {"bob@example.net"}, "name": {"Bob"}, "role": {"agent"}, "password": {ownPassword}}).
		has(t, http.StatusOK, "Bob can sign in now.", "Lock out")
	token := b.post("/settings/tokens", url.Values{"name": {"Reports"}, "scope": {"read"}})
	token.has(t, http.StatusOK, "it is not shown again", "Reports")
	secret := regexp.MustCompile(`id="token">([A-Za-z0-9_.-]{20,})<`).FindStringSubmatch(token.body)
	if secret == nil {
		t.Fatal("the token is not shown")
	}
	if _, err := o.door.Token(t.Context(), secret[1]); err != nil {
		t.Errorf("the token opens nothing: %v", err)
	}
	if again := b.get("/settings").body; strings.Contains(again, secret[1]) {
		t.Error("the token is shown again")
	}
	b.post("/settings/password", url.Values{"old": {"wrong"}, "password": {"another good password"}}).has(t, http.StatusUnprocessableEntity, "This is not your password.")
	if a := b.post("/settings/password", url.Values{"old": {ownPassword}, "password": {"another good password"}}); a.status != http.StatusSeeOther {
		t.Fatalf("changing the password = %d\n%s", a.status, a.body)
	}
	b.get("/settings?done=password").has(t, http.StatusOK, "Your password is changed.")
	agent := o.browser(o.user("eve@example.net", "Eve", postroom.RoleAgent))
	if page := agent.get("/settings").body; strings.Contains(page, "bob@example.net") || strings.Contains(page, "Tokens for programs") {
		t.Error("an agent sees what is for administrators")
	}
	agent.post("/settings/tokens", url.Values{"name": {"x"}, "scope": {"admin"}}).has(t, http.StatusForbidden, "Only an administrator can do this.")
}
