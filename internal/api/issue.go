package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// issues is the room where people work on issues: *issue.Desk.
type issues interface {
	Close(ctx context.Context, by postroom.Viewer, id postroom.IssueID) error
	Reopen(ctx context.Context, by postroom.Viewer, id postroom.IssueID) error
	Assign(ctx context.Context, by postroom.Viewer, id postroom.IssueID, to postroom.UserID) error
	Note(ctx context.Context, by postroom.Viewer, id postroom.IssueID, text string) (postroom.Entry, error)
	Delete(ctx context.Context, by postroom.Viewer, id postroom.IssueID) error
	Recover(ctx context.Context, by postroom.Viewer, id postroom.IssueID) error
}

// Issue is an issue as the API shows it.
type Issue struct {
	ID           string     `json:"id"`
	Number       int64      `json:"number" doc:"What people say aloud."`
	Subject      string     `json:"subject"`
	State        string     `json:"state" enum:"open,closed"`
	Requester    Person     `json:"requester"`
	Assignee     *string    `json:"assignee" doc:"A user; null: nobody."`
	AssigneeName string     `json:"assignee_name"`
	Mailboxes    []string   `json:"mailboxes" nullable:"false" doc:"Where its mail came to, as far as the token may see."`
	Historic     bool       `json:"historic" doc:"Made of mail older than the connection."`
	Entries      int        `json:"entries" doc:"How many there are."`
	Attachments  bool       `json:"attachments" doc:"Whether its first mails carry any."`
	Preview      string     `json:"preview" doc:"The beginning of the newest mail."`
	CreatedAt    time.Time  `json:"created_at"`
	LastAt       time.Time  `json:"last_at" doc:"Of the newest mail or note."`
	DeletedAt    *time.Time `json:"deleted_at" doc:"It can be recovered for 30 days from then on."`
}

// Person is one person or program of a mail.
type Person struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

func showIssue(l store.IssueLine) Issue {
	i := Issue{
		ID: l.ID.String(), Number: l.Number, Subject: l.Subject, State: string(l.State),
		Requester: Person(l.Requester), Assignee: reference(l.Assignee), AssigneeName: l.AssigneeName,
		Mailboxes: namesOf(l.Mailboxes), Historic: l.Historic, Entries: l.Entries, Attachments: l.Attachments,
		Preview: l.Preview, CreatedAt: l.CreatedAt, LastAt: l.LastAt, DeletedAt: moment(l.DeletedAt),
	}
	return i
}

func namesOf(list []store.MailboxName) []string {
	ids := make([]string, 0, len(list))
	for _, m := range list {
		ids = append(ids, m.ID.String())
	}
	return ids
}

type issuesInput struct {
	Paging
	Mailbox  string `query:"mailbox" doc:"Only of this mailbox."`
	State    string `query:"state" enum:"open,closed"`
	Assignee string `query:"assignee" doc:"Only of this user; none: only those of nobody."`
	Query    string `query:"q" maxLength:"1000" doc:"All of these words, the last one as the beginning of one, in any entry."`
	Deleted  bool   `query:"deleted" doc:"The deleted issues that can be recovered, and no others."`
}

func (s *Server) listIssues(ctx context.Context, v postroom.Viewer, in *issuesInput) (*answer[list[Issue]], error) {
	f := store.IssueFilter{State: postroom.IssueState(in.State), Query: in.Query, Deleted: in.Deleted, Limit: in.Limit, Cursor: in.Cursor}
	var known bool
	if f.Mailbox, known = filterID[postroom.MailboxID](in.Mailbox); !known {
		return nothing[Issue]()
	}
	if f.Unassigned = in.Assignee == "none"; !f.Unassigned {
		if f.Assignee, known = filterID[postroom.UserID](in.Assignee); !known {
			return nothing[Issue]()
		}
	}
	lines, next, err := s.Read.Issues(ctx, v, f)
	return answerOf(listOf(lines, next, showIssue), err)
}

// filterID reads an id that a list is filtered by. An id that was never given out
// is not known: nothing belongs to it.
func filterID[ID ~int64](text string) (id ID, known bool) {
	if text == "" {
		return 0, true
	}
	id, err := postroom.ParseID[ID](text)
	return id, err == nil
}

func nothing[T any]() (*answer[list[T]], error) {
	return &answer[list[T]]{list[T]{Items: []T{}}}, nil
}

// OfIssue names an issue.
type OfIssue struct {
	ID string `path:"id"`
}

func (s *Server) readIssue(ctx context.Context, v postroom.Viewer, in *OfIssue) (*answer[Issue], error) {
	id, err := postroom.ParseID[postroom.IssueID](in.ID)
	if err != nil {
		return nil, err
	}
	return s.issue(ctx, v, id)
}

// issue answers with an issue as it is now. A deleted one is among the deleted
// only.
func (s *Server) issue(ctx context.Context, v postroom.Viewer, id postroom.IssueID) (*answer[Issue], error) {
	line, err := s.Read.Issue(ctx, v, id)
	if err == nil && !line.DeletedAt.IsZero() {
		err = &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "This issue was deleted on " + line.DeletedAt.Format("2 January 2006") + ".",
			Remedy:      "POST to " + Prefix + "/issues/" + id.String() + "/recover brings it back, for 30 days.",
		}
	}
	return answerOf(showIssue(line), err)
}

type issueChange struct {
	ID   string `path:"id"`
	Body struct {
		State    change[string] `json:"state,omitempty" doc:"open or closed"`
		Assignee change[string] `json:"assignee,omitempty" doc:"A user: the id, or the address that the user signs in with; null: nobody."`
	} `contentType:"application/merge-patch+json"`
}

func (s *Server) changeIssue(ctx context.Context, v postroom.Viewer, in *issueChange) (*answer[Issue], error) {
	id, err := postroom.ParseID[postroom.IssueID](in.ID)
	if err != nil {
		return nil, err
	}
	state, to := in.Body.State, in.Body.Assignee
	if state.Given && (state.Null || state.Value != string(postroom.IssueOpen) && state.Value != string(postroom.IssueClosed)) {
		return nil, unfit("state", "An issue is open or closed, and nothing else.", "Give one of the two.")
	}
	if to.Given {
		if err := s.assign(ctx, v, id, to); err != nil {
			return nil, err
		}
	}
	switch {
	case !state.Given:
	case state.Value == string(postroom.IssueClosed):
		err = s.Issues.Close(ctx, v, id)
	default:
		err = s.Issues.Reopen(ctx, v, id)
	}
	if err != nil {
		return nil, err
	}
	return s.issue(ctx, v, id)
}

func (s *Server) assign(ctx context.Context, v postroom.Viewer, id postroom.IssueID, to change[string]) error {
	var user postroom.UserID
	if !to.Null {
		id, err := s.userID(ctx, "assignee", to.Value)
		if err != nil {
			return err
		}
		if user, err = postroom.ParseID[postroom.UserID](id); err != nil {
			return unfit("assignee", "There is no user with this id.", "GET "+Prefix+"/users lists them.")
		}
	}
	return s.Issues.Assign(ctx, v, id, user)
}

func (s *Server) deleteIssue(ctx context.Context, v postroom.Viewer, in *OfIssue) (*struct{}, error) {
	id, err := postroom.ParseID[postroom.IssueID](in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.Issues.Delete(ctx, v, id)
}

func (s *Server) recoverIssue(ctx context.Context, v postroom.Viewer, in *OfIssue) (*answer[Issue], error) {
	id, err := postroom.ParseID[postroom.IssueID](in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.Issues.Recover(ctx, v, id); err != nil {
		return nil, err
	}
	return s.issue(ctx, v, id)
}

func unfit(field, explanation, remedy string) error {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Field: field, Explanation: explanation, Remedy: remedy,
	}
}

// A change is one member of a merge patch (RFC 7396): absent, null or a value.
type change[T any] struct {
	Given, Null bool
	Value       T
}

// Schema describes a change as the value or null.
func (c change[T]) Schema(r huma.Registry) *huma.Schema { return nullableOf[T](r) }
