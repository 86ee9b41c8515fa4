package mailbox

import (
	"time"

	"github.com/postroom/postroom"
)

// A StepKind says what a step of a test is about.
type StepKind string

// The steps, in the order in which they come.
const (
	StepName       StepKind = "name"       // DNS knows the server
	StepConnection StepKind = "connection" // it takes connections
	StepEncryption StepKind = "encryption" // and proves who it is
	StepGreeting   StepKind = "greeting"   // it speaks the protocol
	StepSignIn     StepKind = "sign_in"    // it lets us in
	StepFolder     StepKind = "folder"     // one for each folder
	StepMessage    StepKind = "message"    // it gives a message
	// StepAfterImport: what happens to mail on the server can be done there; left out
	// where nothing happens, and nothing is wrong with that.
	StepAfterImport StepKind = "after_import"
	StepNews        StepKind = "news" // how new mail is noticed
)

// Title is the step in words.
func (k StepKind) Title() string {
	switch k {
	case StepName:
		return "Find the server"
	case StepConnection:
		return "Reach the server"
	case StepEncryption:
		return "Encrypt the connection"
	case StepGreeting:
		return "Hear its greeting"
	case StepSignIn:
		return "Sign in"
	case StepFolder:
		return "Open the folder"
	case StepMessage:
		return "Look at a message"
	case StepAfterImport:
		return "Deal with mail that is here"
	case StepNews:
		return "Wait for new mail"
	}
	return k.outgoingTitle()
}

// A Step is one thing that a test tried.
type Step struct {
	Kind   StepKind
	OK     bool
	Took   time.Duration
	Detail string          // what was found, in words; without anything of a message
	Fault  *postroom.Fault // why it did not work; nil when it did
}

// A Report is the outcome of a test: the steps that were tried, in their order. A
// test of a server ends with the first step that fails, but tries every folder; the
// outgoing server is tried in any case, where there is one.
type Report struct {
	OK    bool
	Steps []Step
}

// Fault returns what the first failed step says; nil when none has failed.
func (r Report) Fault() *postroom.Fault {
	for _, s := range r.Steps {
		if s.Fault != nil {
			return s.Fault
		}
	}
	return nil
}
