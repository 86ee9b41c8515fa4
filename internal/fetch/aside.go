package fetch

import (
	"context"
	"sync"

	"github.com/postroom/postroom"
)

// Aside has the reader of a mailbox leave the server alone until resume is called:
// by POP3 a server lets one in at a time (RFC 1939 section 4). It waits until the
// visit that is under way has ended, in the middle of what there is to bring. A
// mailbox that is read by IMAP, or not here, is not in anybody's way.
func (f *Fleet) Aside(ctx context.Context, id postroom.MailboxID) (resume func(), err error) {
	f.mu.Lock()
	r := f.readers[id]
	f.mu.Unlock()
	if r == nil {
		return func() {}, nil
	}
	r.asides.Add(1)
	select {
	case r.visiting <- struct{}{}:
	case <-r.done:
		return func() {}, nil
	case <-ctx.Done():
		r.asides.Add(-1)
		return nil, ctx.Err()
	}
	return sync.OnceFunc(func() {
		r.asides.Add(-1)
		<-r.visiting
	}), nil
}

// beginVisit waits until nobody else needs the one session that a server allows.
func (r *reader) beginVisit(ctx context.Context) (end func(), err error) {
	if r.m.Incoming.Protocol != postroom.POP3 {
		return func() {}, nil
	}
	select {
	case r.visiting <- struct{}{}:
		return func() { <-r.visiting }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
