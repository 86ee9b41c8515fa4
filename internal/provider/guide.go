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
	ID          string // why, two_step, make, name, copy, paste, end; enable and bridge where needed
	Title, Text string
	Link        postroom.Link // the page where it is done, for this very account where the page takes one
	Skip        string        // when this step can be left out; empty: never
	Checked     time.Time     // the day it was last checked; zero: never against a page of the provider
	Source      postroom.Link // the provider's own page
}
