package store

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

// alertClock is when everything in these tests begins.
var alertClock = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func raised(cause string, members ...postroom.MailboxID) RaisedAlert {
	return RaisedAlert{
		Cause: cause, Title: "Support needs somebody", Kind: postroom.AlertSignIn, Fault: *refusal(),
		NextAt: alertClock.Add(24 * time.Hour), Members: members,
		Notices: []NewNotice{{Kind: postroom.NoticeAlert, Recipient: "ann@example.org", Subject: "s", Text: "t", LocalPart: "x", At: alertClock}},
	}
}

// change makes changes of the alerts as they are now.
func (h *house) change(at time.Time, c AlertChanges) {
	h.t.Helper()
	_, version, err := h.db.OpenAlerts(context.Background())
	h.must(err)
	c.Version, c.At = version, at
	done, err := h.db.ChangeAlerts(context.Background(), c)
	h.must(err)
	if !done {
		h.t.Fatal("nothing was changed")
	}
}

func (h *house) openAlert() KeptAlert {
	h.t.Helper()
	alerts, _, err := h.db.OpenAlerts(context.Background())
	h.must(err)
	if len(alerts) != 1 {
		h.t.Fatalf("%d alerts are open, want one", len(alerts))
	}
	return alerts[0]
}

func TestOfManyWhoLookOneRaises(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		_, version, err := db.OpenAlerts(ctx)
		h.must(err)
		done := make([]bool, 8)
		var nodes sync.WaitGroup
		for i := range done {
			nodes.Go(func() {
				// Each has found the same, and calls it by another name.
				r := raised("needs_sign_in:x#"+string(rune('a'+i)), h.support)
				d, err := db.ChangeAlerts(ctx, AlertChanges{Version: version, At: alertClock, Raised: []RaisedAlert{r}})
				if err != nil {
					t.Error(err)
				}
				done[i] = d
			})
		}
		nodes.Wait()
		won := 0
		for _, d := range done {
			if d {
				won++
			}
		}
		a := h.openAlert()
		events := h.count(`select count(*) from event where type = 'alert.raised'`)
		notices := h.count(`select count(*) from notice`)
		if won != 1 || events != 1 || notices != 1 || len(a.Members) != 1 {
			t.Errorf("%d have raised it, with %d events and %d notices, want one each", won, events, notices)
		}
	})
}

func TestLifeOfAnAlert(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		other := addMailbox(t, db, supportMailbox()).ID
		h.change(alertClock, AlertChanges{Raised: []RaisedAlert{raised("needs_sign_in:x", h.support)}})
		a := h.openAlert()
		if a.Cause != "needs_sign_in:x" || a.Fault.Explanation != refusal().Explanation || !a.NextAt.Equal(alertClock.Add(24*time.Hour)) ||
			len(a.Members) != 1 || !cmp.Equal(a.Recipients, []ToldPerson{{"ann@example.org", false}}) {
			t.Errorf("raised: %+v", a)
		}
		events, err := h.r.Events(ctx, h.admin(), 0, 0)
		h.must(err)
		last := events[len(events)-1]
		if last.Type != postroom.EventAlertRaised || last.ID != "alert.raised:"+a.ID.String() || last.Mailbox != h.support {
			t.Errorf("the event is %+v", last)
		}

		later := alertClock.Add(time.Hour)
		h.change(later, AlertChanges{Changed: []ChangedAlert{{
			ID: a.ID, Joined: []postroom.MailboxID{other, other + 1000}, Left: []postroom.MailboxID{h.support},
			Words: &AlertWords{Title: "Two", Fault: *refusal()}, Quiet: &later, Remind: true, NextAt: later.Add(time.Hour),
		}}})
		a = h.openAlert()
		if a.Title != "Two" || !a.QuietSince.Equal(later) || !a.NextAt.Equal(later.Add(time.Hour)) || len(a.Members) != 2 ||
			!a.Members[0].EndedAt.Equal(later) || !a.Members[1].EndedAt.IsZero() {
			t.Errorf("changed: %+v, want a mailbox that is not there passed over", a)
		}
		h.change(later, AlertChanges{Changed: []ChangedAlert{{ID: a.ID, Joined: []postroom.MailboxID{h.support}, Quiet: &time.Time{}}}})
		a = h.openAlert()
		if !a.QuietSince.IsZero() || len(a.Members) != 2 || !a.Members[0].EndedAt.IsZero() || !a.Members[0].BegunAt.Equal(alertClock) {
			t.Errorf("back again: %+v, want its mailbox as it was", a)
		}

		end := later.Add(2 * time.Hour)
		h.change(end, AlertChanges{Changed: []ChangedAlert{{
			ID: a.ID, End: true, Gap: 31, Notices: []NewNotice{{Kind: postroom.NoticeMended, Recipient: "ann@example.org", At: end}},
		}}})
		if alerts, _, err := db.OpenAlerts(ctx); err != nil || len(alerts) > 0 {
			t.Errorf("still open: %+v, %v", alerts, err)
		}
		ended, err := h.r.EndedAlerts(ctx, AlertView{All: true}, 0)
		h.must(err)
		if len(ended) != 1 || !ended[0].EndedAt.Equal(end) || ended[0].Gap != 31 || !ended[0].NextAt.IsZero() {
			t.Errorf("ended: %+v", ended)
		}
		notices, err := h.r.NoticesOf(ctx, a.ID)
		h.must(err)
		if len(notices) != 1 || notices[0].Kind != postroom.NoticeMended {
			t.Errorf("notices: %+v, want what had not left dropped", notices)
		}
		for _, kind := range []string{"alert.raised", "alert.reminded", "alert.ended"} {
			if n := h.count(`select count(*) from event where type = $1`, kind); n != 1 {
				t.Errorf("%d events %s, want one", n, kind)
			}
		}
		h.change(end, AlertChanges{Raised: []RaisedAlert{raised("needs_sign_in:x", h.support)}})
		if b := h.openAlert(); b.ID == a.ID {
			t.Error("what has ended goes on, want a new alert")
		}
	})
}

func (h *house) admin() postroom.Viewer {
	return postroom.Viewer{User: h.ana.User, Role: postroom.RoleAdmin}
}

func TestAlertsAreForAdministratorsAndOwners(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		owner, stranger := addPerson(t, db, "owner@example.net"), addPerson(t, db, "stranger@example.net")
		m := supportMailbox()
		m.Address, m.Owner = "hers@example.net", owner
		hers := addMailbox(t, db, m).ID
		h.change(alertClock, AlertChanges{Raised: []RaisedAlert{raised("both", h.support, hers), raised("one", h.support), {Cause: "space", Kind: postroom.AlertSpace}}})
		alerts, _, err := db.OpenAlerts(ctx)
		h.must(err)
		both := alerts[0].ID
		for name, test := range map[string]struct {
			view  AlertView
			want  int
			first []postroom.MailboxID
		}{
			"an administrator": {AlertView{All: true, User: h.ana.User}, 3, []postroom.MailboxID{h.support, hers}},
			"the owner":        {AlertView{User: owner}, 1, []postroom.MailboxID{hers}},
			"a stranger":       {AlertView{User: stranger}, 0, nil},
			"nobody":           {AlertView{}, 0, nil},
		} {
			got, err := h.r.StandingAlerts(ctx, test.view)
			if err != nil || len(got) != test.want || len(got) > 0 && !slices.Equal(got[0].Mailboxes, test.first) {
				t.Errorf("%s sees %+v, %v", name, got, err)
			}
			one, err := h.r.Alert(ctx, test.view, both)
			if test.want == 0 {
				wantKind(t, err, postroom.NotFound)
			} else if err != nil || !slices.Equal(one.Mailboxes, test.first) {
				t.Errorf("%s sees the one as %+v, %v", name, one, err)
			}
		}
		h.must(db.SeeAlert(ctx, both, owner, alertClock))
		h.must(db.SeeAlert(ctx, both, owner, alertClock.Add(time.Minute)))
		got, err := h.r.StandingAlerts(ctx, AlertView{User: owner})
		if err != nil || len(got) != 1 || !got[0].SeenAt.Equal(alertClock.Add(time.Minute)) {
			t.Errorf("seen: %+v, %v", got, err)
		}
		if all, err := h.r.StandingAlerts(ctx, AlertView{All: true, User: h.ana.User}); err != nil || !all[0].SeenAt.IsZero() {
			t.Errorf("what one has seen another has: %+v, %v", all, err)
		}
		quiet := alertClock.Add(time.Hour)
		h.change(quiet, AlertChanges{Changed: []ChangedAlert{{ID: both, Left: []postroom.MailboxID{h.support, hers}, Quiet: &quiet}}})
		if got, err := h.r.StandingAlerts(ctx, AlertView{User: owner}); err != nil || len(got) > 0 {
			t.Errorf("a quiet alert stands: %+v, %v", got, err)
		}
		one, err := h.r.Alert(ctx, AlertView{User: owner}, both)
		if err != nil || !one.EndedAt.Equal(quiet) || !slices.Equal(one.Mailboxes, []postroom.MailboxID{hers}) {
			t.Errorf("a quiet alert is shown as %+v, %v", one, err)
		}
		h.must(db.DeleteMailbox(ctx, hers, false))
		_, err = h.r.Alert(ctx, AlertView{User: owner}, both)
		wantKind(t, err, postroom.NotFound)
	})
}

func TestOldAlertsAreForgotten(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		h.change(alertClock, AlertChanges{Raised: []RaisedAlert{raised("old", h.support), raised("open", h.support)}})
		alerts, _, err := db.OpenAlerts(ctx)
		h.must(err)
		h.change(alertClock.Add(time.Hour), AlertChanges{Changed: []ChangedAlert{{ID: alerts[0].ID, End: true}}})
		h.must(db.ForgetAlerts(ctx, alertClock))
		if n := h.count(`select count(*) from alert`); n != 2 {
			t.Errorf("%d alerts are left, want both", n)
		}
		h.must(db.ForgetAlerts(ctx, alertClock.Add(2*time.Hour)))
		if a := h.openAlert(); a.Cause != "open" || h.count(`select count(*) from alert`) != 1 {
			t.Errorf("left is %+v, want the open one alone", a)
		}
	})
}

func TestWhatNeedsSomebodyIsFound(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		owner := addPerson(t, db, "owner@example.net")
		add := func(name string) postroom.MailboxID {
			m := supportMailbox()
			m.Name, m.Address, m.Owner = name, name+"@example.net", owner
			return addMailbox(t, db, m).ID
		}
		long, short := alertClock.Add(-2*time.Hour), alertClock.Add(-time.Minute)
		for name, state := range map[string]postroom.MailboxState{
			"refused": postroom.MailboxNeedsSignIn, "broken": postroom.MailboxNeedsRepair,
			"draft": postroom.MailboxDraft, "paused": postroom.MailboxPaused, "active": postroom.MailboxActive,
		} {
			putInState(t, db, add(name), state, refusal(), short.UnixMicro())
		}
		putInState(t, db, add("late"), postroom.MailboxDelayed, refusal(), long.UnixMicro())
		putInState(t, db, add("slow"), postroom.MailboxDelayed, refusal(), short.UnixMicro())
		gone := add("gone")
		putInState(t, db, gone, postroom.MailboxNeedsSignIn, refusal(), long.UnixMicro())
		if err := db.DeleteMailbox(ctx, gone, false); err != nil {
			t.Fatal(err)
		}
		found, err := db.TroubledMailboxes(ctx, alertClock.Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		names := namesIn(found, func(m TroubledMailbox) string { return m.Name })
		slices.Sort(names)
		if !slices.Equal(names, []string{"broken", "late", "refused"}) {
			t.Errorf("found %v", names)
		}
		if f := found[0]; f.Host != "imap.example.net" || f.OwnerAddress != "owner@example.net" || f.Fault.Explanation != refusal().Explanation || f.App != 0 {
			t.Errorf("found %+v", f)
		}
	})
}

func TestMailThatArrivedMeanwhileIsCounted(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		putArrival(t, db, h.support, 100, postroom.ArrivalFiled) // before
		h.change(alertClock, AlertChanges{Raised: []RaisedAlert{raised("x", h.support)}})
		until := alertClock.Add(time.Hour)
		at := func(id postroom.ArrivalID, internal any, seen time.Time) {
			h.do(func(t *tx) error {
				return t.exec(`update arrival set internal_date = $2, seen_at = $3 where id = $1`, int64(id), internal, micros(seen))
			})
		}
		for i, test := range []struct {
			state    postroom.ArrivalState
			internal any
			seen     time.Time
		}{
			{postroom.ArrivalFiled, micros(alertClock.Add(time.Minute)), until.Add(time.Minute)},
			{postroom.ArrivalDeleted, micros(alertClock.Add(time.Minute)), until.Add(time.Hour)}, // read late
			{postroom.ArrivalFiled, nil, until.Add(time.Minute)},                                 // the server dates nothing
			{postroom.ArrivalWaiting, nil, until},
			{postroom.ArrivalFiled, micros(until.Add(time.Minute)), until.Add(time.Minute)}, // came later
			{postroom.ArrivalFiled, nil, until.Add(time.Hour)},                              // came later
			{postroom.ArrivalDuplicate, micros(alertClock), until},
		} {
			at(putArrival(t, db, h.support, 200+i, test.state), test.internal, test.seen)
		}
		at(putArrival(t, db, h.privat, 300, postroom.ArrivalFiled), micros(alertClock), until)
		filed, waiting, err := db.AlertGap(ctx, h.openAlert().ID, until, 2*time.Minute)
		if err != nil || filed != 3 || waiting != 1 {
			t.Errorf("%d filed and %d waiting, %v, want 3 and 1", filed, waiting, err)
		}
	})
}
