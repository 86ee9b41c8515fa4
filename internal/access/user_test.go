package access

import (
	"context"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// brokenStore cannot find users.
type brokenStore struct {
	door
	err error
}

func (b brokenStore) UserByEmail(context.Context, string) (postroom.User, string, bool, error) {
	return postroom.User{}, "", false, b.err
}

func TestWhoCanBeCreated(t *testing.T) {
	tests := map[string]struct {
		email, name string
		role        postroom.Role
		field       string // of the refusal; empty: created
	}{
		"an agent":                {"zoe@example.net", "Zoe Ångström", postroom.RoleAgent, ""},
		"a host without a dot":    {"root@localhost", "", postroom.RoleAdmin, ""},
		"an international one":    {"józef@exämple.net", "", postroom.RoleOwner, ""},
		"blanks in the name":      {"blank@example.net", "  Zoe \n Doe ", postroom.RoleAgent, ""},
		"no address":              {"", "Zoe", postroom.RoleAgent, "email"},
		"no at":                   {"zoe", "Zoe", postroom.RoleAgent, "email"},
		"no host":                 {"zoe@", "Zoe", postroom.RoleAgent, "email"},
		"two addresses":           {"a@example.net, b@example.net", "Zoe", postroom.RoleAgent, "email"},
		"a name in the address":   {"Zoe <zoe@example.net>", "Zoe", postroom.RoleAgent, "email"},
		"a line break":            {"zoe\r\n@example.net", "Zoe", postroom.RoleAgent, "email"},
		"a blank inside":          {"zo e@example.net", "Zoe", postroom.RoleAgent, "email"},
		"not text":                {"zoe\xff@example.net", "Zoe", postroom.RoleAgent, "email"},
		"a nul":                   {"zoe\x00@example.net", "Zoe", postroom.RoleAgent, "email"},
		"a very long address":     {strings.Repeat("z", 300) + "@example.net", "Zoe", postroom.RoleAgent, "email"},
		"a very long name":        {"zoe2@example.net", strings.Repeat("z", 300), postroom.RoleAgent, "name"},
		"a name that is not text": {"zoe2@example.net", "Zoe\x00", postroom.RoleAgent, "name"},
		"an unknown role":         {"zoe2@example.net", "Zoe", "king", "role"},
		"no role":                 {"zoe2@example.net", "Zoe", "", "role"},
	}
	d, _ := newDoor(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			u, err := d.CreateUser(t.Context(), tt.email, tt.name, tt.role, postroom.Hide(rightPassword))
			if tt.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got, err := d.User(t.Context(), u.ID); err != nil || got != u {
					t.Errorf("User = %+v, %v, want %+v", got, err, u)
				}
				return
			}
			wantKind(t, "the refusal", err, postroom.Invalid)
			if f, ok := postroom.FaultOf(err); ok && f.Field != tt.field {
				t.Errorf("field = %q, want %q", f.Field, tt.field)
			}
		})
	}
}

func TestAnAddressIsTakenOnce(t *testing.T) {
	d, _ := newDoor(t)
	mustCreate(t, d, "ada@example.net", postroom.RoleAdmin)
	_, err := d.CreateUser(t.Context(), "ADA@example.net", "Another", postroom.RoleAgent, postroom.Hide(rightPassword))
	wantKind(t, "the same address", err, postroom.Conflict)
}

func TestNewPasswordEndsSessions(t *testing.T) {
	d, _ := newDoor(t)
	mustCreate(t, d, "ada@example.net", postroom.RoleAdmin)
	cookie := mustSignIn(t, d, "ada@example.net")

	wantKind(t, "a short password", d.SetPassword(t.Context(), "ada@example.net", postroom.Hide("short")), postroom.Invalid)
	wantKind(t, "nobody's password", d.SetPassword(t.Context(), "eve@example.net", postroom.Hide(rightPassword)), postroom.NotFound)
	if _, _, err := d.Session(t.Context(), cookie); err != nil {
		t.Fatalf("after refusals: %v", err)
	}
	if err := d.SetPassword(t.Context(), "Ada@example.net", postroom.Hide("another good one")); err != nil {
		t.Fatal(err)
	}
	_, _, err := d.Session(t.Context(), cookie)
	wantKind(t, "the old session", err, postroom.Unauthenticated)
	_, _, err = d.SignIn(t.Context(), "ada@example.net", postroom.Hide(rightPassword), somewhere)
	wantKind(t, "the old password", err, postroom.Unauthenticated)
	if _, _, err = d.SignIn(t.Context(), "ada@example.net", postroom.Hide("another good one"), somewhere); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestOwnPasswordIsChangedByWhoKnowsIt(t *testing.T) {
	d, _ := newDoor(t)
	ada := ViewerOf(mustCreate(t, d, "ada@example.net", postroom.RoleAgent))
	old := mustSignIn(t, d, "ada@example.net")
	change := func(current, next string) (string, error) {
		cookie, err := d.ChangePassword(t.Context(), ada, postroom.Hide(current), postroom.Hide(next), somewhere)
		return cookie.Reveal(), err
	}
	_, err := change("wrong", "another good one")
	wantKind(t, "a wrong current password", err, postroom.Invalid)
	_, err = change(rightPassword, "short")
	wantKind(t, "a short new password", err, postroom.Invalid)
	if _, _, err := d.Session(t.Context(), old); err != nil {
		t.Fatalf("after refusals: %v", err)
	}
	cookie, err := change(rightPassword, "another good one")
	if err != nil {
		t.Fatal(err)
	}
	if v, _, err := d.Session(t.Context(), cookie); err != nil || v.User != ada.User {
		t.Errorf("the new session is of %+v, %v", v, err)
	}
	_, _, err = d.Session(t.Context(), old)
	wantKind(t, "the old session", err, postroom.Unauthenticated)
	for range accountTries {
		_, err = change("wrong", "yet another one")
		wantKind(t, "a wrong current password", err, postroom.Invalid)
	}
	_, err = change("wrong", "yet another one")
	wantKind(t, "too many wrong ones", err, postroom.TooMany)
}

func TestOnlyAdministratorsChangeUsers(t *testing.T) {
	d, _ := newDoor(t)
	ctx := t.Context()
	ada := mustCreate(t, d, "ada@example.net", postroom.RoleAdmin)
	zoe := mustCreate(t, d, "zoe@example.net", postroom.RoleAgent)
	admin, agent := ViewerOf(ada), ViewerOf(zoe)

	wantKind(t, "an agent disabling", d.Disable(ctx, agent, ada.ID), postroom.Forbidden)
	wantKind(t, "an agent enabling", d.Enable(ctx, agent, zoe.ID), postroom.Forbidden)
	wantKind(t, "an agent promoting", d.SetRole(ctx, agent, zoe.ID, postroom.RoleAdmin), postroom.Forbidden)
	wantKind(t, "disabling the last administrator", d.Disable(ctx, admin, ada.ID), postroom.Conflict)
	wantKind(t, "demoting the last administrator", d.SetRole(ctx, admin, ada.ID, postroom.RoleAgent), postroom.Conflict)
	wantKind(t, "an unknown role", d.SetRole(ctx, admin, zoe.ID, "king"), postroom.Invalid)
	wantKind(t, "an unknown user", d.Disable(ctx, admin, 12345), postroom.NotFound)
	if _, err := d.User(ctx, 12345); postroom.KindOf(err) != postroom.NotFound {
		t.Errorf("User of nobody = %v, want not found", err)
	}

	cookie := mustSignIn(t, d, "zoe@example.net")
	if err := d.SetRole(ctx, admin, zoe.ID, postroom.RoleAdmin); err != nil {
		t.Fatal(err)
	}
	if v, _, err := d.Session(ctx, cookie); err != nil || !v.IsAdmin() {
		t.Errorf("with another role the session is of %+v, %v", v, err)
	}
	if err := d.Disable(ctx, admin, zoe.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err := d.Session(ctx, cookie)
	wantKind(t, "the session of a disabled user", err, postroom.Unauthenticated)
	if err := d.Enable(ctx, admin, zoe.ID); err != nil {
		t.Fatal(err)
	}
	mustSignIn(t, d, "zoe@example.net")
	if users, err := d.Users(ctx); err != nil || len(users) != 2 {
		t.Errorf("Users = %v, %v, want two", users, err)
	}
}
