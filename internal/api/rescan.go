package api

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/store"
)

type rescanInput struct {
	OfMailbox
	Body struct {
		DryRun bool   `json:"dry_run" doc:"True only says what there is; false brings it in."`
		Start  string `json:"start,omitempty" doc:"An earlier start that the mailbox gets first: all, or an RFC 3339 time."`
	}
}

// Rescan is what the server of a mailbox shows, held against its ledger. The figures
// are null where the server's list could not be had.
type Rescan struct {
	DryRun      bool   `json:"dry_run"`
	Known       *int64 `json:"known" doc:"Messages on the server that are here."`
	Unaccounted *int64 `json:"unaccounted" doc:"Messages on the server that are not here, before any were brought in."`
	Gone        *int64 `json:"gone" doc:"Messages here that are no longer on the server."`
	Deleted     *int64 `json:"deleted" doc:"Of those known: a person deleted them here. They stay deleted; recover says where they can be had again."`
	BeforeStart *int64 `json:"before_start" doc:"Of those known: they are older than the start of the mailbox. An earlier start brings them in."`
	Brought     *int64 `json:"brought" doc:"Messages that were brought in, or are on their way; null for a dry run, and while it goes on."`
	ByContent   bool   `json:"by_content" doc:"The names of the server do not last (pop3 without UIDL): messages are told apart by what they hold."`
	Recover     string `json:"recover,omitempty" doc:"The list of what a person deleted here and can recover."`
	Fault       *Fault `json:"fault" doc:"Why the server's list could not be had; nothing was brought in then."`
}

func showRescan(r mailbox.Rescan, dryRun bool, id postroom.MailboxID) Rescan {
	shown := Rescan{DryRun: dryRun, ByContent: r.ByContent, Fault: showFault(r.Fault)}
	if r.Fault != nil {
		return shown
	}
	shown.Known, shown.Unaccounted, shown.Gone = &r.Known, &r.Unaccounted, &r.Gone
	shown.Deleted, shown.BeforeStart = &r.Deleted, &r.BeforeStart
	if !dryRun && r.Finished {
		shown.Brought = &r.Brought
	}
	if r.Deleted > 0 {
		shown.Recover = Prefix + "/issues?deleted=true&mailbox=" + id.String()
	}
	return shown
}

func (s *Server) rescanMailbox(ctx context.Context, v postroom.Viewer, in *rescanInput) (*answer[Rescan], error) {
	id, err := postroom.ParseID[postroom.MailboxID](in.ID)
	if err != nil {
		return nil, err
	}
	request := mailbox.RescanRequest{DryRun: in.Body.DryRun}
	if in.Body.Start != "" {
		start, err := readStart(in.Body.Start)
		if err != nil {
			return nil, err
		}
		request.Start = &start
	}
	found, err := s.Mailboxes.Rescan(ctx, v, id, request)
	return answerOf(showRescan(found, request.DryRun, id), err)
}

// Numbering is one uninterrupted count of a folder by a server.
type Numbering struct {
	ID          string     `json:"id"`
	Protocol    string     `json:"protocol" enum:"imap,pop3"`
	Host        string     `json:"host"`
	Username    string     `json:"username"`
	Folder      string     `json:"folder"`
	UIDValidity uint32     `json:"uid_validity" doc:"0 by pop3."`
	ByContent   bool       `json:"by_content" doc:"The names of the server do not last: messages are told apart by what they hold."`
	BegunAt     time.Time  `json:"begun_at"`
	EndedAt     *time.Time `json:"ended_at" doc:"Null while the folder is counted in it."`
	Counts      Counts     `json:"counts"`
}

// Counts is a number of arrivals for each state.
type Counts struct {
	Filed       int64 `json:"filed"`
	Duplicate   int64 `json:"duplicate"`
	Ignored     int64 `json:"ignored"`
	BeforeStart int64 `json:"before_start"`
	Vanished    int64 `json:"vanished"`
	Quarantined int64 `json:"quarantined"`
	Waiting     int64 `json:"waiting"`
	Deleted     int64 `json:"deleted"`
}

func showCounts(counts map[postroom.ArrivalState]int64) Counts {
	return Counts{
		Filed:       counts[postroom.ArrivalFiled],
		Duplicate:   counts[postroom.ArrivalDuplicate],
		Ignored:     counts[postroom.ArrivalIgnored],
		BeforeStart: counts[postroom.ArrivalBeforeStart],
		Vanished:    counts[postroom.ArrivalVanished],
		Quarantined: counts[postroom.ArrivalQuarantined],
		Waiting:     counts[postroom.ArrivalWaiting],
		Deleted:     counts[postroom.ArrivalDeleted],
	}
}

func showNumbering(n store.NumberingCount) Numbering {
	return Numbering{
		ID: n.ID.String(), Protocol: string(n.Protocol), Host: n.Host, Username: n.Username, Folder: n.Folder,
		UIDValidity: n.UIDValidity, ByContent: n.ByContent, BegunAt: n.BegunAt, EndedAt: moment(n.EndedAt), Counts: showCounts(n.Counts),
	}
}

// listNumberings answers all of them, the newest first.
func (s *Server) listNumberings(ctx context.Context, v postroom.Viewer, in *OfMailbox) (*answer[list[Numbering]], error) {
	id, err := postroom.ParseID[postroom.MailboxID](in.ID)
	if err != nil {
		return nil, err
	}
	all, err := s.Mailboxes.Numberings(ctx, v, id)
	return answerOf(listOf(all, "", showNumbering), err)
}

type formerInput struct {
	Address string `query:"address" required:"true" maxLength:"1000"`
}

// Former is what is left of a mailbox that was removed.
type Former struct {
	ID        string    `json:"id" doc:"That the mailbox has again when it continues."`
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	RemovedAt time.Time `json:"removed_at"`
	Arrivals  int64     `json:"arrivals" doc:"In its ledger."`
	Issues    int64     `json:"issues" doc:"That can still be seen."`
}

func (s *Server) readFormer(ctx context.Context, v postroom.Viewer, in *formerInput) (*answer[Former], error) {
	f, err := s.Mailboxes.Former(ctx, v, in.Address)
	return answerOf(Former{f.ID.String(), f.Name, f.Address, f.RemovedAt, f.Arrivals, f.Issues}, err)
}
