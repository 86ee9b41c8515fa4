package provider

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// guides leads to app passwords, step by step; knowledge is what saves people
// hours. Each entry begins with the providers that it is for.
var (
	//go:embed guides.yaml
	guides string
	//go:embed knowledge.yaml
	knowledge string
)

const entryStart = "\n- for: "

// entriesFor returns the entries of a file of texts that are for a provider, in
// the file's order. The file is part of the program: where it cannot be read,
// nobody outside is to blame.
func entriesFor[T any](file, name, provider string) []T {
	var entries []T
	for i, text := range strings.Split(file, entryStart) {
		head, _, _ := strings.Cut(text, "\n")
		if i == 0 || !slices.Contains(strings.Split(head, ", "), provider) {
			continue
		}
		var parsed []T
		if err := yaml.Unmarshal([]byte(entryStart+text), &parsed); err != nil || len(parsed) != 1 {
			panic(fmt.Sprintf("%s: %d entries, %v, in %q", name, len(parsed), err, text))
		}
		entries = append(entries, parsed[0])
	}
	return entries
}

// A knowledgeText is an entry of knowledge.yaml.
type knowledgeText struct {
	For      string   `yaml:"for"`
	Username string   `yaml:"username"`
	Facts    []string `yaml:"facts"`
	Enable   struct {
		IMAP  string `yaml:"imap"`
		POP   string `yaml:"pop"`
		SMTP  string `yaml:"smtp"`
		Where string `yaml:"where"`
		URL   string `yaml:"url"`
	} `yaml:"enable"`
	Changes []changeText `yaml:"changes"`
}

// learn adds what knowledge.yaml knows of a provider.
func (p *Preset) learn() {
	for _, k := range entriesFor[knowledgeText](knowledge, "knowledge.yaml", p.ID) {
		p.Facts = append(p.Facts, k.Facts...)
		for _, c := range k.Changes {
			p.Changes = append(p.Changes, c.change())
		}
		for to, text := range map[*string]string{
			&p.EnableFirst.IMAP: k.Enable.IMAP, &p.EnableFirst.POP: k.Enable.POP, &p.EnableFirst.SMTP: k.Enable.SMTP,
			&p.UsernameNote: k.Username, &p.EnableFirst.Where: k.Enable.Where, &p.EnableFirst.URL: k.Enable.URL,
		} {
			if text != "" {
				*to = text
			}
		}
	}
	slices.SortStableFunc(p.Changes, func(a, b Change) int { return a.On.Compare(b.On) })
}
