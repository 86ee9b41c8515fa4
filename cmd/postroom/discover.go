package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/provider"
)

// findFlags say who may be asked for the settings of an address.
type findFlags struct {
	AskDirectory bool `help:"Where settings are looked for, ask third parties too: the directory that Thunderbird keeps, which is told the domain, and Microsoft, which is told the address."`
	AllowPrivate bool `help:"Where settings are looked for, allow servers in private networks and on this computer."`
}

func (f findFlags) finder() *provider.Finder {
	return &provider.Finder{AskDirectory: f.AskDirectory, AllowPrivate: f.AllowPrivate}
}

// discoverCmd finds the settings of an address. It needs no server.
type discoverCmd struct {
	Address string `arg:"" help:"The address of a mailbox."`
	findFlags
	JSON bool `name:"json" help:"Print the result as the API answers it."`
}

// Help is what “postroom discover --help” adds.
func (c *discoverCmd) Help() string {
	return `The settings come from what is known of the provider, from what the domain
publishes, or from servers with usual names that answer; each says which. No
password is asked for or sent. The exit code is 1 where no server was found.`
}

// Run finds the settings and prints them.
func (c *discoverCmd) Run(ctx context.Context, t terminal) error {
	return c.discover(ctx, t, c.finder())
}

func (c *discoverCmd) discover(ctx context.Context, t terminal, finder *provider.Finder) error {
	found, err := finder.Find(ctx, c.Address)
	if f, ok := postroom.FaultOf(err); ok {
		return wrongUse{f.Explanation + " " + f.Remedy}
	}
	if err != nil {
		return err
	}
	shown := api.ShowFound(found)
	if c.JSON {
		err = json.NewEncoder(t.Out).Encode(shown)
	} else {
		err = tellFound(t.Out, shown)
	}
	if err == nil && len(found.Incoming) == 0 {
		err = &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "No server was found that " + found.Address + " can be read from.",
			Remedy:      "Ask whoever runs the mailbox for the name of its server.",
		}
	}
	return err
}

// tellFound prints what was found, for people.
func tellFound(out io.Writer, found api.Found) error {
	var text strings.Builder
	fmt.Fprintf(&text, "Address   %s\n", found.Address)
	if found.Provider != nil {
		fmt.Fprintf(&text, "Provider  %s\n", found.Provider.Name)
	}
	tellServers(&text, "Reading", found.Incoming)
	tellServers(&text, "Sending", found.Outgoing)
	if len(found.Notes) > 0 {
		text.WriteString("\nTo know\n")
	}
	for _, n := range found.Notes {
		fmt.Fprintf(&text, "  - %s\n", n)
	}
	fmt.Fprintf(&text, "\nAsked, in %.1f s\n", float64(found.Milliseconds)/1000)
	asked := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, try := range found.Tried {
		mark := "no "
		if try.Found {
			mark = "yes"
		}
		fmt.Fprintf(asked, "  %s  %s\t%s\n", mark, try.Asked, try.Words)
	}
	asked.Flush()
	_, err := io.WriteString(out, text.String())
	return err
}

func tellServers(text *strings.Builder, title string, list []api.Candidate) {
	fmt.Fprintf(text, "\n%s\n", title)
	if len(list) == 0 {
		text.WriteString("  nothing was found\n")
		return
	}
	lines := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	for _, c := range list {
		source := c.Words
		if c.Confirm {
			source += "; look at the name before you trust it"
		}
		fmt.Fprintf(lines, "  %s\t%s:%d\t%s\tuser %s\t%s\n", strings.ToUpper(c.Protocol), c.Host, c.Port, tlsInWords(c.TLS), c.Username, source)
	}
	lines.Flush()
}

func tlsInWords(policy string) string {
	if postroom.TLSPolicy(policy) == postroom.TLSStart {
		return "STARTTLS"
	}
	return "TLS"
}
