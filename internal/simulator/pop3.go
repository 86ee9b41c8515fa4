package simulator

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// POP3Options say what kind of POP3 server it is. On a provider with
// [Options].Gmail it is that of Gmail.
type POP3Options struct {
	TLS        postroom.TLSPolicy // empty: none. With starttls, a login before STLS is refused
	Listen     string             // empty: "127.0.0.1:0"
	Mechanisms []string           // of AUTH; empty: PLAIN
	APOP       bool               // the greeting has a timestamp, with which APOP signs in (RFC 1939 section 7)
	// Shared lets several sessions into one account at once; otherwise the second is
	// refused with [IN-USE].
	Shared bool
}

// A POP3Server gives the INBOX of the accounts by POP3 (RFC 1939, RFC 2449).
type POP3Server struct {
	port

	provider *Server
	options  POP3Options

	state    sync.Mutex // guards what follows
	sessions int        // ever begun
	locked   map[*account]bool
	entered  map[*account]time.Time // the last login
	said     []POP3Command
}

// StartPOP3 opens a POP3 server for the accounts of the provider, with which it
// closes.
func (s *Server) StartPOP3(o POP3Options) (*POP3Server, error) {
	if len(o.Mechanisms) == 0 {
		o.Mechanisms = []string{"PLAIN"}
	}
	p := &POP3Server{provider: s, options: o, locked: map[*account]bool{}, entered: map[*account]time.Time{}}
	p.talk = p.session
	if err := s.add(&p.port, o.Listen); err != nil {
		return nil, err
	}
	return p, nil
}

// A POP3Command is something that a client has said.
type POP3Command struct {
	Session  int    // connections counted from 1
	User     string // empty: before a login was tried
	Name     string // "RETR"
	Argument string // "3"; empty with PASS, APOP and AUTH
	// UID is that by IMAP of the message that the argument names; 0: none.
	UID uint32
}

func (c POP3Command) String() string { return strings.TrimSpace(c.Name + " " + c.Argument) }

// Said returns what clients have said to an account, or to all when user is empty:
// the last 100,000 commands.
func (p *POP3Server) Said(user string) []POP3Command {
	p.state.Lock()
	defer p.state.Unlock()
	return slices.DeleteFunc(slices.Clone(p.said), func(c POP3Command) bool { return user != "" && c.User != user })
}

func (p *POP3Server) note(c POP3Command) {
	const most = 100_000
	p.count(c.User, func(n *Counts) { n.Commands[c.Name]++ })
	p.state.Lock()
	defer p.state.Unlock()
	if len(p.said) >= 2*most {
		p.said = slices.Clone(p.said[most:])
	}
	p.said = append(p.said, c)
}

// session serves one connection.
func (p *POP3Server) session(c *call) {
	if p.options.TLS == postroom.TLSImplicit {
		if err := c.secure(); err != nil {
			return
		}
	}
	p.state.Lock()
	p.sessions++
	number := p.sessions
	p.state.Unlock()
	s := &popSession{server: p, number: number}
	s.login = lineLogin{call: c, store: &p.provider.store, protocol: postroom.POP3, mechanisms: p.options.Mechanisms, gmail: p.provider.options.Gmail}
	s.dialogue = dialogue{call: c, in: bufio.NewReaderSize(c.connection(), 512), carryOut: s.carryOut, note: s.note}
	defer s.leave()
	f := c.faults()
	greeting := "+OK Pretend POP3 server ready"
	if p.provider.options.Gmail {
		greeting = "+OK Gpop ready for requests from 127.0.0.1 " + fmt.Sprintf("%08x", number)
	}
	if p.options.APOP {
		s.stamp = fmt.Sprintf("<%d.%d@pretend.example.net>", number, time.Now().UnixNano())
		greeting += " " + s.stamp
	}
	s.run(greeting, "-ERR "+f.tooMany(), "-ERR "+f.ByeAtGreeting)
}
