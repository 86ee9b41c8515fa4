package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/pop3"
)

// errAside says that somebody needs the one session that the server allows.
var errAside = errors.New("the session is needed for something else")

// message finds a name in the list of this session.
func (s *popSession) message(n postroom.Name) (m pop3.Message, ok bool) {
	i, ok := s.listing.at[n]
	if !ok {
		return m, false
	}
	return s.listing.messages[i], true
}

// facts reads headers by TOP. Where the server does not offer it, messages are
// judged when their bytes come.
func (s *popSession) facts(ctx context.Context, names []postroom.Name, take func(told)) error {
	for _, n := range names {
		m, ok := s.message(n)
		if !ok {
			continue
		}
		head, ok, err := s.top(ctx, m.Number)
		if err != nil {
			return err
		}
		t := told{Name: n, SizeBytes: m.SizeBytes}
		if ok {
			t.InternalDate, t.Header = s.fleet.dated(head), head
		}
		take(t)
	}
	return nil
}

// bodies retrieves messages one by one. One that is refused does not keep the
// others from being asked for, unless nothing is given at all.
func (s *popSession) bodies(ctx context.Context, names []postroom.Name, take func(told, io.Reader) error) error {
	var refusal error
	given, refused := 0, 0
	for _, n := range names {
		m, ok := s.message(n)
		if !ok {
			continue // vanished, as the list says
		}
		if s.asides.Load() > 0 {
			return errAside
		}
		err := s.retrieve(ctx, n, m, take)
		_, isRefusal := mail.RefusalOf(err)
		switch {
		case err == nil:
			given++
		case !isRefusal || !s.usable():
			return err
		default:
			refusal = err
			if refused++; saysLater(err) || given == 0 && refused >= askAlone {
				return refusal
			}
		}
	}
	return refusal
}

// retrieve reads one message. One that is too large by the server's own word is not
// asked for: a server may take what was read for what may go.
func (s *popSession) retrieve(ctx context.Context, n postroom.Name, m pop3.Message, take func(told, io.Reader) error) error {
	t := told{Name: n, SizeBytes: m.SizeBytes}
	if m.SizeBytes > s.fleet.MaxMessageBytes {
		return take(t, nil)
	}
	return s.client.Retrieve(ctx, m.Number, func(body io.Reader) error {
		if !s.isByContent(n) {
			err := take(t, body)
			s.read[n] = [sha256.Size]byte{}
			return err
		}
		sum := sha256.New()
		if err := take(t, io.TeeReader(body, sum)); err != nil {
			return err
		}
		s.read[n] = [sha256.Size]byte(sum.Sum(nil))
		return nil
	})
}

// isByContent says whether a message is known by its content only: what it is must
// be proven before it is deleted.
func (s *popSession) isByContent(n postroom.Name) bool {
	m, _ := s.message(n)
	return strings.HasPrefix(n.UIDL, " ") || m.SizeBytes == 0 || s.listing.shared[n.UIDL]
}
