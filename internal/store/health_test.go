package store

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// putInState puts a mailbox in a state, with what is wrong or without.
func putInState(t testing.TB, db *DB, id postroom.MailboxID, s postroom.MailboxState, f *postroom.Fault, since int64) {
	t.Helper()
	err := db.commit(context.Background(), func(t *tx) error {
		return t.exec(`update mailbox set state = $1, fault = $2, state_since = $3 where id = $4`, string(s), packFault(f), since, int64(id))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func namesIn[T any](all []T, name func(T) string) (names []string) {
	for _, one := range all {
		names = append(names, name(one))
	}
	return names
}

func TestHealthNamesWhatIsBroken(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		add := func(name string, users ...postroom.UserID) postroom.MailboxID {
			m := supportMailbox()
			m.Name, m.Address = name, name+"@example.net"
			if len(users) > 0 {
				m.Visibility = postroom.Visibility{Kind: postroom.VisibleToUsers, Users: users}
			}
			return addMailbox(t, db, m).ID
		}
		ann := addPerson(t, db, "ann@example.net")
		fine, refused, hers, paused, draft, gone := add("fine"), add("refused"), add("hers", ann), add("paused"), add("draft"), add("gone")
		putInState(t, db, fine, postroom.MailboxActive, nil, 1)
		putInState(t, db, refused, postroom.MailboxNeedsSignIn, refusal(), 20)
		putInState(t, db, hers, postroom.MailboxDelayed, refusal(), 10)
		putInState(t, db, paused, postroom.MailboxPaused, refusal(), 5)
		putInState(t, db, draft, postroom.MailboxDraft, refusal(), 30)
		for i := range 3 {
			putArrival(t, db, hers, i+10, postroom.ArrivalQuarantined)
		}
		putArrival(t, db, fine, 10, postroom.ArrivalFiled)
		putArrival(t, db, fine, 11, postroom.ArrivalQuarantined)
		compared := func(id postroom.MailboxID, result string) {
			t.Helper()
			err := db.commit(ctx, func(t *tx) error {
				return t.exec(`insert into comparison (mailbox, requested_at, compared_at, result) values ($1, 1, 2, $2)`, int64(id), result)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		compared(fine, `{"on_server":2,"gone":1,"arrivals":3}`)
		compared(refused, `{"on_server":2,"gone":0,"arrivals":1,"unaccounted":[{"folder":"INBOX","uid":3}]}`)
		compared(hers, `{"on_server":2,"gone":0,"arrivals":1}`)
		if err := db.DeleteMailbox(ctx, gone, false); err != nil {
			t.Fatal(err)
		}

		h, err := db.Reader().Health(ctx, postroom.Viewer{User: 1000, Role: postroom.RoleAdmin})
		if err != nil {
			t.Fatal(err)
		}
		if h.Mailboxes[postroom.MailboxActive] != 1 || h.Mailboxes[postroom.MailboxPaused] != 1 || h.Mailboxes[postroom.MailboxNeedsRepair] != 0 || len(h.Mailboxes) != 6 {
			t.Errorf("an administrator is told %v", h.Mailboxes)
		}
		name := func(m postroom.Mailbox) string { return m.Name }
		if got := namesIn(h.Troubled, name); !slices.Equal(got, []string{"hers", "refused", "draft"}) || h.Troubled[0].Fault == nil {
			t.Errorf("in trouble are %v, want the longest first, and neither the paused one nor the one that is gone", got)
		}
		if got := fmt.Sprint(h.SetAside); got != fmt.Sprintf("[{%s hers 3} {%s fine 1}]", hers, fine) {
			t.Errorf("set aside is %s", got)
		}
		if got := namesIn(h.Unbalanced, func(u Unbalanced) string { return u.Name }); !slices.Equal(got, []string{"hers", "refused"}) {
			t.Errorf("out of balance are %v", got)
		}

		stranger, err := db.Reader().Health(ctx, postroom.Viewer{User: 1000, Role: postroom.RoleAgent})
		if err != nil {
			t.Fatal(err)
		}
		if got := namesIn(stranger.Troubled, name); !slices.Equal(got, []string{"refused", "draft"}) || len(stranger.SetAside) != 1 || len(stranger.Unbalanced) != 1 ||
			stranger.Mailboxes[postroom.MailboxDelayed] != 0 {
			t.Errorf("whoever may not see a mailbox hears of it: %v %v %v", got, stranger.SetAside, stranger.Unbalanced)
		}
		owner, err := db.Reader().Health(ctx, postroom.Viewer{User: ann, Role: postroom.RoleAgent})
		if err != nil || len(owner.Troubled) != 3 {
			t.Errorf("its reader sees %d mailboxes in trouble (%v), want 3", len(owner.Troubled), err)
		}
		for user, want := range map[postroom.UserID]bool{ann: false, 1000: true} {
			if hides, err := db.Reader().HidesMailboxes(ctx, postroom.Viewer{User: user, Role: postroom.RoleAdmin}); err != nil || hides != want {
				t.Errorf("mailboxes are hidden from %s: %v (%v), want %v", user, hides, err, want)
			}
		}
		list, err := db.Reader().Openings(ctx)
		if err != nil || len(list) != 5 || list[0].Kind != "password" || list[0].Incoming.Host == "" {
			t.Errorf("Openings = %v, %v", list, err)
		}
	})
}

func TestArrivalsAfterOneAreCounted(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		if first, err := db.Reader().LastArrival(ctx); err != nil || first != 0 {
			t.Errorf("LastArrival of nothing = %v, %v", first, err)
		}
		m, other := addMailbox(t, db, supportMailbox()), supportMailbox()
		other.Address = "other@example.net"
		putArrival(t, db, m.ID, 1, postroom.ArrivalFiled)
		last, err := db.Reader().LastArrival(ctx)
		if err != nil {
			t.Fatal(err)
		}
		putArrival(t, db, m.ID, 2, postroom.ArrivalFiled)
		putArrival(t, db, m.ID, 3, postroom.ArrivalWaiting)
		putArrival(t, db, addMailbox(t, db, other).ID, 1, postroom.ArrivalFiled)
		counts, err := db.Reader().ArrivalsAfter(ctx, m.ID, last)
		if err != nil || len(counts) != 2 || counts[postroom.ArrivalFiled] != 1 || counts[postroom.ArrivalWaiting] != 1 {
			t.Errorf("ArrivalsAfter = %v, %v, want one filed and one waiting", counts, err)
		}
	})
}

func BenchmarkHealthSQLite(b *testing.B) {
	benchmarkHealth(b, Options{Path: filepath.Join(b.TempDir(), "postroom.db")})
}

func BenchmarkHealthPostgres(b *testing.B) { benchmarkHealth(b, Options{URL: testbed.Postgres(b)}) }

// benchmarkHealth asks for the health of 10,000 mailboxes, all of which are in trouble,
// and for what opens them.
func benchmarkHealth(b *testing.B, o Options) {
	db := openForTest(b, o)
	settings, err := packSettings(supportMailbox())
	if err != nil {
		b.Fatal(err)
	}
	err = db.commit(b.Context(), func(t *tx) error {
		for i := range 10_000 {
			f := refusal()
			f.Explanation = fmt.Sprintf("imap%d.example.net did not answer within 10 seconds.", i%50)
			err := t.exec(`insert into mailbox (name, address, settings, everyone, visibility_key, state, state_since, fault, created_at, updated_at)
				values ($1, $2, $3, true, 'everyone', 'delayed', $4, $5, 1, 1)`,
				fmt.Sprint("Mailbox ", i), fmt.Sprintf("m%d@example.net", i), settings, int64(i), packFault(f))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		h, err := db.Reader().Health(b.Context(), postroom.Viewer{User: 1, Role: postroom.RoleAdmin})
		if err != nil || len(h.Troubled) != 10_000 {
			b.Fatalf("%d in trouble, %v", len(h.Troubled), err)
		}
	}
}
