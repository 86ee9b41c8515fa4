package testbed

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/simulator"
)

// A CourierServer is a Courier of one test: IMAP and POP3 on loopback, plain with
// STARTTLS and with TLS from the first byte. It waits five seconds after a wrong
// password, as all Couriers do.
type CourierServer struct {
	Host                                     string
	IMAPPort, IMAPSPort, POP3Port, POP3SPort int
	CAPEM                                    string // the authority that signed its certificate

	maildirs
	dir   string
	root  string // what the server takes for the root of all files
	users map[string]string
	leash *leash // nil: not running
}

// Courier starts a Courier with these users and passwords, which ends with the
// test. Its log is printed when the test has failed.
//
// Courier knows its own files by paths that no setting changes. It runs in a copy
// of what was unpacked, as a user without rights.
func Courier(t testing.TB, users map[string]string) *CourierServer {
	t.Helper()
	Need(t, NeedCourier)
	account, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := account.workplace("postroom-cr-")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "root")
	c := &CourierServer{Host: "127.0.0.1", dir: dir, root: root, users: users,
		maildirs: maildirs{t: t, mail: filepath.Join(root, "mail"), account: account, byLF: true}}
	t.Cleanup(func() {
		c.Stop()
		printLogs(t, filepath.Join(dir, "output.log"))
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove Courier: %v", err)
		}
	})
	if err := c.furnish(); err != nil {
		t.Fatalf("prepare Courier: %v", err)
	}
	for range 3 { // somebody may take a port before Courier does
		ports, err := freePorts(4)
		if err != nil {
			t.Fatal(err)
		}
		c.IMAPPort, c.IMAPSPort, c.POP3Port, c.POP3SPort = ports[0], ports[1], ports[2], ports[3]
		if err = c.start(); err == nil {
			return c
		}
		t.Logf("start Courier: %v", err)
	}
	t.Fatal("Courier does not start")
	return nil
}

// furnish makes the root: what was unpacked, a certificate, the users.
func (c *CourierServer) furnish() error {
	if err := os.CopyFS(c.root, os.DirFS(beside+"/courier")); err != nil {
		return err
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
	for _, place := range []string{"dev", "tmp", "mail", "run/courier/authdaemon"} {
		if err := os.MkdirAll(filepath.Join(c.root, place), 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"etc/courier/authdaemonrc": courierAuth,
		"etc/courier/server.pem":   string(certificate) + string(key),
		"etc/passwd":               fmt.Sprintf("courier:x:%d:%d::/:/bin/false\n", c.account.uid, c.account.gid), // for couriertls
		"etc/group":                fmt.Sprintf("courier:x:%d:\n", c.account.gid),
		"dev/null":                 "",
	} {
		if err := os.WriteFile(filepath.Join(c.root, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for user := range c.users {
		if err := c.makeFolder(c.folder(user, "INBOX")); err != nil {
			return err
		}
	}
	for _, place := range []string{"dev", "tmp", "mail", "run", "etc"} {
		if err := filepath.WalkDir(filepath.Join(c.root, place), func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return c.account.give(path)
		}); err != nil {
			return err
		}
	}
	return c.writeUsers()
}

const courierAuth = `authmodulelist="authuserdb"
authmodulelistorig="authuserdb"
daemons=2
authdaemonvar=/run/courier/authdaemon
DEBUG_LOGIN=0
DEFAULTOPTIONS=""
`

// inside is a command of the user without rights, within the root.
func (c *CourierServer) inside(command string) string {
	return fmt.Sprintf("chroot --userspec=%d:%d %s %s", c.account.uid, c.account.gid, c.root, command)
}

// writeUsers makes the two databases that Courier looks users up in (userdb(8)).
func (c *CourierServer) writeUsers() error {
	var who, secrets strings.Builder
	for user, password := range c.users {
		sum := sha256.Sum256([]byte(password))
		fmt.Fprintf(&who, "%s\tuid=%d|gid=%d|home=/mail/%[1]s\n", user, c.account.uid, c.account.gid)
		fmt.Fprintf(&secrets, "%s\tsystempw={SHA256}%s\n", user, base64.StdEncoding.EncodeToString(sum[:]))
	}
	us := &account{} // root, who may chroot
	for name, text := range map[string]string{"userdb": who.String(), "userdbshadow": secrets.String()} {
		list := filepath.Join(c.root, "tmp", name)
		if err := os.WriteFile(list, []byte(text+".\n"), 0o600); err != nil {
			return err
		}
		if err := c.account.give(list); err != nil {
			return err
		}
		command := c.inside(fmt.Sprintf("/usr/lib/courier/courier-authlib/makedatprog /tmp/%s /tmp/%[1]s.new /etc/courier/%[1]s.dat", name))
		if _, err := us.run(c.dir, "sh", "-c", command); err != nil {
			return err
		}
	}
	return nil
}

// Start starts a stopped server again, on the same ports and with the same mail.
func (c *CourierServer) Start() {
	c.t.Helper()
	if err := c.start(); err != nil {
		c.t.Fatalf("start Courier: %v", err)
	}
}

// Stop stops the server, which cuts all connections. Stopping twice is allowed.
func (c *CourierServer) Stop() {
	if c.leash != nil {
		c.leash.stop()
		c.leash = nil
		awaitSilence(c.Host, c.IMAPPort, c.IMAPSPort, c.POP3Port, c.POP3SPort)
	}
}

func (c *CourierServer) start() error {
	_ = os.Remove(filepath.Join(c.root, "run/courier/authdaemon/socket")) // of the last time; usually there is none
	daemon := func(port int, settings, login string) string {
		return courierSettings + settings + " " + c.inside(fmt.Sprintf(
			"/usr/sbin/couriertcpd -address=%s -maxprocs=500 -maxperip=500 -nodnslookup -noidentlookup %d %s Maildir & all=$all\\ $!\n", c.Host, port, login))
	}
	const (
		imap = "/usr/lib/courier/courier/imaplogin /usr/bin/imapd"
		pop3 = "/usr/lib/courier/courier/courierpop3login /usr/lib/courier/courier/courierpop3d"
		tls  = "/usr/bin/couriertls -server -tcpd "
	)
	// Each of the daemons has a process group of its own, with its connections, which take no other signal.
	const end = `trap 'for one in $all; do kill -s KILL -- -"$one"; done; kill -s TERM 0; exit' TERM` + "\n"
	script := end + c.inside("/usr/lib/courier/courier-authlib/authdaemond &\n") +
		daemon(c.IMAPPort, "IMAP_STARTTLS=YES", imap) + daemon(c.IMAPSPort, "IMAP_TLS=1", tls+imap) +
		daemon(c.POP3Port, "POP3_STARTTLS=YES", pop3) + daemon(c.POP3SPort, "POP3_TLS=1", tls+pop3) + "wait\n"
	var err error
	if c.leash, err = start(&account{}, c.dir, "TERM", "sh", "-c", script); err != nil {
		return err
	}
	err = c.leash.await(func() error {
		if _, err := os.Stat(filepath.Join(c.root, "run/courier/authdaemon/socket")); err != nil {
			return err
		}
		return greet(c.Host, []int{c.IMAPPort, c.POP3Port}, []int{c.IMAPSPort, c.POP3SPort})
	})
	if err != nil {
		c.Stop()
	}
	return err
}

// courierSettings is what Courier's own start files set, in one line for env(1).
const courierSettings = `env -i PATH="$PATH" COURIERTLS=/usr/bin/couriertls TLS_CERTFILE=/etc/courier/server.pem TLS_VERIFYPEER=NONE ` +
	`IMAP_CAPABILITY="IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE" ` +
	`IMAP_KEYWORDS=1 IMAP_USELOCKS=1 IMAP_IDLE_TIMEOUT=1 IMAP_ENHANCEDIDLE=0 IMAP_EMPTYTRASH= IMAP_TRASHFOLDERNAME=Trash ` +
	`POP3AUTH="PLAIN LOGIN" POP3AUTH_TLS="PLAIN LOGIN" HOSTNAME=localhost MAILDIRPATH=Maildir `
