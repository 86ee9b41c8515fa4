package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/provider"
)

// doctorFlags name what is not to be found out.
type doctorFlags struct {
	IMAP          string   `name:"imap" help:"The server to read from, by IMAP, instead of the one that is found." placeholder:"HOST[:PORT]" xor:"protocol"`
	POP3          string   `name:"pop3" env:"POSTROOM_POP3" help:"The server to read from, by POP3." placeholder:"HOST[:PORT]" xor:"protocol"`
	TLS           string   `name:"tls" enum:",implicit,starttls,none" default:"" help:"How the connection for reading is encrypted: implicit, starttls or none. Usual is what fits the port." placeholder:"POLICY"`
	Username      string   `help:"What to sign in with; usually the address."`
	Folder        []string `sep:"none" help:"A folder to open, INBOX when none is given. Repeat it for more." placeholder:"NAME"`
	CACertificate string   `help:"A CA certificate in PEM, trusted besides those of the system." type:"existingfile" placeholder:"FILE"`
	Pin           string   `help:"The SHA-256 of the one certificate of the server for reading that is accepted." placeholder:"HEX"`
	SMTP          string   `name:"smtp" help:"The server to send by, instead of the one that is found." placeholder:"HOST[:PORT]"`
	SMTPTLS       string   `name:"smtp-tls" enum:",implicit,starttls,none" default:"" help:"How the connection for sending is encrypted: implicit, starttls or none. Usual is what fits the port." placeholder:"POLICY"`
	SMTPUsername  string   `name:"smtp-username" help:"What to sign in with for sending; usually the same."`
	SMTPPin       string   `name:"smtp-pin" help:"The SHA-256 of the one certificate of the server for sending that is accepted." placeholder:"HEX"`
	SMTPPassword  bool     `name:"smtp-password" help:"Ask for the password of the server for sending, where it is another one. Where it is piped in, it is the line after that for reading."`
}

// settings are those of the address: what was named, and what was found for the
// rest. found is nil where nothing had to be looked for.
func (c *doctorCmd) settings(ctx context.Context, t terminal, finder *provider.Finder, s *sheet) (m postroom.Mailbox, found *provider.Found, err error) {
	m = postroom.Mailbox{Address: c.Address, Incoming: postroom.IncomingSettings{Folders: c.Folder}}
	named := c.IMAP != "" || c.POP3 != ""
	needs := !named && !c.OutgoingOnly || c.SMTP == "" && !c.IncomingOnly
	if needs {
		if !c.JSON {
			s.looks(c.Address)
		}
		all, err := finder.Find(ctx, c.Address)
		if err != nil {
			return m, nil, err
		}
		found = &all
	}
	if err := c.readFrom(ctx, t, found, &m); err != nil {
		return m, found, err
	}
	if err := c.sendBy(ctx, t, found, &m); err != nil {
		return m, found, err
	}
	m, err = mailbox.Rules{AllowPlaintext: c.AllowPlaintext, Now: time.Now()}.CompleteSide(m, c.side())
	if err == nil && !c.JSON {
		s.found(m, found, c.side())
	}
	return m, found, err
}

// readFrom fills in the server to read from.
func (c *doctorCmd) readFrom(ctx context.Context, t terminal, found *provider.Found, m *postroom.Mailbox) error {
	in := &m.Incoming
	switch {
	case c.OutgoingOnly:
		return nil
	case c.IMAP != "":
		in.Protocol, in.Host = postroom.IMAP, c.IMAP
	case c.POP3 != "":
		in.Protocol, in.Host = postroom.POP3, c.POP3
	default:
		chosen, err := c.choose(ctx, t, found, "incoming", found.Incoming)
		if err != nil {
			return err
		}
		in.Protocol = chosen.Protocol
		in.ServerSettings = settingsOf(chosen, c.TLS)
	}
	return c.override(&in.ServerSettings, c.TLS, c.Username, c.Pin)
}

// sendBy fills in the server to send by; where none was found, only reading is tested.
func (c *doctorCmd) sendBy(ctx context.Context, t terminal, found *provider.Found, m *postroom.Mailbox) error {
	if c.IncomingOnly {
		return nil
	}
	out := &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: c.SMTP}}
	if c.SMTP == "" {
		if len(found.Outgoing) == 0 && !c.OutgoingOnly {
			return nil
		}
		chosen, err := c.choose(ctx, t, found, "outgoing", found.Outgoing)
		if err != nil {
			return err
		}
		out.ServerSettings = settingsOf(chosen, c.SMTPTLS)
	}
	m.Outgoing = out
	username := c.SMTPUsername
	if username == "" {
		username = c.Username
	}
	return c.override(&out.ServerSettings, c.SMTPTLS, username, c.SMTPPin)
}

// settingsOf is a server as it was found. The port is that of its encryption: where
// another one was chosen, that has a port of its own.
func settingsOf(found provider.Candidate, tls string) postroom.ServerSettings {
	s := postroom.ServerSettings{Host: found.Host, Port: found.Port, TLS: found.TLS, Username: found.Username}
	if tls != "" && tls != string(found.TLS) {
		s.Port = 0
	}
	return s
}

// override puts in what was said on the command line.
func (c *doctorCmd) override(s *postroom.ServerSettings, tls, username, pin string) error {
	if tls != "" {
		s.TLS = postroom.TLSPolicy(tls)
	}
	if username != "" {
		s.Username = username
	}
	s.PinnedSHA256 = pin
	if c.CACertificate == "" {
		return nil
	}
	text, err := os.ReadFile(c.CACertificate)
	if err != nil {
		return fmt.Errorf("read the CA certificate: %w", err)
	}
	s.CACertificate = string(text)
	return nil
}

// choose returns the best server that takes connections, or the best one where none
// does: the test then says why. A password goes only to servers whose name somebody
// has looked at, where nothing proves that they are those of the address.
func (c *doctorCmd) choose(ctx context.Context, t terminal, found *provider.Found, side string, list []provider.Candidate) (provider.Candidate, error) {
	var fit, unproven []provider.Candidate
	for _, candidate := range list {
		if candidate.Confirm {
			unproven = append(unproven, candidate)
		} else {
			fit = append(fit, candidate)
		}
	}
	if len(fit) == 0 && len(unproven) > 0 {
		one := unproven[0]
		if !t.isTyped() || c.PasswordStdin {
			return one, unprovenServer(found, side, one)
		}
		sure, err := t.confirmed(ctx, one.Host+" may be the "+side+" server of "+found.Address+", but nothing proves it. Is it your provider’s, so that the password may go there?")
		if err == nil && !sure {
			err = unprovenServer(found, side, one)
		}
		return one, err
	}
	if len(fit) == 0 {
		return provider.Candidate{}, noServer(found, side)
	}
	return fit[firstReached(ctx, fit)], nil
}

// reachLimit is how long a server may take to accept a connection, where there are
// several to choose from.
const reachLimit = 3 * time.Second

// firstReached returns which is the first that takes connections; 0 where none does.
func firstReached(ctx context.Context, list []provider.Candidate) int {
	if len(list) == 1 {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	answers := make([]chan bool, len(list))
	var dials sync.WaitGroup
	defer dials.Wait()
	defer cancel()
	for i, candidate := range list {
		answers[i] = make(chan bool, 1)
		dials.Go(func() {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(candidate.Host, strconv.Itoa(candidate.Port)))
			if err == nil {
				conn.Close()
			}
			answers[i] <- err == nil
		})
	}
	for i, answer := range answers {
		if <-answer {
			return i
		}
	}
	return 0
}

func unprovenServer(found *provider.Found, side string, c provider.Candidate) error {
	flag := "--" + string(c.Protocol) + " " + c.Host
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: side + ".host",
		Explanation: strings.TrimSpace(c.Host + " may be the " + side + " server of " + found.Address + ", but nothing proves it. " + strings.Join(found.Notes, " ")),
		Remedy:      "If it is your provider’s, give the same command again with " + flag + "; the password then goes there.",
	}
}

func noServer(found *provider.Found, side string) error {
	what, flags := "read from", "--imap HOST or --pop3 HOST"
	if side == "outgoing" {
		what, flags = "sent by", "--smtp HOST"
	}
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: side + ".host",
		Explanation: strings.TrimSpace("No server was found that " + found.Address + " can be " + what + ". " + strings.Join(found.Notes, " ")),
		Remedy:      "Name it with " + flags + ". Whoever runs the mailbox knows it.",
	}
}

// whereFrom says where the settings of one side come from.
func whereFrom(found *provider.Found, side mailbox.Side, host string) string {
	if found == nil {
		return "as you named it"
	}
	list := found.Incoming
	if side == mailbox.OutgoingSide {
		list = found.Outgoing
	}
	for _, c := range list {
		if c.Host == host {
			return c.Words()
		}
	}
	return "as you named it"
}
