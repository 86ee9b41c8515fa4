package postroom

import (
	"slices"
	"time"
)

// Role says what a user is here for.
type Role string

const (
	RoleAdmin Role = "admin" // everything but other people's mail
	RoleAgent Role = "agent" // works on issues
	RoleOwner Role = "owner" // owns a mailbox and keeps it signed in
)

// A User is a person who works here.
type User struct {
	ID         UserID
	Email      string
	Name       string
	Role       Role
	CreatedAt  time.Time
	DisabledAt time.Time // zero: may sign in
}

// Scope says what a token may do.
type Scope string

const (
	ScopeRead  Scope = "read"
	ScopeWrite Scope = "write" // and read
	ScopeAdmin Scope = "admin" // and write; connects and tests mailboxes
)

// A Viewer is who is asking: a signed-in user or a token. It is an argument, never
// a value in a context, because background work has none.
type Viewer struct {
	User      UserID // 0: a token
	Token     TokenID
	Role      Role        // of the user
	Scope     Scope       // of the token
	Mailboxes []MailboxID // further mailboxes whose mail the token may see
	Name      string      // for the history
}

// IsAdmin says whether the viewer may see and change settings.
func (v Viewer) IsAdmin() bool {
	return v.User != 0 && v.Role == RoleAdmin || v.User == 0 && v.Scope == ScopeAdmin
}

// CanWrite says whether the viewer may work on issues.
func (v Viewer) CanWrite() bool {
	return v.User != 0 && (v.Role == RoleAdmin || v.Role == RoleAgent) || v.User == 0 && (v.Scope == ScopeWrite || v.Scope == ScopeAdmin)
}

// CanSeeMail says whether the viewer may see the mail of m. Administrators are no
// exception: they see settings, states and ledgers of every mailbox, but mail
// only where they are among its readers.
func (v Viewer) CanSeeMail(m Mailbox) bool {
	users, everyone := m.Visibility.Readers(m.Owner)
	return everyone || v.User != 0 && slices.Contains(users, v.User) || v.User == 0 && slices.Contains(v.Mailboxes, m.ID)
}
