package mailbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// A little is a DNS that knows one domain, whose SRV records name somebody else's
// servers.
type little struct {
	provider.Resolver
	asked *atomic.Int32 // for mail exchangers; nil: nobody counts
}

func none(name string) error { return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true} }

func (l little) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	if l.asked != nil {
		l.asked.Add(1)
	}
	if name == "leased-berth.net." {
		return []*net.MX{{Host: "mx.leased-berth.net.", Pref: 10}}, nil
	}
	return nil, none(name)
}

func (little) LookupSRV(_ context.Context, service, _, name string) (string, []*net.SRV, error) {
	if name == "leased-berth.net." && (service == "imaps" || service == "submissions") {
		return "", []*net.SRV{{Target: "mail.big-hoster.com.", Port: map[string]uint16{"imaps": 993, "submissions": 465}[service]}}, nil
	}
	return "", nil, none(name)
}

func (little) LookupTXT(_ context.Context, name string) ([]string, error) { return nil, none(name) }
func (little) LookupNS(_ context.Context, name string) ([]*net.NS, error) { return nil, none(name) }
func (little) LookupCNAME(_ context.Context, name string) (string, error) { return "", none(name) }
func (little) LookupNetIP(_ context.Context, _, name string) ([]netip.Addr, error) {
	if name == "mail.big-hoster.com." {
		return []netip.Addr{netip.MustParseAddr("9.9.9.9")}, nil
	}
	return nil, none(name)
}

func findingDesk(t *testing.T) *Desk {
	d, _ := newDesk(t)
	d.Finder = &provider.Finder{
		Resolver: little{},
		Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") },
	}
	return d
}

func TestAnAddressAndAPasswordAloneConnect(t *testing.T) {
	d := findingDesk(t)
	m := mustAdd(t, d, postroom.Mailbox{Address: "Support@Gmail.com"})
	in, out := m.Incoming, m.Outgoing
	if in.Host != "imap.gmail.com" || in.Port != 993 || in.TLS != postroom.TLSImplicit || in.Protocol != postroom.IMAP || in.Username != "Support@gmail.com" {
		t.Errorf("incoming %+v", in)
	}
	if out == nil || out.Host != "smtp.gmail.com" || out.Port != 465 || out.Username != "Support@gmail.com" {
		t.Errorf("outgoing %+v", out)
	}
	if m.State != postroom.MailboxDraft || m.Address != "support@gmail.com" {
		t.Errorf("%s is %s", m.Address, m.State)
	}
}

func TestWhatWasChosenStaysWhereTheRestIsFound(t *testing.T) {
	d := findingDesk(t)
	m := mustAdd(t, d, postroom.Mailbox{
		Address:  "support@gmail.com",
		Incoming: postroom.IncomingSettings{ServerSettings: postroom.ServerSettings{Username: "recent:support@gmail.com"}, Protocol: postroom.POP3},
	})
	if in := m.Incoming; in.Host != "pop.gmail.com" || in.Port != 995 || in.Username != "recent:support@gmail.com" || m.Outgoing != nil {
		t.Errorf("incoming %+v, outgoing %+v; want POP3 that only reads", in, m.Outgoing)
	}
	m = mustAdd(t, d, postroom.Mailbox{
		Address:  "sales@gmail.com",
		Incoming: postroom.IncomingSettings{ServerSettings: postroom.ServerSettings{Host: "imap.example.net"}},
	})
	if m.Incoming.Host != "imap.example.net" || m.Outgoing != nil {
		t.Errorf("incoming %+v, outgoing %+v; want a mailbox that only reads from what was named", m.Incoming, m.Outgoing)
	}
	m = mustAdd(t, d, postroom.Mailbox{
		Address:  "office@gmail.com",
		Outgoing: &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "smtp.example.net"}},
	})
	if m.Incoming.Host != "imap.gmail.com" || m.Outgoing == nil || m.Outgoing.Host != "smtp.example.net" {
		t.Errorf("incoming %+v, outgoing %+v; want the outgoing server that was named", m.Incoming, m.Outgoing)
	}
	m = mustAdd(t, d, postroom.Mailbox{
		Address:  "till@gmail.com",
		Incoming: postroom.IncomingSettings{ServerSettings: postroom.ServerSettings{Host: "imap.example.net"}},
		Outgoing: &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{TLS: postroom.TLSStart}},
	})
	if m.Outgoing.Host != "smtp.gmail.com" || m.Outgoing.Port != 587 {
		t.Errorf("outgoing %+v, want what was found with the port that fits STARTTLS", m.Outgoing)
	}
}

func TestWhereNothingIsFoundNothingIsKeptAndTheRemedyIsSaid(t *testing.T) {
	d := findingDesk(t)
	for address, want := range map[string]string{
		"anna@gmial.com":        "Did you mean anna@gmail.com?",
		"anna@tuta.com":         "cannot be read by other programs",
		"anna@leased-berth.net": "mail.big-hoster.com may be the incoming server",
	} {
		_, err := d.Add(t.Context(), admin(), postroom.Mailbox{Address: address}, password("right"))
		wantFault(t, err, postroom.Invalid, "incoming.host")
		if f, ok := postroom.FaultOf(err); ok && (!strings.Contains(f.Explanation, want) || f.Remedy == "") {
			t.Errorf("%s: %q, %q; want it to say %q", address, f.Explanation, f.Remedy, want)
		}
		if _, err := d.Store.MailboxByAddress(t.Context(), address); postroom.KindOf(err) != postroom.NotFound {
			t.Errorf("%s is kept: %v", address, err)
		}
	}
	_, err := d.Add(t.Context(), admin(), postroom.Mailbox{Address: "anna"}, password("right"))
	wantFault(t, err, postroom.Invalid, "address")
	_, err = d.Add(t.Context(), admin(), postroom.Mailbox{Address: "anna@gmial.com", AfterImport: "burn"}, password("right"))
	wantFault(t, err, postroom.Invalid, "after_import")
	d.Finder = nil
	_, err = d.Add(t.Context(), admin(), postroom.Mailbox{Address: "anna@gmail.com"}, password("right"))
	wantFault(t, err, postroom.Invalid, "incoming.host")
}

func TestAnImportFindsServersToo(t *testing.T) {
	d := findingDesk(t)
	line := func(address string) Line {
		c := password("right")
		return Line{
			Address: address, NewCredentials: NewCredentials{Mailbox: &c},
			Apply: func(m *postroom.Mailbox) error { m.Address = address; return nil },
		}
	}
	var asked atomic.Int32
	d.Finder.Resolver = little{asked: &asked}
	lines := []Line{line("support@gmail.com"), line("anna@gmial.com")}
	for i := range 50 {
		lines = append(lines, line(fmt.Sprintf("person%d@leased-berth.net", i)))
	}
	results, err := d.Import(t.Context(), admin(), lines, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := asked.Load(); got != 2 {
		t.Errorf("mail exchangers were asked for %d times, want once for each domain", got)
	}
	if results[0].Outcome != ImportCreated || results[1].Outcome != ImportFailed {
		t.Errorf("results %+v", results)
	}
	m, err := d.Store.MailboxByAddress(t.Context(), "support@gmail.com")
	if err != nil || m.Incoming.Host != "imap.gmail.com" || m.Outgoing == nil {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestDiscoveringIsForAdministrators(t *testing.T) {
	d := findingDesk(t)
	if _, err := d.Discover(t.Context(), postroom.Viewer{User: 2, Role: postroom.RoleAgent}, "anna@gmail.com"); postroom.KindOf(err) != postroom.Forbidden {
		t.Errorf("an agent: %v, want it forbidden", err)
	}
	found, err := d.Discover(t.Context(), admin(), "anna@gmail.com")
	if err != nil || found.Provider == nil || found.Provider.ID != "gmail" {
		t.Errorf("found %+v, %v", found, err)
	}
	_, err = d.Discover(t.Context(), admin(), "anna")
	wantFault(t, err, postroom.Invalid, "address")
	d.Finder = nil
	_, err = d.Discover(t.Context(), admin(), "anna@gmail.com")
	wantFault(t, err, postroom.Invalid, "")
}
