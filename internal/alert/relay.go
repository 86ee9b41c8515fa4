package alert

import (
	"context"

	"github.com/postroom/postroom"
)

// A Relay is a server that takes notices, besides the mailboxes' own.
type Relay struct {
	postroom.ServerSettings        // Username is empty where nobody signs in
	From                    string // the sender's address
	// Password is what it is to be; nil: as it was. It is never read back.
	Password    *postroom.Secret
	HasPassword bool // what is kept
}

// Relay returns the relay without its password; ok is false where there is none.
func (d *Desk) Relay(ctx context.Context) (r Relay, ok bool, err error) {
	return Relay{}, false, errNotYet
}

// SetRelay keeps the relay that notices leave by. For administrators.
func (d *Desk) SetRelay(ctx context.Context, by postroom.Viewer, r Relay) error { return errNotYet }

// RemoveRelay has notices leave by the mailboxes. For administrators.
func (d *Desk) RemoveRelay(ctx context.Context, by postroom.Viewer) error { return errNotYet }
