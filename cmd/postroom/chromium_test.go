package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// A browser is Chromium as somebody uses it.
type browser struct {
	*testing.T
	ctx context.Context
}

func browse(t *testing.T) *browser {
	t.Helper()
	return &browser{t, testbed.Chromium(t)}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// sees waits until a script's answer is true, also on the page that follows.
func (b *browser) sees(what, script string) {
	b.Helper()
	err := eventually(patience, func() error {
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		defer cancel()
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script))
		if err == nil && !ok {
			err = fmt.Errorf("not yet")
		}
		return err
	})
	if err != nil {
		b.Fatalf("%s: %v\n%.2000s", what, err, answer[string](b, `location.href + "\n" + document.body.innerText`))
	}
}

// answer is a script's answer.
func answer[T any](b *browser, script string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	said, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.Fatalf("%s: %v", script, err)
	}
	return said
}

func TestDemoInABrowser(t *testing.T) {
	b := browse(t)
	d := demonstrate(t, "--every", "1s")
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(d.link), chromedp.WaitReady("#issues"))

	// An issue appears on a page that is not loaded again.
	b.do(chromedp.WaitReady("a.row"))
	answer[bool](b, `(window.neverLoadedAgain = document.querySelector("a.row").id) !== ""`)
	b.sees("an issue appears without reload", `window.neverLoadedAgain && document.querySelector("a.row").id !== window.neverLoadedAgain`)

	// It is opened with the keyboard, beside the list.
	b.do(chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("k"))
	b.sees("j and k move through the list", `document.activeElement.matches("a.row")`)
	number := answer[string](b, `document.activeElement.id`)
	b.do(chromedp.KeyEvent("\r"))
	b.sees("enter opens it", `location.pathname.match(/^\/issues\/\d+$/) !== null && document.querySelector(".entry") !== null`)
	if opened := answer[string](b, `"row-" + location.pathname.split("/").pop()`); opened != number {
		t.Errorf("enter opened %s, want %s", opened, number)
	}
	if !answer[bool](b, `!!window.neverLoadedAgain`) {
		t.Error("the page was loaded again")
	}
}

// hostile is a mail that tries everything to act in the reader's browser. ELSEWHERE
// stands for a web server of whoever wrote it.
const hostile = `From: Eve <eve@example.org>
To: support@example.net
Subject: <script>document.title='owned'</script><img src=x onerror="document.title='owned'">
Message-ID: <hostile@example.org>
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<html><head><title>owned</title><base href="ELSEWHERE/"><meta http-equiv="refresh" content="0;url=ELSEWHERE/refresh">
<link rel="stylesheet" href="ELSEWHERE/style.css"><style>@import url(ELSEWHERE/import.css); body { background: url(ELSEWHERE/background.png) }</style>
<script>document.title='owned'; window.owned = true; top.owned = true; fetch("ELSEWHERE/fetched")</script></head>
<body onload="document.title='owned'; window.owned = true" background="ELSEWHERE/body.png">
<p>A harmless sentence.</p>
<img src="ELSEWHERE/pixel.gif" width="1" height="1"><img src="x" onerror="document.title='owned'; window.owned = true">
<img srcset="ELSEWHERE/srcset.png 1x"><picture><source srcset="ELSEWHERE/source.png"><img src="ELSEWHERE/picture.png"></picture>
<svg onload="window.owned = true"><image href="ELSEWHERE/svg.png"/><script>window.owned = true</script></svg>
<div style="background-image: url('ELSEWHERE/style.png')">styled</div>
<iframe src="ELSEWHERE/frame.html"></iframe><iframe srcdoc="<script>parent.owned = true</script>"></iframe>
<object data="ELSEWHERE/object.swf"></object><embed src="ELSEWHERE/embed.swf"><video src="ELSEWHERE/video.mp4" poster="ELSEWHERE/poster.png" autoplay></video>
<audio src="ELSEWHERE/audio.mp3" autoplay></audio><form action="ELSEWHERE/form"><input name="a" autofocus onfocus="window.owned = true"></form>
<details open ontoggle="window.owned = true"><summary>more</summary></details><marquee onstart="window.owned = true">m</marquee>
<a href="javascript:document.title='owned'" id="clickable">a link</a><math><mtext><img src=x onerror="window.owned = true"></mtext></math>
</body></html>
`

func TestAHostileMailDoesNothingInABrowser(t *testing.T) {
	b := browse(t)
	var requests atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		t.Logf("the mail asked for %s", r.URL)
	}))
	defer elsewhere.Close()
	i, s := install(t), pretendServer(t, 1)
	i.connect(box(0), "right-password", plain(s, box(0)))
	mail := strings.ReplaceAll(strings.ReplaceAll(hostile, "ELSEWHERE", elsewhere.URL), "\n", "\r\n")
	for _, raw := range [][]byte{[]byte(mail), simulator.Generated(3, 1)} {
		if _, err := s.Append(box(0), "INBOX", raw, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	i.settled(2, patience)

	// The first one here creates the account with the link, in the browser.
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(i.server.link),
		chromedp.SendKeys("#email", "ada@example.net"), chromedp.SendKeys("#password", "four words of comfort"), chromedp.Click(chromedp.CSS("button[data-save]")))
	b.sees("the account is there", `location.pathname === "/mailboxes/new"`)
	b.do(chromedp.Navigate(i.server.url + "/issues?q=harmless"))
	b.sees("the mail is found, its subject as text", `document.querySelector("a.row").innerText.includes("<script>")`)
	b.do(chromedp.Click(chromedp.CSS("a.row")), chromedp.WaitReady("iframe"))
	b.sees("its frame is there", `document.querySelector("iframe").getBoundingClientRect().height > 20`)
	page := answer[string](b, `document.title`)
	if strings.HasPrefix(page, "owned") || answer[bool](b, `window.owned === true`) {
		t.Errorf("a script of the mail acts on the page: its title is %q", page)
	}
	if sandbox := answer[string](b, `document.querySelector("iframe").sandbox.value`); strings.Contains(sandbox, "allow-scripts") || strings.Contains(sandbox, "allow-same-origin") {
		t.Errorf("the frame is allowed %q", sandbox)
	}

	// A page cannot look into the frame, so open its document as a page.
	b.do(chromedp.Navigate(i.server.url + answer[string](b, `new URL(document.querySelector("iframe").src).pathname`)))
	b.sees("the mail is shown", `document.body.innerText.includes("A harmless sentence.")`)
	if title := answer[string](b, `document.title`); title != "Mail" {
		t.Errorf("the title of the mail's document is %q", title)
	}
	if answer[bool](b, `window.owned === true || document.querySelector("script, iframe, object, embed, form, base, svg, [onload], [onerror], [href^=javascript]") !== null`) {
		t.Errorf("something that acts is left in %s", answer[string](b, `document.body.innerHTML`))
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("the mail made %d requests to elsewhere", n)
	}
}

func TestPagesWorkWithoutJavaScript(t *testing.T) {
	b := browse(t)
	d := demonstrate(t)
	if err := d.shows(3); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	// The test's own scripts still run, once each; those of the page do not.
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(d.link))
	b.sees("the list is there", `document.querySelector("a.row .what") !== null`)
	if answer[bool](b, `!!window.htmx`) {
		t.Fatal("scripts run")
	}
	row := answer[string](b, `document.querySelector("a.row").getAttribute("href")`)
	b.click("a.row")
	b.sees("a click opens the issue", fmt.Sprintf(`location.pathname === %q.split("?")[0] && document.querySelector(".entry") !== null`, row))
	b.click("#note")
	b.do(chromedp.KeyEvent("I called them."))
	b.click("form.compose button")
	b.sees("a note is there", `document.querySelector(".entry.note")?.innerText.includes("I called them.") === true`)
	b.do(chromedp.Navigate(strings.Split(d.link, "/demo/")[0] + "/issues"))
	b.click("#search")
	b.do(chromedp.KeyEvent("called\r"))
	b.sees("a search finds it", `location.search.includes("q=called") && document.querySelectorAll("a.row").length === 1`)
}

// click presses the mouse in the middle of an element, which needs no script of
// the page.
func (b *browser) click(selector string) {
	b.Helper()
	at := answer[[]float64](b, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.scrollIntoView({block: "center"});
		const r = e.getBoundingClientRect();
		return [r.x + r.width / 2, r.y + r.height / 2];
	})()`, selector))
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}
