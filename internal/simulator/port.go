package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
)

// A port takes the connections of one protocol and remembers what they did. Its
// faults are its own.
type port struct {
	Host  string // 127.0.0.1, unless another was asked for
	Port  int    // 0 without a listener
	CAPEM string // the authority that signed its certificate

	authority *Authority
	tls       *tls.Config
	listener  net.Listener // nil in memory
	talk      func(*call)  // serves one connection to its end
	group     sync.WaitGroup

	mu     sync.Mutex // guards what follows
	closed bool
	calls  map[*call]bool
	faults map[string]*Faults // by account; "" for all
	counts map[string]*Counts // by account; "" for all
}

// open begins to take connections, from the network unless in memory. An empty
// address is a free port of 127.0.0.1.
func (p *port) open(address string, inMemory bool) error {
	p.calls, p.counts = map[*call]bool{}, map[string]*Counts{}
	p.faults = map[string]*Faults{"": {}}
	if inMemory {
		return nil
	}
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for a pretend provider: %w", err)
	}
	bound := listener.Addr().(*net.TCPAddr)
	p.listener, p.Host, p.Port = listener, bound.IP.String(), bound.Port
	p.group.Go(p.accept)
	return nil
}

// Address is the host and the port.
func (p *port) Address() string { return net.JoinHostPort(p.Host, fmt.Sprint(p.Port)) }

// TLSConfig is what a client needs.
func (p *port) TLSConfig() *tls.Config { return trusting(p.authority) }

func (p *port) accept() {
	for {
		connection, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		if err := p.serve(connection); err != nil {
			_ = connection.Close() // it came while we close
		}
	}
}

var errClosed = errors.New("the pretend provider is closed")

// Dial connects without the network, over a pipe in memory, whatever the address
// says. It has the form of net.Dialer.DialContext and works in testing/synctest
// when the server was started with InMemory.
func (p *port) Dial(_ context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	if err := p.serve(server); err != nil {
		return nil, errors.Join(err, client.Close(), server.Close())
	}
	return client, nil
}

// serve takes a connection over.
func (p *port) serve(connection net.Conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	c := newCall(p, connection)
	if most := p.faults[""].MaxConnections; most > 0 {
		c.turnedAway = p.served() >= most
	}
	p.calls[c] = true
	p.group.Go(func() {
		p.count("", func(n *Counts) { n.Connections++ })
		p.talk(c)
		c.cut()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.calls, c)
	})
	return nil
}

// served counts the connections that were not turned away, under the lock.
func (p *port) served() int {
	n := 0
	for c := range p.calls {
		if !c.turnedAway {
			n++
		}
	}
	return n
}

// Disconnect cuts all connections of an account, or all when user is empty.
func (p *port) Disconnect(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.calls {
		if user == "" || c.userName() == user {
			c.cut()
		}
	}
}

// shut takes no more connections and cuts those that there are. A second time it
// does nothing.
func (p *port) shut() (err error) {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if first && p.listener != nil {
		err = p.listener.Close()
	}
	p.Disconnect("")
	return err
}

// Close stops taking connections, cuts those that there are and waits for them.
func (p *port) Close() error {
	err := p.shut()
	p.group.Wait()
	return err
}
