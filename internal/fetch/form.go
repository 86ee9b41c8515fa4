package fetch

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
	"github.com/postroom/postroom/internal/mail/pop3"
)

// signIn opens the mailbox. A secret that has never worked may be written in another
// form: with the blanks that its provider shows, or without. That is tried once, when
// the first is refused, and the one that works is kept; what both are refused for is
// said of the first. Where nothing came of the other form, the server being busy for
// instance, nobody knows yet that both are refused: both are tried again later.
func (r *reader) signIn(ctx context.Context, w *watch) (session, error) {
	s, err := r.connect(ctx, w, r.login.Secret)
	if err == nil || r.login.HasWorked || r.login.Other.IsEmpty() || !r.mayBeTheForm(err) {
		return s, err
	}
	s, again := r.connect(ctx, w, r.login.Other)
	if again != nil {
		if f := r.fleet.Explain(again, r.m, r.login); f != nil && f.Kind == postroom.Delayed {
			return nil, again
		}
		return nil, err
	}
	// Unless it is kept, the proof that follows would be one of the wrong form.
	if err := r.fleet.Prefer(ctx, r.m.ID, r.login.Secret, r.login.Other); err != nil {
		s.close()
		return nil, err
	}
	r.login.Secret, r.login.Other = r.login.Other, postroom.Secret{}
	return s, nil
}

// mayBeTheForm says whether a sign-in was refused for its secret, and not because the
// server takes no passwords at all.
func (r *reader) mayBeTheForm(err error) bool {
	refusal, ok := mail.RefusalOf(err)
	if !ok || refusal.Phase != mail.PhaseAuth || refusal.Reply == "" {
		return false
	}
	f := r.fleet.Explain(err, r.m, r.login)
	if f == nil || f.Kind != postroom.NeedsSignIn {
		return false
	}
	switch f.Class {
	case postroom.BadCredentials, postroom.AppPasswordRequired, postroom.AccountPasswordPasted, postroom.Unknown:
		return true
	}
	return false
}

// connect makes one connection.
func (r *reader) connect(ctx context.Context, w *watch, secret postroom.Secret) (session, error) {
	in := r.m.Incoming
	endpoint := mail.Endpoint{
		Host: in.Host, Port: in.Port, TLS: in.TLS, CACertificate: in.CACertificate, PinnedSHA256: in.PinnedSHA256,
		ConnectTimeout: in.ConnectTimeout, AuthTimeout: in.AuthTimeout,
	}
	login := mail.Login{Username: in.Username, Secret: secret, OAuth: r.login.isOAuth(), Host: in.Host, Port: in.Port}
	if in.Protocol == postroom.POP3 {
		return w.openPOP3(ctx, pop3.Options{Endpoint: endpoint, Login: login, CommandTimeout: r.fleet.CommandTimeout, Transcript: r.hearing()})
	}
	c, err := imap.Open(ctx, imap.Options{Endpoint: endpoint, Login: login, CommandTimeout: r.fleet.CommandTimeout, Transcript: r.hearing()})
	if err != nil {
		return nil, err
	}
	return &imapSession{watch: w, client: c}, nil
}
