package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/pop3"
)

// A popSession is one visit by POP3: the mailbox is listed once, what is new is
// brought in, what is due is done, and QUIT ends it. What arrives meanwhile is for
// the next visit (RFC 1939 section 3).
type popSession struct {
	*watch
	client  *pop3.Client
	began   time.Time
	listing *listing // nil: not listed yet

	// read are the messages that were retrieved in this session, with the SHA-256 of
	// what came; zero where nobody asks for it.
	read   map[postroom.Name][sha256.Size]byte
	marked map[postroom.ArrivalID]bool // by DELE; gone once QUIT is answered
	// Of TOP, as far as this session knows.
	gaveTOP, noTOP bool
}

const (
	// turnOfVisit is how long one visit goes on where there is much to bring: then
	// QUIT, and another one, which sees what has arrived meanwhile.
	turnOfVisit = time.Minute
	// waitToDelete is how long a visit waits for mail to be filed that is to be
	// deleted then, before it leaves that to the next one.
	waitToDelete = 2 * time.Second
)

// openPOP3 signs in. A server that deletes by itself what was read is refused where
// mail is to be kept untouched: nothing has been read by then.
func (w *watch) openPOP3(ctx context.Context, o pop3.Options) (*popSession, error) {
	began := time.Now()
	c, err := pop3.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	w.loginDelay = c.LoginDelay()
	w.mayLogIn = time.Now().Add(w.loginDelay) // the server counts from the login, which was before
	if days, known := c.Expire(); known && days == 0 && w.m.AfterImport != postroom.AfterImportDelete {
		_ = c.Close()
		return nil, deletesWhatIsRead(w.m.Incoming.Host)
	}
	return &popSession{
		watch: w, client: c, began: began,
		read: make(map[postroom.Name][sha256.Size]byte), marked: make(map[postroom.ArrivalID]bool),
	}, nil
}

// deletesWhatIsRead is the Fault for EXPIRE 0 (RFC 2449 section 6.7).
func deletesWhatIsRead(host string) *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin, Field: "after_import",
		Explanation: host + " deletes every message that is read by POP3 (it says EXPIRE 0), but mail of this mailbox is to be kept on the server.",
		Remedy: "Read this mailbox by IMAP if the server offers it. Otherwise choose that mail is deleted from the server after it was brought in: " +
			"then nothing happens that was not meant. So far nothing was read, and nothing is deleted.",
	}
}

func (s *popSession) usable() bool { return s.client.Usable() }
func (s *popSession) interrupt()   {} // it waits for nothing but its wake
func (s *popSession) close()       { _ = s.client.Close() }

// follow is the visit. After it, the reader rests until the next one.
func (s *popSession) follow(ctx context.Context) error {
	digest, err := s.digest(ctx)
	if err != nil {
		return err
	}
	if s.quiet == digest && s.healthy && !s.wantsCompare() {
		s.close()
		s.rest(s.interval()) // a nudge that has come meanwhile is heard then
		return nil
	}
	more, err := s.visit(ctx)
	if errors.Is(err, errAside) {
		more, err = true, nil
	}
	if err != nil {
		return err
	}
	if len(s.marked) > 0 {
		digest = [sha256.Size]byte{} // what follows may look the same and be something else
	}
	if err := s.quit(ctx); err != nil {
		return err
	}
	if more {
		s.rest(0)
		return nil
	}
	return s.leave(ctx, digest)
}

// visit brings in what is new and does what is due; more says that there is more.
func (s *popSession) visit(ctx context.Context) (more bool, err error) {
	for more = true; more; {
		if more, err = s.round(ctx); err != nil {
			return false, err
		}
		if s.wantsCompare() {
			if err := s.compareLists(ctx); err != nil {
				return false, err
			}
		}
		if more && (s.asides.Load() > 0 || s.loginDelay == 0 && time.Since(s.began) > turnOfVisit) {
			return true, nil
		}
	}
	return false, s.awaitFiling(ctx)
}

// awaitFiling waits for what was brought in to be filed, if it is to be deleted
// then: it saves a visit, and the server may not want another one soon.
func (s *popSession) awaitFiling(ctx context.Context) error {
	if s.m.AfterImport != postroom.AfterImportDelete || len(s.read) == 0 {
		return nil
	}
	timer := time.NewTimer(waitToDelete)
	defer timer.Stop()
	for len(s.marked) < len(s.read) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-timer.C:
			return nil
		}
		if s.asides.Load() > 0 {
			return nil
		}
		if _, err := s.tend(ctx); err != nil {
			return err
		}
	}
	return nil
}

// quit ends the session. What was marked is gone if the server says so. Otherwise
// it stays due, and the next list tells.
func (s *popSession) quit(ctx context.Context) error {
	if len(s.marked) == 0 {
		s.close() // which says QUIT where that does nothing but end the session
		return nil
	}
	s.fleet.step("before QUIT")
	if err := s.client.Quit(ctx); err != nil {
		return err
	}
	s.fleet.step("after QUIT")
	return s.deleted(ctx)
}

// leastRest is between two visits of which the second has something to do: each is a
// login, and filing may take its time.
const leastRest = time.Second

// leave plans the next visit. If nothing waits and nothing is due, a list that
// tells the same as this one need not be looked at.
func (s *popSession) leave(ctx context.Context, digest [sha256.Size]byte) error {
	s.nudged() // what it was for has been done, or is found now
	pause := s.interval()
	next, ok, err := s.nextWork(ctx)
	if err != nil {
		return err
	}
	s.quiet = digest
	if ok {
		s.quiet = [sha256.Size]byte{}
		pause = min(pause, max(time.Until(next), leastRest))
	}
	s.rest(pause)
	return nil
}

// digest tells one list from another.
func (s *popSession) digest(ctx context.Context) (digest [sha256.Size]byte, err error) {
	l, err := s.listed(ctx)
	if err != nil {
		return digest, err
	}
	sum := sha256.New()
	var number [16]byte
	for _, m := range l.messages {
		binary.BigEndian.PutUint64(number[:8], uint64(m.SizeBytes))
		binary.BigEndian.PutUint64(number[8:], uint64(len(m.UIDL)))
		sum.Write(number[:])
		_, _ = io.WriteString(sum, m.UIDL)
	}
	sum.Sum(digest[:0])
	digest[0] |= 1 // zero is no digest
	return digest, nil
}

// saysLater says whether a server blames the moment and not what it was asked (RFC
// 3206 section 4).
func saysLater(err error) bool {
	r, ok := mail.RefusalOf(err)
	return ok && (r.Code == "SYS/TEMP" || r.Code == "IN-USE")
}
