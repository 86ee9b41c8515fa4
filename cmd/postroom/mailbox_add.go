package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/mailbox"
)

// settingFlags are the settings of a mailbox; what is not given stays as it is, or
// gets the usual value.
type settingFlags struct {
	IMAP           string        `name:"imap" help:"The server that the mailbox is read from, by IMAP. Servers are found for a new mailbox where none is named." placeholder:"HOST[:PORT]" xor:"protocol"`
	POP3           string        `name:"pop3" env:"POSTROOM_POP3" help:"The server that the mailbox is read from, by POP3." placeholder:"HOST[:PORT]" xor:"protocol"`
	TLS            string        `name:"tls" enum:",implicit,starttls,none" default:"" help:"How the connection is encrypted: implicit, starttls or none. Usual is what fits the port." placeholder:"POLICY"`
	CACertificate  string        `help:"A CA certificate in PEM, trusted besides those of the system." type:"existingfile" placeholder:"FILE"`
	Pin            string        `help:"The SHA-256 of the one certificate that is accepted." placeholder:"HEX"`
	Username       string        `help:"What to sign in with; usually the address."`
	Name           string        `help:"What people call the mailbox; the address when empty."`
	Folder         []string      `sep:"none" help:"A folder to read, INBOX when none is given. Repeat it for more." placeholder:"NAME"`
	ConnectTimeout time.Duration `help:"How long to wait for a connection; 10s when not given." placeholder:"TIME"`
	AuthTimeout    time.Duration `help:"How long to wait for the sign-in; 5s when not given." placeholder:"TIME"`
	PollInterval   time.Duration `help:"How often to look where the server does not tell; 1m when not given." placeholder:"TIME"`
	Start          string        `help:"From where on mail is brought in: now, all, or a day such as 2026-11-20." placeholder:"now|all|DAY"`
	AfterImport    string        `enum:",keep,mark_read,move,delete" default:"" help:"What happens to a mail on the server once it is safely here: keep, mark_read, move or delete; keep when not given. By POP3 keep or delete." placeholder:"ACTION"`
	MoveTo         string        `help:"The folder that mail is moved to, with --after-import move; made if it is not there." placeholder:"NAME"`
	RawRetention   *int          `name:"raw-retention-days" help:"How many days the exact bytes of a mail are kept here; 0: for ever." placeholder:"DAYS"`
	VisibleTo      string        `help:"Who may see its mail: everyone, owner, or addresses of users with commas between." placeholder:"WHO"`
	Owner          string        `help:"The user who owns the mailbox." placeholder:"ADDRESS"`
	sendingFlags
}

// passwordFlags say what opens the mailbox.
type passwordFlags struct {
	Kind          string `enum:",password,app_password" default:"" help:"What is given: password or app_password. Seen from its shape when not said." placeholder:"KIND"`
	PasswordStdin bool   `help:"Read the password from standard input instead of asking for it."`
}

// document is what the API is told of the flags that were given.
func (f settingFlags) document() (map[string]any, error) {
	incoming, doc := map[string]any{}, map[string]any{}
	set := func(into map[string]any, field, value string) {
		if value != "" {
			into[field] = value
		}
	}
	for protocol, host := range map[postroom.Protocol]string{postroom.IMAP: f.IMAP, postroom.POP3: f.POP3} {
		if host != "" {
			incoming["protocol"], incoming["host"] = string(protocol), host
		}
	}
	set(incoming, "tls", f.TLS)
	set(incoming, "username", f.Username)
	set(incoming, "pinned_sha256", f.Pin)
	set(doc, "name", f.Name)
	for field, d := range map[string]time.Duration{
		"connect_timeout": f.ConnectTimeout, "auth_timeout": f.AuthTimeout, "poll_interval": f.PollInterval,
	} {
		if d != 0 {
			incoming[field] = d.String()
		}
	}
	if len(f.Folder) > 0 {
		incoming["folders"] = f.Folder
	}
	if f.CACertificate != "" {
		text, err := os.ReadFile(f.CACertificate)
		if err != nil {
			return nil, fmt.Errorf("read the CA certificate: %w", err)
		}
		incoming["ca_certificate"] = string(text)
	}
	if len(incoming) > 0 {
		doc["incoming"] = incoming
	}
	start, err := startOf(f.Start)
	if err != nil {
		return nil, err
	}
	set(doc, "start", start)
	set(doc, "after_import", f.AfterImport)
	set(doc, "move_to", f.MoveTo)
	if f.RawRetention != nil {
		doc["raw_retention_days"] = *f.RawRetention
	}
	f.addPeople(doc)
	return doc, f.addTo(doc, f.CACertificate)
}

// startOf is a start as the API takes it. A day begins at midnight here.
func startOf(text string) (string, error) {
	switch text {
	case "", string(postroom.StartNow), string(postroom.StartAll):
		return text, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return day.Format(time.RFC3339), nil
	}
	if _, err := time.Parse(time.RFC3339, text); err != nil {
		return "", wrongUse{"--start takes now, all, or a day such as 2026-11-20."}
	}
	return text, nil
}

// addPeople names users by their addresses, as the API takes them too.
func (f settingFlags) addPeople(doc map[string]any) {
	if f.Owner != "" {
		doc["owner"] = f.Owner
	}
	switch kind := postroom.VisibilityKind(f.VisibleTo); kind {
	case "":
	case postroom.VisibleToEveryone, postroom.VisibleToOwner:
		doc["visible_to"] = f.VisibleTo
	default:
		var readers []string
		for _, email := range strings.Split(f.VisibleTo, ",") {
			readers = append(readers, strings.TrimSpace(email))
		}
		doc["visible_to"] = readers
	}
}

// ask returns the credential, from standard input or from whoever sits there.
func (f passwordFlags) ask(ctx context.Context, t terminal, address string) (map[string]string, error) {
	read := t.pipedSecret
	if !f.PasswordStdin {
		read = func() (postroom.Secret, error) { return t.typedSecret(ctx, "Password of "+address+": ") }
	}
	secret, err := read()
	if err != nil {
		return nil, err
	}
	c := map[string]string{"password": secret.Reveal()}
	if f.Kind != "" {
		c["kind"] = f.Kind
	}
	return c, nil
}

type mailboxAddCmd struct {
	mailboxFlags
	Address string `arg:"" help:"The address of the mailbox."`
	settingFlags
	passwordFlags
	SignIn bool          `help:"Have somebody sign in at the provider instead of giving a password; “postroom mailbox sign-in” goes on from there."`
	New    bool          `help:"Begin afresh, where a mailbox of this address was removed before: do not continue it."`
	Wait   time.Duration `help:"How long to wait until it is proven." default:"30s"`
}

// Run keeps the mailbox, then says whether it can be read. A refusal is the
// command's failure; what was given is kept all the same.
func (c *mailboxAddCmd) Run(ctx context.Context, t terminal) error {
	return c.atMailboxes(ctx, t, func(client *client) error {
		doc, err := c.document()
		if err != nil {
			return err
		}
		doc["address"] = c.Address
		if err := c.findServers(ctx, t, client, doc); err != nil {
			return err
		}
		t := t.inLines(c.passwordFlags)
		if c.SignIn {
			doc["credential"] = map[string]string{"kind": postroom.CredentialOAuth}
		} else if doc["credential"], err = c.ask(ctx, t, c.Address); err != nil {
			return err
		}
		if err := c.askFor(ctx, t, c.passwordFlags, c.Address, doc); err != nil {
			return err
		}
		var made struct {
			api.Mailbox
			Continued bool `json:"continued"`
		}
		if c.New {
			doc["former"] = string(mailbox.FormerNew)
		}
		if _, err := client.call(ctx, http.MethodPost, "/mailboxes", doc, &made); err != nil {
			return err
		}
		if made.Continued {
			fmt.Fprintf(t.Err, "%s was here before and continues: its ledger is there again with the issues that were kept, and what arrived meanwhile is brought in. To begin afresh, remove it and add it with --new.\n", made.Address)
		}
		if c.SignIn {
			return c.keptForSignIn(t, made.Mailbox)
		}
		return c.outcome(ctx, t, client, made.Mailbox, c.Wait)
	})
}

// keptForSignIn says how a mailbox goes on that somebody has to sign in for.
func (c *mailboxAddCmd) keptForSignIn(t terminal, m api.Mailbox) error {
	if c.JSON {
		return json.NewEncoder(t.Out).Encode(m)
	}
	fmt.Fprintf(t.Out, "%s is kept. It is read once somebody has signed in:\n  postroom mailbox sign-in %s\n", m.Address, m.Address)
	return nil
}

type mailboxChangeCmd struct {
	mailboxFlags
	named
	settingFlags
	passwordFlags
	NewPassword bool          `help:"Ask for a new password."`
	Wait        time.Duration `help:"How long to wait until it is proven." default:"30s"`
}

// Run changes what was given and leaves the rest.
func (c *mailboxChangeCmd) Run(ctx context.Context, t terminal) error {
	return c.withMailbox(ctx, t, c.named, func(client *client, m api.Mailbox) error {
		doc, err := c.document()
		if err != nil {
			return err
		}
		if incoming, ok := doc["incoming"].(map[string]any); ok && incoming["host"] != nil {
			incoming["port"] = nil // that of the old server means nothing for the new one
		}
		if outgoing, ok := doc["outgoing"].(map[string]any); ok && outgoing["host"] != nil {
			outgoing["port"] = nil
		}
		t := t.inLines(c.passwordFlags)
		if c.NewPassword || c.PasswordStdin && !c.SMTPPassword {
			if doc["credential"], err = c.ask(ctx, t, m.Address); err != nil {
				return err
			}
		}
		if err := c.askFor(ctx, t, c.passwordFlags, m.Address, doc); err != nil {
			return err
		}
		if len(doc) == 0 {
			return wrongUse{"Say what to change; “postroom mailbox change --help” shows what there is."}
		}
		if _, err := client.call(ctx, http.MethodPatch, "/mailboxes/"+m.ID, doc, &m); err != nil {
			return err
		}
		return c.outcome(ctx, t, client, m, c.Wait)
	})
}

// outcome waits until the server that reads the mailbox has tried it, or tries it
// here where there is none, and says what came of it.
func (f mailboxFlags) outcome(ctx context.Context, t terminal, c *client, m api.Mailbox, wait time.Duration) (err error) {
	var report *api.Report
	if c.attended {
		m, err = c.await(ctx, m, wait)
	} else if m.State != string(postroom.MailboxPaused) {
		var r api.Report
		reel := newTestReel(t, f.JSON)
		r, _, err = c.test(ctx, m.ID, "", reel.step)
		reel.ends()
		report = &r
	}
	if err != nil {
		return err
	}
	if f.JSON {
		if err := json.NewEncoder(t.Out).Encode(m); err != nil {
			return err
		}
	}
	failed := m.Health.Fault
	if report != nil {
		failed = failure(*report)
	}
	if failed != nil {
		return faultOf(kept(m, *failed))
	}
	if f.JSON {
		return nil
	}
	_, err = fmt.Fprintln(t.Out, nextInWords(f, c, m))
	return err
}

// await asks until a mailbox that is being tried is read, or something is wrong.
func (c *client) await(ctx context.Context, m api.Mailbox, wait time.Duration) (api.Mailbox, error) {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for m.Health.Fault == nil && (m.State == string(postroom.MailboxDraft) || m.State == string(postroom.MailboxDelayed)) {
		select {
		case <-ctx.Done():
			return m, ctx.Err()
		case <-limit.C:
			return m, nil
		case <-look.C:
		}
		var now api.Mailbox
		if _, err := c.call(ctx, http.MethodGet, "/mailboxes/"+m.ID, nil, &now); err != nil {
			return m, err
		}
		m = now
	}
	return m, nil
}

// kept adds to a fault that nothing of what was typed is lost.
func kept(m api.Mailbox, f api.Fault) *api.Fault {
	what := "Everything you entered is kept as a draft"
	if m.State != string(postroom.MailboxDraft) {
		what = "Everything you entered is kept"
	}
	f.Remedy = strings.TrimSpace(f.Remedy + " " + what + "; correct it with “postroom mailbox change " + m.Address + "”, for a new password with --new-password.")
	return &f
}

// nextInWords says what happens next with a mailbox that nothing is wrong with.
func nextInWords(f mailboxFlags, c *client, m api.Mailbox) string {
	switch state := postroom.MailboxState(m.State); {
	case state == postroom.MailboxPaused:
		return m.Address + " is kept, and paused. “postroom mailbox resume” reads it."
	case !c.attended:
		serve := "postroom serve"
		if f.Data != "./postroom-data" {
			serve += " --data " + f.Data
		}
		return fmt.Sprintf("%s works and is kept (id %s). Reading begins when Postroom runs: %s", m.Address, m.ID, serve)
	case state == postroom.MailboxActive && m.Start == string(postroom.StartNow):
		return fmt.Sprintf("%s is being read (id %s). What arrives from now on becomes an issue.", m.Address, m.ID) + proofOffered(m)
	case state == postroom.MailboxActive:
		return fmt.Sprintf("%s is being read (id %s). What is there is brought in now.", m.Address, m.ID) + proofOffered(m)
	}
	return fmt.Sprintf("%s is kept (id %s), and being tried. “postroom mailbox show %s” says what comes of it.", m.Address, m.ID, m.Address)
}

// proofOffered says how it can be proven that mail becomes an issue.
func proofOffered(m api.Mailbox) string {
	if m.Outgoing == nil {
		return ""
	}
	return " To prove it: postroom mailbox roundtrip " + m.Address
}
