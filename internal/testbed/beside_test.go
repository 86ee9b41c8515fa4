package testbed

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
)

// another is what Courier and Cyrus have in common.
type another interface {
	Deliver(user, folder string, messages ...[]byte)
	Start()
	Stop()
}

func TestOtherServersComeBackWithTheirMail(t *testing.T) {
	const anna, password = "anna@example.net", `a "b\c d`
	users := map[string]string{anna: password}
	for name, begin := range map[string]func(t *testing.T) (server another, port int, ca string){
		"Courier": func(t *testing.T) (another, int, string) {
			c := Courier(t, users)
			return c, c.IMAPSPort, c.CAPEM
		},
		"Cyrus": func(t *testing.T) (another, int, string) {
			c := Cyrus(t, users)
			return c, c.IMAPSPort, c.CAPEM
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, port, ca := begin(t)
			var letters []string
			for i := range 20 {
				letters = append(letters, fmt.Sprintf("From: a@example.com\r\nSubject: letter %d\r\n\r\nText\r\n", i))
				server.Deliver(anna, "INBOX", []byte(letters[i]))
			}
			server.Deliver(anna, "Other", []byte(letters[0]))

			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM([]byte(ca))
			read := func() []string {
				client, err := imapclient.DialTLS(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
					&imapclient.Options{TLSConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}})
				client = open(t, client, err, anna, password)
				if _, err := client.Select("INBOX", nil).Wait(); err != nil {
					t.Fatal(err)
				}
				texts := fetchAll(t, client)
				slices.Sort(texts)
				return texts
			}
			slices.Sort(letters)
			if got := read(); !slices.Equal(got, letters) {
				t.Errorf("it gives %q, want %q", got, letters)
			}
			server.Stop()
			server.Stop()
			if connection, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second); err == nil {
				connection.Close()
				t.Error("it answers when it has been stopped")
			}
			server.Start()
			if got := read(); !slices.Equal(got, letters) {
				t.Errorf("after a new start it gives %q, want %q", got, letters)
			}
		})
	}
}
