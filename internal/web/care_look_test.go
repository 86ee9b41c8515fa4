package web

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// TestCarePagesFit opens the pages of apps and alerts as TestPagesFit does: with
// nothing, and with much, the longest names and the worst that can be said.
func TestCarePagesFit(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	empty, busy := openCareOffice(t), openCareOffice(t)
	complaints := listenForComplaints(t, ctx)
	busy.fillCare()
	app := busy.register(googleApp())
	long := googleApp()
	long.Name, long.SecretExpiresAt = "The registration of "+strings.Repeat("unbreakable", 8)+" at Google, for all of northern Europe", time.Now().Add(9*24*time.Hour)
	wrong := busy.register(long)
	for _, id := range []postroom.OAuthAppID{app.ID, wrong.ID} {
		if _, err := busy.pages.Apps.Check(t.Context(), busy.viewer(), id); err != nil {
			t.Logf("Check: %v", err)
		}
	}
	open, err := busy.alerts.Open(t.Context(), busy.viewer())
	if err != nil || len(open) == 0 {
		t.Fatalf("Open = %v, %v", open, err)
	}
	lookAt := func(c *careOffice, pages map[string]string) {
		if err := chromedp.Do(ctx, chromedp.Navigate(c.links[c.admin.ID])); err != nil {
			t.Fatal(err)
		}
		for name, path := range pages {
			for _, width := range []int64{360, 768, 1440} {
				for i, theme := range []string{"light", "dark"} {
					if os.Getenv("POSTROOM_SCREENSHOTS") == "" && (width == 768) != (i == 1) {
						continue
					}
					look(t, ctx, c.site.URL+path, fmt.Sprintf("%s-%d-%s", name, width, theme), width, theme)
				}
			}
		}
	}
	lookAt(empty, map[string]string{
		"apps-none": appsAddress, "apps-where": appsAddress + "/new", "apps-google": appsAddress + "/new?provider=google_workspace",
		"apps-microsoft": appsAddress + "/new?provider=microsoft365", "apps-generic": appsAddress + "/new?provider=generic",
		"alerts-none": "/alerts", "told-nobody": alertSettingsAddress, "first": "/mailboxes",
	})
	lookAt(busy, map[string]string{
		"apps": appsAddress, "app": appsAddress + "/" + app.ID.String(), "app-long": appsAddress + "/" + wrong.ID.String() + "?return=/mailboxes/1",
		"alerts": "/alerts", "alert": "/alerts/" + open[0].ID.String(), "alert-many": "/alerts/" + open[len(open)-1].ID.String(),
		"popup": "/issues", "told": alertSettingsAddress, "health-care": "/health", "settings-care": "/settings",
	})
	complaints.fail(t)
}

// fillCare has several things need somebody, and one that no longer does.
func (c *careOffice) fillCare() {
	c.Helper()
	c.relay()
	c.watch()
	c.alerted(0)
	mended := c.box("Accounts", "accounts@gmail.com", at("imap.gmail.com"))
	c.ails(mended, revoked())
	c.alerted(1)
	c.mend(mended)
	c.calm()
	orders := c.box("Orders and everything that has to do with them in all of northern Europe", "orders-and-partnerships-northern-europe@a-rather-long-company-name.example", at("imap.gmail.com"))
	f := revoked()
	f.Reply = "NO [AUTHENTICATIONFAILED] " + strings.Repeat("unbreakable", 12)
	c.ails(orders, f)
	c.ail(120, "Team", &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
		Explanation: "The client secret of app “Office” expired.", Remedy: "Make a new one at Microsoft, and enter it under Settings.",
	})
	c.later(3 * time.Minute)
	c.alerted(2)
	c.arrives(2)
}
