package credential

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

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
