package api

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// Arrival is one line of the ledger.
type Arrival struct {
	ID          string     `json:"id"`
	Mailbox     string     `json:"mailbox"`
	Folder      string     `json:"folder"`
	UIDValidity uint32     `json:"uid_validity"`
	UID         uint32     `json:"uid"`
	UIDL        string     `json:"uidl" doc:"By pop3; empty where the server has none, or content tells messages apart."`
	Occurrence  int        `json:"occurrence" doc:"Counts from 0: a uidl that came back after absence, or with another size, is a new occurrence."`
	State       string     `json:"state" enum:"waiting,filed,duplicate,ignored,before_start,vanished,quarantined,deleted"`
	Reason      string     `json:"reason" doc:"Why it is in this state; it may be empty while waiting only."`
	MessageID   string     `json:"message_id" doc:"Without brackets; empty for an administrator who may not see the mail."`
	Mail        *string    `json:"mail"`
	Issue       *string    `json:"issue"`
	SeenAt      time.Time  `json:"seen_at" doc:"When it entered the ledger."`
	AfterImport string     `json:"after_import" doc:"What was to happen to it on the server once it was here: keep, mark_read, move or delete; empty before its bytes came."`
	Due         bool       `json:"due" doc:"Whether that is still to be done."`
	DueReason   string     `json:"due_reason" doc:"Why it was not done yet, or what was done instead."`
	GoneAt      *time.Time `json:"gone_at" doc:"Since when the server does not show it any more, where it tells by its list (pop3); null otherwise."`
	FiledAt     *time.Time `json:"filed_at" doc:"When it was filed; null in other states."`
}

func showArrival(l store.ArrivalLine) Arrival {
	a := Arrival{
		ID: l.ID.String(), Mailbox: l.Mailbox.String(), Folder: l.Folder, UIDValidity: l.UIDValidity, UID: l.Name.UID, UIDL: l.Name.UIDL, Occurrence: l.Name.Occurrence,
		AfterImport: string(l.AfterImport), Due: l.Due, DueReason: l.DueReason, GoneAt: moment(l.GoneAt),
		State: string(l.State), Reason: l.Reason, MessageID: l.MessageID, Mail: reference(l.Mail), Issue: reference(l.Issue), SeenAt: l.SeenAt,
	}
	if l.State == postroom.ArrivalFiled {
		a.FiledAt = moment(l.SettledAt)
	}
	return a
}

type arrivalsInput struct {
	Paging
	Mailbox string `query:"mailbox" doc:"Only of this mailbox."`
	State   string `query:"state" enum:"waiting,filed,duplicate,ignored,before_start,vanished,quarantined,deleted"`
}

func (s *Server) listArrivals(ctx context.Context, v postroom.Viewer, in *arrivalsInput) (*answer[list[Arrival]], error) {
	mailbox, known := filterID[postroom.MailboxID](in.Mailbox)
	if !known {
		return nothing[Arrival]()
	}
	lines, next, err := s.Read.Arrivals(ctx, v, store.ArrivalFilter{
		Mailbox: mailbox, State: postroom.ArrivalState(in.State), Limit: in.Limit, Cursor: in.Cursor,
	})
	return answerOf(listOf(lines, next, showArrival), err)
}

type arrivalInput struct {
	ID string `path:"id"`
}

func (s *Server) retryArrival(ctx context.Context, v postroom.Viewer, in *arrivalInput) (*answer[Arrival], error) {
	id, err := postroom.ParseID[postroom.ArrivalID](in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.Mailboxes.Retry(ctx, v, id); err != nil {
		return nil, err
	}
	line, err := s.Read.Arrival(ctx, v, id)
	return answerOf(showArrival(line), err)
}
