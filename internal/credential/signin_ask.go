package credential

import (
	"context"
	"strings"

	"github.com/postroom/postroom"
)

// expected is the account that should sign in: who did last, or else the user name of
// the mailbox, or its address.
func expected(m postroom.Mailbox, was postroom.Account) string {
	user := strings.TrimPrefix(m.Incoming.Username, recentMode)
	switch {
	case was.Address != "":
		return was.Address
	case strings.Contains(user, "@"):
		return user
	}
	return m.Address
}

// lastAccount is who signed in for a mailbox last; the zero account: nobody.
func (d *Desk) lastAccount(ctx context.Context, id postroom.MailboxID) (postroom.Account, error) {
	grants, err := d.Store.Grants(ctx, id)
	if err != nil {
		return postroom.Account{}, err
	}
	for _, g := range grants {
		if !g.AdoptedAt.IsZero() {
			return g.Account, nil
		}
	}
	return postroom.Account{}, nil
}

// usesOf are the protocols by which what somebody brings is to open a mailbox.
func (d *Desk) usesOf(ctx context.Context, m postroom.Mailbox) ([]postroom.Protocol, error) {
	uses := []postroom.Protocol{m.Incoming.Protocol}
	if m.Outgoing == nil {
		return uses, nil
	}
	_, own, err := d.Store.OutgoingCredential(ctx, m.ID)
	if err != nil || own {
		return uses, err
	}
	return append(uses, postroom.SMTP), nil
}

func contains(all []string, one string) bool {
	for _, other := range all {
		if strings.EqualFold(other, one) {
			return true
		}
	}
	return false
}

// promptOf is what the provider is asked to show: what somebody wants, or what the
// registration says. Who asks for offline access by OpenID has to ask for consent (Core
// section 11); Microsoft does not want that.
func promptOf(reg Registration, scopes []string, wanted string) string {
	usual := reg.OAuth.ExtraParams["prompt"]
	switch {
	case wanted != "":
		return wanted
	case usual == "" && !isMicrosoft(reg.Provider) && contains(scopes, "offline_access"):
		return "consent"
	}
	return usual
}

func situation(reg Registration, m postroom.Mailbox) Situation {
	s := Situation{Provider: reg.Preset, App: reg.OAuthApp, Mailbox: m}
	if reg.OAuth.ConsentURL != "" {
		if ask, err := reg.OAuth.AskAdmin(reg.OAuth.ScopesFor(postroom.IMAP, postroom.POP3, postroom.SMTP)); err == nil {
			s.ConsentURL = ask.Address
		}
	}
	return s
}
