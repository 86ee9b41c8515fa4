package pop3

import (
	"context"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// Open connects, encrypts as the endpoint demands, logs in, and asks what the
// server can do. What goes wrong is a [*mail.Refusal].
func Open(ctx context.Context, o Options) (*Client, error) {
	o.Endpoint = o.WithDefaults()
	if o.Login.Host == "" {
		o.Login.Host, o.Login.Port = o.Endpoint.Host, o.Endpoint.Port
	}
	conn, err := mail.Dial(ctx, o.Endpoint)
	if err != nil {
		return nil, ofPOP3(err)
	}
	c := newClient(conn, o)
	c.inUse.Lock()
	defer c.inUse.Unlock()
	defer c.in.release()
	if err := c.open(ctx, o); err != nil {
		c.in.conn.Close()
		c.in.discard()
		return nil, ofPOP3(err)
	}
	return c, nil
}

// ofPOP3 names the protocol in refusals of package mail, which does not know it.
func ofPOP3(err error) error {
	if r, ok := mail.RefusalOf(err); ok {
		r.Protocol = postroom.POP3
	}
	return err
}

// open leads a fresh connection to where messages can be listed.
func (c *Client) open(ctx context.Context, o Options) error {
	unguard := c.guard(ctx)
	defer func() { unguard() }()
	if err := c.greet(ctx, o.ConnectTimeout); err != nil {
		return err
	}
	if err := c.askCapabilities(ctx, mail.PhaseGreeting); err != nil {
		return err
	}
	if o.TLS == postroom.TLSStart {
		if err := c.requestTLS(ctx); err != nil {
			return err
		}
		unguard()
		conn, err := mail.StartTLS(ctx, c.in.conn, o.Endpoint)
		if err != nil {
			return c.lose(ctx, mail.PhaseStartTLS, err)
		}
		c.in.conn, c.isEncrypted = conn, true
		c.capabilities = nil // in clear anybody may have said them
		unguard = c.guard(ctx)
		if err := c.askCapabilities(ctx, mail.PhaseGreeting); err != nil {
			return err
		}
	}
	c.in.until = o.AuthDeadline()
	err := c.signIn(ctx)
	c.in.until = time.Time{}
	if err != nil {
		return err
	}
	// What it can do may have changed (RFC 2449 section 5).
	return c.askCapabilities(ctx, mail.PhaseAny)
}

// greet hears the first word of the server (RFC 1939 section 4).
func (c *Client) greet(ctx context.Context, timeout time.Duration) error {
	c.in.until = time.Now().Add(timeout)
	defer func() { c.in.until = time.Time{} }()
	r, err := c.hear(ctx, mail.PhaseGreeting)
	if err != nil {
		return err
	}
	if !r.ok {
		return c.lose(ctx, mail.PhaseGreeting, c.refused(mail.PhaseGreeting, r))
	}
	if err := c.inStep(ctx, mail.PhaseGreeting); err != nil {
		return err
	}
	c.greeting = r.line
	if isGmail(r.line) && !strings.HasPrefix(c.login.Username, recentPrefix) {
		c.login.Username, c.isRecent = recentPrefix+c.login.Username, true
	}
	return nil
}

// requestTLS makes sure that STLS can be had and asks for it (RFC 2595 section
// 4). There is no way on without: a server that does not offer it may be
// somebody else.
func (c *Client) requestTLS(ctx context.Context) error {
	refuse := func(cause error, reply string) error {
		return c.lose(ctx, mail.PhaseStartTLS,
			&mail.Refusal{Protocol: postroom.POP3, Phase: mail.PhaseStartTLS, Reply: reply, Err: cause})
	}
	if c.capabilities != nil && !c.Has("STLS") {
		return refuse(mail.ErrNoStartTLS, "")
	}
	r, err := c.ask(ctx, mail.PhaseStartTLS, "STLS", "STLS")
	switch {
	case err != nil:
		return err
	case !r.ok && c.capabilities == nil: // it does not know CAPA, and STLS no better
		return refuse(mail.ErrNoStartTLS, c.clean(r.line))
	case !r.ok:
		return c.refused(mail.PhaseStartTLS, r)
	case c.in.r < c.in.w:
		return refuse(mail.ErrEarlyData, "")
	}
	return nil
}
