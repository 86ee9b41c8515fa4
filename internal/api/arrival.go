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
	UIDL        string     `json:"uidl"`
	State       string     `json:"state" enum:"waiting,filed,duplicate,ignored,before_start,vanished,quarantined,deleted"`
	Reason      string     `json:"reason" doc:"Why it is in this state; it may be empty while waiting only."`
	MessageID   string     `json:"message_id" doc:"Without brackets; empty for an administrator who may not see the mail."`
	Mail        *string    `json:"mail"`
	Issue       *string    `json:"issue"`
	SeenAt      time.Time  `json:"seen_at" doc:"When it entered the ledger."`
	FiledAt     *time.Time `json:"filed_at" doc:"When it was filed; null in other states."`
}

func showArrival(l store.ArrivalLine) Arrival {
	a := Arrival{
		ID: l.ID.String(), Mailbox: l.Mailbox.String(), Folder: l.Folder, UIDValidity: l.UIDValidity, UID: l.Name.UID, UIDL: l.Name.UIDL,
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
