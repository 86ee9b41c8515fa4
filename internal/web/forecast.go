package web

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// soon is how long before its end something is no longer far off: a notice goes out
// then.
const soon = 30 * 24 * time.Hour

// An expiryView is something that is known to end, as a page shows it.
type expiryView struct {
	Title     string
	Day       string
	Left      string
	Badge     badge
	Words     string
	Remedy    string
	Prevented bool

	Own, OwnWords             string // a page here; empty: none
	Page, PageWords, PageHost string
	Mailboxes                 []mailboxRow
	More                      int64 // how many are not named
}

// forecastLasts is how long a forecast is taken for granted on the pages of mailboxes.
// It takes reading the settings of all of them.
const forecastLasts = time.Minute

// ends remembers what is known to end.
type ends struct {
	mu   sync.Mutex
	at   time.Time // when it was looked up; zero: never
	list []postroom.Expiry
}

// ahead lists what is known to end, the soonest first, but for what providers have
// announced to everybody: that has its own place on the pages.
func (s *Server) ahead(ctx context.Context) ([]postroom.Expiry, error) {
	if s.Forecast == nil {
		return nil, nil
	}
	all, err := s.Forecast.Ahead(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, isAnnounced)
	s.ends.mu.Lock()
	defer s.ends.mu.Unlock()
	s.ends.at, s.ends.list = s.now(), all
	return all, nil
}

// aheadLately is ahead as of a minute ago at most.
func (s *Server) aheadLately(ctx context.Context) ([]postroom.Expiry, error) {
	s.ends.mu.Lock()
	at, list := s.ends.at, s.ends.list
	s.ends.mu.Unlock()
	if age := s.now().Sub(at); !at.IsZero() && age >= 0 && age < forecastLasts {
		return list, nil
	}
	return s.ahead(ctx)
}

// daysLeft says how long it is until a day.
func daysLeft(at, now time.Time) string {
	day := func(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
	switch days := int64(day(at).Sub(day(now)).Hours() / 24); {
	case days < -1:
		return plural(-days, "day") + " ago"
	case days == -1:
		return "yesterday"
	case days == 0:
		return "today"
	case days == 1:
		return "tomorrow"
	default:
		return "in " + plural(days, "day")
	}
}

// expiryView is an expiry with the mailboxes of it that a visitor may know of, and that
// fit a search.
func (s *Server) expiryView(ctx context.Context, by visitor, e postroom.Expiry, query string) (expiryView, error) {
	v := expiryView{
		Title: asClause(e.Title), Day: dayOf(e.At), Left: daysLeft(e.At, s.now()), Words: e.Words, Remedy: e.Remedy, Prevented: e.Prevented,
		Badge: expiryBadge(e, s.now()),
	}
	if e.Page != "" && (by.IsAdmin() || e.App == 0) {
		v.Own, v.OwnWords = local(e.Page), "What to do"
	}
	v.Page, v.PageWords, v.PageHost = outside(e.Link)
	fits := has(query, e.Title, e.Words)
	for _, id := range e.Mailboxes {
		if fits && len(v.Mailboxes) >= maxNamed && by.IsAdmin() {
			v.More++ // an administrator knows of all of them
			continue
		}
		m, err := s.seenMailbox(ctx, by, id)
		switch {
		case postroom.KindOf(err) == postroom.NotFound || postroom.KindOf(err) == postroom.Forbidden:
			continue
		case err != nil:
			return v, err
		case !fits && !has(query, m.Name, m.Address):
			continue
		case len(v.Mailboxes) >= maxNamed:
			v.More++
		default:
			v.Mailboxes = append(v.Mailboxes, s.mailboxRow(m))
		}
	}
	return v, nil
}

func expiryBadge(e postroom.Expiry, now time.Time) badge {
	switch left := e.At.Sub(now); {
	case e.Prevented:
		return badge{"tick", "Seen to", "good"}
	case left <= 0:
		return badge{"cross", "Has ended", "bad"}
	case left <= soon:
		return badge{"clock", "Ends soon", "wait"}
	}
	return badge{"clock", "Ends later", "rest"}
}

// endsSeen is what is known to end that a visitor may know of.
func (s *Server) endsSeen(ctx context.Context, by visitor, query string) ([]expiryView, error) {
	ends, err := s.ahead(ctx)
	if err != nil {
		return nil, err
	}
	var all []expiryView
	for _, e := range ends {
		v, err := s.expiryView(ctx, by, e, query)
		if err != nil {
			return nil, err
		}
		if len(v.Mailboxes) > 0 || by.IsAdmin() && len(e.Mailboxes) == 0 && has(query, e.Title, e.Words) {
			all = append(all, v)
		}
	}
	return all, nil
}

// endsOfMailbox is what is known to end with a mailbox, as its page shows it.
func (s *Server) endsOfMailbox(ctx context.Context, by visitor, id postroom.MailboxID) ([]expiryView, error) {
	ends, err := s.aheadLately(ctx)
	if err != nil {
		return nil, err
	}
	var all []expiryView
	for _, e := range ends {
		if !slices.Contains(e.Mailboxes, id) {
			continue
		}
		e.Mailboxes = nil // the page is about this one
		v, err := s.expiryView(ctx, by, e, "")
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// calmEnds says whether all of it is seen to, or far off.
func calmEnds(ends []expiryView) bool {
	return !slices.ContainsFunc(ends, func(v expiryView) bool { return v.Badge.Tone == "wait" || v.Badge.Tone == "bad" })
}

// isAnnounced says whether an expiry is a change that a provider has announced.
func isAnnounced(e postroom.Expiry) bool { return strings.HasPrefix(e.Key, "change:") }
