// Package mailbox connects, tests, changes and removes mailboxes.
package mailbox

import (
	"context"
	"reflect"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
)

// A Desk is where mailboxes are brought in, looked after and taken away. Its
// methods are for administrators, but for the ledger, which whoever may see the
// mail may see too.
type Desk struct {
	Store *store.DB
	// Seal makes what is kept of the secret of a mailbox.
	Seal func(id postroom.MailboxID, secret postroom.Secret) ([]byte, error)
	// Open returns the secret of a mailbox, its kind, and whether it has worked.
	Open func(ctx context.Context, id postroom.MailboxID) (kind string, secret postroom.Secret, hasWorked bool, err error)
	// SealOutgoing and OpenOutgoing are the same for the outgoing server, which has what
	// opens the mailbox where it has nothing of its own.
	SealOutgoing func(id postroom.MailboxID, secret postroom.Secret) ([]byte, error)
	OpenOutgoing func(ctx context.Context, id postroom.MailboxID) (kind string, secret postroom.Secret, err error)
	// Renew returns another access token of a mailbox than one that a server refused, or
	// the same where that is as new as can be; nil: nobody asks for one.
	Renew func(ctx context.Context, id postroom.MailboxID, refused postroom.Secret) (postroom.Secret, error)
	// Prefer keeps the form of a secret that has worked in place of that which was kept,
	// and PreferOutgoing the same for one of the outgoing server; nil: neither is kept.
	Prefer, PreferOutgoing func(ctx context.Context, id postroom.MailboxID, was, is postroom.Secret) error
	Tester                 Tester
	// AllowPlaintext lets connections to other computers go without encryption.
	AllowPlaintext bool
	// Wake nudges whoever reads mailboxes to look at them now; nil: nobody does here.
	Wake func()
	// Aside has whoever reads a mailbox leave it alone until resume, because its server
	// lets in only one at a time. Nil: nobody reads it here.
	Aside func(ctx context.Context, id postroom.MailboxID) (resume func(), err error)
	// Finder finds the servers of an address; nil: they have to be named.
	Finder *provider.Finder
	// Unattended says that no process reads mailboxes on this data, so that nobody
	// waits for what only the reader of a mailbox can tell.
	Unattended bool

	guard guard
}

// tester is the Tester that sends no password again that was refused just now.
func (d *Desk) tester() Tester {
	t := d.Tester
	t.guard = &d.guard
	return t
}

func (d *Desk) wake() {
	if d.Wake != nil {
		d.Wake()
	}
}

func (d *Desk) rules() Rules { return Rules{AllowPlaintext: d.AllowPlaintext, Now: time.Now()} }

func needAdmin(by postroom.Viewer) error {
	if by.IsAdmin() {
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.Forbidden, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "Connecting, testing and changing mailboxes is for administrators.",
		Remedy:      "Ask an administrator of Postroom, or use a token with the admin scope.",
	}
}

func (d *Desk) complete(ctx context.Context, m postroom.Mailbox, c Credential) (postroom.Mailbox, Credential, error) {
	m, err := d.discovered(ctx, m)
	if err != nil {
		return m, c, err
	}
	if m, err = d.completeMailbox(ctx, m); err != nil {
		return m, c, err
	}
	c, err = c.Complete()
	return m, c, err
}

func (d *Desk) completeMailbox(ctx context.Context, m postroom.Mailbox) (postroom.Mailbox, error) {
	m, err := d.rules().Complete(m)
	if err != nil {
		return m, err
	}
	return m, d.knownPeople(ctx, m)
}

// knownPeople makes sure that the owner and the readers are here.
func (d *Desk) knownPeople(ctx context.Context, m postroom.Mailbox) error {
	for field, users := range map[string][]postroom.UserID{"owner": {m.Owner}, "visible_to": m.Visibility.Users} {
		if field == "owner" && m.Owner == 0 {
			continue
		}
		unknown, err := d.Store.UnknownUsers(ctx, users)
		if err != nil {
			return err
		}
		if len(unknown) > 0 {
			return invalid(field, "There is no person here with the id "+unknown[0].String()+".", "Look at the list of people, and name one of them.")
		}
	}
	return nil
}

// sealing makes what is kept of c: nothing, where nobody has signed in yet.
func (d *Desk) sealing(c Credential) func(postroom.MailboxID) ([]byte, error) {
	if c.isUnsigned() {
		return func(postroom.MailboxID) ([]byte, error) { return []byte{}, nil }
	}
	return func(id postroom.MailboxID) ([]byte, error) { return d.Seal(id, c.Password) }
}

// maxChanges is how often a change is made anew because somebody, or the proof of
// the mailbox, was quicker.
const maxChanges = 5

// Change gives change the mailbox as it is and keeps what it makes of it, and the
// credential if there is a new one. change may run several times. A mailbox that
// was refused is tried again at once where what opens it has changed.
func (d *Desk) Change(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, change func(*postroom.Mailbox) error, c *Credential) (postroom.Mailbox, error) {
	return d.ChangeWith(ctx, by, id, change, NewCredentials{Mailbox: c})
}

// ChangeWith is Change that can replace what opens the outgoing server too.
func (d *Desk) ChangeWith(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, change func(*postroom.Mailbox) error, c NewCredentials) (postroom.Mailbox, error) {
	if err := needAdmin(by); err != nil {
		return postroom.Mailbox{}, err
	}
	if _, err := d.sealed(postroom.Mailbox{}, c); err != nil {
		return postroom.Mailbox{}, err
	}
	proof := &replacement{Desk: d, id: id}
	for try := 1; ; try++ {
		m, err := d.changeOnce(ctx, id, change, c, proof)
		if f, ok := postroom.FaultOf(err); ok && f.Kind == postroom.Conflict && f.Field == "" && try < maxChanges {
			continue
		}
		if err == nil {
			d.wake()
		}
		return m, err
	}
}

func (d *Desk) changeOnce(ctx context.Context, id postroom.MailboxID, change func(*postroom.Mailbox) error, c NewCredentials, proof *replacement) (postroom.Mailbox, error) {
	before, err := d.Store.Mailbox(ctx, id)
	if err != nil {
		return postroom.Mailbox{}, err
	}
	m := before
	if err := change(&m); err != nil {
		return postroom.Mailbox{}, err
	}
	if m, err = d.completeChange(ctx, before, m); err != nil {
		return postroom.Mailbox{}, err
	}
	if err := proof.prove(ctx, m, c.Mailbox); err != nil {
		return postroom.Mailbox{}, err
	}
	with, err := d.sealed(m, c)
	if err != nil {
		return postroom.Mailbox{}, err
	}
	with.Seen = before.UpdatedAt
	with.Reopen = with.Credential != nil || opensDifferently(before, m)
	with.NewServer = before.Incoming.Host != m.Incoming.Host || before.Incoming.Username != m.Incoming.Username
	with.EarlierStart = isEarlier(before.Start, m.Start)
	return d.Store.ChangeMailbox(ctx, m, with)
}

// completeChange completes what a change has made of a mailbox.
func (d *Desk) completeChange(ctx context.Context, before, m postroom.Mailbox) (postroom.Mailbox, error) {
	if old := before.Incoming; m.Incoming.Protocol != old.Protocol && m.Incoming.Port == old.Port && incomingServer(old.Protocol).isUsual(old.Port) {
		m.Incoming.Port = 0 // that of the other protocol: nobody listens there to this one
	}
	m, err := d.completeMailbox(ctx, m)
	if err != nil {
		return m, err
	}
	m.Start.At = startAt(before, m.Start)
	return m, nil
}

// startAt is the instant of a start: of start now the moment of the proof, or of
// this change when the mailbox was proven before.
func startAt(before postroom.Mailbox, s postroom.Start) time.Time {
	switch {
	case s.Kind != postroom.StartNow:
		return s.At
	case before.Start.Kind == postroom.StartNow:
		return before.Start.At
	case before.ProvenAt.IsZero():
		return time.Time{}
	}
	return time.Now().UTC().Truncate(time.Microsecond)
}

// isSameStart says whether two starts cover the same mail. The instant of a mailbox
// that brings in all is only when it was proven.
func isSameStart(a, b postroom.Start) bool {
	return a.Kind == b.Kind && (a.Kind == postroom.StartAll || a.At.Equal(b.At))
}

// isEarlier says whether the second start covers mail that the first did not.
func isEarlier(before, after postroom.Start) bool {
	switch {
	case before.Kind == postroom.StartAll:
		return false
	case after.Kind == postroom.StartAll:
		return true
	}
	return !after.At.IsZero() && !before.At.IsZero() && after.At.Before(before.At)
}

// opensDifferently says whether a change concerns what opens the mailbox, or what a
// server may refuse to have done with mail.
func opensDifferently(before, after postroom.Mailbox) bool {
	a, b := before.Incoming, after.Incoming
	a.PollInterval, b.PollInterval = 0, 0
	return !reflect.DeepEqual(a, b) || before.AfterImport != after.AfterImport || before.MoveTo != after.MoveTo
}

// Pause stops the reading of a mailbox until Resume.
func (d *Desk) Pause(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) error {
	return d.byAdmin(by, func() error { return d.Store.PauseMailbox(ctx, id) })
}

// Resume has a mailbox read again, and tried at once.
func (d *Desk) Resume(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) error {
	return d.byAdmin(by, func() error { return d.Store.ResumeMailbox(ctx, id) })
}

// Delete removes a mailbox: its credential is destroyed, its fingerprints stay.
// Its issues stay too, unless eraseIssues.
func (d *Desk) Delete(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, eraseIssues bool) error {
	return d.byAdmin(by, func() error { return d.Store.DeleteMailbox(ctx, id, eraseIssues) })
}

// Retry sends an arrival that was set aside on its way again.
func (d *Desk) Retry(ctx context.Context, by postroom.Viewer, id postroom.ArrivalID) error {
	return d.byAdmin(by, func() error { return d.Store.RetryArrival(ctx, id) })
}

func (d *Desk) byAdmin(by postroom.Viewer, do func() error) error {
	if err := needAdmin(by); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	d.wake()
	return nil
}
