package store

import (
	"context"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestWhatIsStillToBeDoneIsCounted(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box, other := p.mailbox("support"), p.mailbox("sales")
		p.after, p.folder = postroom.AfterImportMove, "Done"
		_, _ = p.put(box, "one", letterOf("one"))
		p.bring(box, "not filed yet", true)
		second, _ := p.put(box, "two", letterOf("two"))
		next := time.Now().Add(time.Hour).Truncate(time.Microsecond)
		p.must(db.RecordUndone(ctx, p.fence(box), []postroom.ArrivalID{second}, "The folder is full.", next))
		got, err := db.Reader().DueCount(ctx, box)
		if err != nil || got.Due != 2 || got.Undone != 1 || got.Reason != "The folder is full." || !got.NextTry.Equal(next) {
			t.Errorf("DueCount = %+v, %v", got, err)
		}
		if moved, err := db.Reader().HasMoved(ctx, box); err != nil || moved {
			t.Errorf("HasMoved = %v, %v of a mailbox that never did", moved, err)
		}
		n := p.box[box]
		n.Host = "imap.b.example"
		if _, err := db.BeginNumbering(ctx, p.fence(box), n); err != nil {
			t.Fatal(err)
		}
		if moved, err := db.Reader().HasMoved(ctx, box); err != nil || !moved {
			t.Errorf("HasMoved = %v, %v of a mailbox that did", moved, err)
		}
		if got, err := db.Reader().DueCount(ctx, box); err != nil || got.Due != 0 {
			t.Errorf("DueCount where it was read before = %+v, %v", got, err)
		}
		if got, err := db.Reader().DueCount(ctx, other); err != nil || got != (DueCount{}) {
			t.Errorf("DueCount of a mailbox with nothing to do = %+v, %v", got, err)
		}
	})
}
