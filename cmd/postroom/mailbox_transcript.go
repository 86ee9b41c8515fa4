package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/postroom/postroom/internal/api"
)

type mailboxHearCmd struct {
	mailboxFlags
	named
	Minutes int  `default:"10" help:"For how long, from 1 to 60 minutes."`
	Last    bool `help:"Only show what was written down last."`
}

// transcriptLook is between two looks for what was said.
const transcriptLook = 500 * time.Millisecond

// Run has the dialogue with the server of a mailbox written down, and shows it as it
// goes on. Whoever interrupts it ends it.
func (c *mailboxHearCmd) Run(ctx context.Context, t terminal) error {
	if c.Minutes < 1 || c.Minutes > 60 {
		return wrongUse{"--minutes takes 1 to 60."}
	}
	return c.withMailbox(ctx, t, c.named, func(client *client, m api.Mailbox) error {
		path := "/mailboxes/" + m.ID + "/transcript"
		if c.Last {
			_, err := c.follow(ctx, t, client, path, true)
			return err
		}
		if _, err := client.call(ctx, http.MethodPost, path, map[string]any{"minutes": c.Minutes}, nil); err != nil {
			return err
		}
		if !client.attended {
			fmt.Fprintln(t.Err, "No server of Postroom runs on this data. What is said is shown once “postroom serve” has been started.")
		}
		fmt.Fprintln(t.Err, "The mailbox is connected anew, so that the sign-in is seen too. Ctrl-C ends this.")
		open, err := c.follow(ctx, t, client, path, false)
		if !open || !errors.Is(err, context.Canceled) {
			return err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, err = client.call(ctx, http.MethodDelete, path, nil, nil)
		return err
	})
}

// follow prints what is said until the transcript is over; open says that it was not
// when ctx ended.
func (c *mailboxHearCmd) follow(ctx context.Context, t terminal, client *client, path string, once bool) (open bool, err error) {
	after := "0"
	for {
		var found api.Transcript
		if _, err := client.call(ctx, http.MethodGet, path+"?"+url.Values{"after": {after}}.Encode(), nil, &found); err != nil {
			return true, err
		}
		after = found.After
		if err := c.print(t.Out, found.Lines); err != nil {
			return true, err
		}
		switch {
		case len(found.Lines) > 0:
			continue
		case once && found.Since == nil:
			fmt.Fprintln(t.Err, "Nothing was written down for this mailbox within the last day.")
			return false, nil
		case once || !found.Open:
			return false, nil
		}
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case <-time.After(transcriptLook):
		}
	}
}

func (c *mailboxHearCmd) print(w io.Writer, lines []api.TranscriptLine) error {
	for _, l := range lines {
		if c.JSON {
			if err := json.NewEncoder(w).Encode(l); err != nil {
				return err
			}
			continue
		}
		who := map[string]string{"C": "C:", "S": "S:"}[l.Direction]
		if who == "" {
			who = "--"
		}
		if _, err := fmt.Fprintln(w, l.At.Local().Format("15:04:05.000"), who, l.Line); err != nil {
			return err
		}
	}
	return nil
}
