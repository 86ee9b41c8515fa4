package fetch

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
	"github.com/postroom/postroom/internal/store"
)

// An imapSession is a connection by IMAP. It stays open between passes.
type imapSession struct {
	*watch
	client   *imap.Client
	lookedAt time.Time // when every folder was last opened and listed
	next     uint32    // UIDNEXT of the chosen folder; 0: unknown
	hasty    int       // times in a row that IDLE was over at once
}

func (s *imapSession) usable() bool { return s.client.Usable() }
func (s *imapSession) interrupt()   { s.client.Interrupt() }
func (s *imapSession) close()       { _ = s.client.Close() }

func (s *imapSession) choose(ctx context.Context, folder string) (shown postroom.Numbering, last uint32, err error) {
	status, err := s.client.Settle(ctx, folder)
	if err != nil {
		return postroom.Numbering{}, 0, err
	}
	s.next = status.UIDNext
	shown = s.shown(folder)
	shown.UIDValidity = status.UIDValidity
	return shown, max(status.UIDNext, 1) - 1, nil
}

// countsAnew says whether UIDNEXT has gone back behind a UID that was given out. A
// server that shows a message at or beyond its own UIDNEXT is not believed.
func (s *imapSession) countsAnew(ctx context.Context, n postroom.Numbering, _ *postroom.Numbering) (bool, error) {
	if s.next == 0 || s.next > n.Position || n.Position == 0 {
		return false, nil
	}
	beyond, err := s.client.UIDs(ctx, s.next)
	return len(beyond) == 0, err
}

// drawLine makes the highest UID that is listed now the floor.
func (s *imapSession) drawLine(ctx context.Context, n *postroom.Numbering) error {
	uids, err := s.client.UIDs(ctx, 1)
	if err != nil {
		return err
	}
	n.Floor = 0
	if len(uids) > 0 {
		n.Floor = int64(uids[len(uids)-1])
	}
	return nil
}

// enter books the names beyond the position.
func (s *imapSession) enter(ctx context.Context, f *folder) error {
	uids, err := s.client.UIDs(ctx, f.Position+1)
	if err != nil {
		return err
	}
	return s.book(ctx, f, uids)
}

// book enters UIDs into the ledger, lowest first, and moves the position with each
// commit.
func (s *imapSession) book(ctx context.Context, f *folder, uids []uint32) error {
	for len(uids) > 0 {
		some := uids[:min(len(uids), bookAtOnce)]
		uids = uids[len(some):]
		names := listed(some)
		if err := s.judge(ctx, f, names); err != nil {
			return err
		}
		last := some[len(some)-1]
		if err := s.ledger.BookNames(ctx, s.fence, f.Numbering, names, last); err != nil {
			return err
		}
		f.Position = max(f.Position, last)
	}
	return nil
}

// listed are names as a list tells them: nothing but that they are there.
func listed(uids []uint32) []store.Listed {
	names := make([]store.Listed, len(uids))
	for i, uid := range uids {
		names[i] = store.Listed{Name: postroom.Name{UID: uid}, State: postroom.ArrivalWaiting}
	}
	return names
}

// list books names that came since the last pass first: they are news, and no
// differences.
func (s *imapSession) list(ctx context.Context, f *folder) (store.ServerList, error) {
	uids, err := s.client.UIDs(ctx, 1)
	if err != nil {
		return store.ServerList{}, err
	}
	news := uids
	for len(news) > 0 && news[0] <= f.Position {
		news = news[1:]
	}
	if err := s.book(ctx, f, news); err != nil {
		return store.ServerList{}, err
	}
	return store.ServerList{Numbering: f.Numbering, UIDs: uids}, nil
}

func (s *imapSession) facts(ctx context.Context, names []postroom.Name, take func(told)) error {
	return s.client.Facts(ctx, uidsOf(names), []string{"RECEIVED"}, func(fact imap.Fact) error {
		take(toldBy(fact))
		return nil
	})
}

func (s *imapSession) bodies(ctx context.Context, names []postroom.Name, take func(told, io.Reader) error) error {
	return s.client.Bodies(ctx, uidsOf(names), func(fact imap.Fact, body io.Reader) error {
		return take(toldBy(fact), body)
	})
}

func toldBy(f imap.Fact) told {
	return told{postroom.Name{UID: f.UID}, f.InternalDate, f.SizeBytes, f.GmailID, f.Header}
}

// shows lists the folder. A search may lag behind, so that what it leaves out is
// asked for by its UID.
func (s *imapSession) shows(ctx context.Context, names []postroom.Name) (map[postroom.Name]bool, error) {
	listed, err := s.client.UIDs(ctx, names[0].UID)
	if err != nil {
		return nil, err
	}
	shown := make(map[postroom.Name]bool, len(listed))
	for _, uid := range listed {
		shown[postroom.Name{UID: uid}] = true
	}
	var doubtful []uint32
	for _, n := range names {
		if !shown[n] {
			doubtful = append(doubtful, n.UID)
		}
	}
	if len(doubtful) == 0 {
		return shown, nil
	}
	err = s.client.Facts(ctx, doubtful, nil, func(fact imap.Fact) error {
		shown[postroom.Name{UID: fact.UID}] = true
		return nil
	})
	if err != nil && !s.usable() { // a refusal may mean that there is no such message
		return nil, err
	}
	return shown, nil
}

func uidsOf(names []postroom.Name) []uint32 {
	uids := make([]uint32, len(names))
	for i, n := range names {
		uids[i] = n.UID
	}
	return uids
}

// follow passes over the folders and waits for news between, until something
// breaks or ctx ends.
func (s *imapSession) follow(ctx context.Context) error {
	err := s.read(ctx)
	if errors.Is(err, errAnew) {
		return nil
	}
	return err
}

// read is follow, which ends with errAnew for another connection too.
func (s *imapSession) read(ctx context.Context) error {
	for look := true; ; {
		if look {
			if err := apart(func() error { return s.passAll(ctx) }); err != nil {
				return err
			}
		}
		var err error
		if look, err = s.listen(ctx, time.Now().Add(s.interval())); err != nil {
			return err
		}
		if s.seat.MakeRoom() || s.takesAnew() {
			return errAnew
		}
		if !look || s.renewal.isDue(time.Now()) {
			if err := apart(func() error { return s.renew(ctx) }); err != nil {
				return err
			}
		}
		if !look {
			err := apart(func() (err error) { look, err = s.hasChanged(ctx); return err })
			if err != nil {
				return err
			}
		}
	}
}

// listen follows the first folder and answers who wants to compare, until it is
// time to see after every folder again. look says that there is something to do.
func (s *imapSession) listen(ctx context.Context, sweep time.Time) (look bool, err error) {
	for {
		if s.anew.Load() || s.renewal.isDue(time.Now()) {
			return false, nil
		}
		if s.wantsCompare() {
			if err := apart(func() error { return s.compareAll(ctx) }); err != nil {
				return false, err
			}
		}
		if news, err := s.news(ctx, sweep); err != nil || !news {
			return false, err
		}
		err := apart(func() (err error) { look, err = s.catchUp(ctx); return err })
		if err != nil || look {
			return look, err
		}
	}
}

// catchUp brings in what is new in the first folder, and does what is due.
func (s *imapSession) catchUp(ctx context.Context) (look bool, err error) {
	if more, err := s.pass(ctx, s.m.Incoming.Folders[0]); err != nil || more {
		return true, err
	}
	return s.tend(ctx)
}

// sooner is sweep, or when something is to be done before it.
func (s *imapSession) sooner(ctx context.Context, sweep time.Time) (time.Time, error) {
	next, ok, err := s.nextWork(ctx)
	if err != nil {
		return sweep, err
	}
	if ok && next.Before(sweep) {
		sweep = next
	}
	if until, limited := s.seat.Until(); limited && until.Before(sweep) {
		sweep = until
	}
	if due := s.renewal.due; !due.IsZero() && due.Before(sweep) {
		sweep = due
	}
	return sweep, nil
}

// mayIdle says whether the server tells of news by itself.
func (s *imapSession) mayIdle() bool {
	return s.hasty < mostHasty && s.client.Has("IDLE") && s.selected == s.m.Incoming.Folders[0]
}

// A server that does not wait with IDLE as long as leastIdle, mostHasty times in a
// row, is asked now and then instead.
const (
	leastIdle = time.Second
	mostHasty = 3
)

// news waits until the server says that something has changed in the first
// folder, or until somebody nudges; then it is true. It is false when it is time
// to look at every folder: at sweep, or when something is due to be tried again.
func (s *imapSession) news(ctx context.Context, sweep time.Time) (bool, error) {
	err := apart(func() (err error) { sweep, err = s.sooner(ctx, sweep); return err })
	if err != nil {
		return false, err
	}
	wait := max(time.Until(sweep), 50*time.Millisecond) // the database's clock may be behind ours
	if s.mayIdle() {
		began := time.Now()
		news, err := s.client.Idle(ctx, min(wait, s.fleet.IdleAtMost))
		nudged := s.nudged()
		if _, refused := mail.RefusalOf(err); refused && s.usable() {
			s.hasty, err = mostHasty, nil // it is announced, and not there
		} else if err == nil && !news && !nudged && time.Since(began) < min(wait, leastIdle) {
			s.hasty++
		} else {
			s.hasty = 0
		}
		return news || nudged || time.Now().Before(sweep), err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-s.wake:
		return s.wantsCompare(), nil
	case <-timer.C:
		return false, nil
	}
}
