package alert

import (
	"context"
	"strings"

	"github.com/postroom/postroom"
)

// Warnings are what keeps people from being told, the gravest first: no way out, no
// contact, one that is itself a mailbox here, a notice that did not leave.
func (d *Desk) Warnings(ctx context.Context) ([]*postroom.Fault, error) {
	var warnings []*postroom.Fault
	hasWay, err := d.hasWay(ctx)
	if err != nil {
		return nil, err
	}
	if !hasWay {
		warnings = append(warnings, &postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin, Field: "relay",
			Explanation: "Alerts cannot leave: there is no relay, and no mailbox that is being read can send.",
			Remedy:      "Enter a relay, or connect a mailbox with an outgoing server.",
		})
	}
	contact, err := d.Contact(ctx)
	if err != nil {
		return nil, err
	}
	inside, err := d.Store.ConnectedAmong(ctx, contact)
	if err != nil {
		return nil, err
	}
	switch {
	case len(contact) == 0:
		warnings = append(warnings, &postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin, Field: "contact",
			Explanation: "Nobody is named to be told when something needs a person, so only the administrators are.",
			Remedy:      "Enter an address that is not one of the mailboxes connected here, and test it.",
		})
	case len(inside) == len(contact):
		warnings = append(warnings, &postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin, Field: "contact",
			Explanation: "Alerts go to " + strings.Join(inside, " and ") + " alone, which Postroom reads itself: when that is what does not work, nobody sees them.",
			Remedy:      "Add an address outside of the mailboxes connected here, and test it.",
		})
	}
	undelivered, err := d.undelivered(ctx, contact)
	if err != nil {
		return nil, err
	}
	return append(warnings, undelivered...), nil
}

// undelivered says which addresses that are told now did not get their last notice.
func (d *Desk) undelivered(ctx context.Context, contact []string) (warnings []*postroom.Fault, err error) {
	everybody, err := d.contacts(ctx)
	if err != nil {
		return nil, err
	}
	last, err := d.Store.Reader().LastNotices(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range last {
		if n.Fault == nil || n.State == postroom.NoticeSent || !isAmong(everybody.addresses, n.To) && !isAmong(contact, n.To) {
			continue
		}
		w := *n.Fault
		w.Kind, w.Field = postroom.NeedsRepair, "contact"
		w.Explanation = "The last notice to " + n.To + " has not left. " + n.Fault.Explanation
		warnings = append(warnings, &w)
	}
	return warnings, nil
}
