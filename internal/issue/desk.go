// Package issue is what people do with issues.
package issue

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// maxNote is how many bytes a note may have.
const maxNote = 100 << 10

// A Desk is where people work on issues. Everything done here is checked against
// what the one who asks may do and see, is told in the issue's history and as an
// event in the same commit, and may be repeated: what is so already stays so.
type Desk struct {
	Store shelf
	Log   *slog.Logger // nil: nothing is logged
}

// shelf is what issue asks of the database.
type shelf interface {
	SetIssueState(ctx context.Context, by postroom.Viewer, id postroom.IssueID, state postroom.IssueState, text string) (changed bool, err error)
	AssignIssue(ctx context.Context, by postroom.Viewer, id postroom.IssueID, to postroom.UserID, text string) (changed bool, err error)
	NoteIssue(ctx context.Context, by postroom.Viewer, id postroom.IssueID, text string) (postroom.Entry, error)
	DeleteIssue(ctx context.Context, by postroom.Viewer, id postroom.IssueID) (changed bool, err error)
	RecoverIssue(ctx context.Context, by postroom.Viewer, id postroom.IssueID) (changed bool, err error)
	User(ctx context.Context, id postroom.UserID) (u postroom.User, ok bool, err error)
	EraseDeleted(ctx context.Context, before time.Time, limit int) (erased int, err error)
}

// Close closes an issue.
func (d *Desk) Close(ctx context.Context, by postroom.Viewer, id postroom.IssueID) error {
	return d.set(ctx, by, id, postroom.IssueClosed, "Closed")
}

// Reopen opens a closed issue again.
func (d *Desk) Reopen(ctx context.Context, by postroom.Viewer, id postroom.IssueID) error {
	return d.set(ctx, by, id, postroom.IssueOpen, "Reopened")
}

func (d *Desk) set(ctx context.Context, by postroom.Viewer, id postroom.IssueID, state postroom.IssueState, text string) error {
	if err := mayWrite(by); err != nil {
		return err
	}
	changed, err := d.Store.SetIssueState(ctx, by, id, state, text)
	d.done(ctx, "issue "+string(state), by, id, changed)
	return err
}

// Assign gives an issue to a user, or with 0 to nobody.
func (d *Desk) Assign(ctx context.Context, by postroom.Viewer, id postroom.IssueID, to postroom.UserID) error {
	if err := mayWrite(by); err != nil {
		return err
	}
	text := "Assigned to nobody"
	if to != 0 {
		u, ok, err := d.Store.User(ctx, to)
		switch {
		case err != nil:
			return fmt.Errorf("assign issue %s: %w", id, err)
		case !ok:
			return wrong("assignee", "There is no user with this id.", "Choose somebody from the list of users.")
		case !u.DisabledAt.IsZero():
			return wrong("assignee", u.Name+" can no longer sign in here.", "Choose somebody else.")
		}
		text = "Assigned to " + nameOf(u)
	}
	changed, err := d.Store.AssignIssue(ctx, by, id, to, text)
	d.done(ctx, "issue assigned", by, id, changed)
	return err
}

func nameOf(u postroom.User) string {
	if u.Name != "" {
		return u.Name
	}
	return u.Email
}

// Note adds a note for colleagues. It is at most 100 KB of text.
func (d *Desk) Note(ctx context.Context, by postroom.Viewer, id postroom.IssueID, text string) (postroom.Entry, error) {
	if err := mayWrite(by); err != nil {
		return postroom.Entry{}, err
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return postroom.Entry{}, wrong("text", "This note says nothing.", "Write something in it.")
	case len(text) > maxNote:
		return postroom.Entry{}, wrong("text", "This note is longer than 100 KB.", "Make it shorter, or write several notes.")
	}
	note, err := d.Store.NoteIssue(ctx, by, id, text)
	d.done(ctx, "issue noted", by, id, err == nil)
	return note, err
}

// Delete takes an issue out of sight. It can be recovered for 30 days.
func (d *Desk) Delete(ctx context.Context, by postroom.Viewer, id postroom.IssueID) error {
	if err := mayWrite(by); err != nil {
		return err
	}
	changed, err := d.Store.DeleteIssue(ctx, by, id)
	d.done(ctx, "issue deleted", by, id, changed)
	return err
}

// Recover brings a deleted issue back.
func (d *Desk) Recover(ctx context.Context, by postroom.Viewer, id postroom.IssueID) error {
	if err := mayWrite(by); err != nil {
		return err
	}
	changed, err := d.Store.RecoverIssue(ctx, by, id)
	d.done(ctx, "issue recovered", by, id, changed)
	return err
}

// eraseTurn is how many issues are erased in one commit.
const eraseTurn = 20

// Erase erases issues that were deleted more than 30 days before now, a few at a
// time; more says that there may be others.
func (d *Desk) Erase(ctx context.Context, now time.Time) (more bool, err error) {
	erased, err := d.Store.EraseDeleted(ctx, now.Add(-postroom.RecoverableFor), eraseTurn)
	if erased > 0 && d.Log != nil {
		d.Log.InfoContext(ctx, "deleted issues erased", "issues", erased)
	}
	return erased == eraseTurn, err
}

func (d *Desk) done(ctx context.Context, what string, by postroom.Viewer, id postroom.IssueID, changed bool) {
	if changed && d.Log != nil {
		d.Log.InfoContext(ctx, "issue changed", "what", what, "issue", id, "user", by.User, "token", by.Token)
	}
}

func mayWrite(by postroom.Viewer) error {
	if by.CanWrite() {
		return nil
	}
	remedy := "Ask an administrator to make you an agent."
	if by.User == 0 {
		remedy = "Use a token with the scope write or admin."
	}
	return &postroom.Fault{
		Kind: postroom.Forbidden, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "You may look at issues here, but not change them.",
		Remedy:      remedy,
	}
}

func wrong(field, explanation, remedy string) error {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: explanation, Remedy: remedy, Field: field,
	}
}
