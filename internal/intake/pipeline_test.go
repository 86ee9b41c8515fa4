package intake

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/store"
)

// brokenLedger has one mail ready, and answers a filing as it is told to.
type brokenLedger struct {
	file    func(store.Filing) error
	failing error // of RecordFailedTry

	filings, tries int
	done           bool
	settled        postroom.ArrivalState
	why            string
}

func (l *brokenLedger) ReadyArrivals(_ context.Context, _ postroom.NodeID, after postroom.ArrivalID, _ int) ([]store.Ready, error) {
	if l.done || after > 0 {
		return nil, nil
	}
	return []store.Ready{{ID: 1, Raw: 1, SeenAt: time.Now()}}, nil
}

func (l *brokenLedger) OpenRaw(context.Context, postroom.RawID) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("Subject: Hello\r\n\r\nHello\r\n")), nil
}

func (l *brokenLedger) File(_ context.Context, f store.Filing) (store.Filed, error) {
	l.filings++
	err := l.file(f)
	l.done = err == nil
	return store.Filed{}, err
}

func (l *brokenLedger) Settle(_ context.Context, _ store.Fence, _ []postroom.ArrivalID, state postroom.ArrivalState, reason string) error {
	l.settled, l.why, l.done = state, reason, true
	return nil
}

func (l *brokenLedger) RecordFailedTry(context.Context, store.Fence, postroom.ArrivalID, string, time.Time, int) (bool, error) {
	l.tries++
	l.done = l.failing == nil
	return false, l.failing
}

func (l *brokenLedger) run(t *testing.T, d time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		if err := (&Pipeline{Ledger: l, Workers: 1}).Run(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestDatabaseThatTakesNothingIsLeftAlone(t *testing.T) {
	full, gone := errors.New("the disk is full"), trouble(t)
	for name, l := range map[string]*brokenLedger{
		"nothing can be written": {file: func(store.Filing) error { return full }, failing: full},
		"it is slow":             {file: func(store.Filing) error { return context.DeadlineExceeded }},
		"it cannot be reached":   {file: func(store.Filing) error { return gone }},
	} {
		t.Run(name, func(t *testing.T) {
			l.run(t, time.Minute)
			if l.filings < 3 || l.filings > 15 {
				t.Errorf("%d filings in a minute, want a few", l.filings)
			}
		})
	}
}

// trouble is what a database says that is not there.
func trouble(t *testing.T) error {
	t.Helper()
	_, err := store.Open(t.Context(), store.Options{URL: "postgres://127.0.0.1:1/postroom"})
	if !store.IsTrouble(err) {
		t.Fatalf("a database that is not there says %v", err)
	}
	return err
}

func TestDatabaseInTroubleIsNotTheMailsFault(t *testing.T) {
	gone := trouble(t)
	for name, err := range map[string]error{"slow": context.DeadlineExceeded, "another node's": store.ErrFenced, "not there": gone} {
		t.Run(name, func(t *testing.T) {
			l := &brokenLedger{}
			l.file = func(store.Filing) error {
				if l.filings > 2 {
					return nil
				}
				return err
			}
			l.run(t, time.Minute)
			if l.tries != 0 {
				t.Errorf("%d tries are counted, want none", l.tries)
			}
		})
	}
}

func TestMailThatBreaksItsFilingIsFiledUnread(t *testing.T) {
	var filed store.Filing
	l := &brokenLedger{file: func(f store.Filing) error {
		if f.Mail.Subject == "Hello" {
			panic("a mistake")
		}
		filed = f
		return nil
	}}
	l.run(t, time.Minute)
	if filed.Arrival != 1 || len(filed.Mail.Notes) != 1 || l.tries != 0 {
		t.Errorf("filed %+v after %d tries, want it with a note", filed, l.tries)
	}
}

func TestNoticeOfOurOwnBecomesNoIssue(t *testing.T) {
	for name, test := range map[string]struct {
		isOwn   func(mime.Header) bool
		filings int
		settled postroom.ArrivalState
	}{
		"of our own":         {func(h mime.Header) bool { return h.Get("Subject") == "Hello" }, 0, postroom.ArrivalIgnored},
		"of somebody else":   {func(mime.Header) bool { return false }, 1, ""},
		"where nobody looks": {nil, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := &brokenLedger{file: func(store.Filing) error { return nil }}
			var heard []store.Filed
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				p := &Pipeline{Ledger: l, Workers: 1, IsOwn: test.isOwn, Filed: func(f store.Filed) { heard = append(heard, f) }}
				if err := p.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			if l.filings != test.filings || l.settled != test.settled {
				t.Errorf("filed %d times and settled as %q, want %d and %q", l.filings, l.settled, test.filings, test.settled)
			}
			if test.settled != "" && (l.why == "" || len(heard) != 1 || heard[0].State != test.settled || !heard[0].Due) {
				t.Errorf("settled because %q, and told %+v, want a reason, and that something may be due on the server", l.why, heard)
			}
		})
	}
}
