package provider

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/postroom/postroom"
)

// allAppGuides are those that are there, by provider.
func allAppGuides(t *testing.T) map[string]AppGuide {
	t.Helper()
	var presets Presets
	all := map[string]AppGuide{}
	ids := []string{postroom.GenericProvider}
	for _, p := range presets.All() {
		ids = append(ids, p.ID)
	}
	for _, id := range ids {
		if g, ok := presets.AppGuide(id); ok {
			all[id] = g
		}
	}
	return all
}

func TestProvidersThatAnybodyCanRegisterAtHaveAnAppGuide(t *testing.T) {
	all := allAppGuides(t)
	for _, id := range []string{"gmail", "google_workspace", "outlook_com", "microsoft365", "microsoft365_gcc_high", "microsoft365_dod", "microsoft365_china", "yahoo", "aol", "att", "cox", "verizon", "yandex", "mail_ru", "fastmail", "generic"} {
		if len(all[id].Ways) == 0 {
			t.Errorf("there is no way to register an app at %s", id)
		}
	}
	var presets Presets
	if g, ok := presets.AppGuide("gmx_net"); ok {
		t.Errorf("a guide to something that is not offered: %+v", g)
	}
	for _, text := range presets.appGuideTexts() {
		for _, id := range strings.Split(text.For, ", ") {
			if p, known := presets.ByID(id); id != postroom.GenericProvider && (!known || p.OAuth == nil) {
				t.Errorf("%q is no provider with OAuth", id)
			}
		}
	}
}

func TestAnAppGuideLeadsToEveryFieldThatIsNeeded(t *testing.T) {
	fields := []string{"", "client_id", "client_secret", "tenant", "secret_expires_at", "redirect_url", "is_testing", "issuer", "scopes"}
	for id, g := range allAppGuides(t) {
		var kinds []postroom.AppKind
		for _, w := range g.Ways {
			if slices.Contains(kinds, w.Kind) {
				t.Errorf("%s: there are two ways of the kind %s", id, w.Kind)
			}
			kinds = append(kinds, w.Kind)
			var filled []string
			var steps []string
			redirect := false
			for _, s := range w.Steps {
				if slices.Contains(steps, s.ID) || s.ID == "" {
					t.Errorf("%s: the step %q of %s is there twice", id, s.ID, w.ID)
				}
				steps = append(steps, s.ID)
				if !slices.Contains(fields, s.Field) {
					t.Errorf("%s: there is no field %q", id, s.Field)
				}
				filled = append(filled, s.Field)
				redirect = redirect || slices.Contains(s.Copy, "{redirect}")
			}
			switch w.Kind {
			case postroom.AppServiceAccount:
				if !slices.Contains(filled, "client_secret") {
					t.Errorf("%s: %s does not lead to the key", id, w.ID)
				}
			default:
				if !slices.Contains(filled, "client_id") || id != "fastmail" && !slices.Contains(filled, "client_secret") {
					t.Errorf("%s: %s leads to %v only", id, w.ID, filled)
				}
			}
			if redirect != (w.Kind == postroom.AppSignIn) {
				t.Errorf("%s: %s says where browsers come back to: %t", id, w.ID, redirect)
			}
		}
		if strings.HasPrefix(id, "microsoft365") && !slices.Equal(kinds, []postroom.AppKind{postroom.AppSignIn, postroom.AppClient}) {
			t.Errorf("%s: the ways are %v", id, kinds)
		}
	}
	if w := allAppGuides(t)["google_workspace"].Ways; len(w) != 2 || w[1].Kind != postroom.AppServiceAccount || !strings.Contains(w[0].Title, "organisation") {
		t.Errorf("the ways at Google Workspace: %+v", w)
	}
}

func TestEveryAppGuideIsPlainAndItsPagesAreTheProvidersOwn(t *testing.T) {
	// What stands in “…” is what others call it.
	said := regexp.MustCompile(`(?i)\b(please|errors?|invalid|failed|failure|oops|sorry|credentials?|authenticat\w*|config\w*|click\w*|e-mails)\b|!|\t|  `)
	quoted := regexp.MustCompile(`“[^”]*”|client credentials flow`)
	own := map[string][]string{"Google": {"google.com"}, "Microsoft": {"microsoft.com", "azure.us", "azure.cn"}, "Yahoo": {"yahoo.com", "yahooinc.com"}, "Yandex": {"yandex.com", "yandex.ru"}, "Mail.ru": {"mail.ru"}, "Fastmail": {"fastmail.com"}}
	sentence := func(id, text string) {
		t.Helper()
		if text == "" || strings.TrimSpace(text) != text || !strings.HasSuffix(text, ".") || unicode.IsLower([]rune(text)[0]) {
			t.Errorf("%s: %q is no sentence", id, text)
		}
		if word := said.FindString(quoted.ReplaceAllString(text, "so")); word != "" {
			t.Errorf("%s: %q is not said here, in %q", id, word, text)
		}
		for _, one := range strings.Split(text, ". ") {
			if words := len(strings.Fields(one)); words > 38 {
				t.Errorf("%s: %d words in one breath: %q", id, words, one)
			}
		}
	}
	page := func(g AppGuide, l postroom.Link) {
		t.Helper()
		if (l.Words == "") != (l.URL == "") || strings.ContainsAny(l.URL, "{}") {
			t.Errorf("%s: a link %q to %q", g.ProviderID, l.Words, l.URL)
		}
		if l.URL == "" {
			return
		}
		u, err := url.Parse(l.URL)
		if err != nil || u.Scheme != "https" || !slices.ContainsFunc(own[g.Provider], func(own string) bool { return u.Host == own || strings.HasSuffix(u.Host, "."+own) }) {
			t.Errorf("%s: %s is on a page of somebody else", g.ProviderID, l.URL)
		}
	}
	for id, g := range allAppGuides(t) {
		for _, w := range g.Ways {
			sentence(id, w.When)
			for _, note := range w.Notes {
				sentence(id, note)
			}
			for _, s := range w.Steps {
				sentence(id+" "+s.ID, s.Text)
				page(g, s.Link)
				page(g, s.Source)
				if s.Checked.IsZero() != (s.Source.URL == "") {
					t.Errorf("%s: %s was compared on %v with %q", id, s.ID, s.Checked, s.Source.URL)
				}
			}
		}
	}
}

func TestTheGuideForACloudLeadsToItsPortal(t *testing.T) {
	for id, portal := range map[string]string{"microsoft365": "entra.microsoft.com", "microsoft365_gcc_high": "portal.azure.us", "microsoft365_china": "portal.azure.cn"} {
		for _, w := range allAppGuides(t)[id].Ways {
			if u, err := url.Parse(w.Steps[0].Link.URL); err != nil || u.Host != portal {
				t.Errorf("%s leads to %s", id, w.Steps[0].Link.URL)
			}
		}
	}
}
