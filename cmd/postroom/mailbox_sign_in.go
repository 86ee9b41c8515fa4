package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
)

// mailboxSignInCmd has somebody sign in at the provider of a mailbox.
type mailboxSignInCmd struct {
	mailboxFlags
	named
	App    string        `name:"oauth-app" help:"The registration to sign in by: its id or its name; the one that fits best when not given." placeholder:"NAME"`
	Device bool          `help:"Show a code to type on another device, where the provider allows that."`
	Link   bool          `help:"Make a link for the owner of the mailbox, which works once within a week."`
	SendTo string        `help:"With --link: an address that it is sent to." placeholder:"ADDRESS"`
	Wait   time.Duration `help:"How long to wait until somebody has signed in." default:"10m"`
}

// Run begins a sign-in, says how it goes on, and waits until it has ended.
func (c *mailboxSignInCmd) Run(ctx context.Context, t terminal) error {
	if c.SendTo != "" && !c.Link {
		return wrongUse{"--send-to is for a link: give --link too."}
	}
	if c.Link && c.Device {
		return wrongUse{"--link and --device are two ways: give one of them."}
	}
	return c.withMailbox(ctx, t, c.named, func(client *client, m api.Mailbox) error {
		doc := map[string]any{}
		if c.App != "" {
			app, err := client.app(ctx, c.App)
			if err != nil {
				return err
			}
			doc["oauth_app"] = app.ID
		}
		if c.Link {
			return c.link(ctx, t, client, m, doc)
		}
		id, err := c.begin(ctx, t, client, m, doc)
		if err != nil {
			return err
		}
		return c.follow(ctx, t, client, m, id)
	})
}

// begin begins a sign-in and says where it goes on.
func (c *mailboxSignInCmd) begin(ctx context.Context, t terminal, client *client, m api.Mailbox, doc map[string]any) (id string, err error) {
	if c.Device {
		var begun api.DeviceSignIn
		if _, err := client.call(ctx, http.MethodPost, "/mailboxes/"+m.ID+"/device", doc, &begun); err != nil {
			return "", err
		}
		fmt.Fprintf(t.Err, "On any device, open %s\nand type this code: %s\nSign in as %s.\n", begun.VerifyURL, begun.UserCode, m.Address)
		return begun.ID, nil
	}
	var begun api.Connecting
	if _, err := client.call(ctx, http.MethodPost, "/mailboxes/"+m.ID+"/connect", doc, &begun); err != nil {
		return "", err
	}
	fmt.Fprintf(t.Err, "Open this address in a browser within ten minutes, and sign in as %s:\n%s\n", m.Address, begun.URL)
	return begun.SignIn, nil
}

// link makes a link for the owner.
func (c *mailboxSignInCmd) link(ctx context.Context, t terminal, client *client, m api.Mailbox, doc map[string]any) error {
	if c.SendTo != "" {
		doc["send_to"] = c.SendTo
	}
	var made api.AskedLink
	if _, err := client.call(ctx, http.MethodPost, "/mailboxes/"+m.ID+"/sign-in-links", doc, &made); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(t.Out).Encode(made)
	}
	if made.Fault != nil {
		fmt.Fprintf(t.Err, "The link works, but was not sent: %s %s\n", made.Fault.Explanation, made.Fault.Remedy)
	} else if c.SendTo != "" {
		fmt.Fprintf(t.Err, "It is on its way to %s.\n", c.SendTo)
	}
	fmt.Fprintln(t.Out, made.URL)
	return nil
}

// signInLook is between two looks how far a sign-in has come.
const signInLook = time.Second

// follow waits until a sign-in has ended, and says how.
func (c *mailboxSignInCmd) follow(ctx context.Context, t terminal, client *client, m api.Mailbox, id string) error {
	if !client.attended {
		fmt.Fprintln(t.Err, "No server of Postroom runs on this data. Start “postroom serve”: the browser comes back to it.")
	}
	over := time.NewTimer(c.Wait)
	defer over.Stop()
	said := ""
	for {
		var s api.SignIn
		if _, err := client.call(ctx, http.MethodGet, "/sign-ins/"+id, nil, &s); err != nil {
			return err
		}
		if words := signInWords(postroom.SignInStep(s.Step)); words != "" && s.Step != said {
			fmt.Fprintln(t.Err, words)
			said = s.Step
		}
		if s.EndedAt != nil || s.Step == string(postroom.SignInAsking) {
			return c.ended(t, m, s)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return &postroom.Fault{
				Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByUser,
				Explanation: "Nobody has signed in for " + m.Address + " yet.",
				Remedy:      "Begin again when somebody has time for it. What opens the mailbox now works on.",
			}
		case <-time.After(signInLook):
		}
	}
}

// signInWords say how far a sign-in has come; empty: there is nothing to say.
func signInWords(step postroom.SignInStep) string {
	switch step {
	case postroom.SignInSent:
		return "Somebody is at the provider."
	case postroom.SignInReturned:
		return "They are back."
	case postroom.SignInProposed:
		return "Signed in; the mailbox is being tried."
	}
	return ""
}

// ended says how a sign-in has ended.
func (c *mailboxSignInCmd) ended(t terminal, m api.Mailbox, s api.SignIn) error {
	if c.JSON {
		if err := json.NewEncoder(t.Out).Encode(s); err != nil {
			return err
		}
	}
	switch {
	case s.Step == string(postroom.SignInAsking):
		return &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: s.Account + " has signed in, not " + m.Address + ".",
			Remedy:      "Say on the pages of Postroom what about it, or begin again and sign in as " + m.Address + ".",
		}
	case s.Fault != nil:
		return faultOf(s.Fault)
	case !c.JSON:
		fmt.Fprintf(t.Out, "%s is signed in.\n", m.Address)
	}
	return nil
}
