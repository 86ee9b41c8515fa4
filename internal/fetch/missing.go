package fetch

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/store"
)

const (
	maxTries = 3 // of a message that the server does not give, though it gives others
	// maxDoubtful is how many tries a message has while the server gives nothing at
	// all: then the message is hardly the cause, and the pauses are the mailbox's.
	maxDoubtful = 9
	askAlone    = 3 // messages that are asked for alone to find out
)

// cutAt handles a connection that ended while messages were being read: the one
// it ended at may be the cause, so that it is counted against it. What went wrong
// on this side is no message's fault.
func (w *watch) cutAt(ctx context.Context, b *batch, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, theirs := mail.RefusalOf(cause); !theirs {
		return cause
	}
	reason := "The connection ended while this message was being read."
	var err error
	if b.isReading {
		err = w.failed(ctx, b.byName[b.reading], reason, maxTries)
	} else if len(b.taken) == 0 {
		err = w.failed(ctx, b.wanted[0], reason, maxDoubtful)
	}
	if err != nil {
		return err
	}
	return cause
}

// notGiven settles what was asked for and not given: names that the server shows
// no more have vanished, others are tried again.
func (w *watch) notGiven(ctx context.Context, f *folder, b *batch, refusal error) error {
	missing := b.missing()
	if len(missing) == 0 {
		return nil
	}
	here, gone, err := w.stillShown(ctx, missing)
	if err != nil {
		return err
	}
	if len(gone) > 0 {
		err := w.ledger.Settle(ctx, w.fence, gone, postroom.ArrivalVanished, "It was gone from the server before it could be read.")
		if err != nil {
			return err
		}
	}
	reason := "The server lists this message but does not give it."
	if r, ok := mail.RefusalOf(refusal); ok {
		if r.Reply != "" {
			reason += " It says: " + r.Reply
		}
		return w.refusedAt(ctx, f, b, here, reason, refusal)
	}
	return w.failedAll(ctx, here, reason)
}

// stillShown tells the messages that the server shows from those it does not.
func (w *watch) stillShown(ctx context.Context, missing []store.Wanted) (here []store.Wanted, gone []postroom.ArrivalID, err error) {
	shown, err := w.session.shows(ctx, namesOf(missing))
	if err != nil {
		return nil, nil, err
	}
	for _, m := range missing {
		if shown[m.Name] {
			here = append(here, m)
		} else {
			gone = append(gone, m.ID)
		}
	}
	return here, gone, nil
}

// refusedAt settles which of the messages a command was refused for. Where the
// server gives some, those that it passed over are, and the next one after. Where
// it gives nothing, a few are asked for alone: if none of them is given either,
// it is the server that is in trouble and not the messages, which wait.
func (w *watch) refusedAt(ctx context.Context, f *folder, b *batch, here []store.Wanted, reason string, refusal error) error {
	if len(here) == 0 {
		return nil
	}
	if len(b.taken) > 0 {
		return w.failedAll(ctx, b.passedOver(here), reason)
	}
	if len(here) == 1 {
		return w.failedAll(ctx, here, reason)
	}
	for i, m := range here[:min(len(here), askAlone)] {
		alone := newBatch(w, f, []store.Wanted{m})
		if _, err := w.ask(ctx, alone); err != nil {
			return err
		}
		if len(alone.taken) > 0 {
			return w.failedAll(ctx, here[:i], reason)
		}
	}
	if err := w.failed(ctx, here[0], reason, maxDoubtful); err != nil {
		return err
	}
	return refusal
}

// passedOver are those of here that were asked for before the last message that was
// given, and the first behind it.
func (b *batch) passedOver(here []store.Wanted) []store.Wanted {
	isHere := make(map[postroom.ArrivalID]bool, len(here))
	for _, m := range here {
		isHere[m.ID] = true
	}
	var over, behind []store.Wanted
	for _, m := range b.wanted {
		if b.taken[m.Name] {
			over, behind = append(over, behind...), nil
		} else if isHere[m.ID] {
			behind = append(behind, m)
		}
	}
	return append(over, behind[:min(len(behind), 1)]...)
}

func (w *watch) failedAll(ctx context.Context, messages []store.Wanted, reason string) error {
	for _, m := range messages {
		if err := w.failed(ctx, m, reason, maxTries); err != nil {
			return err
		}
	}
	return nil
}

// failed counts a try of a message and plans the next: a minute later, then five.
func (w *watch) failed(ctx context.Context, m store.Wanted, reason string, limit int) error {
	pause := w.fleet.FirstRetry
	if m.Tries > 0 {
		pause *= 5
	}
	gone, err := w.ledger.RecordFailedTry(ctx, w.fence, m.ID, reason, time.Now().Add(pause), limit)
	if gone {
		w.fleet.Log.WarnContext(ctx, "message quarantined", "mailbox", w.m.ID, "arrival", m.ID)
	}
	return err
}

func (b *batch) missing() []store.Wanted {
	var missing []store.Wanted
	for _, m := range b.wanted {
		if !b.taken[m.Name] {
			missing = append(missing, m)
		}
	}
	return missing
}
