package credential

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// A View is what people see of what opens a mailbox. There is no secret in it.
type View struct {
	Mailbox  postroom.MailboxID
	Kind     string    // postroom.CredentialPassword, …; empty: there is none
	Since    time.Time // when it was entered, or became what opens the mailbox
	WorkedAt time.Time // when it last opened the mailbox; zero: never yet

	// With postroom.CredentialOAuth:
	Grant      *postroom.Grant    // nil: nobody has signed in yet
	App        *postroom.OAuthApp // nil: nobody has, or it was removed
	Provider   string             // as people call it; empty: not known
	SignedInBy string             // name of the user here; empty: a guest, or a program

	Former  []FormerGrant     // ended ones, the newest first, ten at most
	SignIns []postroom.SignIn // the newest first, ten at most
}

// A FormerGrant is one that something else took the place of.
type FormerGrant struct {
	postroom.Grant
	App string // name; empty: it was removed
}

const viewed = 10 // of each list

// Credential tells what opens a mailbox to who may sign in for it.
func (d *Desk) Credential(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) (View, error) {
	if _, err := d.mailboxFor(ctx, by, id); err != nil {
		return View{}, err
	}
	v := View{Mailbox: id}
	kept, err := d.Store.Credential(ctx, id)
	switch {
	case postroom.KindOf(err) == postroom.NotFound:
	case err != nil:
		return View{}, err
	default:
		v.Kind, v.Since, v.WorkedAt = kept.Kind, kept.CreatedAt, kept.WorkedAt
	}
	grants, err := d.Store.Grants(ctx, id)
	if err != nil {
		return View{}, err
	}
	names := d.appNames()
	for _, g := range grants {
		switch {
		case kept.Grant != 0 && g.ID == kept.Grant:
			v.Grant = &g
			d.about(ctx, &v)
		case !g.EndedAt.IsZero() && len(v.Former) < viewed:
			v.Former = append(v.Former, FormerGrant{Grant: g, App: names(ctx, g.App)})
		}
	}
	signIns, err := d.Store.SignIns(ctx, id, viewed)
	for _, k := range signIns {
		v.SignIns = append(v.SignIns, k.SignIn)
	}
	return v, err
}

// about adds what is known around the grant of a view.
func (d *Desk) about(ctx context.Context, v *View) {
	if kept, err := d.Store.OAuthApp(ctx, v.Grant.App); err == nil {
		v.App, v.Provider = &kept.OAuthApp, calledBy(d.presetOf(kept.Provider), kept.OAuthApp)
	}
	if v.Grant.SignedInBy != 0 {
		if u, ok, err := d.Store.User(ctx, v.Grant.SignedInBy); err == nil && ok {
			v.SignedInBy = first(u.Name, u.Email)
		}
	}
}

// appNames looks up what registrations are called, each once.
func (d *Desk) appNames() func(context.Context, postroom.OAuthAppID) string {
	known := map[postroom.OAuthAppID]string{}
	return func(ctx context.Context, id postroom.OAuthAppID) string {
		name, ok := known[id]
		if !ok {
			if kept, err := d.Store.OAuthApp(ctx, id); err == nil {
				name = kept.Name
			}
			known[id] = name
		}
		return name
	}
}
