package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/pop3"
	"github.com/postroom/postroom/internal/store"
)

// tend marks what is due for deletion. QUIT carries it out.
func (s *popSession) tend(ctx context.Context) (did bool, err error) {
	f := s.numberings[s.m.Incoming.Folders[0]]
	if f == nil {
		return false, nil
	}
	due, err := s.ledger.DueActions(ctx, f.ID, len(s.marked)+actAtOnce)
	if err != nil {
		return false, err
	}
	due = slices.DeleteFunc(due, func(d store.Due) bool { return s.marked[d.Arrival] })
	if len(due) == 0 {
		return false, s.isDone(ctx, f)
	}
	f.undone = nil
	var gone, cannot []store.Due
	for _, d := range due {
		if s.asides.Load() > 0 {
			break
		}
		m, here := s.message(d.Name)
		switch {
		case !here:
			gone = append(gone, d)
		case d.Action != postroom.AfterImportDelete:
			cannot = append(cannot, d)
		default:
			if err := s.mark(ctx, f, d, m); err != nil {
				return false, err
			}
		}
	}
	if err := s.done(ctx, gone, ""); err != nil {
		return false, err
	}
	return true, s.done(ctx, cannot, "By POP3 a message can only be kept or deleted.")
}

// mark marks one message, which is the one that was brought in: its name and its
// size say so, or the bytes do.
func (s *popSession) mark(ctx context.Context, f *folder, d store.Due, m pop3.Message) error {
	err := s.identify(ctx, d, m)
	if err == nil {
		err = s.client.Delete(ctx, m.Number)
	}
	if err == nil {
		s.marked[d.Arrival] = true
		s.fleet.step("marked by DELE")
		return nil
	}
	if _, refused := mail.RefusalOf(err); !refused && !errors.Is(err, errOtherBytes) || !s.usable() {
		return err
	}
	return s.putOff(ctx, f, []store.Due{d}, err)
}

var errOtherBytes = errors.New("what the server gives now is not what was brought in")

// identify makes sure that a message is the one that was brought in. Where its name
// does not say so, it must have been retrieved in this session.
func (s *popSession) identify(ctx context.Context, d store.Due, m pop3.Message) error {
	if !s.isByContent(d.Name) {
		return nil
	}
	sum, read := s.read[d.Name]
	if !read {
		hash := sha256.New()
		err := s.client.Retrieve(ctx, m.Number, func(body io.Reader) error {
			_, err := io.Copy(hash, body)
			return err
		})
		if err != nil {
			return err
		}
		sum = [sha256.Size]byte(hash.Sum(nil))
		s.read[d.Name] = sum
	}
	if !slices.Equal(sum[:], d.SHA256) {
		return errOtherBytes
	}
	return nil
}

// deleted records that the server has removed what was marked.
func (s *popSession) deleted(ctx context.Context) error {
	ids := make([]postroom.ArrivalID, 0, len(s.marked))
	for id := range s.marked {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceToStop)
	defer cancel()
	if err := s.ledger.RecordDone(ctx, s.fence, ids, ""); err != nil {
		return err
	}
	f := s.numberings[s.m.Incoming.Folders[0]]
	clear(s.marked)
	return s.ledger.BookList(ctx, s.fence, f.Numbering, nil, ids)
}
