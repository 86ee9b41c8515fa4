package api

import (
	"context"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

type bulkInput struct {
	Body struct {
		Mailboxes []string `json:"mailboxes" nullable:"false" doc:"Ids; 500 at most."`
		Action    string   `json:"action" doc:"pause, resume, test or change."`
		Settings  *patch   `json:"settings,omitempty" doc:"With change: a merge patch (RFC 7396) of the settings, as for one mailbox; a credential cannot be in it."`
	}
}

// BulkResult is what became of one of many mailboxes.
type BulkResult struct {
	ID      string   `json:"id"`
	OK      bool     `json:"ok" doc:"Whether it was done; of a test, whether all steps were good."`
	Mailbox *Mailbox `json:"mailbox,omitempty" doc:"As it is now."`
	Report  *Report  `json:"report,omitempty" doc:"Of a test."`
	Fault   *Fault   `json:"fault" doc:"Why it was not done, or what the test found."`
}

// BulkResults is what became of each.
type BulkResults struct {
	Results []BulkResult `json:"results" nullable:"false" doc:"In the order in which the mailboxes were named, each once."`
}

func (s *Server) changeMany(ctx context.Context, v postroom.Viewer, in *bulkInput) (*answer[BulkResults], error) {
	ids := make([]postroom.MailboxID, 0, len(in.Body.Mailboxes))
	for _, text := range in.Body.Mailboxes {
		id, err := postroom.ParseID[postroom.MailboxID](text)
		if err != nil {
			return nil, unfit("mailboxes", "There is no mailbox with the id “"+clipped(text)+"”.", "GET "+Prefix+"/mailboxes lists them.")
		}
		ids = append(ids, id)
	}
	action, change, err := s.bulkChange(ctx, in)
	if err != nil {
		return nil, err
	}
	results, err := s.Mailboxes.Bulk(ctx, v, ids, action, change)
	if err != nil {
		return nil, err
	}
	shown := BulkResults{make([]BulkResult, 0, len(results))}
	for _, r := range results {
		shown.Results = append(shown.Results, s.showBulkResult(ctx, action, r))
	}
	return answerOf(shown, nil)
}

func (s *Server) bulkChange(ctx context.Context, in *bulkInput) (mailbox.Action, func(*postroom.Mailbox) error, error) {
	action := mailbox.Action(in.Body.Action)
	if action != mailbox.ActionChange {
		if in.Body.Settings != nil {
			return "", nil, unfit("settings", "Settings belong to the action change only.", "Leave them out, or choose change.")
		}
		return action, nil, nil
	}
	if in.Body.Settings == nil || len(in.Body.Settings.members) == 0 {
		return "", nil, unfit("settings", "There is nothing to change.", "Give a merge patch of the settings.")
	}
	for _, own := range []string{"credential", "address"} {
		if _, there := in.Body.Settings.members[own]; there {
			return "", nil, unfit("settings."+own, "Every mailbox has its own "+own+".", "Change it with PATCH for one mailbox, or import a list.")
		}
	}
	if outgoing, ok := in.Body.Settings.members["outgoing"].(map[string]any); ok && outgoing["credential"] != nil {
		return "", nil, unfit("settings.outgoing.credential", "Every mailbox has its own credential.", "Change it with PATCH for one mailbox, or import a list.")
	}
	return action, s.patched(ctx, in.Body.Settings.members), nil
}

func (s *Server) showBulkResult(ctx context.Context, action mailbox.Action, r mailbox.BulkResult) BulkResult {
	shown := BulkResult{ID: r.ID.String(), OK: r.Err == nil, Fault: s.faultIn(ctx, r.Err)}
	if action == mailbox.ActionTest && r.Err == nil {
		report := showBriefly(r.Report)
		shown.Report, shown.OK, shown.Fault = &report, r.Report.OK, showFault(r.Report.Fault())
	}
	if m, err := s.Read.Mailbox(ctx, r.ID); err == nil {
		now := showMailbox(m)
		shown.Mailbox = &now
	}
	return shown
}

// faultIn is an error as a part of an answer; nil for none. Our own mistakes say
// nothing of the inside.
func (s *Server) faultIn(ctx context.Context, err error) *Fault {
	if err == nil {
		return nil
	}
	p := s.problem(ctx, err)
	f := &Fault{Class: p.Class, Explanation: p.Explanation, Remedy: p.Remedy, FixBy: p.FixBy, Field: p.Field}
	if fault, ok := postroom.FaultOf(err); ok {
		f.Reply = fault.Reply
	}
	return f
}

// clipped is a text from outside within a sentence.
func clipped(text string) string {
	const enough = 40
	runes := []rune(strings.ToValidUTF8(text, "�"))
	if len(runes) > enough {
		return string(runes[:enough]) + "…"
	}
	return string(runes)
}
