package access

import (
	"context"

	"github.com/postroom/postroom"
)

// ConfirmAdministrator says who the administrator is that confirms something with
// address and password, on the browser of whoever is signed in there. No session
// begins. Tries count as sign-ins do ([Door.SignIn]). A wrong password, a disabled
// user and one who is no administrator are one and the same [postroom.Invalid], in
// the same time: whoever asks is signed in, after all.
func (d *Door) ConfirmAdministrator(ctx context.Context, email string, password postroom.Secret, from Client) (postroom.Viewer, error) {
	email, err := cleanEmail(email)
	if err != nil {
		email = "" // nobody's
	}
	giveBack, err := d.takeTry(email, from)
	if err != nil {
		d.log().WarnContext(ctx, "confirmation held back")
		return postroom.Viewer{}, err
	}
	u, hash, _, err := d.Store.UserByEmail(ctx, email)
	if err != nil {
		return postroom.Viewer{}, err
	}
	right, err := d.passwords.matches(ctx, hash, password)
	if err != nil {
		return postroom.Viewer{}, err
	}
	if !right || !u.DisabledAt.IsZero() || u.Role != postroom.RoleAdmin {
		d.log().WarnContext(ctx, "confirmation refused", "user", u.ID)
		return postroom.Viewer{}, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.BadCredentials, FixBy: postroom.FixByUser, Field: "password",
			Explanation: "This is not the address and the password of an administrator.",
			Remedy:      "Have an administrator of Postroom type both, as for signing in here.",
		}
	}
	giveBack()
	d.log().InfoContext(ctx, "confirmed", "user", u.ID)
	return ViewerOf(u), nil
}
