package mailbox

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mail/smtp"
	"github.com/postroom/postroom/internal/store"
)

// A RoundTrip is a mail that a mailbox has sent to itself, to prove that mail to it
// becomes an issue.
type RoundTrip struct {
	// OK says that the mail was sent, has arrived, and became an issue. What was not
	// cleared away afterwards does not count.
	OK      bool
	Running bool // it is under way
	Kept    bool // the issue was wanted
	Steps   []RoundTripStep
	BegunAt time.Time
	EndedAt time.Time // zero: it is under way

	MessageID string           // without brackets
	Issue     postroom.IssueID // that it became, also where it is deleted; 0: none
	Number    int64            // of the issue
}

// Fault returns why the mail did not become an issue; nil when it did, or when that
// is not known yet.
func (r RoundTrip) Fault() *postroom.Fault {
	for _, s := range r.Steps {
		if s.Fault != nil && s.Kind.isProof() {
			return s.Fault
		}
	}
	return nil
}

// A RoundTripKind says what a step of a round trip is about.
type RoundTripKind string

// The steps, in the order in which they come.
const (
	RoundTripSent  RoundTripKind = "sent"
	RoundTripSeen  RoundTripKind = "seen" // by the reader, on the server
	RoundTripFiled RoundTripKind = "filed"
	// What follows is left out where the issue is to be kept.
	RoundTripIssue   RoundTripKind = "issue_removed"
	RoundTripMail    RoundTripKind = "mail_removed" // from the server
	RoundTripEarlier RoundTripKind = "earlier_removed"
)

// Title is the step in words.
func (k RoundTripKind) Title() string {
	switch k {
	case RoundTripSent:
		return "Send a mail to itself"
	case RoundTripSeen:
		return "See it arrive"
	case RoundTripFiled:
		return "Turn it into an issue"
	case RoundTripIssue:
		return "Delete the issue"
	case RoundTripMail:
		return "Delete the mail on the server"
	case RoundTripEarlier:
		return "Clear away earlier test mails"
	}
	return string(k)
}

// isProof says whether a step is a part of what a round trip proves.
func (k RoundTripKind) isProof() bool {
	return k == RoundTripSent || k == RoundTripSeen || k == RoundTripFiled
}

// A RoundTripStep is one thing that happened on a round trip.
type RoundTripStep struct {
	Kind    RoundTripKind
	OK      bool
	Running bool // it has begun and is not through
	Took    time.Duration
	Detail  string          // in words
	Fault   *postroom.Fault // why not; nil when it went well
}

// RoundTripOptions say how a round trip is made.
type RoundTripOptions struct {
	// KeepIssue leaves the issue, and the mail on the server, where they are.
	KeepIssue bool
	// Progress is told each step when it begins, whenever there is something new to
	// say of it, and when it is through; a step of the same kind replaces the one
	// before. Nil: nobody listens.
	Progress func(RoundTripStep)
	// Patience is how long the mail may take to become an issue; 0: two minutes.
	Patience time.Duration
}

const (
	tripPatience = 2 * time.Minute
	// clearingLimit is how long clearing away may take.
	clearingLimit = time.Minute
)

// RoundTrip has a mailbox send a mail to itself, waits until that has become an
// issue, and clears it away: the issue here, as people delete issues, and this one
// mail on the server. It is for a mailbox that is being read and has an outgoing
// server. Where it is interrupted the mail is an ordinary one, and the next round
// trip clears it away.
func (d *Desk) RoundTrip(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, o RoundTripOptions) (RoundTrip, error) {
	if err := needAdmin(by); err != nil {
		return RoundTrip{}, err
	}
	m, err := d.Store.Mailbox(ctx, id)
	if err != nil {
		return RoundTrip{}, err
	}
	if f := d.notForRoundTrip(m); f != nil {
		return RoundTrip{}, f
	}
	if o.Patience == 0 {
		o.Patience = tripPatience
	}
	t := &trip{Desk: d, by: by, m: m, o: o}
	if err := t.openSecrets(ctx); err != nil {
		return RoundTrip{}, fmt.Errorf("round trip of mailbox %s: %w", id, err)
	}
	letter := roundTripLetter(m, time.Now())
	t.row, err = d.Store.BeginRoundTrip(ctx,
		store.RoundTrip{Mailbox: id, MessageID: letter.MessageID, Subject: letter.Subject, Kept: o.KeepIssue},
		sendTestTimeout+o.Patience+clearingLimit)
	if err != nil {
		return RoundTrip{}, err
	}
	t.run(ctx, letter)
	t.save(ctx, true)
	return t.result(), t.err
}

// LastRoundTrip returns the newest round trip of a mailbox as far as it has come; ok
// is false where there was none lately.
func (d *Desk) LastRoundTrip(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) (r RoundTrip, ok bool, err error) {
	if err := needAdmin(by); err != nil {
		return RoundTrip{}, false, err
	}
	row, ok, err := d.Store.LastRoundTrip(ctx, id)
	if err != nil || !ok {
		return RoundTrip{}, false, err
	}
	found, err := d.Store.FindRoundTrip(ctx, row)
	if err != nil {
		return RoundTrip{}, false, err
	}
	now, err := d.Store.Now(ctx)
	return resultOf(row, found, now), err == nil, err
}

// notForRoundTrip says why a mailbox cannot make a round trip now.
func (d *Desk) notForRoundTrip(m postroom.Mailbox) *postroom.Fault {
	f := &postroom.Fault{Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin}
	switch {
	case m.Outgoing == nil:
		f.Kind, f.Field = postroom.Invalid, "outgoing"
		f.Explanation = "This mailbox only reads, so it cannot send itself a mail."
		f.Remedy = "Enter the outgoing server in the settings of the mailbox. Or send it a mail from elsewhere, and look whether that becomes an issue."
	case m.State == postroom.MailboxPaused:
		f.Explanation = "This mailbox is paused, so nobody would see the mail arrive."
		f.Remedy = "Resume the mailbox, then try the round trip again."
	case m.State == postroom.MailboxActive && d.Unattended:
		f.Explanation = "Postroom is not running on this data, so nobody would see the mail arrive."
		f.Remedy = "Start “postroom serve”, then try the round trip again."
	case m.State == postroom.MailboxActive:
		return nil
	case m.Fault != nil:
		f.Class, f.FixBy, f.Link, f.Reply = m.Fault.Class, m.Fault.FixBy, m.Fault.Link, m.Fault.Reply
		f.Explanation = "This mailbox is not being read, so nobody would see the mail arrive. " + m.Fault.Explanation
		f.Remedy = m.Fault.Remedy
	default:
		f.Explanation = "This mailbox has not been proven yet, so nobody would see the mail arrive."
		f.Remedy = "Test the connection first. As soon as the mailbox is being read, try the round trip again."
	}
	return f
}

// A trip is a round trip that is under way.
type trip struct {
	*Desk
	by        postroom.Viewer
	m         postroom.Mailbox
	in, out   Credential
	o         RoundTripOptions
	row       store.RoundTrip
	found     store.RoundTripFound
	sentAt    time.Time        // by the clock of the database
	bounces   []postroom.RawID // that were read
	uncertain bool             // whether the server has taken the mail
	err       error            // ours: the database
}

func (t *trip) openSecrets(ctx context.Context) error {
	var err error
	if t.in, err = t.incomingCredential(ctx, t.m.ID); err == nil {
		t.out, err = t.outgoingCredential(ctx, t.m.ID)
	}
	return err
}

// run makes the round trip. What clears away goes on when nobody waits any more.
func (t *trip) run(ctx context.Context, l mime.Letter) {
	if !t.send(ctx, l) {
		t.row.Removed = true // there never was anything
		return
	}
	if !t.await(ctx) || t.o.KeepIssue {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearingLimit)
	defer cancel()
	t.clear(ctx)
}

// send hands the mail over; false: it was not sent.
func (t *trip) send(ctx context.Context, l mime.Letter) bool {
	t.begin(ctx, RoundTripSent, "To "+t.m.Address+", through "+t.m.Outgoing.Host+".")
	report := t.tester().sendMail(ctx, t.m, t.out, l)
	if err := t.prefer(ctx, t.PreferOutgoing, t.m.ID, t.out.Password, report.form); err != nil {
		t.err = err
	}
	now, err := t.Store.Now(context.WithoutCancel(ctx))
	if err != nil {
		t.err, now = err, time.Now()
	}
	t.sentAt = now
	s := RoundTripStep{Kind: RoundTripSent, Took: report.Took, Detail: t.m.Outgoing.Host + " has taken the mail for " + report.To + ".", OK: report.Outcome == smtp.Sent}
	if t.uncertain = report.Outcome == smtp.Uncertain; t.uncertain {
		s.Detail = "It is not known whether the server has taken the mail; whether it arrives will tell."
	}
	if !s.OK {
		s.Fault = report.Fault
		if !t.uncertain {
			s.Detail = "The mail was not sent."
		}
	}
	t.tell(ctx, s)
	return s.OK || t.uncertain
}

// roundTripLetter is the mail that a mailbox sends to itself. Its subject is its own,
// since some servers replace the Message-ID.
func roundTripLetter(m postroom.Mailbox, now time.Time) mime.Letter {
	l := testLetter(m, m.Address, now)
	l.Subject = "Round trip test from Postroom (" + strings.ToLower(rand.Text()[:8]) + ")"
	l.Text = "This is a test mail.\n\n" +
		"Postroom sent it from " + m.Address + " to itself\n" +
		"through " + m.Outgoing.Host + "\n" +
		"on " + now.UTC().Format("2 January 2006, 15:04") + " UTC, because an administrator asked\n" +
		"whether mails to this address become issues.\n\n" +
		"If you read this as an issue, they do. It can be deleted.\n"
	return l
}

// begin tells that a step has begun.
func (t *trip) begin(ctx context.Context, k RoundTripKind, detail string) {
	t.tell(ctx, RoundTripStep{Kind: k, Running: true, Detail: detail})
}

// tell writes a step down, in the place of the one of the same kind, and tells it.
func (t *trip) tell(ctx context.Context, s RoundTripStep) {
	kept := store.RoundTripStep{Step: string(s.Kind), OK: s.OK, Running: s.Running, Took: s.Took, Detail: s.Detail, Fault: s.Fault}
	known := false
	for i := range t.row.Steps {
		if t.row.Steps[i].Step == kept.Step {
			t.row.Steps[i], known = kept, true
		}
	}
	if !known {
		t.row.Steps = append(t.row.Steps, kept)
	}
	t.save(ctx, false)
	if t.o.Progress != nil {
		t.o.Progress(s)
	}
}

// saveLimit is how long writing down how far it came may take.
const saveLimit = 5 * time.Second

func (t *trip) save(ctx context.Context, ended bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLimit)
	defer cancel()
	if err := t.Store.SaveRoundTrip(ctx, t.row, ended); err != nil && t.err == nil {
		t.err = err
	}
	if ended {
		t.row.EndedAt = time.Now()
	}
}

func (t *trip) result() RoundTrip { return resultOf(t.row, t.found, time.Now()) }

func resultOf(row store.RoundTrip, found store.RoundTripFound, now time.Time) RoundTrip {
	r := RoundTrip{
		Kept: row.Kept, BegunAt: row.BegunAt, EndedAt: row.EndedAt, MessageID: row.MessageID,
		Issue: found.Issue, Number: found.Number,
	}
	if r.EndedAt.IsZero() && row.Until.Before(now) {
		r.EndedAt = row.Until
	}
	r.Running = r.EndedAt.IsZero()
	for _, s := range row.Steps {
		step := RoundTripStep{Kind: RoundTripKind(s.Step), OK: s.OK, Running: s.Running, Took: s.Took, Detail: s.Detail, Fault: s.Fault}
		if step.Running && !r.Running {
			step.Running, step.Fault = false, interrupted()
		}
		r.OK = r.OK || step.Kind == RoundTripFiled && step.OK
		r.Steps = append(r.Steps, step)
	}
	return r
}

// interrupted is the Fault of a round trip that nobody saw the end of.
func interrupted() *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "The round trip was ended before it was through.",
		Remedy:      "Try it again. What is left of this one is cleared away then.",
	}
}
