package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// A care is what needs the one who looks at a page: the bell counts it, the worst of
// it stands above the page, and what they have not closed yet comes up in front of it.
type care struct {
	On     bool // there is somebody who knows what needs a person
	Count  int64
	Tone   string // of the worst
	Open   string // the alerts that are open, for the script: ids with blanks between
	Banner *Notice
	Popup  *popup
}

// A popup tells of an alert that its reader has not closed yet.
type popup struct {
	ID        string
	Seen      []string // all that closing it closes
	Badge     badge
	Title     string
	Words     string
	Remedy    string
	Who       string
	Since     moment
	Mailboxes string
	Step      nextStep
	More      string // what else waits; empty: nothing
}

// A nextStep is where somebody puts right what an alert is about.
type nextStep struct {
	Address, Button string
	IsPost          bool // it begins at once
}

// popsUp says whether an alert comes in front of a page: for what has stopped, and
// will not go on without a person.
func popsUp(k postroom.AlertKind) bool {
	return k == postroom.AlertSignIn || k == postroom.AlertRepair || k == postroom.AlertSpace
}

// alertBadge is an alert as icon and word.
func alertBadge(k postroom.AlertKind) badge {
	switch k {
	case postroom.AlertSignIn:
		return badge{"cross", "Sign-in needed", "bad"}
	case postroom.AlertRepair:
		return badge{"warning", "Repair needed", "bad"}
	case postroom.AlertSpace:
		return badge{"warning", "Disk running low", "bad"}
	case postroom.AlertUnbalanced:
		return badge{"warning", "Ledger does not balance", "bad"}
	case postroom.AlertQuarantined:
		return badge{"warning", "Mail set aside", "wait"}
	case postroom.AlertDelay:
		return badge{"clock", "Delayed", "wait"}
	case postroom.AlertAhead:
		return badge{"clock", "Ends soon", "wait"}
	}
	return badge{"warning", "Needs somebody", "wait"}
}

// isWholePage says whether a request is for a page that somebody will look at, and
// not for a part of one, a stream, a picture or a download.
func isWholePage(r *http.Request) bool {
	if _, part := isHTMX(r); part || r.URL.Path == "/live" {
		return false
	}
	dest := r.Header.Get("Sec-Fetch-Dest") // absent from old browsers, and without HTTPS
	return dest == "" || dest == "document"
}

// isBusyPage says whether a page is one on which somebody already mends something, so
// that nothing comes in front of it.
func isBusyPage(path string) bool {
	for _, place := range []string{"/alerts", appsAddress, alertSettingsAddress, "/oauth/", "/link/", "/guides/"} {
		if strings.HasPrefix(path, place) {
			return true
		}
	}
	return strings.HasPrefix(path, "/mailboxes/") && (strings.Contains(path, "/sign-in") || strings.Contains(path, "/password"))
}

// careFor finds out what needs a visitor. A page is shown without it where that fails.
func (s *Server) careFor(r *http.Request, by visitor) care {
	if s.Alerts == nil || by.User == 0 {
		return care{}
	}
	ctx := r.Context()
	alerts, err := s.Alerts.Open(ctx, by.Viewer)
	if err != nil {
		if ctx.Err() == nil {
			s.log().WarnContext(ctx, "alerts not looked up", "err", err)
		}
		return care{On: true}
	}
	closed := closedBanners(r)
	c := s.care(by, alerts, closed, !isBusyPage(r.URL.Path))
	if strings.HasPrefix(r.URL.Path, "/alerts") {
		c.Banner = nil // the page says it all
	}
	if c.Banner == nil && by.IsAdmin() && !closed[contactKey] && !strings.HasPrefix(r.URL.Path, alertSettingsAddress) && !strings.HasPrefix(r.URL.Path, "/alerts") {
		c.Banner = s.contactNotice(r)
	}
	return c
}

// contactNotice warns administrators while nobody may hear that something has stopped.
func (s *Server) contactNotice(r *http.Request) *Notice {
	warnings, err := s.Alerts.Warnings(r.Context())
	if err != nil {
		if r.Context().Err() == nil {
			s.log().WarnContext(r.Context(), "warnings not looked up", "err", err)
		}
		return nil
	}
	if len(warnings) == 0 {
		return nil
	}
	first := warnings[0]
	for _, f := range warnings {
		if f.Field == "contact" { // without somebody to be told it does not matter how
			first = f
			break
		}
	}
	address := alertSettingsAddress
	if r.Method == http.MethodGet {
		address += "?" + url.Values{"return": {r.URL.Path}}.Encode()
	}
	return &Notice{Sentence: first.Explanation, Address: address, Button: "Say who is told", Ahead: true, key: contactKey}
}

// care makes of open alerts, the gravest first, what stands on a page.
func (s *Server) care(by visitor, alerts []postroom.Alert, closed map[string]bool, pops bool) care {
	c := care{On: true, Count: int64(len(alerts))}
	var ids []string
	var unseen []postroom.Alert
	for _, a := range alerts {
		ids = append(ids, a.ID.String())
		if popsUp(a.Kind) && a.SeenAt.IsZero() {
			unseen = append(unseen, a)
		}
		if c.Banner == nil && !closed[bannerKey(a)] {
			c.Banner = s.alertNotice(by, a)
		}
	}
	c.Open = strings.Join(ids, " ")
	if len(alerts) > 0 {
		c.Tone = alertBadge(alerts[0].Kind).Tone
	}
	if pops && len(unseen) > 0 {
		c.Popup = s.popup(by, unseen, len(alerts))
	}
	return c
}

func (s *Server) popup(by visitor, unseen []postroom.Alert, open int) *popup {
	a := unseen[0]
	p := &popup{
		ID: a.ID.String(), Badge: alertBadge(a.Kind), Title: alertTitle(a), Words: a.Fault.Explanation, Remedy: a.Fault.Remedy, Since: tell(a.BegunAt, s.now()),
		Step: s.stepFor(by, a), Who: whoFixes(&a.Fault),
	}
	if asClause(p.Title) == asClause(p.Words) {
		p.Words = ""
	}
	if n := len(a.Mailboxes); n > 1 {
		p.Mailboxes = mailboxCount(int64(n))
	}
	for _, one := range unseen[:min(len(unseen), maxClosed)] {
		p.Seen = append(p.Seen, one.ID.String())
	}
	switch more := int64(open - 1); more {
	case 0:
	case 1:
		p.More = "1 other thing needs somebody."
	default:
		p.More = number(more) + " other things need somebody."
	}
	return p
}

// alertTitle is what has happened in a sentence.
func alertTitle(a postroom.Alert) string {
	if a.Title != "" {
		return asSentence(a.Title)
	}
	return asSentence(a.Fault.Explanation)
}

// alertNotice is an alert above a page: one sentence and one button.
func (s *Server) alertNotice(by visitor, a postroom.Alert) *Notice {
	step := s.stepFor(by, a)
	return &Notice{
		Sentence: alertTitle(a), Address: step.Address, Button: step.Button, Ahead: alertBadge(a.Kind).Tone != "bad",
		isPost: step.IsPost, alert: a.ID.String(), key: bannerKey(a),
	}
}

// stepFor is where a visitor puts right what an alert is about.
func (s *Server) stepFor(by visitor, a postroom.Alert) nextStep {
	page := "/alerts/" + a.ID.String()
	mailbox := ""
	if len(a.Mailboxes) == 1 {
		mailbox = "/mailboxes/" + a.Mailboxes[0].String()
	}
	switch {
	case a.App != 0 && a.Fault.FixBy == postroom.FixByAppAdmin && by.IsAdmin():
		return nextStep{Address: "/settings/apps/" + a.App.String(), Button: "Open the app"}
	case a.Kind == postroom.AlertSpace:
		return nextStep{Address: "/health", Button: "What to do"}
	case mailbox == "" && len(a.Mailboxes) > 1:
		return nextStep{Address: page, Button: "See which mailboxes"}
	case mailbox == "":
		return nextStep{Address: page, Button: "What to do"}
	case a.Kind == postroom.AlertSignIn && signsInByOAuth(a.Fault.Class):
		return nextStep{Address: mailbox + "/sign-in", Button: "Sign in again", IsPost: true}
	case a.Kind == postroom.AlertSignIn && by.IsAdmin():
		return nextStep{Address: mailbox + "/password", Button: "Enter a new password"}
	case a.Kind == postroom.AlertQuarantined:
		return nextStep{Address: mailbox + "/arrivals?state=" + string(postroom.ArrivalQuarantined), Button: "Look at it"}
	case a.Kind == postroom.AlertUnbalanced:
		return nextStep{Address: mailbox + "#ledger-title", Button: "Look at the ledger"}
	case a.Kind == postroom.AlertAhead:
		return nextStep{Address: page, Button: "What to do"}
	}
	return nextStep{Address: mailbox, Button: "What to do"}
}

// signsInByOAuth says whether signing in at the provider is what mends a fault.
func signsInByOAuth(c postroom.Class) bool {
	switch c {
	case postroom.TokenExpired, postroom.TokenRevoked, postroom.ConsentMissing, postroom.AdminConsentRequired, postroom.MFARequired, postroom.ConditionalAccess:
		return true
	}
	return false
}

// closedCookie remembers which banners somebody has closed, in this browser. A
// reminder brings a banner back.
const closedCookie = "postroom-closed"

// contactKey stands there for the warning that nobody may be told.
const contactKey = "0.0"

// maxClosed is how many closed banners a browser remembers.
const maxClosed = 50

// bannerKey names an alert between two reminders.
func bannerKey(a postroom.Alert) string { return a.ID.String() + "." + strconv.Itoa(max(a.Told, 1)) }

func closedBanners(r *http.Request) map[string]bool {
	closed := make(map[string]bool)
	if c, err := r.Cookie(closedCookie); err == nil {
		for key := range strings.SplitSeq(c.Value, "_") {
			closed[key] = true
		}
	}
	return closed
}

// closeBanner handles POST /alerts/banner. The bell goes on counting.
func (s *Server) closeBanner(w http.ResponseWriter, r *http.Request, _ visitor) error {
	keys := []string{r.PostFormValue("key")}
	if !isBannerKey(keys[0]) {
		return &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "It is not said what is to be closed.", Remedy: "Open the page again, and close it there.",
		}
	}
	if c, err := r.Cookie(closedCookie); err == nil {
		for key := range strings.SplitSeq(c.Value, "_") {
			if key != keys[0] && len(keys) < maxClosed && isBannerKey(key) {
				keys = append(keys, key)
			}
		}
	}
	http.SetCookie(w, &http.Cookie{
		Name: closedCookie, Value: strings.Join(keys, "_"), Path: "/", HttpOnly: true, Secure: s.isSecure(r), SameSite: http.SameSiteLaxMode,
	})
	if _, ok := isHTMX(r); ok {
		w.WriteHeader(http.StatusOK) // and nothing takes the place of the banner
		return nil
	}
	http.Redirect(w, r, pageBefore(r.Referer()), http.StatusSeeOther)
	return nil
}

func isBannerKey(key string) bool {
	return key != "" && len(key) <= 40 && strings.Trim(key, "0123456789.") == ""
}

// pageBefore is the page of this site that a browser was on, or the first one.
func pageBefore(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "/"
	}
	return local(u.RequestURI())
}

// closePopup handles POST /alerts/{id}/seen: somebody has read what came up in front of
// a page, with the others that it spoke of.
func (s *Server) closePopup(w http.ResponseWriter, r *http.Request, by visitor) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	also := r.PostForm["also"]
	if len(also) > maxClosed {
		also = also[:maxClosed]
	}
	for _, text := range append([]string{r.PathValue("id")}, also...) {
		id, err := postroom.ParseID[postroom.AlertID](text)
		if err != nil {
			return err
		}
		err = s.Alerts.Seen(r.Context(), by.Viewer, id)
		if err != nil && postroom.KindOf(err) != postroom.NotFound { // it has ended meanwhile
			return err
		}
	}
	if _, ok := isHTMX(r); ok {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(w, r, pageBefore(r.Referer()), http.StatusSeeOther)
	return nil
}

// showCare handles GET /alerts/now: the bell, and what comes up in front of a page that
// is open while something happens.
func (s *Server) showCare(w http.ResponseWriter, r *http.Request, by visitor) error {
	alerts, err := s.Alerts.Open(r.Context(), by.Viewer)
	if err != nil {
		return err
	}
	page, place := pageBefore(r.Header.Get("HX-Current-URL")), ""
	if strings.HasPrefix(page, "/alerts") {
		place = "alerts"
	}
	f := s.frame(by, "", place)
	f.care = s.care(by, alerts, closedBanners(r), !isBusyPage(page))
	return s.render(w, r, http.StatusOK, careNow(f))
}
