package simulator

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"
	"time"
)

// A hatch hands connections to package imapserver, which wants a listener.
type hatch struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

func newHatch() *hatch {
	return &hatch{connections: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *hatch) Accept() (net.Conn, error) {
	select {
	case c := <-h.connections:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *hatch) Close() error {
	h.close()
	return nil
}

func (h *hatch) close()         { h.once.Do(func() { close(h.closed) }) }
func (h *hatch) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// A pipeEnd is the end of a pipe that package imapserver holds. It knows its wire,
// and no deadlines, which are the wire's affair: a slow fault may take long.
type pipeEnd struct {
	net.Conn
	wire *wire
}

func (*pipeEnd) SetDeadline(time.Time) error      { return nil }
func (*pipeEnd) SetReadDeadline(time.Time) error  { return nil }
func (*pipeEnd) SetWriteDeadline(time.Time) error { return nil }

func trusting(a *Authority) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}
}
