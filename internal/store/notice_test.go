package store

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func (h *house) notice(n int, seal func(postroom.NoticeID) ([]byte, error)) postroom.NoticeID {
	h.t.Helper()
	id, err := h.db.AddNotice(context.Background(), NewNotice{
		Kind: postroom.NoticeLink, Recipient: fmt.Sprintf("r%d@example.org", n), Subject: "s", Text: "open", LocalPart: "x", At: alertClock,
	}, 0, time.Time{}, seal)
	h.must(err)
	return id
}

func TestEachNoticeIsClaimedOnce(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		const notices = 40
		for i := range notices {
			h.notice(i, nil)
		}
		var mu sync.Mutex
		taken := make(map[postroom.NoticeID]int)
		var nodes sync.WaitGroup
		for range 4 {
			nodes.Go(func() {
				for {
					claimed, err := db.ClaimNotices(ctx, alertClock, alertClock.Add(time.Minute), 3)
					if err != nil {
						t.Error(err)
					}
					if len(claimed) == 0 || err != nil {
						return
					}
					mu.Lock()
					for _, c := range claimed {
						taken[c.ID]++
					}
					mu.Unlock()
				}
			})
		}
		nodes.Wait()
		for id, n := range taken {
			if n != 1 {
				t.Errorf("notice %s was claimed %d times", id, n)
			}
		}
		if len(taken) != notices {
			t.Errorf("%d were claimed, want %d", len(taken), notices)
		}
		due, ok, err := db.NextNotice(ctx)
		if err != nil || !ok || !due.Equal(alertClock.Add(time.Minute)) {
			t.Errorf("the next comes due at %v, %t, %v, want when the claims end", due, ok, err)
		}
		again, err := db.ClaimNotices(ctx, alertClock.Add(time.Minute), alertClock.Add(time.Hour), 100)
		if err != nil || len(again) != notices || again[0].Tries != 2 {
			t.Errorf("of a node that died %d are claimed again, %v", len(again), err)
		}
	})
}

func TestNoticeIsSettledOnceAndForgetsWhatItOpens(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		id := h.notice(1, func(id postroom.NoticeID) ([]byte, error) { return []byte("sealed for " + id.String()), nil })
		claim := func(at time.Time) ClaimedNotice {
			t.Helper()
			claimed, err := db.ClaimNotices(ctx, at, at.Add(time.Minute), 10)
			h.must(err)
			if len(claimed) != 1 {
				t.Fatalf("%d are claimed, want one", len(claimed))
			}
			return claimed[0]
		}
		c := claim(alertClock)
		if string(c.Sealed) != "sealed for "+id.String() || c.Text != "" || c.LocalPart != "x" || c.State != postroom.NoticeSending {
			t.Errorf("claimed %+v", c)
		}
		later := alertClock.Add(time.Hour)
		h.must(db.SettleNotice(ctx, NoticeOutcome{ID: id, State: postroom.NoticeQueued, At: alertClock, Via: "a", Doubt: true, NextTryAt: later, Fault: refusal()}))
		if none, err := db.ClaimNotices(ctx, later.Add(-time.Second), later, 10); err != nil || len(none) > 0 {
			t.Errorf("claimed before it is due: %+v, %v", none, err)
		}
		last, err := h.r.LastNotices(ctx)
		h.must(err)
		if len(last) != 1 || last[0].Fault == nil {
			t.Errorf("the last notices are %+v, want one with its fault", last)
		}
		if c = claim(later); c.Doubts != 1 || c.Sealed == nil || c.Tries != 2 {
			t.Errorf("claimed again: %+v", c)
		}
		h.must(db.SettleNotice(ctx, NoticeOutcome{ID: id, State: postroom.NoticeSent, At: later, Via: "b"}))
		h.must(db.SettleNotice(ctx, NoticeOutcome{ID: id, State: postroom.NoticeRefused, At: later, Via: "c", Fault: refusal()}))
		if n := h.count(`select count(*) from notice where state = 'sent' and via = 'b' and sealed is null and fault is null and sent_at = $1`, micros(later)); n != 1 {
			t.Error("it is not sent with nothing left to open")
		}
		if _, ok, err := db.NextNotice(ctx); err != nil || ok {
			t.Errorf("something comes due: %t, %v", ok, err)
		}
	})
}

func TestNoticesThatLeftAreCounted(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		h.change(alertClock, AlertChanges{Raised: []RaisedAlert{raised("x", h.support)}})
		claimed, err := db.ClaimNotices(ctx, alertClock, alertClock.Add(time.Minute), 10)
		h.must(err)
		a := h.openAlert()
		if len(claimed) != 1 || claimed[0].Alert != a.ID || !a.Recipients[0].HasLeft {
			t.Fatalf("claimed %+v of %+v", claimed, a)
		}
		at := alertClock.Add(time.Second)
		h.must(db.SettleNotice(ctx, NoticeOutcome{ID: claimed[0].ID, State: postroom.NoticeSent, At: at, Via: "b"}))
		if a = h.openAlert(); a.Told != 1 || !a.ToldAt.Equal(at) {
			t.Errorf("told %d times, last at %v", a.Told, a.ToldAt)
		}
	})
}

func TestMailboxesThatSendAreFound(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		add := func(name string, state postroom.MailboxState, sends bool) postroom.MailboxID {
			m := supportMailbox()
			m.Name, m.Address = name, name+"@example.net"
			if !sends {
				m.Outgoing = nil
			}
			m = addMailbox(t, db, m)
			putInState(t, db, m.ID, state, nil, 1)
			return m.ID
		}
		for i := range DefaultPage {
			add(fmt.Sprint("reads", i), postroom.MailboxActive, false)
		}
		add("paused", postroom.MailboxPaused, true)
		first, second := add("first", postroom.MailboxActive, true), add("second", postroom.MailboxActive, true)
		add("third", postroom.MailboxActive, true)
		got, err := db.MailboxesThatSend(ctx, 2, map[postroom.MailboxID]bool{first: true})
		if err != nil || len(got) != 2 || got[0].ID != second || got[1].Name != "third" {
			t.Errorf("found %v, %v", got, err)
		}
		in, err := db.ConnectedAmong(ctx, []string{"First@Example.NET", "ann@example.org"})
		if err != nil || len(in) != 1 || in[0] != "First@Example.NET" {
			t.Errorf("connected are %v, %v", in, err)
		}
	})
}
