package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/store"
)

// A watch is one connection's life: a proof if one is due, passes over the
// folders, and waiting for news between them.
type watch struct {
	*reader
	session    session
	renewal    renewal
	numberings map[string]*folder
	selected   string
}

// A folder is what a watch knows of one folder of the mailbox.
type folder struct {
	postroom.Numbering
	fresh   uint32          // names beyond this were not there when the watch began
	glanced glance          // at the last sweep; zero: not yet
	undone  *postroom.Fault // why what is due there cannot be done; nil: it can
}

func (w *watch) run(ctx context.Context) error {
	if w.m.State == postroom.MailboxDraft {
		if err := w.prove(ctx); err != nil {
			return err
		}
	}
	return w.session.follow(ctx)
}

// interval is how often every folder is looked at, whatever the server says. It
// is also what finds a connection that has gone silent.
func (w *watch) interval() time.Duration {
	if w.m.Incoming.PollInterval > 0 {
		return w.m.Incoming.PollInterval
	}
	return postroom.DefaultPollInterval
}

// passAll goes over every folder, the first one last, so that it stays selected.
// One that cannot be opened does not keep the others from being read; it is what
// the mailbox is in trouble with.
func (w *watch) passAll(ctx context.Context) error {
	for more := true; more; {
		var err error
		if more, err = w.round(ctx); err != nil {
			return err
		}
		if more && w.renewal.isDue(time.Now()) {
			if err := w.renew(ctx); err != nil {
				return err
			}
		}
		if more && w.wantsCompare() { // whoever asks does not wait for a backlog
			if err := w.compareLists(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// round brings in some of every folder. Then it is known how the mailbox is, also
// while there is more to bring.
func (w *watch) round(ctx context.Context) (more bool, err error) {
	if err := w.ledger.EndWaiting(ctx, w.fence); err != nil {
		return false, err
	}
	folders := w.m.Incoming.Folders
	var trouble error
	for i := range folders {
		rest, err := w.pass(ctx, folders[(i+1)%len(folders)])
		more = more || rest
		if err == nil {
			continue
		}
		if _, refused := mail.RefusalOf(err); !refused || !w.session.usable() || len(folders) == 1 || w.isTokenOver(err) {
			return false, err
		}
		w.selected = ""
		trouble = errors.Join(trouble, err)
	}
	did, err := w.session.tend(ctx)
	if err != nil {
		return false, err
	}
	more = more || did
	if trouble = errors.Join(trouble, w.undone(), w.renewal.lost); trouble != nil {
		return more, w.noteBeside(ctx, trouble)
	}
	if !w.healthy {
		w.healthy, w.folderTrouble = true, ""
		w.m.State, w.m.Fault = postroom.MailboxActive, nil
		return more, w.ledger.RecordHealth(ctx, w.fence, w.version)
	}
	return more, nil
}

// noteBeside records trouble beside which mail is read: a folder cannot be read while the
// others are, or what is due cannot be done, or the next sign-in will fail. It is tried
// again with the next pass. The same trouble is recorded once.
func (w *watch) noteBeside(ctx context.Context, err error) error {
	fault := w.fleet.Explain(err, w.m, w.login)
	if fault == nil || fault.Explanation == w.folderTrouble {
		return nil
	}
	w.healthy, w.folderTrouble = false, fault.Explanation
	w.fleet.Troubled(fault)
	trouble := store.Trouble{State: w.m.State.StateFor(fault.Kind), Fault: fault, NextTry: time.Now().Add(w.interval()), Failures: 1}
	w.fleet.Log.WarnContext(ctx, "a mailbox is read, and in trouble", "mailbox", w.m.ID, "state", trouble.State, "class", fault.Class, "err", err)
	w.m.State, w.m.Fault = trouble.State, fault
	return w.ledger.RecordTrouble(ctx, w.fence, w.version, trouble)
}

// choose selects a folder unless it is selected already, and settles which
// numbering it is counted in.
func (w *watch) choose(ctx context.Context, name string) (*folder, error) {
	f := w.numberings[name]
	if f != nil && w.selected == name {
		return f, nil
	}
	shown, last, err := w.session.choose(ctx, name)
	if err != nil {
		return nil, err
	}
	w.selected = name
	n, err := w.numbering(ctx, shown)
	if err != nil {
		return nil, err
	}
	if f == nil || f.ID != n.ID {
		f = &folder{Numbering: n, fresh: n.Position}
		if n.Position == 0 {
			f.fresh = last
		}
		w.numberings[name] = f
	}
	return f, nil
}

// turnOfFolder is how long one folder is brought in before the others have their
// turn: an archive of years does not hold up the inbox.
const turnOfFolder = 5 * time.Second

// pass enters every new name of a folder into the ledger, then brings in the bytes
// of those that wait for them; more says that there are others.
func (w *watch) pass(ctx context.Context, name string) (more bool, err error) {
	f, err := w.choose(ctx, name)
	if err != nil {
		return false, err
	}
	for began := time.Now(); ; {
		if err := w.fleet.isHeld(); err != nil {
			return false, err
		}
		if err := w.session.enter(ctx, f); err != nil {
			return false, err
		}
		more, err := w.bring(ctx, f)
		if err != nil {
			return false, fmt.Errorf("bring mail of %s: %w", name, err)
		}
		if !more || time.Since(began) > turnOfFolder {
			return more, nil
		}
	}
}

// nextWork is when the next message is due to be tried again, or to be acted upon;
// ok is false when there is none.
func (w *watch) nextWork(ctx context.Context) (next time.Time, ok bool, err error) {
	for _, f := range w.numberings {
		for _, ask := range []func(context.Context, postroom.NumberingID) (time.Time, bool, error){w.ledger.NextWanted, w.ledger.NextDue} {
			at, due, err := ask(ctx, f.ID)
			if err != nil {
				return time.Time{}, false, err
			}
			if due && (!ok || at.Before(next)) {
				next, ok = at, true
			}
		}
	}
	return next, ok, nil
}
