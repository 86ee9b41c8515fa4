package mailbox

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/simulator"
)

// signingKey is one for every OAuth server of these tests: it takes a while to find.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// A tokenSetup is a provider that opens its servers by access tokens.
type tokenSetup struct {
	*testing.T
	read    *simulator.Server
	send    *simulator.SMTPServer
	server  *simulator.OAuthServer
	app     oauth.App
	refresh postroom.Secret
	m       postroom.Mailbox
}

const tokenApp = "desk"

// tokenScopes are what opens a mailbox at each kind of provider.
var tokenScopes = map[simulator.OAuthKind][]string{
	simulator.GoogleOAuth:    {"https://mail.google.com/"},
	simulator.MicrosoftOAuth: {"https://outlook.office365.com/IMAP.AccessAsUser.All", "https://outlook.office365.com/SMTP.Send", "offline_access"},
}

func newTokenSetup(t *testing.T, kind simulator.OAuthKind) *tokenSetup {
	t.Helper()
	bearers := []string{"PLAIN", "XOAUTH2", "OAUTHBEARER"}
	read, err := simulator.Start(simulator.Options{TLS: postroom.TLSImplicit, Mechanisms: bearers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = read.Close() })
	read.AddAccount("support@example.net", "right")
	send, err := read.StartSMTP(simulator.SMTPOptions{TLS: postroom.TLSImplicit, Mechanisms: bearers})
	if err != nil {
		t.Fatal(err)
	}
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	server, err := read.StartOAuth(simulator.OAuthOptions{
		Kind: kind, Key: key, Apps: []simulator.OAuthApp{{ClientID: tokenApp, Name: "Desk", Secret: "of the app", RedirectURLs: []string{"http://127.0.0.1/"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	q := &tokenSetup{T: t, read: read, send: send, server: server}
	q.app = oauth.App{TokenURL: server.TokenURL, AuthorizeURL: server.AuthorizeURL, ClientID: tokenApp, Secret: postroom.Hide("of the app")}
	refresh, ok := server.Allow("support@example.net", tokenApp, tokenScopes[kind]...)
	if !ok {
		t.Fatal("the sign-in was not taken")
	}
	q.refresh = postroom.Hide(refresh)
	q.m = mailboxOn(t, func(m *postroom.Mailbox) {
		m.Incoming.ServerSettings = serverAt(t, read.Address(), postroom.TLSImplicit, read.CAPEM)
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: serverAt(t, send.Address(), postroom.TLSImplicit, read.CAPEM)}
	})
	return q
}

// token asks for an access token.
func (q *tokenSetup) token() postroom.Secret {
	q.Helper()
	g, err := new(oauth.Client).Refresh(q.Context(), q.app, q.refresh, nil)
	if err != nil {
		q.Fatal(err)
	}
	return g.AccessToken
}

func TestATokenOpensBothSides(t *testing.T) {
	q := newTokenSetup(t, simulator.GoogleOAuth)
	r := Tester{Explainer: explainer()}.Run(t.Context(), q.m, Credential{Kind: KindOAuth, Password: q.token()}, TestOptions{})
	wantSteps(t, r, readable+"outgoing_connection outgoing_encryption outgoing_greeting outgoing_sign_in outgoing_sender", "", "")
	for _, s := range r.Steps {
		if s.Kind == StepSignIn && !strings.Contains(s.Detail, "support@example.net (XOAUTH2), signed in at its provider") {
			t.Errorf("the sign-in says %q", s.Detail)
		}
	}
	if !r.form.IsEmpty() || !r.outgoingForm.IsEmpty() {
		t.Error("a token is kept as the form of a password")
	}
}

func TestATokenThatIsRefusedAsksToSignInAgain(t *testing.T) {
	q := newTokenSetup(t, simulator.GoogleOAuth)
	token := q.token()
	q.server.Revoke("support@example.net", tokenApp)
	r := Tester{Explainer: explainer()}.Run(t.Context(), q.m, Credential{Kind: KindOAuth, Password: token}, TestOptions{})
	for _, s := range r.Steps {
		if f := s.Fault; f != nil && (f.Kind != postroom.NeedsSignIn || f.Class != postroom.TokenExpired || !strings.Contains(f.Remedy, "Sign in again")) {
			t.Errorf("%s: %+v", s.Kind, f)
		}
	}
	if r.OK || r.Fault() == nil {
		t.Errorf("%s, want a refusal", kinds(r))
	}
	if text := r.Fault().Reply; strings.Contains(text, token.Reveal()) {
		t.Errorf("the token is shown: %q", text)
	}
}

func TestATokenThatIsRefusedIsRenewedOnce(t *testing.T) {
	q := newTokenSetup(t, simulator.GoogleOAuth)
	old := q.token()
	q.server.EndAccess("support@example.net")
	var mu sync.Mutex
	asked := 0
	var fresh postroom.Secret
	c := Credential{Kind: KindOAuth, Password: old}
	c.renew = func(_ context.Context, refused postroom.Secret) (postroom.Secret, error) {
		mu.Lock()
		defer mu.Unlock()
		if isSecret(refused, fresh) {
			return postroom.Secret{}, errors.New("asked again")
		}
		if asked++; fresh.IsEmpty() {
			fresh = q.token()
		}
		return fresh, nil
	}
	r := Tester{Explainer: explainer()}.Run(t.Context(), q.m, c, TestOptions{})
	if !r.OK || asked != 2 {
		t.Errorf("%s, %+v; asked %d times, want once for each side", kinds(r), r.Fault(), asked)
	}

	lost := &postroom.Fault{Kind: postroom.NeedsSignIn, Class: postroom.TokenRevoked, Explanation: "It was withdrawn."}
	c.renew = func(context.Context, postroom.Secret) (postroom.Secret, error) { return postroom.Secret{}, lost }
	r = Tester{Explainer: explainer()}.Run(t.Context(), q.m, c, TestOptions{Side: IncomingSide})
	wantSteps(t, r, "connection encryption greeting ✕sign_in", postroom.TokenRevoked, "It was withdrawn.")
}

// Where nobody has signed in, or no token comes, the servers are reached all the same.
func TestWithoutATokenEverythingButTheSignInIsTried(t *testing.T) {
	q := newTokenSetup(t, simulator.GoogleOAuth)
	const steps = "connection encryption ✕sign_in outgoing_connection outgoing_encryption ✕outgoing_sign_in"
	r := Tester{Explainer: explainer()}.Run(t.Context(), q.m, Credential{Kind: KindOAuth}, TestOptions{})
	wantSteps(t, r, steps, postroom.ConsentMissing, "Nobody has signed in at its provider for this mailbox yet.")
	lost := Credential{Kind: KindOAuth, lost: &postroom.Fault{Kind: postroom.Delayed, Class: postroom.ServerBusy, Explanation: "Google’s sign-in service is not ready at the moment."}}
	r = Tester{Explainer: explainer()}.Run(t.Context(), q.m, lost, TestOptions{})
	wantSteps(t, r, steps, postroom.ServerBusy, "is not ready")
}

// A token that is refused locks nobody out: it is tried again at once.
func TestNoTokenIsSpared(t *testing.T) {
	q := newTokenSetup(t, simulator.MicrosoftOAuth)
	tester := Tester{Explainer: explainer(), guard: new(guard)}
	c := Credential{Kind: KindOAuth, Password: postroom.Hide("eyJ0eXAi.of.somebody")}
	for range 2 {
		if f := tester.Run(t.Context(), q.m, c, TestOptions{Side: IncomingSide}).Fault(); f == nil || strings.Contains(f.Explanation, "not sent again") {
			t.Errorf("%+v", f)
		}
	}
}

// What sends from a kept mailbox signs in as its test does, with a token that is renewed
// where the server does not take it any more.
func TestAMailSentByToken(t *testing.T) {
	ctx := t.Context()
	q := newTokenSetup(t, simulator.GoogleOAuth)
	d, _ := newDesk(t)
	d.Tester.Explainer = explainer()
	m, err := d.Add(ctx, admin(), q.m, Credential{Kind: KindOAuth})
	if err != nil {
		t.Fatal(err)
	}
	token := q.token()
	d.Open = func(context.Context, postroom.MailboxID) (string, postroom.Secret, bool, error) {
		return KindOAuth, token, true, nil
	}
	d.OpenOutgoing = func(context.Context, postroom.MailboxID) (string, postroom.Secret, error) {
		return KindOAuth, token, nil
	}
	d.Prefer = func(context.Context, postroom.MailboxID, postroom.Secret, postroom.Secret) error {
		t.Error("a token was kept as the form of a password")
		return nil
	}
	d.PreferOutgoing = d.Prefer
	d.Renew = func(context.Context, postroom.MailboxID, postroom.Secret) (postroom.Secret, error) {
		return q.token(), nil
	}
	for _, when := range []string{"at first", "when its token has ended"} {
		r, err := d.SendTest(ctx, admin(), m.ID, "")
		if err != nil || r.Fault != nil {
			t.Errorf("%s: %+v, %v", when, r, err)
		}
		report, err := d.TestSaved(ctx, admin(), m.ID, TestOptions{})
		if err != nil || !report.OK {
			t.Errorf("%s: %s, %+v, %v", when, kinds(report), report.Fault(), err)
		}
		q.server.EndAccess("support@example.net")
	}
	if taken := q.send.Accepted(); len(taken) != 2 {
		t.Errorf("%d mails were sent, want 2", len(taken))
	}
}
