package simulator

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Faults say how connections go wrong; the zero value says that they do not. They
// are switched by SetFaults of the server that they are for, and read at every
// step, so that they also reach connections that are open already. Commands are
// named in capitals as in [Counts]: "UID FETCH", "RETR", and "." for the end of a
// message that is handed over by SMTP.
type Faults struct {
	// RefuseLogin is the reply to every login, without a tag:
	// "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)" by IMAP, "-ERR [AUTH]
	// Username and password not accepted." by POP3, "535 5.7.8 Error" by SMTP. Further
	// lines before the last one are sent as they are. After "* BYE …" and after "421 …"
	// the connection ends.
	RefuseLogin string
	// Challenge is the reason that the mechanisms of OAuth give before they refuse, as
	// JSON (RFC 7628 section 3.2.2); empty: Google's, and none before RefuseLogin.
	Challenge string

	// MaxConnections are served at once; more are greeted with TooMany. It counts in
	// the faults of all. MaxPerAccount are signed in to one account at once; a further
	// login is refused with TooMany.
	MaxConnections, MaxPerAccount int
	TooMany                       string // empty: Gmail's words

	ByeAtGreeting string // the reason that follows "* BYE" or "-ERR" in place of a greeting; by SMTP the whole line
	ByeAfterLogin string // IMAP: the same, after a login that was accepted
	ByeInIdle     string // the same, as soon as a connection is in IDLE, or at once if it is

	// A connection ends after so many bytes from the server, TLS not counted; in
	// place of the k-th message text; or in the middle of that. Counting begins when
	// the faults begin to hold for the connection: when it opens, when it signs in to
	// an account that has faults of its own, or when they are set.
	CutAfterBytes int64
	CutAtFetch    int
	CutInLiteral  int

	// CutBefore are commands at which the connection ends before they are carried
	// out, CutAfter those that are carried out and at whose answer it ends, EndAfter
	// those after whose answer it ends.
	CutBefore, CutAfter, EndAfter []string

	// Silent swallows everything: commands are read and no byte is answered, as when
	// a router has forgotten the connection. A connection that was silent stays so.
	Silent bool
	// Ignore names commands that are read and never answered: "UID FETCH", "IDLE",
	// or "GREETING" for the greeting.
	Ignore []string
	// Replies are what is answered instead of carrying a command out, without a tag:
	// "CREATE": "NO [CANNOT] Not here", and "GREETING" in place of the greeting. By POP3
	// and SMTP also for one argument: "RETR 2": "-ERR [SYS/PERM] Could not read message
	// file". After "* BYE …" as the last line and after "421 …" the connection ends.
	Replies map[string]string
	// Pause is how long the server thinks before it carries a command out.
	Pause map[string]time.Duration

	BytesPerSecond   int  // 0: as fast as possible
	OneBytePerPacket bool // every byte is written by itself
	Garbage          bool // every byte is another one

	// OmitUIDs are messages whose text is left out of a FETCH, without a word, and
	// empty by POP3; RefuseUIDs are left out, and the command ends with NO or -ERR.
	// Both stay listed.
	OmitUIDs   []uint32
	RefuseUIDs []uint32

	// HideCapabilities are not announced, and what needs them is refused with BAD,
	// -ERR or 502: "MOVE", "UIDPLUS", "UIDL", "TOP", "STLS", "CAPA", "STARTTLS".
	HideCapabilities []string
	// Noise is lines to send before every message text and every tagged reply:
	// "* OK Still here", "* XYZZY (a b)". Only by IMAP.
	Noise []string

	POP3 POP3Faults
	SMTP SMTPFaults
}

func (f *Faults) hides(capability string) bool {
	return slices.ContainsFunc(f.HideCapabilities, func(h string) bool { return strings.EqualFold(h, capability) })
}

// refuses says whether a command of IMAP needs a capability that is hidden.
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

// challenge is the reason that OAuth's mechanisms give; empty: none.
func (f *Faults) challenge() string {
	if f.Challenge != "" || f.RefuseLogin != "" {
		return f.Challenge
	}
	return `{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`
}

// names says whether a command is among commands.
func names(commands []string, name string) bool {
	return slices.ContainsFunc(commands, func(c string) bool { return strings.EqualFold(c, name) })
}

// tooMany is what a connection or a login too many is told.
func (f *Faults) tooMany() string {
	if f.TooMany != "" {
		return f.TooMany
	}
	return "[ALERT] Too many simultaneous connections. (Failure)"
}

// SetFaults makes an account's connections go wrong from now on; those of every
// account that has no faults of its own, and those that are not signed in yet,
// when user is empty. The zero Faults end it.
func (p *port) SetFaults(user string, f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[user] = &f
	if user != "" && reflect.ValueOf(f).IsZero() {
		delete(p.faults, user)
	}
	for c := range p.calls {
		p.group.Go(c.faultsChanged)
	}
}

// faultsFor returns the faults of an account; user is empty before the login.
func (p *port) faultsFor(user string) *Faults {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.faults[user]; f != nil {
		return f
	}
	return p.faults[""]
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
func (p *port) Counts(user string) Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := Counts{}
	if known := p.counts[user]; known != nil {
		n = *known
	}
	n.Commands = maps.Clone(n.Commands)
	for c := range p.calls {
		if user == "" || c.userName() == user {
			n.Open++
		}
	}
	return n
}

func (p *port) count(user string, change func(*Counts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, of := range slices.Compact([]string{user, ""}) {
		n := p.counts[of]
		if n == nil {
			n = &Counts{Commands: map[string]int{}}
			p.counts[of] = n
		}
		change(n)
	}
}
