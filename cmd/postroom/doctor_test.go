package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// A consultation is one run of the doctor.
type consultation struct {
	code     int
	out, err string
}

// consult runs “postroom doctor” with a password piped in.
func consult(t *testing.T, password string, args ...string) consultation {
	t.Helper()
	var out, complaints bytes.Buffer
	code := run(t.Context(), append([]string{"doctor"}, args...), terminal{strings.NewReader(password + "\n"), &out, &complaints})
	if strings.Contains(out.String()+complaints.String(), password) {
		t.Errorf("the password is printed:\n%s%s", &out, &complaints)
	}
	return consultation{code, out.String(), complaints.String()}
}

// says checks the exit code and that all of words are printed.
func (c consultation) says(t *testing.T, code int, words ...string) {
	t.Helper()
	if c.code != code {
		t.Errorf("it ends with %d, want %d", c.code, code)
	}
	for _, w := range words {
		if !strings.Contains(c.out, w) {
			t.Errorf("it does not say %q", w)
		}
	}
	if t.Failed() {
		t.Logf("%s%s", c.out, c.err)
	}
}

func TestDoctorOnDovecot(t *testing.T) {
	t.Parallel()
	const user, password = "support@example.net", "right horse battery"
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{user: password}})
	d.Deliver(user, "INBOX", simulator.Generated(9, 1))
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(d.CAPEM), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(port int) string { return net.JoinHostPort(d.Host, strconv.Itoa(port)) }
	for name, w := range map[string]struct {
		password string
		args     []string
		code     int
		words    []string
	}{
		"IMAP behind TLS":    {password, []string{"--imap", at(d.IMAPSPort), "--tls", "implicit", "--ca-certificate", ca}, 0, []string{"✓ Encrypt the connection", "✓ Sign in", "INBOX: 1 message", "Reading works."}},
		"IMAP by STARTTLS":   {password, []string{"--imap", at(d.IMAPPort), "--tls", "starttls", "--ca-certificate", ca}, 0, []string{"✓ Encrypt the connection", "Reading works."}},
		"POP3 behind TLS":    {password, []string{"--pop3", at(d.POP3SPort), "--tls", "implicit", "--ca-certificate", ca}, 0, []string{"INBOX: 1 message", "Reading works."}},
		"a wrong password":   {"wrong horse battery", []string{"--imap", at(d.IMAPSPort), "--tls", "implicit", "--ca-certificate", ca}, 1, []string{"✕ Sign in", "refused this password", "      Server   "}},
		"wrong, by POP3":     {"wrong horse battery", []string{"--pop3", at(d.POP3SPort), "--tls", "implicit", "--ca-certificate", ca}, 1, []string{"✕ Sign in", "refused this password"}},
		"not trusted":        {password, []string{"--imap", at(d.IMAPSPort), "--tls", "implicit"}, 1, []string{"✕ Encrypt the connection", "      SHA-256  "}},
		"no such folder":     {password, []string{"--imap", at(d.IMAPSPort), "--tls", "implicit", "--ca-certificate", ca, "--folder", "Nowhere"}, 1, []string{"✕ Open the folder", "There is no folder “Nowhere”"}},
		"TLS in a wrong way": {password, []string{"--imap", at(d.IMAPPort), "--tls", "implicit", "--ca-certificate", ca}, 1, []string{"✕ Encrypt the connection"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := consult(t, w.password, append([]string{user, "--incoming-only"}, w.args...)...)
			c.says(t, w.code, w.words...)
			if (c.code == 0) != (c.err == "") {
				t.Errorf("it ends with %d and says on stderr %q", c.code, c.err)
			}
		})
	}
}

// Where an app password is what is missing, the way to one is shown, with its pages.
func TestDoctorShowsTheWayToAnAppPassword(t *testing.T) {
	t.Parallel()
	const user = "support@gmail.com"
	gmail, err := simulator.Start(simulator.Options{Gmail: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gmail.Close() })
	gmail.AddAccount(user, "normal-password-1")
	if err := gmail.SetGoogle(user, simulator.Google{TwoStep: true, AppPasswords: []string{"abcd efgh ijkl mnop"}}); err != nil {
		t.Fatal(err)
	}
	named := []string{user, "--incoming-only", "--tls", "none", "--imap", gmail.Address()}
	consult(t, "normal-password-1", named...).says(t, 1, "✕ Sign in", "app password", "https://myaccount.google.com/apppasswords", "\n  1. ")
	consult(t, "abcd efgh ijkl mnop", named...).says(t, 0, "Reading works.")
}

// A nowhere is a DNS that knows nothing.
type nowhere struct{}

var errNowhere = &net.DNSError{Err: "no such host", IsNotFound: true}

func (nowhere) LookupMX(context.Context, string) ([]*net.MX, error) { return nil, errNowhere }
func (nowhere) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, errNowhere
}
func (nowhere) LookupTXT(context.Context, string) ([]string, error) { return nil, errNowhere }
func (nowhere) LookupNS(context.Context, string) ([]*net.NS, error) { return nil, errNowhere }
func (nowhere) LookupCNAME(context.Context, string) (string, error) { return "", errNowhere }
func (nowhere) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, errNowhere
}

func TestDoctorWhereNothingIsFound(t *testing.T) {
	t.Parallel()
	finder := &provider.Finder{Resolver: nowhere{}, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errNowhere }}
	for _, asJSON := range []bool{false, true} {
		var out, complaints bytes.Buffer
		c := &doctorCmd{Address: "anna@nowhere.example", JSON: asJSON}
		err := c.examine(t.Context(), terminal{strings.NewReader("secret\n"), &out, &complaints}, finder)
		f, ok := postroom.FaultOf(err)
		if !ok || f.Kind != postroom.NotFound || !strings.Contains(f.Remedy, "--imap HOST") {
			t.Errorf("it ends with %v", err)
		}
		if !asJSON {
			continue
		}
		var said examination
		if err := json.Unmarshal(out.Bytes(), &said); err != nil {
			t.Fatalf("it prints no JSON: %v\n%s", err, &out)
		}
		if said.OK || said.Found == nil || said.Found.Domain != "nowhere.example" || said.Report != nil || said.Fault == nil {
			t.Errorf("it prints %s", &out)
		}
	}
}

func TestDoctorChoosesAServerThatAnswers(t *testing.T) {
	t.Parallel()
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	at := func(port int, confirm bool) provider.Candidate {
		return provider.Candidate{Protocol: postroom.IMAP, Host: "127.0.0.1", Port: port, TLS: postroom.TLSImplicit, Confirm: confirm}
	}
	answers := open.Addr().(*net.TCPAddr).Port
	for name, w := range map[string]struct {
		list []provider.Candidate
		port int // of the one chosen; 0: none is
	}{
		"the first that answers":         {[]provider.Candidate{at(1, false), at(answers, false), at(2, false)}, answers},
		"the best where none answers":    {[]provider.Candidate{at(2, false), at(1, false)}, 2},
		"the only one, answering or not": {[]provider.Candidate{at(1, false)}, 1},
		"none that nothing proves":       {[]provider.Candidate{at(answers, true)}, 0},
		"the proven one":                 {[]provider.Candidate{at(answers, true), at(1, false)}, 1},
		"none":                           {nil, 0},
	} {
		c := &doctorCmd{Address: "anna@example.net"}
		began := time.Now()
		got, err := c.choose(t.Context(), terminal{In: strings.NewReader("")}, &provider.Found{Address: c.Address}, "incoming", w.list)
		if w.port == 0 && postroom.KindOf(err) != postroom.NotFound || w.port != 0 && (err != nil || got.Port != w.port) {
			t.Errorf("%s: %+v, %v, want port %d", name, got, err, w.port)
		}
		if took := time.Since(began); took > 2*reachLimit {
			t.Errorf("%s takes %v", name, took)
		}
	}
}

// What a server says cannot move the cursor, or change the colours.
func TestDoctorPrintsNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.AddAccount("support@example.net", "seven-umbrellas")
	s.SetFaults("", simulator.Faults{RefuseLogin: "NO \x1b[2J\x1b]0;owned\x07 \u009b31m no"})
	c := consult(t, "seven-umbrellas", "support@example.net", "--incoming-only", "--verbose", "--tls", "none", "--imap", s.Address())
	c.says(t, 1, "✕ Sign in")
	if strings.ContainsAny(c.out+c.err, "\x1b\x07\u009b") {
		t.Errorf("it prints what a terminal obeys: %q %q", c.out, c.err)
	}
}

func TestDoctorStopsWhenInterrupted(t *testing.T) {
	t.Parallel()
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.SetFaults("", simulator.Faults{Silent: true})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	var out, complaints bytes.Buffer
	began := time.Now()
	code := run(ctx, []string{"doctor", "support@example.net", "--incoming-only", "--tls", "none", "--imap", s.Address()}, terminal{strings.NewReader("right\n"), &out, &complaints})
	if code != 1 || !strings.Contains(complaints.String(), "This was interrupted") || time.Since(began) > 5*time.Second {
		t.Errorf("it ends with %d after %v: %s", code, time.Since(began), &complaints)
	}
}
