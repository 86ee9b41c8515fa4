package api

import (
	"context"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

func TestRescanSaysWhatThereIsAndBringsIt(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	f := r.fences[r.support.ID]
	path := "/mailboxes/" + r.support.ID.String() + "/rescan"
	r.desk.Wake = func() { // what the reader of the mailbox does
		r.must(r.db.RecordComparison(ctx, f, store.Comparison{
			OnServer: 6, Gone: 12, Arrivals: 15, Deleted: 2, BeforeStart: 1,
			Unaccounted: []store.UnaccountedName{{UID: 7}, {UID: 8}, {UIDL: "abc"}},
		}))
		if wanted, err := r.db.RescanWanted(ctx, r.support.ID); err != nil || wanted {
			r.must(err)
			r.must(r.db.RecordRescan(ctx, f, 3))
		}
	}
	figures := map[string]any{
		"known": 3, "unaccounted": 3, "gone": 12, "deleted": 2, "before_start": 1, "fault": nil,
		"recover": Prefix + "/issues?deleted=true&mailbox=" + r.support.ID.String(),
	}
	r.do(r.admin, "POST", path, `{"dry_run":true}`).want(200).has(figures).has(map[string]any{"dry_run": true, "brought": nil})
	if wanted, err := r.db.RescanWanted(ctx, r.support.ID); err != nil || wanted {
		t.Errorf("a dry run asked for more: %v, %v", wanted, err)
	}
	r.do(r.admin, "POST", path, `{"dry_run":false}`).want(200).has(figures).has(map[string]any{"dry_run": false, "brought": 3})
	r.do(r.admin, "POST", path, `{"dry_run":false,"start":"all"}`).want(200).has(map[string]any{"brought": 3})
	r.do(r.admin, "GET", "/mailboxes/"+r.support.ID.String(), "").want(200).has(map[string]any{"start": "all"})

	r.do(r.admin, "POST", path, `{"dry_run":true,"start":"now"}`).refused(422, "start")
	r.do(r.admin, "POST", path, `{"dry_run":true,"start":"soon"}`).refused(422, "start")
	r.do(r.admin, "POST", path, `{"dry_run":true,"start":"2999-01-01"}`).refused(422, "start")
	r.do(r.admin, "POST", path, `{}`).refused(422, "dry_run")
	r.do(r.writer, "POST", path, `{"dry_run":true}`).refused(403, "")
	r.do(r.admin, "POST", "/mailboxes/99/rescan", `{"dry_run":true}`).refused(404, "")

	r.do(r.admin, "POST", "/mailboxes/"+r.support.ID.String()+"/pause", "").want(200)
	paused := r.do(r.admin, "POST", path, `{"dry_run":false}`).want(200).has(map[string]any{"known": nil, "unaccounted": nil, "gone": nil, "brought": nil})
	if text, _ := paused.at("fault.explanation").(string); !strings.Contains(text, "paused") {
		t.Errorf("rescan of a paused mailbox: %s", paused.Body)
	}
}

func TestNumberingsTellOfAMove(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	r.bring(r.support, letter("a", "Printer", "fire"))
	n, err := r.db.BeginNumbering(ctx, r.fences[r.support.ID], postroom.Numbering{
		Mailbox: r.support.ID, Protocol: postroom.POP3, Host: "pop.example.net", Username: "u", Folder: "INBOX", ByContent: true,
	})
	r.must(err)
	path := "/mailboxes/" + r.support.ID.String() + "/numberings"
	moved := r.do(r.reader, "GET", path, "").want(200).has(map[string]any{
		"items.0.id": n.ID, "items.0.protocol": "pop3", "items.0.host": "pop.example.net", "items.0.by_content": true, "items.0.ended_at": nil, "items.0.counts.filed": 0,
		"items.1.protocol": "imap", "items.1.host": "imap.example.net", "items.1.uid_validity": 7, "items.1.folder": "INBOX", "items.1.counts.filed": 1,
		"items.2": nil, "next_cursor": nil,
	})
	if moved.at("items.1.ended_at") == nil {
		t.Errorf("the numbering before has not ended: %s", moved.Body)
	}
	r.do(r.reader, "GET", "/mailboxes/"+r.private.ID.String()+"/numberings", "").refused(404, "")
	r.do(r.admin, "GET", "/mailboxes/99/numberings", "").refused(404, "")
}

func TestArrivalsTellWhatHappensOnTheServer(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	f := r.fences[r.support.ID]
	n, err := r.db.BeginNumbering(ctx, f, postroom.Numbering{Mailbox: r.support.ID, Protocol: postroom.POP3, Host: "pop.example.net", Username: "u", Folder: "INBOX"})
	r.must(err)
	r.must(r.db.BookList(ctx, f, n, []store.Listed{{Name: postroom.Name{UIDL: "abc", Occurrence: 2}, State: postroom.ArrivalWaiting}}, nil))
	r.do(r.reader, "GET", "/arrivals", "").want(200).has(map[string]any{
		"items.0.uidl": "abc", "items.0.occurrence": 2, "items.0.after_import": "", "items.0.due": false, "items.0.due_reason": "", "items.0.gone_at": nil,
	})
	wanted, err := r.db.WantedArrivals(ctx, n.ID, 0, 1)
	r.must(err)
	raw, err := r.db.ReadRaw(ctx, strings.NewReader(letter("x", "y", "z")), 1<<30, nil)
	r.must(err)
	r.must(r.db.RecordBytes(ctx, f, []store.Brought{{Arrival: wanted[0].ID, Raw: raw, HasMessageID: true, After: postroom.AfterImportDelete}}))
	r.do(r.reader, "GET", "/arrivals", "").want(200).has(map[string]any{"items.0.after_import": "delete", "items.0.due": true})
	r.must(r.db.BookList(ctx, f, n, nil, []postroom.ArrivalID{wanted[0].ID}))
	if gone := r.do(r.reader, "GET", "/arrivals", "").want(200); gone.at("items.0.gone_at") == nil {
		t.Errorf("arrival = %s", gone.Body)
	}
}
