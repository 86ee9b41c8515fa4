package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
)

// A watch is one connection's life: a proof if one is due, passes over the
// folders, and waiting for news between them.
type watch struct {
	*reader
	client     *imap.Client
	numberings map[string]*folder
	selected   string
	healthy    bool // recorded as such since the connection was made
}

// A folder is what a watch knows of one folder of the mailbox.
type folder struct {
	postroom.Numbering
	fresh uint32 // names beyond this were not there when the watch began
}

func (w *watch) run(ctx context.Context) error {
	if w.m.State == postroom.MailboxDraft {
		if err := w.prove(ctx); err != nil {
			return err
		}
	}
	for {
		if err := w.passAll(ctx); err != nil {
			return err
		}
		if w.wantsCompare() {
			if err := w.compareAll(ctx); err != nil {
				return err
			}
		}
		if err := w.news(ctx); err != nil {
			return err
		}
	}
}

// passAll goes over every folder. One that cannot be opened does not keep the
// others from being read; it is what the mailbox is in trouble with.
func (w *watch) passAll(ctx context.Context) error {
	var trouble error
	for _, name := range w.m.Incoming.Folders {
		err := w.pass(ctx, name)
		if err == nil {
			continue
		}
		if _, refused := mail.RefusalOf(err); !refused || !w.client.Usable() || len(w.m.Incoming.Folders) == 1 {
			return err
		}
		w.selected = ""
		trouble = errors.Join(trouble, err)
	}
	if trouble != nil {
		w.healthy = false
		return w.note(ctx, trouble, false)
	}
	if !w.healthy {
		w.healthy = true
		w.m.State, w.m.Fault = postroom.MailboxActive, nil
		return w.ledger.RecordHealth(ctx, w.fence, w.version)
	}
	return nil
}

// choose selects a folder unless it is selected already, and settles which
// numbering it is counted in.
func (w *watch) choose(ctx context.Context, name string) (*folder, error) {
	f := w.numberings[name]
	if f != nil && w.selected == name {
		return f, nil
	}
	status, err := w.client.Examine(ctx, name)
	if err != nil {
		return nil, err
	}
	w.selected = name
	n, err := w.numbering(ctx, name, status)
	if err != nil {
		return nil, err
	}
	if f == nil || f.ID != n.ID {
		f = &folder{Numbering: n, fresh: n.Position}
		if n.Position == 0 {
			f.fresh = max(status.UIDNext, 1) - 1
		}
		w.numberings[name] = f
	}
	return f, nil
}

// pass enters every new name of a folder into the ledger, then brings in the bytes
// of those that wait for them.
func (w *watch) pass(ctx context.Context, name string) error {
	f, err := w.choose(ctx, name)
	if err != nil {
		return err
	}
	for {
		if err := w.list(ctx, f); err != nil {
			return err
		}
		more, err := w.bring(ctx, f)
		if err != nil {
			return fmt.Errorf("bring mail of %s: %w", name, err)
		}
		if !more {
			return nil
		}
	}
}

// list books the names beyond the position.
func (w *watch) list(ctx context.Context, f *folder) error {
	uids, err := w.client.UIDs(ctx, f.Position+1)
	if err != nil {
		return err
	}
	return w.book(ctx, f, uids)
}

// news waits until the server says that something has changed, until it is time
// to look anyway, or until somebody wants a comparison. The sweep is the poll
// interval: it is what finds a connection that has gone silent.
func (w *watch) news(ctx context.Context) error {
	wait := w.m.Incoming.PollInterval
	if wait <= 0 {
		wait = postroom.DefaultPollInterval
	}
	for _, f := range w.numberings {
		next, ok, err := w.ledger.NextWanted(ctx, f.ID)
		if err != nil {
			return err
		}
		if ok {
			wait = max(min(wait, time.Until(next)), 10*time.Millisecond)
		}
	}
	first := w.m.Incoming.Folders[0]
	if w.client.Has("IDLE") {
		if w.selected != first {
			if _, err := w.choose(ctx, first); err != nil {
				return err
			}
			return nil // what came while another folder was open is looked at first
		}
		_, err := w.client.Idle(ctx, min(wait, w.fleet.IdleAtMost))
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.wake:
		return nil
	case <-timer.C:
	}
	_, err := w.client.Noop(ctx)
	return err
}
