package mailbox

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
)

// readIMAP opens the mailbox by IMAP.
func (r *test) readIMAP(ctx context.Context) {
	client, err := letIn(ctx, r, func(l mail.Login) (*imap.Client, error) {
		return imap.Open(ctx, imap.Options{
			Endpoint: r.watched(ctx), Login: l, CommandTimeout: r.patience(), LiteralTimeout: commandTimeout, Transcript: r.hear,
		})
	})
	if !r.opened(ctx, err) {
		return
	}
	defer client.Close()
	o := &openIMAP{test: r, client: client}
	if o.openFolders(ctx) && o.lookAtMessage(ctx) {
		o.dealAfterImport()
		o.awaitNews(ctx)
	}
	o.listFolders(ctx)
}

// An openIMAP is a mailbox that a test has opened by IMAP.
type openIMAP struct {
	*test
	client *imap.Client
	open   string      // the folder that is open
	newest imap.Status // of the first folder with a message
}

// openFolders opens every folder for reading only.
func (r *openIMAP) openFolders(ctx context.Context) bool {
	ok := true
	for _, folder := range r.m.Incoming.Folders {
		r.begin(StepFolder, folder)
		s, err := r.examine(ctx, folder)
		if err != nil {
			ok = r.bad(ctx, folder, r.withFolders(ctx, folder, err))
			if !r.client.Usable() {
				return false
			}
			continue
		}
		r.good(folder + ": " + messages(int64(s.Exists)))
		if r.newest.Folder == "" && s.Exists > 0 {
			r.newest = s
		}
	}
	return ok
}

// examine opens a folder for reading only. The one that was open is so no longer, also
// where the other does not open.
func (r *openIMAP) examine(ctx context.Context, folder string) (imap.Status, error) {
	s, err := r.client.Examine(ctx, folder)
	if r.open = folder; err != nil {
		r.open = ""
	}
	return s, err
}

// withFolders adds to the Fault of a folder that is not there which ones are.
func (r *openIMAP) withFolders(ctx context.Context, folder string, err error) error {
	f := r.Explainer.explain(err, r.m, r.c, false)
	if f == nil || f.Class != postroom.FolderMissing || !r.client.Usable() {
		return err
	}
	with := *f
	r.listFolders(ctx)
	if slices.ContainsFunc(r.folders, func(have Folder) bool { return have.Name == folder }) {
		with.Explanation = "The server has the folder " + quote(folder) + " in its list, and says that it does not exist."
		with.Remedy = "Choose another folder, or ask whoever runs the server."
		return &with
	}
	with.Explanation = "There is no folder " + quote(folder) + " in this mailbox."
	with.Remedy = "Choose a folder that exists."
	r.measured.missing = append(r.measured.missing, folder)
	var names []string
	for _, have := range r.folders[:min(len(r.folders), 12)] {
		names = append(names, quote(have.Name))
	}
	if len(names) > 0 {
		with.Remedy = "Choose one that exists: " + strings.Join(names, ", ") + "."
	}
	return &with
}

// lookAtMessage has the server give the dates of one message, without marking it.
func (r *openIMAP) lookAtMessage(ctx context.Context) bool {
	if r.newest.Folder == "" {
		return true // there is none
	}
	r.begin(StepMessage, "")
	fact, err := r.newestMessage(ctx)
	switch {
	case err != nil:
		return r.bad(ctx, "", err)
	case fact.UID == 0:
		r.good("The server gave none; it may just have been removed.")
	default:
		r.good(fmt.Sprintf("The newest one, of %s, %s bytes.", fact.InternalDate.Format("2 January 2006"), grouped(fact.SizeBytes)))
	}
	return true
}

// newestMessage asks for what the newest message is; its UID is 0 where the server
// gives none.
func (r *openIMAP) newestMessage(ctx context.Context) (fact imap.Fact, err error) {
	if r.open != r.newest.Folder {
		if _, err := r.examine(ctx, r.newest.Folder); err != nil {
			return fact, err
		}
	}
	uids, err := r.lastUIDs(ctx)
	if err != nil || len(uids) == 0 {
		return fact, err
	}
	err = r.client.Facts(ctx, uids[len(uids)-1:], []string{"Date"}, func(f imap.Fact) error {
		fact = f
		return nil
	})
	return fact, err
}

// lastUIDs returns some UIDs at the end of the folder.
func (r *openIMAP) lastUIDs(ctx context.Context) ([]uint32, error) {
	const few = 20
	if next := r.newest.UIDNext; next > few {
		uids, err := r.client.UIDs(ctx, next-few)
		if err != nil || len(uids) > 0 {
			return uids, err
		}
	}
	return r.client.UIDs(ctx, 1)
}

// awaitNews tries how the server tells of new mail.
func (r *openIMAP) awaitNews(ctx context.Context) {
	r.begin(StepNews, "")
	if r.open == "" {
		if _, err := r.examine(ctx, r.m.Incoming.Folders[0]); err != nil {
			r.bad(ctx, "", err)
			return
		}
	}
	if r.client.Has("IDLE") {
		_, err := r.client.Idle(ctx, listenFor)
		if err == nil {
			r.good("The server tells at once.")
			return
		}
		if !r.client.Usable() {
			r.bad(ctx, "", err)
			return
		}
	}
	if _, err := r.client.Noop(ctx); err != nil && !r.client.Usable() {
		r.bad(ctx, "", err)
		return
	}
	r.good("The server does not tell; Postroom looks " + every(r.m.Incoming.PollInterval) + ".")
}

// dealAfterImport says how what happens after import can be done here. Nothing of it
// is tried: a test changes nothing.
func (r *openIMAP) dealAfterImport() {
	var detail string
	switch r.m.AfterImport {
	case postroom.AfterImportMarkRead:
		detail = "Once a mail is here, it is marked as read."
	case postroom.AfterImportMove:
		detail = "Once a mail is here, it is moved to " + quote(r.m.MoveTo) + ", which is made if it is not there."
		if !r.client.Has("MOVE") && !r.client.Has("UIDPLUS") {
			detail = "Once a mail is here, it is copied to " + quote(r.m.MoveTo) + " and marked as deleted where it was: the server can neither move messages nor remove single ones."
		}
	case postroom.AfterImportDelete:
		detail = "Once a mail is here, it is deleted there."
		if !r.client.Has("UIDPLUS") {
			detail = "Once a mail is here, it is marked as deleted, and stays until a mail program cleans up: the server cannot remove single messages."
		}
	default:
		return
	}
	r.begin(StepAfterImport, "")
	r.good(detail)
}
