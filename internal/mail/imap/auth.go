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
	if !ok {
		return &mail.Refusal{Protocol: postroom.IMAP, Phase: mail.PhaseAuth,
			Reply: "* CAPABILITY" + strings.TrimRight(c.capabilities, " ")}
	}
	c.heardCapabilities = false // they change with the login
	if name == mail.LoginSASL && hasLogin {
		return c.loginCommand(ctx)
	}
	return c.sasl(ctx, name)
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

// sasl is AUTHENTICATE (RFC 9051 section 6.2.2), with the first response in the
// command itself where the server takes it (RFC 4959).
func (c *Client) sasl(ctx context.Context, name string) error {
	mechanism, err := c.login.Begin(name)
	if err != nil {
		return c.unfit(err)
	}
	words := []arg{{text: "AUTHENTICATE"}, {text: mechanism.Name()}}
	start := mechanism.Start()
	if start != nil && c.Has("SASL-IR") {
		words = append(words, arg{text: encode(start), isSecret: true})
		start = nil
	}
	defer c.lex.release()
	tag, _, err := c.send(ctx, mail.PhaseAuth, words)
	if err != nil {
		return err
	}
	var failure error // ours, after which the exchange was called off
	var challenge string
	answer := func(text []byte) (bool, error) {
		decoded, err := base64.StdEncoding.DecodeString(string(text))
		if err != nil {
			decoded = nil // some servers put words where nothing belongs
		}
		response := start
		if start = nil; response == nil {
			if response, err = mechanism.Next(decoded); err != nil {
				failure = err
				return false, c.write(ctx, mail.PhaseAuth, []byte("*\r\n"), []byte("*"))
			}
			if c.login.IsOAuth() && len(decoded) > 0 {
				challenge = c.login.Scrub(strings.ToValidUTF8(string(decoded), "�"))
			}
		}
		c.login = c.login.Proven(mail.Proof(name, response))
		line := append([]byte(base64.StdEncoding.EncodeToString(response)), '\r', '\n')
		return false, c.write(ctx, mail.PhaseAuth, line, []byte("[hidden]"))
	}
	r, err := c.await(ctx, mail.PhaseAuth, tag, nil, answer)
	switch {
	case err != nil:
		return err
	case failure != nil:
		return c.unfit(failure)
	case r.status == "OK":
		if err := mechanism.Done(); err != nil {
			return c.lose(ctx, mail.PhaseAuth, c.unfit(err))
		}
		return nil
	}
	refusal := c.refused(mail.PhaseAuth, r)
	refusal.Challenge = challenge
	return refusal
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
