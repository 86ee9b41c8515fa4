package postroom

import "time"

// An AlertKind says what needs a person.
type AlertKind string

const (
	AlertSignIn      AlertKind = "needs_sign_in"
	AlertRepair      AlertKind = "needs_repair"
	AlertDelay       AlertKind = "delayed"     // for longer than somebody should have to wait
	AlertQuarantined AlertKind = "quarantined" // mail was set aside
	AlertUnbalanced  AlertKind = "unbalanced"  // a ledger does not account for everything
	AlertSpace       AlertKind = "space"       // the disk is running low
	AlertAhead       AlertKind = "ahead"       // something ends soon
)

// An Alert is one cause that needs a person, however many mailboxes it concerns.
type Alert struct {
	ID    AlertID
	Cause string // equal for what has the same cause; opaque
	Kind  AlertKind
	// Fault is what happened and what to do.
	Fault     Fault
	Title     string // a short sentence, the subject of its notice
	Mailboxes []MailboxID
	App       OAuthAppID // 0: it is not about a registration
	EndsAt    time.Time  // with AlertAhead

	BegunAt time.Time
	EndedAt time.Time // zero: it still needs somebody
	ToldAt  time.Time // the last notice of it that left; zero: none
	Told    int       // notices of it
	NextAt  time.Time // of the next reminder
	SeenAt  time.Time // when the one who asks closed its pop-up; zero: not yet
	Gap     int64     // mails that were brought in once it was mended
}

// The states of a notice are those of an outgoing mail.
type NoticeState string

const (
	NoticeQueued  NoticeState = "queued"
	NoticeSending NoticeState = "sending"
	NoticeSent    NoticeState = "sent"
	NoticeRefused NoticeState = "refused" // given up, with a Fault
)

// A NoticeKind says what a notice is about.
type NoticeKind string

const (
	NoticeAlert    NoticeKind = "alert"
	NoticeReminder NoticeKind = "reminder"
	NoticeMended   NoticeKind = "mended"
	NoticeLink     NoticeKind = "sign_in_link"
	NoticeTest     NoticeKind = "test"
)

// A Notice is a mail of Postroom's own to a person who looks after it.
type Notice struct {
	ID        NoticeID
	Kind      NoticeKind
	Alert     AlertID // 0: none
	To        string
	Subject   string
	Text      string
	State     NoticeState
	Via       string // what it left by: an address of a mailbox, or the relay's host
	Tries     int
	NextTryAt time.Time
	CreatedAt time.Time
	SentAt    time.Time
	Fault     *Fault
}

// An Expiry is something that is known to end.
type Expiry struct {
	Key       string // equal for the same end of the same thing; opaque
	Title     string // a clause: "The client secret of “Contoso mail” ends"
	Words     string // what happens then, a sentence
	Remedy    string
	Link      Link
	Page      string // the address of a page here; empty: none
	At        time.Time
	Mailboxes []MailboxID
	App       OAuthAppID // 0: none
	// Prevented: Postroom sees to it itself, as by refreshing what must not lie unused;
	// shown, and announced only if it has not worked.
	Prevented bool
}
