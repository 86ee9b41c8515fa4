package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A filter is which issues a list shows, as its address says.
type filter struct {
	Query   string
	Mailbox postroom.MailboxID
	View    string // "", open, mine, closed or deleted
}

// The views of the list.
const (
	viewOpen    = "open"
	viewMine    = "mine"
	viewClosed  = "closed"
	viewDeleted = "deleted"
)

func readFilter(q url.Values) filter {
	f := filter{Query: q.Get("q"), View: q.Get("view")}
	if id, err := postroom.ParseID[postroom.MailboxID](q.Get("mailbox")); err == nil {
		f.Mailbox = id
	}
	switch f.View {
	case viewOpen, viewMine, viewClosed, viewDeleted:
	default:
		f.View = ""
	}
	return f
}

func (f filter) values() url.Values {
	v := url.Values{}
	if f.Query != "" {
		v.Set("q", f.Query)
	}
	if f.Mailbox != 0 {
		v.Set("mailbox", f.Mailbox.String())
	}
	if f.View != "" {
		v.Set("view", f.View)
	}
	return v
}

// at is the address of path with this filter, and with further pairs of key and value.
func (f filter) at(path string, pairs ...string) string {
	v := f.values()
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

func (f filter) with(view string) filter { f.View = view; return f }

func (f filter) isEmpty() bool { return f == filter{} }

func (f filter) store(by visitor) store.IssueFilter {
	to := store.IssueFilter{Query: f.Query, Mailbox: f.Mailbox}
	switch f.View {
	case viewOpen:
		to.State = postroom.IssueOpen
	case viewClosed:
		to.State = postroom.IssueClosed
	case viewMine:
		to.State, to.Assignee = postroom.IssueOpen, by.User
	case viewDeleted:
		to.Deleted = true
	}
	return to
}

// A listing is the list of issues as a page shows it.
type listing struct {
	Filter    filter
	Rows      []issueRow
	Chosen    postroom.IssueID
	Next      string // address of what follows; empty at the end
	Since     string // the newest entry shown, for counting newer ones
	Mailboxes []store.MailboxName
	Connected bool // there is a mailbox at all
	First     string
	Admin     bool
}

// An issueRow is an issue in a list.
type issueRow struct {
	ID        postroom.IssueID
	Address   string
	State     badge
	Closed    bool
	Requester string
	Subject   string
	Preview   string
	Mailbox   string
	Assignee  string
	At        moment
	Clip      bool
	Chosen    bool
}

func (s *Server) row(l store.IssueLine, f filter, chosen postroom.IssueID) issueRow {
	r := issueRow{
		ID: l.ID, Address: f.at("/issues/" + l.ID.String()), State: issueBadge(l.State), Closed: l.State == postroom.IssueClosed,
		Requester: l.Requester.Display(), Subject: subjectOf(l.Subject), Preview: l.Preview, Assignee: l.AssigneeName,
		At: tell(l.LastAt, s.now()), Clip: l.Attachments, Chosen: l.ID == chosen,
	}
	if r.Requester == "" {
		r.Requester = "Unknown sender"
	}
	for i, m := range l.Mailboxes {
		if i > 0 {
			r.Mailbox += ", "
		}
		r.Mailbox += m.Name
	}
	return r
}

func subjectOf(subject string) string {
	if subject == "" {
		return "No subject"
	}
	return subject
}

// listing reads one page of the list.
func (s *Server) listing(r *http.Request, by visitor, f filter, chosen postroom.IssueID, cursor string) (listing, error) {
	l := listing{Filter: f, Chosen: chosen, Admin: by.IsAdmin()}
	want := f.store(by)
	want.Cursor = cursor
	lines, next, err := s.Reader.Issues(r.Context(), by.Viewer, want)
	if err != nil {
		return l, err
	}
	newest := time.Unix(0, 0)
	for _, line := range lines {
		l.Rows = append(l.Rows, s.row(line, f, chosen))
		if line.LastAt.After(newest) {
			newest = line.LastAt
		}
	}
	l.Since = strconv.FormatInt(newest.UnixMicro(), 10)
	if next != "" {
		l.Next = f.at("/issues", "cursor", next)
	}
	if _, part := isHTMX(r); part && len(l.Rows) > 0 {
		return l, nil // only the rows are asked for
	}
	return l, s.addMailboxes(r, by, &l)
}

// addMailboxes adds the mailboxes that the list can be narrowed to.
func (s *Server) addMailboxes(r *http.Request, by visitor, l *listing) error {
	boxes, _, err := s.Reader.Mailboxes(r.Context(), store.MailboxFilter{Limit: store.MaxPage})
	if err != nil {
		return err
	}
	l.Connected = len(boxes) > 0
	for _, m := range boxes {
		if by.CanSeeMail(m) {
			l.Mailboxes = append(l.Mailboxes, store.MailboxName{ID: m.ID, Name: m.Name})
			if l.First == "" {
				l.First = m.Address
			}
		}
	}
	return nil
}

// issuesPage is the list with what is open beside it.
type issuesPage struct {
	frame
	List    listing
	Thing   *thing
	Trouble *mailboxRow      // the mailbox that needs somebody most
	Deleted postroom.IssueID // was deleted just now
	Back    string           // where undo leads back to
}

// showIssues handles GET /issues. htmx asks for the list alone, or for what
// follows in it.
func (s *Server) showIssues(w http.ResponseWriter, r *http.Request, by visitor) error {
	f := readFilter(r.URL.Query())
	live, err := s.Reader.LastEvent(r.Context()) // before the list, so that nothing falls between
	if err != nil {
		return err
	}
	l, err := s.listing(r, by, f, s.chosen(r), r.FormValue("cursor"))
	if err != nil {
		return err
	}
	switch target, _ := isHTMX(r); target {
	case "issues":
		return s.render(w, r, http.StatusOK, issueList(l))
	case "more":
		return s.render(w, r, http.StatusOK, issueRows(l))
	}
	p := issuesPage{frame: s.frame(by, "Issues", "issues"), List: l, Back: f.at("/issues")}
	p.Live = live
	if id, err := postroom.ParseID[postroom.IssueID](r.FormValue("deleted")); err == nil {
		p.Deleted = id
	}
	if err := s.trouble(r.Context(), by, &p); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, issuesAndThing(p))
}

// trouble finds a mailbox that waits for somebody, for those who can help it.
func (s *Server) trouble(ctx context.Context, by visitor, p *issuesPage) error {
	if !by.IsAdmin() {
		return nil
	}
	for _, state := range []postroom.MailboxState{postroom.MailboxNeedsSignIn, postroom.MailboxNeedsRepair} {
		list, _, err := s.Reader.Mailboxes(ctx, store.MailboxFilter{State: state, Limit: 1})
		if err != nil {
			return err
		}
		if len(list) > 0 {
			row := s.mailboxRow(list[0])
			p.Trouble = &row
			return nil
		}
	}
	return nil
}

// chosen is the issue that is open beside the list that asks to be refreshed.
func (s *Server) chosen(r *http.Request) postroom.IssueID {
	current, err := url.Parse(r.Header.Get("HX-Current-URL"))
	if err != nil {
		return 0
	}
	const before = "/issues/"
	if len(current.Path) <= len(before) || current.Path[:len(before)] != before {
		return 0
	}
	id, err := postroom.ParseID[postroom.IssueID](current.Path[len(before):])
	if err != nil {
		return 0
	}
	return id
}

// maxNews is how many new issues are counted.
const maxNews = 50

// showNews handles GET /issues/news: how many issues of the list have something
// that is newer than what the page shows.
func (s *Server) showNews(w http.ResponseWriter, r *http.Request, by visitor) error {
	f := readFilter(r.URL.Query())
	since, err := strconv.ParseInt(r.FormValue("since"), 10, 64)
	if err != nil {
		since = 0
	}
	want := f.store(by)
	want.Limit = maxNews
	lines, _, err := s.Reader.Issues(r.Context(), by.Viewer, want)
	if err != nil {
		return err
	}
	n := 0
	for _, line := range lines {
		if line.LastAt.UnixMicro() > since {
			n++
		}
	}
	return s.render(w, r, http.StatusOK, newsPill(f, n))
}
