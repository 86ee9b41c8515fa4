package testbed

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/simulator"
)

// DovecotOptions say how a Dovecot behaves; the zero value takes passwords on
// plain and encrypted connections.
type DovecotOptions struct {
	Users      map[string]string // name to password
	RequireTLS bool              // refuses a login before TLS, and says LOGINDISABLED
	Mechanisms string            // of SASL; empty: "plain login scram-sha-256"
	// Tokens is where access tokens are looked up (RFC 7662): an address with the client
	// id and secret before the host. Then XOAUTH2 and OAUTHBEARER are mechanisms too.
	// Empty: nowhere.
	Tokens string
	// Relay has the server take mail from its users as well, and hand it over there by
	// SMTP: "user:password@host:port". Empty: it takes none.
	Relay string
	Extra string // further lines of dovecot.conf
}

// A DovecotServer is a Dovecot of one test: IMAP and POP3 on loopback, plain with
// STARTTLS and with TLS from the first byte, for 200 users and more at once. With a
// relay, submission likewise.
type DovecotServer struct {
	Host                                     string // a loopback address; the certificate also names localhost
	IMAPPort, IMAPSPort, POP3Port, POP3SPort int
	SubmissionPort, SubmissionsPort          int    // 0: there is none
	CAPEM                                    string // the authority that signed its certificate

	maildirs
	dir   string
	leash *leash // nil: not running
}

// Dovecot starts a Dovecot, which ends with the test. Its logs are printed when
// the test has failed.
func Dovecot(t testing.TB, o DovecotOptions) *DovecotServer {
	t.Helper()
	Need(t, NeedDovecot)
	if o.Relay != "" {
		Need(t, NeedSubmission)
	}
	account, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := account.workplace("postroom-dc-")
	if err != nil {
		t.Fatal(err)
	}
	d := &DovecotServer{Host: "127.0.0.1", dir: dir, maildirs: maildirs{t: t, mail: filepath.Join(dir, "mail"), account: account}}
	if o.RequireTLS {
		// Dovecot takes a connection between two equal addresses for safe without TLS.
		// One from here to another loopback address has two (on Linux).
		d.Host = "127.0.0.2"
	}
	t.Cleanup(func() {
		d.Stop()
		printLogs(t, d.path("dovecot.log"), d.path("output.log"))
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove Dovecot: %v", err)
		}
	})
	authority, err := simulator.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	d.CAPEM = authority.PEM
	certificate, key, err := authority.Issue(time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0), "localhost", d.Host)
	if err != nil {
		t.Fatal(err)
	}
	d.write("cert.pem", certificate)
	d.write("key.pem", key)
	d.write("users", nil)
	for user, password := range o.Users {
		d.AddUser(user, password)
	}
	for range 3 { // somebody may take a port before Dovecot does
		ports, err := freePorts(6)
		if err != nil {
			t.Fatal(err)
		}
		d.IMAPPort, d.IMAPSPort, d.POP3Port, d.POP3SPort = ports[0], ports[1], ports[2], ports[3]
		if o.Relay != "" {
			d.SubmissionPort, d.SubmissionsPort = ports[4], ports[5]
		}
		d.write("oauth2.conf", d.lookup(o))
		d.write("dovecot.conf", d.configuration(o))
		if err = d.start(); err == nil {
			return d
		}
		t.Logf("start Dovecot: %v", err)
	}
	t.Fatal("Dovecot does not start")
	return nil
}

func (d *DovecotServer) path(name string) string { return filepath.Join(d.dir, name) }

func (d *DovecotServer) write(name string, text []byte) {
	d.t.Helper()
	if err := os.WriteFile(d.path(name), text, 0o600); err != nil {
		d.t.Fatal(err)
	}
	if err := d.account.give(d.path(name)); err != nil {
		d.t.Fatal(err)
	}
}

// Start starts a stopped server again, on the same ports and with the same mail.
func (d *DovecotServer) Start() {
	d.t.Helper()
	if err := d.start(); err != nil {
		d.t.Fatalf("start Dovecot: %v", err)
	}
}

// Stop stops the server, which cuts all connections. Stopping twice is allowed.
func (d *DovecotServer) Stop() {
	if d.leash != nil {
		d.leash.stop()
		d.leash = nil
	}
}

func (d *DovecotServer) start() error {
	var err error
	if d.leash, err = start(d.account, d.dir, "TERM", locate("dovecot"), "-F", "-c", d.path("dovecot.conf")); err != nil {
		return err
	}
	if err = d.leash.await(d.greets); err != nil {
		d.Stop()
	}
	return err
}

func (d *DovecotServer) greets() error {
	plain, encrypted := []int{d.IMAPPort, d.POP3Port}, []int{d.IMAPSPort, d.POP3SPort}
	if d.SubmissionPort != 0 {
		plain, encrypted = append(plain, d.SubmissionPort), append(encrypted, d.SubmissionsPort)
	}
	return greet(d.Host, plain, encrypted)
}

// AddUser adds a user, or gives one a new password. The server needs no restart.
func (d *DovecotServer) AddUser(user, password string) {
	d.t.Helper()
	lines, err := os.ReadFile(d.path("users"))
	if err != nil {
		d.t.Fatal(err)
	}
	var kept strings.Builder
	for line := range strings.Lines(string(lines)) {
		if !strings.HasPrefix(line, user+":") {
			kept.WriteString(line)
		}
	}
	// In hexadecimal, a password may contain colons. Dovecot notices the change by
	// the time of the file, which may be coarse, or by its size, which a growing
	// comment changes for certain.
	fmt.Fprintf(&kept, "%s:{PLAIN.HEX}%s\n#%s\n", user, hex.EncodeToString([]byte(password)), strings.Repeat("#", strings.Count(kept.String(), "\n")))
	d.write("users.new", []byte(kept.String()))
	if err := os.Rename(d.path("users.new"), d.path("users")); err != nil {
		d.t.Fatal(err)
	}
}

// Doveadm runs an administration command, for example "mailbox", "update", …, and
// returns what it printed.
func (d *DovecotServer) Doveadm(args ...string) string {
	d.t.Helper()
	output, err := d.account.run(d.dir, locate("doveadm"), append([]string{"-c", d.path("dovecot.conf")}, args...)...)
	if err != nil {
		d.t.Fatal(err)
	}
	return output
}

// Kick cuts the connections that a user has now, and returns when they are gone.
func (d *DovecotServer) Kick(user string) {
	d.t.Helper()
	signedIn := d.sessions(user)
	d.Doveadm("kick", user)
	polite := time.Now().Add(time.Second)
	for _, pid := range signedIn { // one process serves one connection
		for isRunning(pid) {
			if time.Now().After(polite) {
				_ = kill(pid) // it may just have ended
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// ConnectionCount returns how many connections are signed in as user; as anybody
// when user is empty.
func (d *DovecotServer) ConnectionCount(user string) int {
	d.t.Helper()
	return len(d.sessions(user))
}

// sessions returns the process of every connection that is signed in.
func (d *DovecotServer) sessions(user string) []int {
	d.t.Helper()
	var pids []int
	for line := range strings.Lines(d.Doveadm("-f", "tab", "who", "-1")) {
		columns := strings.Split(strings.TrimSpace(line), "\t") // user, protocol, process, address
		if len(columns) < 3 || user != "" && columns[0] != user {
			continue
		}
		if pid, err := strconv.Atoi(columns[2]); err == nil { // not the heading
			pids = append(pids, pid)
		}
	}
	return pids
}
