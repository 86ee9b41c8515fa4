package mailbox

import (
	"context"
	"reflect"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// Discover finds the settings of an address. It reaches into the network as a test
// does, and is for administrators like one; nothing is kept, and nobody signs in.
func (d *Desk) Discover(ctx context.Context, by postroom.Viewer, address string) (provider.Found, error) {
	if err := needAdmin(by); err != nil {
		return provider.Found{}, err
	}
	if d.Finder == nil {
		return provider.Found{}, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "Settings are not looked for here.",
			Remedy:      "Enter the servers by hand. Whoever runs the mailbox knows them.",
		}
	}
	return d.Finder.Find(ctx, address)
}

// discovered fills in servers that nobody named: both where there is neither an incoming
// nor an outgoing one, and otherwise those whose host is missing. What was chosen
// besides the host stays.
func (d *Desk) discovered(ctx context.Context, m postroom.Mailbox) (postroom.Mailbox, error) {
	in, out := isBlank(m.Incoming.Host), m.Outgoing != nil && isBlank(m.Outgoing.Host)
	if d.Finder == nil || !in && !out {
		return m, nil
	}
	if err := completeAddress(&postroom.Mailbox{Address: m.Address}); err != nil {
		return m, err
	}
	if _, err := d.rules().Complete(withSomeServer(m)); err != nil {
		return m, err // nobody is asked for a mailbox that cannot be
	}
	both := m.Outgoing == nil && reflect.ValueOf(m.Incoming).IsZero()
	found, err := d.Finder.Find(ctx, m.Address)
	if err != nil {
		return m, err
	}
	if in {
		c, ok := fitting(found.Incoming, m.Incoming.Protocol)
		if !ok {
			return m, notFound("incoming", found, found.Incoming, m.Incoming.Protocol)
		}
		m.Incoming.Protocol = c.Protocol
		m.Incoming.ServerSettings = filledBy(m.Incoming.ServerSettings, c)
	}
	switch c, ok := fitting(found.Outgoing, postroom.SMTP); {
	case out && !ok:
		return m, notFound("outgoing", found, found.Outgoing, postroom.SMTP)
	case out:
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: filledBy(m.Outgoing.ServerSettings, c)}
	case both && ok:
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: filledBy(postroom.ServerSettings{}, c)}
	}
	return m, nil
}

// atOnce is how many domains an import looks at at the same time.
const atOnce = 16

// lookAhead looks at the domains of an import whose servers have to be found, each
// once. What is found is remembered, so that the lines are then completed at once.
func (d *Desk) lookAhead(ctx context.Context, lines []Line) error {
	if d.Finder == nil {
		return nil
	}
	seen := map[string]bool{}
	looking, ctx := errgroup.WithContext(ctx)
	looking.SetLimit(atOnce)
	for _, line := range lines {
		_, domain, _ := cutLast(strings.ToLower(strings.TrimSpace(line.Address)), '@')
		if line.Err != nil || seen[domain] || !d.needsServers(ctx, line) {
			continue
		}
		seen[domain] = true
		looking.Go(func() error {
			_, err := d.Finder.Find(ctx, line.Address)
			if _, isFault := postroom.FaultOf(err); isFault {
				return nil // what is wrong with the line is its own matter
			}
			return err
		})
	}
	return looking.Wait()
}

// needsServers says whether a line is a new mailbox that names no server.
func (d *Desk) needsServers(ctx context.Context, line Line) bool {
	m := postroom.Mailbox{Address: line.Address}
	if completeAddress(&m) != nil {
		return false
	}
	if _, err := d.Store.MailboxByAddress(ctx, m.Address); postroom.KindOf(err) != postroom.NotFound {
		return false
	}
	return line.Apply(&m) == nil && isBlank(m.Incoming.Host)
}

func isBlank(text string) bool { return strings.TrimSpace(text) == "" }

// withSomeServer is a mailbox whose missing servers are filled in, to see whether all
// else is as it should be.
func withSomeServer(m postroom.Mailbox) postroom.Mailbox {
	if isBlank(m.Incoming.Host) {
		m.Incoming.Host = imapServer.example
	}
	if m.Outgoing != nil && isBlank(m.Outgoing.Host) {
		outgoing := *m.Outgoing
		outgoing.Host = outgoingServer.example
		m.Outgoing = &outgoing
	}
	return m
}

// fitting returns the best server that a password may be sent to without a person's
// having looked at it.
func fitting(list []provider.Candidate, protocol postroom.Protocol) (c provider.Candidate, ok bool) {
	for _, c := range list {
		if !c.Confirm && (protocol == "" || c.Protocol == protocol) {
			return c, true
		}
	}
	return c, false
}

// filledBy is a server as it was found, with what was chosen besides its host.
func filledBy(s postroom.ServerSettings, c provider.Candidate) postroom.ServerSettings {
	s.Host = c.Host
	if s.Port == 0 && (s.TLS == "" || s.TLS == c.TLS) {
		s.Port = c.Port
	}
	if s.TLS == "" && s.Port == c.Port {
		s.TLS = c.TLS
	}
	if isBlank(s.Username) {
		s.Username = c.Username
	}
	return s
}

// notFound is the Fault where no server was found, or none that a password may be sent
// to unseen.
func notFound(side string, found provider.Found, list []provider.Candidate, protocol postroom.Protocol) error {
	f := &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: side + ".host",
		Explanation: "The servers of " + found.Address + " were not found.",
		Remedy:      "Enter the " + side + " server, such as " + map[string]string{"incoming": imapServer.example, "outgoing": outgoingServer.example}[side] + ". Whoever runs the mailbox knows it.",
	}
	if len(found.Notes) > 0 {
		f.Explanation += " " + found.Notes[0]
	}
	for _, c := range list {
		if protocol == "" || c.Protocol == protocol {
			f.Explanation = c.Host + " may be the " + side + " server of " + found.Address + ", but nothing proves it."
			if len(found.Notes) > 0 {
				f.Explanation += " " + found.Notes[0]
			}
			f.Remedy = "If it is your provider’s, enter it as the " + side + " server, and the password goes there."
			break
		}
	}
	return f
}
