package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
)

// readIMAP opens the mailbox by IMAP.
func (r *test) readIMAP(ctx context.Context) {
	since := time.Now()
	var s signIn
	client, err := imap.Open(ctx, imap.Options{
		Endpoint:       r.endpoint(),
		Login:          mail.Login{Username: r.m.Incoming.Username, Secret: r.c.Password},
		CommandTimeout: commandTimeout, LiteralTimeout: commandTimeout,
		Transcript: func(dir byte, line string) {
			if dir == 'S' && s.greeted.IsZero() {
				s.greeted = time.Now()
			}
			if word, rest := command(line); dir == 'C' && (word == "AUTHENTICATE" || word == "LOGIN") {
				s.began = time.Now()
				if s.mechanism = word; word == "AUTHENTICATE" {
					s.mechanism, _, _ = strings.Cut(rest, " ")
				}
			}
		},
	})
	r.opened(since, s, err)
	if err != nil {
		return
	}
	r.client = client
	defer client.Close()
	if r.openFolders(ctx) && r.lookAtMessage(ctx) {
		r.dealAfterImport()
		r.awaitNews(ctx)
	}
}

// command cuts the tag off a line of the client.
func command(line string) (word, rest string) {
	_, line, _ = strings.Cut(strings.TrimSpace(line), " ")
	word, rest, _ = strings.Cut(line, " ")
	return strings.ToUpper(word), rest
}

// openFolders opens every folder for reading only.
func (r *test) openFolders(ctx context.Context) bool {
	ok := true
	for _, folder := range r.m.Incoming.Folders {
		since := time.Now()
		s, err := r.client.Examine(ctx, folder)
		if err != nil {
			ok = r.bad(StepFolder, since, folder, r.withFolders(ctx, folder, err))
			if !r.client.Usable() {
				return false
			}
			continue
		}
		r.good(StepFolder, since, folder+": "+messages(int64(s.Exists)))
		if r.newest.Folder == "" && s.Exists > 0 {
			r.newest = s
		}
	}
	return ok
}

// withFolders adds to the Fault of a folder that is not there which ones are.
func (r *test) withFolders(ctx context.Context, folder string, err error) error {
	f := r.Explainer.Explain(err, r.m, r.c, false)
	if f == nil || f.Class != postroom.FolderMissing || !r.client.Usable() {
		return err
	}
	with := *f
	with.Explanation = "There is no folder " + quote(folder) + " in this mailbox."
	with.Remedy = "Choose a folder that exists."
	folders, listErr := r.client.Folders(ctx)
	if listErr != nil {
		return &with
	}
	var names []string
	for _, have := range folders {
		if !have.NoSelect && len(names) < 12 {
			names = append(names, quote(have.Name))
		}
	}
	if len(names) > 0 {
		with.Remedy = "Choose one that exists: " + strings.Join(names, ", ") + "."
	}
	return &with
}

// lookAtMessage has the server give the dates of one message, without marking it.
func (r *test) lookAtMessage(ctx context.Context) bool {
	since := time.Now()
	if r.newest.Folder == "" {
		return true // there is none
	}
	if _, err := r.client.Examine(ctx, r.newest.Folder); err != nil {
		return r.bad(StepMessage, since, "", err)
	}
	uids, err := r.lastUIDs(ctx)
	if err == nil && len(uids) > 0 {
		var fact imap.Fact
		err = r.client.Facts(ctx, uids[len(uids)-1:], []string{"Date"}, func(f imap.Fact) error {
			fact = f
			return nil
		})
		if err == nil && fact.UID != 0 {
			r.good(StepMessage, since, fmt.Sprintf("The newest one, of %s, %s bytes.", fact.InternalDate.Format("2 January 2006"), grouped(fact.SizeBytes)))
			return true
		}
	}
	if err != nil {
		return r.bad(StepMessage, since, "", err)
	}
	r.good(StepMessage, since, "The server gave none; it may just have been removed.")
	return true
}

// lastUIDs returns some UIDs at the end of the folder.
func (r *test) lastUIDs(ctx context.Context) ([]uint32, error) {
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
func (r *test) awaitNews(ctx context.Context) {
	since := time.Now()
	if r.newest.Folder == "" {
		if _, err := r.client.Examine(ctx, r.m.Incoming.Folders[0]); err != nil {
			r.bad(StepNews, since, "", err)
			return
		}
	}
	if r.client.Has("IDLE") {
		_, err := r.client.Idle(ctx, listenFor)
		if err == nil {
			r.good(StepNews, since, "The server tells at once.")
			return
		}
		if !r.client.Usable() {
			r.bad(StepNews, since, "", err)
			return
		}
	}
	if _, err := r.client.Noop(ctx); err != nil && errors.Is(ctx.Err(), context.Canceled) {
		r.bad(StepNews, since, "", err)
		return
	}
	r.good(StepNews, since, "The server does not tell; Postroom looks "+every(r.m.Incoming.PollInterval)+".")
}

// dealAfterImport says how what happens after import can be done here. Nothing of it
// is tried: a test changes nothing.
func (r *test) dealAfterImport() {
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
	r.good(StepAfterImport, time.Now(), detail)
}
