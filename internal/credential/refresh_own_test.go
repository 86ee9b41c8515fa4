package credential

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/simulator"
)

// byItself replaces the sign-in by a registration that opens mailboxes in its own name.
func (s *signedIn) byItself(kind postroom.AppKind) {
	s.Helper()
	s.app.Kind = kind
	g, err := s.store.AddGrant(s.Context(), s.keeper.newGrant(postroom.Grant{Mailbox: s.mailbox.ID, App: s.app.ID, Way: postroom.GrantByApp}, oauth.Grant{At: s.clock.now()}))
	if err != nil {
		s.Fatal(err)
	}
	s.adopt(g.ID)
}

func TestARegistrationOpensMailboxesInItsOwnName(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{Kind: simulator.MicrosoftOAuth, Apps: []simulator.OAuthApp{
		{ClientID: "own", Secret: "own secret", AsApp: []postroom.Protocol{postroom.IMAP, postroom.SMTP}},
	}}, openStore(t))
	s.app.OAuth.ClientID, s.app.OAuth.Secret = "own", postroom.Hide("own secret")
	resource := []string{"https://outlook.office365.com/.default"}
	s.app.OAuth.Scopes = map[postroom.Protocol][]string{postroom.IMAP: resource, postroom.SMTP: resource}
	s.byItself(postroom.AppClient)
	s.wantRenewals("client_credentials")
}

func TestAServiceAccountOpensMailboxesOfItsDomain(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{ServiceAccounts: []simulator.OAuthServiceAccount{
		{Email: "robot@example.net", Key: rsaKey().Public(), Domains: []string{"example.net"}, Scopes: []string{allMail}},
	}}, openStore(t))
	account, err := oauth.ReadServiceAccount(postroom.Hide(keyFile(t, "robot@example.net", s.provider.TokenURL)))
	if err != nil {
		t.Fatal(err)
	}
	s.app.Service = &account
	s.byItself(postroom.AppServiceAccount)
	s.wantRenewals("urn:ietf:params:oauth:grant-type:jwt-bearer")
}

// wantRenewals asks for tokens for a while: once for each need, by whichever process.
func (s *signedIn) wantRenewals(grantType string) {
	s.Helper()
	for need := 1; need <= 3; need++ {
		first := s.wantToken(s.keeper)
		if again := s.wantToken(s.process()); !isSame(first.Access, again.Access) {
			s.Error("two tokens for one need")
		}
		if asked := s.provider.Requests()[grantType]; asked != need {
			s.Errorf("asked %d times for %d needs: %v", asked, need, s.provider.Requests())
		}
		s.clock.pass(time.Hour)
	}
	// It has nothing that could be given back, and nothing that could lapse.
	g := s.grant()
	s.clock.pass(30 * 24 * time.Hour)
	before := s.provider.Requests()[grantType]
	s.turn(s.keeper)
	if asked := s.provider.Requests()[grantType]; asked != before {
		s.Errorf("a mailbox that nobody reads was asked for %d times", asked-before)
	}
	s.must(s.store.DeleteMailbox(s.Context(), s.mailbox.ID, false))
	kept, err := s.store.Grant(s.Context(), g.ID)
	if err != nil || kept.Revocation != postroom.RevocationAbsent || kept.Access != nil {
		s.Errorf("the grant is %q, %v", kept.Revocation, err)
	}
}
