package alert

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestEveryExpiryIsAnnouncedInTime(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	start := p.clock
	// What ends when, and when that becomes known.
	ends := []struct {
		postroom.Expiry
		known time.Duration
		want  []int // days before, at which it is announced
	}{
		{postroom.Expiry{Key: "secret", Title: "The client secret of “Contoso mail” ends", At: start.Add(200 * day), App: 1}, 0, []int{30, 14, 7, 1}},
		{postroom.Expiry{Key: "certificate", Title: "The certificate of “Contoso mail” ends", At: start.Add(380 * day), App: 1}, 0, []int{30, 14, 7, 1}},
		{postroom.Expiry{Key: "late", Title: "The client secret of “Late” ends", At: start.Add(300 * day), App: 2}, 279 * day, []int{21, 14, 7, 1}},
		{postroom.Expiry{Key: "testing", Title: "The sign-in of support ends", At: start.Add(107 * day)}, 100 * day, []int{7, 1}},
		{postroom.Expiry{Key: "idle", Title: "The sign-in of sales ends for lack of use", At: start.Add(150 * day), Prevented: true}, 0, nil},
		{postroom.Expiry{Key: "far", Title: "Exchange Online ends basic authentication", At: start.Add(1000 * day)}, 0, nil},
	}
	p.Ahead = func(context.Context) ([]postroom.Expiry, error) {
		var known []postroom.Expiry
		for _, e := range ends {
			if p.clock.Sub(start) >= e.known && p.clock.Before(e.At) {
				known = append(known, e.Expiry)
			}
		}
		return known, nil
	}
	announced := make(map[string][]int)
	titles := make(map[string]string)
	for _, e := range ends {
		titles["Postroom: "+e.Title+" on "+date(e.At)] = e.Key
	}
	for n := 0; p.clock.Before(start.Add(400 * day)); n++ {
		for _, l := range p.post() {
			key, known := titles[l.Subject]
			if !known {
				t.Fatalf("false alarm: %s", l.Subject)
			}
			i := slices.IndexFunc(ends, func(e struct {
				postroom.Expiry
				known time.Duration
				want  []int
			}) bool {
				return e.Key == key
			})
			announced[key] = append(announced[key], int((ends[i].At.Sub(p.clock)+12*time.Hour)/day))
		}
		p.pass(5 * time.Hour)
	}
	for _, e := range ends {
		if !slices.Equal(announced[e.Key], e.want) {
			t.Errorf("%s is announced %v days before, want %v", e.Key, announced[e.Key], e.want)
		}
	}
	if left := p.alerts(); len(left) > 0 {
		t.Errorf("what is over is still shown: %+v", left)
	}
}

func TestStageThatNobodyCouldAnnounceIsMadeUpForOnce(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	at := p.clock.Add(40 * day)
	page := "/settings/apps/1"
	p.Ahead = func(context.Context) ([]postroom.Expiry, error) {
		return []postroom.Expiry{{Key: "secret", Title: "The client secret of “Contoso mail” ends", Words: "Then nobody can be signed in.", Remedy: "Make a new one.", Page: page, At: at}}, nil
	}
	p.wantPost("40 days before", 0)
	p.pass(11 * day)
	letters := p.wantPost("29 days before", 1)
	p.wantWords(letters[0], "ends on "+date(at), "Then nobody can be signed in.", "Make a new one.", "https://post.example.net/settings/apps/1", "next on "+date(at.Add(-14*day)))
	if a := p.wantAlert("29 days before"); a.Kind != postroom.AlertAhead || !a.EndsAt.Equal(at.Truncate(time.Microsecond)) || !a.NextAt.Equal(at.Add(-14*day).Truncate(time.Microsecond)) {
		t.Errorf("the alert is %+v", a)
	}
	p.pass(23 * day) // nothing was running on day 14 and on day 7
	p.Desk = &Desk{Store: p.Store, Ring: p.Ring, Log: p.Log, Now: p.Now, SendBy: p.SendBy, Ahead: p.Ahead}
	letters = p.wantPost("6 days before", 1)
	p.wantWords(letters[0], "next on "+date(at.Add(-day)))
	p.wantPost("a moment later", 0)

	at = at.Add(365 * day) // a new secret was entered
	p.wantPost("it is done", 0)
	p.pass(calm)
	p.wantPost("done without a word", 0)
	if left := p.alerts(); len(left) > 0 {
		t.Errorf("what was heeded is still shown: %+v", left)
	}
	p.pass(at.Add(-30 * day).Sub(p.clock))
	p.wantPost("a year later", 1)
}

func TestSchedule(t *testing.T) {
	begun := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	for now, want := range map[time.Duration]time.Duration{
		0: day, day - 1: day, day: 3 * day, 3 * day: 7 * day, 6 * day: 7 * day, 7 * day: 14 * day, 20 * day: 21 * day, 21 * day: 28 * day, 400 * day: 406 * day,
	} {
		if got := nextReminder(begun, begun.Add(now)).Sub(begun); got != want {
			t.Errorf("after %v the next reminder is after %v, want %v", now, got, want)
		}
	}
	ends := begun
	for left, want := range map[time.Duration]time.Duration{
		400 * day: 30 * day, 30 * day: 14 * day, 14*day + 1: 14 * day, 8 * day: 7 * day, 7 * day: day, 2 * day: day,
	} {
		if got := ends.Sub(nextAnnouncement(ends, ends.Add(-left))); got != want {
			t.Errorf("%v before its end the next announcement is %v before, want %v", left, got, want)
		}
	}
	for _, left := range []time.Duration{day, time.Hour, 0, -day} {
		if got := nextAnnouncement(ends, ends.Add(-left)); !got.IsZero() {
			t.Errorf("%v before its end the next announcement is at %v, want none", left, got)
		}
	}
}

func TestForecastThatFailsKeepsNobodyFromBeingTold(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	id := p.mailbox("support")
	var fails error
	end := postroom.Expiry{Key: "secret", Title: "The client secret ends", At: p.clock.Add(20 * day)}
	p.Ahead = func(context.Context) ([]postroom.Expiry, error) { return []postroom.Expiry{end}, fails }
	p.wantPost("it ends soon", 1)
	fails = errors.New("a mistake")
	p.pass(time.Hour)
	p.trouble(lost(), id)
	p.wantPost("nobody can tell what ends", 1)
	p.Desk = &Desk{Store: p.Store, Ring: p.Ring, Log: p.Log, Now: p.Now, SendBy: p.SendBy, Ahead: p.Ahead}
	p.wantPost("started again", 0)
	p.pass(time.Hour)
	p.wantPost("still nobody can tell", 0)
	if n := len(p.alerts()); n != 2 {
		t.Errorf("%d alerts, want what ends and what is lost", n)
	}
}
