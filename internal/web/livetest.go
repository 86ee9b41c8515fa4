package web

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// The limits of tests that pages watch.
const (
	testWaits   = time.Minute      // between the click and the page that listens
	testIsKept  = 10 * time.Minute // after it is through, for a page that is loaded again
	testsInAll  = 200
	testsOfOne  = 8 // of one session
	testIDBytes = 16
)

// A liveTest is a test that somebody has asked for. It runs within the request of the
// page that listens to it, so that it ends when that page is left, and what it needs
// of secrets is let go when it begins.
type liveTest struct {
	session postroom.SessionID
	place   string // the form or page it belongs to: one test runs at a place
	asked   time.Time
	watched testPage
	mailbox postroom.Mailbox // as it is tested
	// run makes the test, and through says what its end shows beside the steps. Both are
	// nil once it has begun.
	run     func(context.Context, func(mailbox.Step)) (mailbox.Report, error)
	through func(testPage, mailbox.Report, error) (testEnd, error)

	cancel context.CancelFunc // nil: it does not run
	end    *testEnd           // nil: it is not through
}

// liveTests are the tests that wait, run, or were through a while ago.
type liveTests struct {
	mu    sync.Mutex
	tests map[string]*liveTest
}

// add has a test wait for the page that will listen to it. A test that the same
// session has at the same place is ended.
func (l *liveTests) add(t *liveTest, now time.Time) (id string) {
	id = rand.Text()[:testIDBytes]
	t.asked = now
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tests == nil {
		l.tests = make(map[string]*liveTest)
	}
	for old, other := range l.tests {
		if other.isOver(now) || other.session == t.session && other.place == t.place {
			l.drop(old)
		}
	}
	for l.count(t.session) >= testsOfOne {
		l.dropOldest(func(other *liveTest) bool { return other.session == t.session })
	}
	for len(l.tests) >= testsInAll {
		l.dropOldest(func(*liveTest) bool { return true })
	}
	l.tests[id] = t
	time.AfterFunc(testWaits, func() { l.forget(id) })
	return id
}

// forget lets go of a test that nobody came for, and of the password in it.
func (l *liveTests) forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tests[id]; t != nil && t.run != nil {
		delete(l.tests, id)
	}
}

func (t *liveTest) isOver(now time.Time) bool {
	switch {
	case t.cancel != nil:
		return false // the page that listens ends it
	case t.end != nil:
		return now.Sub(t.asked) > testIsKept
	}
	return now.Sub(t.asked) > testWaits
}

func (l *liveTests) count(session postroom.SessionID) (n int) {
	for _, t := range l.tests {
		if t.session == session {
			n++
		}
	}
	return n
}

func (l *liveTests) dropOldest(among func(*liveTest) bool) {
	oldest := ""
	for id, t := range l.tests {
		if among(t) && (oldest == "" || t.asked.Before(l.tests[oldest].asked)) {
			oldest = id
		}
	}
	l.drop(oldest)
}

func (l *liveTests) drop(id string) {
	if t := l.tests[id]; t != nil && t.cancel != nil {
		t.cancel()
	}
	delete(l.tests, id)
}

// find returns a test of a session; ok is false where there is none any more.
func (l *liveTests) find(id string, session postroom.SessionID, now time.Time) (t liveTest, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.tests[id]
	if found == nil || found.session != session || found.isOver(now) {
		return liveTest{}, false
	}
	return *found, true
}

// begin takes a test that waits: it runs once.
func (l *liveTests) begin(id string, session postroom.SessionID, now time.Time, cancel context.CancelFunc) (t liveTest, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.tests[id]
	if found == nil || found.session != session || found.run == nil || found.isOver(now) {
		return liveTest{}, false
	}
	t = *found
	found.run, found.through, found.cancel = nil, nil, cancel
	return t, true
}

// finish keeps what a test has come to; nil: it came to nothing.
func (l *liveTests) finish(id string, end *testEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tests[id]
	if t == nil {
		return
	}
	if end == nil {
		delete(l.tests, id)
		return
	}
	t.cancel, t.end = nil, end
}

// startTest has a test wait for the page that is sent with it.
func (s *Server) startTest(by visitor, t *liveTest) testPage {
	t.session = by.Session.ID
	t.watched.ID = s.tests.add(t, s.now())
	return t.watched
}

// watchTest handles GET /tests/{id}: it makes the test, and tells each step as a
// server-sent event.
func (s *Server) watchTest(w http.ResponseWriter, r *http.Request, by visitor) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := stream{out: w, cancel: cancel}
	out.open()
	id := r.PathValue("id")
	t, ok := s.tests.begin(id, by.Session.ID, s.now(), cancel)
	if !ok {
		s.tellEnd(r.Context(), &out, id, local(r.FormValue("at")), by)
		return nil
	}
	var stopping sync.WaitGroup
	defer stopping.Wait()
	defer cancel()
	stopping.Go(func() {
		select {
		case <-s.Stopping:
			cancel()
		case <-ctx.Done():
		}
	})
	shown := t.watched
	report, err := t.run(ctx, func(step mailbox.Step) {
		side := shown.tell(s.viewStep(by, t.mailbox, step))
		out.send(ctx, "part", testProgress(shown, side))
	})
	if ctx.Err() != nil {
		s.tests.finish(id, nil)
		return nil // nobody listens
	}
	end, err := t.through(shown, report, err)
	if err != nil {
		end = testEnd{testPage: shown}
		v := s.ourMistake(r, err)
		end.Fault = &v
	}
	s.tests.finish(id, &end)
	out.send(ctx, "part", testThrough(end))
	out.send(ctx, "end", nothing())
	return nil
}

// tellEnd tells how a test ended that does not wait any more.
func (s *Server) tellEnd(ctx context.Context, out *stream, id, at string, by visitor) {
	t, ok := s.tests.find(id, by.Session.ID, s.now())
	if ok && t.end != nil {
		out.send(ctx, "part", testThrough(*t.end))
	} else {
		out.send(ctx, "part", testThrough(testEnd{testPage: testPage{ID: id, At: at}, Lost: true}))
	}
	out.send(ctx, "end", nothing())
}
