package api

import (
	"context"
	"maps"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// maxImportBody is how many bytes an import may have: thousands of mailboxes.
const maxImportBody = 16 << 20

type importInput struct {
	Body struct {
		Mailboxes []patch `json:"mailboxes" nullable:"false" doc:"Each with the fields of POST /mailboxes; 5000 at most. Of a mailbox that is here, all that is not named stays."`
		DryRun    bool    `json:"dry_run,omitempty" doc:"Only say what would become of each."`
	}
}

// ImportResults is what became of each mailbox of an import.
type ImportResults struct {
	DryRun    bool           `json:"dry_run"`
	Created   int            `json:"created"`
	Continued int            `json:"continued"`
	Changed   int            `json:"changed"`
	Unchanged int            `json:"unchanged"`
	Failed    int            `json:"failed"`
	Results   []ImportResult `json:"results" nullable:"false" doc:"In the order in which the mailboxes were given."`
}

// ImportResult is what became of one mailbox of an import, or in a dry run what would.
type ImportResult struct {
	Address string   `json:"address"`
	Result  string   `json:"result" enum:"created,continued,changed,unchanged,failed" doc:"continued: it was here before, was removed, and is taken up again."`
	ID      *string  `json:"id" doc:"Null where there is no mailbox yet."`
	Changes []string `json:"changes,omitempty" doc:"The settings that are others than before, by their fields; credential and outgoing.credential are passwords that were given anew."`
	Fault   *Fault   `json:"fault"`
}

func (s *Server) importMailboxes(ctx context.Context, v postroom.Viewer, in *importInput) (*answer[ImportResults], error) {
	lines := make([]mailbox.Line, 0, len(in.Body.Mailboxes))
	for _, given := range in.Body.Mailboxes {
		lines = append(lines, s.line(ctx, maps.Clone(given.members)))
	}
	results, err := s.Mailboxes.Import(ctx, v, lines, in.Body.DryRun)
	if err != nil {
		return nil, err
	}
	shown := ImportResults{DryRun: in.Body.DryRun, Results: make([]ImportResult, 0, len(results))}
	counts := map[mailbox.ImportOutcome]*int{
		mailbox.ImportCreated: &shown.Created, mailbox.ImportContinued: &shown.Continued, mailbox.ImportChanged: &shown.Changed,
		mailbox.ImportUnchanged: &shown.Unchanged, mailbox.ImportFailed: &shown.Failed,
	}
	for _, r := range results {
		*counts[r.Outcome]++
		shown.Results = append(shown.Results, ImportResult{
			Address: r.Address, Result: string(r.Outcome), ID: reference(r.ID), Changes: r.Changes, Fault: s.faultIn(ctx, r.Err),
		})
	}
	return answerOf(shown, nil)
}

// Line reads one mailbox of an import as POST /mailboxes takes it, decoded from JSON
// with numbers as they are written ([json.Decoder.UseNumber]).
func (s *Server) Line(ctx context.Context, members map[string]any) mailbox.Line {
	return s.line(ctx, maps.Clone(members))
}

// line reads one mailbox of an import; what is wrong with it is the line's own
// matter. The members are the line's from now on.
func (s *Server) line(ctx context.Context, members map[string]any) (l mailbox.Line) {
	address, isText := members["address"].(string)
	if l.Address = address; !isText && members["address"] != nil {
		l.Err = unfit("address", "The field “address” does not fit: expected string.", correctRequest)
		return l
	}
	if l.NewCredentials, l.Err = takeCredentials(members); l.Err != nil {
		return l
	}
	if given, there := members["former"]; there {
		former, ok := given.(string)
		if !ok {
			l.Err = unfit("former", "The field “former” does not fit.", "Give continue or new.")
			return l
		}
		l.Former = mailbox.FormerChoice(former)
		delete(members, "former")
	}
	l.Apply = func(m *postroom.Mailbox) error {
		if m.ID == 0 {
			fresh, err := settled[Settings](members, "")
			if err != nil {
				return err
			}
			if err := s.knowPeople(ctx, &fresh); err != nil {
				return err
			}
			return fresh.apply(m)
		}
		return s.patched(ctx, portOf(members, m.Incoming))(m)
	}
	return l
}

// portOf lets the port of the old server go where a line names another server and no
// port of it.
func portOf(members map[string]any, now postroom.IncomingSettings) map[string]any {
	incoming, ok := members["incoming"].(map[string]any)
	if !ok || incoming["host"] == nil || incoming["host"] == now.Host || incoming["port"] != nil {
		return members
	}
	members, incoming = maps.Clone(members), maps.Clone(incoming)
	incoming["port"] = nil
	members["incoming"] = incoming
	return members
}
