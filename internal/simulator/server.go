package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/postroom/postroom"
)

// Options say what kind of provider this is. The zero value speaks plain IMAP on a
// free loopback port.
type Options struct {
	TLS         postroom.TLSPolicy // empty: none. With starttls, a login before it is refused
	Listen      string             // empty: "127.0.0.1:0"
	InMemory    bool               // no port at all: connections come from Dial only
	Authority   *Authority         // signs the certificate; nil: a new one
	Certificate *tls.Certificate   // nil: one for localhost and the loopback addresses
	Mechanisms  []string           // of SASL; empty: PLAIN
	Rev2        bool               // announces IMAP4rev2 too
	Gmail       bool               // gives every message an X-GM-MSGID (X-GM-EXT-1)
	RequireID   bool               // refuses SELECT and EXAMINE before ID, as 163.com does
	Log         *slog.Logger       // for what package imapserver complains about; nil: nowhere
}

// A Server is a running IMAP server.
type Server struct {
	Host  string // 127.0.0.1, unless another was asked for
	Port  int    // 0 with InMemory
	CAPEM string // the authority that signed its certificate

	options  Options
	tls      *tls.Config
	listener net.Listener // nil with InMemory
	inner    *imapserver.Server
	hatch    *hatch
	store    store
	group    sync.WaitGroup // everything that was started

	mu     sync.Mutex // guards what follows
	closed bool
	wires  map[*wire]bool
	faults map[string]*Faults // by account; "" for all
	counts map[string]*Counts // by account; "" for all
}

// Start starts a server, which stops by Close.
func Start(o Options) (*Server, error) {
	if o.Authority == nil {
		authority, err := NewAuthority()
		if err != nil {
			return nil, err
		}
		o.Authority = authority
	}
	if o.Certificate == nil {
		certificate, err := o.Authority.Certificate()
		if err != nil {
			return nil, err
		}
		o.Certificate = &certificate
	}
	if len(o.Mechanisms) == 0 {
		o.Mechanisms = []string{"PLAIN"}
	}
	s := &Server{
		options: o, CAPEM: o.Authority.PEM,
		tls:    &tls.Config{Certificates: []tls.Certificate{*o.Certificate}},
		hatch:  newHatch(),
		store:  store{accounts: map[string]*account{}},
		wires:  map[*wire]bool{},
		faults: map[string]*Faults{"": {}},
		counts: map[string]*Counts{},
	}
	s.inner = imapserver.New(&imapserver.Options{
		NewSession: s.newSession, Caps: capabilities(o), Logger: complaints{o.Log}, InsecureAuth: true,
	})
	if !o.InMemory {
		if err := s.listen(); err != nil {
			return nil, err
		}
		s.group.Go(s.accept)
	}
	s.group.Go(func() { _ = s.inner.Serve(s.hatch) }) // it ends when the hatch closes
	return s, nil
}

func (s *Server) listen() error {
	address := s.options.Listen
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for a pretend provider: %w", err)
	}
	bound := listener.Addr().(*net.TCPAddr)
	s.listener, s.Host, s.Port = listener, bound.IP.String(), bound.Port
	return nil
}

// Address is the host and the port.
func (s *Server) Address() string { return net.JoinHostPort(s.Host, fmt.Sprint(s.Port)) }

// TLSConfig is what a client of this server needs.
func (s *Server) TLSConfig() *tls.Config { return trusting(s.options.Authority) }

func (s *Server) accept() {
	for {
		connection, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		if err := s.serve(connection); err != nil {
			_ = connection.Close() // it came while we close
		}
	}
}

var errClosed = errors.New("the pretend provider is closed")

// Dial connects without a port, over a pipe in memory, whatever the address says.
// It has the form of net.Dialer.DialContext and works in testing/synctest when the
// server was started with InMemory.
func (s *Server) Dial(_ context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	if err := s.serve(server); err != nil {
		return nil, errors.Join(err, client.Close(), server.Close())
	}
	return client, nil
}

// serve takes a connection over.
func (s *Server) serve(connection net.Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	w := newWire(s, connection)
	s.wires[w] = true
	s.group.Go(func() {
		s.count("", func(c *Counts) { c.Connections++ })
		w.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.wires, w)
	})
	return nil
}

// Disconnect cuts all connections of an account, or all when user is empty.
func (s *Server) Disconnect(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.wires {
		if user == "" || w.userName() == user {
			w.cut()
		}
	}
}

// Close stops the server, cuts its connections and waits until nothing of it runs.
func (s *Server) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	var err error
	if s.listener != nil {
		err = s.listener.Close()
	}
	s.Disconnect("")
	s.hatch.close()
	s.group.Wait()
	return err
}

func (s *Server) newSession(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	w := c.NetConn().(*pipeEnd).wire
	w.mu.Lock()
	defer w.mu.Unlock()
	w.session = &session{store: &s.store, wire: w}
	return w.session, &imapserver.GreetingData{}, nil
}

func capabilities(o Options) imap.CapSet {
	set := imap.CapSet{}
	for _, c := range []imap.Cap{imap.CapIMAP4rev1, imap.CapNamespace, imap.CapUIDPlus, imap.CapESearch,
		imap.CapListExtended, imap.CapListStatus, imap.CapMove, imap.CapSpecialUse, imap.CapLiteralPlus} {
		set[c] = struct{}{}
	}
	if o.Rev2 {
		set[imap.CapIMAP4rev2] = struct{}{}
	}
	return set
}

// complaints gives what package imapserver logs to slog.
type complaints struct{ log *slog.Logger }

func (c complaints) Printf(format string, args ...any) {
	if c.log != nil {
		c.log.Debug("pretend IMAP server", "says", fmt.Sprintf(format, args...))
	}
}
