package credential

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
	"github.com/postroom/postroom/internal/vault"
)

const (
	ana      = "ana@example.net"
	allMail  = "https://mail.google.com/"
	clientID = "postroom"
)

// A clock is the time of a test, which moves when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newKeptClock() *clock { return &clock{at: time.Now().UTC().Truncate(time.Second)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// A signedIn is a mailbox that somebody has signed in to at a provider.
type signedIn struct {
	*testing.T
	clock    *clock
	provider *simulator.OAuthServer
	store    *store.DB
	ring     *vault.Ring
	app      Registration
	mailbox  postroom.Mailbox
	keeper   *Keeper
	scope    string // that the owner allows
}

// startKept starts a provider and a Postroom with one mailbox that its owner has signed in
// to. The tokens are as after a sign-in a moment ago.
func startKept(t *testing.T, o simulator.OAuthOptions, db *store.DB) *signedIn {
	t.Helper()
	s := &signedIn{T: t, clock: newKeptClock(), store: db, ring: newRing(t), scope: allMail}
	p, err := simulator.Start(simulator.Options{InMemory: true, Gmail: true, Mechanisms: []string{"XOAUTH2", "OAUTHBEARER"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	p.AddAccount(ana, "right")
	if o.Kind == simulator.MicrosoftOAuth {
		s.scope = "https://outlook.office.com/IMAP.AccessAsUser.All"
	}
	o.Now, o.Key = s.clock.now, rsaKey()
	o.Apps = append(o.Apps, simulator.OAuthApp{ClientID: clientID, Name: "Postroom", Secret: "app secret"})
	if s.provider, err = p.StartOAuth(o); err != nil {
		t.Fatal(err)
	}
	kept, err := db.AddOAuthApp(t.Context(), postroom.OAuthApp{Name: "Mail", Provider: postroom.GenericProvider, Kind: postroom.AppSignIn, ClientID: clientID}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.app = Registration{OAuthApp: kept, OAuth: oauth.App{
		TokenURL: s.provider.TokenURL, RevokeURL: s.provider.RevokeURL, ClientID: clientID, Secret: postroom.Hide("app secret"),
		Scopes: map[postroom.Protocol][]string{postroom.IMAP: {allMail}, postroom.SMTP: {allMail}},
	}}
	s.keeper = s.process()
	s.mailbox = s.add(ana)
	s.adopt(s.propose(s.mailbox))
	return s
}

// process is a Postroom process.
func (s *signedIn) process() *Keeper {
	return &Keeper{
		Store: s.store, Ring: s.ring, Node: "test", Now: s.clock.now, Log: slog.New(slog.DiscardHandler),
		Client:       &oauth.Client{Now: s.clock.now, Dial: s.provider.Dial},
		Registration: func(context.Context, postroom.OAuthAppID) (Registration, error) { return s.app, nil },
		Explain:      Explainer{Catalogue: &diagnose.Catalogue{}}.Explain,
	}
}

// add keeps a mailbox to which nobody has signed in yet.
func (s *signedIn) add(address string) postroom.Mailbox {
	s.Helper()
	m, err := s.store.AddMailbox(s.Context(), postroom.Mailbox{
		Address:  address,
		Incoming: postroom.IncomingSettings{Protocol: postroom.IMAP, ServerSettings: postroom.ServerSettings{Host: "imap.example.net", Port: 993, Username: address}},
		Outgoing: &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "smtp.example.net", Port: 465, Username: address}},
	}, postroom.CredentialOAuth, nil)
	if err != nil {
		s.Fatal(err)
	}
	return m
}

// propose keeps what the owner of the account has allowed just now.
func (s *signedIn) propose(m postroom.Mailbox) postroom.GrantID {
	s.Helper()
	given, err := s.keeper.Client.Refresh(s.Context(), s.app.OAuth, s.allowed(), nil)
	if err != nil {
		s.Fatal(err)
	}
	given.Scopes = []string{s.scope}
	g, err := s.store.AddGrant(s.Context(), s.keeper.newGrant(postroom.Grant{
		Mailbox: m.ID, App: s.app.ID, Way: postroom.GrantByCode, Account: postroom.Account{Subject: "1", Address: ana},
	}, given))
	if err != nil {
		s.Fatal(err)
	}
	return g.ID
}

func (s *signedIn) adopt(g postroom.GrantID) {
	s.Helper()
	if err := s.store.AdoptGrant(s.Context(), store.Adoption{Grant: g}); err != nil {
		s.Fatal(err)
	}
}

// grant is what opens the mailbox.
func (s *signedIn) grant() store.KeptGrant {
	s.Helper()
	c, err := s.store.Credential(s.Context(), s.mailbox.ID)
	if err != nil {
		s.Fatal(err)
	}
	g, err := s.store.Grant(s.Context(), c.Grant)
	if err != nil {
		s.Fatal(err)
	}
	return g
}

// asked is how often the provider was asked to renew.
func (s *signedIn) asked() int { return s.provider.Requests()["refresh_token"] }

// wantToken is a token that the provider gave, and that lasts.
func (s *signedIn) wantToken(k *Keeper) Token {
	s.Helper()
	t, err := k.Token(s.Context(), s.mailbox.ID)
	if err != nil {
		s.Fatalf("Token: %v", err)
	}
	if t.Access.IsEmpty() || t.Expires.Sub(s.clock.now()) < 5*time.Minute {
		s.Fatalf("Token lasts until %v, it is %v", t.Expires, s.clock.now())
	}
	return t
}

func TestAnAccessTokenIsReusedUntilItsEndIsNear(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	first, before := s.wantToken(s.keeper), s.asked()
	s.clock.pass(54 * time.Minute)
	again := s.wantToken(s.process()) // after a restart
	if !isSame(first.Access, again.Access) || s.asked() != before {
		t.Errorf("the provider was asked %d times for a token that lasts", s.asked()-before)
	}
	s.clock.pass(2 * time.Minute)
	if next := s.wantToken(s.keeper); isSame(next.Access, first.Access) || s.asked() != before+1 {
		t.Errorf("the provider was asked %d times, want once, before the token ends", s.asked()-before)
	}
}

func TestATokenThatAServerRefusesIsRenewedOnce(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	first, before := s.wantToken(s.keeper), s.asked()
	renew := func(refused Token) Token {
		t.Helper()
		next, err := s.keeper.Renew(t.Context(), s.mailbox.ID, refused.Access)
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	s.clock.pass(20 * time.Second)
	if next := renew(first); isSame(next.Access, first.Access) || s.asked() != before+1 {
		t.Error("a token that has opened the mailbox a moment ago, and is refused now, came back")
	}
	first, before = s.wantToken(s.keeper), s.asked()
	if next := renew(first); !isSame(next.Access, first.Access) || s.asked() != before {
		t.Error("a token that is a moment old, and has opened nothing yet, was asked for again")
	}
	s.clock.pass(10 * time.Minute)
	second := renew(first)
	if isSame(second.Access, first.Access) || s.asked() != before+1 {
		t.Errorf("the refused token came back, after %d requests", s.asked()-before)
	}
	if next := renew(first); !isSame(next.Access, second.Access) || s.asked() != before+1 {
		t.Error("who was refused with the token before does not get the one that is kept")
	}
	// While the provider cannot be asked, the refused one is not handed out again.
	s.clock.pass(10 * time.Minute)
	s.provider.SetFaults(simulator.OAuthFaults{Status: 503})
	_, err := s.keeper.Renew(t.Context(), s.mailbox.ID, second.Access)
	if postroom.KindOf(err) != postroom.Delayed {
		t.Errorf("Renew = %v, want a delay", err)
	}
	if _, err := s.keeper.Token(t.Context(), s.mailbox.ID); postroom.KindOf(err) != postroom.Delayed {
		t.Errorf("Token = %v, want a delay", err)
	}
	if asked := s.asked(); asked != before+2 {
		t.Errorf("the provider was asked %d times, want twice", asked-before)
	}
}

func TestASignInThatIsTakenBackRightAfterItWorkedIsLostAtItsProvider(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	first := s.wantToken(s.keeper)
	s.clock.pass(20 * time.Second)
	s.provider.Revoke(ana, clientID)
	_, err := s.keeper.Renew(t.Context(), s.mailbox.ID, first.Access)
	if f, ok := postroom.FaultOf(err); !ok || f.Kind != postroom.NeedsSignIn || !strings.Contains(f.Reply, "invalid_grant") {
		t.Errorf("Renew = %v, want the words of the provider", err)
	}
}

func TestAMailboxThatNobodyHasSignedInToSaysSo(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	m := s.add("new@example.net")
	kind, _, worked, err := s.keeper.Open(t.Context(), m.ID)
	f, ok := postroom.FaultOf(err)
	if !ok || f.Kind != postroom.NeedsSignIn || f.Class != postroom.ConsentMissing || kind != postroom.CredentialOAuth || worked {
		t.Errorf("Open = %q, %v, %v", kind, worked, err)
	}
	kind, secret, worked, err := s.keeper.Open(t.Context(), s.mailbox.ID)
	if err != nil || kind != postroom.CredentialOAuth || !worked || !isSame(secret, s.wantToken(s.keeper).Access) {
		t.Errorf("Open of one that somebody has signed in to = %q, %v, %v", kind, worked, err)
	}
	if err := s.keeper.Prefer(t.Context(), s.mailbox.ID, secret, postroom.Hide("another form")); err != nil {
		t.Errorf("Prefer: %v", err)
	}
}

// interruption is a process that ends.
type interruption struct{ at string }

// crash asks for a token in a process that ends at a point.
func (s *signedIn) crash(at string) (reached bool) {
	s.Helper()
	k := s.process()
	k.Step = func(point string) {
		if point == at {
			panic(interruption{at})
		}
	}
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case interruption:
			reached = true
		default:
			panic(cause)
		}
	}()
	_, _ = k.Token(s.Context(), s.mailbox.ID)
	return false
}

// crashPoints are all steps of a refresh at which a process can end.
var crashPoints = []string{"lease taken", "answered", "recorded"}

// year asks for tokens for 365 days, every twelve hours, with a crash at each third need,
// at each point in turn. ended is called when a sign-in is needed.
func (s *signedIn) year(interrupted *int, ended func(at string, f *postroom.Fault)) (crashes map[string]int) {
	s.Helper()
	crashes = make(map[string]int)
	at := ""
	for need := range 365 * 2 {
		s.clock.pass(12 * time.Hour)
		if need%3 == 0 {
			at = crashPoints[need/3%len(crashPoints)]
			if !s.crash(at) {
				s.Fatalf("need %d: nothing was asked, although the token is over", need)
			}
			crashes[at]++
			s.clock.pass(leaseLasts + time.Second)
		}
		k := s.process()
		k.Interrupted = func() { *interrupted++ }
		_, err := k.Token(s.Context(), s.mailbox.ID)
		if f, ok := postroom.FaultOf(err); ok && f.Kind == postroom.NeedsSignIn {
			ended(at, f)
		} else if err != nil {
			s.Fatalf("need %d, after a crash at %q: %v", need, at, err)
		}
	}
	return crashes
}

func TestAYearOfCrashesNeedsNoSignInWhereTheOldTokenHasGrace(t *testing.T) {
	t.Parallel()
	s := startKept(t, simulator.OAuthOptions{Rotation: simulator.RotateWithGrace, Grace: 5 * time.Minute}, openStore(t))
	interrupted := 0
	crashes := s.year(&interrupted, func(at string, f *postroom.Fault) { t.Fatalf("a sign-in is needed after a crash at %q: %v", at, f) })
	if want := crashes["lease taken"] + crashes["answered"]; interrupted != want || s.grant().Interrupted != want || want < 150 {
		t.Errorf("%d lost answers were counted, %d are kept, want %d", interrupted, s.grant().Interrupted, want)
	}
}

func TestACrashCostsOneSignInAtMostWhereTheOldTokenEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := startKept(t, simulator.OAuthOptions{Rotation: simulator.RotateStrict}, openStore(t))
	interrupted, ended := 0, 0
	crashes := s.year(&interrupted, func(at string, f *postroom.Fault) {
		if at != "answered" {
			t.Fatalf("a sign-in is needed after a crash at %q: %v", at, f)
		}
		if !strings.Contains(strings.ToLower(f.Explanation+f.Remedy+strings.Join(f.Others, " ")), "interrupted") {
			t.Fatalf("why it is needed is not said: %q %q %q", f.Explanation, f.Remedy, f.Others)
		}
		ended++
		s.adopt(s.propose(s.mailbox)) // somebody signs in again
	})
	if ended != crashes["answered"] || ended < 80 {
		t.Errorf("%d sign-ins for %d crashes between answer and commit", ended, crashes["answered"])
	}
	if want := crashes["lease taken"] + crashes["answered"]; interrupted != want {
		t.Errorf("%d lost answers were counted, want %d", interrupted, want)
	}
}

func TestANewRefreshTokenThatIsRefusedGivesWayToTheOneBefore(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{Rotation: simulator.RotateWithGrace, Grace: 3 * time.Hour}, openStore(t))
	s.clock.pass(time.Hour)
	s.wantToken(s.keeper)
	g := s.grant()
	if g.Former == nil {
		t.Fatal("the refresh token before is not kept")
	}
	// What came last never counted at the provider.
	sealed, err := s.keeper.sealTokens(g.ID, postroom.Hide("never given"), postroom.Secret{}, postroom.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	s.replaceRefresh(g, sealed.Refresh)
	s.clock.pass(time.Hour)
	// While the one before cannot be asked about, nothing is decided.
	s.provider.SetFaults(simulator.OAuthFaults{Status: 400, Body: `{"error":"invalid_grant"}`, Times: 1}, simulator.OAuthFaults{Status: 503})
	if _, err := s.keeper.Token(t.Context(), s.mailbox.ID); postroom.KindOf(err) != postroom.Delayed {
		t.Fatalf("Token = %v, want a delay", err)
	}
	s.provider.SetFaults()
	s.clock.pass(time.Minute)
	s.wantToken(s.keeper)
	s.clock.pass(time.Hour)
	s.wantToken(s.keeper)
}

// replaceRefresh keeps another refresh token, as an answer would.
func (s *signedIn) replaceRefresh(g store.KeptGrant, refresh []byte) {
	s.Helper()
	leased, ok, err := s.store.LeaseGrant(s.Context(), store.Lease{Grant: g.ID, Holder: "test", Answers: g.Answers, For: time.Minute, Now: s.clock.now()})
	if err != nil || !ok {
		s.Fatalf("LeaseGrant = %v, %v", ok, err)
	}
	ok, err = s.store.RecordRefresh(s.Context(), g.ID, "test", store.Refreshed{
		SealedTokens: store.SealedTokens{Refresh: refresh, Former: leased.Former, Access: leased.Access},
		Scopes:       leased.Scopes, At: s.clock.now(), AccessExpires: leased.AccessExpiresAt,
	})
	if err != nil || !ok {
		s.Fatalf("RecordRefresh = %v, %v", ok, err)
	}
}

func TestOutagesNeverAskAnybodyToSignIn(t *testing.T) {
	t.Parallel()
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	var dial func(context.Context, string, string) (net.Conn, error)
	s.keeper.Client = &oauth.Client{Now: s.clock.now, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dial != nil {
			return dial(ctx, network, address)
		}
		return s.provider.Dial(ctx, network, address)
	}}
	unreachable := func(err error) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
		}
	}
	outages := map[string]struct {
		faults simulator.OAuthFaults
		dial   func(context.Context, string, string) (net.Conn, error)
		least  time.Duration // of the pause
	}{
		"503":              {faults: simulator.OAuthFaults{Status: 503, Body: "busy", ContentType: "text/plain"}},
		"500 in JSON":      {faults: simulator.OAuthFaults{Status: 500, Body: `{"error":"server_error"}`}},
		"502 with a page":  {faults: simulator.OAuthFaults{Status: 502, Body: simulator.BadGateway, ContentType: "text/html"}},
		"200 with a page":  {faults: simulator.OAuthFaults{Status: 200, Body: "<html><title>Welcome to the hotel</title></html>", ContentType: "text/html"}},
		"429":              {faults: simulator.OAuthFaults{Status: 429, Body: `{"error":"rate_limited"}`, RetryAfter: 90 * time.Second}, least: 90 * time.Second},
		"503, come later":  {faults: simulator.OAuthFaults{Status: 503, RetryAfter: 30 * time.Minute}, least: 30 * time.Minute},
		"421":              {faults: simulator.OAuthFaults{Status: 421, Body: "421 Misdirected Request", ContentType: "text/plain"}},
		"reset":            {faults: simulator.OAuthFaults{Reset: true}},
		"no answer":        {faults: simulator.OAuthFaults{Hang: true}},
		"no such name":     {dial: unreachable(&net.DNSError{Err: "no such host", Name: "login.example.net", IsNotFound: true})},
		"name server away": {dial: unreachable(&net.DNSError{Err: "server misbehaving", Name: "login.example.net", IsTemporary: true})},
		"refused":          {dial: unreachable(os.NewSyscallError("connect", fmt.Errorf("connection refused")))},
	}
	rounds := 0
	for rounds < 200 {
		for name, o := range outages {
			rounds++
			s.provider.SetFaults(o.faults)
			dial, s.keeper.Client.Timeout = o.dial, time.Minute
			if o.faults.Hang {
				s.keeper.Client.Timeout = 30 * time.Millisecond
			}
			s.clock.pass(65 * time.Minute) // the pauses before are over too
			before := s.asked()
			_, err := s.keeper.Token(t.Context(), s.mailbox.ID)
			f, ok := postroom.FaultOf(err)
			if !ok || f.Kind != postroom.Delayed {
				t.Fatalf("%s: %v (%s), want a delay", name, err, postroom.KindOf(err))
			}
			// Nobody hammers: whoever asks meanwhile hears the same.
			_, err = s.process().Token(t.Context(), s.mailbox.ID)
			again, ok := postroom.FaultOf(err)
			if !ok || again.Kind != postroom.Delayed || again.Explanation != f.Explanation || again.RetryAfter < o.least {
				t.Fatalf("%s: the second hears %v, to come after %v", name, err, again.RetryAfter)
			}
			if asked := s.asked() - before; asked > 1 {
				t.Fatalf("%s: the provider was asked %d times", name, asked)
			}
		}
	}
	s.provider.SetFaults()
	dial = nil
	s.clock.pass(time.Hour)
	s.keeper.Client = &oauth.Client{Now: s.clock.now, Dial: s.provider.Dial}
	s.wantToken(s.keeper)
	if g := s.grant(); g.Fault != nil || g.Failures != 0 {
		t.Errorf("once it works, there is still %v after %d failures", g.Fault, g.Failures)
	}
}

func TestATokenThatStillLastsIsUsedWhileTheProviderIsAway(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	first := s.wantToken(s.keeper)
	s.provider.SetFaults(simulator.OAuthFaults{Status: 503})
	s.clock.pass(57 * time.Minute)
	got, err := s.keeper.Token(t.Context(), s.mailbox.ID)
	if err != nil || !isSame(got.Access, first.Access) {
		t.Errorf("Token = %v, want the one that lasts three minutes yet", err)
	}
	s.clock.pass(4 * time.Minute)
	if _, err := s.keeper.Token(t.Context(), s.mailbox.ID); postroom.KindOf(err) != postroom.Delayed {
		t.Errorf("once it is over: %v, want a delay", err)
	}
}

func TestOneInvalidGrantNeedsASignInAtOnce(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	s.provider.Revoke(ana, clientID)
	s.clock.pass(time.Hour)
	before := s.asked()
	for range 3 {
		_, err := s.keeper.Token(t.Context(), s.mailbox.ID)
		f, ok := postroom.FaultOf(err)
		if !ok || f.Kind != postroom.NeedsSignIn || strings.Contains(f.Explanation, "interrupted") {
			t.Fatalf("Token = %v, want a sign-in", err)
		}
	}
	if asked := s.asked() - before; asked != 1 {
		t.Errorf("the provider was asked %d times", asked)
	}
	s.adopt(s.propose(s.mailbox))
	s.wantToken(s.keeper)
}

func TestAWrongRegistrationIsMendedByChangingIt(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	s.provider.ExpireSecret(clientID)
	s.clock.pass(time.Hour)
	for range 2 {
		_, err := s.keeper.Token(t.Context(), s.mailbox.ID)
		f, ok := postroom.FaultOf(err)
		if !ok || f.Kind != postroom.NeedsRepair || f.FixBy != postroom.FixByAppAdmin {
			t.Fatalf("Token = %v, want a repair by the administrator", err)
		}
	}
	s.provider.Register(simulator.OAuthApp{ClientID: clientID, Name: "Postroom", Secret: "new secret"})
	s.app.OAuth.Secret = postroom.Hide("new secret")
	s.clock.pass(time.Minute)
	s.app.UpdatedAt = s.clock.now()
	s.wantToken(s.keeper)
}

func TestLessThanWasAllowedIsNoticedWhenItIsRenewed(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	s.provider.SetFaults(simulator.OAuthFaults{Body: `{"access_token":"little","token_type":"Bearer","expires_in":3600,"scope":"openid email"}`})
	s.clock.pass(time.Hour)
	for range 2 {
		_, err := s.keeper.Token(t.Context(), s.mailbox.ID)
		f, ok := postroom.FaultOf(err)
		if !ok || f.Kind != postroom.NeedsSignIn || f.Class != postroom.ConsentMissing {
			t.Fatalf("Token = %v, want that something is not allowed any more", err)
		}
	}
	s.provider.SetFaults()
	s.clock.pass(2 * time.Hour)
	s.wantToken(s.keeper)
}

func TestTwoProcessesAskOnceForEachOfAThousandNeeds(t *testing.T) {
	t.Parallel()
	url := testbed.Postgres(t)
	o := store.Options{URL: url}
	if err := store.Migrate(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	open := func() *store.DB {
		db, err := store.Open(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return db
	}
	s := startKept(t, simulator.OAuthOptions{Rotation: simulator.RotateStrict}, open())
	other := s.process()
	other.Store = open()
	before := s.asked()
	for need := range 1000 {
		s.clock.pass(time.Hour)
		var tokens [4]Token
		var errs [4]error
		var all sync.WaitGroup
		for i := range tokens {
			all.Go(func() { tokens[i], errs[i] = []*Keeper{s.keeper, other}[i%2].Token(t.Context(), s.mailbox.ID) })
		}
		all.Wait()
		for i := range tokens {
			if errs[i] != nil || !isSame(tokens[i].Access, tokens[0].Access) {
				t.Fatalf("need %d: %v, or two tokens for one need", need, errs[i])
			}
		}
	}
	if asked := s.asked() - before; asked != 1000 {
		t.Errorf("the provider was asked %d times for 1,000 needs", asked)
	}
}

func TestNoTokenIsInAnyErrorOrLogLine(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{Rotation: simulator.RotateWithGrace}, openStore(t))
	var log strings.Builder
	s.keeper.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	secrets := []string{"app secret"}
	note := func() {
		g := s.grant()
		for _, kept := range []struct {
			sealed []byte
			place  vault.Place
		}{{g.Access, accessPlace(g.ID)}, {g.Former, formerPlace(g.ID)}, {g.Refresh, refreshPlace(g.ID)}} {
			if kept.sealed == nil {
				continue
			}
			secret, err := s.ring.Open(kept.sealed, kept.place)
			if err != nil {
				t.Fatal(err)
			}
			secrets = append(secrets, secret.Reveal())
		}
	}
	note()
	var said strings.Builder
	for _, fault := range []func(refresh string) simulator.OAuthFaults{
		func(string) simulator.OAuthFaults { return simulator.OAuthFaults{For: []string{"nothing"}} },
		func(string) simulator.OAuthFaults { return simulator.OAuthFaults{Status: 503, Body: "busy"} },
		func(string) simulator.OAuthFaults { return simulator.OAuthFaults{Hang: true} },
		func(refresh string) simulator.OAuthFaults {
			return simulator.OAuthFaults{Status: 500, Body: "token " + refresh}
		},
		func(refresh string) simulator.OAuthFaults {
			return simulator.OAuthFaults{Status: 400, Body: `{"error":"invalid_grant","error_description":"` + refresh + `"}`, Times: 1}
		},
	} {
		f := fault(secrets[len(secrets)-1])
		s.clock.pass(3 * time.Hour)
		s.provider.SetFaults(f)
		s.keeper.Client = &oauth.Client{Now: s.clock.now, Dial: s.provider.Dial, Timeout: 30 * time.Millisecond}
		token, err := s.keeper.Token(t.Context(), s.mailbox.ID)
		fmt.Fprintf(&said, "%v %+v %#v %v\n", token, token, token, err)
		if f, ok := postroom.FaultOf(err); ok {
			fmt.Fprintf(&said, "%+v", *f)
		}
		note()
	}
	fmt.Fprintf(&said, "%+v %#v", s.keeper, s.keeper)
	for _, secret := range secrets {
		if strings.Contains(log.String(), secret) || strings.Contains(said.String(), secret) {
			t.Fatalf("a secret is in the log or in an error:\n%s\n%s", log.String(), said.String())
		}
	}
	if !strings.Contains(log.String(), "could not be renewed") {
		t.Errorf("the log says nothing: %s", log.String())
	}
}

func TestALostAnswerIsNoReasonWhereTheProviderReplacesNoToken(t *testing.T) {
	s := startKept(t, simulator.OAuthOptions{Rotation: simulator.KeepRefresh}, openStore(t))
	s.clock.pass(time.Hour)
	s.wantToken(s.keeper)
	s.clock.pass(time.Hour)
	if !s.crash("answered") {
		t.Fatal("nothing was asked")
	}
	s.provider.Revoke(ana, clientID)
	s.clock.pass(time.Hour)
	_, err := s.keeper.Token(t.Context(), s.mailbox.ID)
	f, ok := postroom.FaultOf(err)
	if !ok || f.Kind != postroom.NeedsSignIn || strings.Contains(f.Explanation, "interrupted") {
		t.Errorf("Token = %v, want that it was withdrawn", err)
	}
}
