package testbed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/simulator"
)

// A CyrusServer is a Cyrus of one test: IMAP and POP3 on loopback, plain with
// STARTTLS and with TLS from the first byte.
type CyrusServer struct {
	Host                                     string
	IMAPPort, IMAPSPort, POP3Port, POP3SPort int
	CAPEM                                    string // the authority that signed its certificate

	t         testing.TB
	dir       string
	account   *account
	passwords map[string]string
	leash     *leash // nil: not running
}

// Cyrus starts a Cyrus with these users, whose names are addresses, and passwords.
// It ends with the test; its log is printed when the test has failed. A mailbox is
// made when somebody signs in by IMAP for the first time.
func Cyrus(t testing.TB, users map[string]string) *CyrusServer {
	t.Helper()
	Need(t, NeedCyrus)
	account, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := account.workplace("postroom-cy-")
	if err != nil {
		t.Fatal(err)
	}
	c := &CyrusServer{Host: "127.0.0.1", t: t, dir: dir, account: account, passwords: users}
	t.Cleanup(func() {
		c.Stop()
		printLogs(t, c.path("output.log"))
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove Cyrus: %v", err)
		}
	})
	if err := c.furnish(); err != nil {
		t.Fatalf("prepare Cyrus: %v", err)
	}
	for range 3 { // somebody may take a port before Cyrus does
		ports, err := freePorts(4)
		if err != nil {
			t.Fatal(err)
		}
		c.IMAPPort, c.IMAPSPort, c.POP3Port, c.POP3SPort = ports[0], ports[1], ports[2], ports[3]
		if err = c.write("cyrus.conf", c.fill(cyrusServices)); err == nil {
			err = c.start()
		}
		if err == nil {
			return c
		}
		t.Logf("start Cyrus: %v", err)
	}
	t.Fatal("Cyrus does not start")
	return nil
}

func (c *CyrusServer) path(name string) string { return filepath.Join(c.dir, name) }

func (c *CyrusServer) write(name, text string) error {
	if err := os.WriteFile(c.path(name), []byte(text), 0o600); err != nil {
		return err
	}
	return c.account.give(c.path(name))
}

// furnish writes the settings, a certificate and the users.
func (c *CyrusServer) furnish() error {
	for _, place := range []string{"conf", "spool", "run", "tmp", "sieve"} {
		if err := os.Mkdir(c.path(place), 0o700); err != nil {
			return err
		}
		if err := c.account.give(c.path(place)); err != nil {
			return err
		}
	}
	authority, err := simulator.NewAuthority()
	if err != nil {
		return err
	}
	c.CAPEM = authority.PEM
	certificate, key, err := authority.Issue(time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0), "localhost", c.Host)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"cert.pem": string(certificate), "key.pem": string(key), "imapd.conf": c.fill(cyrusConf)} {
		if err := c.write(name, text); err != nil {
			return err
		}
	}
	for user, password := range c.passwords {
		if err := c.setPassword(user, password); err != nil {
			return err
		}
	}
	return nil
}

// setPassword enters a user into the database of Cyrus SASL.
func (c *CyrusServer) setPassword(user, password string) error {
	name, realm, _ := strings.Cut(user, "@")
	_, err := c.account.run(c.dir, "sh", "-c", `printf %s "$1" | "$2" -p -c -f "$3" -u "$4" "$5"`, "saslpasswd2",
		password, beside+"/cyrus/usr/sbin/saslpasswd2", c.path("sasldb2"), realm, name)
	return err
}

// Start starts a stopped server again, on the same ports and with the same mail.
func (c *CyrusServer) Start() {
	c.t.Helper()
	if err := c.start(); err != nil {
		c.t.Fatalf("start Cyrus: %v", err)
	}
}

// Stop stops the server, which cuts all connections. Stopping twice is allowed.
func (c *CyrusServer) Stop() {
	if c.leash != nil {
		c.leash.stop()
		c.leash = nil
		awaitSilence(c.Host, c.IMAPPort, c.IMAPSPort, c.POP3Port, c.POP3SPort)
	}
}

func (c *CyrusServer) start() error {
	libraries, err := filepath.Glob(beside + "/cyrus/usr/lib/*/libcyrus.so.0")
	if err != nil || len(libraries) == 0 {
		return fmt.Errorf("the libraries of Cyrus are not in %s: %w", beside, os.ErrNotExist)
	}
	c.leash, err = start(c.account, c.dir, "TERM", "env", "LD_LIBRARY_PATH="+filepath.Dir(libraries[0]),
		beside+"/cyrus/usr/lib/cyrus/bin/master", "-D", "-C", c.path("imapd.conf"), "-M", c.path("cyrus.conf"), "-p", c.path("run/master.pid"))
	if err != nil {
		return err
	}
	err = c.leash.await(func() error {
		return greet(c.Host, []int{c.IMAPPort, c.POP3Port}, []int{c.IMAPSPort, c.POP3SPort})
	})
	if err != nil {
		c.Stop()
	}
	return err
}

func (c *CyrusServer) fill(text string) string {
	return strings.NewReplacer("DIR", c.dir, "BIN", beside+"/cyrus/usr/lib/cyrus/bin", "USER", c.account.name, "GROUP", c.account.group, "HOST", c.Host,
		"IMAP_PORT", fmt.Sprint(c.IMAPPort), "IMAPS_PORT", fmt.Sprint(c.IMAPSPort),
		"POP3_PORT", fmt.Sprint(c.POP3Port), "POP3S_PORT", fmt.Sprint(c.POP3SPort)).Replace(text)
}

// cyrusConf is imapd.conf(5).
const cyrusConf = `
configdirectory: DIR/conf
defaultpartition: default
partition-default: DIR/spool
cyrus_user: USER
cyrus_group: GROUP
admins: cyrus
virtdomains: userid
defaultdomain: internal
unixhierarchysep: yes
autocreate_quota: 0
allowplaintext: yes
tls_server_cert: DIR/cert.pem
tls_server_key: DIR/key.pem
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: DIR/sasldb2
sasl_mech_list: PLAIN LOGIN SCRAM-SHA-256
failedloginpause: 0
maxlogins_per_host: 0
popminpoll: 0
imapidlepoll: 1
idlesocket: DIR/run/idle
notifysocket: DIR/run/notify
lmtpsocket: DIR/run/lmtp
proc_path: DIR/run/proc
mboxname_lockpath: DIR/run/lock
duplicate_db_path: DIR/run/deliver.db
statuscache_db_path: DIR/run/statuscache.db
tls_sessions_db_path: DIR/run/tls_sessions.db
temp_path: DIR/tmp
sievedir: DIR/sieve
skiplist_unsafe: 1
`

// cyrusServices is cyrus.conf(5).
const cyrusServices = `
START {
  recover cmd="BIN/ctl_cyrusdb -C DIR/imapd.conf -r"
  idled cmd="BIN/idled -C DIR/imapd.conf"
}
SERVICES {
  imap cmd="BIN/imapd -C DIR/imapd.conf" listen="HOST:IMAP_PORT" prefork=0
  imaps cmd="BIN/imapd -s -C DIR/imapd.conf" listen="HOST:IMAPS_PORT" prefork=0
  pop3 cmd="BIN/pop3d -C DIR/imapd.conf" listen="HOST:POP3_PORT" prefork=0
  pop3s cmd="BIN/pop3d -s -C DIR/imapd.conf" listen="HOST:POP3S_PORT" prefork=0
}
EVENTS {
}
`
