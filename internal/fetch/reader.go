package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// mailboxLedger is what a reader asks of the database about its own mailbox.
type mailboxLedger interface {
	KeptMailbox(ctx context.Context, id postroom.MailboxID) (store.KeptMailbox, error)
	RecordTrouble(ctx context.Context, f store.Fence, version int64, trouble store.Trouble) error
	RecordHealth(ctx context.Context, f store.Fence, version int64) error
	RecordProof(ctx context.Context, f store.Fence, version int64, folders []postroom.Numbering) (time.Time, error)
	numberings
	arrivals
	lists
	dues
	comparisons
}

// Login is what opens a mailbox.
type Login struct {
	Kind      string // password, app_password or oauth
	Secret    postroom.Secret
	Other     postroom.Secret // another form of Secret, which is tried once where that is refused; empty: there is none
	HasWorked bool            // it has opened this mailbox before
	Expires   time.Time       // of oauth: the end of the access token in Secret; zero: unknown
}

// isOAuth says whether the secret is an access token.
func (l Login) isOAuth() bool { return l.Kind == postroom.CredentialOAuth }

// A reader keeps one mailbox read. It lives as long as its node owns the mailbox
// and the settings stay the same.
type reader struct {
	fleet   *Fleet
	ledger  mailboxLedger
	fence   store.Fence
	version int64

	failures int       // tries in a row that failed; only survival resets it
	refused  bool      // the password was, at the last try
	isTheirs bool      // the last failure came from the mail server
	nextTry  time.Time // zero: at once
	stopped  bool      // no try is planned: somebody must change something
	openedAt time.Time // the last connection; zero: the last try did not get that far

	wake chan struct{} // room for one

	mu      sync.Mutex
	session session // while there is one
	compare bool    // somebody waits for a comparison

	anew     atomic.Bool   // the connection is to be replaced: somebody wants to hear the dialogue
	asides   atomic.Int32  // who needs the one session that a POP3 server allows
	visiting chan struct{} // held by who has it
	resting

	healthy bool // recorded as such, and nothing else since
	// folderTrouble is what was last recorded of a part of the mailbox.
	folderTrouble string

	seat       *work.Seat // among the connections to the server; the last one there was
	turnedAway int        // times in a row that there was no place after all

	m     postroom.Mailbox
	login Login
}

// survival is how long a connection must have lived for its end to be a mere
// interruption: a login that then dies at once is no success.
const survival = time.Minute

// hasSurvived says whether the last connection lived for long. To wait for a turn,
// or for a server that does not open, is not to live.
func (r *reader) hasSurvived() bool {
	return !r.openedAt.IsZero() && time.Since(r.openedAt) > survival
}

// ownPause is between two tries when nothing is wrong with the mail server: it need
// not be spared, and once the database is back all mailboxes are read again soon.
var ownPause = work.Delay{First: time.Second, Max: 15 * time.Second}

// errChanged says that the settings of the mailbox are newer than this reader.
var errChanged = errors.New("the settings have changed")

// run sits at the mailbox until ctx ends, again and again, with growing pauses.
func (r *reader) run(ctx context.Context) {
	for ctx.Err() == nil {
		if !r.pause(ctx) {
			return
		}
		err := r.sit(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, errChanged), errors.Is(err, store.ErrFenced):
			return
		case err == nil:
			continue
		}
		survived := r.hasSurvived()
		if survived {
			r.failures = 0
		}
		if err := r.note(ctx, err, survived); err != nil {
			if errors.Is(err, store.ErrFenced) || ctx.Err() != nil {
				return
			}
			r.fleet.Log.ErrorContext(ctx, "cannot record the trouble of a mailbox", "mailbox", r.fence.Mailbox, "err", err)
		}
	}
}

// pause waits for the next try, or until somebody wants a comparison: then it
// tries at once, unless the credential is refused for good. false: ctx has ended.
func (r *reader) pause(ctx context.Context) bool {
	for {
		wait := max(time.Until(r.nextTry), time.Until(r.mayLogIn))
		if !r.stopped && wait <= 0 {
			return true
		}
		var due <-chan time.Time
		if !r.stopped {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return false
		case <-due:
			return true
		case <-r.wake:
			r.quiet = [sha256.Size]byte{} // somebody knows of something to do
			r.weighAgain(ctx)
			if r.waitsForTurn() {
				r.nextTry = time.Time{}
				return true
			}
			if r.isResting {
				r.nextTry = r.mayLogIn
				continue
			}
			if r.mayTryNow(ctx) {
				return true
			}
		}
	}
}

// mayTryNow says whether somebody has asked for something that takes a connection. A
// password that is refused is not tried for that.
func (r *reader) mayTryNow(ctx context.Context) bool {
	compare, anew := r.wantsCompare(), r.anew.Load()
	if !r.stopped && r.m.State != postroom.MailboxNeedsSignIn {
		return compare || anew
	}
	if compare {
		r.answerWithTrouble(ctx)
	}
	if anew && r.takesAnew() {
		r.tell(r.notTried())
	}
	return false
}

// sit opens the mailbox and reads it until something breaks or ctx ends.
func (r *reader) sit(ctx context.Context) error {
	r.isResting, r.openedAt = false, time.Time{}
	if err := r.load(ctx); err != nil {
		return err
	}
	if err := r.fleet.isHeld(); err != nil {
		return err
	}
	var err error
	if r.seat, err = r.fleet.seats.Take(ctx, r.server()); err != nil {
		return err
	}
	defer r.standUp(ctx)
	end, err := r.beginVisit(ctx)
	if err != nil {
		return err
	}
	defer end()
	w := &watch{reader: r, numberings: make(map[string]*folder)}
	s, err := r.open(ctx, w)
	if err != nil {
		return err
	}
	r.turnedAway, r.openedAt = 0, time.Now()
	r.seat.Serve()
	r.fleet.servers.opened(r.server(), r.m.ID, time.Now())
	r.fleet.Opened(ctx, r.m)
	w.session = s
	r.keep(s)
	defer func() {
		r.keep(nil)
		s.close()
	}()
	return w.run(ctx)
}

// keep leaves the session where a nudge finds it; nil: there is none any more.
func (r *reader) keep(s session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session = s
}

// load reads the settings anew: a draft may have been proven since.
func (r *reader) load(ctx context.Context) error {
	k, err := r.ledger.KeptMailbox(ctx, r.fence.Mailbox)
	if err != nil {
		return err
	}
	if k.Version != r.version {
		return errChanged
	}
	r.m = k.Mailbox
	return nil
}

// noteHeld records that there is no room for the mail of this mailbox, once, and
// looks again soon.
func (r *reader) noteHeld(ctx context.Context, h held) error {
	r.nextTry = time.Now().Add(holdPause)
	if r.wantsCompare() {
		r.m.Fault = h.fault
		r.answerWithTrouble(ctx)
	}
	if r.folderTrouble == h.fault.Explanation {
		return nil
	}
	r.healthy, r.folderTrouble = false, h.fault.Explanation
	r.fleet.Log.WarnContext(ctx, "a mailbox is not read for now", "mailbox", r.fence.Mailbox, "err", h)
	r.m.State, r.m.Fault = r.m.State.StateFor(h.fault.Kind), h.fault
	trouble := store.Trouble{State: r.m.State, Fault: h.fault, NextTry: r.nextTry, Failures: r.failures}
	return r.ledger.RecordTrouble(ctx, r.fence, r.version, trouble)
}

// note records what went wrong and plans the next try. A connection that breaks
// after it has worked for a while is made again before anybody is told.
func (r *reader) note(ctx context.Context, err error, survived bool) error {
	var h held
	if errors.As(err, &h) {
		return r.noteHeld(ctx, h)
	}
	fault := r.fleet.Explain(err, r.m, r.login)
	if fault == nil {
		r.nextTry = time.Now().Add(time.Second)
		return nil
	}
	r.tell(fault.Explanation)
	if refused := fault.Kind == postroom.NeedsSignIn; refused != r.refused { // the pauses begin anew
		r.refused, r.failures = refused, 0
	}
	r.failures++
	if r.isEndOfToken(fault) {
		r.nextTry = time.Time{}
		return nil
	}
	_, r.isTheirs = mail.RefusalOf(err)
	fault, room := r.weigh(fault)
	if room { // it is its turn that this mailbox waits for from now on
		r.failures--
		r.nextTry = time.Now().Add(rand.N(time.Second))
		return nil
	}
	r.fleet.Troubled(fault)
	if survived && fault.Kind == postroom.Delayed && fault.RetryAfter == 0 {
		r.nextTry = time.Now().Add(rand.N(time.Second))
		return nil
	}
	trouble := r.plan(fault)
	if isOurs(err) {
		trouble.NextTry = time.Now().Add(ownPause.After(r.failures))
	}
	r.fleet.Log.WarnContext(ctx, "mailbox in trouble", "mailbox", r.fence.Mailbox, "state", trouble.State,
		"class", fault.Class, "failures", r.failures, "next", trouble.NextTry, "err", err)
	r.nextTry, r.stopped = trouble.NextTry, trouble.NextTry.IsZero()
	r.m.State, r.m.Fault = trouble.State, fault
	r.healthy, r.folderTrouble = false, ""
	if r.wantsCompare() {
		r.answerWithTrouble(ctx)
	}
	return r.ledger.RecordTrouble(ctx, r.fence, r.version, trouble)
}

// isOurs says whether what went wrong is on this side: the database, or a mistake.
func isOurs(err error) bool {
	if store.IsTrouble(err) {
		return true
	}
	_, theirs := mail.RefusalOf(err)
	_, explained := postroom.FaultOf(err)
	return !theirs && !explained
}

// askToCompare lets the reader know that somebody waits for a comparison.
func (r *reader) askToCompare() {
	r.mu.Lock()
	r.compare = true
	r.mu.Unlock()
	r.nudge()
}

// nudge ends the reader's waiting: there may be something to do.
func (r *reader) nudge() {
	r.mu.Lock()
	defer r.mu.Unlock()
	work.Ring(r.wake)
	if r.session != nil {
		r.session.interrupt()
	}
}

func (r *reader) wantsCompare() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.compare
}

func (r *reader) compareDone() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.compare = false
}

// nudged takes the nudge that has ended a wait, if there was one.
func (r *reader) nudged() bool {
	select {
	case <-r.wake:
		return true
	default:
		return false
	}
}
