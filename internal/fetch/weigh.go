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
		return fault, r.learnSeats()
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

// learnSeats says that a connection was one too many for the server, and whether
// that is because it takes no more than it has of ours. The others that it refused
// then come again, to wait for their turn. Whoever is refused in spite of having
// its turn is told so by the server for another reason.
func (r *reader) learnSeats() (turns bool) {
	f := r.fleet
	refused, full := f.servers.isFull(r.server(), r.m.ID, f.seats.Served(r.server()), time.Now())
	if full {
		f.seats.Learn(r.seat)
		for _, id := range refused {
			f.Nudge(id)
		}
	}
	r.turnedAway++
	return f.seats.IsLimited(r.server()) && r.turnedAway <= maxTurnsRefused
}

// maxTurnsRefused is how often in a row a mailbox is refused at its turn, when the
// server has not noticed yet that the one before has left.
const maxTurnsRefused = 3

// waitsForTurn says whether a mailbox was refused for being one too many at a
// server of which it has turned out since that mailboxes take turns there.
func (r *reader) waitsForTurn() bool {
	return r.m.Fault != nil && r.m.Fault.Class == postroom.TooManyConnections &&
		r.turnedAway <= maxTurnsRefused && r.fleet.seats.IsLimited(r.server())
}

// standUp gives the seat up once the server has noticed that the connection is gone.
func (r *reader) standUp(ctx context.Context) {
	if r.fleet.seats.IsLimited(r.server()) {
		timer := time.NewTimer(noticed)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	r.seat.Leave()
}

// noticed is how long a server has to notice that a connection was closed.
const noticed = 200 * time.Millisecond

// isRefusedPassword says whether a fault is that of a password which the server
// took before, and refuses with no better reason than that it is wrong; or of a token
// that its provider has just given.
func (r *reader) isRefusedPassword(fault *postroom.Fault) bool {
	if fault == nil || !r.login.HasWorked || r.failures >= maxServerTries {
		return false
	}
	if r.login.isOAuth() {
		return r.isTheirs && isRefusalOfToken(fault)
	}
	return fault.Kind == postroom.NeedsSignIn && (fault.Class == postroom.BadCredentials || fault.Class == postroom.Unknown)
}

// isRefusalOfToken says whether a mail server may say this of any token. Microsoft has
// one answer to all that can be wrong.
func isRefusalOfToken(fault *postroom.Fault) bool {
	switch fault.Class {
	case postroom.BadCredentials, postroom.TokenExpired, postroom.TokenRevoked, postroom.Unknown, postroom.IMAPDisabled, postroom.POPDisabled:
		return fault.Kind == postroom.NeedsSignIn || fault.Kind == postroom.NeedsRepair
	}
	return false
}

// weighAgain records that a password refused a moment ago was refused for the
// server's sake, where that has turned out since.
func (r *reader) weighAgain(ctx context.Context) {
	if r.m.State != postroom.MailboxNeedsSignIn && r.m.State != postroom.MailboxNeedsRepair || !r.isRefusedPassword(r.m.Fault) {
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
