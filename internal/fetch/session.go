package fetch

import (
	"context"
	"io"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A session is an open mailbox: what a watch can ask of its server, whichever
// protocol that speaks. One goroutine uses it; interrupt and close may come from
// others. What a server refuses leaves the session usable; anything else that goes
// wrong on the way does not.
type session interface {
	// choose opens a folder for what follows and returns the numbering that the server
	// shows for it, and the highest UID that may be in use there.
	choose(ctx context.Context, folder string) (shown postroom.Numbering, last uint32, err error)
	// countsAnew says whether the server has begun to count the chosen folder again,
	// although it is the same as n to look at. It may add to shown how it counts now.
	countsAnew(ctx context.Context, n postroom.Numbering, shown *postroom.Numbering) (bool, error)
	// drawLine settles what of the chosen folder is before the start, where that is
	// the moment of the proof. What it enters in the ledger is in n, begun by then.
	drawLine(ctx context.Context, n *postroom.Numbering) error
	// enter books what the server shows of the chosen folder and the ledger does not
	// know yet.
	enter(ctx context.Context, f *folder) error
	// list is everything that the server shows of the chosen folder. What is new has
	// been entered before.
	list(ctx context.Context, f *folder) (store.ServerList, error)
	// facts asks for what tells how old messages are. Take is called once at most for
	// each.
	facts(ctx context.Context, names []postroom.Name, take func(told)) error
	// bodies asks for messages whole. Take is called once at most for each, with the
	// bytes as they come; what it leaves unread is dropped.
	bodies(ctx context.Context, names []postroom.Name, take func(told, io.Reader) error) error
	// shows returns those of names that the server still shows.
	shows(ctx context.Context, names []postroom.Name) (map[postroom.Name]bool, error)
	// tend does on the server what is due after import, some of it at a time, and
	// records it. did says that there was something.
	tend(ctx context.Context) (did bool, err error)
	// follow reads the mailbox: an IMAP session for as long as it lasts, a POP3 session
	// once.
	follow(ctx context.Context) error
	usable() bool
	// interrupt ends a wait for news.
	interrupt()
	close()
}

// Told is what a server tells of one message beside its bytes. What it did not
// tell is zero.
type told struct {
	postroom.Name
	InternalDate time.Time
	SizeBytes    int64
	GmailID      uint64
	Header       []byte // fields from which its age can be read
}

// open makes a connection for a watch, in its turn. What opens the mailbox is asked for
// then: an access token may have to be fetched first.
func (r *reader) open(ctx context.Context, w *watch) (session, error) {
	leave, err := r.fleet.gate.Enter(ctx, r.server(), r.urgency())
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := r.askLogin(ctx); err != nil {
		return nil, err
	}
	if r.login.isOAuth() {
		return r.signInByToken(ctx, w)
	}
	return r.signIn(ctx, w)
}
