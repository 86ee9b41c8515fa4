package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A thing is one issue as a page shows it.
type thing struct {
	Filter   filter // of the list that it was opened from
	ID       postroom.IssueID
	Number   string
	Subject  string
	State    badge
	Closed   bool
	Deleted  bool
	Historic bool
	From     string
	Boxes    []store.MailboxName
	Created  moment
	Assignee string
	Mine     bool
	Me       postroom.UserID
	People   []choice
	CanWrite bool
	Entries  []entryView
	Earlier  string // the address of the next entries, when there are too many for one page
	Last     postroom.EntryID
}

// A choice is one of a list to choose from.
type choice struct {
	Value  string
	Word   string
	Help   string
	Chosen bool
}

// entryPage is how many entries one page shows.
const entryPage = 200

// showIssue handles GET /issues/{id}. htmx asks for the issue without the list.
func (s *Server) showIssue(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.IssueID](r.PathValue("id"))
	if err != nil {
		return err
	}
	f := readFilter(r.URL.Query())
	live, err := s.Reader.LastEvent(r.Context())
	if err != nil {
		return err
	}
	t, err := s.thing(r, by, id, f, r.FormValue("entries"))
	if err != nil {
		return err
	}
	if target, _ := isHTMX(r); target == "thing" {
		return s.render(w, r, http.StatusOK, issueThing(t))
	}
	l, err := s.listing(r, by, f, id, "")
	if err != nil {
		return err
	}
	p := issuesPage{frame: s.frame(by, t.Subject, "issues"), List: l, Thing: &t}
	p.Live = live
	return s.render(w, r, http.StatusOK, issuesAndThing(p))
}

func (s *Server) thing(r *http.Request, by visitor, id postroom.IssueID, f filter, cursor string) (thing, error) {
	t, err := s.thingHead(r.Context(), by, id, f)
	if err != nil {
		return t, err
	}
	lines, next, err := s.Reader.Entries(r.Context(), by.Viewer, id, entryPage, cursor)
	if err != nil {
		return t, err
	}
	for _, line := range lines {
		t.Entries = append(t.Entries, s.entry(line))
		t.Last = line.ID
	}
	if next != "" {
		t.Earlier = f.at("/issues/"+id.String(), "entries", next)
	}
	return t, nil
}

// thingHead reads an issue without its entries.
func (s *Server) thingHead(ctx context.Context, by visitor, id postroom.IssueID, f filter) (thing, error) {
	line, err := s.Reader.Issue(ctx, by.Viewer, id)
	if err != nil {
		return thing{}, err
	}
	t := thing{
		Filter: f, ID: id, Number: "#" + strconv.FormatInt(line.Number, 10), Subject: subjectOf(line.Subject),
		State: issueBadge(line.State), Closed: line.State == postroom.IssueClosed, Deleted: !line.DeletedAt.IsZero(), Historic: line.Historic,
		From: full(line.Requester), Boxes: line.Mailboxes, Created: tell(line.CreatedAt, s.now()), Assignee: line.AssigneeName,
		Mine: line.Assignee != 0 && line.Assignee == by.User, Me: by.User, CanWrite: by.CanWrite(),
	}
	if !t.CanWrite {
		return t, nil
	}
	users, err := s.Door.Users(ctx)
	if err != nil {
		return t, err
	}
	t.People = []choice{{Value: "", Word: "Nobody", Chosen: line.Assignee == 0}}
	for _, u := range users {
		if u.DisabledAt.IsZero() && u.Role != postroom.RoleOwner || u.ID == line.Assignee {
			t.People = append(t.People, choice{Value: u.ID.String(), Word: u.Name, Chosen: u.ID == line.Assignee})
		}
	}
	return t, nil
}

func full(a postroom.Address) string {
	if a.Name != "" && a.Address != "" && a.Name != a.Address {
		return a.Name + " <" + a.Address + ">"
	}
	if a.Display() == "" {
		return "Unknown sender"
	}
	return a.Display()
}

// showIssueNews handles GET /issues/{id}/news?after=: the entries that a page does
// not show yet, and what has changed at its top.
func (s *Server) showIssueNews(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.IssueID](r.PathValue("id"))
	if err != nil {
		return err
	}
	after, _ := postroom.ParseID[postroom.EntryID](r.FormValue("after"))
	f := filter{}
	if current, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil {
		f = readFilter(current.Query())
	}
	line, err := s.Reader.Issue(r.Context(), by.Viewer, id)
	if err != nil {
		return err
	}
	t, err := s.thingHead(r.Context(), by, id, f)
	if err != nil {
		return err
	}
	t.Last = after
	for cursor := ""; ; {
		lines, next, err := s.Reader.Entries(r.Context(), by.Viewer, id, entryPage, cursor)
		if err != nil {
			return err
		}
		for _, line := range lines {
			if line.ID > after {
				t.Entries = append(t.Entries, s.entry(line))
				t.Last = max(t.Last, line.ID)
			}
		}
		if cursor = next; next == "" {
			break
		}
	}
	return s.render(w, r, http.StatusOK, issueNews(t, s.row(line, f, s.chosen(r))))
}

func (s *Server) closeIssue(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.changeIssue(w, r, func(id postroom.IssueID) error { return s.Issues.Close(r.Context(), by.Viewer, id) })
}

func (s *Server) reopenIssue(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.changeIssue(w, r, func(id postroom.IssueID) error { return s.Issues.Reopen(r.Context(), by.Viewer, id) })
}

func (s *Server) assignIssue(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.changeIssue(w, r, func(id postroom.IssueID) error {
		who := r.FormValue("to")
		switch {
		case r.FormValue("me") != "":
			return s.Issues.Assign(r.Context(), by.Viewer, id, by.User)
		case who == "":
			return s.Issues.Assign(r.Context(), by.Viewer, id, 0)
		}
		to, err := postroom.ParseID[postroom.UserID](who)
		if err != nil {
			return err
		}
		return s.Issues.Assign(r.Context(), by.Viewer, id, to)
	})
}

func (s *Server) noteIssue(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.changeIssue(w, r, func(id postroom.IssueID) error {
		_, err := s.Issues.Note(r.Context(), by.Viewer, id, strings.ReplaceAll(r.FormValue("text"), "\r\n", "\n"))
		return err
	})
}

// changeIssue does one thing to an issue and shows it again. A page that is open
// asks for what has changed by itself.
func (s *Server) changeIssue(w http.ResponseWriter, r *http.Request, change func(postroom.IssueID) error) error {
	id, err := postroom.ParseID[postroom.IssueID](r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := change(id); err != nil {
		return err
	}
	if _, ok := isHTMX(r); ok {
		w.Header().Set("HX-Trigger", "issue-changed")
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(w, r, readFilter(r.URL.Query()).at("/issues/"+id.String())+"#end", http.StatusSeeOther)
	return nil
}

// deleteIssue handles POST /issues/{id}/delete. The list offers to undo it.
func (s *Server) deleteIssue(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.IssueID](r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.Issues.Delete(r.Context(), by.Viewer, id); err != nil {
		return err
	}
	goTo(w, r, readFilter(r.URL.Query()).at("/issues", "deleted", id.String()))
	return nil
}

// recoverIssue handles POST /issues/{id}/recover.
func (s *Server) recoverIssue(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.IssueID](r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.Issues.Recover(r.Context(), by.Viewer, id); err != nil {
		return err
	}
	goTo(w, r, "/issues/"+id.String())
	return nil
}
