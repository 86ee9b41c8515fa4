package web

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/provider"
)

// An appForm registers an app, or changes one.
type appForm struct {
	frame
	ID        string // empty: a new one
	Provider  *provider.Preset
	IsGeneric bool
	Values    url.Values
	Fault     *faultView
	Unplaced  bool // the fault is about none of the fields
	Return    string
	Redirect  string
	Scopes    []string
	Guide     *guideOfApp
	Kept      string // what the registration proves itself with now; empty: nothing
	Example   string // of the redirect address, in the words above the form
}

// appFields are the fields of the form that something can be wrong with.
func appFields() []string {
	return []string{
		"name", "kind", "client_id", "client_secret", "tenant", "secret_expires_at", "is_testing", "redirect_url", "issuer", "authorize_url", "token_url",
		"device_url", "revoke_url", "userinfo_url", "scopes", "extra_params",
	}
}

func (f appForm) value(field string) string { return f.Values.Get(field) }

func (f appForm) wrong(field string) string { return wrongWith(f.Fault, field) }

func (f appForm) is(field, value string) bool { return f.Values.Get(field) == value }

// opens says whether a folded part holds what is wrong, or what was typed.
func (f appForm) opens(fields ...string) bool {
	return slices.ContainsFunc(fields, func(field string) bool {
		return f.Values.Get(field) != "" || f.Fault != nil && f.Fault.Field == field
	})
}

func (f appForm) action() string {
	if f.ID == "" {
		return appsAddress
	}
	return appsAddress + "/" + f.ID
}

// providerID is the provider as the form sends it.
func (f appForm) providerID() string {
	if f.Provider == nil {
		return postroom.GenericProvider
	}
	return f.Provider.ID
}

// isGoogle and isMicrosoft say whose ways the form has to follow.
func (f appForm) isGoogle() bool { return f.Provider != nil && isGoogle(f.Provider.ID) }

func (f appForm) isMicrosoft() bool { return f.Provider != nil && takesTenant(f.Provider) }

func isGoogle(id string) bool { return id == "gmail" || id == "google_workspace" }

// takesTenant says whether apps of a provider belong to an organisation.
func takesTenant(p *provider.Preset) bool { return strings.HasPrefix(p.ID, "microsoft365") }

// kinds are the ways in which a registration at the provider can open mailboxes.
func (f appForm) kinds() []choice {
	chosen := f.kind()
	var all []choice
	add := func(kind postroom.AppKind, word, help string) {
		all = append(all, choice{Value: string(kind), Word: word, Help: help, Chosen: chosen == string(kind)})
	}
	add(postroom.AppSignIn, "People sign in", "Whoever has a mailbox signs in at the provider, once.")
	switch {
	case f.isGoogle():
		add(postroom.AppServiceAccount, "Service account", "One registration opens every mailbox of a domain, once its administrator has allowed that. Nobody signs in.")
	case f.isMicrosoft() || f.IsGeneric:
		add(postroom.AppClient, "The app itself", "An administrator allows the app to open mailboxes. Nobody signs in.")
	}
	return all
}

// kind is how the registration opens mailboxes.
func (f appForm) kind() string {
	if kind := f.Values.Get("kind"); kind != "" {
		return kind
	}
	return string(postroom.AppSignIn)
}

// isChosen says whether the kind was chosen with the way to register, beside the form.
func (f appForm) isChosen() bool { return f.ID == "" && f.Guide != nil && len(f.Guide.Ways) > 1 }

// A providerChoice is a provider at which apps can be registered.
type providerChoice struct {
	Name, Address, Words string
}

// An appProvidersPage asks at which provider.
type appProvidersPage struct {
	frame
	Choices []providerChoice
	Return  string
	Another string
}

// showNewApp handles GET /settings/apps/new: first the provider is chosen, then there is
// the form with the steps beside it.
func (s *Server) showNewApp(w http.ResponseWriter, r *http.Request, by visitor) error {
	id := r.FormValue("provider")
	if id == "" {
		p := appProvidersPage{frame: s.frame(by, "Register an app", "settings"), Return: waiting(r)}
		p.Choices, p.Another = s.appProviders(p.Return), newAppAddress(postroom.GenericProvider, p.Return)
		return s.render(w, r, http.StatusOK, appProvidersView(p))
	}
	f, err := s.newAppForm(r, by, id, url.Values{"kind": {r.FormValue("kind")}, "way": {r.FormValue("way")}})
	if err != nil {
		return err
	}
	f.Values.Set("name", f.suggestedName())
	return s.render(w, r, http.StatusOK, appFormView(f))
}

// newAppAddress is the form for a registration at a provider.
func newAppAddress(provider, back string) string {
	v := url.Values{"provider": {provider}}
	if back != "" {
		v.Set("return", back)
	}
	return appsAddress + "/new?" + v.Encode()
}

// appAddress is the page of a registration.
func appAddress(id postroom.OAuthAppID, back string) string {
	address := appsAddress + "/" + id.String()
	if back != "" {
		address += "?" + url.Values{"return": {back}}.Encode()
	}
	return address
}

// appProviders are the providers that let programs sign in by OAuth. Those that share
// the place where people sign in share registrations.
func (s *Server) appProviders(back string) (all []providerChoice) {
	places := make(map[string]int)
	for _, p := range s.Presets.All() {
		if p.OAuth == nil || p.OAuth.AuthorizeURL == "" {
			continue
		}
		if at, known := places[p.OAuth.AuthorizeURL]; known {
			if p.ID == "google_workspace" {
				all[at].Address = newAppAddress(p.ID, back)
			}
			all[at].Name += ", " + p.Name
			continue
		}
		places[p.OAuth.AuthorizeURL] = len(all)
		words := ""
		if p.OAuth.Restricted {
			words = "Lets in only apps that it has approved itself."
		}
		all = append(all, providerChoice{Name: p.Name, Address: newAppAddress(p.ID, back), Words: words})
	}
	return all
}

// newAppForm is the form for a new registration at a provider.
func (s *Server) newAppForm(r *http.Request, by visitor, providerID string, values url.Values) (appForm, error) {
	back := waiting(r)
	f := appForm{frame: s.frame(by, "Register an app", "settings"), Values: values, Return: back}
	if providerID == postroom.GenericProvider {
		f.IsGeneric = true
	} else {
		preset, ok := s.Presets.ByID(providerID)
		if !ok || preset.OAuth == nil {
			return f, &postroom.Fault{
				Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
				Explanation: "Postroom does not know how programs sign in at this provider.",
				Remedy:      "Choose the provider from the list, or “Another provider” and enter its addresses.",
			}
		}
		f.Provider, f.Scopes = preset, presetScopes(preset)
		f.Title = "Register an app at " + preset.Called()
	}
	f.Redirect = s.Apps.RedirectAt(postroom.OAuthApp{Provider: providerID, Kind: postroom.AppSignIn}, s.base(r))
	f.Guide = s.guideOfApp(f)
	return f, nil
}

// suggestedName is a name for a new registration.
func (f appForm) suggestedName() string {
	if f.Provider == nil {
		return ""
	}
	return "Postroom at " + f.Provider.Called()
}

// formOf is the form with a registration as it is kept.
func (s *Server) formOf(a postroom.OAuthApp, base string) appForm {
	v := url.Values{}
	for field, value := range map[string]string{
		"name": a.Name, "kind": string(a.Kind), "client_id": a.ClientID, "tenant": a.Tenant, "issuer": a.Issuer, "authorize_url": a.AuthorizeURL, "token_url": a.TokenURL,
		"device_url": a.DeviceURL, "revoke_url": a.RevokeURL, "userinfo_url": a.UserInfoURL,
		"scopes": strings.Join(a.Scopes, "\n"), "extra_params": paramLines(a.ExtraParams), "redirect_url": a.RedirectURL,
	} {
		if value != "" {
			v.Set(field, value)
		}
	}
	if !a.SecretExpiresAt.IsZero() {
		v.Set("secret_expires_at", a.SecretExpiresAt.UTC().Format(time.DateOnly))
	}
	if a.IsTesting {
		v.Set("is_testing", "yes")
	}
	f := appForm{ID: a.ID.String(), Values: v, IsGeneric: a.Provider == postroom.GenericProvider, Redirect: s.Apps.RedirectAt(a, base), Scopes: s.appScopes(a), Kept: secretWord(a.SecretKind)}
	if preset, ok := s.Presets.ByID(a.Provider); ok {
		f.Provider = preset
	}
	return f
}

func paramLines(params map[string]string) string {
	var lines []string
	for name, value := range params {
		lines = append(lines, name+"="+value)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// readApp reads the fields of the form into a, and the secret that was typed, pasted or
// chosen as a file; empty: none was.
func readApp(r *http.Request, a *postroom.OAuthApp) (postroom.Secret, error) {
	secret, err := typedSecret(r)
	if err != nil {
		return secret, err
	}
	f := fields{values: r.PostForm}
	a.Name, a.Kind, a.ClientID, a.Tenant = f.text("name"), postroom.AppKind(f.text("kind")), f.text("client_id"), f.text("tenant")
	a.Issuer, a.AuthorizeURL, a.TokenURL, a.DeviceURL = f.text("issuer"), f.text("authorize_url"), f.text("token_url"), f.text("device_url")
	a.RevokeURL, a.UserInfoURL = f.text("revoke_url"), f.text("userinfo_url")
	a.RedirectURL, a.IsTesting = f.text("redirect_url"), f.text("is_testing") != ""
	a.Scopes, a.ExtraParams = strings.Fields(f.text("scopes")), f.params("extra_params")
	a.SecretExpiresAt = time.Time{}
	if text := f.text("secret_expires_at"); text != "" {
		if a.SecretExpiresAt, err = time.Parse(time.DateOnly, text); err != nil {
			f.wrong("secret_expires_at", "This day cannot be read.", "Write it as 2027-03-31, or leave it empty.", err)
		}
	}
	return secret, f.err
}

// params reads lines of the form name=value.
func (f *fields) params(field string) map[string]string {
	all := make(map[string]string)
	for line := range strings.Lines(f.text(field)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			f.wrong(field, "A line has no “=” between a name and its value.", "Write one on each line, such as access_type=offline.", errors.New("no equals sign"))
			continue
		}
		all[name] = strings.TrimSpace(value)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// typedSecret is what was typed as a secret, or pasted as a certificate or key file, or
// chosen as a file of one.
func typedSecret(r *http.Request) (postroom.Secret, error) {
	if err := r.ParseMultipartForm(maxForm); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return postroom.Secret{}, err
	}
	for _, field := range []string{"client_secret", "client_key"} {
		if text := strings.TrimSpace(r.PostForm.Get(field)); text != "" {
			return postroom.Hide(text), nil
		}
	}
	file, _, err := r.FormFile("client_file")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return postroom.Hide(""), nil
	}
	if err != nil {
		return postroom.Secret{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	return postroom.Hide(strings.TrimSpace(string(text))), err
}

// addApp handles POST /settings/apps.
func (s *Server) addApp(w http.ResponseWriter, r *http.Request, by visitor) error {
	n := credential.NewApp{}
	secret, err := readApp(r, &n.OAuthApp)
	n.Provider, n.Secret = r.PostFormValue("provider"), secret
	var added postroom.OAuthApp
	if err == nil {
		added, err = s.Apps.Add(r.Context(), by.Viewer, n)
	}
	if err != nil {
		f, problem := s.newAppForm(r, by, r.PostFormValue("provider"), r.PostForm)
		if problem != nil {
			return problem
		}
		return s.answerApp(w, r, f, err)
	}
	goTo(w, r, appAddress(added.ID, waiting(r)))
	return nil
}

// changeApp handles POST /settings/apps/{id}. A secret that is left empty stays.
func (s *Server) changeApp(w http.ResponseWriter, r *http.Request, by visitor) error {
	a, err := s.appOf(r, by)
	if err != nil {
		return err
	}
	typed := a
	secret, err := readApp(r, &typed)
	if err == nil {
		var replaced *postroom.Secret
		if secret.Reveal() != "" {
			replaced = &secret
		}
		_, err = s.Apps.Change(r.Context(), by.Viewer, a.ID, func(to *postroom.OAuthApp) error {
			typed.ID, typed.Provider, typed.SecretKind = to.ID, to.Provider, to.SecretKind
			typed.CheckedAt, typed.Checks, typed.Mailboxes, typed.CreatedAt, typed.UpdatedAt = to.CheckedAt, to.Checks, to.Mailboxes, to.CreatedAt, to.UpdatedAt
			*to = typed
			return nil
		}, replaced)
	}
	if err != nil {
		f := s.formOf(a, s.base(r))
		f.frame, f.Values, f.Return = s.frame(by, a.Name, "settings"), r.PostForm, waiting(r)
		return s.answerApp(w, r, f, err)
	}
	goTo(w, r, appAddress(a.ID, waiting(r)))
	return nil
}

// answerApp shows what is wrong with the form. What was typed stays, but for secrets
// where no script runs.
func (s *Server) answerApp(w http.ResponseWriter, r *http.Request, f appForm, err error) error {
	fault, known := postroom.FaultOf(err)
	if !known {
		return err
	}
	v := viewFault(fault)
	v.Who = ""
	f.Values.Del("client_secret")
	f.Values.Del("client_key")
	f.Fault, f.Unplaced = &v, !slices.Contains(appFields(), v.Field)
	if _, part := isHTMX(r); part {
		return s.render(w, r, statusOf(fault.Kind), appFormAnswer(f))
	}
	return s.render(w, r, statusOf(fault.Kind), appFormView(f))
}

// back is where the arrow of the form leads.
func (f appForm) back() string {
	if f.ID != "" {
		return appsAddress + "/" + f.ID
	}
	return appsAddress + "/new"
}

func scopeLines(scopes []string) string { return strings.Join(scopes, "\n") }

// clientHelp says what the client id is called at the provider.
func clientHelp(f appForm) string {
	switch {
	case f.isMicrosoft():
		return "Called “Application (client) ID” there."
	case f.isGoogle():
		return "Ends in .apps.googleusercontent.com; of a service account its number."
	}
	return "What the provider calls this app."
}

func secretLabel(f appForm) string {
	if f.Kept != "" {
		return "A new secret"
	}
	return "Secret"
}

func inUseWords(n int64) string {
	if n == 1 {
		return "1 mailbox signs in by this app."
	}
	return mailboxCount(n) + " sign in by this app."
}

func themOrIt(n int64) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// isGood says whether nothing of a registration is refuted.
func (p appPage) isGood() bool { return p.Verdict.Tone == "good" }
