// Package alert tells the right person that something needs them, once per cause.
package alert

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mail/smtp"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

// A Desk knows what needs a person, and tells them: on the pages, and by mail of its
// own, which is called a notice.
type Desk struct {
	Store *store.DB
	Ring  *vault.Ring
	// Base is the address under which people reach the pages, without a slash at its
	// end; empty: nobody has said, and notices name no page.
	Base string
	// Ahead lists what is known to end. Nil: nothing is.
	Ahead func(ctx context.Context) ([]postroom.Expiry, error)
	// Space says why no mail is read for lack of room, or that it is running low; nil
	// where there is enough, and where nobody looks.
	Space func() *postroom.Fault
	// SendBy hands a letter to the outgoing server of a mailbox, whose address the
	// letter is from. The error is nil when it was sent, else a Fault. Nil: notices leave
	// by the relay only.
	SendBy func(ctx context.Context, id postroom.MailboxID, l mime.Letter) (smtp.Fate, error)
	// AllowPlaintext lets the relay be another computer that is reached without
	// encryption.
	AllowPlaintext bool
	// Now is the time; nil: the database's clock.
	Now func() time.Time
	Log *slog.Logger
}

// Run raises, reminds and ends alerts and sends notices until ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

var errNotYet = errors.New("not yet")

// Open lists the alerts that need somebody now, the gravest first: all of them for an
// administrator, for others those of mailboxes that they own.
func (d *Desk) Open(ctx context.Context, by postroom.Viewer) ([]postroom.Alert, error) {
	return nil, errNotYet
}

// History lists alerts that have ended, the newest first.
func (d *Desk) History(ctx context.Context, by postroom.Viewer, limit int) ([]postroom.Alert, error) {
	return nil, errNotYet
}

// Alert returns one alert, also after its end.
func (d *Desk) Alert(ctx context.Context, by postroom.Viewer, id postroom.AlertID) (postroom.Alert, error) {
	return postroom.Alert{}, errNotYet
}

// Notices lists the mails about an alert, the oldest first. For administrators.
func (d *Desk) Notices(ctx context.Context, by postroom.Viewer, id postroom.AlertID) ([]postroom.Notice, error) {
	return nil, errNotYet
}

// Seen keeps that somebody has closed the pop-up of an alert.
func (d *Desk) Seen(ctx context.Context, by postroom.Viewer, id postroom.AlertID) error {
	return errNotYet
}

// Notify queues a mail to somebody, which leaves as notices do. Its text may open
// something, such as a link: it is kept sealed, and no longer than until it was sent.
func (d *Desk) Notify(ctx context.Context, kind postroom.NoticeKind, to, subject string, text postroom.Secret, link postroom.SignInLinkID) error {
	return errNotYet
}
