package mailbox

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

func TestRescanCountsAndBrings(t *testing.T) {
	ctx := context.Background()
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	fence := readWith(t, d, m, store.Comparison{
		OnServer: 10, Arrivals: 19, Gone: 12, Deleted: 2, BeforeStart: 1, ByContent: true,
		Unaccounted: []store.UnaccountedName{{UID: 1}, {UID: 2}, {UID: 3}},
	})
	dry, err := d.Rescan(ctx, admin(), m.ID, RescanRequest{DryRun: true})
	want := Rescan{Known: 7, Unaccounted: 3, Gone: 12, Deleted: 2, BeforeStart: 1, ByContent: true, Finished: true}
	if diff := cmp.Diff(want, dry); diff != "" || err != nil {
		t.Fatalf("dry run: %v %s", err, diff)
	}
	if wanted, err := d.Store.RescanWanted(ctx, m.ID); err != nil || wanted {
		t.Errorf("a dry run asked for a rescan: %v, %v", wanted, err)
	}

	compare := d.Wake
	d.Wake = func() {
		compare()
		if err := d.Store.RecordRescan(ctx, fence, 3); err != nil {
			t.Error(err)
		}
	}
	done, err := d.Rescan(ctx, admin(), m.ID, RescanRequest{})
	want.Brought = 3
	if diff := cmp.Diff(want, done); diff != "" || err != nil {
		t.Errorf("rescan: %v %s", err, diff)
	}
}

func TestRescanWithAnEarlierStart(t *testing.T) {
	ctx := context.Background()
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	fence := readWith(t, d, m, store.Comparison{})
	day := func(kind postroom.StartKind, at time.Time) *postroom.Start {
		return &postroom.Start{Kind: kind, At: at}
	}
	for _, start := range map[string]*postroom.Start{
		"to come":  day(postroom.StartDate, time.Now().Add(time.Hour)),
		"no day":   day(postroom.StartDate, time.Time{}),
		"a riddle": day("soon", time.Time{}),
		"later":    day(postroom.StartDate, time.Now()),
	} {
		_, err := d.Rescan(ctx, admin(), m.ID, RescanRequest{DryRun: true, Start: start})
		wantFault(t, err, postroom.Invalid, "start")
	}
	for name, start := range map[string]*postroom.Start{"the same": day(postroom.StartNow, time.Time{}), "all": day(postroom.StartAll, time.Time{})} {
		if _, err := d.Rescan(ctx, admin(), m.ID, RescanRequest{DryRun: true, Start: start}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now, err := d.Store.Mailbox(ctx, m.ID); err != nil || now.Start.Kind != postroom.StartNow {
		t.Errorf("a dry run changed the start: %+v, %v", now.Start, err)
	}
	compare := d.Wake
	d.Wake = func() {
		compare()
		if err := d.Store.RecordRescan(ctx, fence, 0); err != nil {
			t.Error(err)
		}
	}
	earlier := time.Now().AddDate(-1, 0, 0)
	book(t, d, fence, postroom.ArrivalBeforeStart, 3)
	if done, err := d.Rescan(ctx, admin(), m.ID, RescanRequest{Start: day(postroom.StartDate, earlier)}); err != nil || done.Brought != 3 {
		t.Fatalf("rescan %+v, %v, want the 3 that were before the start brought in", done, err)
	}
	if now, err := d.Store.Mailbox(ctx, m.ID); err != nil || now.Start.Kind != postroom.StartDate || now.Start.At.Sub(earlier).Abs() > time.Millisecond {
		t.Errorf("start %+v, %v, want %v", now.Start, err, earlier)
	}
}

func TestRescanWithoutTheServer(t *testing.T) {
	ctx := context.Background()
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	if err := d.Pause(ctx, admin(), m.ID); err != nil {
		t.Fatal(err)
	}
	r, err := d.Rescan(ctx, admin(), m.ID, RescanRequest{})
	if err != nil || r.Fault == nil || r.Brought != 0 {
		t.Errorf("rescan of a paused mailbox: %+v, %v", r, err)
	}
	if wanted, err := d.Store.RescanWanted(ctx, m.ID); err != nil || wanted {
		t.Errorf("a rescan waits for better days: %v, %v", wanted, err)
	}
	_, err = d.Rescan(ctx, postroom.Viewer{User: 2, Role: postroom.RoleAgent}, m.ID, RescanRequest{})
	wantFault(t, err, postroom.Forbidden, "")
}

func TestManyTestsTakeTurns(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	d, _ := newDesk(t)
	var ids []postroom.MailboxID
	for _, address := range []string{"a@example.net", "b@example.net"} {
		m := plain()
		m.Address, m.Incoming.Host, m.Incoming.Port = address, "127.0.0.1", listen(t, false, "")
		ids = append(ids, mustAdd(t, d, m).ID)
	}
	results, err := d.Bulk(ctx, admin(), append(ids, ids[0], 99), ActionTest, nil)
	if err != nil || len(results) != 3 {
		t.Fatalf("results %+v, %v", results, err)
	}
	for _, r := range results[:2] {
		wantSteps(t, r.Report, "✕connection", postroom.Refused, "Nothing answers")
	}
	wantFault(t, results[2].Err, postroom.NotFound, "")
	cancel()
	if _, err := d.Bulk(ctx, admin(), ids, ActionTest, nil); err == nil {
		t.Error("a test that was given up looks done")
	}
}
