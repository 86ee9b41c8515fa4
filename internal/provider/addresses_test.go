package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
)

// A recorded address is one with what the Internet says about it, and what is to be
// found.
type recorded struct {
	Name         string            `yaml:"name"`
	Address      string            `yaml:"address"`
	AskDirectory bool              `yaml:"ask_directory"`
	AllowPrivate bool              `yaml:"allow_private"`
	Failing      bool              `yaml:"failing"`
	DNS          []string          `yaml:"dns"`
	Web          map[string]page   `yaml:"web"`
	Mail         map[string]string `yaml:"mail"`

	Provider string   `yaml:"provider"`
	Words    string   `yaml:"words"` // of the first incoming server
	Confirm  bool     `yaml:"confirm"`
	SignIns  []string `yaml:"sign_ins"`
	Incoming []string `yaml:"incoming"`
	Outgoing []string `yaml:"outgoing"`
	Notes    []string `yaml:"notes"` // parts of them
	Tried    []string `yaml:"tried"`
	Never    []string `yaml:"never"`
}

func readRecorded(t *testing.T) (list []recorded) {
	text, err := os.ReadFile("testdata/addresses.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func (r recorded) internet(t *testing.T) *internet {
	n := newInternet(t, nil)
	for at, p := range r.Web {
		n.pages[at] = p
		if strings.Contains(at, "user-agent-configuration") {
			sum := sha256.Sum256([]byte(p.Body))
			for i, line := range r.DNS {
				r.DNS[i] = strings.ReplaceAll(line, "{digest}", base64.StdEncoding.EncodeToString(sum[:]))
			}
		}
	}
	for _, line := range r.DNS {
		n.add(t, line)
	}
	for at, odd := range r.Mail {
		n.mail[at] = odd
	}
	if r.Failing {
		n.fails = true
	}
	return n
}

func TestEveryRecordedAddressIsFound(t *testing.T) {
	for _, r := range readRecorded(t) {
		t.Run(r.Name, inABubble(func(t *testing.T) { // a busy computer makes nobody late
			n := r.internet(t)
			f := n.finder()
			f.AskDirectory, f.AllowPrivate = r.AskDirectory, r.AllowPrivate
			found, err := f.Find(t.Context(), r.Address)
			if err != nil {
				t.Fatal(err)
			}
			if got := inShort(found.Incoming); !slices.Equal(got, r.Incoming) {
				t.Errorf("incoming = %q,\nwant %q", got, r.Incoming)
			}
			if got := inShort(found.Outgoing); !slices.Equal(got, r.Outgoing) {
				t.Errorf("outgoing = %q,\nwant %q", got, r.Outgoing)
			}
			if got := idOf(found.Provider); got != r.Provider {
				t.Errorf("provider = %q, want %q", got, r.Provider)
			}
			if len(found.Incoming) > 0 {
				first := found.Incoming[0]
				if first.Words() != r.Words || first.Confirm != r.Confirm {
					t.Errorf("%q, confirm %t, want %q, %t", first.Words(), first.Confirm, r.Words, r.Confirm)
				}
				if r.SignIns != nil && !slices.Equal(first.SignIns, r.SignIns) {
					t.Errorf("sign-ins = %q, want %q", first.SignIns, r.SignIns)
				}
			}
			isSaid(t, "note", found.Notes, r.Notes)
			var tried []string
			for _, try := range found.Tried {
				tried = append(tried, try.Words)
			}
			isSaid(t, "try", tried, r.Tried)
			if t.Failed() {
				for _, try := range found.Tried {
					t.Logf("%s: %s: %t: %s", try.Source, try.Asked, try.Found, try.Words)
				}
				t.Logf("notes: %q", found.Notes)
			}
			n.checkManners(t, r)
		}))
	}
}

func inABubble(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, test) }
}

func isSaid(t *testing.T, what string, texts, parts []string) {
	t.Helper()
	for _, part := range parts {
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, part) }) {
			t.Errorf("no %s says %q: %q", what, part, texts)
		}
	}
}

func idOf(p *Preset) string {
	if p == nil {
		return ""
	}
	return p.ID
}

func inShort(list []Candidate) (lines []string) {
	for _, c := range list {
		lines = append(lines, fmt.Sprintf("%s %s:%d/%s %s", c.Protocol, c.Host, c.Port, c.TLS, c.Username))
	}
	return lines
}

// checkManners looks at all that was asked of an internet, and says what should not have
// been: a third party, a private address, the address told to somebody whom it does not
// concern or in clear, anything said to a mail server that tries to sign in.
func (n *internet) checkManners(t *testing.T, r recorded) {
	t.Helper()
	a, err := readAddress(r.Address)
	if err != nil {
		t.Fatal(err)
	}
	n.lock.Lock()
	defer n.lock.Unlock()
	concerned := n.concerned(a)
	for _, at := range n.seen.dialed {
		hostPort, ip, _ := strings.Cut(at, " ")
		if addr := netip.MustParseAddr(ip); !r.AllowPrivate && !isPublic(addr) {
			t.Errorf("%s was connected to, which is private", at)
		}
		host, port, _ := strings.Cut(hostPort, ":")
		isWeb, isDirectory := port == "80" || port == "443", host == directoryHost || host == microsoftHost
		switch {
		case isDirectory && r.AskDirectory && isWeb:
		case isWeb && slices.ContainsFunc(concerned, func(d string) bool { return isBelow(host, d) }):
		case isBelow(host, organisation(a.domain)):
		default:
			t.Errorf("%s was connected to, which has nothing to do with %s", host, a.typed)
		}
	}
	for _, asked := range n.seen.dns {
		_, name, _ := strings.Cut(asked, " ")
		isDirectory := r.AskDirectory && (name == directoryHost || name == microsoftHost)
		if !isDirectory && !slices.ContainsFunc(concerned, func(d string) bool { return isBelow(name, d) }) && !n.mentions(name) {
			t.Errorf("the DNS was asked for %s, which has nothing to do with %s", asked, a.typed)
		}
	}
	for i, page := range n.seen.pages {
		tellsAddress := strings.Contains(page.URL.String()+page.Header.Get("Referer")+n.seen.bodies[i], a.local)
		host, _, _ := strings.Cut(page.URL.Host, ".")
		if tellsAddress && (page.URL.Scheme != "https" || !slices.Contains([]string{"autoconfig", "autodiscover", "autodiscover-s"}, host)) {
			t.Errorf("%s was told the address", page.URL)
		}
		for name := range page.Header {
			if !slices.Contains([]string{"User-Agent", "Accept-Encoding", "Content-Type", "Content-Length", "Connection"}, name) {
				t.Errorf("%s was sent the header %s", page.URL, name)
			}
		}
	}
	for _, said := range n.seen.said {
		if !regexp.MustCompile(`^(a CAPABILITY|b STARTTLS|STARTTLS|EHLO \[[0-9a-fA-F:.]+\])$`).MatchString(said) {
			t.Errorf("a mail server was told %q", said)
		}
	}
	n.checkNever(t, r)
}

// concerned are the domains that have to do with an address: its own, those of its mail
// exchangers, and those that their pages pass on to.
func (n *internet) concerned(a mailAddress) []string {
	list := []string{organisation(a.domain)}
	for _, mx := range n.records[a.domain+" MX"] {
		_, host, _ := strings.Cut(mx, " ")
		list = append(list, organisation(host))
	}
	return list
}

// mentions says whether a host is named by something that was published.
func (n *internet) mentions(host string) bool {
	for _, values := range n.records {
		if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, host) }) {
			return true
		}
	}
	for _, p := range n.pages {
		if strings.Contains(p.Body, host) || strings.Contains(p.Header["Location"], host) {
			return true
		}
	}
	return false
}

func (n *internet) checkNever(t *testing.T, r recorded) {
	for _, never := range r.Never {
		if part, host, ok := strings.Cut(never, " to "); ok {
			for i, page := range n.seen.pages {
				if page.URL.Host == host && strings.Contains(page.URL.String()+n.seen.bodies[i], part) {
					t.Errorf("%s was told %s", host, part)
				}
			}
			continue
		}
		for _, page := range n.seen.pages {
			if strings.HasPrefix(page.URL.String(), never) || isBelow(page.URL.Host, never) {
				t.Errorf("%s was asked", page.URL)
			}
		}
		if never == "dns" && len(n.seen.dns) > 0 {
			t.Errorf("the DNS was asked for %q", n.seen.dns)
		}
	}
}

// presets.txt holds every provider once by a domain of its own, and once by its mail
// exchanger.
func TestEveryProviderIsFound(t *testing.T) {
	text, err := os.ReadFile("testdata/presets.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if strings.HasPrefix(line, "#") || len(f) != 6 {
			continue
		}
		id, domain, exchanger, reading, sending, user := f[0], f[1], f[2], f[3], f[4], f[5]
		t.Run(id+" at "+domain, func(t *testing.T) {
			seen[id] = true
			n, want := newInternet(t, nil), SourcePreset
			if exchanger != "-" {
				n.add(t, domain+" MX 20 fallback.elsewhere.net")
				n.add(t, domain+" MX 10 "+exchanger)
				want = SourceMX
			}
			found, err := n.finder().Find(t.Context(), "anna@"+domain)
			if err != nil {
				t.Fatal(err)
			}
			if idOf(found.Provider) != id {
				t.Errorf("provider = %q, want %q", idOf(found.Provider), id)
			}
			isFirst(t, found.Incoming, reading, user, want)
			isFirst(t, found.Outgoing, sending, "", want)
			if len(n.seen.dialed) > 0 || want == SourcePreset && len(n.seen.dns) > 0 {
				t.Errorf("asked %q and %q for what is known", n.seen.dns, n.seen.dialed)
			}
		})
	}
	for _, p := range new(Presets).All() {
		if len(p.Domains)+len(p.MX) > 0 && !seen[p.ID] {
			t.Errorf("%s is not in testdata/presets.txt", p.ID)
		}
	}
}

func isFirst(t *testing.T, list []Candidate, want, user string, source Source) {
	t.Helper()
	if want == "-" {
		if len(list) > 0 {
			t.Errorf("found %q, want nothing", inShort(list))
		}
		return
	}
	if len(list) == 0 {
		t.Fatalf("found nothing, want %s", want)
	}
	c := list[0]
	if got := fmt.Sprintf("%s:%d/%s", c.Host, c.Port, c.TLS); got != want || c.Source != source || user != "" && c.Username != user {
		t.Errorf("found %s of %q by %s, want %s of %q by %s", got, c.Username, c.Source, want, user, source)
	}
	if c.Confirm || c.Where == "" {
		t.Errorf("%s: confirm %t, where %q", c.Host, c.Confirm, c.Where)
	}
}

func TestWhatIsNoAddressIsSaidToBeNone(t *testing.T) {
	f := newInternet(t, nil).finder()
	for _, text := range []string{"", "anna", "anna@", "@example.net", "anna@exa mple.net", "an na@example.net", "anna@[192.0.2.1]", "anna@-x.net", strings.Repeat("a", 65) + "@example.net", "anna@example..net", "a\x00b@example.net"} {
		_, err := f.Find(context.Background(), text)
		if fault, ok := postroom.FaultOf(err); !ok || fault.Kind != postroom.Invalid || fault.Field != "address" || fault.Remedy == "" {
			t.Errorf("Find(%q) = %v, want a Fault about the address", text, err)
		}
	}
}
