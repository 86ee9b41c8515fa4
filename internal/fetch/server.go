package fetch

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// servers are what this node has learned of mail servers from all the mailboxes
// that it reads there. It is forgotten with the process: it is learned anew soon.
type servers struct {
	mu    sync.Mutex
	known map[string]*server // by address
}

// A server is what happened lately at one mail server.
type server struct {
	refused map[postroom.MailboxID]time.Time // a password that had worked was refused
	let     map[postroom.MailboxID]time.Time // a mailbox was opened
	full    []fullAt                         // it took no further connection
}

// A fullAt is a connection that a server did not take any more.
type fullAt struct {
	mailbox postroom.MailboxID
	at      time.Time
}

const (
	// lately is how close together refusals of several mailboxes must come to be
	// the server's and not theirs.
	lately = 10 * time.Minute
	// several is how many mailboxes that must be.
	several = 3
	// maxServerTries is how often a mailbox may be refused for its server's sake: by
	// the pauses between tries, seven hours. Then it is the password after all.
	maxServerTries = 5
)

func (s *servers) at(address string) *server {
	if s.known == nil {
		s.known = make(map[string]*server)
	}
	known := s.known[address]
	if known == nil {
		known = &server{refused: map[postroom.MailboxID]time.Time{}, let: map[postroom.MailboxID]time.Time{}}
		s.known[address] = known
	}
	return known
}

// opened notes that a server let a mailbox in.
func (s *servers) opened(address string, id postroom.MailboxID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.known[address]
	if known == nil {
		return // nothing is wrong there
	}
	delete(known.refused, id)
	known.let[id] = now
	known.forget(now)
	if len(known.refused) == 0 && len(known.full) == 0 {
		delete(s.known, address)
	}
}

// refusedPassword notes that a server refused a password that had worked before.
func (s *servers) refusedPassword(address string, id postroom.MailboxID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.at(address)
	delete(known.let, id)
	known.refused[id] = now
}

// inTrouble says whether the refusals of a server are its own trouble: several
// mailboxes have been refused lately, and more than were let in. refused is how
// many.
func (s *servers) inTrouble(address string, now time.Time) (refused int, trouble bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.known[address]
	if known == nil {
		return 0, false
	}
	known.forget(now)
	refused = len(known.refused)
	return refused, refused >= several && refused > len(known.let)
}

// refusedAt are the mailboxes whose passwords a server has refused lately.
func (s *servers) refusedAt(address string) []postroom.MailboxID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[address]; known != nil {
		return slices.Collect(maps.Keys(known.refused))
	}
	return nil
}

// isFull notes that a server took no further connection for a mailbox while this
// node has so many others there, and says whether that is now known to be all that
// it takes: one refusal may be for a mailbox's own sake, when its owner has many
// programs running. refused are those that it concerned.
func (s *servers) isFull(address string, id postroom.MailboxID, others int, now time.Time) (refused []postroom.MailboxID, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.at(address)
	known.forget(now)
	known.full = append(known.full, fullAt{id, now})
	if others == 0 || len(known.full) < max(several, others/10) {
		return nil, false
	}
	for _, f := range known.full {
		refused = append(refused, f.mailbox)
	}
	known.full = nil
	return refused, true
}

// forget drops what is no longer lately.
func (k *server) forget(now time.Time) {
	old := func(_ postroom.MailboxID, at time.Time) bool { return now.Sub(at) > lately }
	maps.DeleteFunc(k.refused, old)
	maps.DeleteFunc(k.let, old)
	for len(k.full) > 0 && now.Sub(k.full[0].at) > lately {
		k.full = k.full[1:]
	}
}

// serverRefuses is the Fault for a server that refuses the passwords of several
// mailboxes at once. refusal is what it means for this one alone; the pauses are
// those of a refused password, since too many tries lock accounts.
func (r *reader) serverRefuses(mailboxes int, refusal *postroom.Fault) *postroom.Fault {
	what, remedy := "passwords", "If passwords were changed for all of these mailboxes, enter the new ones."
	if r.login.isOAuth() {
		what, remedy = "sign-ins", "If access was taken away from all of these mailboxes, their administrator has to allow it again."
	}
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.ServerBusy, FixBy: postroom.FixByWaiting,
		Explanation: fmt.Sprintf("%s has refused the %s of %d mailboxes within a few minutes, all of which worked before. Most likely the server itself is in trouble.", r.m.Incoming.Host, what, mailboxes),
		Remedy:      "Nothing has to be done now: Postroom keeps trying and reads on by itself. " + remedy,
		RetryAfter:  refusedPause(r.failures),
		Reply:       refusal.Reply,
		Err:         refusal,
	}
}
