package postroom

import (
	"slices"
	"time"
)

// A Numbering is one server's uninterrupted count of a folder. A new one begins
// when the protocol, host, user name, folder or UIDVALIDITY changes or changes
// back, or when UIDNEXT is not above a UID already seen.
type Numbering struct {
	ID          NumberingID
	Mailbox     MailboxID
	Serial      int // 1 for the first numbering of the folder in this mailbox
	Protocol    Protocol
	Host        string
	Username    string
	Folder      string
	UIDValidity uint32 // IMAP; 0 with POP3
	// Floor is the highest UID that was listed when the mailbox was proven with
	// start now: names up to it are before the start, all others are not.
	// FloorByDate: the dates of each message decide.
	Floor int64
	// Position is the highest UID that has been entered in the ledger.
	Position uint32
	// ByContent: the server has no names of its own that last (POP3 without UIDL),
	// so that a message is known by its size and the beginning of its header.
	ByContent bool
	BegunAt   time.Time
	EndedAt   time.Time // zero: the folder is counted in it now
}

// FloorByDate is the Floor of a numbering in which dates decide what is before the
// start.
const FloorByDate = -1

// IsSame says whether a folder as the server shows it now continues n.
func (n Numbering) IsSame(now Numbering) bool {
	return n.Protocol == now.Protocol && n.Host == now.Host && n.Username == now.Username &&
		n.Folder == now.Folder && n.UIDValidity == now.UIDValidity
}

// A Name is what a server calls a message within a numbering: a UID (RFC 9051
// section 2.3.1.1), or a UIDL (RFC 1939 section 7) and its occurrence.
type Name struct {
	UID        uint32
	UIDL       string
	Occurrence int // counts from 0; a UIDL that returns after absence is a new occurrence
}

// ArrivalState is what became of a message that a server showed.
type ArrivalState string

const (
	ArrivalWaiting     ArrivalState = "waiting"      // on its way to an issue
	ArrivalFiled       ArrivalState = "filed"        // it has its entry
	ArrivalDuplicate   ArrivalState = "duplicate"    // the same content is here already
	ArrivalIgnored     ArrivalState = "ignored"      // by a rule
	ArrivalBeforeStart ArrivalState = "before_start" // older than the start of the mailbox
	ArrivalVanished    ArrivalState = "vanished"     // gone from the server before its bytes were here
	ArrivalQuarantined ArrivalState = "quarantined"  // set aside, can be tried again
	ArrivalDeleted     ArrivalState = "deleted"      // by a person, after it was filed
)

// ArrivalStates are all states, in the order in which the ledger shows them.
func ArrivalStates() []ArrivalState {
	return []ArrivalState{ArrivalFiled, ArrivalDuplicate, ArrivalIgnored, ArrivalBeforeStart,
		ArrivalVanished, ArrivalQuarantined, ArrivalWaiting, ArrivalDeleted}
}

// CanBecome says whether an arrival may go from s to next.
func (s ArrivalState) CanBecome(next ArrivalState) bool {
	return slices.Contains(arrivalMoves[s], next)
}

var arrivalMoves = map[ArrivalState][]ArrivalState{
	ArrivalWaiting:     {ArrivalFiled, ArrivalDuplicate, ArrivalIgnored, ArrivalBeforeStart, ArrivalVanished, ArrivalQuarantined},
	ArrivalQuarantined: {ArrivalWaiting},
	ArrivalIgnored:     {ArrivalWaiting},
	ArrivalBeforeStart: {ArrivalWaiting},
	ArrivalVanished:    {ArrivalWaiting},
	ArrivalFiled:       {ArrivalDeleted},
	ArrivalDeleted:     {ArrivalFiled},
}

// An Arrival is one line of the ledger: in this numbering the server showed us
// this name; what became of it, when and why.
type Arrival struct {
	ID           ArrivalID
	Mailbox      MailboxID
	Numbering    NumberingID
	Name         Name
	State        ArrivalState
	Reason       string    // empty only while waiting
	SeenAt       time.Time // when the name entered the ledger
	InternalDate time.Time // as the server dates it (RFC 9051 section 2.3.3); zero: unknown
	SizeBytes    int64     // as the server or the raw tells; 0: unknown
	GmailID      uint64    // X-GM-MSGID; 0: not offered
	Raw          RawID     // 0: the bytes are not here
	Mail         MailID    // 0: not understood yet
	Entry        EntryID   // 0: not filed
	SettledAt    time.Time // when it left waiting; zero: it has not
}
