package access

import (
	"context"
	"errors"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// FirstLinkLasts is how long the link for the first administrator can be used.
const FirstLinkLasts = 24 * time.Hour

// FirstLink makes the secret of a link by which the first administrator comes in,
// once. Earlier ones open nothing any more. While there is an administrator,
// needed is false and there is no secret.
func (d *Door) FirstLink(ctx context.Context) (secret postroom.Secret, needed bool, err error) {
	text, hash := newSecret("")
	needed, err = d.Store.ReplaceFirstLink(ctx, hash, d.now().Add(FirstLinkLasts))
	if err != nil || !needed {
		return postroom.Secret{}, false, err
	}
	return postroom.Hide(text), true, nil
}

// CheckFirstLink is nil while [Door.UseFirstLink] would take the secret, so that
// nobody fills in a form for nothing.
func (d *Door) CheckFirstLink(ctx context.Context, secret string) error {
	hash, ok := hashOf(secret, "")
	if !ok {
		return linkSpent()
	}
	open, err := d.Store.FirstLinkIsOpen(ctx, hash, d.now())
	if err != nil {
		return err
	}
	if !open {
		return linkSpent()
	}
	return nil
}

// UseFirstLink creates the first administrator and signs them in. The link is
// spent only when that has succeeded; of two who use it at the same time, one gets
// a [postroom.Conflict].
func (d *Door) UseFirstLink(ctx context.Context, secret, email, name string, password postroom.Secret, from Client) (cookie postroom.Secret, u postroom.User, err error) {
	if err := d.CheckFirstLink(ctx, secret); err != nil {
		return cookie, u, err
	}
	link, _ := hashOf(secret, "")
	u, hash, err := d.draft(ctx, email, name, postroom.RoleAdmin, password)
	if err != nil {
		return cookie, postroom.User{}, err
	}
	value, cookieHash, s := d.newSession(0, from)
	u.ID, err = d.Store.UseFirstLink(ctx, link, u, hash, cookieHash, s)
	switch {
	case errors.Is(err, store.ErrLinkSpent):
		return cookie, postroom.User{}, linkSpent()
	case errors.Is(err, store.ErrAddressTaken):
		return cookie, postroom.User{}, addressTaken(u.Email)
	case err != nil:
		return cookie, postroom.User{}, err
	}
	d.log().InfoContext(ctx, "first administrator created", "user", u.ID)
	return postroom.Hide(value), u, nil
}

func linkSpent() error {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "This link was used already, or is too old.",
		Remedy:      "If you have an account, sign in. If nobody has one yet, start Postroom again: it prints a new link.",
	}
}

// SignInLink makes the secret of a link that signs a user in any number of times,
// for as long as this process runs. It is for demonstrations, where the data is
// made up.
func (d *Door) SignInLink(ctx context.Context, user postroom.UserID) (postroom.Secret, error) {
	if _, err := d.User(ctx, user); err != nil {
		return postroom.Secret{}, err
	}
	text, hash := newSecret("")
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.links == nil {
		d.links = make(map[[32]byte]postroom.UserID)
	}
	d.links[hash] = user
	return postroom.Hide(text), nil
}

// OpenLink signs in by a link of [Door.SignInLink].
func (d *Door) OpenLink(ctx context.Context, secret string, from Client) (cookie postroom.Secret, u postroom.User, err error) {
	hash, ok := hashOf(secret, "")
	d.mu.Lock()
	user, known := d.links[hash]
	d.mu.Unlock()
	if !ok || !known {
		return cookie, u, noSuchLink()
	}
	if u, err = d.User(ctx, user); err != nil {
		return cookie, postroom.User{}, err
	}
	value, cookieHash, s := d.newSession(user, from)
	if ok, err = d.Store.BeginLinkSession(ctx, cookieHash, s); err != nil {
		return cookie, postroom.User{}, err
	}
	if !ok {
		return cookie, postroom.User{}, noSuchLink()
	}
	return postroom.Hide(value), u, nil
}

func noSuchLink() error {
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "This link opens nothing.",
		Remedy:      "Use the address that Postroom printed when it started last.",
	}
}
