package smtp

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// Open connects, encrypts, says hello and signs in. What goes wrong is a
// [*mail.Refusal].
func Open(ctx context.Context, o Options) (*Client, error) {
	o.Endpoint = o.WithDefaults()
	if o.Login.Host == "" {
		o.Login.Host, o.Login.Port = o.Endpoint.Host, o.Endpoint.Port
	}
	conn, err := mail.Dial(ctx, o.Endpoint)
	if err != nil {
		return nil, ofSMTP(err)
	}
	c := newClient(conn, o)
	c.inUse.Lock()
	defer c.inUse.Unlock()
	if err := c.open(ctx, o); err != nil {
		c.conn.Close()
		return nil, ofSMTP(err)
	}
	return c, nil
}

// ofSMTP names the protocol in refusals of package mail, which does not know it.
func ofSMTP(err error) error {
	if r, ok := mail.RefusalOf(err); ok {
		r.Protocol = postroom.SMTP
	}
	return err
}

// open leads a fresh connection to where a message can be handed over.
func (c *Client) open(ctx context.Context, o Options) error {
	unguard := c.guard(ctx)
	defer func() { unguard() }()
	c.until = time.Now().Add(o.ConnectTimeout)
	if _, err := c.consent(ctx, mail.PhaseGreeting); err != nil {
		return err
	}
	if err := c.greet(ctx); err != nil {
		return err
	}
	if o.TLS == postroom.TLSStart {
		if err := c.requestTLS(ctx); err != nil {
			return err
		}
		unguard()
		conn, err := mail.StartTLS(ctx, c.conn, o.Endpoint)
		if err != nil {
			return c.lose(ctx, mail.PhaseStartTLS, ofSMTP(err))
		}
		c.conn = conn
		c.in.Reset(conn)
		unguard = c.guard(ctx)
		c.until = time.Now().Add(o.ConnectTimeout)
		c.extensions = nil // in clear anybody may have said them
		if err := c.greet(ctx); err != nil {
			return err
		}
	}
	if c.login.Username == "" && c.login.Secret.IsEmpty() { // it knows us by where we come from
		return nil
	}
	c.until = o.AuthDeadline()
	defer func() { c.until = time.Time{} }()
	return c.signIn(ctx, o.TLS != postroom.TLSNone)
}

// greet says EHLO and hears what the server can do; to a server that does not
// know EHLO, HELO (RFC 5321 section 3.2). We call ourselves by our address: a name
// would have to be one that DNS knows.
func (c *Client) greet(ctx context.Context) error {
	name := addressLiteral(c.conn.LocalAddr())
	r, err := c.ask(ctx, mail.PhaseGreeting, "EHLO "+name)
	if err != nil && c.Usable() && r.code >= 500 {
		_, err = c.ask(ctx, mail.PhaseGreeting, "HELO "+name)
		return err
	}
	if err != nil {
		return err
	}
	c.extensions = map[string]string{}
	for n, text := range r.texts {
		if n == 0 {
			continue // the server's name
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
		word = strings.ToUpper(word)
		if mechanism, old := strings.CutPrefix(word, "AUTH="); old { // before RFC 2554
			word, rest = "AUTH", mechanism+" "+rest
		}
		if word == "AUTH" {
			rest = c.extensions["AUTH"] + " " + rest
		}
		c.extensions[word] = strings.TrimSpace(rest)
	}
	return nil
}

// addressLiteral is how a computer without a known name calls itself (RFC 5321
// section 4.1.3).
func addressLiteral(local net.Addr) string {
	tcp, ok := local.(*net.TCPAddr)
	switch {
	case !ok || tcp.IP == nil:
		return "[127.0.0.1]"
	case tcp.IP.To4() != nil:
		return "[" + tcp.IP.To4().String() + "]"
	}
	return "[IPv6:" + tcp.IP.String() + "]"
}

// requestTLS makes sure that STARTTLS can be had and asks for it (RFC 3207). There
// is no way on without: who leaves it out of the list may be somebody between.
func (c *Client) requestTLS(ctx context.Context) error {
	refuse := func(cause error) error {
		return c.lose(ctx, mail.PhaseStartTLS, &mail.Refusal{Protocol: postroom.SMTP, Phase: mail.PhaseStartTLS, Err: cause})
	}
	if !c.Has("STARTTLS") {
		return refuse(mail.ErrNoStartTLS)
	}
	if _, err := c.ask(ctx, mail.PhaseStartTLS, "STARTTLS"); err != nil {
		return err
	}
	if c.in.Buffered() > 0 {
		return refuse(mail.ErrEarlyData)
	}
	return nil
}
