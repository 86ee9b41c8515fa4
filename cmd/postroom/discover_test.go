package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/provider"
)

// A smallDNS knows one domain, whose SRV records name somebody else's servers.
type smallDNS struct{ provider.Resolver }

func nothing(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (smallDNS) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, nothing(name)
}
func (smallDNS) LookupNS(_ context.Context, name string) ([]*net.NS, error) {
	if name == "leased-berth.net." {
		return []*net.NS{{Host: "ns.leased-berth.net."}}, nil
	}
	return nil, nothing(name)
}
func (smallDNS) LookupTXT(_ context.Context, name string) ([]string, error) {
	return nil, nothing(name)
}
func (smallDNS) LookupCNAME(_ context.Context, name string) (string, error) { return "", nothing(name) }
func (smallDNS) LookupSRV(_ context.Context, service, _, name string) (string, []*net.SRV, error) {
	if name == "leased-berth.net." && service == "imaps" {
		return "", []*net.SRV{{Target: "mail.big-hoster.com.", Port: 993}}, nil
	}
	return "", nil, nothing(name)
}
func (smallDNS) LookupNetIP(_ context.Context, _, name string) ([]netip.Addr, error) {
	if name == "mail.big-hoster.com." {
		return []netip.Addr{netip.MustParseAddr("9.9.9.9")}, nil
	}
	return nil, nothing(name)
}

func TestWhatWasFoundIsPrintedWithItsSources(t *testing.T) {
	var out bytes.Buffer
	c := discoverCmd{Address: "anna@leased-berth.net"}
	if err := c.discover(t.Context(), terminal{Out: &out}, &provider.Finder{Resolver: smallDNS{}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Address   anna@leased-berth.net\n",
		"\nReading\n  IMAP  mail.big-hoster.com:993  TLS  user anna@leased-berth.net  published by leased-berth.net; look at the name before you trust it\n",
		"\nSending\n  nothing was found\n",
		"  - leased-berth.net names servers of another domain: mail.big-hoster.com.",
		"  no   mail exchanger of leased-berth.net ",
		"  yes  SRV records of leased-berth.net ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not said in:\n%s", want, out.String())
		}
	}
	out.Reset()
	c.JSON = true
	if err := c.discover(t.Context(), terminal{Out: &out}, &provider.Finder{Resolver: smallDNS{}}); err != nil {
		t.Fatal(err)
	}
	var found api.Found
	if err := json.Unmarshal(out.Bytes(), &found); err != nil || len(found.Incoming) != 1 || !found.Incoming[0].Confirm || found.Provider != nil || found.Outgoing == nil {
		t.Errorf("found %+v, %v", found, err)
	}
}

// aPostroom is a server elsewhere that finds settings, and keeps what it is told.
func aPostroom(t *testing.T, found api.Found) (url string, told *map[string]any) {
	told = &map[string]any{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+api.Prefix+"/discover", func(w http.ResponseWriter, r *http.Request) {
		found.Address = r.FormValue("address")
		json.NewEncoder(w).Encode(found)
	})
	mux.HandleFunc("POST "+api.Prefix+"/mailboxes", func(w http.ResponseWriter, r *http.Request) {
		json.NewDecoder(r.Body).Decode(told)
		w.WriteHeader(http.StatusCreated)
		w.Write([]byte(`{"id":"1","address":"anna@example.net","state":"active","health":{}}`))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Setenv(tokenVariable, "a-token-of-twenty-letters")
	return server.URL, told
}

func TestAddFindsServersAndSaysWhich(t *testing.T) {
	url, told := aPostroom(t, api.Found{
		Incoming: []api.Candidate{
			{Protocol: "pop3", Host: "pop.example.net", Port: 995, TLS: "implicit", Username: "anna", Words: "published by example.net"},
		},
		Outgoing: []api.Candidate{
			{Protocol: "smtp", Host: "smtp.elsewhere.net", Port: 465, TLS: "implicit", Username: "anna", Confirm: true},
			{Protocol: "smtp", Host: "smtp.example.net", Port: 587, TLS: "starttls", Username: "anna", Words: "published by example.net"},
		},
		Notes: []string{"Example is closed on Sundays."},
	})
	s := say(t, "secret\n", "mailbox", "add", "anna@example.net", "--server", url, "--password-stdin", "--poll-interval", "2m", "--username", "berta")
	wantWords(t, s, exitGood, "Found POP3 pop.example.net:995 with TLS: published by example.net.", "Found SMTP smtp.example.net:587 with STARTTLS", "closed on Sundays")
	text, _ := json.Marshal(*told)
	for _, want := range []string{
		`"incoming":{"host":"pop.example.net","poll_interval":"2m0s","port":995,"protocol":"pop3","tls":"implicit","username":"berta"}`,
		`"outgoing":{"host":"smtp.example.net","port":587,"tls":"starttls","username":"anna"}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("told %s, want %s", text, want)
		}
	}
}

func TestAddAsksForNoPasswordWhereNothingIsSure(t *testing.T) {
	url, told := aPostroom(t, api.Found{
		Incoming: []api.Candidate{{Protocol: "imap", Host: "mail.big-hoster.com", Port: 993, TLS: "implicit", Confirm: true}},
		Outgoing: []api.Candidate{{Protocol: "smtp", Host: "smtp.big-hoster.com", Port: 465, TLS: "implicit", Confirm: true}},
		Notes:    []string{"The servers belong to big-hoster.com."},
	})
	s := say(t, "secret\n", "mailbox", "add", "anna@leased-berth.net", "--server", url, "--password-stdin")
	wantWords(t, s, exitFailed, "mail.big-hoster.com may be the server of anna@leased-berth.net", "The servers belong to big-hoster.com.",
		"--imap mail.big-hoster.com --smtp smtp.big-hoster.com")
	if len(*told) > 0 {
		t.Errorf("the server was told %v", *told)
	}
}
