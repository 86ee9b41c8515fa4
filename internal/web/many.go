package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/store"
)

// maxMany is how many mailboxes one step can be about.
const maxMany = 5000

// A manyPage says what became of each of many mailboxes.
type manyPage struct {
	frame
	Sentence string
	Badge    badge
	Rows     []manyRow
	Back     string // the list that they were chosen from
	Links    bool   // it was about links to sign in
}

type manyRow struct {
	ID      string
	Name    string
	Address string
	State   badge
	Done    badge // what became of the step
	Words   string
	Remedy  string
	URL     string // a link to hand over
}

// changeMany handles POST /mailboxes/many: one step with many mailboxes, each with a
// result of its own.
func (s *Server) changeMany(w http.ResponseWriter, r *http.Request, by visitor) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	list := mailboxesPage{Query: strings.TrimSpace(r.PostFormValue("q")), State: postroom.MailboxState(r.PostFormValue("state"))}
	action := mailbox.Action(r.PostFormValue("do"))
	var change func(*postroom.Mailbox) error
	setting := r.PostFormValue("change")
	if setting != "" {
		f := fields{values: r.PostForm}
		if action, change = mailbox.ActionChange, f.oneSetting(setting); f.err != nil {
			return f.err
		}
	}
	ids, err := s.chosenMailboxes(r, list)
	if err != nil {
		return err
	}
	if what := r.PostFormValue("do"); setting == "" && s.Credentials != nil && (what == "links" || what == "links_to_hand_over") {
		return s.askMany(w, r, by, list, ids, what == "links")
	}
	var results []mailbox.BulkResult
	for start := 0; start == 0 || start < len(ids); start += mailbox.MaxBulk {
		some, err := s.Mailboxes.Bulk(r.Context(), by.Viewer, ids[start:min(start+mailbox.MaxBulk, len(ids))], action, change)
		if err != nil {
			return err
		}
		results = append(results, some...)
	}
	p := manyPage{frame: s.frame(by, "What became of them", "mailboxes"), Back: list.address()}
	failed := 0
	for _, result := range results {
		row := s.manyRow(r.Context(), action, result)
		if row.Done.Tone == "bad" {
			failed++
		}
		p.Rows = append(p.Rows, row)
	}
	p.Sentence, p.Badge = manySentence(action, len(results), failed)
	return s.render(w, r, http.StatusOK, manyView(p))
}

// chosenMailboxes are those that were ticked, or all of the list's filter.
func (s *Server) chosenMailboxes(r *http.Request, list mailboxesPage) (ids []postroom.MailboxID, err error) {
	if r.PostFormValue("all") == "" {
		for _, text := range r.PostForm["mailbox"] {
			id, err := postroom.ParseID[postroom.MailboxID](text)
			if err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
	} else {
		filter := store.MailboxFilter{State: list.State, Query: list.Query, Limit: store.MaxPage}
		for {
			some, next, err := s.Reader.Mailboxes(r.Context(), filter)
			if err != nil {
				return nil, err
			}
			for _, m := range some {
				ids = append(ids, m.ID)
			}
			if filter.Cursor = next; next == "" {
				break
			}
		}
	}
	if len(ids) > maxMany {
		return nil, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "mailboxes",
			Explanation: "More than " + number(maxMany) + " mailboxes at once are too many.", Remedy: "Filter the list, and do it in several turns.",
		}
	}
	return ids, nil
}

// oneSetting reads the one setting that many mailboxes get.
func (f *fields) oneSetting(setting string) func(*postroom.Mailbox) error {
	var typed postroom.Mailbox
	switch setting {
	case "poll_interval":
		every := f.duration("incoming.poll_interval")
		return func(m *postroom.Mailbox) error { m.Incoming.PollInterval = every; return nil }
	case "after_import":
		f.afterImport(&typed)
		return func(m *postroom.Mailbox) error {
			m.AfterImport, m.MoveTo = typed.AfterImport, typed.MoveTo
			return nil
		}
	case "raw_retention_days":
		days := int(f.number("raw_retention_days"))
		return func(m *postroom.Mailbox) error { m.RawRetentionDays = days; return nil }
	case "visible_to":
		kind := postroom.VisibilityKind(f.text("visible_to"))
		return func(m *postroom.Mailbox) error { m.Visibility = postroom.Visibility{Kind: kind}; return nil }
	}
	f.wrong("change", "There is no setting “"+setting+"” that many mailboxes can get.", "Choose one from the list of mailboxes.", fmt.Errorf("setting %q", setting))
	return nil
}

func (s *Server) manyRow(ctx context.Context, action mailbox.Action, result mailbox.BulkResult) manyRow {
	row := manyRow{ID: result.ID.String(), Name: "No. " + result.ID.String(), Done: badge{"tick", doneWord(action), "good"}}
	if m, err := s.Reader.Mailbox(ctx, result.ID); err == nil {
		row.Name, row.Address, row.State = m.Name, m.Address, mailboxBadge(m.State)
	}
	wrong, known := postroom.FaultOf(result.Err)
	if result.Err != nil && !known {
		s.log().ErrorContext(ctx, "one of many mailboxes", "mailbox", result.ID, "err", result.Err)
		wrong = &postroom.Fault{Explanation: "Something in Postroom itself went wrong.", Remedy: "Try it once more with this one."}
	}
	if action == mailbox.ActionTest && result.Err == nil && !result.Report.OK {
		for _, step := range result.Report.Steps {
			if step.Fault != nil {
				wrong = step.Fault
				break
			}
		}
	}
	if wrong != nil {
		row.Done = badge{"cross", "Not done", "bad"}
		if action == mailbox.ActionTest {
			row.Done.Word = "Does not work"
		}
		row.Words, row.Remedy = wrong.Explanation, wrong.Remedy
	}
	return row
}

func doneWord(action mailbox.Action) string {
	switch action {
	case mailbox.ActionPause:
		return "Paused"
	case mailbox.ActionResume:
		return "Resumed"
	case mailbox.ActionTest:
		return "Works"
	}
	return "Changed"
}

// manySentence sums up what became of many.
func manySentence(action mailbox.Action, all, failed int) (string, badge) {
	things := plural(int64(all), "mailbox")
	if all != 1 {
		things = number(int64(all)) + " mailboxes"
	}
	did := map[mailbox.Action]string{mailbox.ActionPause: "paused", mailbox.ActionResume: "resumed", mailbox.ActionTest: "tested", mailbox.ActionChange: "changed"}[action]
	good, bad := number(int64(all-failed)), number(int64(failed))
	switch {
	case action == mailbox.ActionTest && failed == 0:
		return things + " tested. Everything works.", badge{"tick", "", "good"}
	case action == mailbox.ActionTest:
		works, not := " work, ", " do not."
		if all-failed == 1 {
			works = " works, "
		}
		if failed == 1 {
			not = " does not."
		}
		return things + " tested: " + good + works + bad + not, badge{"warning", "", "bad"}
	case failed == 0:
		return things + " " + did + ".", badge{"tick", "", "good"}
	}
	return good + " of " + things + " " + did + ", " + bad + " not.", badge{"warning", "", "bad"}
}
