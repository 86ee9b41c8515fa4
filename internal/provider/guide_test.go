package provider

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// guided are the providers with a guide of their own.
var guided = []string{
	"gmail", "google_workspace", "yahoo", "cox", "aol", "verizon", "att", "icloud", "fastmail",
	"zoho", "zoho_eu", "zoho_in", "zoho_au", "zoho_jp", "zoho_ca", "gmx_net", "gmx_com", "web_de", "mail_com",
	"ionos", "t_online", "mailbox_org", "infomaniak", "libero", "virgin_media", "sky", "yandex", "mail_ru", "qq",
	"netease", "inbox_lv", "seznam", "naver", "mailfence", "startmail", "proton",
}

func TestGmailsGuideLeadsToThisVeryAccount(t *testing.T) {
	var presets Presets
	p, _ := presets.ByID("gmail")
	g, ok := p.Guide("support+paris&co@gmail.com")
	if !ok {
		t.Fatal("no guide")
	}
	if g.MailboxName != "Postroom – support+paris&co@gmail.com" || g.Since != "30 May 2022" || g.Provider != "Google" || g.ProviderID != "gmail" {
		t.Errorf("the guide is %q, %q, %q, %q", g.MailboxName, g.Since, g.Provider, g.ProviderID)
	}
	var ids []string
	for _, s := range g.Steps {
		ids = append(ids, s.ID)
	}
	if diff := cmp.Diff([]string{"why", "two_step", "make", "name", "copy", "paste", "end"}, ids); diff != "" {
		t.Error(diff)
	}
	if _, ok := g.Step("bridge"); ok {
		t.Error("Gmail has a step bridge")
	}
	for step, page := range map[string]string{
		"make":     "https://myaccount.google.com/apppasswords",
		"two_step": "https://myaccount.google.com/signinoptions/twosv",
	} {
		s, _ := g.Step(step)
		link, err := url.Parse(s.Link.URL)
		if err != nil {
			t.Fatal(err)
		}
		if q := link.Query(); link.Host != "accounts.google.com" || q.Get("Email") != "support+paris&co@gmail.com" || q.Get("continue") != page {
			t.Errorf("%s leads to %s", step, link)
		}
	}
}

func TestEveryProviderWithAppPasswordsHasAGuide(t *testing.T) {
	var presets Presets
	for _, p := range presets.All() {
		g, ok := p.Guide("anna@example.net")
		if ok != p.AppPassword.Offered {
			t.Errorf("%s: guide %t, app passwords %t", p.ID, ok, p.AppPassword.Offered)
		}
		if !ok {
			if slices.Contains(guided, p.ID) {
				t.Errorf("%s has lost its guide", p.ID)
			}
			continue
		}
		own := guideFor(p.ID).For != "other"
		if own != slices.Contains(guided, p.ID) {
			t.Errorf("%s: a guide of its own: %t", p.ID, own)
		}
		ids := make([]string, 0, len(g.Steps))
		for _, s := range g.Steps {
			ids = append(ids, s.ID)
			if s.Title == "" || s.Text == "" {
				t.Errorf("%s: the step %s says nothing", p.ID, s.ID)
			}
			if s.Source.URL == "" && !s.Checked.IsZero() {
				t.Errorf("%s: the step %s was compared with no page", p.ID, s.ID)
			}
			if s.Checked.After(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)) {
				t.Errorf("%s: the step %s was compared on %s, which was to come when this was written", p.ID, s.ID, s.Checked)
			}
		}
		for _, want := range []string{"why", "make", "copy", "paste", "end"} {
			if !slices.Contains(ids, want) {
				t.Errorf("%s: there is no step %s in %v", p.ID, want, ids)
			}
		}
		if !own && !strings.Contains(g.Steps[slices.Index(ids, "make")].Text, "not yet compared") {
			t.Errorf("%s: the general guide does not say that it is one", p.ID)
		}
		if g.Why == "" || g.AtTheEnd == "" || g.Provider == "" || g.Title != "An app password for anna@example.net" {
			t.Errorf("%s: %+v", p.ID, g)
		}
	}
}

// ownPages are the domains on which providers have their account and help pages,
// where they are not domains of addresses.
var ownPages = map[string][]string{
	"gmail": {"google.com"}, "google_workspace": {"google.com"}, "cox": {"yahoo.com"}, "verizon": {"aol.com"},
	"att": {"att.com"}, "icloud": {"apple.com"}, "fastmail": {"fastmail.help"}, "gmx_com": {"gmx.com"},
	"zoho_eu": {"zoho.com"}, "zoho_in": {"zoho.com"}, "zoho_au": {"zoho.com"}, "zoho_jp": {"zoho.com"}, "zoho_ca": {"zoho.com"},
	"ionos": {"ionos.com"}, "t_online": {"telekom.de"}, "infomaniak": {"infomaniak.com"}, "seznam": {"o-seznam.cz"},
	"outlook_com": {"live.com", "microsoft.com"}, "microsoft365": {"microsoft.com"}, "microsoft365_gcc_high": {"microsoft.com"},
	"microsoft365_dod": {"microsoft.com"}, "microsoft365_china": {"microsoft.com"}, "amazon_workmail": {"amazon.com"},
	"rambler": {"rambler.ru"}, "interia": {"interia.pl"},
}

func TestEveryPageIsTheProvidersOwn(t *testing.T) {
	var presets Presets
	for _, p := range presets.All() {
		g, _ := p.Guide("anna@example.net")
		links := []string{p.AppPassword.MakeURL, p.AppPassword.HelpURL, p.EnableFirst.URL}
		for _, s := range g.Steps {
			links = append(links, s.Link.URL, s.Source.URL)
			for _, link := range []struct{ words, url string }{{s.Link.Words, s.Link.URL}, {s.Source.Words, s.Source.URL}} {
				if (link.words == "") != (link.url == "") || strings.ContainsAny(link.words+link.url, "{}") {
					t.Errorf("%s: the step %s has a link %q to %q", p.ID, s.ID, link.words, link.url)
				}
			}
		}
		for _, c := range p.Changes {
			links = append(links, c.Source)
		}
		for _, link := range links {
			if link == "" {
				continue
			}
			u, err := url.Parse(link)
			if err != nil || u.Scheme != "https" || u.User != nil {
				t.Errorf("%s: %q is no page", p.ID, link)
				continue
			}
			if !slices.ContainsFunc(append(slices.Clone(ownPages[p.ID]), p.Domains...), func(own string) bool {
				return u.Host == own || strings.HasSuffix(u.Host, "."+own)
			}) {
				t.Errorf("%s: %s is on a page of somebody else", p.ID, link)
			}
		}
	}
}

func FuzzGuide(f *testing.F) {
	for _, seed := range []string{"anna@gmail.com", "a&continue=https://evil.example@gmail.com", "\"<script>\"@x", "", "ä ö@bücher.example", "{make}@{address}"} {
		f.Add(seed)
	}
	var presets Presets
	p, _ := presets.ByID("google_workspace")
	f.Fuzz(func(t *testing.T, address string) {
		g, _ := p.Guide(address)
		for _, s := range g.Steps {
			if s.Link.URL == "" {
				continue
			}
			u, err := url.Parse(s.Link.URL)
			if err != nil || u.Scheme != "https" || !strings.HasSuffix(u.Host, ".google.com") {
				t.Fatalf("%q leads to %q", address, s.Link.URL)
			}
			if u.Path == "/AccountChooser" && (u.Query().Get("Email") != address || !strings.HasPrefix(u.Query().Get("continue"), "https://myaccount.google.com/")) {
				t.Fatalf("%q leads to %q", address, s.Link.URL)
			}
		}
	})
}
