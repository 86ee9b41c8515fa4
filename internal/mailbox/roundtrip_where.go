package mailbox

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
)

const (
	whereLimit   = 20 * time.Second // for looking where the mail is
	whereFolders = 30               // how many folders are looked into
)

// whereabouts says where a mail most likely is that was sent and did not become an
// issue. It changes nothing.
func (t *trip) whereabouts(ctx context.Context) *postroom.Fault {
	if m, err := t.Store.Mailbox(ctx, t.m.ID); err == nil && m.State != postroom.MailboxActive {
		return t.notForRoundTrip(m)
	}
	if t.m.Incoming.Protocol == postroom.IMAP {
		ctx, cancel := context.WithTimeout(ctx, whereLimit)
		defer cancel()
		if folder, ok := t.folderWith(ctx); ok {
			return t.elsewhere(folder)
		}
	}
	f := &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByWaiting,
		Explanation: t.m.Outgoing.Host + " has taken the mail, but within " + inWords(t.o.Patience) + " it has not arrived at " + t.m.Incoming.Host + ".",
		Remedy:      "Wait a quarter of an hour. It becomes an issue as soon as it arrives, and the next round trip clears it away. If it does not, ask whoever runs the mail server whether it was held back.",
		Others: []string{
			"a server on the way has put it off, as some do with senders that they do not know yet (greylisting)",
			"a filter of the provider holds it back",
			"mail to " + t.m.Address + " is delivered to another mailbox than the one that is read",
		},
	}
	if t.uncertain {
		f.Explanation = "It is not known whether " + t.m.Outgoing.Host + " has taken the mail, and within " + inWords(t.o.Patience) + " it has not arrived."
		f.Remedy = "Try the round trip again in a few minutes."
	}
	if t.m.Incoming.Protocol == postroom.POP3 {
		f.Others = slices.Insert(f.Others, 0, "it lies among the spam, which POP3 does not show: look there by the provider’s page or a mail program")
	}
	return f
}

// folderWith looks for the mail in the folders of the server, the likely ones first.
func (t *trip) folderWith(ctx context.Context) (found imap.Folder, ok bool) {
	client, end, err := t.openIMAP(ctx)
	if err != nil {
		return imap.Folder{}, false
	}
	defer end()
	folders, err := client.Folders(ctx)
	if err != nil {
		return imap.Folder{}, false
	}
	slices.SortStableFunc(folders, func(a, b imap.Folder) int { return t.likelihood(a) - t.likelihood(b) })
	for i, f := range folders {
		if i == whereFolders || ctx.Err() != nil || !client.Usable() {
			break
		}
		if f.NoSelect || serves(f, `\Sent`) || f.SpecialUse == `\Drafts` {
			continue
		}
		if _, err := client.Examine(ctx, f.Name); err != nil {
			continue
		}
		if copies, err := client.CopiesOf(ctx, t.row.MessageID, 0); err == nil && len(copies) > 0 {
			return f, true
		}
	}
	return imap.Folder{}, false
}

// likelihood orders folders, the likely ones first. All Mail has what others have
// too, so that it says least.
func (t *trip) likelihood(f imap.Folder) int {
	switch {
	case serves(f, `\Junk`):
		return 0
	case strings.EqualFold(f.Name, "INBOX"):
		return 1
	case f.SpecialUse == `\All`:
		return 4
	case f.SpecialUse == `\Archive`, f.SpecialUse == `\Trash`:
		return 3
	}
	return 2
}

// elsewhere is the Fault of a mail that has arrived, and was not read.
func (t *trip) elsewhere(in imap.Folder) *postroom.Fault {
	f := &postroom.Fault{Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByUser}
	isRead := slices.ContainsFunc(t.m.Incoming.Folders, func(name string) bool { return folderKey(name) == folderKey(in.Name) })
	switch {
	case isRead:
		f.Kind, f.FixBy = postroom.Delayed, postroom.FixByWaiting
		f.Explanation = "The mail has arrived in " + quote(in.Name) + ", but has not become an issue yet."
		f.Remedy = "Look at the ledger of the mailbox: it says whether reading is behind, or what became of the mail."
	case serves(in, `\Junk`):
		f.Class = postroom.ContentRejected
		f.Explanation = "The mail was taken for spam: it is in the folder " + quote(in.Name) + ", which Postroom does not read."
		f.Remedy = "Mark it as no spam there, and put " + t.m.Address + " among the known senders. If mail of customers ends there too, have Postroom read that folder as well."
	default:
		f.Field = "incoming.folders"
		f.Explanation = "The mail has arrived in the folder " + quote(in.Name) + ", which Postroom does not read here."
		f.Remedy = "Have Postroom read " + quote(in.Name) + " too, in the settings of the mailbox; or change the rule at the provider that puts mail there."
	}
	return f
}

// openIMAP opens a session beside that of the reader.
func (t *trip) openIMAP(ctx context.Context) (client *imap.Client, end func(), err error) {
	r := t.tester().alone(IncomingSide, t.m, t.in)
	client, err = letIn(ctx, r, func(l mail.Login) (*imap.Client, error) {
		return imap.Open(ctx, imap.Options{Endpoint: r.endpoint(), Login: l, CommandTimeout: commandTimeout, LiteralTimeout: commandTimeout})
	})
	if err != nil {
		r.opening.end()
		return nil, nil, err
	}
	return client, func() {
		_ = client.Close()
		r.opening.end()
	}, nil
}
