// Package intake turns arrivals that have their bytes into entries of issues.
package intake

import (
	"io"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
)

// An Understanding is a message read and judged.
type Understanding struct {
	*mime.Message

	IsBounce    bool // a delivery failed for good
	IsAutomatic bool // made by a machine: never to be answered by one
	IsAutoReply bool // an automatic answer
	IsList      bool // it came over a mailing list
	IsAggregate bool // a periodic report on a domain, with kind report

	Bounce Bounce // with a bounce, a delay or a delivery report
}

// A Bounce is what a delivery report says.
type Bounce struct {
	Recipients []BouncedRecipient
	// OriginalMessageID is the Message-ID of the message that was not delivered,
	// without angle brackets; empty when the report does not tell.
	OriginalMessageID string
}

// A BouncedRecipient is one recipient of a delivery report (RFC 3464 section 2.3).
type BouncedRecipient struct {
	Address  string
	Original string // the address as the sender wrote it, where it differs
	Action   string // failed, delayed, delivered, relayed or expanded
	Status   string // an enhanced status code (RFC 3463); empty when none is told
	Reason   string // the other server's words
}

// Understand reads a message and says what it is. It needs nothing but its
// argument; the error is that of r.
func Understand(r io.Reader) (Understanding, error) {
	m, err := mime.Read(r, mime.Options{})
	if err != nil {
		return Understanding{Message: m}, err
	}
	u := Understanding{Message: m}
	u.classify()
	return u, nil
}

// settle records the kind of a mail and why.
func (u *Understanding) settle(kind postroom.MailKind, reason string) {
	u.Kind, u.KindReason = kind, reason
	switch kind {
	case postroom.KindPerson, postroom.KindList:
	default:
		u.IsAutomatic = true
	}
	u.IsBounce = kind == postroom.KindBounce
	u.IsAutoReply = kind == postroom.KindAutoReply
}
