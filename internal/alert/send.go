package alert

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mail/smtp"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
	"github.com/postroom/postroom/internal/work"
)

const (
	// sideBySide is how many notices are sent at once.
	sideBySide = 8
	// claimFor is how long a notice is ours: longer than all ways out take together.
	claimFor = 15 * time.Minute
	// giveUpAfter is how long a notice is tried.
	giveUpAfter = 3 * day
	// maxDoubts is how often a notice is sent of which nobody knows whether it went well.
	// A second one is a nuisance; none at all is what notices are there to prevent.
	maxDoubts = 2
	// settleTimeout is how long it may take to write down what became of a notice.
	settleTimeout = 30 * time.Second
	// testTimeout is how long whoever tests the contact waits.
	testTimeout = 55 * time.Second
)

// retry is how long a notice waits that did not leave.
var retry = work.Delay{First: time.Minute, Max: 4 * time.Hour, Factor: 3}

func (d *Desk) wakeSender() { work.Ring(d.posted()) }

func noticePlace(id postroom.NoticeID) vault.Place {
	return vault.Place{Table: "notice", Column: "sealed", Row: id.String()}
}

// Notify queues a mail to somebody, which leaves as notices do. Its text may open
// something, such as a link: it is kept sealed, and no longer than until it was sent.
func (d *Desk) Notify(ctx context.Context, kind postroom.NoticeKind, to, subject string, text postroom.Secret, link postroom.SignInLinkID) error {
	if !isAddress(to) {
		return invalid("to", "“"+shorten(to)+"” cannot be a mail address.", "Look for a blank, a comma or a missing part, and write it such as anna@example.net.")
	}
	now, err := d.now(ctx)
	if err != nil {
		return err
	}
	n := store.NewNotice{Kind: kind, Recipient: to, Subject: subject, LocalPart: newLocalPart(), At: now}
	_, err = d.Store.AddNotice(ctx, n, link, time.Time{}, func(id postroom.NoticeID) ([]byte, error) {
		return d.Ring.Seal(text, noticePlace(id))
	})
	if err == nil {
		d.wakeSender()
	}
	return err
}

// TestContact sends a mail to every contact address at once, and says what became of
// each. For administrators.
func (d *Desk) TestContact(ctx context.Context, by postroom.Viewer) ([]postroom.Notice, error) {
	if err := needAdmin(by); err != nil {
		return nil, err
	}
	contact, err := d.Contact(ctx)
	if err != nil {
		return nil, err
	}
	if len(contact) == 0 {
		return nil, invalid("contact", "There is no contact address to test.", "Enter one that is not among the mailboxes connected here.")
	}
	now, err := d.now(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	told := make([]postroom.Notice, len(contact))
	errs := make([]error, len(contact))
	var tests sync.WaitGroup
	for i, to := range contact {
		tests.Go(func() { told[i], errs[i] = d.test(ctx, to, now) })
	}
	tests.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return told, nil
}

func (d *Desk) test(ctx context.Context, to string, now time.Time) (postroom.Notice, error) {
	n := store.NewNotice{
		Kind: postroom.NoticeTest, Recipient: to, Subject: "Postroom: this address is told when something needs a person",
		Text: testText(d.Base), LocalPart: newLocalPart(), At: now,
	}
	id, err := d.Store.AddNotice(ctx, n, 0, now.Add(claimFor), nil)
	if err != nil {
		return postroom.Notice{}, err
	}
	c := store.ClaimedNotice{LocalPart: n.LocalPart, Notice: postroom.Notice{
		ID: id, Kind: n.Kind, To: to, Subject: n.Subject, Text: n.Text, State: postroom.NoticeSending, Tries: 1, CreatedAt: now,
	}}
	o := d.try(ctx, c, now)
	if o.State == postroom.NoticeQueued { // whoever tests it has the answer now
		o.State, o.NextTryAt = postroom.NoticeRefused, time.Time{}
	}
	c.State, c.Via, c.Fault = o.State, o.Via, o.Fault
	if o.State == postroom.NoticeSent {
		c.SentAt = o.At
	}
	return c.Notice, d.settle(ctx, o)
}

func testText(base string) string {
	text := wrap("This is a test. When a mailbox needs somebody to sign in, or something else needs a person, Postroom tells this address.") +
		"\nIf you can read this, it arrives. Nothing has to be done.\n"
	if base != "" {
		text += "\nWhat needs somebody now:\n  " + strings.TrimSuffix(base, "/") + "/alerts\n"
	}
	return text
}

// sendDue sends the notices that are due.
func (d *Desk) sendDue(ctx context.Context) (did int, next time.Time, err error) {
	now, err := d.now(ctx)
	if err != nil {
		return 0, time.Time{}, err
	}
	claimed, err := d.Store.ClaimNotices(ctx, now, now.Add(claimFor), sideBySide)
	if err != nil {
		return 0, time.Time{}, err
	}
	errs := make([]error, len(claimed))
	var sent sync.WaitGroup
	for i, c := range claimed {
		sent.Go(func() { errs[i] = d.settle(ctx, d.try(ctx, c, now)) })
	}
	sent.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, time.Time{}, err
		}
	}
	due, ok, err := d.Store.NextNotice(ctx)
	if err != nil || !ok {
		return len(claimed), time.Time{}, err
	}
	return len(claimed), time.Now().Add(due.Sub(now)), nil // the loop has another clock
}

// settle writes down what became of a notice. That must not be lost for a stop: it would
// be sent again.
func (d *Desk) settle(ctx context.Context, o store.NoticeOutcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	return d.Store.SettleNotice(ctx, o)
}

// try sends a notice by one way after another, until one takes it.
func (d *Desk) try(ctx context.Context, c store.ClaimedNotice, now time.Time) store.NoticeOutcome {
	o := store.NoticeOutcome{ID: c.ID, At: now}
	text := postroom.Hide(c.Text)
	if c.Sealed != nil {
		var err error
		if text, err = d.Ring.Open(c.Sealed, noticePlace(c.ID)); err != nil {
			d.Log.WarnContext(ctx, "a notice cannot be opened", "notice", c.ID, "err", err)
			o.State, o.Fault = postroom.NoticeRefused, cannotBeOpened(err)
			return o
		}
	}
	ways, err := d.ways(ctx, c.Alert)
	if err != nil {
		o.Fault = ownFault(err)
		return d.again(o, c, now)
	}
	o.Fault = noWay()
	for _, w := range ways {
		fate, fault := d.sendBy(ctx, w, c, text, now)
		o.Via = w.name
		if o.Fault = fault; fate.Outcome == smtp.Sent {
			o.State, o.Fault = postroom.NoticeSent, nil
			return o
		}
		if fate.Outcome == smtp.Uncertain {
			o.Doubt = true
			if c.Doubts+1 >= maxDoubts {
				o.State = postroom.NoticeSent
				return o
			}
			return d.again(o, c, now)
		}
		if ctx.Err() != nil {
			break
		}
		d.rests.rest(w.name, fault, now)
	}
	return d.again(o, c, now)
}

// again has a notice tried again later, until it has been for long enough.
func (d *Desk) again(o store.NoticeOutcome, c store.ClaimedNotice, now time.Time) store.NoticeOutcome {
	if now.Sub(c.CreatedAt) >= giveUpAfter {
		o.State = postroom.NoticeRefused
		return o
	}
	o.State, o.NextTryAt = postroom.NoticeQueued, now.Add(retry.After(c.Tries))
	return o
}

// sendBy hands a notice over by one way.
func (d *Desk) sendBy(ctx context.Context, w way, c store.ClaimedNotice, text postroom.Secret, now time.Time) (smtp.Fate, *postroom.Fault) {
	_, domain, _ := strings.Cut(w.from, "@")
	l := mime.Letter{
		From: postroom.Address{Name: "Postroom", Address: w.from}, To: []postroom.Address{{Address: c.To}},
		Subject: c.Subject, MessageID: c.LocalPart + "@" + domain, At: now, Automatic: true, Text: text.Reveal(),
	}
	var err error
	if l.Mark, err = d.mark(c.ID, l); err != nil {
		return smtp.Fate{Outcome: smtp.NotSent}, ownFault(err)
	}
	return w.send(ctx, l)
}

func noWay() *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin, Field: "relay",
		Explanation: "There is no relay, and no mailbox that is being read can send.",
		Remedy:      "Enter a relay, or connect a mailbox with an outgoing server.",
	}
}

func cannotBeOpened(err error) *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "This notice cannot be opened with the keys that are here.",
		Remedy:      "Send it again from where it was made.",
		Err:         err,
	}
}

// ownFault is what is said of a failure that is nobody's outside.
func ownFault(err error) *postroom.Fault {
	if f, ok := postroom.FaultOf(err); ok {
		return f
	}
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "The notice did not leave because of a mistake in Postroom itself.",
		Remedy:      "Nothing has to be done: the next try comes by itself. If this lasts, report what the log says to the makers of Postroom.",
		Err:         err,
	}
}
