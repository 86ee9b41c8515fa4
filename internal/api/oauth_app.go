package api

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
)

// apps is the part of the room of credentials that keeps registrations:
// *credential.Apps.
type apps interface {
	Add(ctx context.Context, by postroom.Viewer, n credential.NewApp) (postroom.OAuthApp, error)
	Change(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID, change func(*postroom.OAuthApp) error, secret *postroom.Secret) (postroom.OAuthApp, error)
	Remove(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID) error
	List(ctx context.Context, by postroom.Viewer) ([]postroom.OAuthApp, error)
	App(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID) (postroom.OAuthApp, error)
	CheckAt(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID, base string) (postroom.OAuthApp, error)
	RedirectAt(app postroom.OAuthApp, base string) string
}

// OAuthAppSettings are what can be said of a registration at a provider.
type OAuthAppSettings struct {
	Name         string            `json:"name,omitempty" maxLength:"1000" doc:"What people here call it; the provider's name where there is none."`
	Provider     string            `json:"provider" maxLength:"100" doc:"The id of a known provider, such as gmail or microsoft365; or generic, with authorize_url and token_url, or issuer."`
	Kind         string            `json:"kind,omitempty" doc:"How it opens mailboxes: sign_in (people sign in), client_credentials (in its own name) or service_account. Usual is sign_in."`
	ClientID     string            `json:"client_id,omitempty" maxLength:"2000"`
	Tenant       string            `json:"tenant,omitempty" maxLength:"200" doc:"Of Microsoft: the organisation's id or domain."`
	Issuer       string            `json:"issuer,omitempty" maxLength:"2000" doc:"What it publishes fills the addresses that are not given."`
	AuthorizeURL string            `json:"authorize_url,omitempty" maxLength:"2000"`
	TokenURL     string            `json:"token_url,omitempty" maxLength:"2000"`
	DeviceURL    string            `json:"device_url,omitempty" maxLength:"2000"`
	RevokeURL    string            `json:"revoke_url,omitempty" maxLength:"2000"`
	UserInfoURL  string            `json:"userinfo_url,omitempty" maxLength:"2000"`
	Scopes       []string          `json:"scopes,omitempty" nullable:"false" doc:"What is asked for; of a known provider, what it needs."`
	ExtraParams  map[string]string `json:"extra_params,omitempty" doc:"Of the address that the browser is sent to."`
	RedirectURL  string            `json:"redirect_url,omitempty" maxLength:"2000" doc:"Where the browser comes back to, where that is not /oauth/callback of this Postroom."`
	SecretEnds   string            `json:"secret_expires_at,omitempty" doc:"When the client secret ends, as the provider shows it: an RFC 3339 time or a day. Of a certificate it is seen."`
	IsTesting    bool              `json:"is_testing,omitempty" doc:"Google: its publishing status is testing, so that every sign-in ends after seven days."`
}

// NewOAuthApp is a registration on its way in.
type NewOAuthApp struct {
	OAuthAppSettings
	AppSecret
}

// AppSecret is what a registration proves itself with; one of them at most. It is
// never answered.
type AppSecret struct {
	ClientSecret string `json:"client_secret,omitempty" maxLength:"20000"`
	Certificate  string `json:"certificate,omitempty" maxLength:"100000" doc:"PEM: the private key and its certificate, in place of a client secret."`
	KeyFile      string `json:"key_file,omitempty" maxLength:"100000" doc:"The JSON file of a service account's key."`
}

// OAuthApp is a registration as the API shows it: never with its secret.
type OAuthApp struct {
	ID string `json:"id"`
	OAuthAppSettings
	Secret      string     `json:"secret" enum:"none,secret,certificate,key_file" doc:"What it proves itself with."`
	RedirectsTo string     `json:"redirects_to" doc:"The redirect address to register at the provider, letter by letter."`
	Mailboxes   int        `json:"mailboxes" doc:"How many sign in by it."`
	CheckedAt   *time.Time `json:"checked_at"`
	Checks      []AppCheck `json:"checks" nullable:"false"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
}

// AppCheck is one point of the check of a registration.
type AppCheck struct {
	Point   string `json:"point"`
	Verdict string `json:"verdict" enum:"proven,refuted,unknowable"`
	Words   string `json:"words"`
	Remedy  string `json:"remedy"`
	Link    *Link  `json:"link,omitempty"`
}

func showAppSettings(a postroom.OAuthApp) OAuthAppSettings {
	s := OAuthAppSettings{
		Name: a.Name, Provider: a.Provider, Kind: string(a.Kind), ClientID: a.ClientID, Tenant: a.Tenant, Issuer: a.Issuer,
		AuthorizeURL: a.AuthorizeURL, TokenURL: a.TokenURL, DeviceURL: a.DeviceURL, RevokeURL: a.RevokeURL,
		UserInfoURL: a.UserInfoURL, Scopes: a.Scopes, ExtraParams: a.ExtraParams, RedirectURL: a.RedirectURL, IsTesting: a.IsTesting,
	}
	if !a.SecretExpiresAt.IsZero() {
		s.SecretEnds = a.SecretExpiresAt.UTC().Format(time.RFC3339)
	}
	return s
}

// showApp shows a registration to whoever has come by the address base.
func (s *Server) showApp(a postroom.OAuthApp, base string) OAuthApp {
	shown := OAuthApp{
		ID: a.ID.String(), OAuthAppSettings: showAppSettings(a), Secret: string(a.SecretKind), RedirectsTo: s.Apps.RedirectAt(a, base),
		Mailboxes: a.Mailboxes, CheckedAt: moment(a.CheckedAt), Checks: []AppCheck{}, CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
	}
	if a.SecretKind == postroom.AppSecretNone {
		shown.Secret = "none"
	}
	for _, c := range a.Checks {
		check := AppCheck{Point: c.Point, Verdict: string(c.Verdict), Words: c.Words, Remedy: c.Remedy}
		if c.Link.URL != "" {
			check.Link = &Link{c.Link.Words, c.Link.URL}
		}
		shown.Checks = append(shown.Checks, check)
	}
	return shown
}

// apply fills a with the settings.
func (s OAuthAppSettings) apply(a *postroom.OAuthApp) error {
	a.Name, a.Provider, a.Kind, a.ClientID, a.Tenant, a.Issuer = s.Name, s.Provider, postroom.AppKind(s.Kind), s.ClientID, s.Tenant, s.Issuer
	a.AuthorizeURL, a.TokenURL, a.DeviceURL, a.RevokeURL = s.AuthorizeURL, s.TokenURL, s.DeviceURL, s.RevokeURL
	a.UserInfoURL, a.RedirectURL = s.UserInfoURL, s.RedirectURL
	a.Scopes, a.ExtraParams, a.IsTesting = s.Scopes, s.ExtraParams, s.IsTesting
	a.SecretExpiresAt = time.Time{}
	if s.SecretEnds == "" {
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, s.SecretEnds); err == nil {
			a.SecretExpiresAt = at.UTC()
			return nil
		}
	}
	return unfit("secret_expires_at", "This is no time.", "Give a day like 2027-05-31, or a time like 2027-05-31T08:00:00Z.")
}

// take is the one secret that was given, and of which kind it is; nil: none was.
func (s AppSecret) take() (kind postroom.AppSecretKind, secret *postroom.Secret, err error) {
	for _, given := range []struct {
		kind postroom.AppSecretKind
		text string
	}{
		{postroom.AppSecretText, s.ClientSecret},
		{postroom.AppSecretCertificate, s.Certificate},
		{postroom.AppSecretKeyFile, s.KeyFile},
	} {
		if strings.TrimSpace(given.text) == "" {
			continue
		}
		if secret != nil {
			return "", nil, unfit("client_secret", "More than one secret is given.", "Give one of client_secret, certificate and key_file.")
		}
		hidden := postroom.Hide(given.text)
		kind, secret = given.kind, &hidden
	}
	return kind, secret, nil
}

type appsInput struct {
	Paging
	addressed
}

// listApps answers the registrations. They are few: the list is cut into pages here.
func (s *Server) listApps(ctx context.Context, v postroom.Viewer, in *appsInput) (*answer[list[OAuthApp]], error) {
	all, err := s.Apps.List(ctx, v)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(all, in.Paging, func(a postroom.OAuthApp) string { return a.ID.String() })
	base := s.Base(in.request)
	return answerOf(listOf(page, next, func(a postroom.OAuthApp) OAuthApp { return s.showApp(a, base) }), err)
}

type newAppInput struct {
	addressed
	Body NewOAuthApp
}

type createdApp struct {
	Location string `header:"Location"`
	Body     OAuthApp
}

func (s *Server) addApp(ctx context.Context, v postroom.Viewer, in *newAppInput) (*createdApp, error) {
	var n credential.NewApp
	if err := in.Body.apply(&n.OAuthApp); err != nil {
		return nil, err
	}
	kind, secret, err := in.Body.take()
	if err != nil {
		return nil, err
	}
	if secret != nil {
		n.SecretKind, n.Secret = kind, *secret
	}
	a, err := s.Apps.Add(ctx, v, n)
	if err != nil {
		return nil, err
	}
	return &createdApp{Prefix + "/oauth-apps/" + a.ID.String(), s.showApp(a, s.Base(in.request))}, nil
}

// OfApp names a registration.
type OfApp struct {
	addressed
	ID string `path:"id"`
}

func (s *Server) readApp(ctx context.Context, v postroom.Viewer, in *OfApp) (*answer[OAuthApp], error) {
	id, err := postroom.ParseID[postroom.OAuthAppID](in.ID)
	if err != nil {
		return nil, err
	}
	a, err := s.Apps.App(ctx, v, id)
	if err != nil {
		return nil, err
	}
	return answerOf(s.showApp(a, s.Base(in.request)), nil)
}

type appPatch struct {
	OfApp
	Body patch `contentType:"application/merge-patch+json"`
}

func (s *Server) changeApp(ctx context.Context, v postroom.Viewer, in *appPatch) (*answer[OAuthApp], error) {
	id, err := postroom.ParseID[postroom.OAuthAppID](in.ID)
	if err != nil {
		return nil, err
	}
	kind, secret, err := takeAppSecret(in.Body.members)
	if err != nil {
		return nil, err
	}
	a, err := s.Apps.Change(ctx, v, id, func(a *postroom.OAuthApp) error {
		if err := patchApp(a, in.Body.members); err != nil {
			return err
		}
		if secret != nil {
			a.SecretKind = kind
		}
		return nil
	}, secret)
	if err != nil {
		return nil, err
	}
	return answerOf(s.showApp(a, s.Base(in.request)), nil)
}

// takeAppSecret takes the secrets out of a patch. Null gives the secret up: an app
// that can keep none.
func takeAppSecret(members map[string]any) (kind postroom.AppSecretKind, secret *postroom.Secret, err error) {
	given := make(map[string]any)
	gone := false
	for _, name := range []string{"client_secret", "certificate", "key_file"} {
		if value, there := members[name]; there {
			delete(members, name)
			if value == nil {
				gone = true
				continue
			}
			given[name] = value
		}
	}
	all, err := settled[AppSecret](given, "")
	if err != nil {
		return "", nil, err
	}
	if kind, secret, err = all.take(); err == nil && secret == nil && gone {
		none := postroom.Hide("")
		secret = &none
	}
	return kind, secret, err
}

func patchApp(a *postroom.OAuthApp, patch map[string]any) error {
	text, err := json.Marshal(showAppSettings(*a))
	if err != nil {
		return err
	}
	var now any
	if err := json.Unmarshal(text, &now); err != nil {
		return err
	}
	after, err := settled[OAuthAppSettings](merged(now, patch), "")
	if err != nil {
		return err
	}
	return after.apply(a)
}

func (s *Server) deleteApp(ctx context.Context, v postroom.Viewer, in *OfApp) (*struct{}, error) {
	id, err := postroom.ParseID[postroom.OAuthAppID](in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.Apps.Remove(ctx, v, id)
}

func (s *Server) checkApp(ctx context.Context, v postroom.Viewer, in *OfApp) (*answer[OAuthApp], error) {
	id, err := postroom.ParseID[postroom.OAuthAppID](in.ID)
	if err != nil {
		return nil, err
	}
	a, err := s.Apps.CheckAt(ctx, v, id, s.Base(in.request))
	if err != nil {
		return nil, err
	}
	return answerOf(s.showApp(a, s.Base(in.request)), nil)
}
