package fetch_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/vault"
)

var theAdministrator = postroom.Viewer{Token: 1, Scope: postroom.ScopeAdmin}

// keeping has the tokens come from the keeper of the product, and adds a mailbox to which
// its owner signs in.
func (s *tokenScene) keeping() (id postroom.MailboxID, signIn func()) {
	s.t.Helper()
	ring, err := vault.Open(vault.Source{Dir: s.t.TempDir()})
	if err != nil {
		s.t.Fatal(err)
	}
	explain := credential.Explainer{Catalogue: &diagnose.Catalogue{}}.Explain
	client := &oauth.Client{}
	apps := &credential.Apps{Store: s.db, Ring: ring, Client: client, Presets: &provider.Presets{}, Base: "https://post.example.net"}
	keeper := &credential.Keeper{Store: s.db, Ring: ring, Registration: apps.Registration, Client: client, Explain: explain, Node: "test", Log: s.fleet.Log}
	desk := &credential.Desk{
		Store: s.db, Keeper: keeper, Apps: apps, Client: client, Explain: explain, Log: s.fleet.Log,
		Prove: func(context.Context, postroom.Mailbox, credential.Token) credential.Proof {
			return credential.Proof{OK: true}
		},
		Wake: func() { s.wake <- struct{}{} },
	}
	s.fleet.Login = func(ctx context.Context, m postroom.Mailbox) (fetch.Login, error) {
		kind, _, worked, err := keeper.Open(ctx, m.ID)
		if err != nil {
			return fetch.Login{Kind: kind, HasWorked: worked}, err
		}
		token, err := keeper.Token(ctx, m.ID)
		return fetch.Login{Kind: kind, HasWorked: worked, Secret: token.Access, Expires: token.Expires}, err
	}
	s.fleet.Renew = func(ctx context.Context, m postroom.Mailbox, refused fetch.Login) (fetch.Login, error) {
		s.renewed.Add(1)
		token, err := keeper.Renew(ctx, m.ID, refused.Secret)
		refused.Secret, refused.Expires = token.Access, token.Expires
		return refused, err
	}
	app, err := apps.Add(s.t.Context(), theAdministrator, credential.NewApp{Secret: postroom.Hide("app-secret"), OAuthApp: postroom.OAuthApp{
		Name: "Mail", Provider: postroom.GenericProvider, Kind: postroom.AppSignIn, ClientID: "app",
		AuthorizeURL: s.provider.AuthorizeURL, TokenURL: s.provider.TokenURL, UserInfoURL: s.provider.UserInfoURL,
		Scopes: []string{"openid", "email", "https://mail.google.com/"},
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := s.db.AddMailbox(s.t.Context(), s.scene.mailbox(), postroom.CredentialOAuth, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := desk.Run(ctx); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(func() { stop(); running.Wait() })
	return m.ID, func() {
		s.t.Helper()
		refresh, _ := s.provider.Allow(simUser, "app", app.Scopes...)
		if _, err := desk.Bring(s.t.Context(), theAdministrator, m.ID, app.ID, postroom.Hide(refresh)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// The keeper of tokens has another one by the time that a connection is to be made anew,
// and asks the provider once for each.
func TestAMailboxIsReadWithTheTokensThatAreKeptForIt(t *testing.T) {
	t.Parallel()
	s := newTokenScene(t, simulator.GoogleOAuth, 400*time.Millisecond) // four seconds, at the provider
	id, signIn := s.keeping()
	s.run()
	s.until("somebody has to sign in", func() bool { m := s.kept(id); return m.State == postroom.MailboxDraft && m.Fault != nil })
	signIn()
	s.becomes(id, postroom.MailboxActive)
	refreshed := s.provider.Requests()["refresh_token"]
	before := s.opened.Load()
	n := 0
	for ; s.opened.Load() < before+3; n++ {
		s.deliver(n, n+1)
		time.Sleep(100 * time.Millisecond)
	}
	s.has(id, filed(int64(n)))
	asked := s.provider.Requests()["refresh_token"] - refreshed
	if made := int(s.opened.Load() - before); asked > made+1 || s.faults.Load() > 1 {
		t.Errorf("the provider was asked %d times for %d connections, and there were %d faults", asked, made, s.faults.Load())
	}
	if state := s.kept(id).State; state != postroom.MailboxActive {
		t.Errorf("the mailbox is %s", state)
	}

	s.provider.Revoke(simUser, "")
	m := s.becomes(id, postroom.MailboxNeedsSignIn)
	if m.Fault == nil || m.Fault.Class != postroom.TokenRevoked {
		t.Errorf("the fault is %+v", m.Fault)
	}
	s.deliver(n, n+2)
	signIn()
	s.becomes(id, postroom.MailboxActive)
	s.has(id, filed(int64(n+2)))
}
