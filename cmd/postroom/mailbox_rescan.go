package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
)

type mailboxRescanCmd struct {
	mailboxFlags
	named
	DryRun bool   `help:"Only say what there is."`
	Yes    bool   `help:"Bring it in without asking."`
	Start  string `help:"An earlier start that the mailbox gets first: all, or a day such as 2026-11-20." placeholder:"all|DAY"`
}

// Run says what the server has that is not here and, once that is confirmed, brings
// it in.
func (c *mailboxRescanCmd) Run(ctx context.Context, t terminal) error {
	start, err := startOf(c.Start)
	if err != nil {
		return err
	}
	return c.withMailbox(ctx, t, c.named, func(client *client, m api.Mailbox) error {
		first := c.DryRun || !c.Yes
		found, text, err := client.rescan(ctx, m.ID, first, start)
		if err != nil {
			return err
		}
		if !first {
			return c.tell(t.Out, m, found, text, start)
		}
		sure, err := c.shown(ctx, t, m, found, text, start)
		if err != nil || !sure {
			return err
		}
		if found, text, err = client.rescan(ctx, m.ID, false, start); err != nil {
			return err
		}
		return c.tell(t.Out, m, found, text, start)
	})
}

// rescan asks for a rescan, or for a dry run of one.
func (c *client) rescan(ctx context.Context, id string, dryRun bool, start string) (r api.Rescan, text json.RawMessage, err error) {
	request := map[string]any{"dry_run": dryRun}
	if start != "" {
		request["start"] = start
	}
	text, err = c.call(ctx, http.MethodPost, "/mailboxes/"+id+"/rescan", request, &r)
	return r, text, err
}

// shown prints what a dry run has found, and returns whether to go on.
func (c *mailboxRescanCmd) shown(ctx context.Context, t terminal, m api.Mailbox, found api.Rescan, text json.RawMessage, start string) (sure bool, err error) {
	out := t.Out
	if c.JSON && !c.DryRun {
		out = t.Err // the result comes later
	}
	if c.JSON && c.DryRun {
		err = printRaw(out, text)
	} else {
		err = tellRescan(out, m, found)
	}
	switch {
	case err != nil:
		return false, err
	case found.Fault != nil:
		return false, faultOf(found.Fault)
	case c.DryRun:
		return false, nil
	case *found.Unaccounted == 0 && start == "":
		if c.JSON {
			return false, printRaw(t.Out, text)
		}
		_, err := fmt.Fprintln(out, "There is nothing to bring in.")
		return false, err
	case !t.isTyped():
		return false, wrongUse{"Nothing was brought in: add --yes for that, or --dry-run to only look."}
	}
	question := "Bring in what is not here?"
	if start != "" {
		question = "Bring in what is not here, from " + startInWords(start) + " on?"
	}
	return t.confirmed(ctx, question)
}

// tell prints what came of a rescan.
func (c *mailboxRescanCmd) tell(w io.Writer, m api.Mailbox, found api.Rescan, text json.RawMessage, start string) (err error) {
	switch {
	case c.JSON:
		err = printRaw(w, text)
	case found.Fault != nil:
	default:
		if c.Yes {
			err = tellRescan(w, m, found)
		}
		if err == nil {
			err = tellBrought(w, found, start)
		}
	}
	if err != nil {
		return err
	}
	return faultOf(found.Fault)
}

func tellBrought(w io.Writer, r api.Rescan, start string) error {
	words := "Bringing in goes on; “postroom mailbox ledger” says how far it is.\n"
	if r.Brought != nil {
		words = amount(*r.Brought, "message was", "messages were") + " brought in, or on the way.\n"
		if *r.Brought == 0 {
			words = "There was nothing to bring in.\n"
		}
	}
	if start != "" {
		words += "The mailbox now begins with " + startInWords(start) + "; what that covers follows.\n"
	}
	_, err := io.WriteString(w, words)
	return err
}

// tellRescan says what the server has, held against what is here.
func tellRescan(w io.Writer, m api.Mailbox, r api.Rescan) error {
	if r.Fault != nil {
		return nil
	}
	fmt.Fprintf(w, "%s: %s known, %s on the server that %s not here, %s here that %s gone from the server.\n",
		m.Address, grouped(*r.Known), grouped(*r.Unaccounted), areOf(*r.Unaccounted), grouped(*r.Gone), areOf(*r.Gone))
	if *r.BeforeStart > 0 {
		fmt.Fprintf(w, "Of those known, %s older than the start of the mailbox; --start brings them in.\n", amount(*r.BeforeStart, "is", "are"))
	}
	if *r.Deleted > 0 {
		fmt.Fprintf(w, "Of those known, %s deleted here by a person, and stay deleted. They can be recovered from the list of deleted issues: %s\n",
			amount(*r.Deleted, "was", "were"), r.Recover)
	}
	if r.ByContent {
		fmt.Fprintln(w, "The server has no lasting names for its messages: they are told apart by what they hold.")
	}
	return nil
}

// amount is a number with the words for one, or for many.
func amount(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

func areOf(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// startInWords is a start of the API as people say it.
func startInWords(start string) string {
	if start == string(postroom.StartAll) {
		return "its first message"
	}
	if at, err := time.Parse(time.RFC3339, start); err == nil {
		return at.Local().Format("2 January 2006")
	}
	return start
}
