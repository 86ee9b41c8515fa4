package mailbox

import (
	"context"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/imap"
)

// A clearing removes mails of round trips by IMAP.
type clearing struct {
	*trip
	client *imap.Client
	trash  string // Gmail: where deleted mail goes
	what   cleared
}

// clearIMAP removes mails in a session beside that of the reader: where the ledger
// says that the server has shown them, where mail is moved to after import, and among
// what was sent.
func (t *trip) clearIMAP(ctx context.Context, mails []ownMail) cleared {
	client, end, err := t.openIMAP(ctx)
	if err != nil {
		return cleared{left: t.couldNotClear(err)}
	}
	defer end()
	c := &clearing{trip: t, client: client}
	if err := c.findTrash(ctx); err != nil {
		return cleared{left: t.couldNotClear(err)}
	}
	folders := c.folders(ctx, mails)
	for _, folder := range folders {
		if err := c.clearFolder(ctx, folder, mails); err != nil {
			c.what.leave(t.couldNotClear(err))
		}
		if !client.Usable() {
			break
		}
	}
	return c.what
}

// findTrash finds where deleted mail goes on Gmail, which would only take it out of a
// folder otherwise (https://developers.google.com/workspace/gmail/imap/imap-extensions).
func (c *clearing) findTrash(ctx context.Context) (err error) {
	if !c.client.Has("X-GM-EXT-1") {
		return nil
	}
	c.trash, _, err = c.client.FolderFor(ctx, `\Trash`)
	c.what.trash = c.trash != ""
	return err
}

// folders are those in which the mails may be, each once.
func (c *clearing) folders(ctx context.Context, mails []ownMail) []string {
	var all []string
	for _, m := range mails {
		for _, a := range m.arrivals {
			all = append(all, a.Folder)
		}
	}
	if len(all) == 0 {
		all = append(all, c.m.Incoming.Folders...)
	}
	if c.m.AfterImport == postroom.AfterImportMove {
		all = append(all, c.m.MoveTo)
	}
	if listed, err := c.client.Folders(ctx); err == nil {
		for _, f := range listed {
			if serves(f, `\Sent`) && !f.NoSelect {
				all = append(all, f.Name)
			}
		}
	}
	var each []string
	for _, folder := range all {
		if folder != c.trash && !slices.Contains(each, folder) {
			each = append(each, folder)
		}
	}
	return each
}

// customaryNames are what folders are called that serve a use, where the server does
// not say which one does (RFC 6154).
func customaryNames(use string) []string {
	switch use {
	case `\Sent`:
		return []string{"sent", "sent items", "sent messages", "sent mail"}
	case `\Junk`:
		return []string{"junk", "spam", "junk e-mail", "junk email", "bulk", "bulk mail"}
	}
	return nil
}

// serves says whether a folder serves a use, as far as that can be seen.
func serves(f imap.Folder, use string) bool {
	if f.SpecialUse != "" {
		return f.SpecialUse == use
	}
	name := f.Name
	if f.Delimiter != "" {
		name = name[strings.LastIndex(name, f.Delimiter)+1:]
	}
	return slices.Contains(customaryNames(use), strings.ToLower(name))
}

// clearFolder removes the mails from one folder. One that is not there holds none.
func (c *clearing) clearFolder(ctx context.Context, folder string, mails []ownMail) error {
	status, err := c.client.Select(ctx, folder)
	if err != nil {
		if imap.MayLackFolder(err) && c.client.Usable() {
			return nil
		}
		return err
	}
	var uids []uint32
	for _, m := range mails {
		some, err := c.ownIn(ctx, status, m)
		if err != nil {
			return err
		}
		uids = append(uids, some...)
	}
	switch {
	case len(uids) == 0:
		return nil
	case status.ReadOnly:
		c.what.leave(staysThere("this account may only read there."))
		return nil
	}
	return c.remove(ctx, folder, uids)
}

// ownIn returns what a mail is called in the selected folder. What the ledger knows
// is tried first, and counts only if the message has our Message-ID now.
func (c *clearing) ownIn(ctx context.Context, status imap.Status, m ownMail) ([]uint32, error) {
	var known []uint32
	for _, a := range m.arrivals {
		if a.Folder == status.Folder && a.UIDValidity == status.UIDValidity && status.UIDValidity != 0 && !a.Ended && a.Name.UID != 0 {
			known = append(known, a.Name.UID)
		}
	}
	var own []uint32
	if len(known) > 0 {
		err := c.client.Facts(ctx, known, []string{"Message-ID"}, func(f imap.Fact) error {
			if slices.Contains(m.ids, messageIDIn(f.Header)) {
				own = append(own, f.UID)
			}
			return nil
		})
		if err != nil || len(own) > 0 {
			return own, err
		}
	}
	for _, id := range m.ids {
		copies, err := c.client.CopiesOf(ctx, id, 0)
		if err != nil {
			return own, err
		}
		own = append(own, copies...)
	}
	return own, nil
}

// remove deletes messages of the selected folder, and no others: a plain EXPUNGE
// would remove what other programs have marked, too.
func (c *clearing) remove(ctx context.Context, folder string, uids []uint32) error {
	slices.Sort(uids)
	uids = slices.Compact(uids)
	switch {
	case c.trash != "" && c.client.Has("MOVE"):
		if err := c.client.Move(ctx, uids, c.trash); err != nil {
			return err
		}
	case c.trash != "" || c.client.Has("X-GM-EXT-1"):
		c.what.leave(staysThere("the server shows no trash to move it to."))
		return nil
	case !c.client.Has("UIDPLUS"):
		c.what.leave(staysThere("this server cannot remove single messages (it lacks UIDPLUS), and others must not be touched."))
		return nil
	default:
		if err := c.client.Store(ctx, uids, true, `\Deleted`); err != nil {
			return err
		}
		if err := c.client.Expunge(ctx, uids); err != nil {
			return err
		}
	}
	c.what.took(folder)
	return nil
}
