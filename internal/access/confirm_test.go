package access

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestAdministratorConfirmsWithAPassword(t *testing.T) {
	d, _ := newDoor(t)
	root := mustCreate(t, d, "root@example.net", postroom.RoleAdmin)
	v, err := d.ConfirmAdministrator(t.Context(), " Root@Example.net ", postroom.Hide(rightPassword), somewhere)
	if err != nil || v.User != root.ID || !v.IsAdmin() || v.Name != root.Name {
		t.Fatalf("confirmed by %+v, %v", v, err)
	}
	if sessions, err := d.Sessions(t.Context(), v); err != nil || len(sessions) != 0 {
		t.Errorf("sessions %v, %v: a confirmation signed somebody in", sessions, err)
	}
}

func TestConfirmationsThatFailSayTheSame(t *testing.T) {
	d, _ := newDoor(t)
	root := mustCreate(t, d, "root@example.net", postroom.RoleAdmin)
	mustCreate(t, d, "ada@example.net", postroom.RoleAgent)
	zoe := mustCreate(t, d, "zoe@example.net", postroom.RoleAdmin)
	if err := d.Disable(t.Context(), ViewerOf(root), zoe.ID); err != nil {
		t.Fatal(err)
	}
	words := ""
	for name, tt := range map[string]struct{ email, password string }{
		"wrong password":           {"root@example.net", "wrong"},
		"no password":              {"root@example.net", ""},
		"unknown address":          {"eve@example.net", rightPassword},
		"not an address":           {"root", rightPassword},
		"no administrator":         {"ada@example.net", rightPassword},
		"a disabled administrator": {"zoe@example.net", rightPassword},
	} {
		v, err := d.ConfirmAdministrator(t.Context(), tt.email, postroom.Hide(tt.password), somewhere)
		wantKind(t, name, err, postroom.Invalid)
		if v.IsAdmin() || v.User != 0 {
			t.Errorf("%s: answered as %+v", name, v)
		}
		if words == "" {
			words = err.Error()
		}
		if err.Error() != words {
			t.Errorf("%s: says %q, others %q", name, err, words)
		}
	}
}

func TestConfirmationsAreCountedLikeSignIns(t *testing.T) {
	d, c := newDoor(t)
	mustCreate(t, d, "root@example.net", postroom.RoleAdmin)
	for range accountTries {
		_, err := d.ConfirmAdministrator(t.Context(), "root@example.net", postroom.Hide("wrong"), Client{})
		wantKind(t, "a wrong password", err, postroom.Invalid)
	}
	_, err := d.ConfirmAdministrator(t.Context(), "root@example.net", postroom.Hide(rightPassword), Client{})
	wantKind(t, "one more, though right", err, postroom.TooMany)
	_, _, err = d.SignIn(t.Context(), "root@example.net", postroom.Hide(rightPassword), Client{})
	wantKind(t, "a sign-in instead", err, postroom.TooMany)
	c.at = c.at.Add(accountEach + time.Second)
	if _, err = d.ConfirmAdministrator(t.Context(), "root@example.net", postroom.Hide(rightPassword), Client{}); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}
