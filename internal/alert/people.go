package alert

import (
	"context"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// People are who is told of every alert.
type people struct{ addresses []string }

// contacts lists who is told of every alert: the contact addresses, or the
// administrators where there are none. An address that is itself a mailbox here may be
// what does not work, so it is never the only one while an administrator has another.
func (d *Desk) contacts(ctx context.Context) (people, error) {
	addresses, err := d.Contact(ctx)
	if err != nil {
		return people{}, err
	}
	connected, err := d.Store.ConnectedAmong(ctx, addresses)
	if err != nil {
		return people{}, err
	}
	if len(connected) == len(addresses) { // none at all too
		users, err := d.Store.Users(ctx)
		if err != nil {
			return people{}, err
		}
		for _, u := range users {
			if u.Role == postroom.RoleAdmin && u.DisabledAt.IsZero() && !isAmong(addresses, u.Email) && len(addresses) < 2*MaxContacts {
				addresses = append(addresses, u.Email)
			}
		}
	}
	return people{addresses}, nil
}

// isAmong says whether an address is one of some, in whatever case it is written.
func isAmong(addresses []string, address string) bool {
	return slices.ContainsFunc(addresses, func(a string) bool { return strings.EqualFold(a, address) })
}

// everybody is who is told of every alert, read once for each look that needs it.
func (l *look) everybody() (people, error) {
	if l.people == nil {
		p, err := l.contacts(l.ctx)
		if err != nil {
			return people{}, err
		}
		l.people = &p
	}
	return *l.people, nil
}

// owners are the people who can end a cause themselves, each with their mailboxes.
// Trouble that lies outside of the mailboxes is not theirs to mend.
func (c cause) owners(members []member) map[string][]member {
	owned := make(map[string][]member)
	if c.kind != postroom.AlertSignIn && (c.kind != postroom.AlertRepair || c.fault.FixBy != postroom.FixByUser) || !c.isOwn {
		return owned
	}
	for _, m := range members {
		if m.owner != "" {
			address := strings.ToLower(m.owner)
			owned[address] = append(owned[address], m)
		}
	}
	return owned
}
