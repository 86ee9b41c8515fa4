package mailbox

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
)

func admin() postroom.Viewer { return postroom.Viewer{User: 1, Role: postroom.RoleAdmin} }

// explainer reads what it knows once for all tests.
var explainer = sync.OnceValue(func() Explainer {
	return Explainer{Catalogue: &diagnose.Catalogue{}, Presets: &provider.Presets{}}
})

// newDesk is a desk on an empty database whose vault only turns secrets round.
func newDesk(t *testing.T) (*Desk, *int) {
	t.Helper()
	ctx := context.Background()
	o := store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
	if err := store.Migrate(ctx, o); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	woken := 0
	return &Desk{
		Store: db,
		Seal: func(_ postroom.MailboxID, s postroom.Secret) ([]byte, error) {
			return []byte("sealed " + s.Reveal()), nil
		},
		Open: func(ctx context.Context, id postroom.MailboxID) (string, postroom.Secret, bool, error) {
			c, err := db.Credential(ctx, id)
			return c.Kind, postroom.Hide(strings.TrimPrefix(string(c.Sealed), "sealed ")), !c.WorkedAt.IsZero(), err
		},
		SealOutgoing: func(_ postroom.MailboxID, s postroom.Secret) ([]byte, error) {
			return []byte("sealed to send " + s.Reveal()), nil
		},
		OpenOutgoing: func(ctx context.Context, id postroom.MailboxID) (string, postroom.Secret, error) {
			if c, ok, err := db.OutgoingCredential(ctx, id); ok || err != nil {
				return c.Kind, postroom.Hide(strings.TrimPrefix(string(c.Sealed), "sealed to send ")), err
			}
			c, err := db.Credential(ctx, id)
			return c.Kind, postroom.Hide(strings.TrimPrefix(string(c.Sealed), "sealed ")), err
		},
		Tester: Tester{Explainer: explainer()},
		Wake:   func() { woken++ },
	}, &woken
}

func password(text string) Credential {
	return Credential{Kind: KindPassword, Password: postroom.Hide(text)}
}

func mustAdd(t *testing.T, d *Desk, m postroom.Mailbox) postroom.Mailbox {
	t.Helper()
	m, err := d.Add(context.Background(), admin(), m, password("right"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wantFault(t *testing.T, err error, kind postroom.Kind, field string) {
	t.Helper()
	f, ok := postroom.FaultOf(err)
	if !ok || f.Kind != kind || f.Field != field {
		t.Errorf("error %v (%+v), want a fault of kind %q about %q", err, f, kind, field)
	}
}

func TestAddKeepsADraftAndNudgesTheReader(t *testing.T) {
	ctx := context.Background()
	d, woken := newDesk(t)
	m := plain()
	m.Start.At = noon() // means nothing with now
	added := mustAdd(t, d, m)
	if added.State != postroom.MailboxDraft || !added.Start.At.IsZero() || added.Incoming.Port != 993 || *woken != 1 {
		t.Errorf("added %+v, woken %d times", added, *woken)
	}
	if c, err := d.Store.Credential(ctx, added.ID); err != nil || c.Kind != KindPassword || string(c.Sealed) != "sealed right" {
		t.Errorf("credential %+v, %v", c, err)
	}
	_, err := d.Add(ctx, admin(), plain(), password("right"))
	wantFault(t, err, postroom.Conflict, "address")
	_, err = d.Add(ctx, admin(), plain(), password(" "))
	wantFault(t, err, postroom.Invalid, "credential.password")
}

func TestMailboxesAreForAdministrators(t *testing.T) {
	ctx := context.Background()
	d, woken := newDesk(t)
	m := mustAdd(t, d, plain())
	*woken = 0
	for name, by := range map[string]postroom.Viewer{
		"an agent":             {User: 2, Role: postroom.RoleAgent},
		"a token that writes":  {Token: 1, Scope: postroom.ScopeWrite},
		"an owner":             {User: 3, Role: postroom.RoleOwner},
		"somebody we know not": {},
	} {
		calls := map[string]func() error{
			"add": func() error { _, err := d.Add(ctx, by, plain(), password("x")); return err },
			"change": func() error {
				_, err := d.Change(ctx, by, m.ID, func(*postroom.Mailbox) error { return nil }, nil)
				return err
			},
			"pause":  func() error { return d.Pause(ctx, by, m.ID) },
			"resume": func() error { return d.Resume(ctx, by, m.ID) },
			"delete": func() error { return d.Delete(ctx, by, m.ID, true) },
			"retry":  func() error { return d.Retry(ctx, by, 1) },
			"test":   func() error { _, err := d.Test(ctx, by, plain(), password("x"), TestOptions{}); return err },
			"saved":  func() error { _, err := d.TestSaved(ctx, by, m.ID, TestOptions{}); return err },
		}
		for call, do := range calls {
			if err := do(); postroom.KindOf(err) != postroom.Forbidden {
				t.Errorf("%s by %s: %v, want it forbidden", call, name, err)
			}
		}
	}
	if *woken != 0 {
		t.Errorf("woken %d times by what was forbidden", *woken)
	}
	token := postroom.Viewer{Token: 1, Scope: postroom.ScopeAdmin}
	if err := d.Pause(ctx, token, m.ID); err != nil {
		t.Errorf("pause by a token with the admin scope: %v", err)
	}
}

func TestPeopleMustBeHere(t *testing.T) {
	d, _ := newDesk(t)
	m := plain()
	m.Owner = 42
	_, err := d.Add(context.Background(), admin(), m, password("x"))
	wantFault(t, err, postroom.Invalid, "owner")
	m = plain()
	m.Visibility = postroom.Visibility{Kind: postroom.VisibleToUsers, Users: []postroom.UserID{42}}
	_, err = d.Add(context.Background(), admin(), m, password("x"))
	wantFault(t, err, postroom.Invalid, "visible_to")
}

func TestChangeKeepsTheRest(t *testing.T) {
	ctx := context.Background()
	d, woken := newDesk(t)
	m := mustAdd(t, d, plain())
	calls := 0
	changed, err := d.Change(ctx, admin(), m.ID, func(now *postroom.Mailbox) error {
		if calls++; calls == 1 { // somebody else is quicker
			_, err := d.Change(ctx, admin(), m.ID, func(o *postroom.Mailbox) error { o.Name = "Quick"; return nil }, nil)
			if err != nil {
				t.Error(err)
			}
		}
		now.Incoming.PollInterval = 2 * time.Minute
		return nil
	}, nil)
	if err != nil || calls != 2 || changed.Name != "Quick" || changed.Incoming.PollInterval != 2*time.Minute || *woken != 3 {
		t.Errorf("changed %+v, %v after %d calls, woken %d times", changed, err, calls, *woken)
	}
	if c, err := d.Store.Credential(ctx, m.ID); err != nil || string(c.Sealed) != "sealed right" {
		t.Errorf("credential %q, %v, want the old one", c.Sealed, err)
	}
	c := password("new")
	if _, err := d.Change(ctx, admin(), m.ID, func(*postroom.Mailbox) error { return nil }, &c); err != nil {
		t.Fatal(err)
	}
	if c, err := d.Store.Credential(ctx, m.ID); err != nil || string(c.Sealed) != "sealed new" {
		t.Errorf("credential %q, %v, want the new one", c.Sealed, err)
	}
	_, err = d.Change(ctx, admin(), m.ID, func(now *postroom.Mailbox) error { now.Incoming.Host = ""; return nil }, nil)
	wantFault(t, err, postroom.Invalid, "incoming.host")
	_, err = d.Change(ctx, admin(), m.ID+1, func(*postroom.Mailbox) error { return nil }, nil)
	wantFault(t, err, postroom.NotFound, "")
}

func TestPasswordThatWorkedIsUntriedAtAnotherServer(t *testing.T) {
	ctx := context.Background()
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	readWith(t, d, m, store.Comparison{})
	worked := func(change func(*postroom.Mailbox)) bool {
		t.Helper()
		if _, err := d.Change(ctx, admin(), m.ID, func(m *postroom.Mailbox) error { change(m); return nil }, nil); err != nil {
			t.Fatal(err)
		}
		_, secret, worked, err := d.Open(ctx, m.ID)
		if err != nil || secret.Reveal() != "right" {
			t.Fatalf("the password is not kept: %v", err)
		}
		return worked
	}
	if !worked(func(m *postroom.Mailbox) { m.Incoming.PollInterval = time.Hour }) {
		t.Error("a change of something else has the password tried anew")
	}
	if worked(func(m *postroom.Mailbox) { m.Incoming.Host = "imap.example.org" }) {
		t.Error("at another server the password counts as one that has worked")
	}
}

func TestWhatIsRepairedIsTriedAtOnce(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(*postroom.Mailbox){
		"another server":          func(m *postroom.Mailbox) { m.Incoming.Host = "imap.example.org" },
		"another folder":          func(m *postroom.Mailbox) { m.Incoming.Folders = []string{"Sales"} },
		"another way with mail":   func(m *postroom.Mailbox) { m.AfterImport = postroom.AfterImportDelete },
		"moved to another folder": func(m *postroom.Mailbox) { m.AfterImport, m.MoveTo = postroom.AfterImportMove, "Done" },
	} {
		d, _ := newDesk(t)
		m := mustAdd(t, d, plain())
		fence := readWith(t, d, m, store.Comparison{})
		kept, err := d.Store.KeptMailbox(ctx, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		fault := &postroom.Fault{Kind: postroom.NeedsRepair, Explanation: "It cannot be read so.", Remedy: "Change it."}
		if err := d.Store.RecordTrouble(ctx, fence, kept.Version, store.Trouble{State: postroom.MailboxNeedsRepair, Fault: fault, Failures: 1}); err != nil {
			t.Fatal(err)
		}
		after, err := d.Change(ctx, admin(), m.ID, func(m *postroom.Mailbox) error { m.Name = "Sales"; return nil }, nil)
		if err != nil || after.State != postroom.MailboxNeedsRepair {
			t.Errorf("%s: %s, %v after another name", name, after.State, err)
		}
		after, err = d.Change(ctx, admin(), m.ID, func(m *postroom.Mailbox) error { change(m); return nil }, nil)
		if err != nil || after.State != postroom.MailboxDelayed || after.Fault != nil {
			t.Errorf("%s: %s, %+v, %v, want it to be tried", name, after.State, after.Fault, err)
		}
	}
}

func TestStartsThatCoverMore(t *testing.T) {
	day := func(n int) postroom.Start {
		return postroom.Start{Kind: postroom.StartDate, At: noon().AddDate(0, 0, n)}
	}
	now := postroom.Start{Kind: postroom.StartNow, At: noon()}
	tests := map[string]struct {
		before, after postroom.Start
		want          bool
	}{
		"all instead of now":           {now, postroom.Start{Kind: postroom.StartAll}, true},
		"a day before now":             {now, day(-1), true},
		"an earlier day":               {day(-1), day(-2), true},
		"a later day":                  {day(-2), day(-1), false},
		"a day instead of all":         {postroom.Start{Kind: postroom.StartAll}, day(-2), false},
		"the same":                     {day(-1), day(-1), false},
		"all instead of a draft's":     {postroom.Start{Kind: postroom.StartNow}, postroom.Start{Kind: postroom.StartAll}, true},
		"a draft's that becomes now's": {postroom.Start{Kind: postroom.StartNow}, now, false},
	}
	for name, test := range tests {
		if got := isEarlier(test.before, test.after); got != test.want {
			t.Errorf("%s: isEarlier = %v, want %v", name, got, test.want)
		}
	}
}

// readWith makes an active mailbox of m that a node reads, which answers the first
// request for a comparison with c.
func readWith(t *testing.T, d *Desk, m postroom.Mailbox, c store.Comparison) store.Fence {
	t.Helper()
	ctx := context.Background()
	node, err := d.Store.JoinNode(ctx, "one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Store.TakeLeases(ctx, node); err != nil {
		t.Fatal(err)
	}
	owned, err := d.Store.OwnedMailboxes(ctx, node)
	if err != nil || len(owned) != 1 {
		t.Fatalf("owned %v, %v", owned, err)
	}
	if _, err := d.Store.RecordProof(ctx, owned[0].Fence, owned[0].Version, nil); err != nil {
		t.Fatal(err)
	}
	d.Wake = func() {
		if err := d.Store.RecordComparison(ctx, owned[0].Fence, c); err != nil {
			t.Error(err)
		}
	}
	return owned[0].Fence
}

func TestLedgerOfAMailboxThatIsRead(t *testing.T) {
	ctx := context.Background()
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	fence := readWith(t, d, m, store.Comparison{OnServer: 2, Gone: 1, Arrivals: 3})
	book(t, d, fence, postroom.ArrivalWaiting, 3)
	l, err := d.Ledger(ctx, admin(), m.ID)
	if err != nil || l.Fault != nil || l.OnServer == nil || *l.OnServer != 2 || *l.Gone != 1 || !*l.Balanced || l.ComparedAt.IsZero() {
		t.Fatalf("ledger %+v, %v, want one that balances", l, err)
	}
	want := make(map[postroom.ArrivalState]int64)
	for _, s := range postroom.ArrivalStates() {
		want[s] = 0
	}
	want[postroom.ArrivalWaiting] = 3
	if diff := cmp.Diff(want, l.Counts); diff != "" {
		t.Errorf("counts are not a number for each state: %s", diff)
	}
	d.Wake = func() { t.Error("a fresh answer was asked for again") }
	again, err := d.Ledger(ctx, admin(), m.ID)
	if err != nil || !again.ComparedAt.Equal(l.ComparedAt) {
		t.Errorf("compared at %v, %v, want the answer of %v again", again.ComparedAt, err, l.ComparedAt)
	}
	_, err = d.Ledger(ctx, admin(), m.ID+1)
	wantFault(t, err, postroom.NotFound, "")
}

// book enters the messages 1 to count of a folder into the ledger.
func book(t *testing.T, d *Desk, f store.Fence, state postroom.ArrivalState, count uint32) {
	t.Helper()
	n, err := d.Store.BeginNumbering(t.Context(), f, postroom.Numbering{Mailbox: f.Mailbox, Protocol: postroom.IMAP, Host: "imap.example.net", Username: "u", Folder: "INBOX", UIDValidity: 1})
	if err != nil {
		t.Fatal(err)
	}
	var names []store.Listed
	for uid := uint32(1); uid <= count; uid++ {
		names = append(names, store.Listed{Name: postroom.Name{UID: uid}, State: state})
	}
	if err := d.Store.BookNames(t.Context(), f, n, names, count); err != nil {
		t.Fatal(err)
	}
}

func TestALedgerCanBeAddedUpRightAfterMailHasCome(t *testing.T) {
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	fence := readWith(t, d, m, store.Comparison{})
	if l, err := d.Ledger(t.Context(), admin(), m.ID); err != nil || l.OnServer == nil || *l.OnServer != 0 {
		t.Fatalf("ledger %+v, %v, want an empty one", l, err)
	}
	book(t, d, fence, postroom.ArrivalWaiting, 3)
	d.Wake = func() {
		if err := d.Store.RecordComparison(t.Context(), fence, store.Comparison{OnServer: 3, Arrivals: 3}); err != nil {
			t.Error(err)
		}
	}
	l, err := d.Ledger(t.Context(), admin(), m.ID)
	if err != nil || l.OnServer == nil || *l.OnServer != 3 || *l.Gone != 0 || l.Counts[postroom.ArrivalWaiting] != 3 {
		t.Errorf("ledger %+v, %v, want 3 waiting and 3 on the server", l, err)
	}
}

func TestALedgerComesToAnEndWhileMailKeepsComing(t *testing.T) {
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	book(t, d, readWith(t, d, m, store.Comparison{OnServer: 1, Arrivals: 1}), postroom.ArrivalWaiting, 2)
	l, err := d.Ledger(t.Context(), admin(), m.ID)
	if err != nil || l.Fault != nil || l.OnServer == nil || *l.OnServer != 1 || l.Counts[postroom.ArrivalWaiting] != 2 {
		t.Errorf("ledger %+v, %v, want the counts of now beside the last comparison", l, err)
	}
}

func TestLedgerThatDoesNotBalance(t *testing.T) {
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	missing := store.UnaccountedName{Folder: "INBOX", UIDValidity: 1, UID: 9}
	readWith(t, d, m, store.Comparison{OnServer: 1, Unaccounted: []store.UnaccountedName{missing}})
	l, err := d.Ledger(context.Background(), admin(), m.ID)
	if err != nil || l.Balanced == nil || *l.Balanced || !cmp.Equal(l.Unaccounted, []store.UnaccountedName{missing}) {
		t.Errorf("ledger %+v, %v, want one that names what is missing", l, err)
	}
}

func TestLedgerWithoutTheServer(t *testing.T) {
	ctx := context.Background()
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	gone := &postroom.Fault{Kind: postroom.Delayed, Class: postroom.Timeout, Explanation: "It did not answer.", Remedy: "Wait."}
	readWith(t, d, m, store.Comparison{Fault: gone})
	l, err := d.Ledger(ctx, admin(), m.ID)
	if err != nil || l.OnServer != nil || l.Balanced != nil || !cmp.Equal(l.Fault, gone) || l.Counts == nil {
		t.Errorf("ledger %+v, %v, want the counts and the fault", l, err)
	}

	paused := plain()
	paused.Address = "paused@example.net"
	p := mustAdd(t, d, paused)
	if err := d.Pause(ctx, admin(), p.ID); err != nil {
		t.Fatal(err)
	}
	l, err = d.Ledger(ctx, admin(), p.ID)
	if err != nil || l.Fault == nil || !strings.Contains(l.Fault.Explanation, "paused") || l.Balanced != nil {
		t.Errorf("ledger %+v, %v, want it to say that the mailbox is paused", l, err)
	}

	d.Unattended = true
	alone := plain()
	alone.Address = "alone@example.net"
	l, err = d.Ledger(ctx, admin(), mustAdd(t, d, alone).ID)
	if err != nil || l.Fault == nil || !strings.Contains(l.Fault.Explanation, "not running") || l.Balanced != nil {
		t.Errorf("ledger %+v, %v, want it to say that nothing reads mailboxes", l, err)
	}
}

func TestALedgerForgetsThatAMailboxWasPaused(t *testing.T) {
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	fence := readWith(t, d, m, store.Comparison{})
	answer := d.Wake
	d.Wake = nil
	if err := d.Pause(t.Context(), admin(), m.ID); err != nil {
		t.Fatal(err)
	}
	pause := &postroom.Fault{Kind: postroom.Conflict, Explanation: "This mailbox is paused.", Remedy: "Resume it."}
	if err := d.Store.RecordComparison(t.Context(), fence, store.Comparison{Fault: pause}); err != nil {
		t.Fatal(err)
	}
	if err := d.Resume(t.Context(), admin(), m.ID); err != nil {
		t.Fatal(err)
	}
	d.Wake = answer
	l, err := d.Ledger(t.Context(), admin(), m.ID)
	if err != nil || l.Fault != nil || l.Balanced == nil || !*l.Balanced {
		t.Errorf("ledger %+v, %v, want what the server has now", l, err)
	}
}

func TestLedgerIsForThoseWhoSeeTheMail(t *testing.T) {
	ctx := context.Background()
	d, _ := newDesk(t)
	agent := postroom.Viewer{User: 2, Role: postroom.RoleAgent}
	m := mustAdd(t, d, plain())
	readWith(t, d, m, store.Comparison{})
	if _, err := d.Ledger(ctx, agent, m.ID); err != nil {
		t.Errorf("ledger for somebody who sees the mail: %v", err)
	}
	owner := addUser(t, d.Store)
	_, err := d.Change(ctx, admin(), m.ID, func(now *postroom.Mailbox) error {
		now.Owner, now.Visibility.Kind = owner, postroom.VisibleToOwner
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Ledger(ctx, postroom.Viewer{User: owner + 1, Role: postroom.RoleAgent}, m.ID)
	wantFault(t, err, postroom.NotFound, "")
	if _, err := d.Ledger(ctx, postroom.Viewer{User: owner, Role: postroom.RoleOwner}, m.ID); err != nil {
		t.Errorf("ledger for the owner: %v", err)
	}
}

func addUser(t *testing.T, db *store.DB) postroom.UserID {
	t.Helper()
	id, err := db.CreateUser(context.Background(), postroom.User{Email: "owner@example.net", Name: "Olga", Role: postroom.RoleOwner}, "")
	if err != nil {
		t.Fatal(err)
	}
	return id
}
