package web

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

const appsAddress = "/settings/apps"

// An appsPage lists the registrations of this Postroom at providers.
type appsPage struct {
	frame
	Apps    []appRow
	Removed string // the name of one that was just removed
}

// An appRow is a registration in a list.
type appRow struct {
	ID        string
	Name      string
	Provider  string
	Kind      string
	Mailboxes string
	Secret    endView
	Checked   *moment // nil: never yet
	Verdict   badge   // of all points together
}

// An endView says when something ends.
type endView struct {
	Words string // the day, or what is known instead
	Left  string // "in 12 days"; empty: there is no day
	Tone  string
}

func (v endView) whole() string {
	if v.Left == "" {
		return v.Words
	}
	return v.Words + ", " + v.Left
}

// showApps handles GET /settings/apps.
func (s *Server) showApps(w http.ResponseWriter, r *http.Request, by visitor) error {
	apps, err := s.Apps.List(r.Context(), by.Viewer)
	if err != nil {
		return err
	}
	p := appsPage{frame: s.frame(by, "Apps at providers", "settings"), Removed: r.FormValue("removed")}
	for _, a := range apps {
		p.Apps = append(p.Apps, s.appRow(a))
	}
	return s.render(w, r, http.StatusOK, appsView(p))
}

func (s *Server) appRow(a postroom.OAuthApp) appRow {
	row := appRow{
		ID: a.ID.String(), Name: a.Name, Provider: s.providerName(a.Provider), Kind: appKindWords(a.Kind), Mailboxes: mailboxCount(int64(a.Mailboxes)),
		Secret: s.secretEnd(a), Verdict: verdictOf(a),
	}
	if a.Mailboxes == 0 {
		row.Mailboxes = "no mailbox yet"
	}
	if !a.CheckedAt.IsZero() {
		at := tell(a.CheckedAt, s.now())
		row.Checked = &at
	}
	return row
}

// providerName is what a provider is called on pages.
func (s *Server) providerName(id string) string {
	if preset, ok := s.Presets.ByID(id); ok {
		return preset.Name
	}
	if id == postroom.GenericProvider {
		return "Another provider"
	}
	return id
}

// appKindWords say how a registration opens mailboxes.
func appKindWords(k postroom.AppKind) string {
	switch k {
	case postroom.AppClient:
		return "opens mailboxes itself, without anybody signing in"
	case postroom.AppServiceAccount:
		return "opens every mailbox of a domain by a service account"
	}
	return "people sign in, each for their mailbox"
}

// secretWord is what a registration proves itself with.
func secretWord(k postroom.AppSecretKind) string {
	switch k {
	case postroom.AppSecretText:
		return "secret"
	case postroom.AppSecretCertificate:
		return "certificate"
	case postroom.AppSecretKeyFile:
		return "key file"
	}
	return ""
}

// secretEnd says when the secret of a registration ends.
func (s *Server) secretEnd(a postroom.OAuthApp) endView {
	word := secretWord(a.SecretKind)
	switch {
	case word == "":
		return endView{Words: "there is none"}
	case a.SecretExpiresAt.IsZero() && (a.SecretKind == postroom.AppSecretKeyFile || isGoogle(a.Provider)):
		return endView{Words: "never by itself"}
	case a.SecretExpiresAt.IsZero():
		return endView{Words: "not known"}
	}
	v := endView{Words: dayOf(a.SecretExpiresAt), Left: daysLeft(a.SecretExpiresAt, s.now())}
	switch left := a.SecretExpiresAt.Sub(s.now()); {
	case left <= 0:
		v.Tone, v.Left = "bad", "has ended"
	case left <= soon:
		v.Tone = "wait"
	}
	return v
}

// verdictOf sums up what the check of a registration found.
func verdictOf(a postroom.OAuthApp) badge {
	count := make(map[postroom.Verdict]int64)
	for _, c := range a.Checks {
		count[c.Verdict]++
	}
	switch {
	case a.CheckedAt.IsZero():
		return badge{"draft", "Not checked yet", "rest"}
	case count[postroom.Refuted] > 0:
		return badge{"cross", plural(count[postroom.Refuted], "point") + " refuted", "bad"}
	case count[postroom.Proven] == 0:
		return badge{"help", "Nothing proven yet", "wait"}
	}
	return badge{"tick", plural(count[postroom.Proven], "point") + " proven", "good"}
}

// A verdictView is one point of a check.
type verdictView struct {
	Point  string
	Badge  badge
	Words  string
	Remedy string

	Page, PageWords, PageHost string
	Copy                      string // an address that somebody else has to open; empty: none
	CopyID                    string
}

// verdictViews are the points of a check: what is refuted first, then what is proven.
func verdictViews(checks []postroom.AppCheck) (all []verdictView) {
	order := []postroom.Verdict{postroom.Refuted, postroom.Unknowable, postroom.Proven}
	checks = slices.Clone(checks)
	slices.SortStableFunc(checks, func(a, b postroom.AppCheck) int {
		return slices.Index(order, a.Verdict) - slices.Index(order, b.Verdict)
	})
	for _, c := range checks {
		v := verdictView{Point: pointWord(c.Point), Badge: verdictBadge(c.Verdict), Words: c.Words, Remedy: c.Remedy}
		v.Page, v.PageWords, v.PageHost = outside(c.Link)
		if c.Point == "admin_consent" && v.Page != "" {
			v.Copy, v.CopyID = v.Page, "consent-address"
		}
		all = append(all, v)
	}
	return all
}

func verdictBadge(v postroom.Verdict) badge {
	switch v {
	case postroom.Proven:
		return badge{"tick", "Proven", "good"}
	case postroom.Refuted:
		return badge{"cross", "Refuted", "bad"}
	}
	return badge{"help", "Cannot be known from here", "rest"}
}

// pointWord names a point of a check.
func pointWord(point string) string {
	words := map[string]string{
		"redirect": "Redirect address", "secret": "Secret", "tenant": "Tenant", "testing": "Publishing status", "scopes": "Scopes", "admin_consent": "Consent of an administrator",
		"client_id": "Client id", "issuer": "Issuer", "addresses": "Addresses", "expiry": "End of the secret", "delegation": "Domain-wide delegation", "mailbox_access": "Access to mailboxes",
	}
	if word, ok := words[point]; ok {
		return word
	}
	return strings.TrimSuffix(asSentence(strings.ReplaceAll(point, "_", " ")), ".")
}

// An appPage is one registration.
type appPage struct {
	frame
	appRow
	Form      appForm
	Verdicts  []verdictView
	Runs      bool   // the check has to run, and does by itself
	Why       string // the check could not run
	Back      string // the page that waits for this registration; empty: none does
	InUse     int64
	Redirect  string
	HasAnswer bool
	Scopes    []string
	Way       *wayView
	Made      moment
	Ends      []expiryView
	Wrong     *faultView // with the form to remove it
}

// showApp handles GET /settings/apps/{id}.
func (s *Server) showApp(w http.ResponseWriter, r *http.Request, by visitor) error {
	a, err := s.appOf(r, by)
	if err != nil {
		return err
	}
	p, err := s.appPage(r, by, a)
	if err != nil {
		return err
	}
	if target, _ := isHTMX(r); target == "verdicts" {
		return s.render(w, r, http.StatusOK, verdictList(p))
	}
	return s.render(w, r, http.StatusOK, appView(p))
}

// appOf is the registration that a request is about.
func (s *Server) appOf(r *http.Request, by visitor) (postroom.OAuthApp, error) {
	id, err := postroom.ParseID[postroom.OAuthAppID](r.PathValue("id"))
	if err != nil {
		return postroom.OAuthApp{}, err
	}
	return s.Apps.App(r.Context(), by.Viewer, id)
}

func (s *Server) appPage(r *http.Request, by visitor, a postroom.OAuthApp) (appPage, error) {
	p := appPage{
		frame: s.frame(by, a.Name, "settings"), appRow: s.appRow(a), Verdicts: verdictViews(a.Checks), InUse: int64(a.Mailboxes),
		Runs: a.CheckedAt.Before(a.UpdatedAt), Back: waiting(r), Redirect: s.Apps.RedirectAt(a, s.base(r)), HasAnswer: a.Kind == postroom.AppSignIn || a.Kind == "",
		Scopes: s.appScopes(a), Made: tell(a.CreatedAt, s.now()), Form: s.formOf(a, s.base(r)),
	}
	p.Form.Return = p.Back
	if guide, ok := s.Presets.AppGuide(a.Provider); ok {
		if way, ok := wayFor(guide, a.Kind); ok {
			v := s.wayView(way, p.Redirect)
			p.Way = &v
		}
	}
	var err error
	p.Ends, err = s.endsOfApp(r.Context(), by, a.ID)
	return p, err
}

// waiting is the page of this site that waits for a registration; empty: none does.
func waiting(r *http.Request) string {
	back := r.FormValue("return")
	if back == "" || local(back) == "/" {
		return ""
	}
	return back
}

// appScopes are the scopes that a registration asks for.
func (s *Server) appScopes(a postroom.OAuthApp) (all []string) {
	if len(a.Scopes) > 0 {
		return a.Scopes
	}
	if preset, ok := s.Presets.ByID(a.Provider); ok {
		return presetScopes(preset)
	}
	return nil
}

func presetScopes(p *provider.Preset) (all []string) {
	if p.OAuth == nil {
		return nil
	}
	for _, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3, postroom.SMTP} {
		for _, scope := range p.OAuth.Scopes[protocol] {
			if !slices.Contains(all, scope) {
				all = append(all, scope)
			}
		}
	}
	return all
}

// checkApp handles POST /settings/apps/{id}/check: it finds out what can be found out
// before the first person stumbles.
func (s *Server) checkApp(w http.ResponseWriter, r *http.Request, by visitor) error {
	a, err := s.appOf(r, by)
	if err != nil {
		return err
	}
	why := ""
	checked, err := s.Apps.CheckAt(r.Context(), by.Viewer, a.ID, s.base(r))
	if f, ok := postroom.FaultOf(err); ok && f.Kind != postroom.NotFound {
		why = f.Explanation + " " + f.Remedy
	} else if err != nil {
		return err
	} else {
		a = checked
	}
	if _, part := isHTMX(r); !part && why == "" {
		goTo(w, r, appAddress(a.ID, waiting(r))+"#verdicts-title")
		return nil
	}
	p, err := s.appPage(r, by, a)
	if err != nil {
		return err
	}
	p.Runs, p.Why = false, why
	if _, part := isHTMX(r); part {
		return s.render(w, r, http.StatusOK, verdictList(p))
	}
	return s.render(w, r, http.StatusOK, appView(p))
}

// removeApp handles POST /settings/apps/{id}/remove. Its secret is destroyed, so it asks
// for the password of the one who does it.
func (s *Server) removeApp(w http.ResponseWriter, r *http.Request, by visitor) error {
	a, err := s.appOf(r, by)
	if err != nil {
		return err
	}
	if err = s.confirm(r, by, postroom.Hide(r.PostFormValue("password"))); err == nil {
		err = s.Apps.Remove(r.Context(), by.Viewer, a.ID)
	}
	f, ok := postroom.FaultOf(err)
	if err != nil && (!ok || f.Kind == postroom.NotFound) {
		return err
	}
	if ok {
		p, err := s.appPage(r, by, a)
		if err != nil {
			return err
		}
		v := viewFault(f)
		v.Who, p.Wrong, p.Runs = "", &v, false
		return s.render(w, r, statusOf(f.Kind), appView(p))
	}
	goTo(w, r, appsAddress+"?removed=1")
	return nil
}

// endsOfApp is what is known to end with a registration.
func (s *Server) endsOfApp(ctx context.Context, by visitor, id postroom.OAuthAppID) ([]expiryView, error) {
	ends, err := s.ahead(ctx)
	if err != nil {
		return nil, err
	}
	var all []expiryView
	for _, e := range ends {
		if e.App == id {
			v, err := s.expiryView(ctx, by, e, "")
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
	}
	return all, nil
}
