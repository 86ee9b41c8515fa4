package main

import (
	"context"
	"log/slog"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/web"
)

// credentials are the parts of the room of credentials, which know one another.
type credentials struct {
	keeper   *credential.Keeper
	apps     *credential.Apps
	signIns  *credential.Desk
	forecast *credential.Forecast
}

// newCredentials makes them. base is where people reach this Postroom, and node names
// this process in what it holds for a moment.
func newCredentials(in *installation, x mailbox.Explainer, base, node string, log *slog.Logger) credentials {
	client, explain := &oauth.Client{}, credential.Explainer{Catalogue: x.Catalogue, Unknown: x.Unknown}.Explain
	apps := &credential.Apps{Store: in.DB, Ring: in.Ring, Client: client, Presets: x.Presets, Base: base, Log: log}
	keeper := &credential.Keeper{Store: in.DB, Ring: in.Ring, Registration: apps.Registration, Client: client, Explain: explain, Node: node, Log: log}
	return credentials{
		keeper: keeper, apps: apps,
		signIns:  &credential.Desk{Store: in.DB, Keeper: keeper, Apps: apps, Client: client, Explain: explain, Base: base, Log: log},
		forecast: &credential.Forecast{Store: in.DB, Presets: x.Presets},
	}
}

// desk is where mailboxes are looked after with these credentials.
func (c credentials) desk(in *installation, x mailbox.Explainer) *mailbox.Desk {
	return &mailbox.Desk{
		Store: in.DB, Seal: c.keeper.Seal, Open: c.keeper.Open, SealOutgoing: c.keeper.SealOutgoing, OpenOutgoing: c.keeper.OpenOutgoing,
		Renew: func(ctx context.Context, id postroom.MailboxID, refused postroom.Secret) (postroom.Secret, error) {
			token, err := c.keeper.Renew(ctx, id, refused)
			return token.Access, err
		},
		Prefer: c.keeper.Prefer, PreferOutgoing: c.keeper.PreferOutgoing, Tester: mailbox.Tester{Explainer: x},
	}
}

// newExplainer says what trouble means.
func newExplainer() mailbox.Explainer {
	return mailbox.Explainer{Catalogue: &diagnose.Catalogue{}, Presets: &provider.Presets{}}
}

// proof tries a mailbox with an access token, as a test does. Pages may watch it.
func proof(desk *mailbox.Desk, watched *web.Proofs) func(ctx context.Context, m postroom.Mailbox, token credential.Token) credential.Proof {
	return func(ctx context.Context, m postroom.Mailbox, token credential.Token) credential.Proof {
		progress, through := watched.Watch(m.ID)
		defer through()
		r, err := desk.Prove(ctx, m, token.Access, mailbox.TestOptions{Progress: progress})
		if err != nil {
			return credential.Proof{Fault: desk.Tester.Explainer.Explain(err, m, mailbox.Credential{Kind: postroom.CredentialOAuth}, true)}
		}
		return credential.Proof{OK: r.OK, Reads: r.Reads(), Fault: r.Fault(), Report: r.Pack()}
	}
}
