package web

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

const (
	// announcedLasts is how long it is taken for granted which mailboxes an announced
	// change concerns. It takes reading the settings of all of them.
	announcedLasts = time.Minute
	// announcedBanner is how long before its day a change stands above every page of
	// administrators. Until then it stands with the mailboxes and their health.
	announcedBanner = 60 * 24 * time.Hour
)

// An announcement is a change that a provider has announced, and the mailboxes that
// it concerns.
type announcement struct {
	provider.Change
	Mailboxes []postroom.Mailbox
}

// announced remembers what has been announced for the mailboxes that are here.
type announced struct {
	mu   sync.Mutex
	at   time.Time // when it was looked up; zero: never
	list []announcement
}

// announcements returns what has been announced for the mailboxes that are here, the
// next one first.
func (s *Server) announcements(ctx context.Context) ([]announcement, error) {
	now := s.now()
	s.announced.mu.Lock()
	defer s.announced.mu.Unlock()
	if age := now.Sub(s.announced.at); !s.announced.at.IsZero() && age >= 0 && age < announcedLasts {
		return s.announced.list, nil
	}
	openings, err := s.Reader.Openings(ctx)
	if err != nil {
		return nil, err
	}
	places := make(map[string]int)
	var list []announcement
	for _, o := range openings {
		for _, change := range s.Presets.ChangesFor(o.Mailbox, o.Kind, now) {
			key := change.On.String() + change.Short
			at, known := places[key]
			if !known {
				at = len(list)
				places[key] = at
				list = append(list, announcement{Change: change})
			}
			list[at].Mailboxes = append(list[at].Mailboxes, o.Mailbox)
		}
	}
	slices.SortStableFunc(list, func(a, b announcement) int { return a.On.Compare(b.On) })
	s.announced.at, s.announced.list = now, list
	return list, nil
}

// notice is the next change that is near, for the top of every page. It is nil where
// there is none, and as long as nobody has looked.
func (a *announced) notice(now time.Time) *Notice {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.list {
		if one.On.Sub(now) > announcedBanner || now.After(one.On) {
			continue
		}
		address := "/health#announced"
		if len(one.Mailboxes) == 1 {
			address = "/mailboxes/" + one.Mailboxes[0].ID.String() + "#announced"
		}
		return &Notice{
			Sentence: dayOf(one.On) + ": " + asSentence(one.Short), Remedy: "It concerns " + mailboxCount(int64(len(one.Mailboxes))) + " here.",
			Address: address, Button: "What to do", Ahead: true,
		}
	}
	return nil
}

// lookAhead sees to it that the pages of an administrator know what is announced.
func (s *Server) lookAhead(ctx context.Context, by visitor) {
	if !by.IsAdmin() {
		return
	}
	if _, err := s.announcements(ctx); err != nil && ctx.Err() == nil {
		s.log().WarnContext(ctx, "announced changes not looked up", "err", err)
	}
}

// A changeView is an announced change as a page shows it.
type changeView struct {
	Title  string // what ends, and whose it is
	Day    string
	Left   string // how long it is until then
	Words  string
	Remedy string
	Past   bool

	Source, SourceWords, SourceHost string

	Mailboxes []mailboxRow
	More      int64 // how many are not shown
}

// maxNamed is how many mailboxes are named with one cause.
const maxNamed = 100

func (s *Server) changeView(c provider.Change) changeView {
	v := changeView{Title: asSentence(c.Short), Day: dayOf(c.On), Words: c.Words, Remedy: c.Remedy, Past: s.now().After(c.On)}
	v.Source, v.SourceWords, v.SourceHost = outside(postroom.Link{Words: "What the provider says", URL: c.Source})
	switch days := int64(c.On.Sub(s.now().Truncate(24*time.Hour)).Hours() / 24); {
	case v.Past:
		v.Left = "since then"
	case days == 0:
		v.Left = "today"
	case days == 1:
		v.Left = "tomorrow"
	default:
		v.Left = "in " + plural(days, "day")
	}
	return v
}

// changesOf are the changes that a mailbox has ahead, as its page shows them.
func (s *Server) changesOf(ctx context.Context, id postroom.MailboxID) ([]changeView, error) {
	list, err := s.announcements(ctx)
	if err != nil {
		return nil, err
	}
	var all []changeView
	for _, one := range list {
		if slices.ContainsFunc(one.Mailboxes, func(m postroom.Mailbox) bool { return m.ID == id }) {
			all = append(all, s.changeView(one.Change))
		}
	}
	return all, nil
}

// changesSeen are all announced changes with the mailboxes of them that a visitor may
// know of, and that fit a search.
func (s *Server) changesSeen(ctx context.Context, by visitor, query string) ([]changeView, error) {
	list, err := s.announcements(ctx)
	if err != nil {
		return nil, err
	}
	var all []changeView
	for _, one := range list {
		v := s.changeView(one.Change)
		fits := has(query, one.Short, one.Words)
		seen := int64(0)
		for _, m := range one.Mailboxes {
			if !by.IsAdmin() && !by.CanSeeMail(m) || !fits && !has(query, m.Name, m.Address) {
				continue
			}
			if seen++; seen > maxNamed {
				continue
			}
			m, err := s.seenMailbox(ctx, by, m.ID) // who may know of it may have changed since it was looked up
			switch {
			case err == nil:
				v.Mailboxes = append(v.Mailboxes, s.mailboxRow(m))
			case postroom.KindOf(err) == postroom.NotFound:
				seen--
			default:
				return nil, err
			}
		}
		if seen > 0 {
			v.More = max(seen-maxNamed, 0)
			all = append(all, v)
		}
	}
	return all, nil
}

// has says whether one of the texts holds every word of a search.
func has(query string, texts ...string) bool {
	if query == "" {
		return true
	}
	all := strings.ToLower(strings.Join(texts, "\n"))
	for word := range strings.FieldsSeq(strings.ToLower(query)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}

func dayOf(at time.Time) string { return at.UTC().Format("2 January 2006") }
