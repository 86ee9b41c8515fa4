package provider

import (
	"time"

	"github.com/postroom/postroom"
)

// An AppGuide leads an administrator to a registration at a provider, step by step.
type AppGuide struct {
	Provider, ProviderID string
	Ways                 []AppWay
}

// An AppWay is one way to register an app at a provider, for one kind of it.
type AppWay struct {
	ID    string // such as sign_in, or service_account
	Kind  postroom.AppKind
	Title string
	// When says when to choose this way, a sentence.
	When  string
	Steps []AppStep
	// Notes are what saves people hours: limits, approvals, what ends it.
	Notes []string
}

// An AppStep is one thing to do. Its text may hold {redirect}, where the address that the
// browser comes back to belongs; [AppStep.For] fills it in.
type AppStep struct {
	ID, Title, Text string
	// Copy are what is to be entered there letter by letter.
	Copy    []string
	Field   string // of the registration here, as the API names it, that the step is about; empty: none
	Link    postroom.Link
	Checked time.Time     // the day it was last compared with the provider's page; zero: never
	Source  postroom.Link // that page
}

// AppGuide returns how to register an app at a provider; ok is false where nothing is
// known about that.
func (p *Presets) AppGuide(providerID string) (g AppGuide, ok bool) {
	return AppGuide{}, false
}
