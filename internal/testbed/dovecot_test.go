package testbed

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

func (d *DovecotServer) address(port int) string { return net.JoinHostPort(d.Host, strconv.Itoa(port)) }

func (d *DovecotServer) trust() *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(d.CAPEM))
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

func open(t *testing.T, client *imapclient.Client, err error, user, password string) *imapclient.Client {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Login(user, password).Wait(); err != nil {
		t.Fatal(err)
	}
	return client
}

func TestDovecotGivesBackTheBytesThatWereDelivered(t *testing.T) {
	d := Dovecot(t, DovecotOptions{Users: map[string]string{"anna@example.net": "a:b c"}})
	var letters [][]byte
	for i := range 2000 {
		letters = append(letters, fmt.Appendf(nil, "From: a@example.com\r\nSubject: letter %d\r\n\r\nText\r\n", i))
	}
	letters = append(letters, []byte("Subject: odd\n\nnul \x00 and no end"))
	d.Deliver("anna@example.net", "INBOX", letters...)
	at := time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	d.DeliverAt(at, "anna@example.net", "Größe/März", letters[7])

	for name, dial := range map[string]func() (*imapclient.Client, error){
		"plain": func() (*imapclient.Client, error) { return imapclient.DialInsecure(d.address(d.IMAPPort), nil) },
		"starttls": func() (*imapclient.Client, error) {
			return imapclient.DialStartTLS(d.address(d.IMAPPort), &imapclient.Options{TLSConfig: d.trust()})
		},
		"implicit": func() (*imapclient.Client, error) {
			return imapclient.DialTLS(d.address(d.IMAPSPort), &imapclient.Options{TLSConfig: d.trust()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := dial()
			client = open(t, client, err, "anna@example.net", "a:b c")
			if _, err := client.Select("INBOX", nil).Wait(); err != nil {
				t.Fatal(err)
			}
			want := d.Messages("anna@example.net", "INBOX")
			got := fetchAll(t, client)
			if len(got) != len(letters) || len(want) != len(letters) {
				t.Fatalf("IMAP gives %d messages, Messages %d, want %d", len(got), len(want), len(letters))
			}
			for i := range want {
				if got[i] != string(want[i]) {
					t.Fatalf("message %d is %q by IMAP, %q by Messages", i+1, got[i], want[i])
				}
			}
			data, err := client.Select("Größe/März", nil).Wait()
			if err != nil || data.NumMessages != 1 {
				t.Errorf("the folder with a name beyond ASCII holds %+v (%v), want 1 message", data, err)
			}
		})
	}
}

func fetchAll(t *testing.T, client *imapclient.Client) []string {
	t.Helper()
	messages, err := client.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{
		UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}},
	}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, m := range messages {
		texts = append(texts, string(m.BodySection[0].Bytes))
	}
	return texts
}

func TestDovecotSpeaksPOP3(t *testing.T) {
	d := Dovecot(t, DovecotOptions{Users: map[string]string{"anna": "secret"}})
	d.Deliver("anna", "INBOX", []byte("Subject: one\r\n\r\nText\r\n"))
	for name, implicit := range map[string]bool{"plain": false, "implicit": true} {
		t.Run(name, func(t *testing.T) {
			port := d.POP3Port
			if implicit {
				port = d.POP3SPort
			}
			connection, err := net.Dial("tcp", d.address(port))
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if implicit {
				connection = tls.Client(connection, d.trust())
			}
			text := textproto.NewConn(connection)
			for i, command := range []string{"", "USER anna", "PASS secret", "STAT"} {
				if command != "" {
					_ = text.PrintfLine("%s", command)
				}
				line, err := text.ReadLine()
				if err != nil || !strings.HasPrefix(line, "+OK") || i == 3 && !strings.HasPrefix(line, "+OK 1 ") {
					t.Fatalf("%q is answered %q (%v)", command, line, err)
				}
			}
		})
	}
}

func TestDovecotComesBackAfterAnOutage(t *testing.T) {
	d := Dovecot(t, DovecotOptions{})
	d.AddUser("late", "first")
	d.Deliver("late", "INBOX", []byte("Subject: kept\r\n\r\n"))
	client, err := imapclient.DialInsecure(d.address(d.IMAPPort), nil)
	old := open(t, client, err, "late", "first")
	d.Stop()
	if err := old.Noop().Wait(); err == nil {
		t.Error("a connection lives on after Stop")
	}
	if connection, err := net.Dial("tcp", d.address(d.IMAPPort)); err == nil {
		_ = connection.Close()
		t.Error("a stopped server takes connections")
	}
	d.Start()
	d.AddUser("late", "other")
	client, err = imapclient.DialInsecure(d.address(d.IMAPPort), nil)
	client = open(t, client, err, "late", "other")
	if data, err := client.Select("INBOX", nil).Wait(); err != nil || data.NumMessages != 1 {
		t.Errorf("INBOX holds %+v (%v), want the 1 message of before", data, err)
	}
	if n := d.ConnectionCount("late"); n != 1 {
		t.Errorf("%d connections are signed in, want 1", n)
	}
	d.Kick("late")
	if err := client.Noop().Wait(); err == nil {
		t.Error("a connection lives on after Kick")
	}
}

func TestDovecotRefusesAPasswordBeforeTLS(t *testing.T) {
	d := Dovecot(t, DovecotOptions{Users: map[string]string{"anna": "secret"}, RequireTLS: true})
	client, err := imapclient.DialInsecure(d.address(d.IMAPPort), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if !client.Caps().Has(imap.CapLoginDisabled) {
		t.Error("LOGINDISABLED is not said")
	}
	if err := client.Login("anna", "secret").Wait(); err == nil {
		t.Error("a password is taken without TLS")
	}
	client, err = imapclient.DialStartTLS(d.address(d.IMAPPort), &imapclient.Options{TLSConfig: d.trust()})
	open(t, client, err, "anna", "secret")
}

func TestDovecotHolds400ConnectionsInIdle(t *testing.T) {
	d := Dovecot(t, DovecotOptions{})
	const users, each = 100, 4
	for i := range users {
		d.AddUser(fmt.Sprintf("user%d@example.net", i), "secret")
	}
	idling := make(chan *bufio.Reader, users*each)
	for i := range users * each {
		go func() {
			connection, err := net.Dial("tcp", d.address(d.IMAPPort))
			if err != nil {
				t.Error(err)
				idling <- nil
				return
			}
			t.Cleanup(func() { _ = connection.Close() })
			_ = connection.SetDeadline(time.Now().Add(time.Minute))
			lines := bufio.NewReader(connection)
			fmt.Fprintf(connection, "1 LOGIN user%d@example.net secret\r\n2 SELECT INBOX\r\n3 IDLE\r\n", i%users)
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					idling <- nil
					return
				}
				if strings.HasPrefix(line, "+ ") {
					break
				}
			}
			idling <- lines
		}()
	}
	var all []*bufio.Reader
	for range users * each {
		all = append(all, <-idling)
	}
	for i := range users {
		d.Deliver(fmt.Sprintf("user%d@example.net", i), "INBOX", []byte("Subject: news\r\n\r\n"))
	}
	for _, lines := range all {
		if lines == nil {
			continue
		}
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("a connection in IDLE is not told of new mail: %v", err)
			}
			if strings.HasSuffix(line, " EXISTS\r\n") {
				break
			}
		}
	}
}
