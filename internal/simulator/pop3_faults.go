package simulator

import (
	"bytes"
	"time"
)

// POP3Faults are what goes wrong only by POP3.
type POP3Faults struct {
	UIDLs      UIDLs         // for sessions that sign in from then on
	SizesOffBy int64         // what LIST says too much, or below 0 too little
	LoginDelay time.Duration // between two logins to an account; sooner is refused (RFC 2449 section 6.5)
	// Expire is announced as EXPIRE: "30", "NEVER". With "0" what was RETRieved is
	// deleted at QUIT (RFC 2449 section 6.7).
	Expire string
	InUse  string // refuses every login with "-ERR [IN-USE] " and these words
	// Rewrite changes what RETR and TOP give, not what LIST counts. times is how often
	// the message was RETRieved before.
	Rewrite func(raw []byte, times int) []byte
}

// UIDLs say which names UIDL gives.
type UIDLs int

const (
	UIDLsStay     UIDLs = iota // every message has its own for ever, as it should be
	UIDLsFresh                 // every session gives new ones
	UIDLsReused                // that of a message that is gone goes to the next that comes
	UIDLsShared                // two neighbours have the same
	UIDLsFromMail              // a digest: the same bytes have the same
)

// LineFeeds is a Rewrite that ends lines with LF only.
func LineFeeds(raw []byte, _ int) []byte { return bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")) }

// CarriageReturns is a Rewrite that ends every line with CRLF.
func CarriageReturns(raw []byte, _ int) []byte {
	return bytes.ReplaceAll(LineFeeds(raw, 0), []byte("\n"), []byte("\r\n"))
}

// WithoutFinalBlanks is a Rewrite that drops empty lines at the end.
func WithoutFinalBlanks(raw []byte, _ int) []byte { return bytes.TrimRight(raw, "\r\n") }

// StatusFields is a Rewrite that puts header fields before those of the message, as
// old servers do; one of them changes when the message has been read.
func StatusFields(raw []byte, times int) []byte {
	status := "Status: U\r\n"
	if times > 0 {
		status = "Status: RO\r\n"
	}
	return append([]byte("X-UIDL: 7f3a0b\r\n"+status), raw...)
}
