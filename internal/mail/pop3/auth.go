package pop3

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// The ways in that are not SASL.
const (
	wayUser = "USER" // USER and PASS (RFC 1939 section 7)
	wayAPOP = "APOP"
)

const (
	maxChallenges   = 20
	maxCommandBytes = 255 // of AUTH with its first response and CRLF (RFC 5034 section 4)
)

// signIn signs in. Google does not say whether a token opens a mailbox by the name that
// shows what was handed out before (see IsGmail): where it does not, the plain name is
// tried.
func (c *Client) signIn(ctx context.Context) error {
	err := c.tryAll(ctx)
	if err == nil || !c.login.OAuth || !c.isRecent || !c.Usable() {
		return err
	}
	c.login.Username = strings.TrimPrefix(c.login.Username, recentPrefix)
	return c.tryAll(ctx)
}

// tryAll goes the ways into the mailbox one after the other, until one leads in
// or the server has refused our secret.
func (c *Client) tryAll(ctx context.Context) error {
	var refusal error
	ways, listed := c.waysIn()
	for _, way := range ways {
		shown, err := c.try(ctx, way, listed)
		if err == nil {
			return nil
		}
		refusal = err
		if shown || !c.Usable() {
			return refusal
		}
		if r, is := mail.RefusalOf(err); is && (reply{code: r.Code}).isTemporary() {
			return refusal
		}
	}
	if r, is := mail.RefusalOf(refusal); is && !listed && r.Reply != "" {
		r.Err = mail.ErrNoTokens
	}
	return refusal
}

// waysIn are the ways to try, best first: the mechanism that the login asks for,
// or else what fits a password, or a token. Those that nobody listed are not listed.
//
// Under encryption PLAIN comes before USER, because it carries blanks and 8-bit
// text for certain (to take the blanks in a PASS for its own is up to the
// server), and both work with however the server stores its passwords. APOP does
// not: the server must have the password in clear, and often greets as if it
// could. In clear, what does not show the password comes first.
//
// USER is tried at any rate in the end. Whether a list is complete is uncertain,
// and USER shows no secret: the server can still say why it will not have it.
func (c *Client) waysIn() (ways []string, listed bool) {
	offered := strings.Fields(strings.ToUpper(c.capabilities["SASL"]))
	if asked := strings.ToUpper(c.login.Mechanism); asked != "" {
		if asked == mail.LoginSASL && !slices.Contains(offered, asked) {
			return []string{wayUser}, true
		}
		return []string{asked}, true
	}
	if c.login.OAuth {
		if name, ok := c.login.Choose(offered, c.isEncrypted); ok {
			return []string{name}, true
		}
		return c.login.Unlisted(), false
	}
	order := []string{mail.Plain, wayUser, mail.LoginSASL, mail.ScramSHA256}
	if !c.isEncrypted {
		order = []string{mail.ScramSHA256, wayAPOP, mail.Plain, wayUser, mail.LoginSASL}
	}
	takesUser := c.capabilities == nil || c.Has("USER")
	ways = slices.DeleteFunc(order, func(way string) bool {
		switch way {
		case wayUser:
			return !takesUser
		case wayAPOP:
			return apopTimestamp(c.greeting) == ""
		}
		return !slices.Contains(offered, way)
	})
	if !takesUser {
		ways = append(ways, wayUser)
	}
	return ways, true
}

// try goes one way, which the server has listed or not. hasTold says that the server has had the secret, or proof of
// it, and refused; another way would be another wrong password.
func (c *Client) try(ctx context.Context, way string, listed bool) (hasTold bool, err error) {
	switch way {
	case wayUser:
		return c.userPass(ctx)
	case wayAPOP:
		return c.apop(ctx)
	}
	return c.sasl(ctx, way, listed)
}

func (c *Client) userPass(ctx context.Context) (hasTold bool, err error) {
	if err := c.command(ctx, mail.PhaseAuth, "USER "+c.login.Username); err != nil {
		return false, err
	}
	return true, c.secretCommand(ctx, mail.PhaseAuth, "PASS ", c.login.Secret.Reveal())
}

// sasl is AUTH (RFC 5034). The first response goes on a line of its own, when the
// server asks for it: all of them know that form, of a long line many think that
// it attacks them, and Microsoft takes no other. Where a server refuses it and
// there is no other way in, the response is put into the command, if the mechanism is
// listed.
func (c *Client) sasl(ctx context.Context, name string, listed bool) (hasTold bool, err error) {
	mechanism, err := c.login.Begin(name)
	if err != nil {
		return false, c.unfit(err)
	}
	e := exchange{Client: c, mechanism: mechanism, start: mechanism.Start()}
	command := "AUTH " + mechanism.Name()
	err = e.run(ctx, command, command)
	otherWays := !listed || c.login.Mechanism == "" && !c.login.OAuth
	if err == nil || !c.Usable() || e.hasTold || e.start == nil || otherWays {
		return e.hasTold, err
	}
	withStart := command + " " + base64.StdEncoding.EncodeToString(e.start)
	if r, is := mail.RefusalOf(err); !is || r.Err != nil || r.Code != "" || len(withStart)+len("\r\n") > maxCommandBytes {
		return false, err
	}
	e.start, e.hasTold = nil, true
	return true, e.run(ctx, withStart, command+" [hidden]")
}

// An exchange is one AUTH.
type exchange struct {
	*Client
	mechanism mail.Mechanism
	start     []byte // the first response, not sent yet; nil: there is none
	hasTold   bool   // a response has been sent
}

func (e *exchange) run(ctx context.Context, command, shown string) error {
	if err := e.send(ctx, mail.PhaseAuth, command, shown); err != nil {
		return err
	}
	var failure error // ours, after which the exchange was called off
	var challenge string
	for range maxChallenges {
		l, err := e.hearLine(ctx, mail.PhaseAuth)
		if err != nil {
			return err
		}
		if coded, is := asChallenge(l); is {
			if err := e.inStep(ctx, mail.PhaseAuth); err != nil {
				return err
			}
			asked := e.login.Asked([]byte(coded))
			if challenge == "" && e.login.IsOAuth() && e.hasTold {
				challenge = e.clean(string(asked))
			}
			if failure, err = e.answer(ctx, asked); err != nil {
				return err
			}
			continue
		}
		r, understood := parseReply(l)
		switch {
		case !understood:
			return e.lose(ctx, mail.PhaseAuth, e.stranger(mail.PhaseAuth, r.line))
		case failure != nil:
			return e.unfit(failure)
		case !r.ok:
			refusal := e.refused(mail.PhaseAuth, r)
			refusal.Challenge = challenge
			return refusal
		}
		if !e.hasTold { // its next answer would be that to this
			return e.lose(ctx, mail.PhaseAuth, e.unfit(errors.New("the server says yes before it was told anything")))
		}
		if err := e.mechanism.Done(); err != nil {
			return e.lose(ctx, mail.PhaseAuth, e.unfit(err))
		}
		return e.inStep(ctx, mail.PhaseAuth)
	}
	return e.lose(ctx, mail.PhaseAuth, e.unfit(errors.New("the server asks and asks, and says neither yes nor no")))
}

// answer sends what the mechanism says to a challenge. failure is its own, and
// calls the exchange off.
func (e *exchange) answer(ctx context.Context, challenge []byte) (failure, err error) {
	response := e.start
	if e.start = nil; response == nil {
		if response, failure = e.mechanism.Next(challenge); failure != nil {
			return failure, e.send(ctx, mail.PhaseAuth, "*", "*")
		}
	}
	e.hasTold = true
	e.login = e.login.Proven(mail.Proof(e.mechanism.Name(), response))
	return nil, e.send(ctx, mail.PhaseAuth, base64.StdEncoding.EncodeToString(response), "[hidden]")
}

// asChallenge returns what follows the plus, if l is a challenge.
func asChallenge(l line) (coded string, is bool) {
	text := strings.TrimSpace(string(l.text))
	if !strings.HasPrefix(text, "+") {
		return "", false
	}
	if _, isStatus := parseReply(l); isStatus {
		return "", false
	}
	return strings.TrimSpace(text[1:]), true
}

// unfit is a refusal of our own: this login cannot work here.
func (c *Client) unfit(cause error) error {
	return &mail.Refusal{Protocol: postroom.POP3, Phase: mail.PhaseAuth, Err: cause}
}
