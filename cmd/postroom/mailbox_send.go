package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/postroom/postroom/internal/api"
)

// sendingFlags are the settings of the outgoing server.
type sendingFlags struct {
	SMTP         string `name:"smtp" help:"The server that mail is sent by. Without it the mailbox only reads." placeholder:"HOST[:PORT]"`
	SMTPTLS      string `name:"smtp-tls" enum:",implicit,starttls,none" default:"" help:"How the connection for sending is encrypted: implicit, starttls or none. Usual is what fits the port." placeholder:"POLICY"`
	SMTPUsername string `name:"smtp-username" help:"What to sign in with for sending; usually the address."`
	SMTPPin      string `name:"smtp-pin" help:"The SHA-256 of the one certificate of the outgoing server that is accepted." placeholder:"HEX"`
	SMTPPassword bool   `name:"smtp-password" help:"Ask for the password of the outgoing server, where it is another one. With --password-stdin it is the line after that of the mailbox."`
}

// addTo puts the settings into what the API is told. A CA certificate of one's own
// is trusted for both servers.
func (f sendingFlags) addTo(doc map[string]any, caFile string) error {
	outgoing := map[string]any{}
	for field, value := range map[string]string{
		"host": f.SMTP, "tls": f.SMTPTLS, "username": f.SMTPUsername, "pinned_sha256": f.SMTPPin,
	} {
		if value != "" {
			outgoing[field] = value
		}
	}
	if len(outgoing) == 0 {
		return nil
	}
	if caFile != "" {
		text, err := os.ReadFile(caFile)
		if err != nil {
			return fmt.Errorf("read the CA certificate: %w", err)
		}
		outgoing["ca_certificate"] = string(text)
	}
	doc["outgoing"] = outgoing
	return nil
}

// askFor puts the password of the outgoing server, if it is another one, into what
// the API is told.
func (f sendingFlags) askFor(ctx context.Context, t terminal, p passwordFlags, address string, doc map[string]any) error {
	if !f.SMTPPassword {
		return nil
	}
	p.Kind = "" // that of the mailbox
	c, err := p.ask(ctx, t, address+" for sending")
	if err != nil {
		return err
	}
	outgoing, ok := doc["outgoing"].(map[string]any)
	if !ok {
		outgoing = map[string]any{}
		doc["outgoing"] = outgoing
	}
	outgoing["credential"] = c
	return nil
}

// lineByLine reads a byte at a time, so that whoever wants a line takes no more.
type lineByLine struct{ io.Reader }

func (l lineByLine) Read(p []byte) (int, error) { return l.Reader.Read(p[:min(len(p), 1)]) }

// inLines lets several secrets be piped in, a line each.
func (t terminal) inLines(p passwordFlags) terminal {
	if p.PasswordStdin {
		t.In = lineByLine{t.In}
	}
	return t
}

type mailboxSendTestCmd struct {
	mailboxFlags
	named
	To string `help:"Where the mail goes; to the mailbox itself when not given." placeholder:"ADDRESS"`
}

// Run sends a test mail and says what became of it. One that was not sent, or of
// which that is not known, is the command's failure.
func (c *mailboxSendTestCmd) Run(ctx context.Context, t terminal) error {
	return c.withMailbox(ctx, t, c.named, func(client *client, m api.Mailbox) error {
		var report api.SendReport
		text, err := client.call(ctx, http.MethodPost, "/mailboxes/"+m.ID+"/send-test", map[string]string{"to": c.To}, &report)
		if err != nil {
			return err
		}
		switch {
		case c.JSON:
			err = printRaw(t.Out, text)
		case report.Fault == nil:
			_, err = fmt.Fprintf(t.Out, "✓ %s\n  The server said: %s\n", report.Explanation, report.Reply)
		}
		if err != nil {
			return err
		}
		return faultOf(report.Fault)
	})
}

// sends says by which server a mailbox sends.
func sends(m api.Mailbox) string {
	out := m.Outgoing
	if out == nil {
		return "nothing: the mailbox only reads"
	}
	return fmt.Sprintf("by %s, port %d (%s) as %s", out.Host, out.Port, out.TLS, out.Username)
}
