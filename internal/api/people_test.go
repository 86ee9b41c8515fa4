package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/access"
)

func TestUsersAreAListLikeOthers(t *testing.T) {
	r := newRig(t)
	first := r.do(r.admin, "GET", "/users?limit=1", "").want(200).has(map[string]any{"items.0.name": "Ana"})
	cursor, _ := first.at("next_cursor").(string)
	if len(first.items()) != 1 || cursor == "" {
		t.Fatalf("the first page is %s", first.Body)
	}
	r.do(r.admin, "GET", "/users?limit=1&cursor="+cursor, "").want(200).has(map[string]any{"items.0.name": "Ben", "next_cursor": nil})
	r.do(r.admin, "GET", "/users?cursor=x", "").refused(422, "cursor")
}

func TestPeopleAreNamedByAddressToo(t *testing.T) {
	r := newRig(t)
	box := "/mailboxes/" + r.support.ID.String()
	r.do(r.admin, "PATCH", box, `{"owner":"ANA@example.net","visible_to":["ben@example.net"]}`).want(200).has(map[string]any{
		"owner": r.ana.ID, "visible_to.0": r.ben.ID,
	})
	reply := r.do(r.admin, "PATCH", box, `{"visible_to":["nobody@example.net"]}`).refused(422, "visible_to")
	if !strings.Contains(fmt.Sprint(reply.at("explanation")), "nobody@example.net") {
		t.Errorf("a stranger: %s", reply.Body)
	}
	r.do(r.admin, "PATCH", box, `{"visible_to":"everyone"}`).want(200)
	b := r.bring(r.support, letter("a", "Printer", "fire"))
	r.do(r.writer, "PATCH", "/issues/"+b.issue.String(), `{"assignee":"ben@example.net"}`).want(200).has(map[string]any{"assignee": r.ben.ID})
	r.do(r.writer, "PATCH", "/issues/"+b.issue.String(), `{"assignee":"nobody@example.net"}`).refused(422, "assignee")
}

// shortSighted looks at one event at a time, as the database looks at a few thousand.
type shortSighted struct{ reader }

func (s shortSighted) EventsThrough(ctx context.Context, v postroom.Viewer, after int64, limit int) ([]postroom.Event, int64, error) {
	events, _, err := s.reader.EventsThrough(ctx, v, after, limit)
	if err != nil {
		return nil, after, err
	}
	last, err := s.LastEvent(ctx)
	if err != nil || after >= last {
		return nil, after, err
	}
	for _, e := range events {
		if e.Position == after+1 {
			return []postroom.Event{e}, after + 1, nil
		}
	}
	return nil, after + 1, nil
}

// However many events of others lie between, a page is full while there are more.
func TestEventsOfOthersDoNotEndTheList(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		r.bring(r.private, letter(fmt.Sprint("p", i), fmt.Sprint("Salary ", i), "x"))
		r.bring(r.support, letter(fmt.Sprint("s", i), fmt.Sprint("Printer ", i), "x"))
	}
	want := r.do(r.reader, "GET", "/events", "").want(200)
	r.api.Read = shortSighted{r.api.Read}
	if got := r.do(r.reader, "GET", "/events", "").want(200); string(got.Body) != string(want.Body) {
		t.Errorf("the list is\n%s\nwant\n%s", got.Body, want.Body)
	}
	page := r.do(r.reader, "GET", "/events?limit=2", "").want(200)
	if len(page.items()) != 2 || page.at("next_cursor") == nil {
		t.Errorf("a page of two is %s", page.Body)
	}
}

func TestStreamEndsWithItsToken(t *testing.T) {
	r := newRig(t)
	door := &access.Door{Store: r.db}
	r.api.Authenticate = door.Token
	token, id, err := door.CreateToken(t.Context(), "listener", postroom.ScopeRead, nil)
	r.must(err)
	l := r.listen(token.Reveal(), "", "")
	r.must(door.RevokeToken(t.Context(), id))
	r.bring(r.support, letter("a", "Printer", "fire"))
	if position, kind, ok := l.next(); ok {
		t.Errorf("event %s %s was told to a token that is revoked", position, kind)
	}
}
