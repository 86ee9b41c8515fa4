package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// User is a person who works here.
type User struct {
	ID         string     `json:"id"`
	Email      string     `json:"email"`
	Name       string     `json:"name"`
	Role       string     `json:"role" enum:"admin,agent,owner"`
	CreatedAt  time.Time  `json:"created_at"`
	DisabledAt *time.Time `json:"disabled_at" doc:"Since when the user may not sign in."`
}

func showUser(u postroom.User) User {
	return User{u.ID.String(), u.Email, u.Name, string(u.Role), u.CreatedAt, moment(u.DisabledAt)}
}

// listUsers answers people by name. They are few: the list is cut into pages here.
// Its cursor is the last one shown.
func (s *Server) listUsers(ctx context.Context, _ postroom.Viewer, in *Paging) (*answer[list[User]], error) {
	users, err := s.Users(ctx)
	if err != nil {
		return nil, err
	}
	if in.Cursor != "" {
		last := slices.IndexFunc(users, func(u postroom.User) bool { return u.ID.String() == in.Cursor })
		if last < 0 {
			return nil, unfit("cursor", "This cursor does not belong to this list.", "Start the list again without a cursor, and follow next_cursor from there.")
		}
		users = users[last+1:]
	}
	next := ""
	if limit := min(in.Limit, maxList); len(users) > limit {
		users = users[:limit]
		next = users[limit-1].ID.String()
	}
	return answerOf(listOf(users, next, showUser), nil)
}

// knowPeople puts ids in the place of the addresses of users.
func (s *Server) knowPeople(ctx context.Context, settings *Settings) (err error) {
	if settings.Owner, err = s.userID(ctx, "owner", settings.Owner); err != nil || settings.VisibleTo == nil {
		return err
	}
	readers := make([]string, 0, len(settings.VisibleTo.users))
	for _, text := range settings.VisibleTo.users {
		id, err := s.userID(ctx, "visible_to", text)
		if err != nil {
			return err
		}
		readers = append(readers, id)
	}
	settings.VisibleTo = &visibleTo{kind: settings.VisibleTo.kind, users: readers}
	return nil
}

// userID is the id of a user who was named by the address to sign in with; any
// other text stays what it is.
func (s *Server) userID(ctx context.Context, field, text string) (string, error) {
	if !strings.Contains(text, "@") {
		return text, nil
	}
	users, err := s.Users(ctx)
	if err != nil {
		return "", err
	}
	for _, u := range users {
		if strings.EqualFold(u.Email, strings.TrimSpace(text)) {
			return u.ID.String(), nil
		}
	}
	return "", unfit(field, "Nobody here signs in with “"+text+"”.", "“postroom user list” shows everybody; “postroom user create” adds somebody.")
}
