package provider

import (
	"regexp"
	"strings"
	"sync"
)

// A known is a provider as the index knows it: the names by which it is found.
type known struct {
	id, kind string
	domains  []string
	patterns []func() *regexp.Regexp // of domains, compiled when first wanted
	mx       []string
	servers  []string
	further  []string // hosts, with *

	preset func() *Preset // reads the provider in full, once
}

func (k *known) found() (*Preset, bool) {
	if k == nil {
		return nil, false
	}
	return k.preset(), true
}

const providerStart = "\n- id: "

// index looks through providers.yaml for names. It does not parse: the file is
// part of the program, its layout is known, and a test holds the two together.
// Parsing all of it would take a hundred times as long, for one provider wanted.
func (p *Presets) index() {
	_, text, _ := strings.Cut(providers, "\nproviders:")
	texts := strings.Split(text, providerStart)[1:]
	p.known = make([]*known, 0, len(texts))
	p.ids = make(map[string]*known, len(texts))
	p.domains = make(map[string]*known, 10*len(texts))
	p.hosts = make(map[string][]*known, 4*len(texts))
	for _, text := range texts {
		k := indexOne(text)
		p.known = append(p.known, k)
		p.ids[k.id] = k
		for _, d := range k.domains {
			p.domains[d] = k
		}
		for _, host := range k.servers {
			p.enter(host, k)
		}
	}
}

// enter remembers whose a server is. A host that holds {domain} stands for one
// server for each domain of the provider.
func (p *Presets) enter(host string, k *known) {
	if strings.Contains(host, "{domain}") {
		for _, d := range k.domains {
			p.enter(strings.ReplaceAll(host, "{domain}", d), k)
		}
		return
	}
	if of := p.hosts[host]; len(of) == 0 || of[len(of)-1] != k {
		p.hosts[host] = append(of, k)
	}
}

func indexOne(text string) *known {
	id, rest, _ := strings.Cut(text, "\n")
	k := &known{id: id, preset: sync.OnceValue(func() *Preset { return parsePreset("\n- id: " + text) })}
	section := ""
	for line := range strings.Lines(rest) {
		line = strings.TrimSuffix(line, "\n")
		if key, value, ok := topLevel(line); ok {
			if section = key; key == "kind" {
				k.kind = strings.TrimSpace(value)
			}
			continue
		}
		if host, ok := strings.CutPrefix(line, "    - host: "); ok && section == "servers" {
			k.servers = append(k.servers, plain(host))
			continue
		}
		item, ok := strings.CutPrefix(line, "  - ")
		if !ok {
			continue
		}
		switch item = plain(item); section {
		case "domains":
			k.domains = append(k.domains, item)
		case "domain_patterns":
			k.patterns = append(k.patterns, sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(item) }))
		case "mx":
			k.mx = append(k.mx, item)
		case "hosts":
			k.further = append(k.further, item)
		}
	}
	return k
}

// topLevel reads a line as the beginning of a field of a provider.
func topLevel(line string) (key, value string, ok bool) {
	if len(line) < 3 || line[:2] != "  " || line[2] < 'a' || line[2] > 'z' {
		return "", "", false
	}
	return strings.Cut(line[2:], ":")
}

// plain is a value without the quotes that YAML needs before an asterisk.
func plain(value string) string { return strings.Trim(strings.TrimSpace(value), "'") }
