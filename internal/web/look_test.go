package web

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom/internal/testbed"
)

// TestPagesFit opens every page at three widths in both themes. None is wider than
// the screen, none breaks its own Content-Security-Policy, and no script fails.
// With POSTROOM_SCREENSHOTS=DIR the pictures are kept there, for people to look at.
func TestPagesFit(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	support := o.fill(time.Now())
	o.answerLedgers()
	o.move(support)
	complaints := listenForComplaints(t, ctx)
	pages := map[string]string{
		"issues": "/issues", "search": "/issues?q=greenhouse", "nothing-found": "/issues?q=zebra", "deleted": "/issues?deleted=3",
		"issue": "/issues/61", "formatted": "/issues/62", "longest": "/issues/63", "unbreakable": "/issues/64",
		"mailboxes": "/mailboxes", "mailbox": "/mailboxes/" + support.ID.String(), "refused": "/mailboxes/3", "delayed": "/mailboxes/4",
		"arrivals": "/mailboxes/" + support.ID.String() + "/arrivals?state=quarantined",
		"test":     "/mailboxes/" + support.ID.String() + "/test",
		"connect":  "/mailboxes/new", "mailbox-settings": "/mailboxes/" + support.ID.String() + "/settings",
		"rescan": "/mailboxes/" + support.ID.String() + "/rescan/found", "import": importAddress,
		"settings": "/settings", "not-here": "/nothing",
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(o.links[o.admin.ID])); err != nil {
		t.Fatal(err)
	}
	for name, path := range pages {
		for _, width := range []int64{360, 768, 1440} {
			for i, theme := range []string{"light", "dark"} {
				if os.Getenv("POSTROOM_SCREENSHOTS") == "" && (width == 768) != (i == 1) {
					continue // one theme for each width does, where nobody looks
				}
				look(t, ctx, o.site.URL+path, fmt.Sprintf("%s-%d-%s", name, width, theme), width, theme)
			}
		}
	}
	complaints.fail(t)
}

// withoutName finds fields without a label, buttons and links without words, and
// ids that are there twice.
const withoutName = `[
	...[...document.querySelectorAll("input:not([type=hidden]), select, textarea")].filter((e) => !e.labels.length && !e.ariaLabel),
	...[...document.querySelectorAll("button, a, summary")].filter((e) => !e.textContent.trim() && !e.ariaLabel),
	...[...document.querySelectorAll("[id]")].filter((e) => document.querySelectorAll("#" + CSS.escape(e.id)).length > 1),
].map((e) => e.outerHTML.slice(0, 200)).join("\n")`

func look(t *testing.T, ctx context.Context, address, name string, width int64, theme string) {
	t.Helper()
	scheme := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}}
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, scheme)
	if err == nil {
		err = chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(address), chromedp.WaitReady("#content"))
	}
	if err != nil {
		t.Fatalf("open %s: %v", name, err)
	}
	overflow, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if err != nil || overflow > 0 {
		t.Errorf("%s is %v px wider than the screen (%v)", name, overflow, err)
	}
	unnamed, err := chromedp.Run(ctx, chromedp.Evaluate[string](withoutName))
	if err != nil || unnamed != "" {
		t.Errorf("%s has what a screen reader cannot name, or one id twice: %s (%v)", name, unnamed, err)
	}
	dir := os.Getenv("POSTROOM_SCREENSHOTS")
	if dir == "" {
		return
	}
	// Whoever looks wants to see the answers, too.
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`!document.querySelector("#ledger .turning") && [...document.images].every((i) => i.complete)`)); err != nil {
		t.Errorf("wait for %s: %v", name, err)
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// complaints are what the browser says about our pages.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func listenForComplaints(t *testing.T, ctx context.Context) *complaints {
	t.Helper()
	c := &complaints{}
	err := chromedp.Listen(ctx, func(event any) {
		text := ""
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == "error" || e.Entry.Source == "security" {
				text = e.Entry.Text + " " + e.Entry.URL
			}
		case *runtime.EventExceptionThrown:
			text = e.ExceptionDetails.Text
		case *page.EventJavascriptDialogOpening:
			text = "a dialog: " + e.Message
		}
		// The page that is not there says so.
		if text == "" || strings.Contains(text, "404") || strings.Contains(text, "422") {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.list = append(c.list, text)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *complaints) fail(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range c.list {
		t.Errorf("the browser says: %s", text)
	}
}
