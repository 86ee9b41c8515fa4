package mailbox

import (
	"context"
	"slices"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// FormerChoice says what becomes of the identity that an address had here before
// its mailbox was removed.
type FormerChoice string

const (
	// FormerContinue takes it up again: id, issues and ledger stay, and what arrived
	// meanwhile is brought in.
	FormerContinue FormerChoice = "continue"
	// FormerNew leaves it alone and begins another.
	FormerNew FormerChoice = "new"
)

// Add keeps a new mailbox as a draft. It is then tried at once by whoever reads
// mailboxes, and becomes active, or keeps everything and says what is wrong. One
// that was here before continues.
func (d *Desk) Add(ctx context.Context, by postroom.Viewer, m postroom.Mailbox, c Credential) (postroom.Mailbox, error) {
	m, _, err := d.Connect(ctx, by, m, c, FormerContinue)
	return m, err
}

// Connect is Add with a choice of what becomes of a mailbox that had the address
// before; continued says that it was taken up again. With start now it then goes on
// from where it was.
func (d *Desk) Connect(ctx context.Context, by postroom.Viewer, m postroom.Mailbox, c Credential, choice FormerChoice) (_ postroom.Mailbox, continued bool, err error) {
	if err := needAdmin(by); err != nil {
		return postroom.Mailbox{}, false, err
	}
	m, c, err = d.complete(ctx, m, c)
	if err != nil {
		return postroom.Mailbox{}, false, err
	}
	c = d.inKnownForm(m, c)
	former, continued, err := d.chosenFormer(ctx, m.Address, choice)
	if err != nil {
		return postroom.Mailbox{}, false, err
	}
	if continued {
		m, err = d.Store.ContinueMailbox(ctx, former.ID, m, c.Kind, d.sealing(c), d.sealingOutgoing(m, c)...)
	} else {
		if m.Start.Kind == postroom.StartNow {
			m.Start.At = time.Time{} // the proof sets it
		}
		m, err = d.Store.AddMailbox(ctx, m, c.Kind, d.sealing(c), d.sealingOutgoing(m, c)...)
	}
	if err != nil {
		return postroom.Mailbox{}, false, err
	}
	d.wake()
	return m, continued, nil
}

// chosenFormer returns the mailbox that had the address before, where it is to be
// taken up again; ok is false where there is none, or it is not wanted.
func (d *Desk) chosenFormer(ctx context.Context, address string, choice FormerChoice) (f store.Former, ok bool, err error) {
	switch choice {
	case "", FormerContinue:
	case FormerNew:
		return store.Former{}, false, nil
	default:
		return store.Former{}, false, invalid("former", quote(string(choice))+" says nothing about the mailbox that was here before.", "Choose continue or new.")
	}
	f, err = d.Store.FormerMailbox(ctx, address)
	if postroom.KindOf(err) == postroom.NotFound {
		return store.Former{}, false, nil
	}
	return f, err == nil, err
}

// Former returns what is left of the mailbox that had an address before it was
// removed. It is a NotFound fault where there was none, or where the address is
// connected now.
func (d *Desk) Former(ctx context.Context, by postroom.Viewer, address string) (store.Former, error) {
	if err := needAdmin(by); err != nil {
		return store.Former{}, err
	}
	m := postroom.Mailbox{Address: address}
	if err := completeAddress(&m); err != nil {
		return store.Former{}, err
	}
	if _, err := d.Store.MailboxByAddress(ctx, m.Address); postroom.KindOf(err) != postroom.NotFound {
		if err == nil {
			err = noFormer(m.Address)
		}
		return store.Former{}, err
	}
	f, err := d.Store.FormerMailbox(ctx, m.Address)
	if postroom.KindOf(err) == postroom.NotFound {
		err = noFormer(m.Address)
	}
	return f, err
}

func noFormer(address string) error {
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "No mailbox with the address " + address + " was removed here.",
		Remedy:      "Connect it; it begins afresh. One that is connected stands in the list of mailboxes.",
	}
}

// Numberings returns every count of a folder that the ledger of a mailbox has, with
// what became of its messages, newest first. Whoever may see the ledger may see them.
func (d *Desk) Numberings(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) ([]store.NumberingCount, error) {
	if _, err := d.ledgerOf(ctx, by, id); err != nil {
		return nil, err
	}
	all, err := d.Store.NumberingCounts(ctx, id)
	slices.Reverse(all)
	return all, err
}
