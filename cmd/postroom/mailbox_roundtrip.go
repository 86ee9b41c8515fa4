package main

import (
	"context"
	"fmt"

	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/mailbox"
)

type mailboxRoundTripCmd struct {
	mailboxFlags
	named
	Keep bool `help:"Leave the issue, and the mail on the server, where they are."`
}

// Help is what “postroom mailbox roundtrip --help” adds.
func (c *mailboxRoundTripCmd) Help() string {
	return `The mailbox sends a mail to itself. When that has become an issue, the issue
is deleted, and the mail on the server too. A running Postroom has to read the
mailbox: with --data one that runs on this data, with --server the one named.`
}

// Run makes a round trip and prints its steps as they come. One that proves nothing
// is the command's failure.
func (c *mailboxRoundTripCmd) Run(ctx context.Context, t terminal) error {
	return c.withMailbox(ctx, t, c.named, func(client *client, m api.Mailbox) error {
		reel := newReel(t, c.JSON, func(step string) string { return mailbox.RoundTripKind(step).Title() })
		var trip api.RoundTrip
		text, err := client.live(ctx, "/mailboxes/"+m.ID+"/roundtrip", map[string]bool{"keep_issue": c.Keep}, &trip, reel.step)
		if err != nil {
			return err
		}
		if c.JSON {
			if err := printRaw(t.Out, text); err != nil {
				return err
			}
		} else {
			c.tell(reel, m, trip)
			if reel.err != nil {
				return reel.err
			}
		}
		if trip.OK {
			return nil
		}
		for _, s := range trip.Steps {
			if s.Fault != nil {
				return faultOf(s.Fault)
			}
		}
		return faultOf(&api.Fault{Explanation: "The round trip of " + m.Address + " was ended before it was through.", Remedy: "Give the same command again."})
	})
}

// tell says what is proven, and what could not be cleared away.
func (c *mailboxRoundTripCmd) tell(r *reel, m api.Mailbox, trip api.RoundTrip) {
	if !trip.OK {
		return
	}
	for _, s := range trip.Steps {
		if s.Fault != nil {
			r.printf("  %s\n", s.Fault.Explanation)
		}
	}
	r.printf("A mail to %s becomes an issue.\n", m.Address)
	if c.Keep && trip.Number != nil {
		r.printf("%s\n", fmt.Sprintf("This one is issue %d, and stays.", *trip.Number))
	}
}

// newReel prints to the terminal; with JSON nobody hears of single steps.
func newReel(t terminal, silent bool, title func(string) string) *reel {
	return &reel{sheet: newSheet(t), title: title, isSilent: silent}
}

// newTestReel prints a test: reading first, then sending.
func newTestReel(t terminal, silent bool) *reel {
	r := newReel(t, silent, func(step string) string { return mailbox.StepKind(step).Title() })
	r.holds = true
	return r
}
