package smtp

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// maxCommand is the longest command line, with its line end (RFC 5321 section
// 4.5.3.1.4). A longer first response waits until the server asks for it (RFC
// 4954 section 4).
const maxCommand = 512

// signIn signs in by the mechanism that was asked for, or the best of those that
// the server offers. Where it turns out not to speak one after all, the next has
// its turn.
func (c *Client) signIn(ctx context.Context, encrypted bool) error {
	offered := strings.Fields(c.extensions["AUTH"])
	if _, ok := c.login.Choose(offered, encrypted); !ok && c.login.OAuth {
		return c.saslUnlisted(ctx)
	}
	for {
		name, ok := c.login.Choose(offered, encrypted)
		if !ok {
			return c.noWayIn()
		}
		r, _, err := c.sasl(ctx, name, true)
		if err == nil {
			c.mechanism = name
			return nil
		}
		offered = slices.DeleteFunc(offered, func(o string) bool { return strings.EqualFold(o, name) })
		_, another := c.login.Choose(offered, encrypted)
		if r.code != 504 || !c.Usable() || c.login.Mechanism != "" || !another {
			return err
		}
	}
}

// saslUnlisted asks for the mechanisms for tokens that the server does not list.
func (c *Client) saslUnlisted(ctx context.Context) error {
	var refused error
	for _, name := range c.login.Unlisted() {
		r, hasTold, err := c.sasl(ctx, name, false)
		if err == nil {
			c.mechanism = name
			return nil
		}
		if hasTold || !c.Usable() || r.code < 500 { // it may know it, and have trouble
			return err
		}
		refused = err
	}
	if r, ok := mail.RefusalOf(refused); ok {
		r.Err = mail.ErrNoTokens
	}
	return refused
}

// noWayIn is the refusal of a server that lists no way to sign in that is known here.
func (c *Client) noWayIn() *mail.Refusal {
	return &mail.Refusal{Protocol: postroom.SMTP, Phase: mail.PhaseAuth, Reply: c.offer()}
}

// offer is the answer to EHLO, which holds no way to sign in that is known here.
func (c *Client) offer() string {
	words := []string{"250"}
	for name, rest := range c.extensions {
		words = append(words, strings.TrimSpace(name+" "+rest))
	}
	slices.Sort(words[1:])
	return c.login.Scrub(strings.ToValidUTF8(strings.Join(words, " "), "�"))
}

// unfit is a refusal of our own: this login cannot work here.
func (c *Client) unfit(cause error) error {
	return &mail.Refusal{Protocol: postroom.SMTP, Phase: mail.PhaseAuth, Err: cause}
}

// sasl is AUTH (RFC 4954), with the first response in the command itself where atOnce
// allows it. hasTold says that the server has had a response.
func (c *Client) sasl(ctx context.Context, name string, atOnce bool) (r reply, hasTold bool, err error) {
	mechanism, err := c.login.Begin(name)
	if err != nil {
		return reply{}, false, c.unfit(err)
	}
	line := "AUTH " + mechanism.Name()
	shown := line
	start := mechanism.Start()
	if first := line + " " + encode(start); start != nil && atOnce && len(first)+len("\r\n") <= maxCommand {
		line, shown, start, hasTold = first, shown+" [hidden]", nil, true
	}
	if err := c.say(ctx, mail.PhaseAuth, line, shown); err != nil {
		return reply{}, hasTold, err
	}
	var challenge string
	for {
		r, err := c.answer(ctx, mail.PhaseAuth, c.commandTimeout)
		if err != nil {
			if refusal, ok := mail.RefusalOf(err); ok && refusal.Reply != "" {
				refusal.Challenge = challenge
			}
			return r, hasTold, err
		}
		if r.isPositive() {
			if err := mechanism.Done(); err != nil {
				return r, hasTold, c.lose(ctx, mail.PhaseAuth, c.unfit(err))
			}
			return r, hasTold, nil
		}
		asked := c.login.Asked([]byte(r.text()))
		if challenge == "" && c.login.IsOAuth() && hasTold {
			challenge = c.login.Scrub(strings.ToValidUTF8(string(asked), "�"))
		}
		response := start
		if start = nil; response == nil {
			if response, err = mechanism.Next(asked); err != nil {
				return r, hasTold, c.callOff(ctx, err)
			}
		}
		hasTold = true
		c.login = c.login.Proven(mail.Proof(name, response))
		if err := c.say(ctx, mail.PhaseAuth, base64.StdEncoding.EncodeToString(response), "[hidden]"); err != nil {
			return r, hasTold, err
		}
	}
}

// callOff ends an exchange that cannot come to a good end.
func (c *Client) callOff(ctx context.Context, cause error) error {
	if _, err := c.ask(ctx, mail.PhaseAuth, "*"); err != nil && !c.Usable() {
		return err
	}
	return c.unfit(cause)
}

// encode writes a first response; an empty one is a sign of its own.
func encode(response []byte) string {
	if len(response) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(response)
}
