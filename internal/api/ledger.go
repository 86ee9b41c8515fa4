package api

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// Ledger is what became of every message that the server of a mailbox ever showed,
// and the proof that none is missing.
type Ledger struct {
	Filed       int64 `json:"filed"`
	Duplicate   int64 `json:"duplicate"`
	Ignored     int64 `json:"ignored"`
	BeforeStart int64 `json:"before_start"`
	Vanished    int64 `json:"vanished"`
	Quarantined int64 `json:"quarantined"`
	Waiting     int64 `json:"waiting"`
	Deleted     int64 `json:"deleted"`

	OnServer    *int64       `json:"on_server" doc:"Messages that the server shows, as of compared_at; null when it could not be reached."`
	Gone        *int64       `json:"gone" doc:"Arrivals whose name the server does not show any more."`
	Unaccounted []Name       `json:"unaccounted" nullable:"false" doc:"Names on the server without an arrival."`
	Incomplete  []Incomplete `json:"incomplete" nullable:"false" doc:"Arrivals that are filed without their bytes or their entry."`
	Balanced    *bool        `json:"balanced" doc:"Whether the states add up to on_server less the unaccounted plus gone, and both lists are empty."`
	ByContent   bool         `json:"by_content" doc:"The names of the server do not last (pop3 without UIDL): messages are told apart by what they hold."`
	ComparedAt  *time.Time   `json:"compared_at"`
	Fault       *Fault       `json:"fault" doc:"Why the server's list could not be had."`
}

// Name is what a server calls a message.
type Name struct {
	Folder      string `json:"folder"`
	UIDValidity uint32 `json:"uid_validity"`
	UID         uint32 `json:"uid"`
	UIDL        string `json:"uidl,omitempty" doc:"By pop3."`
}

// Incomplete is an arrival that is filed and lacks something.
type Incomplete struct {
	Arrival string `json:"arrival"`
	Missing string `json:"missing" doc:"In words."`
}

func showLedger(l mailbox.Ledger) Ledger {
	shown := Ledger{
		Filed:       l.Counts[postroom.ArrivalFiled],
		Duplicate:   l.Counts[postroom.ArrivalDuplicate],
		Ignored:     l.Counts[postroom.ArrivalIgnored],
		BeforeStart: l.Counts[postroom.ArrivalBeforeStart],
		Vanished:    l.Counts[postroom.ArrivalVanished],
		Quarantined: l.Counts[postroom.ArrivalQuarantined],
		Waiting:     l.Counts[postroom.ArrivalWaiting],
		Deleted:     l.Counts[postroom.ArrivalDeleted],
		OnServer:    l.OnServer, Gone: l.Gone, Balanced: l.Balanced, ByContent: l.ByContent, ComparedAt: moment(l.ComparedAt), Fault: showFault(l.Fault),
		Unaccounted: make([]Name, 0, len(l.Unaccounted)), Incomplete: make([]Incomplete, 0, len(l.Incomplete)),
	}
	for _, n := range l.Unaccounted {
		shown.Unaccounted = append(shown.Unaccounted, Name{n.Folder, n.UIDValidity, n.UID, n.UIDL})
	}
	for _, a := range l.Incomplete {
		shown.Incomplete = append(shown.Incomplete, Incomplete{a.Arrival.String(), a.Missing})
	}
	return shown
}

// ledgerLimit is how long the proof may take: the server is asked for its list.
const ledgerLimit = 30 * time.Second

func (s *Server) readLedger(ctx context.Context, v postroom.Viewer, in *OfMailbox) (*answer[Ledger], error) {
	m, err := s.mailbox(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, ledgerLimit)
	defer cancel()
	l, err := s.Mailboxes.Ledger(ctx, v, m.ID)
	return answerOf(showLedger(l), err)
}
