package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/postroom/postroom"
)

// serveCmd is “postroom serve”.
type serveCmd struct {
	dataFlags
	findFlags
	Listen         string        `help:"Where pages and API answer." placeholder:"HOST:PORT" default:"127.0.0.1:8025"`
	PublicURL      string        `help:"The address under which people reach this server." placeholder:"URL"`
	Proxy          []string      `help:"A reverse proxy in front, or a network of them, that is believed where requests come from, and where they were sent to (X-Forwarded-For, -Host and -Proto)." placeholder:"ADDRESS"`
	TLSCert        string        `help:"Certificate for HTTPS, PEM." type:"existingfile" placeholder:"FILE"`
	TLSKey         string        `help:"Its key, PEM." type:"existingfile" placeholder:"FILE"`
	AllowPlaintext bool          `help:"Allow mail servers without encryption on other computers."`
	MaxMessage     int64         `help:"The largest message that is brought in, in MB." default:"256"`
	MinFree        int64         `help:"No mail is read while less than this is free on the disk of the data directory, in MB; 0: the disk may become full." default:"512"`
	CommandTimeout time.Duration `help:"How long a mail server may keep silent while an answer is due." default:"30s"`
	HeartbeatURL   string        `help:"An address that is asked for once a minute while all is well, so that a watcher elsewhere notices a dead process." placeholder:"URL"`
	NodeTimeout    time.Duration `help:"How long a node that shares the database may be silent before others take its mailboxes." default:"6s"`
	LogLevel       slog.Level    `help:"debug, info, warn or error." default:"info"`
}

// Run serves until it is told to stop.
func (c *serveCmd) Run(ctx context.Context, t terminal) error { return c.serve(ctx, t, nil) }

func (c *serveCmd) serve(ctx context.Context, t terminal, step func(string)) (err error) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return wrongUse{"HTTPS needs both --tls-cert and --tls-key."}
	}
	if c.PublicURL != "" {
		if c.PublicURL, err = publicURL(c.PublicURL); err != nil {
			return err
		}
	}
	trusted, err := networks(c.Proxy)
	if err != nil {
		return err
	}
	if err := heartbeatAddress(c.HeartbeatURL); err != nil {
		return err
	}
	log := newLog(t.Err, c.LogLevel)
	o := c.options(log)
	o.Step = step
	in, err := c.openForServer(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	p := &process{
		In: in, Alone: c.Database == "", PublicURL: c.PublicURL, Proxies: trusted, AllowPlaintext: c.AllowPlaintext, Finder: c.finder(),
		MaxMessage: c.MaxMessage << 20, MinFree: c.MinFree << 20, CommandTimeout: c.CommandTimeout, DeadAfter: c.NodeTimeout,
		HeartbeatURL: postroom.Hide(c.HeartbeatURL), Base: base{Fixed: c.PublicURL, Proxies: trusted}, Log: log,
	}
	if p.Node, err = nodeName(c.Data); err != nil {
		return err
	}
	if err := p.listen(c); err != nil {
		return err
	}
	p.prepare()
	if err := p.greet(ctx, t.Out); err != nil {
		return errors.Join(err, p.Listener.Close())
	}
	return p.run(ctx)
}

func (p *process) listen(c *serveCmd) error {
	if c.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return &postroom.Fault{
				Kind: postroom.Invalid, Class: postroom.TLSMismatch, FixBy: postroom.FixByAppAdmin,
				Explanation: "The certificate for HTTPS and its key cannot be used together.",
				Remedy:      "Give --tls-cert the certificate chain and --tls-key its private key, both in PEM.",
				Err:         err,
			}
		}
		p.Certificate = &pair
	}
	var err error
	if p.Listener, err = net.Listen("tcp", c.Listen); err != nil {
		return &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: fmt.Sprintf("Nothing can answer on %s: %v.", c.Listen, rootCause(err)),
			Remedy:      "Stop what uses that address, or choose another with --listen.",
			Err:         err,
		}
	}
	scheme := "http"
	if p.Certificate != nil {
		scheme = "https"
	}
	p.Base.Own, p.Base.IsOpen = openable(scheme, p.Listener.Addr()), isUnspecified(p.Listener.Addr())
	if p.PublicURL == "" {
		p.PublicURL = p.Base.Own
	}
	return nil
}

func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// greet says where the pages are, also to commands on the same data, and how the first administrator gets in.
func (p *process) greet(ctx context.Context, out io.Writer) error {
	secret, needed, err := p.door.FirstLink(ctx)
	if err != nil {
		return err
	}
	if err := p.In.DB.SetSetting(ctx, addressSetting, p.PublicURL); err != nil {
		return err
	}
	fmt.Fprintf(out, "Postroom answers on %s\n", p.PublicURL)
	if needed {
		fmt.Fprintf(out, "There is no administrator yet. Open this link once, within a day, to become the first:\n%s/welcome/%s\n", p.PublicURL, secret.Reveal())
	}
	return nil
}

// newLog writes text to a terminal and JSON to everything else.
func newLog(w io.Writer, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
