package simulator

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// An OAuthKind says whose ways an OAuth server has.
type OAuthKind string

const (
	// GoogleOAuth lets somebody leave single scopes out, gives a refresh token only with
	// access_type=offline, and keeps it.
	GoogleOAuth OAuthKind = "google"
	// MicrosoftOAuth has tenants, answers with AADSTS numbers, gives a refresh token with
	// the scope offline_access, and a new one each time.
	MicrosoftOAuth OAuthKind = "microsoft"
)

// OAuthOptions say what kind of OAuth server it is.
type OAuthOptions struct {
	Kind   OAuthKind // empty: Google's
	Listen string    // empty: "127.0.0.1:0"
	TLS    bool      // https, with the certificate of the provider; otherwise http, which is allowed on this machine

	Apps            []OAuthApp
	ServiceAccounts []OAuthServiceAccount
	Key             *rsa.PrivateKey // signs ID tokens; nil: a new one, which takes a while to find
	Tenant          string          // Microsoft's id of the organisation; empty: OAuthTenant
	Domains         []string        // that stand for the tenant in addresses too

	Now      func() time.Time // of everything that ends; nil: time.Now
	Lifetime time.Duration    // of an access token; 0: an hour
	// Rotation says what becomes of a refresh token that was used; empty: as the kind does it.
	Rotation OAuthRotation
	Grace    time.Duration // how long a replaced refresh token still works with RotateWithGrace; 0: a minute

	// Chooser are accounts that every browser knows, as if they had signed in there before.
	// Their password is asked for all the same.
	Chooser []string
	Notice  string // stands on every page, as "This is no real provider"; empty: nothing
}

// OAuthTenant is the organisation of a Microsoft-like server.
const OAuthTenant = "7d1b0c4e-52a6-4c7e-9a34-1f6c0b8e2d90"

// OAuthRotation says what becomes of a refresh token that was used.
type OAuthRotation string

const (
	KeepRefresh OAuthRotation = "keep" // it stays, and no other is given
	AddRefresh  OAuthRotation = "add"  // a new one is given, and the old one lasts as long as before (Microsoft)
	// RotateWithGrace gives a new one, and the old one works for a while.
	RotateWithGrace OAuthRotation = "grace"
	// RotateStrict gives a new one, the old one ends at once, and whoever uses it again
	// ends the whole grant (RFC 9700 section 4.14.2).
	RotateStrict OAuthRotation = "strict"
)

// An OAuthApp is registered at the server.
type OAuthApp struct {
	ClientID, Name string
	Secret         string              // empty: none
	Key            crypto.PublicKey    // that proves it by private_key_jwt; nil: none
	RedirectURLs   []string            // letter by letter
	AsApp          []postroom.Protocol // what it may open in its own name, every mailbox
}

// An OAuthServiceAccount opens mailboxes of domains (Google's domain-wide delegation).
type OAuthServiceAccount struct {
	Email   string
	Key     crypto.PublicKey
	Domains []string
	Scopes  []string // that the administrator of the domains has allowed
}

// An OAuthServer signs people in to the accounts of a provider and gives tokens, which
// open them by IMAP, POP3 and SMTP. It closes with the provider.
type OAuthServer struct {
	URL string // without a path: http://127.0.0.1:port

	Issuer                                                     string
	AuthorizeURL, TokenURL, DeviceURL, RevokeURL               string
	IntrospectURL, UserInfoURL, ConsentURL, VerifyURL, keysURL string
	PermissionsURL                                             string // where the owner of an account takes back what was allowed

	provider *Server
	options  OAuthOptions
	key      *rsa.PrivateKey
	http     *http.Server
	hatch    *hatch
	stop     chan struct{}
	once     sync.Once
	group    sync.WaitGroup

	mu    sync.Mutex // guards what follows; it may be held while the lock of the store is taken, not the other way round
	state oauthState
}

// StartOAuth opens an OAuth server for the accounts of the provider. From then on, the
// mechanisms XOAUTH2 and OAUTHBEARER want its tokens.
func (s *Server) StartOAuth(o OAuthOptions) (*OAuthServer, error) {
	if o.Kind == "" {
		o.Kind = GoogleOAuth
	}
	if o.Tenant == "" {
		o.Tenant = OAuthTenant
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lifetime == 0 {
		o.Lifetime = time.Hour
	}
	if o.Rotation == "" {
		o.Rotation = KeepRefresh
		if o.Kind == MicrosoftOAuth {
			o.Rotation = AddRefresh
		}
	}
	if o.Grace == 0 {
		o.Grace = time.Minute
	}
	if o.Key == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("make the key of an OAuth server: %w", err)
		}
		o.Key = key
	}
	p := &OAuthServer{provider: s, options: o, key: o.Key, hatch: newHatch(), stop: make(chan struct{})}
	p.state = newOAuthState(o)
	if err := p.open(); err != nil {
		return nil, err
	}
	s.store.mu.Lock()
	s.store.oauth = append(s.store.oauth, p)
	s.store.mu.Unlock()
	return p, nil
}

// open begins to serve, by the network and by Dial.
func (p *OAuthServer) open() error {
	scheme, host := "http://", "localhost"
	if p.options.TLS {
		scheme = "https://"
	}
	var listener net.Listener
	if !p.provider.options.InMemory {
		address := p.options.Listen
		if address == "" {
			address = "127.0.0.1:0"
		}
		var err error
		if listener, err = net.Listen("tcp", address); err != nil {
			return fmt.Errorf("listen for a pretend OAuth server: %w", err)
		}
		host = listener.Addr().String()
	}
	p.URL = scheme + host
	p.name()
	p.http = &http.Server{Handler: p.routes(), ReadHeaderTimeout: time.Minute}
	if listener != nil {
		p.group.Go(func() { _ = p.http.Serve(p.secured(listener)) }) // it ends when the server closes
	}
	p.group.Go(func() { _ = p.http.Serve(p.secured(p.hatch)) })
	return nil
}

func (p *OAuthServer) secured(l net.Listener) net.Listener {
	if !p.options.TLS {
		return l
	}
	return tls.NewListener(l, p.provider.tls)
}

// name fills in the addresses, which look like those of the kind.
func (p *OAuthServer) name() {
	p.Issuer = p.URL
	p.AuthorizeURL, p.TokenURL, p.DeviceURL = p.URL+"/o/oauth2/v2/auth", p.URL+"/token", p.URL+"/device/code"
	p.RevokeURL, p.UserInfoURL, p.keysURL = p.URL+"/revoke", p.URL+"/v1/userinfo", p.URL+"/oauth2/v3/certs"
	p.IntrospectURL, p.VerifyURL, p.PermissionsURL = p.URL+"/introspect", p.URL+"/device", p.URL+"/permissions"
	if p.isMicrosoft() {
		tenant := p.URL + "/" + p.options.Tenant
		p.Issuer = tenant + "/v2.0"
		at := tenant + "/oauth2/v2.0/"
		p.AuthorizeURL, p.TokenURL, p.DeviceURL, p.RevokeURL = at+"authorize", at+"token", at+"devicecode", at+"revoke"
		p.IntrospectURL, p.keysURL, p.ConsentURL = at+"introspect", tenant+"/discovery/v2.0/keys", tenant+"/v2.0/adminconsent"
		p.UserInfoURL = p.URL + "/oidc/userinfo"
	}
}

func (p *OAuthServer) isMicrosoft() bool { return p.options.Kind == MicrosoftOAuth }

func (p *OAuthServer) now() time.Time { return p.options.Now() }

// Dial connects to the server without the network, whatever the address says.
func (p *OAuthServer) Dial(_ context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.hatch.connections <- server:
		return client, nil
	case <-p.stop:
		return nil, errors.Join(errClosed, client.Close(), server.Close())
	}
}

// Close ends the server and waits for what it is doing.
func (p *OAuthServer) Close() error {
	var err error
	p.once.Do(func() {
		close(p.stop)
		p.hatch.close()
		err = p.http.Close()
	})
	p.group.Wait()
	return err
}

// path is where an address of the server leads to, with any tenant in it.
func (p *OAuthServer) path(address string) string {
	return strings.Replace(strings.TrimPrefix(address, p.URL), "/"+p.options.Tenant+"/", "/{tenant}/", 1)
}
