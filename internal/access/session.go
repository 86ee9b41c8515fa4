package access

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

const (
	// SessionLasts is how long a browser stays signed in after it was last used.
	SessionLasts = 30 * 24 * time.Hour
	// sessionNoted is how exactly it is known when that was.
	sessionNoted = 5 * time.Minute
)

// SignIn checks a password and begins a session; cookie is its value for the
// browser. An unknown address, a wrong password and a disabled user are one and
// the same [postroom.Unauthenticated], in the same time. Too many tries for one
// account, or from one address, are a [postroom.TooMany] that says how long to
// wait.
func (d *Door) SignIn(ctx context.Context, email string, password postroom.Secret, from Client) (cookie postroom.Secret, u postroom.User, err error) {
	email, err = cleanEmail(email)
	if err != nil {
		email = "" // nobody's, which takes the same time and the same words
	}
	giveBack, err := d.takeTry(email, from)
	if err != nil {
		d.log().WarnContext(ctx, "sign-in held back")
		return cookie, u, err
	}
	u, hash, _, err := d.Store.UserByEmail(ctx, email)
	if err != nil {
		return cookie, postroom.User{}, err
	}
	right, err := d.passwords.matches(ctx, hash, password)
	if err != nil {
		return cookie, postroom.User{}, err
	}
	if right {
		var s Session
		var value string
		var cookieHash [32]byte
		value, cookieHash, s = d.newSession(u.ID, from)
		if right, err = d.Store.BeginSession(ctx, cookieHash, s, hash); err != nil {
			return cookie, postroom.User{}, err
		}
		cookie = postroom.Hide(value)
	}
	if !right {
		d.log().WarnContext(ctx, "sign-in refused", "user", u.ID)
		return postroom.Secret{}, postroom.User{}, wrongPassword()
	}
	giveBack()
	d.log().InfoContext(ctx, "signed in", "user", u.ID)
	return cookie, u, nil
}

// ChangePassword gives the one who asks another password. All their sessions end,
// and cookie is that of a new one. A wrong current password counts as a failed
// sign-in and is [postroom.Invalid]: they are signed in, after all.
func (d *Door) ChangePassword(ctx context.Context, by postroom.Viewer, current, next postroom.Secret, from Client) (cookie postroom.Secret, err error) {
	u, err := d.User(ctx, by.User)
	if err != nil {
		return cookie, err
	}
	giveBack, err := d.takeTry(u.Email, from)
	if err != nil {
		return cookie, err
	}
	_, hash, _, err := d.Store.UserByEmail(ctx, u.Email)
	if err != nil {
		return cookie, err
	}
	right, err := d.passwords.matches(ctx, hash, current)
	if err != nil {
		return cookie, err
	}
	if !right {
		return cookie, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.BadCredentials, FixBy: postroom.FixByUser, Field: "current",
			Explanation: "This is not your password.",
			Remedy:      "Type the one you sign in with. If you have forgotten it, ask an administrator for a new one.",
		}
	}
	giveBack()
	if err := d.SetPassword(ctx, u.Email, next); err != nil {
		return cookie, err
	}
	cookie, _, err = d.SignIn(ctx, u.Email, next, from)
	return cookie, err
}

// takeTry counts a sign-in before it is known how it ends.
func (d *Door) takeTry(email string, from Client) (giveBack func(), err error) {
	account, address := accountKey(email), addressKey(from.Address)
	if address != "" {
		if wait, ok := d.tries.take(address, allowance{addressTries, addressEach}, d.now()); !ok {
			return nil, tooMany("There were too many tries to sign in from here.", wait)
		}
	}
	if wait, ok := d.tries.take(account, allowance{accountTries, accountEach}, d.now()); !ok {
		return nil, tooMany("There were too many tries to sign in with this address.", wait)
	}
	return func() {
		d.tries.giveBack(address, allowance{addressTries, addressEach})
		d.tries.forgive(account)
	}, nil
}

// newSession makes what the browser keeps, what the database knows of that, and
// the session.
func (d *Door) newSession(user postroom.UserID, from Client) (cookie string, hash [32]byte, s Session) {
	cookie, hash = newSecret("")
	now := d.now()
	return cookie, hash, Session{
		User: user, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(SessionLasts),
		Address: from.Address, Agent: from.Agent,
	}
}

// Session says who a browser with this cookie is. Being used puts the session's
// end off. A cookie that opens nothing is [postroom.Unauthenticated].
func (d *Door) Session(ctx context.Context, cookie string) (postroom.Viewer, Session, error) {
	hash, ok := hashOf(cookie, "")
	if !ok {
		return postroom.Viewer{}, Session{}, signedOut()
	}
	now := d.now()
	s, u, ok, err := d.Store.Session(ctx, hash, now)
	if err != nil {
		return postroom.Viewer{}, Session{}, err
	}
	if !ok {
		return postroom.Viewer{}, Session{}, signedOut()
	}
	if now.Sub(s.SeenAt) >= sessionNoted {
		s.SeenAt, s.ExpiresAt = now, now.Add(SessionLasts)
		if err := d.Store.TouchSession(ctx, s.ID, s.SeenAt, s.ExpiresAt); err != nil {
			d.log().WarnContext(ctx, "session not noted as used", "session", s.ID, "err", err)
		}
	}
	return ViewerOf(u), s, nil
}

// ViewerOf is a user as the one who asks.
func ViewerOf(u postroom.User) postroom.Viewer {
	return postroom.Viewer{User: u.ID, Role: u.Role, Name: u.Name}
}

// SignOut ends the session of a cookie. One that has ended already is a success.
func (d *Door) SignOut(ctx context.Context, cookie string) error {
	hash, ok := hashOf(cookie, "")
	if !ok {
		return nil
	}
	return d.Store.EndSession(ctx, hash)
}

// Sessions lists where the one who asks is signed in, the last used first. A token
// is signed in nowhere.
func (d *Door) Sessions(ctx context.Context, by postroom.Viewer) ([]Session, error) {
	if by.User == 0 {
		return nil, nil
	}
	return d.Store.Sessions(ctx, by.User, d.now())
}

// Revoke ends one of the sessions of the one who asks.
func (d *Door) Revoke(ctx context.Context, by postroom.Viewer, id postroom.SessionID) error {
	ok, err := d.Store.RevokeSession(ctx, by.User, id)
	if err != nil {
		return err
	}
	if !ok {
		return &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "You are not signed in there any more.",
			Remedy:      "Look at the list again.",
		}
	}
	return nil
}

func wrongPassword() error {
	return &postroom.Fault{
		Kind: postroom.Unauthenticated, Class: postroom.BadCredentials, FixBy: postroom.FixByUser,
		Explanation: "This address and password do not open anything here.",
		Remedy:      "Look for a slip of the finger. If you have forgotten the password, ask an administrator for a new one.",
	}
}

func signedOut() error {
	return &postroom.Fault{
		Kind: postroom.Unauthenticated, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "You are not signed in.",
		Remedy:      "Sign in, and go on where you were.",
	}
}
