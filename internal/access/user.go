package access

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

const (
	maxEmail = 254 // bytes: RFC 5321 section 4.5.3.1.3, less the angle brackets
	maxName  = 200 // bytes
)

// CreateUser adds somebody who may sign in. An address that is taken is a
// [postroom.Conflict].
func (d *Door) CreateUser(ctx context.Context, email, name string, role postroom.Role, password postroom.Secret) (postroom.User, error) {
	u, hash, err := d.draft(ctx, email, name, role, password)
	if err != nil {
		return postroom.User{}, err
	}
	u.ID, err = d.Store.CreateUser(ctx, u, hash)
	if errors.Is(err, store.ErrAddressTaken) {
		return postroom.User{}, addressTaken(u.Email)
	}
	if err != nil {
		return postroom.User{}, err
	}
	d.log().InfoContext(ctx, "user created", "user", u.ID, "role", u.Role)
	return u, nil
}

// draft checks what a user is made of, and hashes the password.
func (d *Door) draft(ctx context.Context, email, name string, role postroom.Role, password postroom.Secret) (u postroom.User, hash string, err error) {
	if u.Email, err = cleanEmail(email); err != nil {
		return u, "", err
	}
	if u.Name, err = cleanName(name, u.Email); err != nil {
		return u, "", err
	}
	if err := checkRole(role); err != nil {
		return u, "", err
	}
	if err := checkPassword(u.Email, password); err != nil {
		return u, "", err
	}
	u.Role, u.CreatedAt = role, d.now()
	hash, err = d.passwords.hash(ctx, password)
	return u, hash, err
}

// SetPassword gives a user another password and ends the user's sessions.
func (d *Door) SetPassword(ctx context.Context, email string, password postroom.Secret) error {
	email, err := cleanEmail(email)
	if err != nil {
		return err
	}
	u, _, ok, err := d.Store.UserByEmail(ctx, email)
	if err != nil {
		return err
	}
	if !ok {
		return noSuchUser("“" + email + "”")
	}
	if err := checkPassword(u.Email, password); err != nil {
		return err
	}
	hash, err := d.passwords.hash(ctx, password)
	if err != nil {
		return err
	}
	if ok, err = d.Store.SetPassword(ctx, u.ID, hash); err != nil {
		return err
	}
	if !ok {
		return noSuchUser("“" + email + "”")
	}
	d.tries.forgive(accountKey(email))
	d.log().InfoContext(ctx, "password set", "user", u.ID)
	return nil
}

// Users lists everybody, those who may not sign in too, by name.
func (d *Door) Users(ctx context.Context) ([]postroom.User, error) { return d.Store.Users(ctx) }

// User finds one user.
func (d *Door) User(ctx context.Context, id postroom.UserID) (postroom.User, error) {
	u, ok, err := d.Store.User(ctx, id)
	if err != nil {
		return postroom.User{}, err
	}
	if !ok {
		return postroom.User{}, noSuchUser(id.String())
	}
	return u, nil
}

// Disable keeps a user from signing in and ends the user's sessions.
func (d *Door) Disable(ctx context.Context, by postroom.Viewer, id postroom.UserID) error {
	return d.changeUser(ctx, by, id, "user disabled", func() (bool, error) { return d.Store.DisableUser(ctx, id, d.now()) })
}

// Enable lets a user sign in again.
func (d *Door) Enable(ctx context.Context, by postroom.Viewer, id postroom.UserID) error {
	return d.changeUser(ctx, by, id, "user enabled", func() (bool, error) { return d.Store.EnableUser(ctx, id) })
}

// SetRole changes what a user is here for.
func (d *Door) SetRole(ctx context.Context, by postroom.Viewer, id postroom.UserID, role postroom.Role) error {
	if err := checkRole(role); err != nil {
		return err
	}
	return d.changeUser(ctx, by, id, "role set", func() (bool, error) { return d.Store.SetRole(ctx, id, role) })
}

func (d *Door) changeUser(ctx context.Context, by postroom.Viewer, id postroom.UserID, event string, change func() (ok bool, err error)) error {
	if err := Administer(by); err != nil {
		return err
	}
	ok, err := change()
	switch {
	case errors.Is(err, store.ErrLastAdmin):
		return &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "This is the last administrator who can sign in.",
			Remedy:      "Make somebody else an administrator first.",
			Err:         err,
		}
	case err != nil:
		return err
	case !ok:
		return noSuchUser(id.String())
	}
	d.log().InfoContext(ctx, "user changed", "what", event, "user", id, "by_user", by.User, "by_token", by.Token)
	return nil
}

// cleanEmail returns an address as it is kept: without blanks around it, in lower
// case. What it was has to be one bare address (RFC 5322 section 3.4.1).
func cleanEmail(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	a, err := mail.ParseAddress(email)
	plain := func(r rune) bool { return r != utf8.RuneError && !unicode.IsSpace(r) && unicode.IsPrint(r) }
	if err != nil || a.Address != email || len(email) > maxEmail || strings.ContainsFunc(email, func(r rune) bool { return !plain(r) }) {
		return "", &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "email",
			Explanation: "This is not a mail address.",
			Remedy:      "Write it like ada@example.net.",
		}
	}
	return email, nil
}

// cleanName returns a name as it is kept; whoever has none is called by address.
func cleanName(name, email string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	if name == "" {
		return email, nil
	}
	if len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) }) {
		return "", &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "name",
			Explanation: "This name is too long, or has characters that cannot be shown.",
			Remedy:      "Use a name of at most 200 letters.",
		}
	}
	return name, nil
}

func checkRole(role postroom.Role) error {
	switch role {
	case postroom.RoleAdmin, postroom.RoleAgent, postroom.RoleOwner:
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "role",
		Explanation: "There is no such role.",
		Remedy:      "Choose admin, agent or owner.",
		Err:         fmt.Errorf("role %q", role),
	}
}

func addressTaken(email string) error {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "email",
		Explanation: "There is somebody here with the address “" + email + "” already.",
		Remedy:      "Use another address, or set a new password for this one with “postroom user password”.",
	}
}

func noSuchUser(who string) error {
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "There is nobody here called " + who + ".",
		Remedy:      "Look at the list of users: “postroom user list”, or Settings in the browser.",
	}
}
