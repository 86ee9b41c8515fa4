package provider

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// changeStays is how long after its day a change is still shown: what stops a
// mailbox then is most likely the change.
const changeStays = 30 * 24 * time.Hour

// A changeText is an announced change as knowledge.yaml writes it.
type changeText struct {
	On            time.Time           `yaml:"on"`
	Short         string              `yaml:"short"`
	Words         string              `yaml:"words"`
	Remedy        string              `yaml:"remedy"`
	Source        string              `yaml:"source"`
	Concerns      []postroom.Protocol `yaml:"concerns"`
	PasswordsOnly bool                `yaml:"passwords_only"`
}

func (t changeText) change() Change { return Change(t) }

// ChangesFor returns what has been announced by the providers of a mailbox, of its
// incoming and of its outgoing server, that concerns the mailbox. See
// [Preset.ChangesFor].
func (p *Presets) ChangesFor(m postroom.Mailbox, kind string, now time.Time) []Change {
	incoming, _ := p.For(m.Address, m.Incoming.Host)
	changes := incoming.ChangesFor(m, kind, now)
	if m.Outgoing == nil {
		return changes
	}
	if outgoing, ok := p.For(m.Address, m.Outgoing.Host); ok && outgoing != incoming {
		changes = append(changes, outgoing.ChangesFor(m, kind, now)...)
		slices.SortStableFunc(changes, func(a, b Change) int { return a.On.Compare(b.On) })
	}
	return changes
}

// ChangesFor returns what the provider has announced that concerns a mailbox with
// this kind of credential (password, app_password, oauth), the earliest first:
// what is ahead, or not more than 30 days past.
func (p *Preset) ChangesFor(m postroom.Mailbox, kind string, now time.Time) []Change {
	if p == nil {
		return nil
	}
	var uses []postroom.Protocol
	if p.runs(m.Incoming.Host) {
		uses = append(uses, m.Incoming.Protocol)
	}
	if m.Outgoing != nil && p.runs(m.Outgoing.Host) {
		uses = append(uses, postroom.SMTP)
	}
	var changes []Change
	for _, c := range p.Changes {
		past := !now.Before(c.On.Add(changeStays))
		if past || len(uses) == 0 || c.PasswordsOnly && kind == "oauth" {
			continue
		}
		if len(c.Concerns) == 0 || slices.ContainsFunc(uses, func(u postroom.Protocol) bool { return slices.Contains(c.Concerns, u) }) {
			changes = append(changes, c)
		}
	}
	return changes
}

// runs says whether a server is one of the provider's.
func (p *Preset) runs(host string) bool {
	host = asciiName(host)
	if host == "" {
		return false
	}
	for _, s := range slices.Concat(p.IMAP, p.POP3, p.SMTP) {
		if pattern := strings.ReplaceAll(s.Host, "{domain}", "*"); matches(pattern, host) {
			return true
		}
	}
	return slices.ContainsFunc(p.Hosts, func(pattern string) bool { return matches(pattern, host) })
}

// matches says whether a pattern, in which * stands for any part, fits a host.
func matches(pattern, host string) bool {
	ok, err := path.Match(pattern, host)
	return err == nil && ok
}
