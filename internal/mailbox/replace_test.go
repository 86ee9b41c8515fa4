package mailbox

import (
	"context"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
)

// signIn has somebody sign in for a mailbox, proven.
func signIn(t *testing.T, d *Desk, id postroom.MailboxID) {
	t.Helper()
	ctx := t.Context()
	app, err := d.Store.AddOAuthApp(ctx, postroom.OAuthApp{Name: "Desk", Provider: postroom.GenericProvider, Kind: postroom.AppSignIn, ClientID: "desk"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := d.Store.AddGrant(ctx, store.NewGrant{
		Grant: postroom.Grant{Mailbox: id, App: app.ID, Way: postroom.GrantByCode},
		Seal: func(postroom.GrantID) (store.SealedTokens, error) {
			return store.SealedTokens{Refresh: []byte("sealed")}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.AdoptGrant(ctx, store.Adoption{Grant: g.ID}); err != nil {
		t.Fatal(err)
	}
}

func TestASignInThatIsStillToComeIsADraft(t *testing.T) {
	ctx := t.Context()
	d, _ := newDesk(t)
	m, err := d.Add(ctx, admin(), plain(), Credential{Kind: KindOAuth})
	if err != nil || m.State != postroom.MailboxDraft {
		t.Fatalf("%s, %v", m.State, err)
	}
	if kept, err := d.Store.Credential(ctx, m.ID); err != nil || kept.Kind != KindOAuth || len(kept.Sealed) != 0 {
		t.Errorf("kept is %+v, %v", kept, err)
	}
	if fields, err := d.areNew(ctx, m.ID, NewCredentials{Mailbox: &Credential{Kind: KindOAuth}}); err != nil || len(fields) != 0 {
		t.Errorf("what it has is new: %v, %v", fields, err)
	}
	_, err = d.Add(ctx, admin(), plain(), Credential{Kind: KindOAuth, Password: postroom.Hide("ya29.typed")})
	wantFault(t, err, postroom.Invalid, "credential.password")
}

// What opens a mailbox opens it until somebody has signed in.
func TestChoosingASignInGivesNothingUp(t *testing.T) {
	ctx := t.Context()
	d, _ := newDesk(t)
	m, err := d.Add(ctx, admin(), plain(), password("right"))
	if err != nil {
		t.Fatal(err)
	}
	rename := func(m *postroom.Mailbox) error { m.Name = "Orders"; return nil }
	if m, err = d.Change(ctx, admin(), m.ID, rename, &Credential{Kind: KindOAuth}); err != nil || m.Name != "Orders" {
		t.Fatalf("%+v, %v", m, err)
	}
	if kind, secret, _, err := d.Open(ctx, m.ID); err != nil || kind != KindPassword || secret.Reveal() != "right" {
		t.Errorf("now %s, %v", kind, err)
	}
	if fields, err := d.areNew(ctx, m.ID, NewCredentials{Mailbox: &Credential{Kind: KindOAuth}}); err != nil || len(fields) != 1 {
		t.Errorf("the sign-in is not new: %v, %v", fields, err)
	}
}

// A sign-in that has worked is given up for a password that opens the mailbox, and for
// no other.
func TestASignInStaysUntilThePasswordIsProven(t *testing.T) {
	ctx := t.Context()
	read, send, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	_ = send
	d, _ := newDesk(t)
	d.Tester.Explainer = explainer()
	m.Outgoing = nil
	m, err := d.Add(ctx, admin(), m, Credential{Kind: KindOAuth})
	if err != nil {
		t.Fatal(err)
	}
	signIn(t, d, m.ID)
	asItIs := func(*postroom.Mailbox) error { return nil }
	wrong, right := password("wrong"), password("right")
	_, err = d.Change(ctx, admin(), m.ID, asItIs, &wrong)
	wantFault(t, err, postroom.Invalid, "credential.password")
	if f, _ := postroom.FaultOf(err); f == nil || !strings.Contains(f.Explanation, "the sign-in at the provider stays as it is") {
		t.Errorf("%v", err)
	}
	read.SetFaults("", simulator.Faults{RefuseLogin: "NO [UNAVAILABLE] Temporary authentication failure."})
	_, err = d.Change(ctx, admin(), m.ID, asItIs, &right)
	wantFault(t, err, postroom.Delayed, "credential.password")
	read.SetFaults("", simulator.Faults{})
	if kept, err := d.Store.Credential(ctx, m.ID); err != nil || kept.Kind != KindOAuth {
		t.Fatalf("kept is %s, %v", kept.Kind, err)
	}
	if _, err = d.Change(ctx, admin(), m.ID, asItIs, &right); err != nil {
		t.Fatal(err)
	}
	if kind, secret, _, err := d.Open(ctx, m.ID); err != nil || kind != KindPassword || secret.Reveal() != "right" {
		t.Errorf("now %s, %v", kind, err)
	}
}

// A mailbox whose sign-in is lost is tested as far as that goes without.
func TestALostSignInIsAReportAndNoError(t *testing.T) {
	ctx := t.Context()
	_, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	d, _ := newDesk(t)
	d.Tester.Explainer = explainer()
	m, err := d.Add(ctx, admin(), m, Credential{Kind: KindOAuth})
	if err != nil {
		t.Fatal(err)
	}
	lost := &postroom.Fault{Kind: postroom.NeedsSignIn, Class: postroom.TokenRevoked, Explanation: "Google no longer lets us read support@example.net."}
	d.Open = func(context.Context, postroom.MailboxID) (string, postroom.Secret, bool, error) {
		return KindOAuth, postroom.Secret{}, true, lost
	}
	d.OpenOutgoing = func(context.Context, postroom.MailboxID) (string, postroom.Secret, error) {
		return KindOAuth, postroom.Secret{}, lost
	}
	const steps = "connection encryption ✕sign_in outgoing_connection outgoing_encryption ✕outgoing_sign_in"
	r, err := d.TestSaved(ctx, admin(), m.ID, TestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantSteps(t, r, steps, postroom.TokenRevoked, "no longer lets us read")
	if r, err = d.Test(ctx, admin(), m, Credential{Kind: KindOAuth}, TestOptions{}); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, r, steps, postroom.TokenRevoked, "no longer lets us read")
	report, err := d.SendTest(ctx, admin(), m.ID, "")
	if err != nil || report.Fault == nil || report.Fault.Class != postroom.TokenRevoked {
		t.Errorf("%+v, %v", report, err)
	}
}
