package work

import (
	"context"
	"sync"
	"time"
)

// Seats limit how many things are held at once for a key, once it is known how
// many there may be: the connections that a server takes from one address. Until
// then everybody is seated at once. Those who are seated for long make room for
// those who wait: they ask MakeRoom from time to time.
//
// The zero Seats are ready. Their fields are not changed after the first Take.
type Seats struct {
	// Hold is how long whoever is seated may stay while others wait; 0: 15 seconds.
	Hold time.Duration
	// Probe is after how long one more than the limit is tried, when somebody
	// waits; each time that this was too many, the pause doubles. 0: ten minutes.
	Probe time.Duration

	mu     sync.Mutex
	tables map[string]*table
}

// A table is the seats of one key.
type table struct {
	places          // limit 0: not known
	seated  []*Seat // who came first stands first
	served  int     // of those seated
	probe   time.Duration
	movedAt time.Time // the limit
	users   int       // seated or waiting
}

// A Seat is held until Leave.
type Seat struct {
	seats *Seats
	key   string
	table *table
	since time.Time
	// served: what the seat is for has been had, so that it counts among those which
	// the other side is known to grant.
	served, left bool
}

const (
	defaultHold  = 15 * time.Second
	defaultProbe = 10 * time.Minute
	longestProbe = 6 * time.Hour
)

// Take waits for a seat, in the order in which they come. When ctx ends first, its error is
// returned.
func (s *Seats) Take(ctx context.Context, key string) (*Seat, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	t := s.table(key)
	t.users++
	if t.limit == 0 {
		t.taken++
		defer s.mu.Unlock()
		return s.seat(key, t), nil
	}
	w := t.ask(0)
	if w != nil && time.Since(t.movedAt) > t.probe { // perhaps there is room for one more by now
		t.limit, t.movedAt = t.limit+1, time.Now()
		t.admit()
	}
	s.mu.Unlock()
	if w != nil {
		select {
		case <-w.ready:
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			t.withdraw(w)
			s.part(key, t)
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seat(key, t), nil
}

func (s *Seats) table(key string) *table {
	if s.tables == nil {
		s.tables = map[string]*table{}
	}
	t := s.tables[key]
	if t == nil {
		t = &table{}
		s.tables[key] = t
	}
	return t
}

func (s *Seats) seat(key string, t *table) *Seat {
	seat := &Seat{seats: s, key: key, table: t, since: time.Now()}
	t.seated = append(t.seated, seat)
	return seat
}

// part counts one user less. A table whose limit is known is kept.
func (s *Seats) part(key string, t *table) {
	if t.users--; t.users == 0 && t.limit == 0 {
		delete(s.tables, key)
	}
}

// Served is how many of those seated for a key have what they came for.
func (s *Seats) Served(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tables[key]; t != nil {
		return t.served
	}
	return 0
}

// IsLimited says whether it is known how many seats there are for a key.
func (s *Seats) IsLimited(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[key]
	return t != nil && t.limit != 0
}

// Learn says that one more than are served now was too many for a key: the seat
// that is given. One can always be seated.
func (s *Seats) Learn(refused *Seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := refused.table
	others := t.served
	switch {
	case t.limit == 0:
		t.probe = s.Probe
		if t.probe == 0 {
			t.probe = defaultProbe
		}
	case others < t.limit: // it was tried, and was too much
		t.probe = min(2*t.probe, longestProbe)
	}
	if t.limit == 0 || others < t.limit {
		t.limit = max(1, others)
	}
	t.movedAt = time.Now()
}

// Serve says that what the seat is for has been had.
func (seat *Seat) Serve() {
	seat.seats.mu.Lock()
	defer seat.seats.mu.Unlock()
	if !seat.served && !seat.left {
		seat.served = true
		seat.table.served++
	}
}

// Leave gives the seat up. Leaving again does nothing.
func (seat *Seat) Leave() {
	s := seat.seats
	s.mu.Lock()
	defer s.mu.Unlock()
	if seat.left {
		return
	}
	seat.left = true
	t := seat.table
	if seat.served {
		t.served--
	}
	for i, other := range t.seated {
		if other == seat {
			t.seated = append(t.seated[:i], t.seated[i+1:]...)
			break
		}
	}
	if t.limit == 0 {
		t.taken--
	} else {
		t.give()
	}
	s.part(seat.key, t)
}

// Until returns when whoever is seated should ask MakeRoom; ok is false where
// there is room for everybody.
func (seat *Seat) Until() (at time.Time, ok bool) {
	s := seat.seats
	s.mu.Lock()
	defer s.mu.Unlock()
	if seat.table.limit == 0 {
		return time.Time{}, false
	}
	hold := s.hold()
	at = seat.since.Add(hold)
	if now := time.Now(); at.Before(now) {
		at = now.Add(hold)
	}
	return at, true
}

// MakeRoom says whether the seat should be given up now: others wait, and it is
// among those that have been held for longest, one for each who waits.
func (seat *Seat) MakeRoom() bool {
	s := seat.seats
	s.mu.Lock()
	defer s.mu.Unlock()
	t := seat.table
	if time.Since(seat.since) < s.hold() {
		return false
	}
	for _, longest := range t.seated[:min(len(t.waiting), len(t.seated))] {
		if longest == seat {
			return true
		}
	}
	return false
}

func (s *Seats) hold() time.Duration {
	if s.Hold == 0 {
		return defaultHold
	}
	return s.Hold
}
