package mailbox

import (
	"bytes"
	"context"
	"fmt"
	"net/mail"
	"time"

	"github.com/postroom/postroom"
	postmail "github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/pop3"
)

const (
	// inUseLasts is how long a test waits for a mailbox that somebody has open: one
	// who has just left may still count for a moment. It does not knock too often,
	// which some servers take for guessing.
	inUseLasts = 6 * time.Second
	inUseLook  = 1500 * time.Millisecond
)

// readPOP3 opens the mailbox by POP3. No message is fetched by RETR, which servers
// take for having been given away, and none is deleted.
func (r *test) readPOP3(ctx context.Context) {
	client, err := r.signInPOP3(ctx)
	if err != nil {
		err = r.inUse(err)
	}
	if !r.opened(ctx, err) {
		return
	}
	defer client.Close()
	r.measured.loginDelay = client.LoginDelay()
	if newest, ok := r.listPOP3(ctx, client); ok && r.lookAtHeader(ctx, client, newest) && r.dealAfterPOP3(ctx, client) {
		r.awaitNewsPOP3(ctx, client)
	}
}

func (r *test) signInPOP3(ctx context.Context) (*pop3.Client, error) {
	return letIn(ctx, r, func(l postmail.Login) (*pop3.Client, error) { return r.openPOP3(ctx, l) })
}

// openPOP3 signs in, and tries again for a while where somebody has the mailbox open.
func (r *test) openPOP3(ctx context.Context, l postmail.Login) (client *pop3.Client, err error) {
	until := time.Now().Add(inUseLasts)
	if r.Patience > 0 {
		until = time.Now().Add(r.Patience)
	}
	for {
		r.opening.again()
		client, err = pop3.Open(ctx, pop3.Options{
			Endpoint: r.watched(ctx), Login: l, CommandTimeout: r.patience(), LiteralTimeout: commandTimeout, Transcript: r.hear,
		})
		if err == nil || !r.isInUse(err) || time.Now().Add(inUseLook).After(until) {
			return client, err
		}
		select {
		case <-ctx.Done():
			return client, err
		case <-time.After(inUseLook):
		}
	}
}

func (r *test) isInUse(err error) bool {
	if refusal, ok := postmail.RefusalOf(err); ok && refusal.Code == "IN-USE" { // RFC 2449 section 8.1.1
		return true
	}
	f := r.Explainer.explain(err, r.m, r.c, false)
	return f != nil && f.Class == postroom.MailboxInUse
}

// inUse says of a mailbox that somebody has open what that means for a test.
func (r *test) inUse(err error) error {
	f := r.Explainer.explain(err, r.m, r.c, false)
	if f == nil || !r.isInUse(err) {
		return err
	}
	with := *f
	with.Kind, with.Class, with.FixBy = postroom.Delayed, postroom.MailboxInUse, postroom.FixByWaiting
	with.Explanation = "This mailbox is being read at this moment, and its server lets in only one at a time."
	with.Remedy = "Test it again in a minute. If another program fetches this mailbox by POP3 too, close that, or read the mailbox by IMAP."
	return &with
}

// listPOP3 counts the messages, and returns the newest; its number is 0 where there
// is none.
func (r *test) listPOP3(ctx context.Context, client *pop3.Client) (newest pop3.Message, ok bool) {
	r.begin(StepFolder, "INBOX")
	all, hasUIDL, err := client.List(ctx)
	if err != nil {
		return newest, r.bad(ctx, "INBOX", err)
	}
	detail := "INBOX: " + messages(int64(len(all)))
	if len(all) > 0 {
		newest = all[len(all)-1]
		if !hasUIDL {
			detail += ". The server has no lasting names for them, so Postroom tells them apart by what they hold."
		}
	}
	r.good(detail)
	return newest, true
}

// lookAtHeader has the server give the header of one message, where it can do so
// without giving the message away.
func (r *test) lookAtHeader(ctx context.Context, client *pop3.Client, newest pop3.Message) bool {
	if newest.Number == 0 {
		return true
	}
	r.begin(StepMessage, "")
	days, expires := client.Expire()
	if !client.Has("TOP") || client.IsGmail() || expires && days == 0 {
		r.good("None was looked at: this server would take it for having been fetched.")
		return true
	}
	header, err := client.Top(ctx, newest.Number)
	if err != nil && !client.Usable() {
		return r.bad(ctx, "", err)
	}
	if err != nil {
		r.good("The server does not show a header without its message.")
		return true
	}
	detail := "The newest one"
	if at := dateOf(header); !at.IsZero() {
		detail += ", of " + at.Format("2 January 2006")
	}
	if newest.SizeBytes > 0 {
		detail += fmt.Sprintf(", %s bytes", grouped(newest.SizeBytes))
	}
	r.good(detail + ".")
	return true
}

// dateOf is the Date field of a header; zero where it cannot be read.
func dateOf(header []byte) time.Time {
	m, err := mail.ReadMessage(bytes.NewReader(append(bytes.TrimRight(header, "\r\n"), "\r\n\r\n"...)))
	if err != nil {
		return time.Time{}
	}
	at, err := m.Header.Date()
	if err != nil {
		return time.Time{}
	}
	return at
}

// dealAfterPOP3 says what becomes of mail on the server. A server that deletes what
// was fetched cannot keep it.
func (r *test) dealAfterPOP3(ctx context.Context, client *pop3.Client) bool {
	days, expires := client.Expire()
	keep := r.m.AfterImport != postroom.AfterImportDelete
	if keep && !expires {
		return true
	}
	r.begin(StepAfterImport, "")
	switch {
	case !keep:
		r.good("Once a mail is here, it is deleted there.")
	case days == 0:
		return r.bad(ctx, "", &postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "after_import",
			Explanation: "This server deletes every message that was fetched from it, so mail cannot be left there untouched.",
			Remedy:      "Choose that mail is deleted after import, if that is what you want; or read the mailbox by IMAP.",
		})
	default:
		r.good(fmt.Sprintf("Mail is left there; the server itself deletes it after %s days.", grouped(int64(days))))
	}
	return true
}

// awaitNewsPOP3 says how new mail is noticed: POP3 never tells.
func (r *test) awaitNewsPOP3(ctx context.Context, client *pop3.Client) {
	r.begin(StepNews, "")
	if err := client.Noop(ctx); err != nil && !client.Usable() {
		r.bad(ctx, "", err)
		return
	}
	pause, why := r.m.Incoming.PollInterval, ""
	if delay := client.LoginDelay(); delay > pause {
		pause, why = delay, ": the server lets nobody sign in more often"
	}
	r.good("Postroom looks " + every(pause) + why + ".")
}
