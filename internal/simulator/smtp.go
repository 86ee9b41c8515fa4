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

// SMTPOptions say what kind of SMTP server it is.
type SMTPOptions struct {
	TLS        postroom.TLSPolicy // empty: none. With starttls, a login before it is refused
	Listen     string             // empty: "127.0.0.1:0"
	Mechanisms []string           // of AUTH; empty: PLAIN and LOGIN
	MaxSize    int64              // bytes of a message, announced as SIZE; 0: 25 MB
}

// An SMTPServer takes messages from the accounts of a provider (RFC 6409) and
// delivers those that are for one of them.
type SMTPServer struct {
	port

	provider *Server
	options  SMTPOptions

	state    sync.Mutex // guards what follows
	accepted []Accepted
}

// Accepted is a message that the server took.
type Accepted struct {
	User string // who was signed in
	From string // of the envelope, as To
	To   []string
	Raw  []byte // as it was handed over
}

// StartSMTP opens an SMTP server for the accounts of the provider, with which it
// closes.
func (s *Server) StartSMTP(o SMTPOptions) (*SMTPServer, error) {
	if len(o.Mechanisms) == 0 {
		o.Mechanisms = []string{"PLAIN", "LOGIN"}
	}
	if o.MaxSize == 0 {
		o.MaxSize = 25 << 20
	}
	p := &SMTPServer{provider: s, options: o}
	p.talk = p.session
	if err := s.add(&p.port, o.Listen); err != nil {
		return nil, err
	}
	return p, nil
}

// Accepted returns the last 1,000 messages that were taken, also those whose sender
// was not told so.
func (p *SMTPServer) Accepted() []Accepted {
	p.state.Lock()
	defer p.state.Unlock()
	return slices.Clone(p.accepted)
}

// accept keeps a message, and delivers it to the accounts among its recipients.
func (p *SMTPServer) accept(m Accepted) error {
	const most = 1000
	p.state.Lock()
	if len(p.accepted) >= most {
		p.accepted = slices.Clone(p.accepted[1:])
	}
	p.accepted = append(p.accepted, m)
	p.state.Unlock()
	now := time.Now()
	for _, to := range m.To {
		account, known := p.provider.accountOf(to)
		if !known {
			continue
		}
		trace := fmt.Sprintf("Return-Path: <%s>\r\nReceived: from client by pretend.example.net (Postroom simulator) with ESMTPSA for <%s>;\r\n\t%s\r\n",
			m.From, to, now.Format(time.RFC1123Z))
		if _, err := p.provider.Append(account, inbox, append([]byte(trace), m.Raw...), now); err != nil {
			return err
		}
	}
	if p.provider.options.Gmail {
		_, err := p.provider.Append(m.User, gmailSent, m.Raw, now)
		return err
	}
	return nil
}

// accountOf finds the account of an address.
func (s *Server) accountOf(address string) (user string, ok bool) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	for name := range s.store.accounts {
		if strings.EqualFold(name, address) {
			return name, true
		}
	}
	return "", false
}

// session serves one connection.
func (p *SMTPServer) session(c *call) {
	if p.options.TLS == postroom.TLSImplicit {
		if err := c.secure(); err != nil {
			return
		}
	}
	s := &smtpSession{server: p}
	s.login = lineLogin{call: c, store: &p.provider.store, protocol: postroom.SMTP, mechanisms: p.options.Mechanisms, gmail: p.provider.options.Gmail}
	s.dialogue = dialogue{call: c, in: bufio.NewReaderSize(c.connection(), 4<<10), carryOut: s.carryOut, note: s.note}
	f := c.faults()
	s.run("220 pretend.example.net ESMTP Postroom simulator", "421 4.7.0 "+f.tooMany(), f.ByeAtGreeting)
}
