package alert

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// The delay that somebody should not have to wait for longer.
const (
	DefaultDelay = time.Hour
	MinDelay     = 15 * time.Minute
	MaxDelay     = 7 * 24 * time.Hour
)

// MaxContacts is how many addresses are told.
const MaxContacts = 10

// Contact lists the addresses that are told; empty: the administrators' own are.
func (d *Desk) Contact(ctx context.Context) ([]string, error) { return nil, errNotYet }

// SetContact keeps the addresses that are told. For administrators.
func (d *Desk) SetContact(ctx context.Context, by postroom.Viewer, addresses []string) error {
	return errNotYet
}

// TestContact sends a mail to every contact address at once, and says what became of
// each. For administrators.
func (d *Desk) TestContact(ctx context.Context, by postroom.Viewer) ([]postroom.Notice, error) {
	return nil, errNotYet
}

// Delay is for how long a mailbox may be delayed before somebody is told.
func (d *Desk) Delay(ctx context.Context) (time.Duration, error) { return 0, errNotYet }

// SetDelay keeps that. For administrators.
func (d *Desk) SetDelay(ctx context.Context, by postroom.Viewer, delay time.Duration) error {
	return errNotYet
}

// Warnings are what keeps people from being told: no contact outside the connected
// mailboxes, no way out, a notice that was refused.
func (d *Desk) Warnings(ctx context.Context) ([]*postroom.Fault, error) { return nil, errNotYet }
