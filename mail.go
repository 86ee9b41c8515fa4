package postroom

import "time"

// An Address is one person or program of a header (RFC 5322 section 3.4).
type Address struct {
	Name    string
	Address string
}

// Display returns the name where there is one, and the address otherwise.
func (a Address) Display() string {
	if a.Name != "" {
		return a.Name
	}
	return a.Address
}

// A Mail is a message as understood. Ids of messages carry no angle brackets;
// texts are valid UTF-8 without U+0000.
type Mail struct {
	MessageID  string
	InReplyTo  []string
	References []string

	From, Sender, ReplyTo, To, Cc, Bcc []Address

	Subject string
	// Date is the header's; zero when it is missing or makes no sense.
	Date time.Time
	// Received is the instant of the topmost Received header; zero when unknown.
	Received time.Time

	Text string // the text as written; empty where there is only HTML
	HTML string // as received, not yet safe to show

	Attachments []Attachment

	Kind       MailKind
	KindReason string
	// Notes say, in words for people, what could not be read as it should be.
	Notes []string
	// Digest is the SHA-256 of date, sender, subject and every decoded part with
	// line ends normalised. It recognises a mail whose bytes differ by transport.
	Digest [32]byte
}

// An Attachment is a part of a mail that is not its body: a file, an inline
// picture, an enclosed message.
type Attachment struct {
	N         int // counts from 0 within the mail
	Name      string
	Type      string // media type, lower case, without parameters
	SizeBytes int64  // decoded
	SHA256    [32]byte
	ContentID string // without angle brackets; what a cid: address in the HTML names
	Inline    bool   // shown within the text rather than beside it
}

// MailKind says who or what wrote a mail.
type MailKind string

const (
	KindPerson    MailKind = "person"     // written by someone
	KindAutoReply MailKind = "auto_reply" // an automatic answer (RFC 3834): vacation and the like
	KindAutomatic MailKind = "automatic"  // made by a machine, no answer to anything
	KindBounce    MailKind = "bounce"     // a delivery failed for good (RFC 3464)
	KindDelay     MailKind = "delay"      // a delivery is late
	KindDelivered MailKind = "delivered"  // a delivery succeeded
	KindReceipt   MailKind = "receipt"    // a disposition notification (RFC 8098)
	KindReport    MailKind = "report"     // a complaint or aggregate report (RFC 5965, RFC 7489)
	KindList      MailKind = "list"       // from a mailing list
	KindLoop      MailKind = "loop"       // our own mail, come back
)

// FromPerson says whether somebody wrote the mail, so that it reopens an issue.
func (k MailKind) FromPerson() bool { return k == KindPerson || k == KindList }
