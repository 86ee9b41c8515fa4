package main

import (
	"context"
	"encoding/json"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/provider"
)

// doctorCmd finds the settings of an address and proves them. It needs no server.
type doctorCmd struct {
	Address string `arg:"" help:"The address of a mailbox."`
	doctorFlags
	findFlags
	passwordFlags
	AllowPlaintext bool `help:"Allow mail servers without encryption on other computers."`
	IncomingOnly   bool `help:"Test reading only." xor:"side"`
	OutgoingOnly   bool `help:"Test sending only." xor:"side"`
	Verbose        bool `short:"v" help:"Print what was said with the servers too, secrets blanked."`
	JSON           bool `name:"json" help:"Print what was found and the report as JSON, and nothing else."`
}

// Help is what “postroom doctor --help” adds.
func (c *doctorCmd) Help() string {
	return `It finds the servers of the address, or takes those that are named, asks for
the password, and tries step by step whether mail can be read and sent. Nothing
is changed on a server, no mail is sent, and nothing is kept.

Where standard input is no terminal, the password is read from it. The exit code
is 0 where everything works, 1 where something does not, and 2 for wrong use.`
}

// Run tests an address.
func (c *doctorCmd) Run(ctx context.Context, t terminal) error {
	return c.examine(ctx, t, c.finder())
}

// examination is what a doctor prints as JSON.
type examination struct {
	OK       bool        `json:"ok"`
	Found    *api.Found  `json:"found"`
	Incoming *examined   `json:"incoming"`
	Outgoing *examined   `json:"outgoing"`
	Report   *api.Report `json:"report"`
	Fault    *whyNot     `json:"fault,omitempty"`
}

// examined is a server that was tested.
type examined struct {
	Protocol string `json:"protocol"`
	Host     string `json:"host"`
	Port     int    `json:"port"`
	TLS      string `json:"tls"`
	Username string `json:"username"`
}

// whyNot says why there is no report.
type whyNot struct {
	Class       string `json:"class"`
	Explanation string `json:"explanation"`
	Remedy      string `json:"remedy"`
}

func (c *doctorCmd) side() mailbox.Side {
	switch {
	case c.IncomingOnly:
		return mailbox.IncomingSide
	case c.OutgoingOnly:
		return mailbox.OutgoingSide
	}
	return mailbox.BothSides
}

// examine finds what was not named, asks for the password, and tests.
func (c *doctorCmd) examine(ctx context.Context, t terminal, finder *provider.Finder) error {
	e, s := examination{}, newSheet(t)
	m, found, err := c.settings(ctx, t, finder, s)
	if found != nil {
		shown := api.ShowFound(*found)
		e.Found = &shown
	}
	var report mailbox.Report
	if err == nil {
		report, err = c.test(ctx, t, m, s)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return c.without(t, e, err)
	}
	e.OK = report.OK
	shown := api.ShowReport(report)
	e.Report = &shown
	if c.side() != mailbox.OutgoingSide {
		e.Incoming = examinedAs(string(m.Incoming.Protocol), m.Incoming.ServerSettings)
	}
	if m.Outgoing != nil {
		e.Outgoing = examinedAs(string(postroom.SMTP), m.Outgoing.ServerSettings)
	}
	if c.JSON {
		if err := json.NewEncoder(t.Out).Encode(e); err != nil {
			return err
		}
	} else {
		s.ends(m, report, c.Verbose)
		if s.err != nil {
			return s.err
		}
	}
	return c.verdict(m, report)
}

func examinedAs(protocol string, s postroom.ServerSettings) *examined {
	return &examined{protocol, s.Host, s.Port, string(s.TLS), s.Username}
}

// without ends where there was nothing to test.
func (c *doctorCmd) without(t terminal, e examination, err error) error {
	f, known := postroom.FaultOf(err)
	if !known {
		return err
	}
	if c.JSON {
		e.Fault = &whyNot{string(f.Class), f.Explanation, f.Remedy}
		if err := json.NewEncoder(t.Out).Encode(e); err != nil {
			return err
		}
	}
	if f.Kind == postroom.Invalid {
		return wrongUse{f.Explanation + " " + f.Remedy}
	}
	return err
}

// test asks for what opens the mailbox, and tests it. The steps are shown as they end.
func (c *doctorCmd) test(ctx context.Context, t terminal, m postroom.Mailbox, s *sheet) (mailbox.Report, error) {
	credential, err := c.credential(ctx, t, m)
	if err == nil {
		credential, err = credential.Complete()
	}
	if err != nil {
		return mailbox.Report{}, err
	}
	tester := mailbox.Tester{Explainer: mailbox.Explainer{Catalogue: &diagnose.Catalogue{}, Presets: &provider.Presets{}}}
	o := mailbox.TestOptions{Side: c.side()}
	if !c.JSON {
		s.begins(o.Side)
		o.Progress = s.step
	}
	return tester.Run(ctx, m, credential, o), nil
}

// credential is what opens the mailbox: typed, or piped in where nobody sits there.
func (c *doctorCmd) credential(ctx context.Context, t terminal, m postroom.Mailbox) (all mailbox.Credential, err error) {
	p := c.passwordFlags
	p.PasswordStdin = p.PasswordStdin || !t.isTyped()
	t = t.inLines(p)
	ask := func(whose string) (mailbox.Credential, error) {
		read := t.pipedSecret
		if !p.PasswordStdin {
			read = func() (postroom.Secret, error) { return t.typedSecret(ctx, "Password of "+whose+": ") }
		}
		secret, err := read()
		return mailbox.Credential{Kind: p.Kind, Password: secret}, err
	}
	if all, err = ask(m.Address); err != nil || !c.SMTPPassword {
		return all, err
	}
	p.Kind = "" // that of the mailbox
	own, err := ask(m.Address + " for sending")
	all.Outgoing = &own
	return all, err
}

// verdict is the failure of a test that found something wrong; nil where all works.
func (c *doctorCmd) verdict(m postroom.Mailbox, r mailbox.Report) error {
	if r.OK {
		return nil
	}
	reads, sends := true, true
	for _, s := range r.Steps {
		if !s.OK && s.Kind.IsOutgoing() {
			sends = false
		} else if !s.OK {
			reads = false
		}
	}
	f := &postroom.Fault{Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByUser, Remedy: "What to do stands at the step that failed."}
	if cause := r.Fault(); cause != nil {
		f.Class = cause.Class
		if c.JSON {
			f.Remedy = cause.Explanation + " " + cause.Remedy
		}
	}
	switch {
	case !reads && !sends:
		f.Explanation = "Neither reading nor sending works for " + m.Address + "."
	case !reads:
		f.Explanation = "Reading " + m.Address + " does not work."
	default:
		f.Explanation = "Sending from " + m.Address + " does not work."
	}
	return f
}
