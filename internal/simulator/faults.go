package simulator

import (
	"maps"
	"slices"
	"strings"
)

// Faults say how connections go wrong; the zero value says that they do not. They
// are switched by Server.SetFaults and read at every step, so that they also reach
// connections that are open already.
type Faults struct {
	// RefuseLogin is the reply to every LOGIN and AUTHENTICATE, without its tag:
	// "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)". Further lines
	// before the last one are untagged responses, sent as they are.
	RefuseLogin string

	ByeAtGreeting string // the reason that follows "* BYE", in place of a greeting
	ByeAfterLogin string // the same, after a login that was accepted
	ByeInIdle     string // the same, as soon as a connection is in IDLE, or at once if it is

	// A connection ends after so many bytes from the server, TLS not counted; in
	// place of the k-th message text; or in the middle of that. Counting begins when
	// the faults begin to hold for the connection: when it opens, when it signs in to
	// an account that has faults of its own, or when they are set.
	CutAfterBytes int64
	CutAtFetch    int
	CutInLiteral  int

	// Silent swallows everything: commands are read and no byte is answered, as when
	// a router has forgotten the connection. A connection that was silent stays so.
	Silent bool
	// Ignore names commands that are read and never answered: "UID FETCH", "IDLE",
	// or "GREETING" for the greeting.
	Ignore []string

	BytesPerSecond   int  // 0: as fast as possible
	OneBytePerPacket bool // every byte is written by itself

	// OmitUIDs are messages whose text is left out of a FETCH, without a word;
	// RefuseUIDs are left out, and the command ends with NO. Both stay listed.
	OmitUIDs   []uint32
	RefuseUIDs []uint32

	// HideCapabilities are not announced, and what needs them is refused with BAD.
	HideCapabilities []string
	// Noise is lines to send before every message text and every tagged reply:
	// "* OK Still here", "* XYZZY (a b)".
	Noise []string
}

func (f *Faults) hides(capability string) bool {
	return slices.ContainsFunc(f.HideCapabilities, func(h string) bool { return strings.EqualFold(h, capability) })
}

// refuses says whether a command needs a capability that is hidden.
func (f *Faults) refuses(c command) bool {
	needed := c.name
	switch {
	case c.name == "UID EXPUNGE":
		needed = "UIDPLUS"
	case strings.HasSuffix(c.name, "SEARCH") && strings.HasPrefix(strings.ToUpper(c.rest), "RETURN"):
		needed = "ESEARCH"
	case c.name == "UID MOVE":
		needed = "MOVE"
	case c.name == "AUTHENTICATE":
		mechanism, _, _ := strings.Cut(c.rest, " ")
		needed = "AUTH=" + mechanism
	}
	return f.hides(needed)
}

// SetFaults makes an account's connections go wrong from now on; those of every
// account that has no faults of its own, and those that are not signed in yet,
// when user is empty. The zero Faults end it.
func (s *Server) SetFaults(user string, f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[user] = &f
	if user != "" && f.isZero() {
		delete(s.faults, user)
	}
	for w := range s.wires {
		s.group.Go(w.faultsChanged)
	}
}

func (f *Faults) isZero() bool {
	return f.RefuseLogin == "" && f.ByeAtGreeting == "" && f.ByeAfterLogin == "" && f.ByeInIdle == "" &&
		f.CutAfterBytes == 0 && f.CutAtFetch == 0 && f.CutInLiteral == 0 && !f.Silent && len(f.Ignore) == 0 &&
		f.BytesPerSecond == 0 && !f.OneBytePerPacket && len(f.OmitUIDs) == 0 && len(f.RefuseUIDs) == 0 &&
		len(f.HideCapabilities) == 0 && len(f.Noise) == 0
}

// faultsFor returns the faults of an account; user is empty before the login.
func (s *Server) faultsFor(user string) *Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.faults[user]; f != nil {
		return f
	}
	return s.faults[""]
}

// Counts are what an account's connections have done so far.
type Counts struct {
	Connections   int // ever opened; only for the server as a whole
	Open          int // open now
	Logins        int // accepted
	RefusedLogins int
	// Commands counts by name in capitals, with "UID " where that was said.
	Commands map[string]int
}

// Counts returns the counts of an account, or of the whole server when user is
// empty.
func (s *Server) Counts(user string) Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Counts{}
	if known := s.counts[user]; known != nil {
		c = *known
	}
	c.Commands = maps.Clone(c.Commands)
	for w := range s.wires {
		if user == "" || w.userName() == user {
			c.Open++
		}
	}
	return c
}

func (s *Server) count(user string, change func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range slices.Compact([]string{user, ""}) {
		c := s.counts[of]
		if c == nil {
			c = &Counts{Commands: map[string]int{}}
			s.counts[of] = c
		}
		change(c)
	}
}
