package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/simulator"
)

// demoCmd is “postroom demo”.
type demoCmd struct {
	Listen   string        `help:"Where the pages answer; a free port if this one is taken." placeholder:"HOST:PORT" default:"127.0.0.1:8025"`
	Every    time.Duration `help:"How often a mail arrives." default:"4s"`
	LogLevel slog.Level    `help:"debug, info, warn or error." default:"error"`
}

// Run shows everything in one process until it is told to stop. The data is made
// up, lives in a temporary directory, and goes when the demonstration ends.
func (c *demoCmd) Run(ctx context.Context, t terminal) (err error) {
	dir, err := os.MkdirTemp("", "postroom-demo-")
	if err != nil {
		return fmt.Errorf("make a place for the demonstration: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	log := newLog(t.Err, c.LogLevel)
	data := dataFlags{Data: dir}
	in, err := data.openForServer(ctx, data.options(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	listener, err := c.listen()
	if err != nil {
		return err
	}
	own := openable("http", listener.Addr())
	provider, err := startProvider(own, log)
	if err != nil {
		return errors.Join(fmt.Errorf("start the pretend provider: %w", err), listener.Close())
	}
	defer func() { err = errors.Join(err, provider.Close()) }()
	p := &process{
		In: in, Alone: true, Node: "demo", Listener: listener, PublicURL: own, Base: base{Own: own},
		Finder: findFlags{}.finder(), MaxMessage: 256 << 20, Log: log,
	}
	p.prepare()
	secret, drip, err := p.furnish(ctx, provider)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	fmt.Fprintf(t.Out, "A pretend provider and two mailboxes are running, one by IMAP and one by POP3. Mail arrives every %s.\n\n%s/demo/%s\n\n"+
		"Open this address: it signs you in. Ctrl-C ends the demonstration and forgets everything.\n\n"+
		"%s is signed in to at the pretend provider. To see what happens when that ends, take it back there, as\n"+
		"its owner (the password is %s), and look at Postroom; “Sign in again” mends it:\n%s\n",
		c.Every, p.PublicURL, secret.Reveal(), simulator.SupportAddress, demoPassword, provider.oauth.PermissionsURL)
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return p.run(ctx) })
	parts.Go(func() error { return pour(ctx, provider, drip, c.Every) })
	if err := parts.Wait(); err != nil {
		return err
	}
	fmt.Fprintln(t.Out, "The demonstration has ended.")
	return nil
}

// demoPassword opens the accounts at the pretend provider, for whoever sits at this
// machine: they hold made-up mail only.
const demoPassword = "harbour"

// The person of the demonstration, whose own mailbox is not connected.
const demoPerson = "robin@example.net"

// A pretendProvider is one that has every protocol.
type pretendProvider struct {
	*simulator.Server // IMAP
	pop3              *simulator.POP3Server
	smtp              *simulator.SMTPServer
	oauth             *simulator.OAuthServer
	app               simulator.OAuthApp // what we are there
}

// startProvider starts it. Browsers that were signed in come back to own.
func startProvider(own string, log *slog.Logger) (p pretendProvider, err error) {
	mechanisms := []string{mail.Plain, mail.XOAuth2, mail.OAuthBearer}
	if p.Server, err = simulator.Start(simulator.Options{Mechanisms: mechanisms, Log: log}); err != nil {
		return p, err
	}
	p.app = simulator.OAuthApp{ClientID: "postroom-demo", Name: "Postroom", Secret: rand.Text(), RedirectURLs: []string{own + "/oauth/callback"}}
	if p.pop3, err = p.StartPOP3(simulator.POP3Options{Mechanisms: mechanisms}); err == nil {
		p.smtp, err = p.StartSMTP(simulator.SMTPOptions{Mechanisms: mechanisms})
	}
	if err == nil {
		p.oauth, err = p.StartOAuth(simulator.OAuthOptions{
			Apps: []simulator.OAuthApp{p.app}, Chooser: []string{simulator.SupportAddress, simulator.SalesAddress},
			Notice: "This is a pretend provider. The password of every account is " + demoPassword + ".",
		})
	}
	if err != nil {
		return p, errors.Join(err, p.Close())
	}
	return p, nil
}

func (c *demoCmd) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", c.Listen)
	if err == nil {
		return listener, nil
	}
	host, _, splitErr := net.SplitHostPort(c.Listen)
	if splitErr != nil {
		return nil, wrongUse{fmt.Sprintf("--listen wants HOST:PORT, not %q.", c.Listen)}
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}

// furnish fills the installation: a person, two mailboxes, one of them by POP3, and
// some mail from the last days. The secret signs that person in, any number of
// times.
func (p *process) furnish(ctx context.Context, provider pretendProvider) (secret postroom.Secret, drip *simulator.Drip, err error) {
	if drip, err = simulator.NewDrip(2026); err != nil {
		return secret, nil, err
	}
	u, err := p.door.CreateUser(ctx, demoPerson, "Robin Harbour", postroom.RoleAdmin, postroom.Hide(rand.Text()))
	if err != nil {
		return secret, nil, err
	}
	by := postroom.Viewer{User: u.ID, Role: u.Role, Name: u.Name}
	for _, address := range []string{simulator.SupportAddress, simulator.SalesAddress, demoPerson} {
		provider.AddAccount(address, demoPassword)
	}
	if err := p.connectDemo(ctx, by, provider); err != nil {
		return secret, nil, err
	}
	if err := p.alerts.SetContact(ctx, by, []string{demoPerson}); err != nil {
		return secret, nil, err
	}
	for _, l := range drip.Backlog(12, time.Now()) {
		if _, err := provider.Append(l.Account, "INBOX", l.Raw, l.Date); err != nil {
			return secret, nil, fmt.Errorf("deliver to the pretend provider: %w", err)
		}
	}
	secret, err = p.door.SignInLink(ctx, u.ID)
	return secret, drip, err
}

// connectDemo connects the two mailboxes: one that somebody has signed in to, one by
// its password.
func (p *process) connectDemo(ctx context.Context, by postroom.Viewer, provider pretendProvider) error {
	scopes := []string{"https://mail.google.com/", "openid", "email"}
	app, err := p.apps.Add(ctx, by, credential.NewApp{
		OAuthApp: postroom.OAuthApp{
			Name: "Pretend Mail", Provider: postroom.GenericProvider, ClientID: provider.app.ClientID, Issuer: provider.oauth.Issuer,
			AuthorizeURL: provider.oauth.AuthorizeURL, TokenURL: provider.oauth.TokenURL, DeviceURL: provider.oauth.DeviceURL,
			RevokeURL: provider.oauth.RevokeURL, UserInfoURL: provider.oauth.UserInfoURL,
			Scopes: scopes, ExtraParams: map[string]string{"access_type": "offline", "prompt": "consent"},
		},
		Secret: postroom.Hide(provider.app.Secret),
	})
	if err != nil {
		return err
	}
	support := provider.mailbox("Support", simulator.SupportAddress, postroom.IMAP, provider.Port)
	support, err = p.mailboxes.Add(ctx, by, support, mailbox.Credential{Kind: postroom.CredentialOAuth})
	if err != nil {
		return err
	}
	refresh, ok := provider.oauth.Allow(support.Address, provider.app.ClientID, scopes...)
	if !ok {
		return errors.New("the pretend provider does not let anybody sign in")
	}
	if _, err := p.signIns.Bring(ctx, by, support.ID, app.ID, postroom.Hide(refresh)); err != nil {
		return err
	}
	sales := provider.mailbox("Sales", simulator.SalesAddress, postroom.POP3, provider.pop3.Port)
	_, err = p.mailboxes.Add(ctx, by, sales, mailbox.Credential{Kind: postroom.CredentialPassword, Password: postroom.Hide(demoPassword)})
	return err
}

// mailbox is one at the pretend provider.
func (p pretendProvider) mailbox(name, address string, protocol postroom.Protocol, port int) postroom.Mailbox {
	at := func(port int) postroom.ServerSettings {
		return postroom.ServerSettings{Host: p.Host, Port: port, TLS: postroom.TLSNone, Username: address}
	}
	var poll time.Duration // as usual
	if protocol == postroom.POP3 {
		poll = 3 * time.Second // nobody wants to wait a minute here for a server that does not call
	}
	return postroom.Mailbox{
		Name: name, Address: address,
		Incoming: postroom.IncomingSettings{ServerSettings: at(port), Protocol: protocol, PollInterval: poll},
		Outgoing: &postroom.OutgoingSettings{ServerSettings: at(p.smtp.Port)},
		Start:    postroom.Start{Kind: postroom.StartAll}, AfterImport: postroom.AfterImportKeep,
		Visibility: postroom.Visibility{Kind: postroom.VisibleToEveryone},
	}
}

// pour has mail arrive at the pretend provider until ctx ends. Whoever is connected by a
// sign-in that was taken back is put out.
func pour(ctx context.Context, provider pretendProvider, drip *simulator.Drip, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		l := drip.Next(time.Now())
		if _, err := provider.Append(l.Account, "INBOX", l.Raw, time.Now()); err != nil {
			return fmt.Errorf("deliver to the pretend provider: %w", err)
		}
		provider.CutEnded()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
