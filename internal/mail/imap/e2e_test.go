package imap

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wellBehaved runs a server that does everything right, with one user and an
// INBOX. Its address is returned with a function that delivers a message.
func wellBehaved(t *testing.T, caps goimap.CapSet) (addr *net.TCPAddr, user *imapmemserver.User, deliver func(raw string)) {
	t.Helper()
	memory := imapmemserver.New()
	user = imapmemserver.NewUser("anna@example.net", "pässword")
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	memory.AddUser(user)
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
		},
		Caps:         caps,
		InsecureAuth: true,
		Logger:       quiet{},
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	deliver = func(raw string) {
		t.Helper()
		at := time.Date(2026, 11, 20, 8, 30, 0, 0, time.FixedZone("", 3600))
		if _, err := user.Append("INBOX", literal{strings.NewReader(raw)}, &goimap.AppendOptions{Time: at}); err != nil {
			t.Fatal(err)
		}
	}
	return listener.Addr().(*net.TCPAddr), user, deliver
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

type literal struct{ *strings.Reader }

func (l literal) Size() int64 { return int64(l.Len()) }

func optionsFor(addr *net.TCPAddr) Options {
	return Options{
		Endpoint: mail.Endpoint{Host: addr.IP.String(), Port: addr.Port, TLS: postroom.TLSNone},
		Login:    mail.Login{Username: "anna@example.net", Secret: postroom.Hide("pässword")},
	}
}

func open(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := Open(t.Context(), o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestWellBehavedServer(t *testing.T) {
	for name, caps := range map[string]goimap.CapSet{
		"rev1":              {goimap.CapIMAP4rev1: {}},
		"rev1 with ESEARCH": {goimap.CapIMAP4rev1: {}, goimap.CapESearch: {}, goimap.CapSpecialUse: {}, goimap.CapListExtended: {}},
		"rev2 only":         {goimap.CapIMAP4rev2: {}},
	} {
		t.Run(name, func(t *testing.T) {
			addr, user, deliver := wellBehaved(t, caps)
			if err := user.Create("Größe & Co", nil); err != nil {
				t.Fatal(err)
			}
			var want []string
			for i := range 300 {
				raw := fmt.Sprintf("From: a@example.net\r\nSubject: %d\r\n\r\n%s\r\n", i, strings.Repeat("x\x00ü", i*i))
				want = append(want, raw)
				deliver(raw)
			}
			idles := make(chan struct{}, 1)
			o := optionsFor(addr)
			o.Transcript = func(dir byte, line string) {
				t.Logf("%c %.200s", dir, line)
				if dir == 'S' && strings.HasPrefix(line, "+ idling") {
					select {
					case idles <- struct{}{}:
					default:
					}
				}
			}
			c := open(t, o)
			ctx := t.Context()

			folders, err := c.Folders(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, f := range folders {
				names = append(names, f.Name)
			}
			if diff := cmp.Diff([]string{"Größe & Co", "INBOX"}, names); diff != "" {
				t.Errorf("folders (-want +got):\n%s", diff)
			}
			if _, err := c.Examine(ctx, "Größe & Co"); err != nil {
				t.Errorf("Examine: %v", err)
			}
			status, err := c.Examine(ctx, "INBOX")
			if err != nil {
				t.Fatal(err)
			}
			if status.Exists != 300 || status.UIDNext != 301 || status.UIDValidity == 0 || !status.ReadOnly {
				t.Errorf("Examine = %+v", status)
			}
			uids, err := c.UIDs(ctx, 1)
			if err != nil || len(uids) != 300 || uids[0] != 1 || uids[299] != 300 {
				t.Fatalf("UIDs = %d of them, %v", len(uids), err)
			}
			if uids, err := c.UIDs(ctx, 301); err != nil || len(uids) != 0 {
				t.Errorf("UIDs(301) = %v, %v, want none: 301:* names message 300", uids, err)
			}
			var headers []string
			if err := c.Facts(ctx, []uint32{2, 3}, []string{"Subject"}, func(f Fact) error {
				headers = append(headers, fmt.Sprintf("%d %s %d %q", f.UID, f.InternalDate, f.SizeBytes, f.Header))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{
				fmt.Sprintf("2 2026-11-20 07:30:00 +0000 UTC %d %q", len(want[1]), "Subject: 1\r\n\r\n"),
				fmt.Sprintf("3 2026-11-20 07:30:00 +0000 UTC %d %q", len(want[2]), "Subject: 2\r\n\r\n"),
			}, headers); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			seen := 0
			if err := c.Bodies(ctx, uids, func(f Fact, r io.Reader) error {
				var got bytes.Buffer
				if _, err := io.Copy(&got, r); err != nil {
					return err
				}
				if got.String() != want[f.UID-1] || f.SizeBytes != int64(got.Len()) {
					t.Errorf("message %d has other bytes", f.UID)
				}
				seen++
				return nil
			}); err != nil || seen != 300 {
				t.Errorf("Bodies took %d, %v", seen, err)
			}
			if news, err := c.Noop(ctx); news || err != nil {
				t.Errorf("Noop = %v, %v", news, err)
			}
			testIdle(t, c, idles, deliver)
		})
	}
}

func testIdle(t *testing.T, c *Client, idles <-chan struct{}, deliver func(string)) {
	t.Helper()
	if news, err := c.Idle(t.Context(), 50*time.Millisecond); news || err != nil {
		t.Errorf("Idle without news = %v, %v", news, err)
	}
	<-idles
	arrived := make(chan struct{})
	go func() { defer close(arrived); <-idles; deliver("Subject: new\r\n\r\n") }()
	// This server may miss what arrives as IDLE begins, and tells at its end.
	if news, err := c.Idle(t.Context(), 500*time.Millisecond); !news || err != nil {
		t.Errorf("Idle = %v, %v, want news", news, err)
	}
	<-arrived
	if c.lex.buf != nil {
		t.Error("the buffer was kept")
	}
	if uids, err := c.UIDs(t.Context(), 301); err != nil || len(uids) != 1 {
		t.Errorf("UIDs(301) = %v, %v, want one", uids, err)
	}
	if news, err := c.Idle(t.Context(), 50*time.Millisecond); news || err != nil {
		t.Errorf("Idle behind UIDs = %v, %v", news, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Idle(ctx, time.Second); err == nil || c.Usable() {
		t.Error("Idle with a cancelled context went on")
	}
}
