package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
)

// findServers fills in the servers of a mailbox where none was named, before a password
// is asked for, and says which. What else was chosen stays.
func (c *mailboxAddCmd) findServers(ctx context.Context, t terminal, client *client, doc map[string]any) error {
	if doc["outgoing"] != nil || c.IMAP != "" || c.POP3 != "" {
		return nil
	}
	var found api.Found
	if _, err := client.call(ctx, http.MethodGet, "/discover?address="+url.QueryEscape(c.Address), nil, &found); err != nil {
		return err
	}
	fits := func(s api.Candidate) bool { return !s.Confirm }
	in, out := slices.IndexFunc(found.Incoming, fits), slices.IndexFunc(found.Outgoing, fits)
	if in < 0 {
		return notFoundAlone(found)
	}
	fill := func(field string, s api.Candidate) {
		fmt.Fprintf(t.Err, "Found %s %s:%d with %s: %s.\n", strings.ToUpper(s.Protocol), s.Host, s.Port, tlsInWords(s.TLS), s.Words)
		settings, ok := doc[field].(map[string]any)
		if !ok {
			settings = map[string]any{}
			doc[field] = settings
		}
		settings["host"] = s.Host
		if chosen := settings["tls"]; chosen == nil || chosen == s.TLS {
			settings["port"], settings["tls"] = s.Port, s.TLS
		}
		if settings["username"] == nil {
			settings["username"] = s.Username
		}
	}
	fill("incoming", found.Incoming[in])
	doc["incoming"].(map[string]any)["protocol"] = found.Incoming[in].Protocol
	if out >= 0 {
		fill("outgoing", found.Outgoing[out])
	}
	for _, n := range found.Notes {
		fmt.Fprintln(t.Err, n)
	}
	return nil
}

// notFoundAlone is the Fault where there is no server, or none that a password may be
// sent to before somebody has looked at its name.
func notFoundAlone(found api.Found) error {
	f := &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "incoming.host",
		Explanation: "The servers of " + found.Address + " were not found. " + strings.Join(found.Notes, " "),
		Remedy:      "Name them with --imap HOST (or --pop3 HOST) and --smtp HOST. Whoever runs the mailbox knows them.",
	}
	if len(found.Incoming) == 0 {
		return f
	}
	f.Explanation = found.Incoming[0].Host + " may be the server of " + found.Address + ", but nothing proves it. " + strings.Join(found.Notes, " ")
	f.Remedy = "If it is your provider’s, give the same command again with --" + found.Incoming[0].Protocol + " " + found.Incoming[0].Host
	if len(found.Outgoing) > 0 {
		f.Remedy += " --smtp " + found.Outgoing[0].Host
	}
	f.Remedy += "; the password then goes there."
	return f
}
