package fetch

import (
	"context"
	"crypto/sha256"
	"io"

	"github.com/postroom/postroom/internal/mail/imap"
	"github.com/postroom/postroom/internal/store"
)

// copyMissing copies the messages that the target lacks: the process may have ended
// after a copy and before that was recorded.
func (s *imapSession) copyMissing(ctx context.Context, f *folder, due []store.Due, target string) error {
	err := s.withFolder(ctx, target, func() error {
		_, err := s.client.Examine(ctx, target)
		return err
	})
	if err != nil {
		return err
	}
	there, err := s.copiesThere(ctx, due)
	if err != nil {
		return err
	}
	var missing []store.Due
	for _, d := range due {
		if there[string(d.SHA256)]--; there[string(d.SHA256)] < 0 {
			missing = append(missing, d)
		}
	}
	same, err := s.openForChange(ctx, f)
	if err == nil && !same {
		err = errChangedNumbering
	}
	if err != nil || len(missing) == 0 {
		return err
	}
	return s.client.Copy(ctx, uidsOfDue(missing), target)
}

// copiesThere counts what the selected folder has of messages, by the SHA-256 of
// their bytes. What has the same Message-ID, or none, and the same size may be
// another message all the same, so that its bytes are read. The copies of a moment
// ago are the newest ones.
func (s *imapSession) copiesThere(ctx context.Context, due []store.Due) (there map[string]int, err error) {
	type likeness struct {
		messageID string
		sizeBytes int64
	}
	alike := make(map[likeness]int)
	for _, d := range due {
		alike[likeness{d.MessageID, d.SizeBytes}]++
	}
	there = make(map[string]int)
	for l, n := range alike {
		uids, err := s.client.CopiesOf(ctx, l.messageID, l.sizeBytes)
		if err != nil {
			return nil, err
		}
		err = s.client.Bodies(ctx, uids[max(0, len(uids)-n-otherCopies):], func(_ imap.Fact, body io.Reader) error {
			sum := sha256.New()
			_, err := io.Copy(sum, body)
			there[string(sum.Sum(nil))]++
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return there, nil
}

// otherCopies is how many messages that look the same, and have come to a folder
// since copies were made there, do not hide these.
const otherCopies = 20
