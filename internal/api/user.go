package api

import (
	"context"
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
	page, next, err := pageOf(users, *in, func(u postroom.User) string { return u.ID.String() })
	return answerOf(listOf(page, next, showUser), err)
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
