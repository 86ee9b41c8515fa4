package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
)

type mailboxCmd struct {
	Add       mailboxAddCmd       `cmd:"" help:"Connect a mailbox."`
	Import    mailboxImportCmd    `cmd:"" help:"Connect or change many mailboxes that a file lists."`
	List      mailboxListCmd      `cmd:"" help:"List the mailboxes."`
	Show      mailboxShowCmd      `cmd:"" help:"Show one mailbox."`
	Change    mailboxChangeCmd    `cmd:"" help:"Change settings of a mailbox, or its password."`
	Test      mailboxTestCmd      `cmd:"" help:"Try step by step whether a mailbox can be read, and sends. Changes nothing."`
	RoundTrip mailboxRoundTripCmd `cmd:"" name:"roundtrip" help:"Prove that a mail to a mailbox becomes an issue: it sends itself one, which is cleared away again."`
	SendTest  mailboxSendTestCmd  `cmd:"" name:"send-test" help:"Send a test mail from a mailbox, and say what became of it."`
	SignIn    mailboxSignInCmd    `cmd:"" name:"sign-in" help:"Have somebody sign in at the provider of a mailbox, in a browser, on another device, or by a link."`
	Pause     mailboxPauseCmd     `cmd:"" help:"Stop reading a mailbox."`
	Resume    mailboxResumeCmd    `cmd:"" help:"Read a mailbox again, and try it at once."`
	Remove    mailboxRemoveCmd    `cmd:"" help:"Remove a mailbox. Its password is destroyed."`
	Ledger    mailboxLedgerCmd    `cmd:"" help:"Say where each message of a mailbox went, and prove that none is missing."`
	Rescan    mailboxRescanCmd    `cmd:"" help:"Say what the server of a mailbox has that is not here, and bring it in."`
	Hear      mailboxHearCmd      `cmd:"" name:"transcript" help:"Show the dialogue with the server of a mailbox, word for word."`
}

// named is the mailbox that a command is about.
type named struct {
	Mailbox string `arg:"" help:"The mailbox: its address, its id, or its name." placeholder:"ADDRESS"`
}

// find returns the mailbox that words name.
func (c *client) find(ctx context.Context, words string) (m api.Mailbox, err error) {
	if id, err := postroom.ParseID[postroom.MailboxID](words); err == nil {
		_, err := c.call(ctx, http.MethodGet, "/mailboxes/"+id.String(), nil, &m)
		return m, err
	}
	words = strings.TrimSpace(words)
	var called []api.Mailbox
	err = c.each(ctx, url.Values{"q": {words}}, func(found api.Mailbox) {
		if strings.EqualFold(found.Address, words) {
			m = found
		}
		if strings.EqualFold(found.Name, words) {
			called = append(called, found)
		}
	})
	switch {
	case err != nil || m.ID != "":
		return m, err
	case len(called) == 1:
		return called[0], nil
	case len(called) > 1:
		err = fmt.Errorf("%d mailboxes have this name", len(called))
	}
	return m, &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "There is no mailbox “" + words + "” here.",
		Remedy:      "“postroom mailbox list” shows the mailboxes; name one by its address.",
		Err:         err,
	}
}

// each calls visit with every mailbox of a list, page by page.
func (c *client) each(ctx context.Context, query url.Values, visit func(api.Mailbox)) error {
	query.Set("limit", "500")
	for {
		var page struct {
			Items      []api.Mailbox `json:"items"`
			NextCursor *string       `json:"next_cursor"`
		}
		if _, err := c.call(ctx, http.MethodGet, "/mailboxes?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		for _, m := range page.Items {
			visit(m)
		}
		if page.NextCursor == nil {
			return nil
		}
		query.Set("cursor", *page.NextCursor)
	}
}

// withMailbox finds a mailbox and does something with it.
func (f mailboxFlags) withMailbox(ctx context.Context, t terminal, n named, do func(*client, api.Mailbox) error) error {
	return f.atMailboxes(ctx, t, func(c *client) error {
		m, err := c.find(ctx, n.Mailbox)
		if err != nil {
			return err
		}
		return do(c, m)
	})
}

type mailboxListCmd struct {
	mailboxFlags
	State string `enum:",draft,active,delayed,needs_sign_in,needs_repair,paused" default:"" help:"Only those in this state: draft, active, delayed, needs_sign_in, needs_repair or paused."`
}

// Run prints the mailboxes by name.
func (c *mailboxListCmd) Run(ctx context.Context, t terminal) error {
	return c.atMailboxes(ctx, t, func(client *client) error {
		query := url.Values{}
		if c.State != "" {
			query.Set("state", c.State)
		}
		var all []api.Mailbox
		if err := client.each(ctx, query, func(m api.Mailbox) { all = append(all, m) }); err != nil {
			return err
		}
		if c.JSON {
			return printList(t.Out, all, func(m api.Mailbox) api.Mailbox { return m })
		}
		return tellMailboxes(t.Out, all, c.State)
	})
}

type mailboxShowCmd struct {
	mailboxFlags
	named
}

// Run prints one mailbox.
func (c *mailboxShowCmd) Run(ctx context.Context, t terminal) error {
	return c.withMailbox(ctx, t, c.named, func(client *client, m api.Mailbox) error {
		if c.JSON {
			return json.NewEncoder(t.Out).Encode(m)
		}
		if err := tellMailbox(t.Out, m); err != nil {
			return err
		}
		var all struct {
			Items []api.Numbering `json:"items"`
		}
		if _, err := client.call(ctx, http.MethodGet, "/mailboxes/"+m.ID+"/numberings", nil, &all); err != nil {
			return err
		}
		return tellNumberings(t.Out, all.Items)
	})
}

type mailboxTestCmd struct {
	mailboxFlags
	named
	Side string `enum:",incoming,outgoing" default:"" help:"Test this side only: incoming or outgoing." placeholder:"SIDE"`
}

// Run tests a mailbox and prints the steps as they come. A test that fails is the
// command's failure.
func (c *mailboxTestCmd) Run(ctx context.Context, t terminal) error {
	return c.withMailbox(ctx, t, c.named, func(client *client, m api.Mailbox) error {
		reel := newTestReel(t, c.JSON)
		reel.holds = c.Side == ""
		report, text, err := client.test(ctx, m.ID, c.Side, reel.step)
		reel.ends()
		if err != nil {
			return err
		}
		if c.JSON {
			err = printRaw(t.Out, text)
		} else {
			err = reel.err
		}
		if err != nil {
			return err
		}
		return faultOf(failure(report))
	})
}

// test has a saved mailbox tested, one side or with an empty side both, and has told
// hear each step.
func (c *client) test(ctx context.Context, id, side string, told func(step json.RawMessage)) (r api.Report, text json.RawMessage, err error) {
	path := "/mailboxes/" + id + "/test"
	if side != "" {
		path += "?side=" + side
	}
	text, err = c.live(ctx, path, nil, &r, told)
	return r, text, err
}

type mailboxPauseCmd struct {
	mailboxFlags
	named
}

// Run pauses a mailbox.
func (c *mailboxPauseCmd) Run(ctx context.Context, t terminal) error {
	return c.move(ctx, t, c.named, "pause", "%s is paused. “postroom mailbox resume” reads it again; what arrives meanwhile is brought in then.\n")
}

type mailboxResumeCmd struct {
	mailboxFlags
	named
}

// Run resumes a mailbox.
func (c *mailboxResumeCmd) Run(ctx context.Context, t terminal) error {
	return c.move(ctx, t, c.named, "resume", "%s is read again.\n")
}

func (f mailboxFlags) move(ctx context.Context, t terminal, n named, what, words string) error {
	return f.withMailbox(ctx, t, n, func(c *client, m api.Mailbox) error {
		text, err := c.call(ctx, http.MethodPost, "/mailboxes/"+m.ID+"/"+what, nil, nil)
		if err != nil {
			return err
		}
		if f.JSON {
			return printRaw(t.Out, text)
		}
		_, err = fmt.Fprintf(t.Out, words, m.Address)
		return err
	})
}

type mailboxRemoveCmd struct {
	mailboxFlags
	named
	Issues string `required:"" enum:"keep,erase" help:"What becomes of its issues: ${enum}. Erasing is for good."`
}

// Run removes a mailbox.
func (c *mailboxRemoveCmd) Run(ctx context.Context, t terminal) error {
	return c.withMailbox(ctx, t, c.named, func(client *client, m api.Mailbox) error {
		if _, err := client.call(ctx, http.MethodDelete, "/mailboxes/"+m.ID+"?issues="+c.Issues, nil, nil); err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(t.Out).Encode(struct {
				ID     string `json:"id"`
				Issues string `json:"issues"`
			}{m.ID, c.Issues})
		}
		words := "Its issues stay."
		if c.Issues == "erase" {
			words = "Its issues are erased, but for those that another mailbox shares."
		}
		_, err := fmt.Fprintf(t.Out, "%s is removed and its password destroyed. %s Nothing was changed on the mail server.\n", m.Address, words)
		return err
	})
}

type mailboxLedgerCmd struct {
	mailboxFlags
	named
}

// Run prints the ledger. One that does not balance, or cannot be proven now, is
// the command's failure.
func (c *mailboxLedgerCmd) Run(ctx context.Context, t terminal) error {
	return c.withMailbox(ctx, t, c.named, func(client *client, m api.Mailbox) error {
		var l api.Ledger
		text, err := client.call(ctx, http.MethodGet, "/mailboxes/"+m.ID+"/ledger", nil, &l)
		if err != nil {
			return err
		}
		if c.JSON {
			err = printRaw(t.Out, text)
		} else {
			err = tellLedger(t.Out, l)
		}
		switch {
		case err != nil:
			return err
		case l.Fault != nil:
			return faultOf(l.Fault)
		case l.Balanced == nil || !*l.Balanced:
			return faultOf(&api.Fault{
				Class: string(postroom.Unknown), FixBy: string(postroom.FixByAppAdmin),
				Explanation: "The ledger of " + m.Address + " does not balance.",
				Remedy:      "The messages named above are not accounted for. Ask again in a minute; if they stay, report it to the makers of Postroom.",
			})
		}
		return nil
	})
}

// printRaw prints an answer of the API as one line.
func printRaw(w io.Writer, text json.RawMessage) error {
	_, err := fmt.Fprintln(w, strings.TrimSpace(string(text)))
	return err
}
