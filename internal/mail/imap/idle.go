package imap

import (
	"bytes"
	"context"
	"errors"
	"os"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// Idle waits until the server says that something has changed in the selected
// folder (RFC 2177), at most for the given time; that must be below the 29 minutes
// after which servers hang up. What has been announced since UIDs was last called
// is news at once. Where there is no IDLE the answer is a refusal.
//
// While it waits the connection holds no buffer. An Interrupt ends the wait.
func (c *Client) Idle(ctx context.Context, atMost time.Duration) (news bool, err error) {
	if !c.inUse.TryLock() {
		return false, errInUse
	}
	defer c.inUse.Unlock()
	defer c.guard(ctx)()
	if c.news && c.Usable() {
		return true, nil
	}
	defer c.lex.release()
	end := time.Now().Add(atMost)
	c.listening = true
	defer func() { c.listening = false }()

	tag, err := c.beginIdle(ctx)
	if err != nil {
		return c.news, err
	}
	ended := new(reply)
	if err := c.listen(ctx, tag, end, ended); err != nil {
		return c.news, err
	}
	return c.news, c.endIdle(ctx, tag, ended)
}

// beginIdle and endIdle stand apart from the wait between them, so that the stack
// of a goroutine that waits stays small: tens of thousands do.
func (c *Client) beginIdle(ctx context.Context) (tag string, err error) {
	if broken := c.broken.Load(); broken != nil {
		return "", broken
	}
	if !c.Has("IDLE") {
		return "", &mail.Refusal{Protocol: postroom.IMAP, Phase: mail.PhaseIdle, Err: ErrNoIdle}
	}
	tag, _, err = c.send(ctx, mail.PhaseIdle, []arg{{text: "IDLE"}})
	if err != nil {
		return "", err
	}
	isIdle := false
	r, err := c.await(ctx, mail.PhaseIdle, tag, nil, func([]byte) (bool, error) {
		isIdle = true
		return true, nil
	})
	if err == nil && !isIdle {
		err = c.refused(mail.PhaseIdle, r) // also when it says OK: it did not wait
	}
	return tag, err
}

// endIdle says DONE, unless the server has ended the command by itself.
func (c *Client) endIdle(ctx context.Context, tag string, ended *reply) error {
	if ended.status == "" {
		if err := c.write(ctx, mail.PhaseIdle, []byte("DONE\r\n"), []byte("DONE")); err != nil {
			return err
		}
		r, err := c.await(ctx, mail.PhaseIdle, tag, nil, nil)
		if err != nil {
			return err
		}
		*ended = r
	}
	return c.refusal(mail.PhaseIdle, *ended)
}

// ErrNoIdle is the cause when a server does not offer IDLE.
var ErrNoIdle = errors.New("the server doesn't offer IDLE")

// listen reads until there is news or end is reached; or until the server ends
// the command by itself, and then ended is its reply.
func (c *Client) listen(ctx context.Context, tag string, end time.Time, ended *reply) error {
	patience := c.lex.patience
	c.lex.patience, c.lex.until = time.Until(end)+time.Second, end
	c.lex.budget = c.lex.patience
	leave := c.interrupt.enter(c.lex.conn)
	c.lex.armed = c.interrupt.repeat
	defer func() {
		leave()
		c.lex.armed = nil
		c.setPatience(patience)
		c.renewBudget(0)
		c.lex.until = time.Time{}
	}()
	for !c.news && ended.status == "" {
		err := c.lex.rest()
		if err == nil {
			err = c.hearInIdle(tag, ended)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && c.bye.status == "" && ctx.Err() == nil {
			return nil
		}
		if err != nil {
			return c.lose(ctx, mail.PhaseIdle, err)
		}
	}
	return nil
}

// hearInIdle reads one response.
func (c *Client) hearInIdle(tag string, ended *reply) error {
	if err := c.lex.begin(); err != nil {
		return err
	}
	word, rest := cutWord(c.lex.line)
	if status, _ := cutWord(rest); bytes.EqualFold(word, []byte(tag)) && isStatus(status) {
		*ended = parseReply(rest)
		return nil
	}
	if err := c.hearUntagged(nil); err != nil {
		return err
	}
	return c.lex.finish()
}

// Noop asks the server whether something has changed, and proves that the
// connection still stands.
func (c *Client) Noop(ctx context.Context) (news bool, err error) {
	_, err = c.simple(ctx, mail.PhaseAny, func(word keyword, _ uint64) (bool, error) {
		if word == wordFetch || word == wordUIDFetch {
			c.news = true
		}
		return false, nil
	}, "NOOP")
	return c.news, err
}
