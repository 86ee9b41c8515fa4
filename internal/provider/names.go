package provider

import (
	"maps"
	"slices"
)

// Names are what is looked through for the one that somebody meant: names of servers,
// and domains of addresses, in ASCII, sorted.
func (p *Presets) Names() (servers, domains []string) {
	p.once.Do(p.index)
	return slices.Sorted(maps.Keys(p.hosts)), slices.Sorted(maps.Keys(p.domains))
}
