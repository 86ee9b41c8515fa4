package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/simulator"
)

const (
	gmailAddress    = "anna.office@gmail.com"
	accountPassword = "Sunflowers-2019"
	appPassword     = "abcd efgh ijkl mnop"
)

// pretendGmail is Google as it is since 2025: the password of an account opens it on
// the web only, and app passwords are made where two-step verification is on. Nobody
// has made one yet.
func pretendGmail(t *testing.T) (*simulator.Server, *provider.Presets) {
	t.Helper()
	google, err := simulator.Start(simulator.Options{Gmail: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { google.Close() })
	smtp, err := google.StartSMTP(simulator.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	google.AddAccount(gmailAddress, accountPassword)
	if err := google.SetGoogle(gmailAddress, simulator.Google{TwoStep: true}); err != nil {
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
	return google, presets
}

// serveWith runs the whole process with what it is to know of providers, and returns
// an address that signs an administrator in.
func serveWith(t *testing.T, presets *provider.Presets) (link string) {
	t.Helper()
	_, link = startWith(t, presets)
	return link
}

func startWith(t *testing.T, presets *provider.Presets) (p *process, link string) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	data := dataFlags{Data: t.TempDir()}
	in, err := data.openForServer(ctx, data.options(log))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = &process{
		In: in, Alone: true, Node: "story", Listener: listener, PublicURL: openable("http", listener.Addr()),
		Finder: &provider.Finder{Presets: presets}, MaxMessage: 64 << 20, Log: log,
	}
	p.prepare()
	u, err := p.door.CreateUser(ctx, "ada@example.net", "Ada Admin", postroom.RoleAdmin, postroom.Hide("seven quiet green umbrellas"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := p.door.SignInLink(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := in.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p, p.PublicURL + "/demo/" + secret.Reveal()
}

// picture keeps what the browser shows, where POSTROOM_SCREENSHOTS names a directory.
func (b *browser) picture(name string) {
	b.Helper()
	dir := os.Getenv("POSTROOM_SCREENSHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// opens follows a link into a tab of its own, as the link wants it.
func (b *browser) opens(selector string) *browser {
	b.Helper()
	b.sees("the link opens a tab of its own", `document.querySelector("`+selector+`").target === "_blank"`)
	address := answer[string](b, `document.querySelector("`+selector+`").href`)
	ctx, done := chromedp.NewContext(b.ctx)
	b.Cleanup(done)
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as this context
		b.Fatal(err)
	}
	beside := &browser{b.T, ctx}
	beside.do(chromedp.EmulateViewport(1100, 760), chromedp.Navigate(address))
	return beside
}

// into puts something on the middle of the screen.
func (b *browser) into(selector string) {
	b.Helper()
	answer[bool](b, `(document.querySelector(`+"`"+selector+"`"+`).scrollIntoView({block: "center", behavior: "instant"}), true)`)
}

// Somebody who knows nothing connects a Gmail mailbox by following the pages alone:
// from the normal password, which Google refuses, to mail that arrives.
func TestSomebodyConnectsGmailByFollowingThePages(t *testing.T) {
	b := browse(t)
	google, presets := pretendGmail(t)
	link := serveWith(t, presets)
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(1100, 760), chromedp.Navigate(link), chromedp.WaitReady("#issues"))
	b.do(chromedp.Click(chromedp.CSS(`.rail a[href="/mailboxes"]`)), chromedp.WaitVisible(`a[href="/mailboxes/new"]`))
	b.do(chromedp.Click(chromedp.CSS(`.empty a[href="/mailboxes/new"]`)), chromedp.WaitVisible("#address"))

	// The address is enough: the servers are found, and what Google wants is said.
	b.do(chromedp.SendKeys("#address", gmailAddress), chromedp.KeyEvent("\t"))
	b.sees("it says that Google wants an app password", `document.body.innerText.includes("wants an app password here")`)
	b.sees("the server is found", `document.querySelector('[name="incoming.host"]').value === "localhost"`)
	b.picture("gmail-1-address")

	// The only password they know is the wrong one, and the page says so before it is sent.
	b.do(chromedp.SendKeys("#credential-password", accountPassword), chromedp.KeyEvent("\t"))
	b.sees("it says that this is the normal password", `document.body.innerText.includes("This looks like your normal password")`)
	b.picture("gmail-2-normal-password")
	b.do(chromedp.Click(chromedp.CSS("button[data-test]")))
	b.sees("Google refuses it", `document.querySelector("#answer").innerText.includes("Make an app password")`)
	b.sees("the guide is the next step", `!!document.querySelector("#answer a.button.next[href^='/guides/gmail']")`)
	b.into("#answer .fault")
	b.picture("gmail-3-refused")

	// The guide opens beside the form, in the order in which it is written.
	beside := b.opens(`#answer a.button.next[href^='/guides/gmail']`)
	beside.sees("it begins at the first step", `document.querySelector("li.here").id === "step-why"`)
	for _, step := range []string{"why", "two_step"} {
		beside.do(chromedp.Click(chromedp.CSS(`[data-step="` + step + `"]`)))
	}
	beside.sees("the page of app passwords is that of this account", `document.querySelector("#step-make a.button").href.includes("`+strings.ReplaceAll(gmailAddress, "@", "%40")+`")`)
	beside.sees("it does not know from where", `document.querySelector("#step-make a.button").rel.includes("noreferrer")`)
	beside.sees("the name is there to be copied", `document.querySelector("#step-name code").innerText === "Postroom – `+gmailAddress+`"`)
	beside.into("#step-make")
	beside.picture("gmail-4-guide")
	if err := google.SetGoogle(gmailAddress, simulator.Google{TwoStep: true, AppPasswords: []string{appPassword}}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"make", "name", "copy"} {
		beside.do(chromedp.Click(chromedp.CSS(`[data-step="` + step + `"]`)))
	}
	beside.sees("what is left is to paste it in the form", `document.querySelector("li.here").id === "step-paste" && document.querySelector("#step-paste").innerText.includes("Go back to the form")`)

	// The form is as it was left.
	b.sees("what was typed is still there", `document.querySelector("#address").value === "`+gmailAddress+`" && document.querySelector("#credential-password").value === "`+accountPassword+`"`)
	answer[bool](b, `(document.querySelector("#credential-password").select(), true)`)
	b.do(chromedp.SendKeys("#credential-password", " "+appPassword+" "), chromedp.KeyEvent("\t"))
	b.sees("it looks like an app password", `document.body.innerText.includes("This looks like an app password")`)
	b.into("#credential-password")
	b.picture("gmail-5-pasted")
	b.do(chromedp.Click(chromedp.CSS("button[data-test]")))
	b.sees("everything works", `document.querySelector("#answer").innerText.includes("Everything works")`)
	b.into("#answer")
	b.picture("gmail-6-test")
	b.do(chromedp.Click(chromedp.CSS("button[data-save]")))
	b.sees("the mailbox is being read", `location.pathname === "/mailboxes/1" && document.querySelector("#mailbox-state").innerText.includes("Reading")`)
	if strings.Contains(answer[string](b, `document.documentElement.outerHTML`), "efgh") {
		t.Error("the page shows the app password")
	}

	// And mail arrives.
	letter := "From: Tom Baker <tom@example.org>\r\nTo: " + gmailAddress + "\r\nSubject: Are you open today?\r\nMessage-ID: <open@example.org>\r\nMIME-Version: 1.0\r\n\r\nUntil 6?\r\n"
	if _, err := google.Append(gmailAddress, "INBOX", []byte(letter), time.Time{}); err != nil {
		t.Fatal(err)
	}
	b.sees("the mail has come", `!document.querySelector("#mailbox-state").innerText.includes("none yet") && !document.querySelector("#ledger .turning")`)
	b.picture("gmail-7-reading")
	b.do(chromedp.Click(chromedp.CSS(`.rail a[href="/issues"]`)), chromedp.WaitVisible("a.row"))
	b.sees("it is an issue", `document.querySelector("a.row").innerText.includes("Are you open today?")`)
}

// A mailbox whose app password was deleted at Google says so, and a new one brings in
// what arrived meanwhile: from the page of health, by the guide, with the numbers.
func TestANewAppPasswordBringsInTheGap(t *testing.T) {
	b := browse(t)
	google, presets := pretendGmail(t)
	withPassword := func(password string) {
		t.Helper()
		if err := google.SetGoogle(gmailAddress, simulator.Google{TwoStep: true, AppPasswords: []string{password}}); err != nil {
			t.Fatal(err)
		}
		google.Disconnect(gmailAddress)
	}
	deliver := func(name string) {
		t.Helper()
		letter := "From: tom@example.org\r\nTo: " + gmailAddress + "\r\nSubject: " + name + "\r\nMessage-ID: <" + name + "@example.org>\r\nMIME-Version: 1.0\r\n\r\nx\r\n"
		if _, err := google.Append(gmailAddress, "INBOX", []byte(letter), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	link := serveWith(t, presets)
	withPassword(appPassword)
	b.do(chromedp.EmulateViewport(1100, 760), chromedp.Navigate(link), chromedp.WaitReady("#issues"))
	home := answer[string](b, `location.origin`)
	b.do(chromedp.Navigate(home+"/mailboxes/new"), chromedp.SendKeys("#address", gmailAddress), chromedp.KeyEvent("\t"))
	b.sees("the server is found", `document.querySelector('[name="incoming.host"]').value === "localhost"`)
	b.do(chromedp.SendKeys("#credential-password", appPassword), chromedp.Click(chromedp.CSS("button[data-save]")))
	b.sees("the mailbox is being read", `location.pathname === "/mailboxes/1" && document.querySelector("#mailbox-state").innerText.includes("Reading")`)
	deliver("before")
	b.sees("the first mail has come", `!document.querySelector("#mailbox-state").innerText.includes("none yet")`)

	// Somebody deletes the app password there, and mail goes on arriving.
	withPassword("qrst uvwx yzab cdef")
	for _, name := range []string{"one", "two", "three"} {
		deliver(name)
	}
	b.do(chromedp.Navigate(home + "/health"))
	b.sees("health says what is wrong, by itself", `document.querySelector("#health").innerText.includes("The mailbox is not being read.")`)
	b.sees("a window says so too, wherever one is", `document.querySelector("#popup")?.open === true`)
	b.do(chromedp.KeyEvent("\u001b"))
	b.sees("it is closed", `!document.querySelector("#popup")?.open`)
	b.do(chromedp.Click(chromedp.CSS(`#health a.button.next[href^="/guides/gmail"]`)))
	b.sees("the guide ends with a field", `!!document.querySelector("#step-paste #new-password")`)
	b.do(chromedp.SendKeys("#new-password", "qrst uvwx yzab cdef"), chromedp.KeyEvent("\r"))
	b.sees("what arrived meanwhile is counted", `location.pathname === "/mailboxes/1" && document.querySelector("#gap").innerText.includes("3 mails that arrived meanwhile are here.")`)
	b.sees("the mailbox is being read again", `document.querySelector("#mailbox-state").innerText.includes("Reading.")`)
	b.sees("the ledger accounts for everything", `document.querySelector("#ledger").innerText.includes("All 4 messages are accounted for")`)
}
