package issue

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// shelfFake remembers what was asked of the database.
type shelfFake struct {
	calls []string
	users map[postroom.UserID]postroom.User
	left  int // issues to erase
}

func (s *shelfFake) SetIssueState(_ context.Context, _ postroom.Viewer, _ postroom.IssueID, state postroom.IssueState, text string) (bool, error) {
	s.calls = append(s.calls, string(state)+" "+text)
	return true, nil
}

func (s *shelfFake) AssignIssue(_ context.Context, _ postroom.Viewer, _ postroom.IssueID, to postroom.UserID, text string) (bool, error) {
	s.calls = append(s.calls, to.String()+" "+text)
	return true, nil
}

func (s *shelfFake) NoteIssue(_ context.Context, _ postroom.Viewer, _ postroom.IssueID, text string) (postroom.Entry, error) {
	s.calls = append(s.calls, "note "+text)
	return postroom.Entry{ID: 1, Text: text}, nil
}

func (s *shelfFake) DeleteIssue(context.Context, postroom.Viewer, postroom.IssueID) (bool, error) {
	s.calls = append(s.calls, "delete")
	return true, nil
}

func (s *shelfFake) RecoverIssue(context.Context, postroom.Viewer, postroom.IssueID) (bool, error) {
	s.calls = append(s.calls, "recover")
	return true, nil
}

func (s *shelfFake) User(_ context.Context, id postroom.UserID) (postroom.User, bool, error) {
	u, ok := s.users[id]
	return u, ok, nil
}

func (s *shelfFake) EraseDeleted(_ context.Context, before time.Time, limit int) (int, error) {
	s.calls = append(s.calls, "erase before "+before.Format(time.DateOnly))
	n := min(s.left, limit)
	s.left -= n
	return n, nil
}

func TestWhoMayOnlyReadChangesNothing(t *testing.T) {
	ctx := context.Background()
	for name, v := range map[string]postroom.Viewer{
		"a token that reads":   {Token: 1, Scope: postroom.ScopeRead},
		"a mailbox's owner":    {User: 1, Role: postroom.RoleOwner},
		"nobody in particular": {},
	} {
		s := &shelfFake{}
		d := &Desk{Store: s}
		_, noting := d.Note(ctx, v, 1, "text")
		for what, err := range map[string]error{
			"close": d.Close(ctx, v, 1), "reopen": d.Reopen(ctx, v, 1), "assign": d.Assign(ctx, v, 1, 0), "note": noting,
			"delete": d.Delete(ctx, v, 1), "recover": d.Recover(ctx, v, 1),
		} {
			if postroom.KindOf(err) != postroom.Forbidden {
				t.Errorf("%s: %s = %v, want forbidden", name, what, err)
			}
		}
		if len(s.calls) > 0 {
			t.Errorf("%s reached the database: %v", name, s.calls)
		}
	}
}

func TestHistoryIsInWords(t *testing.T) {
	ctx := context.Background()
	ana := postroom.Viewer{User: 1, Role: postroom.RoleAgent, Name: "Ana"}
	s := &shelfFake{users: map[postroom.UserID]postroom.User{
		2: {ID: 2, Name: "Ben"}, 3: {ID: 3, Email: "cleo@example.net"}, 4: {ID: 4, Name: "Dan", DisabledAt: time.Unix(1, 0)},
	}}
	d := &Desk{Store: s}
	for _, err := range []error{
		d.Close(ctx, ana, 1), d.Reopen(ctx, ana, 1), d.Assign(ctx, ana, 1, 2), d.Assign(ctx, ana, 1, 3), d.Assign(ctx, ana, 1, 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Note(ctx, ana, 1, "  see above\n"); err != nil {
		t.Fatal(err)
	}
	want := "closed Closed, open Reopened, 2 Assigned to Ben, 3 Assigned to cleo@example.net, 0 Assigned to nobody, note see above"
	if got := strings.Join(s.calls, ", "); got != want {
		t.Errorf("calls = %s\nwant    %s", got, want)
	}
	_, empty := d.Note(ctx, ana, 1, " \n")
	_, long := d.Note(ctx, ana, 1, strings.Repeat("x", maxNote+1))
	for what, err := range map[string]error{
		"a stranger": d.Assign(ctx, ana, 1, 9), "somebody who left": d.Assign(ctx, ana, 1, 4), "an empty note": empty, "a long note": long,
	} {
		if f, ok := postroom.FaultOf(err); !ok || f.Kind != postroom.Invalid || f.Field == "" {
			t.Errorf("%s: %v, want invalid with a field", what, err)
		}
	}
}

func TestErasingWaitsThirtyDays(t *testing.T) {
	s := &shelfFake{left: eraseTurn + 1}
	d := &Desk{Store: s}
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	for _, want := range []bool{true, false} {
		more, err := d.Erase(context.Background(), now)
		if err != nil || more != want {
			t.Fatalf("Erase = %v, %v, want %v", more, err, want)
		}
	}
	if s.calls[0] != "erase before 2026-10-21" {
		t.Error(s.calls)
	}
}
