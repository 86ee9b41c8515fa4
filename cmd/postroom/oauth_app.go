package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
)

// oauthAppCmd is about registrations at providers.
type oauthAppCmd struct {
	Add    oauthAppAddCmd    `cmd:"" help:"Enter a registration, so that people can sign in at that provider."`
	List   oauthAppListCmd   `cmd:"" help:"List the registrations."`
	Check  oauthAppCheckCmd  `cmd:"" help:"Find out whether a registration works, before anybody signs in by it."`
	Change oauthAppChangeCmd `cmd:"" help:"Change a registration, or its secret."`
	Remove oauthAppRemoveCmd `cmd:"" help:"Remove a registration that no mailbox is opened by."`
}

// appFlags are what can be said of a registration.
type appFlags struct {
	Name           string            `help:"What people here call it."`
	ClientID       string            `name:"client-id" help:"What the provider calls it." placeholder:"ID"`
	Tenant         string            `help:"Microsoft: the organisation's id or domain."`
	Kind           string            `enum:",sign_in,client_credentials,service_account" default:"" help:"sign_in: people sign in. client_credentials: it opens mailboxes in its own name. service_account: Google, for all mailboxes of a domain." placeholder:"KIND"`
	Issuer         string            `help:"Of a provider that is not known: what it publishes says the rest." placeholder:"URL"`
	AuthorizeURL   string            `help:"Of a provider that is not known: where people sign in." placeholder:"URL"`
	TokenURL       string            `help:"Of a provider that is not known: where tokens are asked for." placeholder:"URL"`
	Scope          []string          `sep:"none" help:"What to ask for. Repeat it for more." placeholder:"SCOPE"`
	Param          map[string]string `help:"A further parameter of the address that the browser is sent to." placeholder:"NAME=VALUE"`
	RedirectURL    string            `help:"Where the browser comes back to, where that is not /oauth/callback of this Postroom." placeholder:"URL"`
	SecretEnds     string            `help:"The day on which the client secret ends." placeholder:"DAY"`
	Testing        bool              `help:"Google: its publishing status is testing."`
	SecretStdin    bool              `help:"Read the client secret from standard input."`
	CertificateKey string            `help:"A file with a private key and its certificate, PEM, in place of a client secret." type:"existingfile" placeholder:"FILE"`
	ServiceAccount string            `help:"The JSON file of a service account's key." type:"existingfile" placeholder:"FILE"`
}

// document is what the API is told of the flags that were given.
func (f appFlags) document() map[string]any {
	doc := map[string]any{}
	for field, value := range map[string]string{
		"name": f.Name, "client_id": f.ClientID, "tenant": f.Tenant, "kind": f.Kind, "issuer": f.Issuer, "authorize_url": f.AuthorizeURL,
		"token_url": f.TokenURL, "redirect_url": f.RedirectURL, "secret_expires_at": f.SecretEnds,
	} {
		if value != "" {
			doc[field] = value
		}
	}
	if len(f.Scope) > 0 {
		doc["scopes"] = f.Scope
	}
	if len(f.Param) > 0 {
		doc["extra_params"] = f.Param
	}
	if f.Testing {
		doc["is_testing"] = true
	}
	return doc
}

// addSecret puts what the registration proves itself with into doc. With ask, whoever
// sits there is asked for it where nothing else was named.
func (f appFlags) addSecret(ctx context.Context, t terminal, doc map[string]any, ask bool) error {
	for field, file := range map[string]string{"certificate": f.CertificateKey, "key_file": f.ServiceAccount} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read what the registration proves itself with: %w", err)
		}
		doc[field], ask = string(text), false
	}
	var secret postroom.Secret
	var err error
	switch {
	case f.SecretStdin:
		secret, err = t.pipedSecret()
	case ask && t.isTyped():
		secret, err = t.typedSecret(ctx, "Client secret (empty: it has none): ")
	}
	if !secret.IsEmpty() {
		doc["client_secret"] = secret.Reveal()
	}
	return err
}

type oauthAppAddCmd struct {
	mailboxFlags
	Provider string `arg:"" help:"The provider: gmail, microsoft365, yahoo, …, or generic for one that is not known."`
	appFlags
}

// Run keeps the registration and says what has to be entered at the provider.
func (c *oauthAppAddCmd) Run(ctx context.Context, t terminal) error {
	return c.atMailboxes(ctx, t, func(client *client) error {
		doc := c.document()
		doc["provider"] = c.Provider
		if err := c.addSecret(ctx, t, doc, true); err != nil {
			return err
		}
		var a api.OAuthApp
		if _, err := client.call(ctx, http.MethodPost, "/oauth-apps", doc, &a); err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(t.Out).Encode(a)
		}
		fmt.Fprintf(t.Out, "“%s” is kept, with the id %s.\n", a.Name, a.ID)
		if a.Kind == string(postroom.AppSignIn) {
			fmt.Fprintf(t.Out, "Its redirect address at the provider has to be, letter by letter:\n%s\n", a.RedirectsTo)
		}
		fmt.Fprintf(t.Out, "“postroom oauth-app check %s” finds out whether it works.\n", a.ID)
		return nil
	})
}

// registered is the registration that a command is about.
type registered struct {
	App string `arg:"" help:"The registration: its id or its name." placeholder:"NAME"`
}

// apps lists the registrations.
func (c *client) apps(ctx context.Context) ([]api.OAuthApp, error) {
	var page struct {
		Items []api.OAuthApp `json:"items"`
	}
	_, err := c.call(ctx, http.MethodGet, "/oauth-apps?limit=500", nil, &page)
	return page.Items, err
}

// app finds a registration by its id or its name.
func (c *client) app(ctx context.Context, words string) (a api.OAuthApp, err error) {
	all, err := c.apps(ctx)
	if err != nil {
		return a, err
	}
	var called []api.OAuthApp
	for _, one := range all {
		if one.ID == words {
			return one, nil
		}
		if strings.EqualFold(one.Name, strings.TrimSpace(words)) {
			called = append(called, one)
		}
	}
	if len(called) == 1 {
		return called[0], nil
	}
	return a, &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "There is no registration “" + words + "” here, or more than one.",
		Remedy:      "“postroom oauth-app list” shows them; name one by its id.",
	}
}

type oauthAppListCmd struct{ mailboxFlags }

// Run prints the registrations.
func (c *oauthAppListCmd) Run(ctx context.Context, t terminal) error {
	return c.atMailboxes(ctx, t, func(client *client) error {
		all, err := client.apps(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printList(t.Out, all, func(a api.OAuthApp) api.OAuthApp { return a })
		}
		if len(all) == 0 {
			fmt.Fprintln(t.Out, "There is no registration yet. People sign in at a provider by one; “postroom oauth-app add” enters it.")
			return nil
		}
		w := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tNAME\tPROVIDER\tMAILBOXES\tSECRET ENDS\tLAST CHECK")
		for _, a := range all {
			ends, checked := "-", "never"
			if a.SecretEnds != "" {
				ends = a.SecretEnds[:min(len(a.SecretEnds), len("2027-05-31"))]
			}
			if a.CheckedAt != nil {
				checked = a.CheckedAt.Local().Format("2006-01-02 15:04")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", a.ID, a.Name, a.Provider, a.Mailboxes, ends, checked)
		}
		return w.Flush()
	})
}

type oauthAppCheckCmd struct {
	mailboxFlags
	registered
}

// Run prints every point of the check. A point that is refuted is the command's
// failure.
func (c *oauthAppCheckCmd) Run(ctx context.Context, t terminal) error {
	return c.atMailboxes(ctx, t, func(client *client) error {
		a, err := client.app(ctx, c.App)
		if err != nil {
			return err
		}
		if _, err := client.call(ctx, http.MethodPost, "/oauth-apps/"+a.ID+"/check", nil, &a); err != nil {
			return err
		}
		if c.JSON {
			if err := json.NewEncoder(t.Out).Encode(a); err != nil {
				return err
			}
		} else {
			tellChecks(t.Out, a.Checks)
		}
		for _, check := range a.Checks {
			if check.Verdict == string(postroom.Refuted) {
				return &postroom.Fault{
					Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
					Explanation: "“" + a.Name + "” does not work as it is: " + check.Words, Remedy: check.Remedy,
				}
			}
		}
		return nil
	})
}

func tellChecks(w io.Writer, checks []api.AppCheck) {
	signs := map[string]string{string(postroom.Proven): "✓", string(postroom.Refuted): "✗", string(postroom.Unknowable): "?"}
	for _, c := range checks {
		fmt.Fprintf(w, "%s %s\n", signs[c.Verdict], c.Words)
		if c.Remedy != "" {
			fmt.Fprintf(w, "  %s\n", c.Remedy)
		}
		if c.Link != nil {
			fmt.Fprintf(w, "  %s: %s\n", c.Link.Words, c.Link.URL)
		}
	}
}

type oauthAppChangeCmd struct {
	mailboxFlags
	registered
	appFlags
}

// Run changes what was given and leaves the rest.
func (c *oauthAppChangeCmd) Run(ctx context.Context, t terminal) error {
	return c.atMailboxes(ctx, t, func(client *client) error {
		a, err := client.app(ctx, c.App)
		if err != nil {
			return err
		}
		doc := c.document()
		if err := c.addSecret(ctx, t, doc, false); err != nil {
			return err
		}
		if len(doc) == 0 {
			return wrongUse{"Say what to change; “postroom oauth-app change --help” shows what there is."}
		}
		if _, err := client.call(ctx, http.MethodPatch, "/oauth-apps/"+a.ID, doc, &a); err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(t.Out).Encode(a)
		}
		fmt.Fprintf(t.Out, "“%s” is changed.\n", a.Name)
		return nil
	})
}

type oauthAppRemoveCmd struct {
	mailboxFlags
	registered
}

// Run removes a registration.
func (c *oauthAppRemoveCmd) Run(ctx context.Context, t terminal) error {
	return c.atMailboxes(ctx, t, func(client *client) error {
		a, err := client.app(ctx, c.App)
		if err != nil {
			return err
		}
		if _, err := client.call(ctx, http.MethodDelete, "/oauth-apps/"+a.ID, nil, nil); err != nil {
			return err
		}
		if !c.JSON {
			fmt.Fprintf(t.Out, "“%s” is removed.\n", a.Name)
		}
		return nil
	})
}
