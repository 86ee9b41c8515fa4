package simulator

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
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
	Gmail       bool               // has Gmail's folders, X-GM-MSGID (X-GM-EXT-1) and ways with deleted mail
	Namespace   string             // what personal folders other than INBOX begin with: "INBOX."; its last byte divides levels. Empty: nothing, and "/"
	RequireID   bool               // refuses SELECT and EXAMINE before ID, as 163.com does
	Log         *slog.Logger       // for what package imapserver complains about; nil: nowhere
}

// A Server is a running provider: the accounts, and the IMAP server through which
// they are read. [Server.StartPOP3] and [Server.StartSMTP] add others.
type Server struct {
	port

	options Options
	inner   *imapserver.Server
	hatch   *hatch
	store   store

	others struct {
		sync.Mutex
		ports []*port // of POP3 and SMTP
	}
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
	s := &Server{options: o, hatch: newHatch(), store: store{accounts: map[string]*account{}}}
	s.CAPEM, s.authority = o.Authority.PEM, o.Authority
	s.tls = &tls.Config{
		Certificates:     []tls.Certificate{*o.Certificate},
		CurvePreferences: []tls.CurveID{tls.X25519}, // the cheapest, for tests open thousands of connections
	}
	s.inner = imapserver.New(&imapserver.Options{
		NewSession: s.newSession, Caps: capabilities(o), Logger: complaints{o.Log}, InsecureAuth: true,
	})
	s.talk = func(c *call) { newWire(s, c).run() }
	if err := s.open(o.Listen, o.InMemory); err != nil {
		return nil, err
	}
	s.group.Go(func() { _ = s.inner.Serve(s.hatch) }) // it ends when the hatch closes
	return s, nil
}

// add opens a further port of the provider, with its certificate.
func (s *Server) add(p *port, listen string) error {
	s.others.Lock()
	defer s.others.Unlock()
	p.CAPEM, p.authority, p.tls = s.CAPEM, s.authority, s.tls
	if err := p.open(listen, s.options.InMemory); err != nil {
		return err
	}
	s.others.ports = append(s.others.ports, p)
	return nil
}

// Close stops the server and the others of the provider, cuts their connections
// and waits until nothing of them runs.
func (s *Server) Close() error {
	s.others.Lock()
	defer s.others.Unlock()
	var errs []error
	all := append([]*port{&s.port}, s.others.ports...)
	for _, p := range all {
		errs = append(errs, p.shut())
	}
	s.hatch.close()
	s.store.mu.Lock()
	signIns := s.store.oauth
	s.store.mu.Unlock()
	for _, p := range signIns {
		errs = append(errs, p.Close())
	}
	for _, p := range all {
		p.group.Wait()
	}
	return errors.Join(errs...)
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
