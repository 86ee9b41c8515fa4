package mailbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mail/smtp"
)

// A SendReport says what became of a test mail.
type SendReport struct {
	To        string
	MessageID string // without angle brackets
	Outcome   smtp.Outcome
	Took      time.Duration
	Words     string          // what became of it, in words
	Reply     string          // what the server said to it, secrets removed; empty: nothing
	Fault     *postroom.Fault // why it was not sent, or why that is not known; nil when it was

	form postroom.Secret // of the password, that has worked; empty: none has
}

// The time-outs of a test mail beyond those of the mailbox: of the server's answer
// to the whole mail, and of everything, so that the page that waits gets an answer.
const (
	answerTimeout   = 30 * time.Second
	sendTestTimeout = 50 * time.Second
)

// SendTest sends a small mail from a mailbox: to an address, or to the mailbox
// itself where there is none.
func (d *Desk) SendTest(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, to string) (SendReport, error) {
	if err := needAdmin(by); err != nil {
		return SendReport{}, err
	}
	m, err := d.Store.Mailbox(ctx, id)
	if err != nil {
		return SendReport{}, err
	}
	if m.Outgoing == nil {
		return SendReport{}, onlyReads()
	}
	if to, err = recipient(to, m.Address); err != nil {
		return SendReport{}, err
	}
	c, err := d.outgoingCredential(ctx, id)
	if err != nil {
		return SendReport{}, fmt.Errorf("send a test mail from mailbox %s: %w", id, err)
	}
	r := d.tester().sendMail(ctx, m, c, testLetter(m, to, time.Now()))
	return r, d.prefer(ctx, d.PreferOutgoing, id, c.Password, r.form)
}

// onlyReads is the Fault for sending, or trying to, from a mailbox that cannot.
func onlyReads() error {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin, Field: "outgoing",
		Explanation: "This mailbox only reads: it has no server to send by.",
		Remedy:      "Enter the outgoing server in the settings of the mailbox.",
	}
}

// recipient checks the address that a test mail goes to.
func recipient(to, own string) (string, error) {
	to = strings.TrimPrefix(strings.TrimSpace(to), "mailto:")
	if to == "" {
		return own, nil
	}
	local, domain, ok := cutLast(to, '@')
	if !ok || !postroom.IsLocalPart(local) || !isDomain(domain) || len(to) > postroom.MaxAddress {
		return "", invalid("to", quote(to)+" cannot be a mail address.", "Look for a blank, a comma or a missing part, and write it such as anna@example.net.")
	}
	return to, nil
}

// testLetter is the mail that shows that sending works.
func testLetter(m postroom.Mailbox, to string, now time.Time) mime.Letter {
	_, domain, _ := cutLast(m.Address, '@')
	name := m.Name
	if name == m.Address {
		name = ""
	}
	return mime.Letter{
		From: postroom.Address{Name: name, Address: m.Address}, To: []postroom.Address{{Address: to}},
		Subject: "Test mail from Postroom", MessageID: strings.ToLower(rand.Text()) + "@" + domain, At: now, Automatic: true,
		Text: "This is a test mail.\n\n" +
			"Postroom sent it from " + m.Address + "\n" +
			"through " + m.Outgoing.Host + "\n" +
			"on " + now.UTC().Format("2 January 2006, 15:04") + " UTC, because an administrator asked for it.\n\n" +
			"If you can read this, sending works. Nothing has to be done.\n",
	}
}

// sendMail hands a letter over and says in words what became of it.
func (t Tester) sendMail(ctx context.Context, m postroom.Mailbox, c Credential, l mime.Letter) SendReport {
	ctx, cancel := context.WithTimeout(ctx, sendTestTimeout)
	defer cancel()
	since := time.Now()
	r := t.alone(OutgoingSide, outgoingSide(m), c)
	defer r.opening.end()
	to := l.To[0].Address
	fate, err := r.handOver(ctx, to, mime.Compose(l))
	report := SendReport{To: to, MessageID: l.MessageID, Outcome: fate.Outcome, Took: time.Since(since), Reply: fate.Words, form: r.form}
	host := m.Outgoing.Host
	switch fate.Outcome {
	case smtp.Sent:
		report.Words = host + " has taken the mail for " + to + ". It should be there within a minute or two; if not, look among the spam."
		return report
	case smtp.Uncertain:
		report.Fault = &postroom.Fault{
			Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByUser,
			Explanation: host + " has received the mail, and the connection ended before it said whether it takes it.",
			Remedy:      "Look whether the mail has arrived at " + to + " before you send another.",
			Err:         err,
		}
	default:
		report.Fault = r.explain(err)
	}
	report.Words = report.Fault.Explanation
	return report
}

// handOver signs in and hands one message over.
func (r *test) handOver(ctx context.Context, to string, raw []byte) (smtp.Fate, error) {
	client, err := letIn(ctx, r, func(l mail.Login) (*smtp.Client, error) {
		return smtp.Open(ctx, smtp.Options{
			Endpoint: r.watched(ctx), Login: l, CommandTimeout: commandTimeout, DataTimeout: commandTimeout, AnswerTimeout: answerTimeout,
		})
	})
	if err != nil {
		return smtp.Fate{Outcome: smtp.NotSent}, err
	}
	defer client.Close()
	return client.Send(ctx, r.m.Address, []string{to}, int64(len(raw)), bytes.NewReader(raw))
}
