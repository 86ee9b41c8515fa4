package fetch

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/postroom/postroom"
)

// server is the address of the mail server.
func (r *reader) server() string {
	return net.JoinHostPort(r.m.Incoming.Host, strconv.Itoa(r.m.Incoming.Port))
}

// urgency is how soon a mailbox should have its turn: the one with the newest mail
// first, and those that have failed after all others.
func (r *reader) urgency() int64 {
	if r.failures > 0 {
		return -int64(r.failures)
	}
	return max(0, r.m.LastArrivalAt.UnixMicro())
}

// weigh is what a fault means beside what happened to the other mailboxes of the
// same server. room says that the server takes no more connections than it has of
// ours, so that there is nothing wrong: they take turns.
func (r *reader) weigh(fault *postroom.Fault) (meant *postroom.Fault, room bool) {
	f := r.fleet
	switch {
	case fault.Class == postroom.TooManyConnections:
		f.gate.Ease(r.server())
		if f.servers.isFull(r.server(), f.seats.Held(r.server()), time.Now()) {
			f.seats.Learn(r.seat)
			return fault, true
		}
	case fault.Class == postroom.RateLimited:
		f.gate.Ease(r.server())
	case r.isRefusedPassword(fault):
		f.servers.refusedPassword(r.server(), r.m.ID, time.Now())
		if many, trouble := f.servers.inTrouble(r.server(), time.Now()); trouble {
			for _, id := range f.servers.refusedAt(r.server()) {
				f.Nudge(id) // those refused before learn that it is not their password
			}
			return r.serverRefuses(many, fault), false
		}
	}
	return fault, false
}

// isRefusedPassword says whether a fault is that of a password which the server
// took before, and refuses with no better reason than that it is wrong.
func (r *reader) isRefusedPassword(fault *postroom.Fault) bool {
	return fault != nil && fault.Kind == postroom.NeedsSignIn && r.login.HasWorked && r.failures < maxServerTries &&
		(fault.Class == postroom.BadCredentials || fault.Class == postroom.Unknown)
}

// weighAgain records that a password refused a moment ago was refused for the
// server's sake, where that has turned out since.
func (r *reader) weighAgain(ctx context.Context) {
	if r.m.State != postroom.MailboxNeedsSignIn || !r.isRefusedPassword(r.m.Fault) {
		return
	}
	many, trouble := r.fleet.servers.inTrouble(r.server(), time.Now())
	if !trouble {
		return
	}
	fault := r.serverRefuses(many, r.m.Fault)
	t := r.plan(fault)
	t.NextTry = r.nextTry
	r.m.State, r.m.Fault = t.State, fault
	if err := r.ledger.RecordTrouble(ctx, r.fence, r.version, t); err != nil && ctx.Err() == nil {
		r.fleet.Log.ErrorContext(ctx, "cannot record the trouble of a mailbox", "mailbox", r.fence.Mailbox, "err", err)
	}
}
