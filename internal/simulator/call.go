package simulator

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// A call is one connection of a client, in whatever protocol.
type call struct {
	port       *port
	stop       chan struct{} // closed when the connection has to end
	once       sync.Once
	out        outgoing // to the client
	turnedAway bool     // more are connected than the faults allow

	mu       sync.Mutex // guards what follows
	client   net.Conn
	user     string // empty: no login was tried
	signedIn bool
	secured  bool   // by TLS
	woken    func() // called when the faults have changed; nil: nothing to do
	// tokenEnded says whether the access token that signed in has ended; nil: it was none.
	tokenEnded func() bool
}

func newCall(p *port, client net.Conn) *call {
	c := &call{port: p, client: client, stop: make(chan struct{})}
	c.out.call = c
	return c
}

// cut ends the connection without a word.
func (c *call) cut() {
	c.once.Do(func() { close(c.stop) })
	c.mu.Lock()
	defer c.mu.Unlock()
	// The socket itself, not TLS over it, whose farewell a client would notice.
	if secured, ok := c.client.(*tls.Conn); ok {
		_ = secured.NetConn().Close()
		return
	}
	_ = c.client.Close()
}

func (c *call) connection() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.client
}

func (c *call) userName() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.user
}

func (c *call) isSecured() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.secured
}

func (c *call) faults() *Faults { return c.port.faultsFor(c.userName()) }

// secure begins TLS.
func (c *call) secure() error {
	c.mu.Lock()
	secured := tls.Server(c.client, c.port.tls)
	c.client, c.secured = secured, true
	c.mu.Unlock()
	return secured.Handshake()
}

// faultsChanged does at once what does not wait for a next step.
func (c *call) faultsChanged() {
	c.mu.Lock()
	woken := c.woken
	c.mu.Unlock()
	if woken != nil {
		woken()
	}
}

// wait pauses, unless the connection has to end.
func (c *call) wait(pause time.Duration) error {
	if pause <= 0 {
		return nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.stop:
		return errCut
	}
}

// A verdict is what becomes of a login.
type verdict int

const (
	letIn verdict = iota
	wrongPassword
	appPasswordOnly // the password is right, and not the one that programs may use
	switchedOff     // the account may not be read by this protocol
	refusedToken    // by Microsoft
	refusedByFault
	tooManyOpen // the account has as many connections as it may have
)

// signIn notes who signs in and judges it. account is what the account itself says;
// no lock is held.
func (c *call) signIn(user string, account verdict) verdict {
	c.mu.Lock()
	c.user = user
	c.mu.Unlock()
	f := c.faults()
	v := account
	switch {
	case f.RefuseLogin != "":
		v = refusedByFault
	case v == letIn && !c.port.admit(c, user, f.MaxPerAccount):
		v = tooManyOpen
	}
	c.port.count(user, func(n *Counts) {
		if v == letIn {
			n.Logins++
		} else {
			n.RefusedLogins++
		}
	})
	return v
}

// turnOut takes back a login that was let in.
func (c *call) turnOut() {
	c.mu.Lock()
	c.signedIn = false
	user := c.user
	c.mu.Unlock()
	c.port.count(user, func(n *Counts) { n.Logins, n.RefusedLogins = n.Logins-1, n.RefusedLogins+1 })
}

// admit marks a connection as signed in, unless the account has most of them
// already; 0: any number.
func (p *port) admit(c *call, user string, most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if most > 0 {
		n := 0
		for other := range p.calls {
			if other.isSignedIn(user) {
				n++
			}
		}
		if n >= most {
			return false
		}
	}
	c.mu.Lock()
	c.signedIn = true
	c.mu.Unlock()
	return true
}

func (c *call) isSignedIn(user string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.signedIn && c.user == user
}
