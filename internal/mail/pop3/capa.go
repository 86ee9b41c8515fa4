package pop3

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/internal/mail"
)

const (
	maxCapabilityLines = 1000
	maxCapabilityBytes = 16 << 10 // of what is kept
)

// capabilities are the lines of CAPA (RFC 2449 section 5): the first word of each
// in upper case, and what follows it. nil: the server has not said.
type capabilities map[string]string

// askCapabilities asks what the server can do. Where it does not answer the
// question, what it said before is the best that is known.
func (c *Client) askCapabilities(ctx context.Context, phase mail.Phase) error {
	r, err := c.ask(ctx, phase, "CAPA", "CAPA")
	if err != nil {
		return err
	}
	if !r.ok {
		return c.inStep(ctx, phase)
	}
	heard := make(capabilities)
	kept := 0
	err = c.hearList(ctx, phase, maxCapabilityLines, func(l line) {
		if kept += len(l.text); kept > maxCapabilityBytes {
			return
		}
		name, rest, _ := strings.Cut(string(l.text), " ")
		name = strings.ToUpper(name)
		if old := heard[name]; old != "" { // SASL on two lines
			rest = old + " " + rest
		}
		heard[name] = rest
	})
	if err == nil {
		c.capabilities = heard
	}
	return err
}

// Has says whether the server has offered a capability, for example "UIDL". It
// offers nothing where it does not know CAPA.
func (c *Client) Has(capability string) bool {
	_, has := c.capabilities[strings.ToUpper(capability)]
	return has
}

// Expire returns after how many days the server deletes messages by itself (RFC
// 2449 section 6.7). 0 days says that it may delete what was retrieved as soon as
// the session ends with QUIT. known is false where it keeps them, or says nothing.
//
// Gmail says EXPIRE 0 and deletes nothing by that rule: what it does with what was
// retrieved is its owner's choice, and by default it is kept.
func (c *Client) Expire() (days int, known bool) {
	words := strings.Fields(c.capabilities["EXPIRE"])
	if len(words) == 0 || c.IsGmail() {
		return 0, false
	}
	days, err := strconv.Atoi(words[0])
	if err != nil || days < 0 {
		return 0, false
	}
	return days, true
}

// expiresAtOnce says whether QUIT may cost the messages that were retrieved.
func (c *Client) expiresAtOnce() bool {
	days, known := c.Expire()
	return c.IsGmail() || known && days == 0
}

// LoginDelay returns how long the server wants there to be between two logins
// (RFC 2449 section 6.5); a day at most. 0: it does not say.
func (c *Client) LoginDelay() time.Duration {
	words := strings.Fields(c.capabilities["LOGIN-DELAY"])
	if len(words) == 0 {
		return 0
	}
	seconds, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil || seconds < 0 {
		return 0
	}
	const day = 24 * 60 * 60
	return time.Duration(min(seconds, day)) * time.Second
}

// IsGmail says whether this is Gmail, known by its greeting: "+OK Gpop ready for
// requests from …". By default it hides what was once handed out. A login as
// "recent:" and the user name shows the mail of the last 30 days, handed out or
// not (https://support.google.com/mail/answer/7104828); Open logs in like that.
func (c *Client) IsGmail() bool { return isGmail(c.greeting) }

const recentPrefix = "recent:"

func isGmail(greeting string) bool {
	words := strings.Fields(greeting)
	return len(words) > 1 && strings.EqualFold(words[1], "Gpop")
}
