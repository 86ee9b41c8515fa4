package provider

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
)

func TestTheIndexAgreesWithTheFile(t *testing.T) {
	var file struct {
		Providers []presetText `yaml:"providers"`
	}
	if err := yaml.Unmarshal([]byte(providers), &file); err != nil {
		t.Fatal(err)
	}
	var p Presets
	all := p.All()
	if len(all) != len(file.Providers) || len(all) != 102 {
		t.Fatalf("%d providers are known, the file has %d, want 102 of both", len(all), len(file.Providers))
	}
	for i, k := range p.known {
		want := file.Providers[i]
		var servers []string
		for _, of := range []maybe[[]serverText]{want.Servers.IMAP, want.Servers.POP3, want.Servers.SMTP} {
			for _, s := range of.Value {
				servers = append(servers, s.Host)
			}
		}
		slices.Sort(servers)
		slices.Sort(k.servers)
		for what, pair := range map[string][2]any{
			"id": {k.id, want.ID}, "kind": {k.kind, want.Kind}, "servers": {k.servers, servers},
			"domains": {list(k.domains), list(want.Domains)}, "mx": {list(k.mx), list(want.MX)}, "hosts": {list(k.further), list(want.Hosts)},
			"patterns": {len(k.patterns), len(want.DomainPatterns)}, "preset": {k.preset().ID, want.ID},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%s: the index has %s %v, the file %v", want.ID, what, pair[0], pair[1])
			}
		}
	}
}

func list(of []string) string { return strings.Join(of, " ") }

// oddPorts are the servers whose provider lists TLS from the first byte on a port
// that is usual for STARTTLS.
var oddPorts = []string{"smtp.fastwebnet.it:587", "mobile.charter.net:587"}

func TestEveryPresetIsWhole(t *testing.T) {
	var p Presets
	owner := map[string]string{}
	for _, preset := range p.All() {
		t.Run(preset.ID, func(t *testing.T) {
			within := func(what, value string, allowed ...string) {
				if !slices.Contains(allowed, value) {
					t.Errorf("%s is %q, want one of %q", what, value, allowed)
				}
			}
			within("status", preset.Status, "works", "oauth_only", "oauth_only_or_app_password", "premium_only", "bridge_only", "no_protocols", "migrating", "migrated", "ending")
			within("kind", preset.Kind, "consumer", "business", "hosting", "isp")
			if preset.Name == "" || preset.Checked == "" {
				t.Error("it has no name, or nobody has checked it")
			}
			for _, d := range preset.Domains {
				if d != asciiName(d) || !strings.Contains(d, ".") {
					t.Errorf("the domain %q is not written as in the DNS", d)
				}
				if owner[d] != "" {
					t.Errorf("the domain %q is also that of %s", d, owner[d])
				}
				owner[d] = preset.ID
			}
			for _, pattern := range preset.Patterns {
				if _, err := regexp.Compile(pattern); err != nil {
					t.Error(err)
				}
			}
			noServers := preset.Status == "no_protocols" || preset.ID == "exchange_onprem"
			if reads := len(preset.IMAP)+len(preset.POP3) > 0; reads == noServers {
				t.Errorf("it has servers to read from: %t, with the status %s", reads, preset.Status)
			}
			if sends := len(preset.SMTP) > 0; sends == noServers {
				t.Errorf("it has servers to send by: %t, with the status %s", sends, preset.Status)
			}
			checkServers(t, postroom.IMAP, preset.IMAP, 993, 143, 1143)
			checkServers(t, postroom.POP3, preset.POP3, 995, 110)
			checkServers(t, postroom.SMTP, preset.SMTP, 465, 587, 1025)
			checkSignIns(t, preset)
		})
	}
}

// checkServers wants TLS from the first byte on the first port, STARTTLS on the others.
func checkServers(t *testing.T, protocol postroom.Protocol, servers []Server, implicit int, starttls ...int) {
	t.Helper()
	for _, s := range servers {
		if s.Host != strings.ToLower(s.Host) || strings.ContainsAny(strings.ReplaceAll(s.Host, "{domain}", ""), "{}* :/") || strings.HasSuffix(s.Host, ".") {
			t.Errorf("%s: %q is no host", protocol, s.Host)
		}
		sane := s.Port == implicit && s.TLS == postroom.TLSImplicit || slices.Contains(starttls, s.Port) && s.TLS == postroom.TLSStart
		if !sane && !slices.Contains(oddPorts, fmt.Sprintf("%s:%d", s.Host, s.Port)) {
			t.Errorf("%s: %s has port %d with %s", protocol, s.Host, s.Port, s.TLS)
		}
	}
}

func checkSignIns(t *testing.T, p *Preset) {
	t.Helper()
	if ways := p.SignIns(""); len(ways) == 0 && p.Status != "no_protocols" {
		t.Error("there is no way to sign in")
	}
	if a := p.AppPassword; a.Required && !a.Offered && p.OAuth == nil {
		t.Error("app passwords are required, and there are none")
	}
	texts := []string{p.UsernameNote, p.AppPassword.MakeURL, p.AppPassword.HelpURL, p.AppPassword.Format, p.AppPassword.Needs, p.EnableFirst.URL, p.EnableFirst.Where}
	if o := p.OAuth; o != nil {
		if len(o.Scopes[postroom.IMAP]) == 0 || len(o.Scopes[postroom.SMTP]) == 0 {
			t.Errorf("OAuth without scopes: %+v", o)
		}
		for _, url := range []string{o.AuthorizeURL, o.TokenURL} {
			if !strings.HasPrefix(url, "https://") {
				t.Errorf("%q is no address for OAuth", url)
			}
		}
		texts = append(texts, o.DeviceURL, o.RevokeURL, o.Issuer)
	}
	for _, text := range texts {
		if text == "unknown" || text == "none" || strings.Contains(text, "re-verified") {
			t.Errorf("the text %q is for collectors", text)
		}
	}
	for _, url := range []string{p.AppPassword.MakeURL, p.AppPassword.HelpURL, p.EnableFirst.URL} {
		if url != "" && !strings.HasPrefix(url, "https://") {
			t.Errorf("%q is no address of a page", url)
		}
	}
}

func TestAProviderIsFoundByTheDomain(t *testing.T) {
	tests := map[string]struct{ domain, want string }{
		"exact":                           {"gmail.com", "gmail"},
		"capitals":                        {"GMail.COM", "gmail"},
		"a final dot":                     {"gmail.com.", "gmail"},
		"blanks around":                   {" gmail.com\n", "gmail"},
		"wide letters":                    {"ｇｍａｉｌ.com", "gmail"},
		"a wide dot":                      {"gmail。com", "gmail"},
		"a sub-domain":                    {"mail.web.de", "web_de"},
		"a sub-domain that is named":      {"alaska.usa.com", "mail_com"},
		"a sub-domain of another":         {"vip.interia.pl", "interia"},
		"a pattern":                       {"yahoo.com.ph", "yahoo"},
		"a named domain before a pattern": {"yahoo.co.jp", "yahoo_japan"},
		"a tenant":                        {"contoso.onmicrosoft.com", "microsoft365"},
		"a tenant of the government":      {"contoso.onmicrosoft.us", "microsoft365_gcc_high"},
		"a WorkMail organisation":         {"acme.awsapps.com", "amazon_workmail"},
		"a region of Spectrum":            {"nyc.rr.com", "spectrum"},
		"a lookalike":                     {"gmail.com.example.net", ""},
		"a longer name":                   {"notgmail.com", ""},
		"a top-level domain":              {"com", ""},
		"anybody's top-level domain":      {"example.ovh", ""},
		"nothing":                         {"", ""},
		"dots":                            {"..", ""},
		"an IDN that nobody has":          {"bücher.example", ""},
		"a name without an end":           {strings.Repeat("ü", 1<<20), ""},
		"no name at all":                  {"a b\x00c", ""},
	}
	var p Presets
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { wantProvider(t, test.want)(p.ByDomain(test.domain)) })
	}
}

// An IDN is one domain in two spellings.
func TestADomainIsFoundInBothSpellings(t *testing.T) {
	var p Presets
	p.once.Do(p.index)
	p.domains["xn--bcher-kva.example"] = p.ids["posteo"]
	for _, spelling := range []string{"bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example.", "laden.bücher.example"} {
		wantProvider(t, "posteo")(p.ByDomain(spelling))
	}
}

func TestAProviderIsFoundByItsMailExchanger(t *testing.T) {
	tests := map[string]struct {
		hosts []string
		want  string
	}{
		"Google Workspace, as it was":      {[]string{"aspmx.l.google.com", "alt1.aspmx.l.google.com"}, "google_workspace"},
		"Google Workspace, as it is":       {[]string{"SMTP.Google.com."}, "google_workspace"},
		"Google Workspace, an old one":     {[]string{"aspmx2.googlemail.com"}, "google_workspace"},
		"Gmail itself":                     {[]string{"alt1.gmail-smtp-in.l.google.com"}, "gmail"},
		"Microsoft 365":                    {[]string{"example-net.mail.protection.outlook.com."}, "microsoft365"},
		"Microsoft 365 with DNSSEC":        {[]string{"example-net.q-v1.mx.microsoft"}, "microsoft365"},
		"Outlook.com":                      {[]string{"outlook-com.olc.protection.outlook.com"}, "outlook_com"},
		"the most preferred one that fits": {[]string{"mx.example.net", "mx1.titan.email", "aspmx.l.google.com"}, "titan"},
		"IONOS in any country":             {[]string{"mx00.ionos.co.uk"}, "ionos"},
		"NetEase":                          {[]string{"163mx03.mxmail.netease.com"}, "netease"},
		"iCloud":                           {[]string{"mx01.mail.icloud.com"}, "icloud"},
		"a filter in front":                {[]string{"mx1.filter.example"}, ""},
		"a lookalike":                      {[]string{"aspmx.l.google.com.example.net"}, ""},
		"a null MX (RFC 7505)":             {[]string{"."}, ""},
		"none":                             {nil, ""},
	}
	var p Presets
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { wantProvider(t, test.want)(p.ByMX(test.hosts)) })
	}
}

func TestAProviderIsFoundByAServer(t *testing.T) {
	tests := map[string]struct{ address, host, want string }{
		"by the host alone":                       {"", "imap.gmx.net", "gmx_net"},
		"a server of many domains":                {"", "imap.126.com", "netease"},
		"shared: domains of one's own":            {"", "imap.gmail.com", "google_workspace"},
		"shared: the provider's own domain":       {"a@gmail.com", "imap.gmail.com", "gmail"},
		"shared: an address elsewhere":            {"a@example.net", "outlook.office365.com", "microsoft365"},
		"shared: Hotmail":                         {"a@hotmail.co.uk", "outlook.office365.com", "outlook_com"},
		"shared: the one that moved":              {"a@cox.net", "imap.mail.yahoo.com", "cox"},
		"shared: the one that runs it":            {"", "imap.mail.yahoo.com", "yahoo"},
		"an older name":                           {"", "imap.googlemail.com", "gmail"},
		"a name with any end":                     {"", "imap.ionos.fr", "ionos"},
		"a name below the provider's own":         {"", "imap.web.de", "web_de"},
		"another name below it":                   {"", "mx7.web.de", "web_de"},
		"a customer's machine at a host":          {"", "vps-1234.vps.ovh.net", ""},
		"a server of one's own":                   {"a@gmail.com", "mail.example.net", ""},
		"an address without a server":             {"a@mail.ru", "", "mail_ru"},
		"this computer, whatever runs there":      {"", "127.0.0.1", ""},
		"a bridge on this computer":               {"a@proton.me", "127.0.0.1", "proton"},
		"this computer by another address":        {"a@gmail.com", "[::1]", "gmail"},
		"this computer by its name":               {"a@example.net", "localhost", ""},
		"another computer by its number":          {"a@gmail.com", "192.0.2.1", ""},
		"capitals and a final dot":                {"", "IMAP.Fastmail.COM.", "fastmail"},
		"the own server of somebody's own domain": {"a@example.net", "mail.example.net", ""},
	}
	var p Presets
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { wantProvider(t, test.want)(p.For(test.address, test.host)) })
	}
}

func TestPresetsServeManyAtOnce(t *testing.T) {
	var p Presets
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, domain := range []string{"gmail.com", "web.de", "gmail.com", "yahoo.com.ph"} {
				preset, ok := p.ByDomain(domain)
				if !ok {
					t.Errorf("%s is not known", domain)
					continue
				}
				preset.Guide("anna@" + domain)
				preset.NormalForms("abcd efgh ijkl mnop")
			}
			p.Glossary()
		})
	}
	all.Wait()
	one, _ := p.ByID("gmail")
	if again, _ := p.ByDomain("googlemail.com"); again != one {
		t.Error("one provider was read twice")
	}
}

func wantProvider(t *testing.T, want string) func(*Preset, bool) {
	return func(p *Preset, ok bool) {
		t.Helper()
		got := ""
		if p != nil {
			got = p.ID
		}
		if got != want || ok != (want != "") {
			t.Errorf("found %q, %t, want %q", got, ok, want)
		}
	}
}

func BenchmarkFirstUse(b *testing.B) {
	for b.Loop() {
		var p Presets
		if _, ok := p.ByDomain("gmail.com"); !ok {
			b.Fatal("Gmail is not known")
		}
	}
}

func BenchmarkAll(b *testing.B) {
	for b.Loop() {
		var p Presets
		p.All()
	}
}

func BenchmarkEveryFurtherUse(b *testing.B) {
	var p Presets
	for b.Loop() {
		p.ByDomain("example.net")
	}
}

func BenchmarkTenThousandMailboxes(b *testing.B) {
	hosts := []string{"imap.gmail.com", "outlook.office365.com", "imap.gmx.net", "mail.example.net", "imap.ionos.fr"}
	var p Presets
	for b.Loop() {
		for i := range 10_000 {
			p.For("anna@example.net", hosts[i%len(hosts)])
		}
	}
}
