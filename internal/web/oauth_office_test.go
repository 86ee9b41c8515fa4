package web

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/vault"
)

const (
	annasAddress = "anna.office@gmail.com"
	bertsAddress = "bert.private@gmail.com"

	// At Microsoft the office has a shared mailbox, which Anna may open.
	sharedAddress  = "support@contoso.onmicrosoft.com"
	annasMicrosoft = "anna@contoso.onmicrosoft.com"

	ownersWord       = "Sunflowers-2019"
	registeredSecret = "the-secret-of-this-Postroom"
	registeredID     = "4711-postroom.apps.googleusercontent.com"
	googleMail       = "https://mail.google.com/"
)

// signingKey is one for all tests, for finding it takes long.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// A signInOffice is an office at whose provider people sign in.
type signInOffice struct {
	*office
	mail   *simulator.Server
	smtp   *simulator.SMTPServer
	google *simulator.OAuthServer
	desk   *credential.Desk
	apps   *credential.Apps
	app    postroom.OAuthApp
	kind   simulator.OAuthKind
	mailed []credential.LinkMail
	mu     sync.Mutex
}

// openSignInOffice opens one with a provider like Google, and no registration there yet.
func openSignInOffice(t *testing.T, options simulator.OAuthOptions) *signInOffice {
	t.Helper()
	s := &signInOffice{kind: options.Kind}
	s.openProvider(t, options)
	presets := s.presets(t)
	s.office = openOffice(t, func(o *office) { s.equip(o, presets) })
	s.google.Register(simulator.OAuthApp{ClientID: s.clientID(), Name: "Postroom", Secret: registeredSecret, RedirectURLs: []string{s.site.URL + "/oauth/callback"}})
	s.apps.Base, s.desk.Base = s.site.URL, s.site.URL
	return s
}

func (s *signInOffice) openProvider(t *testing.T, options simulator.OAuthOptions) {
	t.Helper()
	var err error
	if s.mail, err = simulator.Start(simulator.Options{Gmail: options.Kind != simulator.MicrosoftOAuth, Mechanisms: []string{"PLAIN", "XOAUTH2", "OAUTHBEARER"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.mail.Close() })
	if s.smtp, err = s.mail.StartSMTP(simulator.SMTPOptions{Mechanisms: []string{"PLAIN", "XOAUTH2", "OAUTHBEARER"}}); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{annasAddress, bertsAddress, sharedAddress, annasMicrosoft} {
		s.mail.AddAccount(address, ownersWord)
	}
	if options.Key, err = signingKey(); err != nil {
		t.Fatal(err)
	}
	if s.google, err = s.mail.StartOAuth(options); err != nil {
		t.Fatal(err)
	}
}

// presets are those that are known, with the pretended provider in the place of Google.
func (s *signInOffice) presets(t *testing.T) *provider.Presets {
	t.Helper()
	presets := &provider.Presets{}
	known, ok := presets.ByID(s.providerID())
	if !ok {
		t.Fatal("the provider is not known")
	}
	known.IMAP = []provider.Server{{Host: "localhost", Port: s.mail.Port, TLS: postroom.TLSNone}}
	known.SMTP = []provider.Server{{Host: "localhost", Port: s.smtp.Port, TLS: postroom.TLSNone}}
	known.POP3 = nil
	o := known.OAuth
	o.AuthorizeURL, o.TokenURL, o.RevokeURL = s.google.AuthorizeURL, s.google.TokenURL, s.google.RevokeURL
	o.DeviceURL, o.Issuer = s.google.DeviceURL, s.google.Issuer
	return presets
}

func (s *signInOffice) providerID() string {
	if s.kind == simulator.MicrosoftOAuth {
		return "microsoft365"
	}
	return "gmail"
}

func (s *signInOffice) clientID() string {
	if s.kind == simulator.MicrosoftOAuth {
		return "0f8fad5b-d9cb-469f-a165-70867728950e"
	}
	return registeredID
}

func (s *signInOffice) equip(o *office, presets *provider.Presets) {
	ring, err := vault.Open(vault.Source{Dir: o.TempDir()})
	if err != nil {
		o.Fatal(err)
	}
	log, client := o.pages.Log, &oauth.Client{}
	explain := credential.Explainer{Catalogue: &diagnose.Catalogue{}}.Explain
	s.apps = &credential.Apps{Store: o.db, Ring: ring, Client: client, Presets: presets, Log: log}
	keeper := &credential.Keeper{Store: o.db, Ring: ring, Registration: s.apps.Registration, Client: client, Explain: explain, Node: "office", Log: log}
	mailboxes := o.pages.Mailboxes
	mailboxes.Seal, mailboxes.Open, mailboxes.SealOutgoing, mailboxes.OpenOutgoing = keeper.Seal, keeper.Open, keeper.SealOutgoing, keeper.OpenOutgoing
	mailboxes.Finder = &provider.Finder{Presets: presets}
	mailboxes.Tester.LookUp, mailboxes.Tester.Explainer.Presets = nil, presets
	s.desk = &credential.Desk{
		Store: o.db, Keeper: keeper, Apps: s.apps, Client: client, Explain: explain, Log: log,
		Prove: func(ctx context.Context, m postroom.Mailbox, t credential.Token) credential.Proof {
			progress, through := o.pages.Proofs.Watch(m.ID)
			defer through()
			r, err := mailboxes.Prove(ctx, m, t.Access, mailbox.TestOptions{Progress: progress})
			if err != nil {
				return credential.Proof{Fault: mailboxes.Tester.Explainer.Explain(err, m, mailbox.Credential{Kind: postroom.CredentialOAuth}, true)}
			}
			return credential.Proof{OK: r.OK, Reads: r.Reads(), Fault: r.Fault(), Report: r.Pack()}
		},
		Mail: func(_ context.Context, m credential.LinkMail) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.mailed = append(s.mailed, m)
			return nil
		},
	}
	o.pages.Credentials, o.pages.Apps, o.pages.Presets, o.pages.Proofs = s.desk, s.apps, presets, &Proofs{}
	ctx, stop := context.WithCancel(context.WithoutCancel(o.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.desk.Run(ctx) }()
	o.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			o.Errorf("Run: %v", err)
		}
	})
}

// register makes the office known at the provider.
func (s *signInOffice) register() {
	s.Helper()
	app, err := s.apps.Add(s.Context(), s.viewer(), credential.NewApp{
		OAuthApp: postroom.OAuthApp{Name: "Google for the office", Provider: s.providerID(), Kind: postroom.AppSignIn, ClientID: s.clientID()}, Secret: postroom.Hide(registeredSecret),
	})
	if err != nil {
		s.Fatal(err)
	}
	s.app = app
}

func (s *signInOffice) viewer() postroom.Viewer {
	return postroom.Viewer{User: s.admin.ID, Role: postroom.RoleAdmin, Name: s.admin.Name}
}

// typedAnna is the form of Anna's mailbox.
func (s *signInOffice) typedAnna(pairs ...string) url.Values {
	v := url.Values{
		"address": {annasAddress}, "incoming.host": {"localhost"}, "incoming.port": {strconv.Itoa(s.mail.Port)}, "incoming.tls": {"none"}, "incoming.protocol": {"imap"},
		"incoming.folders": {"INBOX"}, "outgoing.host": {"localhost"}, "outgoing.port": {strconv.Itoa(s.smtp.Port)}, "outgoing.tls": {"none"},
		"start": {"all"}, "visible_to": {"everyone"}, "after_import": {"keep"},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// draft keeps Anna's mailbox, to which nobody has signed in yet.
func (s *signInOffice) draft(change ...func(*postroom.Mailbox)) postroom.Mailbox {
	s.Helper()
	m := postroom.Mailbox{Name: "Anna", Address: annasAddress}
	m.Incoming.ServerSettings = postroom.ServerSettings{Host: "localhost", Port: s.mail.Port, TLS: postroom.TLSNone, Username: annasAddress}
	m.Incoming.Protocol, m.Incoming.Folders = postroom.IMAP, []string{"INBOX"}
	m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "localhost", Port: s.smtp.Port, TLS: postroom.TLSNone, Username: annasAddress}}
	for _, f := range change {
		f(&m)
	}
	m, err := s.pages.Mailboxes.Add(s.Context(), s.viewer(), m, mailbox.Credential{Kind: postroom.CredentialOAuth})
	if err != nil {
		s.Fatal(err)
	}
	return m
}

// A stranger is a browser at the provider's pages.
type stranger struct {
	*testing.T
	http.Client
	page string
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &stranger{T: t, Client: http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// open opens a page of the provider, or says where that leads to.
func (b *stranger) open(method, address string, form url.Values) (next string) {
	b.Helper()
	for {
		r, err := http.NewRequestWithContext(b.Context(), method, address, strings.NewReader(form.Encode()))
		if err != nil {
			b.Fatal(err)
		}
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w, err := b.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(w.Body)
		w.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
		to, err := w.Location()
		if err != nil {
			b.page = string(text)
			return ""
		}
		if to.Path == "/oauth/callback" {
			return to.String()
		}
		method, address, form = http.MethodGet, to.String(), nil
	}
}

var flowField = regexp.MustCompile(`name="flow" value="([^"]+)"`)

// enter sends the form of the page.
func (b *stranger) enter(at string, pairs ...string) (next string) {
	b.Helper()
	flow := flowField.FindStringSubmatch(b.page)
	if flow == nil {
		b.Fatalf("no form on\n%s", b.page)
	}
	form := url.Values{"flow": {flow[1]}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	u, err := url.Parse(at)
	if err != nil {
		b.Fatal(err)
	}
	return b.open(http.MethodPost, u.Scheme+"://"+u.Host+"/signin", form)
}

// allow signs in at the provider, allows everything, and says where that leads back to.
func (b *stranger) allow(address, account string) (back string) {
	b.Helper()
	b.reach(address, account)
	return b.enter(address, "do", "allow", "scope", "openid", "scope", "email", "scope", googleMail)
}

// reach signs in at the provider, up to the question what is allowed.
func (b *stranger) reach(address, account string) {
	b.Helper()
	b.open(http.MethodGet, address, nil)
	if strings.Contains(b.page, `id="choose"`) {
		b.enter(address, "do", "other")
	}
	if strings.Contains(b.page, `id="password"`) && !strings.Contains(b.page, account) {
		b.enter(address, "do", "other")
	}
	if strings.Contains(b.page, `name="identifier"`) {
		b.enter(address, "identifier", account)
	}
	b.enter(address, "password", ownersWord)
}
