package postroom

import "time"

// IssueState says whether an issue still wants something.
type IssueState string

const (
	IssueOpen   IssueState = "open"
	IssueClosed IssueState = "closed"
)

// An Issue is what people work on.
type Issue struct {
	ID        IssueID
	Number    int64 // counts from 1 in this installation; what people say aloud
	Subject   string
	State     IssueState
	Requester Address
	Assignee  UserID // 0: nobody
	Historic  bool   // made of mail older than the connection
	CreatedAt time.Time
	LastAt    time.Time // the newest entry
	DeletedAt time.Time // zero: it is not deleted
}

// RecoverableFor is how long a deleted issue can be brought back.
const RecoverableFor = 30 * 24 * time.Hour

// EntryKind says what an entry of an issue is.
type EntryKind string

const (
	EntryMail   EntryKind = "mail"   // a mail received
	EntryReply  EntryKind = "reply"  // a mail sent from here
	EntryNote   EntryKind = "note"   // for colleagues only
	EntryChange EntryKind = "change" // closed, reopened, assigned, …
)

// An Entry is one thing in the history of an issue. A received mail has exactly one.
type Entry struct {
	ID     EntryID
	Issue  IssueID
	Kind   EntryKind
	Mail   MailID // with EntryMail
	Author UserID // with EntryReply, EntryNote and EntryChange; 0: Postroom itself, or a token
	Text   string // a note's text; a change in words
	At     time.Time
}

// An EventType names what happened.
type EventType string

const (
	EventIssueCreated   EventType = "issue.created"
	EventIssueContinued EventType = "issue.continued" // a mail joined it
	EventIssueChanged   EventType = "issue.changed"   // closed, reopened, assigned
	EventIssueNoted     EventType = "issue.noted"
	EventIssueDeleted   EventType = "issue.deleted"
	EventIssueRecovered EventType = "issue.recovered"
	EventMailboxChanged EventType = "mailbox.changed" // state or settings
	EventMailboxDeleted EventType = "mailbox.deleted"
	EventQuarantined    EventType = "arrival.quarantined"
	EventSignedIn       EventType = "mailbox.signed_in" // a grant became what opens it
	EventAlertRaised    EventType = "alert.raised"
	EventAlertReminded  EventType = "alert.reminded"
	EventAlertEnded     EventType = "alert.ended"
)

// An Event is something that happened, appended in the same commit as the fact.
type Event struct {
	ID       string // derived from the fact: the same when it is told again
	Position int64  // whoever has seen a position never misses a later one
	Type     EventType
	At       time.Time
	Mailbox  MailboxID // 0: none
	Issue    IssueID   // 0: none
	Historic bool
}
