package imap

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// Open connects, encrypts as the endpoint demands, logs in, and agrees with the
// server on what both can do. What goes wrong is a [*mail.Refusal].
func Open(ctx context.Context, o Options) (*Client, error) {
	o.Endpoint = o.WithDefaults()
	if o.Login.Host == "" {
		o.Login.Host, o.Login.Port = o.Endpoint.Host, o.Endpoint.Port
	}
	conn, err := mail.Dial(ctx, o.Endpoint)
	if err != nil {
		return nil, ofIMAP(err)
	}
	c := newClient(conn, o)
	c.inUse.Lock()
	defer c.inUse.Unlock()
	if err := c.open(ctx, o); err != nil {
		c.lex.conn.Close()
		c.lex.discard()
		return nil, ofIMAP(err)
	}
	return c, nil
}

// ofIMAP names the protocol in refusals of package mail, which does not know it.
func ofIMAP(err error) error {
	if r, ok := mail.RefusalOf(err); ok {
		r.Protocol = postroom.IMAP
	}
	return err
}

// open leads a fresh connection to where folders can be selected.
func (c *Client) open(ctx context.Context, o Options) error {
	unguard := c.guard(ctx)
	defer func() { unguard() }()
	preauth, err := c.greeting(ctx, o.ConnectTimeout)
	if err != nil {
		return err
	}
	if o.TLS == postroom.TLSStart {
		if err := c.requestTLS(ctx, preauth); err != nil {
			return err
		}
		unguard()
		conn, err := mail.StartTLS(ctx, c.lex.conn, o.Endpoint)
		if err != nil {
			return c.lose(ctx, mail.PhaseStartTLS, err)
		}
		c.lex.conn = conn
		c.capabilities, c.heardCapabilities = "", false // in clear anybody may have said them
		unguard = c.guard(ctx)
	}
	if !preauth {
		if err := c.authenticate(ctx, o); err != nil {
			return err
		}
	}
	return c.agree(ctx, o.ClientID)
}

// greeting hears the first word of the server (RFC 9051 section 7.1): it is ready,
// knows us already, or wants nothing of us.
func (c *Client) greeting(ctx context.Context, timeout time.Duration) (preauth bool, err error) {
	c.lex.until = time.Now().Add(timeout)
	defer func() { c.lex.until = time.Time{} }()
	defer c.lex.release()
	for {
		if err := c.lex.begin(); err != nil {
			return false, c.lose(ctx, mail.PhaseGreeting, err)
		}
		line := bytes.TrimSpace(c.lex.line)
		if len(line) > 0 && line[0] != '*' { // another protocol answers on this port
			refusal := &mail.Refusal{Protocol: postroom.IMAP, Phase: mail.PhaseGreeting, Reply: shorten(string(line))}
			return false, c.lose(ctx, mail.PhaseGreeting, refusal)
		}
		switch r := parseReply(bytes.TrimLeft(line, "* \t")); r.status {
		case "OK", "PREAUTH":
			c.hearCode(r)
			c.isCourier = strings.Contains(r.line, "Courier-IMAP") // "* OK […] Courier-IMAP ready. Copyright …"
			return r.status == "PREAUTH", nil
		case "BYE", "NO", "BAD":
			return false, c.lose(ctx, mail.PhaseGreeting, c.refused(mail.PhaseGreeting, r))
		}
		if err := c.hearUntagged(nil); err != nil {
			return false, c.lose(ctx, mail.PhaseGreeting, err)
		}
		if err := c.lex.finish(); err != nil {
			return false, c.lose(ctx, mail.PhaseGreeting, err)
		}
	}
}

// shorten keeps as much of a stranger's greeting as helps to recognise it.
func shorten(line string) string {
	const enough = 500
	return strings.ToValidUTF8(line[:min(len(line), enough)], "�")
}

// askCapabilities asks what the server can do, if it has not said so by itself.
func (c *Client) askCapabilities(ctx context.Context, phase mail.Phase) error {
	if c.heardCapabilities {
		return nil
	}
	c.capabilities = ""
	_, err := c.converse(ctx, phase, nil, arg{text: "CAPABILITY"})
	if err != nil && c.Usable() {
		return nil // a server that refuses even this may still let us in
	}
	return err
}

// requestTLS makes sure that STARTTLS can be had and asks for it. There is no way
// on without: a server that greets with PREAUTH, or does not offer it, may be
// somebody else.
func (c *Client) requestTLS(ctx context.Context, preauth bool) error {
	refuse := func(cause error) error {
		return c.lose(ctx, mail.PhaseStartTLS,
			&mail.Refusal{Protocol: postroom.IMAP, Phase: mail.PhaseStartTLS, Err: cause})
	}
	if !preauth && !c.Has("STARTTLS") { // a greeting may name fewer than there are
		c.heardCapabilities = false
		if err := c.askCapabilities(ctx, mail.PhaseGreeting); err != nil {
			return err
		}
	}
	if preauth || !c.Has("STARTTLS") {
		return refuse(mail.ErrNoStartTLS)
	}
	if _, err := c.converse(ctx, mail.PhaseStartTLS, nil, arg{text: "STARTTLS"}); err != nil {
		return err
	}
	if c.lex.r < c.lex.w {
		return refuse(mail.ErrEarlyData)
	}
	return nil
}

// agree says who we are and switches on what is useful.
func (c *Client) agree(ctx context.Context, id map[string]string) error {
	if err := c.askCapabilities(ctx, mail.PhaseAny); err != nil {
		return err
	}
	c.utf8 = c.Has("IMAP4REV2") && !c.Has("IMAP4REV1") // RFC 9051 section 5.1
	if c.Has("ID") {
		if _, err := c.converse(ctx, mail.PhaseAny, nil, arg{text: idCommand(id)}); err != nil && !c.Usable() {
			return err
		}
	}
	var wanted []string
	if c.Has("UTF8=ACCEPT") || c.Has("UTF8=ONLY") {
		wanted = append(wanted, "UTF8=ACCEPT")
	}
	if c.Has("UIDONLY") { // without it, Yahoo shows only the newest part of a folder
		wanted = append(wanted, "UIDONLY")
	}
	if !c.Has("ENABLE") || len(wanted) == 0 {
		return nil
	}
	hearEnabled := func(word keyword, _ uint64) (bool, error) {
		if word != wordEnabled {
			return false, nil
		}
		for _, name := range bytes.Fields(c.lex.line[c.lex.pos:]) {
			c.utf8 = c.utf8 || is(name, "UTF8=ACCEPT")
			c.uidOnly = c.uidOnly || is(name, "UIDONLY")
		}
		return true, nil
	}
	_, err := c.converse(ctx, mail.PhaseAny, hearEnabled, arg{text: "ENABLE " + strings.Join(wanted, " ")})
	if err != nil && !c.Usable() {
		return err
	}
	return nil
}
