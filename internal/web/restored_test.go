package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// putBack makes an office one that was restored two days ago.
func (o *office) putBack() {
	isOpen := true
	o.pages.Notice = func(admin bool) *Notice {
		if !admin || !isOpen {
			return nil
		}
		return &Notice{Sentence: "This is a backup that was put back.", Remedy: "Its mailboxes are paused until you resume them.", Address: "/restored", Button: "What to look at"}
	}
	o.pages.Restored = func(context.Context) (Restored, bool, error) {
		checks := []Check{
			{"The old Postroom", "Make sure that it is off. Two that read the same mailboxes both make issues of their mail."},
			{"People and tokens", "Whoever left since may sign in again, and tokens that were revoked since work again."},
		}
		return Restored{BackupAt: time.Now().Add(-48 * time.Hour), Checks: checks}, isOpen, nil
	}
	o.pages.ForgetRestored = func(context.Context) error {
		isOpen = false
		return nil
	}
}

func TestAdministratorsLookAtWhatWasRestored(t *testing.T) {
	o := openOffice(t)
	o.putBack()
	ben := o.user("ben@example.net", "Ben", postroom.RoleAgent)
	ada, agent := o.browser(o.admin), o.browser(ben)
	ada.get("/issues").has(t, http.StatusOK, "a backup that was put back", `href="/restored"`)
	if page := agent.get("/issues"); strings.Contains(page.body, "put back") {
		t.Error("an agent is told what only administrators can do")
	}
	agent.get("/restored").has(t, http.StatusForbidden)
	ada.get("/restored").has(t, http.StatusOK, "The old Postroom", "tokens that were revoked")
	ada.post("/restored", nil).has(t, http.StatusSeeOther)
	ada.get("/restored").has(t, http.StatusOK, "Everything was looked at")
	o.pages.Restored = func(context.Context) (Restored, bool, error) { return Restored{}, false, errors.New("no answer") }
	ada.get("/restored").has(t, http.StatusInternalServerError)
}

func TestRestoredPageFits(t *testing.T) {
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	o.putBack()
	complaints := listenForComplaints(t, ctx)
	if err := chromedp.Do(ctx, chromedp.Navigate(o.links[o.admin.ID])); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int64{360, 1440} {
		look(t, ctx, o.site.URL+"/restored", "restored", width, "light")
		look(t, ctx, o.site.URL+"/mailboxes", "notice", width, "dark")
	}
	complaints.fail(t)
}
