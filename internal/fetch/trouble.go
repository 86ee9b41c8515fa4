package fetch

import (
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// refused are the pauses after a credential that has worked before is refused:
// directories have outages, and too many tries lock accounts.
var refused = []time.Duration{time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

func refusedPause(failures int) time.Duration { return refused[min(max(failures, 1), len(refused))-1] }

// recheck is how often a mailbox is looked at while a person must repair something.
const recheck = time.Hour

// inUseTries is after how many tries the pauses before a mailbox that somebody else
// has open grow no more: with the usual ones at half a minute.
const inUseTries = 3

// plan says what a fault does to the mailbox, and when it is tried again. A
// credential that has never worked is not tried again until somebody changes it.
func (r *reader) plan(fault *postroom.Fault) store.Trouble {
	t := store.Trouble{State: r.m.State.StateFor(fault.Kind), Fault: fault, Failures: r.failures}
	now := time.Now()
	switch fault.Kind {
	case postroom.NeedsSignIn:
		if r.login.HasWorked {
			t.NextTry = now.Add(refusedPause(r.failures))
		}
	case postroom.NeedsRepair, postroom.Invalid, postroom.NotFound:
		t.NextTry = now.Add(recheck)
	default:
		t.NextTry = now.Add(r.fleet.Retry.AfterAsked(r.failures, fault.RetryAfter))
		if fault.Class == postroom.MailboxInUse { // whoever is in there leaves again soon
			t.NextTry = now.Add(r.fleet.Retry.After(min(r.failures, inUseTries)))
		}
	}
	if !t.NextTry.IsZero() && t.NextTry.Before(r.mayLogIn) {
		t.NextTry = r.mayLogIn
	}
	return t
}
