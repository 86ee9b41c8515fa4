package credential

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

const (
	// LinkLasts is how long a link to sign in works where nobody says otherwise, and
	// maxLinkLasts how long it may.
	LinkLasts    = 7 * 24 * time.Hour
	maxLinkLasts = 30 * 24 * time.Hour

	linkPath = "/link/"
	// maxAsked is how many mailboxes one Ask may be about.
	maxAsked = 1000
)

// AskOptions say how the owners of mailboxes are asked to sign in.
type AskOptions struct {
	SendTo string        // an address for all; empty: nobody is sent anything
	ToEach bool          // each link goes to the address of its mailbox
	TTL    time.Duration // 0: LinkLasts; at most 30 days
	Base   string        // where this Postroom is reached; empty: Desk.Base
}

// An Asked is a link for the owner of one mailbox.
type Asked struct {
	Mailbox postroom.MailboxID
	Link    postroom.SignInLink
	URL     postroom.Secret // to hand over; shown this once
	Err     error           // why there is none, or why it was not sent
}

// LinkFilter says which links to list.
type LinkFilter struct {
	Mailbox postroom.MailboxID // 0: all
	Open    bool               // only those that nobody has signed in by yet
	Limit   int                // 0: 50; at most 500
	Cursor  string             // where the list before ended
}

// A ListedLink is a link with the mailbox that it is for.
type ListedLink struct {
	postroom.SignInLink
	Address, Name string
	State         postroom.MailboxState
	AskedBy       string // name; empty: a program, or somebody who is gone
	// SignedIn: somebody has signed in for the mailbox since, by this link or otherwise.
	SignedIn bool
}

func linkPlace(id postroom.SignInLinkID) vault.Place {
	return vault.Place{Table: "sign_in_link", Column: "sealed", Row: id.String()}
}

// Ask makes links by which the owners of mailboxes sign in, each once. With no app, each
// mailbox has the one that fits it best. What goes wrong with one is in its Err.
func (d *Desk) Ask(ctx context.Context, by postroom.Viewer, mailboxes []postroom.MailboxID, app postroom.OAuthAppID, o AskOptions) ([]Asked, error) {
	if err := needAdmin(by); err != nil {
		return nil, err
	}
	switch {
	case len(mailboxes) > maxAsked:
		return nil, wrong("mailboxes", fmt.Sprintf("More than %d mailboxes at once.", maxAsked), "Ask for fewer, and then for the others.")
	case o.TTL < 0 || o.TTL > maxLinkLasts:
		return nil, wrong("ttl", "A link lasts 30 days at most.", "Choose a shorter time.")
	case o.TTL == 0:
		o.TTL = LinkLasts
	}
	o.SendTo = strings.TrimSpace(o.SendTo)
	if o.SendTo != "" && !isAddress(o.SendTo) {
		return nil, wrong("send_to", "“"+clipped(o.SendTo)+"” is not a mail address.", "Enter an address such as jane@example.net, or leave it empty.")
	}
	asked := make([]Asked, 0, len(mailboxes))
	for _, id := range mailboxes {
		if ctx.Err() != nil {
			return asked, ctx.Err()
		}
		a := d.ask(ctx, by, id, app, o)
		a.Mailbox = id
		asked = append(asked, a)
	}
	return asked, nil
}

func needAdmin(by postroom.Viewer) error {
	if by.IsAdmin() {
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.Forbidden, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "Links to sign in are for administrators to send.",
		Remedy:      "Ask an administrator of Postroom, or use a token with the admin scope.",
	}
}

func isAddress(text string) bool {
	local, domain, ok := strings.Cut(text, "@")
	return ok && local != "" && strings.Contains(domain, ".") && !strings.ContainsAny(text, " \t\r\n<>,;\"")
}

func (d *Desk) ask(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, app postroom.OAuthAppID, o AskOptions) Asked {
	m, err := d.Store.Mailbox(ctx, id)
	if err != nil {
		return Asked{Err: err}
	}
	reg, err := d.registrationFor(ctx, m, app)
	if err != nil {
		return Asked{Err: err}
	}
	to := o.SendTo
	if o.ToEach {
		to = m.Address
	}
	secret, hash := newSecret()
	now := d.now()
	l, err := d.Store.AddSignInLink(ctx, postroom.SignInLink{
		Mailbox: id, App: reg.ID, By: by.User, SentTo: to, CreatedAt: now, ExpiresAt: now.Add(o.TTL),
	}, hash, func(id postroom.SignInLinkID) ([]byte, error) {
		return d.Keeper.Ring.Seal(postroom.Hide(secret), linkPlace(id))
	})
	if err != nil {
		return Asked{Err: err}
	}
	d.log().InfoContext(ctx, "somebody is asked to sign in", "mailbox", id, "link", l.ID, "by", by.User)
	a := Asked{Link: l, URL: d.linkURL(o.Base, secret)}
	if to != "" {
		a.Link, a.Err = d.mail(ctx, by, m, calledBy(reg.Preset, reg.OAuthApp), l, a.URL, to)
	}
	return a
}

// Links lists links, the newest first. next continues the list; it is empty at its end.
func (d *Desk) Links(ctx context.Context, by postroom.Viewer, f LinkFilter) (list []ListedLink, next string, err error) {
	if err := needAdmin(by); err != nil {
		return nil, "", err
	}
	lines, next, err := d.Store.SignInLinks(ctx, store.LinkFilter{Mailbox: f.Mailbox, Open: f.Open, Now: d.now(), Limit: f.Limit, Cursor: f.Cursor})
	for _, l := range lines {
		list = append(list, ListedLink(l))
	}
	return list, next, err
}

// RevokeLink ends a link that nobody has signed in by yet.
func (d *Desk) RevokeLink(ctx context.Context, by postroom.Viewer, id postroom.SignInLinkID) error {
	if err := needAdmin(by); err != nil {
		return err
	}
	l, err := d.Store.SignInLink(ctx, id)
	if err != nil {
		return err
	}
	ok, err := d.Store.RevokeSignInLink(ctx, id, closedLinkWords(), d.now())
	if err == nil && !ok && !l.UsedAt.IsZero() {
		err = closedLink(LinkUsed)
	}
	return err
}

// closedLinkWords ends a sign-in whose link was taken back.
func closedLinkWords() *postroom.Fault {
	return refusedWith("The link for this sign-in was taken back.", "Ask whoever sent it for a new one, if the mailbox is still to be signed in to.")
}
