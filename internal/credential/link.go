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

// LinkState is what a link is good for.
type LinkState string

const (
	LinkOpen    LinkState = "open"
	LinkUsed    LinkState = "used"
	LinkRevoked LinkState = "revoked"
	LinkExpired LinkState = "expired"
)

// A GuestView is what somebody sees who comes by a link.
type GuestView struct {
	Link          postroom.SignInLink
	State         LinkState
	AskedBy       string // who asks; empty: a program
	Address, Name string // of the mailbox
	Provider      string // as people call it; empty: not known
	Sends         bool   // Postroom is to send from the mailbox too
}

func stateOf(l postroom.SignInLink, now time.Time) LinkState {
	switch {
	case !l.UsedAt.IsZero():
		return LinkUsed
	case !l.RevokedAt.IsZero():
		return LinkRevoked
	case !l.IsOpen(now):
		return LinkExpired
	}
	return LinkOpen
}

func closedLink(state LinkState) *postroom.Fault {
	f := &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.ConsentMissing, FixBy: postroom.FixByAppAdmin,
		Explanation: "This link is too old.", Remedy: "Ask whoever sent it for a new one.",
	}
	switch state {
	case LinkUsed:
		f.Explanation, f.Remedy = "Somebody has signed in by this link already.", "There is nothing more to do. If the mailbox has to be signed in to again, ask for a new link."
	case LinkRevoked:
		f.Explanation = "This link was taken back, or replaced by a newer one."
		f.Remedy = "Look for a newer one, or ask whoever sent it."
	}
	return f
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
		a.Link, a.Err = d.mail(ctx, by, m, reg.Preset.Called(), l, a.URL, to)
	}
	return a
}

func (d *Desk) linkURL(base, secret string) postroom.Secret {
	if base == "" {
		base = d.Base
	}
	return postroom.Hide(strings.TrimSuffix(base, "/") + linkPath + secret)
}

// mail sends a link; not for the first time, it is a reminder.
func (d *Desk) mail(ctx context.Context, by postroom.Viewer, m postroom.Mailbox, provider string, l postroom.SignInLink, address postroom.Secret, to string) (postroom.SignInLink, error) {
	if d.Mail == nil {
		return l, &postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "This Postroom sends no mail of its own.", Remedy: "Hand the link over in another way.",
		}
	}
	subject, text := linkLetter(letter{
		Asker: by.Name, Address: m.Address, Provider: provider, Until: l.ExpiresAt, Sends: m.Outgoing != nil, Reminder: !l.SentAt.IsZero(),
	}, address)
	if err := d.Mail(ctx, LinkMail{To: to, Subject: subject, Text: text, Link: l.ID, Reminder: !l.SentAt.IsZero()}); err != nil {
		return l, err
	}
	if err := d.Store.RecordLinkSent(ctx, l.ID, to, d.now()); err != nil {
		return l, err
	}
	k, err := d.Store.SignInLink(ctx, l.ID)
	return k.SignInLink, err
}

// A letter is what a mail with a link says besides the link.
type letter struct {
	Asker, Address, Provider string
	Until                    time.Time
	Sends, Reminder          bool
}

func linkLetter(l letter, address postroom.Secret) (subject string, text postroom.Secret) {
	what := "read its mail"
	if l.Sends {
		what = "read its mail and send answers from it"
	}
	subject = "Please sign in to " + l.Address
	if l.Reminder {
		subject = "Reminder: please sign in to " + l.Address
	}
	asker := l.Asker
	if asker == "" {
		asker = "The administrator of Postroom"
	}
	return subject, postroom.Hide(fmt.Sprintf(`%s asks you to sign in to the mailbox %s, so that Postroom can %s.

Open this link, and sign in at %s:

%s

It works once, until %s. Postroom does not see your password. You can take back what you allow at any time, on the page of your account at %s.

If you do not know what this is about, do nothing, or ask the one who asks.
`, oneLine(asker), l.Address, what, called(l.Provider), address.Reveal(), l.Until.UTC().Format("2 January 2006, 15:04 MST"), called(l.Provider)))
}

// oneLine keeps a name from looking like more than one.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

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

// Remind sends a link once more, to whom it was sent, or to another address.
func (d *Desk) Remind(ctx context.Context, by postroom.Viewer, id postroom.SignInLinkID, to, base string) (Asked, error) {
	if err := needAdmin(by); err != nil {
		return Asked{}, err
	}
	l, err := d.Store.SignInLink(ctx, id)
	if err != nil {
		return Asked{}, err
	}
	if state := stateOf(l.SignInLink, d.now()); state != LinkOpen {
		f := closedLink(state)
		if state != LinkUsed {
			f.Remedy = "Make a new link for the mailbox."
		}
		return Asked{}, f
	}
	if to = strings.TrimSpace(to); to == "" {
		to = l.SentTo
	}
	if !isAddress(to) {
		return Asked{}, wrong("send_to", "It is not known where to send the link.", "Enter an address such as jane@example.net.")
	}
	secret, err := d.Keeper.Ring.Open(l.Sealed, linkPlace(id))
	if err != nil {
		return Asked{}, unopenedSignIn(err)
	}
	m, err := d.Store.Mailbox(ctx, l.Mailbox)
	if err != nil {
		return Asked{}, err
	}
	a := Asked{Mailbox: m.ID, Link: l.SignInLink, URL: d.linkURL(base, secret.Reveal())}
	a.Link, err = d.mail(ctx, by, m, d.providerOf(ctx, l.App), l.SignInLink, a.URL, to)
	return a, err
}

// providerOf is what people call the provider of a registration; empty: not known.
func (d *Desk) providerOf(ctx context.Context, app postroom.OAuthAppID) string {
	kept, err := d.Store.OAuthApp(ctx, app)
	if err != nil {
		return ""
	}
	return d.presetOf(kept.Provider).Called()
}

// OpenLink tells somebody who comes by a link what it is about, also when it opens
// nothing any more.
func (d *Desk) OpenLink(ctx context.Context, secret string) (GuestView, error) {
	l, err := d.Store.SignInLinkByHash(ctx, hashOf(secret))
	if err != nil {
		return GuestView{}, err
	}
	m, err := d.Store.Mailbox(ctx, l.Mailbox)
	if err != nil {
		return GuestView{}, err
	}
	v := GuestView{
		Link: l.SignInLink, State: stateOf(l.SignInLink, d.now()), Address: m.Address, Name: m.Name,
		Provider: d.providerOf(ctx, l.App), Sends: m.Outgoing != nil,
	}
	if l.By != 0 {
		if u, ok, err := d.Store.User(ctx, l.By); err == nil && ok {
			v.AskedBy = first(u.Name, u.Email)
		}
	}
	if l.OpenedAt.IsZero() && v.State == LinkOpen {
		if err := d.Store.RecordLinkOpened(ctx, l.ID, d.now()); err != nil {
			d.log().WarnContext(ctx, "it was not noted that a link was opened", "link", l.ID, "err", err)
		}
	}
	return v, nil
}

// BeginByLink begins a sign-in by a link. It may be begun any number of times until one
// is proven.
func (d *Desk) BeginByLink(ctx context.Context, secret string) (Begun, error) {
	l, err := d.Store.SignInLinkByHash(ctx, hashOf(secret))
	if err != nil {
		return Begun{}, err
	}
	if state := stateOf(l.SignInLink, d.now()); state != LinkOpen {
		return Begun{}, closedLink(state)
	}
	reg, err := d.Apps.Registration(ctx, l.App)
	if err != nil {
		return Begun{}, err
	}
	return d.begin(ctx, reg, postroom.SignIn{Mailbox: l.Mailbox, Link: l.ID}, spoken{})
}
