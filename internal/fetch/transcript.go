package fetch

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// transcripts is what is asked of the database about the dialogues that somebody
// wants to see.
type transcripts interface {
	TranscriptsAsked(ctx context.Context, node postroom.NodeID) ([]store.Transcript, error)
	RecordTranscript(ctx context.Context, id postroom.MailboxID, lines []store.TranscriptLine) error
}

// mostUnkept is how many lines of one transcript wait to be kept; what comes beyond
// is counted. They are kept once a second.
const mostUnkept = 500

// An ear hears the dialogue with the server of one mailbox until it is over.
type ear struct {
	askedAt, until time.Time
	node           postroom.NodeID

	mu       sync.Mutex
	lines    []store.TranscriptLine
	left     int // out, since there were too many
	sessions int
	over     bool // nobody takes lines any more, although a connection may still tell them
}

// session begins the transcript of a connection.
func (e *ear) session(with string) (hear func(dir byte, line string)) {
	e.mu.Lock()
	e.sessions++
	name := strconv.Itoa(int(e.node)) + "-" + strconv.Itoa(e.sessions)
	e.mu.Unlock()
	hear = func(dir byte, line string) { e.hear(name, dir, line) }
	hear('N', with)
	return hear
}

func (e *ear) hear(session string, dir byte, line string) {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over || now.After(e.until) {
		return
	}
	if len(e.lines) >= mostUnkept {
		e.left++
		return
	}
	e.lines = append(e.lines, store.TranscriptLine{At: now, Session: session, Direction: dir, Line: store.CutTranscriptLine(line)})
}

// note is a line of our own, beside all connections.
func (e *ear) note(words string) { e.hear("", 'N', words) }

// end has it hear no more.
func (e *ear) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over, e.lines = true, nil
}

// take returns what is to be kept.
func (e *ear) take() []store.TranscriptLine {
	e.mu.Lock()
	defer e.mu.Unlock()
	lines := e.lines
	if e.left > 0 {
		words := fmt.Sprintf("%d more lines are left out: they came faster than they can be written down.", e.left)
		lines = append(lines, store.TranscriptLine{At: time.Now(), Direction: 'N', Line: words})
	}
	e.lines, e.left = nil, 0
	return lines
}

// ear is who listens to a mailbox; nil: nobody does.
func (f *Fleet) ear(id postroom.MailboxID) *ear {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ears[id]
}

// listen keeps what was heard, and listens to those mailboxes that somebody wants to
// hear. A mailbox is connected anew for that, so that the sign-in is heard too.
func (f *Fleet) listen(ctx context.Context) error {
	if err := f.keepTranscripts(ctx); err != nil {
		return err
	}
	asked, err := f.Ledger.TranscriptsAsked(ctx, f.Node)
	if err != nil {
		return err
	}
	ears, begun := make(map[postroom.MailboxID]*ear, len(asked)), make(map[postroom.MailboxID]*ear)
	for _, t := range asked {
		e := f.ears[t.Mailbox]
		if e == nil || !e.askedAt.Equal(t.AskedAt) {
			e = &ear{askedAt: t.AskedAt, until: time.Now().Add(t.Until.Sub(t.AskedAt)), node: f.Node}
			begun[t.Mailbox] = e
		}
		ears[t.Mailbox] = e
	}
	f.mu.Lock()
	before := f.ears
	f.ears = ears
	f.mu.Unlock()
	for id, e := range before {
		if ears[id] != e {
			e.end()
		}
	}
	for id, e := range begun { // which a new connection finds by now
		f.connectAnew(id, e)
	}
	return nil
}

// connectAnew has the reader of a mailbox replace its connection.
func (f *Fleet) connectAnew(id postroom.MailboxID, e *ear) {
	r := f.readers[id]
	if r == nil {
		e.note("This mailbox is not being read at the moment, so that nothing is said. If it is paused, resume it.")
		return
	}
	r.anew.Store(true)
	r.nudge()
}

// keepTranscripts writes down what was heard since it was last called.
func (f *Fleet) keepTranscripts(ctx context.Context) error {
	for id, e := range f.ears { // only this goroutine changes the map
		if lines := e.take(); len(lines) > 0 {
			if err := f.Ledger.RecordTranscript(ctx, id, lines); err != nil {
				return err
			}
		}
	}
	return nil
}

// takesAnew says whether the connection is to be replaced, once.
func (r *reader) takesAnew() bool { return r.anew.CompareAndSwap(true, false) }

// hearing is what a connection tells its lines to; nil: nobody listens.
func (r *reader) hearing() func(dir byte, line string) {
	r.anew.Store(false)
	e := r.fleet.ear(r.m.ID)
	if e == nil {
		return nil
	}
	in := r.m.Incoming
	words := fmt.Sprintf("Connecting to %s, port %d.", in.Host, in.Port)
	switch in.TLS {
	case postroom.TLSImplicit:
		words = fmt.Sprintf("Connecting to %s, port %d, encrypted from the first byte.", in.Host, in.Port)
	case postroom.TLSNone:
		words = fmt.Sprintf("Connecting to %s, port %d, without encryption.", in.Host, in.Port)
	}
	return e.session(words)
}

// notTried is said where a credential is refused for good.
func (r *reader) notTried() string {
	if r.login.isOAuth() {
		return "The sign-in of this mailbox is lost, so that nothing is said until somebody signs in again."
	}
	return "The password of this mailbox is refused, and is not tried again until a new one is entered: servers lock accounts for that."
}

// tell notes something for whoever listens.
func (r *reader) tell(words string) {
	if e := r.fleet.ear(r.fence.Mailbox); e != nil {
		e.note(words)
	}
}
