package provider

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// A spoken text is one that people read as sentences, ones that a receptionist
// would say.
type spoken struct{ where, text string }

// allSentences are all texts that people read as sentences.
func allSentences(t *testing.T) []spoken {
	t.Helper()
	var presets Presets
	var all []spoken
	for _, p := range presets.All() {
		for _, fact := range p.Facts {
			all = append(all, spoken{p.ID + ": fact", fact})
		}
		for where, text := range map[string]string{"imap": p.EnableFirst.IMAP, "pop": p.EnableFirst.POP, "smtp": p.EnableFirst.SMTP, "user name": p.UsernameNote} {
			if text != "" {
				all = append(all, spoken{p.ID + ": " + where, text})
			}
		}
		for _, c := range p.Changes {
			all = append(all, spoken{p.ID + ": change", c.Words}, spoken{p.ID + ": remedy", c.Remedy})
		}
		g, ok := p.Guide("anna@example.net")
		if !ok {
			continue
		}
		all = append(all, spoken{p.ID + ": why", g.Why}, spoken{p.ID + ": end", g.AtTheEnd})
		for _, s := range g.Steps {
			all = append(all, spoken{p.ID + ": " + s.ID, s.Text})
			if s.Skip != "" {
				all = append(all, spoken{p.ID + ": skip " + s.ID, s.Skip})
			}
		}
	}
	for _, term := range presets.Glossary() {
		all = append(all, spoken{"glossary: " + term.Word, term.Meaning})
	}
	return all
}

var (
	neverSaid = regexp.MustCompile(`(?i)\b(please|errors?|invalid|failed|failure|oops|sorry|credentials?|authenticat\w*|config\w*|click\w*|mailserver|e-mails)\b|!|\t|  |\{|\}`)
	// quoted are words of others, which stand as they say them.
	quoted = regexp.MustCompile(`"[^"]+"|Multi-Factor Authentication|Two-Factor Authentication|two-factor authentication`)
)

func TestEverySentenceIsPlain(t *testing.T) {
	for _, s := range allSentences(t) {
		if text := strings.TrimSpace(s.text); text != s.text || text == "" || !strings.HasSuffix(text, ".") {
			t.Errorf("%s: %q is no sentence", s.where, s.text)
			continue
		}
		if word := neverSaid.FindString(quoted.ReplaceAllString(s.text, "so")); word != "" {
			t.Errorf("%s: %q is not said here, in %q", s.where, word, s.text)
		}
		if first := []rune(s.text)[0]; unicode.IsLower(first) && !strings.HasPrefix(s.text, "mail.com ") && !strings.HasPrefix(s.text, "iCloud ") {
			t.Errorf("%s: %q does not begin like a sentence", s.where, s.text)
		}
		for _, sentence := range strings.Split(s.text, ". ") {
			if words := len(strings.Fields(sentence)); words > 38 {
				t.Errorf("%s: %d words in one breath: %q", s.where, words, sentence)
			}
		}
	}
}

// It is an app password everywhere. What a provider calls it is said once, as a
// name that the provider uses.
func TestAnAppPasswordIsAlwaysCalledOne(t *testing.T) {
	names := regexp.MustCompile(`(?i)(app-specific|application-specific|service-specific|temporary|device) passwords?|(secure )?mail keys?|authori[sz]ation codes?|passwords? for external applications`)
	var presets Presets
	for _, p := range presets.All() {
		g, ok := p.Guide("anna@example.net")
		if !ok {
			continue
		}
		var text strings.Builder
		for _, s := range g.Steps {
			text.WriteString(s.Title + " " + s.Text + " ")
			if names.MatchString(s.Title) {
				t.Errorf("%s: the title %q has another name for it", p.ID, s.Title)
			}
		}
		if strings.Count(strings.ToLower(text.String()), "app password") < 3 {
			t.Errorf("%s: the guide hardly says app password", p.ID)
		}
	}
}

func TestTheGlossaryHasTheWordsThatPeopleMeet(t *testing.T) {
	var presets Presets
	terms := presets.Glossary()
	var known []string
	last := ""
	for _, term := range terms {
		if word := strings.ToLower(term.Word); word <= last {
			t.Errorf("%q stands behind %q", term.Word, last)
		} else {
			last = word
		}
		if n := strings.Count(term.Meaning, ". ") + 1; n > 2 {
			t.Errorf("%s is explained in %d sentences", term.Word, n)
		}
		known = append(known, strings.ToLower(term.Word))
		for _, also := range term.AlsoKnownAs {
			if slices.Contains(known, strings.ToLower(also)) {
				t.Errorf("%q is there twice", also)
			}
			known = append(known, strings.ToLower(also))
		}
	}
	for _, word := range []string{
		"app password", "temporary password", "application-specific password", "authorization code", "security code", "2fa code", "device password",
		"imap", "pop3", "smtp", "oauth", "two-step verification", "tls", "certificate", "port", "mx", "folder", "ledger", "arrival", "mailbox", "issue",
	} {
		if !slices.Contains(known, word) {
			t.Errorf("nobody finds %q", word)
		}
	}
	if again := presets.Glossary(); len(again) != len(terms) {
		t.Errorf("the second time there are %d terms, want %d", len(again), len(terms))
	}
}

// Every entry of the files of texts is for providers that there are, and every
// state in providers.yaml that is more than a word is said in words.
func TestEveryTextHasItsProvider(t *testing.T) {
	var presets Presets
	for name, file := range map[string]string{"guides.yaml": guides, "knowledge.yaml": knowledge} {
		for i, text := range strings.Split(file, entryStart) {
			head, _, _ := strings.Cut(text, "\n")
			if i == 0 {
				continue
			}
			for _, id := range strings.Split(head, ", ") {
				if _, ok := presets.ByID(id); !ok && (id != "other" || name != "guides.yaml") {
					t.Errorf("%s: nobody is called %q", name, id)
				}
			}
		}
	}
	nothing := []string{"", "always on", "on", "not offered", "on with the app password"}
	for i, text := range strings.Split(providers, providerStart)[1:] {
		raw := parseText("\n- id: " + text)
		p := presets.All()[i]
		for what, pair := range map[string][2]string{
			"imap": {raw.EnableFirst.Value.IMAP, p.EnableFirst.IMAP}, "pop": {raw.EnableFirst.Value.POP, p.EnableFirst.POP}, "smtp": {raw.EnableFirst.Value.SMTP, p.EnableFirst.SMTP},
		} {
			if !slices.Contains(nothing, pair[0]) && !strings.HasPrefix(pair[0], "always on") && pair[1] == "" {
				t.Errorf("%s: %s is %q, and nobody says it", p.ID, what, pair[0])
			}
		}
	}
}

// A slip in the name of a field, or of a step, would be silence on the page.
func TestTheFilesOfTextsHaveNoSlips(t *testing.T) {
	var ids []string
	for _, s := range usualSteps {
		ids = append(ids, s.ID)
	}
	var file struct {
		Entries []guideText `yaml:"entries"`
	}
	strict(t, guides, &file)
	for _, g := range file.Entries {
		for i, s := range g.Steps {
			if !slices.Contains(ids, s.ID) || s.ID == "why" {
				t.Errorf("%s: there is no step %q", g.For, s.ID)
			}
			if slices.ContainsFunc(g.Steps[:i], func(o stepText) bool { return o.ID == s.ID }) {
				t.Errorf("%s: the step %q is there twice", g.For, s.ID)
			}
		}
	}
	strict(t, knowledge, &struct {
		Entries []knowledgeText `yaml:"entries"`
	}{})
	strict(t, glossary, &[]Term{})
}

func strict(t *testing.T, text string, into any) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		t.Error(err)
	}
}
