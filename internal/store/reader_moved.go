package store

import (
	"context"
	"fmt"

	"github.com/postroom/postroom"
)

const hasMoved = `select exists (select 1 from numbering where mailbox = $1 and (ended_at is not null or by_content))`

// HasMoved says whether it is worth telling where a mailbox has been read: a count of
// one of its folders has ended, or knows messages by content only.
func (r *Reader) HasMoved(ctx context.Context, id postroom.MailboxID) (moved bool, err error) {
	if err := r.db.queryRow(ctx, hasMoved, id).Scan(&moved); err != nil {
		return false, fmt.Errorf("look whether mailbox %s has moved: %w", id, err)
	}
	return moved, nil
}
