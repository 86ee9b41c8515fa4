package imap

import (
	"net"
	"sync"
	"time"
)

// An interrupt ends a wait for news from another goroutine, without harm to the
// connection. It is remembered until the next wait.
type interrupt struct {
	mu      sync.Mutex
	asked   bool
	waiting net.Conn // nil: nobody waits
}

// Interrupt makes the Idle that is under way return, or else the next one. It may
// come from any goroutine.
func (c *Client) Interrupt() {
	i := &c.interrupt
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = true
	if i.waiting != nil {
		_ = i.waiting.SetReadDeadline(time.Unix(1, 0)) // a connection that is closed ends the wait by itself
	}
}

// enter begins a wait on conn and returns what ends it. From here on an Interrupt
// reaches the read that is under way.
func (i *interrupt) enter(conn net.Conn) (leave func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.waiting = conn
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.waiting, i.asked = nil, false
	}
}

// repeat is called once a read has set its own deadline, which may have come
// after that of an Interrupt.
func (i *interrupt) repeat() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.asked && i.waiting != nil {
		_ = i.waiting.SetReadDeadline(time.Unix(1, 0))
	}
}
