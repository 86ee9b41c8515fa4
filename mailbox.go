package postroom

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Mailbox is an account on a mail server that Postroom reads and sends from.
type Mailbox struct {
	ID      MailboxID
	Name    string // what people call it; the address when they gave none
	Address string

	Incoming IncomingSettings
	Outgoing *OutgoingSettings // nil: this mailbox only reads

	Start       Start
	AfterImport AfterImport
	MoveTo      string // the folder, with AfterImportMove
	// RawRetentionDays is how many days the exact bytes of a mail are kept after it
	// arrived; 0: for ever. What was understood of it stays.
	RawRetentionDays int
	Visibility       Visibility
	Owner            UserID // 0: nobody

	State         MailboxState
	StateSince    time.Time
	Fault         *Fault    // what is wrong; nil when nothing is
	NextTryAt     time.Time // zero: no try is planned
	LastArrivalAt time.Time // zero: nothing has arrived yet
	ProvenAt      time.Time // when it first became active; zero: never
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Protocol is how a mail server is spoken with: the way in to a mailbox, or out.
type Protocol string

const (
	IMAP Protocol = "imap"
	POP3 Protocol = "pop3"
	SMTP Protocol = "smtp" // the way out
)

// TLSPolicy says how a connection is encrypted.
type TLSPolicy string

const (
	TLSImplicit TLSPolicy = "implicit" // from the first byte
	TLSStart    TLSPolicy = "starttls" // after STARTTLS, which is required
	TLSNone     TLSPolicy = "none"     // never; loopback only, unless an administrator allows it
)

// ServerSettings say where a server is and how it is trusted.
type ServerSettings struct {
	Host          string
	Port          int
	TLS           TLSPolicy
	Username      string
	CACertificate string // PEM; trusted besides the system's roots
	PinnedSHA256  string // hex SHA-256 of the one certificate that is accepted
}

// IncomingSettings say how a mailbox is read.
type IncomingSettings struct {
	ServerSettings
	Protocol       Protocol
	Folders        []string
	ConnectTimeout time.Duration
	AuthTimeout    time.Duration
	PollInterval   time.Duration
}

// OutgoingSettings say how a mailbox sends.
type OutgoingSettings struct {
	ServerSettings
}

// The values that a mailbox has where nobody chose others.
const (
	DefaultConnectTimeout = 10 * time.Second
	DefaultAuthTimeout    = 5 * time.Second
	DefaultPollInterval   = time.Minute
	MinPollInterval       = time.Second
)

// MailboxState is what a mailbox is doing.
type MailboxState string

const (
	MailboxDraft       MailboxState = "draft"         // settings kept, not yet proven
	MailboxActive      MailboxState = "active"        // being read
	MailboxDelayed     MailboxState = "delayed"       // temporary trouble; the next try is known
	MailboxNeedsSignIn MailboxState = "needs_sign_in" // the credential is refused for good
	MailboxNeedsRepair MailboxState = "needs_repair"  // a person must change something else
	MailboxPaused      MailboxState = "paused"        // by a person
)

// MailboxStates are all states, in the order in which pages show them.
func MailboxStates() []MailboxState {
	return []MailboxState{MailboxActive, MailboxDelayed, MailboxNeedsSignIn, MailboxNeedsRepair, MailboxPaused, MailboxDraft}
}

// CanBecome says whether a mailbox may go from s to next. A draft leaves only by
// being proven or paused, nothing returns to draft, and all others change
// directly into one another.
func (s MailboxState) CanBecome(next MailboxState) bool {
	switch {
	case s == next:
		return true
	case next == MailboxDraft:
		return false
	case s == MailboxDraft:
		return next == MailboxActive || next == MailboxPaused
	}
	return slices.Contains(MailboxStates(), next)
}

// StateFor returns the state that a fault puts a mailbox in. A draft stays a
// draft, with the fault beside it.
func (s MailboxState) StateFor(k Kind) MailboxState {
	if s == MailboxDraft || s == MailboxPaused {
		return s
	}
	switch k {
	case NeedsSignIn:
		return MailboxNeedsSignIn
	case NeedsRepair, Invalid:
		return MailboxNeedsRepair
	}
	return MailboxDelayed
}

// IsRead says whether a mailbox in this state is read, or tried again until it is.
func (s MailboxState) IsRead() bool { return s != MailboxPaused && s != MailboxNeedsSignIn }

// AfterImport is what happens to a message on the server once it is safely here.
type AfterImport string

const (
	AfterImportKeep     AfterImport = "keep"
	AfterImportMarkRead AfterImport = "mark_read"
	AfterImportMove     AfterImport = "move"
	AfterImportDelete   AfterImport = "delete"
)

// StartKind says from where on the mail of a mailbox is brought in.
type StartKind string

const (
	StartNow  StartKind = "now"  // what arrives after the mailbox was proven
	StartAll  StartKind = "all"  // everything that the server has
	StartDate StartKind = "date" // what is not older than an instant
)

// Start is from where on the mail of a mailbox is brought in.
type Start struct {
	Kind StartKind
	At   time.Time // with StartDate the instant; with StartNow when the mailbox was proven, zero before
}

// Covers says whether mail of the given instants is to be brought in. The older
// one decides: a message copied into the folder today may be years old. An
// unknown instant is zero and decides nothing; where nothing is known, the mail
// is brought in.
func (s Start) Covers(internalDate, received time.Time) bool {
	if s.Kind == StartAll || s.At.IsZero() {
		return true
	}
	for _, at := range []time.Time{internalDate, received} {
		if !at.IsZero() && at.Before(s.At.Truncate(time.Second)) {
			return false
		}
	}
	return true
}

// VisibilityKind says in what way the readers of a mailbox were chosen.
type VisibilityKind string

const (
	VisibleToEveryone VisibilityKind = "everyone"
	VisibleToOwner    VisibilityKind = "owner"
	VisibleToUsers    VisibilityKind = "users"
)

// Visibility says who may see the mail of a mailbox.
type Visibility struct {
	Kind  VisibilityKind
	Users []UserID // with VisibleToUsers
}

// Readers returns the users who may see the mail, sorted and without repeats;
// everyone is true when there is no such list.
func (v Visibility) Readers(owner UserID) (users []UserID, everyone bool) {
	switch v.Kind {
	case VisibleToOwner:
		if owner == 0 {
			return nil, false
		}
		return []UserID{owner}, false
	case VisibleToUsers:
		users = slices.Clone(v.Users)
		slices.Sort(users)
		return slices.Compact(users), false
	}
	return nil, true
}

// Key is equal for two mailboxes exactly when the same people may see their
// mail. Only mailboxes of one key share issues.
func (v Visibility) Key(owner UserID) string {
	users, everyone := v.Readers(owner)
	if everyone {
		return "everyone"
	}
	var key strings.Builder
	key.WriteString("users:")
	for i, u := range users {
		if i > 0 {
			key.WriteByte(',')
		}
		key.WriteString(strconv.FormatInt(int64(u), 10))
	}
	return key.String()
}
