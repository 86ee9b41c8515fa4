package fetch_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
)

// signingKey is one for all: to find one takes a while.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// A tokenScene is a scene whose mailbox is opened with access tokens.
type tokenScene struct {
	*scene
	provider *simulator.OAuthServer
	client   *oauth.Client
	app      oauth.App
	dialFail atomic.Pointer[net.DNSError]

	mu      sync.Mutex
	refresh postroom.Secret
	grant   oauth.Grant
	life    time.Duration // of a token, as it is told here; the provider lets it live longer, for busy machines
	forgets bool          // nobody is told when tokens end

	asked   atomic.Int32 // for a login
	renewed atomic.Int32 // because one was refused
	opened  atomic.Int32
	faults  atomic.Int32
	states  recorded
}

// recorded are the states that a reader has recorded.
type recorded struct {
	*store.DB
	mu  *sync.Mutex
	all *[]postroom.MailboxState
}

func (r recorded) RecordTrouble(ctx context.Context, f store.Fence, version int64, t store.Trouble) error {
	r.mu.Lock()
	*r.all = append(*r.all, t.State)
	r.mu.Unlock()
	return r.DB.RecordTrouble(ctx, f, version, t)
}

func (r recorded) RecordHealth(ctx context.Context, f store.Fence, version int64) error {
	r.mu.Lock()
	*r.all = append(*r.all, postroom.MailboxActive)
	r.mu.Unlock()
	return r.DB.RecordHealth(ctx, f, version)
}

// eachProvider runs a test at a Google-like and at a Microsoft-like provider.
func eachProvider(t *testing.T, life time.Duration, run func(s *tokenScene)) {
	for _, kind := range []simulator.OAuthKind{simulator.GoogleOAuth, simulator.MicrosoftOAuth} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			run(newTokenScene(t, kind, life))
		})
	}
}

func newTokenScene(t *testing.T, kind simulator.OAuthKind, life time.Duration) *tokenScene {
	t.Helper()
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &tokenScene{
		scene: newScene(t, simulator.Options{Gmail: kind == simulator.GoogleOAuth, Mechanisms: []string{"XOAUTH2", "OAUTHBEARER"}}),
		life:  life,
	}
	s.provider, err = s.server.StartOAuth(simulator.OAuthOptions{
		Kind: kind, Key: key, Lifetime: 10 * life, Apps: []simulator.OAuthApp{{ClientID: "app", Name: "Postroom", Secret: "app-secret"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var dialer net.Dialer
	s.client = &oauth.Client{Timeout: 100 * time.Millisecond, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if fail := s.dialFail.Load(); fail != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: fail}
		}
		return dialer.DialContext(ctx, network, address)
	}}
	s.app = oauth.App{TokenURL: s.provider.TokenURL, ClientID: "app", Secret: postroom.Hide("app-secret"), Auth: oauth.AuthBody}
	s.signInAgain()

	var mu sync.Mutex
	s.states = recorded{s.db, &mu, new([]postroom.MailboxState)}
	s.fleet.Ledger, s.fleet.CommandTimeout = s.states, 10*time.Second // the machine may be busy
	s.fleet.Login = s.login
	s.fleet.Renew = s.renew
	s.fleet.Opened = func(context.Context, postroom.Mailbox) { s.opened.Add(1) }
	s.fleet.Troubled = func(*postroom.Fault) { s.faults.Add(1) }
	explainer := mailbox.Explainer{Catalogue: &diagnose.Catalogue{}}
	s.fleet.Explain = func(err error, m postroom.Mailbox, l fetch.Login) *postroom.Fault {
		return explainer.Explain(err, m, mailbox.Credential{Kind: l.Kind, Password: l.Secret}, l.HasWorked)
	}
	return s
}

// signInAgain has the owner allow it once more.
func (s *tokenScene) signInAgain() {
	s.t.Helper()
	scopes := []string{"openid", "email", "https://mail.google.com/"}
	refresh, ok := s.provider.Allow(simUser, "app", scopes...)
	if !ok {
		scopes = []string{"openid", "offline_access", "https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/POP.AccessAsUser.All"}
		refresh, ok = s.provider.Allow(simUser, "app", scopes...)
	}
	if !ok {
		s.t.Fatal("nobody can allow anything")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh, s.grant = postroom.Hide(refresh), oauth.Grant{}
}

// login is what a keeper of tokens does: the same token for as long as it lasts, and
// another one in time.
func (s *tokenScene) login(ctx context.Context, _ postroom.Mailbox) (fetch.Login, error) {
	s.asked.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Until(s.grant.Expires) < min(5*time.Minute, s.life/4) {
		return s.fresh(ctx)
	}
	return s.given(), nil
}

func (s *tokenScene) renew(ctx context.Context, _ postroom.Mailbox, refused fetch.Login) (fetch.Login, error) {
	s.renewed.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused.Secret.Reveal() != s.grant.AccessToken.Reveal() {
		return s.given(), nil
	}
	return s.fresh(ctx)
}

func (s *tokenScene) given() fetch.Login {
	l := fetch.Login{Kind: postroom.CredentialOAuth, Secret: s.grant.AccessToken, HasWorked: true, Expires: s.grant.Expires}
	if s.forgets {
		l.Expires = time.Time{}
	} else { // clocks are compared anew each time
		l.Expires = l.Expires.Add(time.Duration(s.asked.Load()) * time.Microsecond)
	}
	return l
}

func (s *tokenScene) fresh(ctx context.Context) (fetch.Login, error) {
	g, err := s.client.Refresh(ctx, s.app, s.refresh, nil)
	fault, ok := postroom.FaultOf(s.explained(err))
	if ok && fault.Kind == postroom.Delayed && time.Until(s.grant.Expires) > 0 {
		return s.given(), nil // which still lasts
	}
	if err != nil {
		return fetch.Login{Kind: postroom.CredentialOAuth, HasWorked: true}, s.explained(err)
	}
	s.grant, s.refresh = g, g.RefreshToken
	s.grant.Expires = time.Now().Add(s.life)
	return s.given(), nil
}

// overdue has the next login take another token.
func (s *tokenScene) overdue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grant.Expires = time.Now()
}

// explained is what a refusal of the provider means.
func (s *tokenScene) explained(err error) error {
	if err == nil {
		return nil
	}
	f := diagnose.OAuthFailure{Phase: "token", Err: err, ProviderName: "The provider", Address: simUser, HasWorked: true}
	if r, ok := oauth.RefusalOf(err); ok {
		f.Phase, f.Status, f.Code, f.Description, f.Reply, f.RetryAfter = string(r.Phase), r.Status, r.Code, r.Description, r.Reply, r.RetryAfter
		f.Page, f.Unreadable = errors.Is(err, oauth.ErrPage), errors.Is(err, oauth.ErrAnswer) || errors.Is(err, oauth.ErrNoToken)
	}
	if fault := new(diagnose.Catalogue).OAuth(f); fault != nil {
		return fault
	}
	return err
}

func (s *tokenScene) recordedStates() []postroom.MailboxState {
	s.states.mu.Lock()
	defer s.states.mu.Unlock()
	return slices.Clone(*s.states.all)
}

// becomes waits for a state.
func (s *tokenScene) becomes(id postroom.MailboxID, state postroom.MailboxState) postroom.Mailbox {
	s.t.Helper()
	s.until("the mailbox is "+string(state), func() bool { return s.kept(id).State == state })
	return s.kept(id)
}

// wasQuiet wants that nothing was ever said of the mailbox but that it is read.
func (s *tokenScene) wasQuiet() {
	s.t.Helper()
	if states := s.recordedStates(); len(states) > 1 || s.faults.Load() > 0 {
		s.t.Errorf("recorded were %v, and %d faults", states, s.faults.Load())
	}
}
