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
	// Running says that the step has begun and is not through; only of what
	// [TestOptions.Progress] is told.
	Running bool
	// Certificate is what the server showed, of steps about encryption, also where it
	// is not trusted; nil: it showed none.
	Certificate *Certificate
}

// A Report is the outcome of a test: the steps that were tried, in their order, those
// of the outgoing server last. A test of a server ends with the first step that
// fails, but tries every folder; the outgoing server is tried in any case, where
// there is one.
type Report struct {
	OK    bool
	Steps []Step
	// Dialogue is what was said with both servers, secrets blanked, each side in its
	// order and the incoming one first.
	Dialogue []DialogueLine
	// Folders are those that can be read, INBOX first; empty: the server was not
	// asked, or did not say.
	Folders []Folder
	// Advice is what would do the mailbox good, by what was measured.
	Advice []Advice

	// The forms of the passwords that have worked; empty: none has.
	form, outgoingForm postroom.Secret
}

// A Side is one of the two servers of a mailbox, or both.
type Side string

const (
	BothSides    Side = ""
	IncomingSide Side = "incoming"
	OutgoingSide Side = "outgoing"
)

// TestOptions say how a test is made; the zero value tests both sides.
type TestOptions struct {
	Side Side
	// Progress is told each step when it begins (Running), and when it is through.
	// Never two calls at once; nil: nobody listens.
	Progress func(Step)
}

// A DialogueLine is one line of what was said between us and a server.
type DialogueLine struct {
	At        time.Time
	Side      Side
	Direction byte   // 'C': we said it, 'S': the server did
	Text      string // secrets blanked
}

// A Folder is one that a server lists and that can be read.
type Folder struct {
	Name string // as people see it, and as the settings take it
	Use  string // what it is for: all, archive, drafts, flagged, junk, sent or trash; empty: mail
}

// Advice is a value that a setting had better have.
type Advice struct {
	Field string // as the API names it, such as "incoming.auth_timeout"
	Value string // as the API takes it, such as "12s"
	Words string // why
}

// Reads says whether the mailbox can be read, whatever is wrong with sending.
func (r Report) Reads() bool {
	tried := false
	for _, s := range r.Steps {
		if !s.Kind.IsOutgoing() {
			if !s.OK {
				return false
			}
			tried = true
		}
	}
	return tried
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
