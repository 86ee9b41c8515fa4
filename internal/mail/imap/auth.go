package imap

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// authenticate logs in by the mechanism that was asked for, or the best of those
// that the server offers.
func (c *Client) authenticate(ctx context.Context, o Options) error {
	if err := c.askCapabilities(ctx, mail.PhaseGreeting); err != nil {
		return err
	}
	c.lex.until = o.AuthDeadline()
	defer func() { c.lex.until = time.Time{} }()

	offered := c.values("AUTH")
	hasLogin := !c.Has("LOGINDISABLED")
	if hasLogin {
		offered = append(offered, mail.LoginSASL)
	}
	name, ok := o.Choose(offered, o.TLS != postroom.TLSNone)
	if !ok && o.OAuth { // a greeting may name fewer than there are
		c.heardCapabilities = false
		if err := c.askCapabilities(ctx, mail.PhaseGreeting); err != nil {
			return err
		}
		name, ok = o.Choose(c.values("AUTH"), o.TLS != postroom.TLSNone)
	}
	c.heardCapabilities = false // they change with the login
	switch {
	case !ok && o.OAuth:
		return c.saslUnlisted(ctx)
	case !ok:
		return c.noWayIn()
	case name == mail.LoginSASL && hasLogin:
		return c.loginCommand(ctx)
	}
	_, err := c.sasl(ctx, name, true)
	return err
}

// noWayIn is the refusal of a server that lists no way to sign in that is known here.
func (c *Client) noWayIn() *mail.Refusal {
	return &mail.Refusal{Protocol: postroom.IMAP, Phase: mail.PhaseAuth,
		Reply: "* CAPABILITY" + strings.TrimRight(c.capabilities, " ")}
}

// loginCommand is LOGIN (RFC 9051 section 6.2.3).
func (c *Client) loginCommand(ctx context.Context) error {
	name, password := c.astring(c.login.Username), c.astring(c.login.Secret.Reveal())
	if strings.ContainsRune(name.text+password.text, 0) {
		return c.unfit(errors.New("user name or password holds a NUL, which no server takes"))
	}
	password.isSecret = true
	_, err := c.converse(ctx, mail.PhaseAuth, nil, arg{text: "LOGIN"}, name, password)
	return err
}

// unfit is a refusal of our own: this login cannot work here.
func (c *Client) unfit(cause error) error {
	return &mail.Refusal{Protocol: postroom.IMAP, Phase: mail.PhaseAuth, Err: cause}
}

// saslUnlisted asks for the mechanisms for tokens that the server does not list.
func (c *Client) saslUnlisted(ctx context.Context) error {
	var refused error
	for _, name := range c.login.Unlisted() {
		hasTold, err := c.sasl(ctx, name, false)
		if err == nil || hasTold || !c.Usable() {
			return err
		}
		refused = err
	}
	if r, ok := mail.RefusalOf(refused); ok && r.Reply != "" {
		r.Err = mail.ErrNoTokens
	}
	return refused
}

// maxCommand is the longest command line that every server is to take (RFC 2683 section
// 3.2.1.5). A longer first response waits until the server asks for it.
const maxCommand = 8000

// sasl is AUTHENTICATE (RFC 9051 section 6.2.2), with the first response in the
// command itself where atOnce allows it and the server takes it (RFC 4959). hasTold says
// that the server has had a response.
func (c *Client) sasl(ctx context.Context, name string, atOnce bool) (hasTold bool, err error) {
	mechanism, err := c.login.Begin(name)
	if err != nil {
		return false, c.unfit(err)
	}
	words := []arg{{text: "AUTHENTICATE"}, {text: mechanism.Name()}}
	start := mechanism.Start()
	if coded := encode(start); start != nil && atOnce && c.Has("SASL-IR") && len(coded) < maxCommand-100 {
		words = append(words, arg{text: coded, isSecret: true})
		hasTold, start = true, nil
	}
	defer c.lex.release()
	tag, _, err := c.send(ctx, mail.PhaseAuth, words)
	if err != nil {
		return hasTold, err
	}
	var failure error // ours, after which the exchange was called off
	var challenge string
	answer := func(text []byte) (bool, error) {
		asked := c.login.Asked(text)
		if challenge == "" && c.login.IsOAuth() && hasTold {
			challenge = c.login.Scrub(strings.ToValidUTF8(string(asked), "�"))
		}
		response := start
		if start = nil; response == nil {
			if response, failure = mechanism.Next(asked); failure != nil {
				return false, c.write(ctx, mail.PhaseAuth, []byte("*\r\n"), []byte("*"))
			}
		}
		hasTold = true
		c.login = c.login.Proven(mail.Proof(name, response))
		line := append([]byte(base64.StdEncoding.EncodeToString(response)), '\r', '\n')
		return false, c.write(ctx, mail.PhaseAuth, line, []byte("[hidden]"))
	}
	r, err := c.await(ctx, mail.PhaseAuth, tag, nil, answer)
	switch {
	case err != nil:
		return hasTold, withChallenge(err, challenge)
	case failure != nil:
		return hasTold, c.unfit(failure)
	case r.status == "OK":
		if err := mechanism.Done(); err != nil {
			return hasTold, c.lose(ctx, mail.PhaseAuth, c.unfit(err))
		}
		return hasTold, nil
	}
	return hasTold, withChallenge(c.refused(mail.PhaseAuth, r), challenge)
}

// withChallenge adds what the server said before it refused.
func withChallenge(err error, challenge string) error {
	if r, ok := mail.RefusalOf(err); ok && challenge != "" {
		r.Challenge = challenge
	}
	return err
}

// encode writes an initial response; an empty one is a sign of its own.
func encode(response []byte) string {
	if len(response) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(response)
}

// idCommand is ID (RFC 2971 section 3.1). What is not printable ASCII is left out.
func idCommand(id map[string]string) string {
	if len(id) == 0 {
		id = map[string]string{"name": "Postroom"}
	}
	quote := func(text string) string {
		return `"` + strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' || r == '"' || r == '\\' {
				return -1
			}
			return r
		}, text) + `"`
	}
	var fields []string
	for _, key := range slices.Sorted(maps.Keys(id)) {
		fields = append(fields, quote(key), quote(id[key]))
	}
	return "ID (" + strings.Join(fields, " ") + ")"
}
