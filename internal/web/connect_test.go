package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// A company has a mail server of its own, and publishes where it is.
type company struct {
	*simulator.Server
	smtp   *simulator.SMTPServer
	domain string
}

const (
	companyHost     = "mail.company.example"
	companyPassword = "seven dry white stones"
)

// company opens one, and has the office find it and reach it.
func (o *office) company() *company {
	o.Helper()
	authority, err := simulator.NewAuthority()
	if err != nil {
		o.Fatal(err)
	}
	cert, key, err := authority.Issue(time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour), companyHost)
	if err != nil {
		o.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		o.Fatal(err)
	}
	server, err := simulator.Start(simulator.Options{TLS: postroom.TLSImplicit, Authority: authority, Certificate: &pair})
	if err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() { server.Close() })
	c := &company{Server: server, domain: "company.example"}
	if c.smtp, err = server.StartSMTP(simulator.SMTPOptions{TLS: postroom.TLSImplicit}); err != nil {
		o.Fatal(err)
	}
	server.AddAccount("support@company.example", companyPassword)
	for i := range 3 {
		if _, err := server.Append("support@company.example", "INBOX", []byte("Subject: Hello "+strconv.Itoa(i)+"\r\n\r\nHello\r\n"), time.Time{}); err != nil {
			o.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(server.CAPEM))
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	o.pages.Mailboxes.Finder = &provider.Finder{Resolver: c, Dial: dial, Roots: roots, AllowPrivate: true}
	o.pages.Mailboxes.Tester.Dial = dial
	return c
}

func port(n int) string { return strconv.Itoa(n) }

func noName(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (c *company) LookupSRV(_ context.Context, service, _, name string) (string, []*net.SRV, error) {
	if strings.TrimSuffix(name, ".") == c.domain {
		switch service {
		case "imaps":
			return "", []*net.SRV{{Target: companyHost + ".", Port: uint16(c.Port)}}, nil
		case "submissions":
			return "", []*net.SRV{{Target: companyHost + ".", Port: uint16(c.smtp.Port)}}, nil
		}
	}
	return "", nil, noName(name)
}

func (c *company) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	if strings.TrimSuffix(name, ".") == c.domain {
		return []*net.MX{{Host: companyHost + ".", Pref: 10}}, nil
	}
	return nil, noName(name)
}

func (c *company) LookupTXT(_ context.Context, name string) ([]string, error) {
	return nil, noName(name)
}

func (c *company) LookupNS(_ context.Context, name string) ([]*net.NS, error) {
	if strings.TrimSuffix(name, ".") == c.domain {
		return []*net.NS{{Host: "ns.company.example."}}, nil
	}
	return nil, noName(name)
}

func (c *company) LookupCNAME(_ context.Context, host string) (string, error) {
	return "", noName(host)
}

func (c *company) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if strings.TrimSuffix(host, ".") == companyHost {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	return nil, noName(host)
}

// at opens a page in a browser that is signed in.
func (o *office) at(ctx context.Context, path string) {
	o.Helper()
	do(o.T, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(o.site.URL+path))
	wait(o.T, ctx, "the script is there", `!!window.htmx`)
}

// text waits until an element holds a text.
func text(t *testing.T, ctx context.Context, selector, part string) {
	t.Helper()
	wait(t, ctx, selector+" says "+part, fmt.Sprintf(`(document.querySelector(%q)?.innerText || "").replace(/\s+/g, " ").includes(%q)`, selector, part))
}

// fits looks at the page as it is, at three widths and in both themes: nothing is
// wider than the screen. Pictures are kept where somebody wants to look at them.
func fits(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	for _, width := range []int64{360, 768, 1440} {
		do(t, ctx, chromedp.EmulateViewport(width, 900))
		overflow, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
		if err != nil || overflow > 0 {
			t.Errorf("%s is %v px wider than a screen of %d px (%v)", name, overflow, width, err)
		}
		unnamed, err := chromedp.Run(ctx, chromedp.Evaluate[string](withoutName))
		if err != nil || unnamed != "" {
			t.Errorf("%s has what a screen reader cannot name, or one id twice: %s (%v)", name, unnamed, err)
		}
		dir := os.Getenv("POSTROOM_SCREENSHOTS")
		for _, theme := range []string{"light", "dark"} {
			if dir == "" {
				continue
			}
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
			if err != nil {
				t.Fatal(err)
			}
			picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, theme)), picture, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	do(t, ctx, chromedp.EmulateViewport(1280, 900))
}

func TestANewcomerConnectsAMailbox(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	o.company()
	complaints := listenForComplaints(t, ctx)
	o.at(ctx, "/mailboxes/new")
	fits(t, ctx, "connect-fresh")
	wait(t, ctx, "a newcomer sees two fields", `[...document.querySelectorAll("form.wide input:not([type=hidden])")].filter((f) => f.checkVisibility()).length === 2`)
	do(t, ctx, chromedp.SendKeys("#address", "support@company.example"), chromedp.SendKeys("#credential-password", "not this one"))
	text(t, ctx, "#servers-line", "mail.company.example by IMAP, sending by mail.company.example")
	wait(t, ctx, "the servers stay folded, and what was typed stays", `!document.querySelector("#servers").open && document.querySelector("#credential-password").value === "not this one"`)
	fits(t, ctx, "connect-found")

	click(t, ctx, "button[data-test]")
	text(t, ctx, "#answer", "It does not work yet.")
	text(t, ctx, "#steps-outside, #answer", "Look at the certificate")
	wait(t, ctx, "open the certificates", `(document.querySelectorAll("#answer details").forEach((d) => { d.open = true; }), true)`)
	fits(t, ctx, "test-certificate")
	click(t, ctx, `[data-set="#incoming-pinned_sha256"], [data-set="#incoming-pinned-sha256"]`)
	click(t, ctx, `[data-set="#outgoing-pinned-sha256"]`)
	wait(t, ctx, "this certificate is trusted, and no other", `/^[0-9a-f]{64}$/.test(document.querySelector("#incoming-pinned-sha256").value) && document.querySelector("#outgoing-pinned-sha256").value.length === 64`)

	click(t, ctx, "button[data-test]")
	text(t, ctx, "#answer", "refused this password")
	text(t, ctx, "#answer", "Nothing was changed on the server.")
	text(t, ctx, "#wrong-credential-password", "password")
	fits(t, ctx, "test-refused")

	wait(t, ctx, "empty the field", `(document.querySelector("#credential-password").value = "") === ""`)
	do(t, ctx, chromedp.SendKeys("#credential-password", companyPassword))
	click(t, ctx, "button[data-test]")
	text(t, ctx, "#answer", "Everything works.")
	text(t, ctx, "#answer", "Wait for new mail")
	wait(t, ctx, "both sides have their steps", `document.querySelectorAll("#answer .sides > section").length === 2 && document.querySelectorAll("#answer .step.good").length > 8 && !document.querySelector("#answer .turning")`)
	wait(t, ctx, "no secret is in the page", `!document.documentElement.outerHTML.includes(`+strconv.Quote(companyPassword)+`)`)
	wait(t, ctx, "open the dialogue", `(document.querySelector("#answer .dialogue").open = true)`)
	fits(t, ctx, "test-works")
	wait(t, ctx, "the folders of the server are there", `document.querySelectorAll("#folder-choice input[name=pick]").length > 0`)

	click(t, ctx, ".actions.main button[data-save]")
	wait(t, ctx, "the mailbox is there", `location.pathname === "/mailboxes/1"`)
	m, err := o.db.MailboxByAddress(t.Context(), "support@company.example")
	if err != nil || m.Incoming.Host != companyHost || m.Incoming.PinnedSHA256 == "" || m.Outgoing == nil || m.Outgoing.PinnedSHA256 == "" {
		t.Errorf("kept is %+v, %+v (%v)", m.Incoming, m.Outgoing, err)
	}
	complaints.fail(t)
}
