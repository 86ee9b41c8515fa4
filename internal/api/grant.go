package api

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
)

// KeptCredential is what people may know of what opens a mailbox. There is no secret
// in it.
type KeptCredential struct {
	Kind     string     `json:"kind" enum:"password,app_password,oauth"`
	Since    time.Time  `json:"since"`
	WorkedAt *time.Time `json:"worked_at" doc:"When it last opened the mailbox."`
	Grant    *Grant     `json:"grant" doc:"With oauth: what the provider gave; null while nobody has signed in."`
	Former   []Grant    `json:"former" nullable:"false" doc:"What it took the place of, the newest first."`
	SignIns  []SignIn   `json:"sign_ins" nullable:"false" doc:"The newest first."`
}

// Grant is what a provider gave for a mailbox.
type Grant struct {
	App              string     `json:"oauth_app"`
	AppName          string     `json:"oauth_app_name"`
	Provider         string     `json:"provider,omitempty" doc:"As people call it."`
	Way              string     `json:"way" enum:"code,device,app,brought"`
	Account          string     `json:"account" doc:"Who signed in, as the provider tells it; empty where it does not."`
	SignedInBy       string     `json:"signed_in_by,omitempty" doc:"The person here who did it; absent: somebody with a link, or a program."`
	SignedInAt       time.Time  `json:"signed_in_at"`
	Scopes           []string   `json:"scopes" nullable:"false"`
	UsedAt           *time.Time `json:"used_at" doc:"When it last opened the mailbox."`
	RefreshedAt      *time.Time `json:"refreshed_at"`
	RefreshExpiresAt *time.Time `json:"refresh_expires_at" doc:"As the provider states it; null where it does not."`
	NextTryAt        *time.Time `json:"next_try_at" doc:"Of refreshing, after it went wrong."`
	Fault            *Fault     `json:"fault" doc:"Of refreshing."`
	Interrupted      int        `json:"interrupted" doc:"How often an answer of the provider was lost because Postroom ended that moment."`
	EndedAt          *time.Time `json:"ended_at"`
	Revocation       string     `json:"revocation,omitempty" enum:"due,done,shared,not_offered,failed" doc:"What became of giving it back to the provider."`
}

func showGrant(g postroom.Grant, app string) Grant {
	return Grant{
		App: g.App.String(), AppName: app, Way: string(g.Way), Account: g.Account.Address, SignedInAt: g.SignedInAt.UTC(), Scopes: full(g.Scopes),
		UsedAt: moment(g.UsedAt), RefreshedAt: moment(g.RefreshedAt), RefreshExpiresAt: moment(g.RefreshExpiresAt), NextTryAt: moment(g.NextTryAt),
		Fault: showFault(g.Fault), Interrupted: g.Interrupted, EndedAt: moment(g.EndedAt), Revocation: string(g.Revocation),
	}
}

func showCredential(v credential.View) KeptCredential {
	shown := KeptCredential{Kind: v.Kind, Since: v.Since.UTC(), WorkedAt: moment(v.WorkedAt), Former: []Grant{}, SignIns: []SignIn{}}
	if v.Grant != nil {
		name := ""
		if v.App != nil {
			name = v.App.Name
		}
		g := showGrant(*v.Grant, name)
		g.Provider, g.SignedInBy = v.Provider, v.SignedInBy
		shown.Grant = &g
	}
	for _, f := range v.Former {
		shown.Former = append(shown.Former, showGrant(f.Grant, f.App))
	}
	for _, s := range v.SignIns {
		shown.SignIns = append(shown.SignIns, showSignIn(s))
	}
	return shown
}

func (s *Server) readCredential(ctx context.Context, v postroom.Viewer, in *OfMailbox) (*answer[KeptCredential], error) {
	m, err := s.mailbox(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	view, err := s.SignIns.Credential(ctx, v, m.ID)
	return answerOf(showCredential(view), err)
}
