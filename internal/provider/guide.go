package provider

import (
	"time"

	"github.com/postroom/postroom"
)

// A Guide leads a person to an app password, step by step.
type Guide struct {
	Provider, ProviderID, Title string
	// Why says why a normal password no longer works.
	Why   string
	Since string // since when: "14 March 2025"; empty: not known
	Steps []GuideStep
	// MailboxName is the name to enter there, under which the app password is found
	// again: "Postroom – support@example.net".
	MailboxName string
	// AtTheEnd says that it can be deleted there at any time, and what happens then.
	AtTheEnd string
}

// A GuideStep is one thing to do.
type GuideStep struct {
	// ID is why, two_step, make, name, copy, paste or end; and where they are needed
	// plan, bridge, enable (before the app password is made) and allow (after it).
	ID          string
	Title, Text string
	Link        postroom.Link // the page where it is done, for this very account where the page takes one
	Skip        string        // when this step can be left out; empty: never
	Checked     time.Time     // the day it was last checked; zero: never against a page of the provider
	Source      postroom.Link // the provider's own page
}

// Guide returns the way to an app password for an address; ok is false where the
// provider has none. Where nobody has compared it with the provider's own pages,
// it says so in words, and names no page.
func (p *Preset) Guide(address string) (g Guide, ok bool) {
	if p == nil || !p.AppPassword.Offered || p.guides == nil {
		return Guide{}, false
	}
	return p.guides().guide(p, address), true
}

// guideFor returns the text of a provider's guide, or the one for all others.
func guideFor(id string) guideText {
	if texts := entriesFor[guideText](guides, "guides.yaml", id); len(texts) > 0 {
		return texts[0]
	}
	return entriesFor[guideText](guides, "guides.yaml", "other")[0]
}

// Step returns the step with an id; ok is false where the guide has none. The link
// of make is the page where app passwords are made, for this very account.
func (g Guide) Step(id string) (step GuideStep, ok bool) {
	for _, s := range g.Steps {
		if s.ID == id {
			return s, true
		}
	}
	return GuideStep{}, false
}
