package store

import (
	"context"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// What a person deleted, and what was erased after it, does not come back from the
// server, whichever way it is shown again, and leaves no bytes behind.
func TestWhatWasDeletedStaysAway(t *testing.T) {
	ctx := context.Background()
	readd := func(p *postman, change func(*postroom.Mailbox)) postroom.MailboxID {
		m := supportMailbox()
		change(&m)
		m, err := p.db.AddMailbox(ctx, m, "password", sealed("x"))
		p.must(err)
		_, err = p.db.TakeLeases(ctx, p.node)
		p.must(err)
		p.renumber(m.ID)
		return m.ID
	}
	ways := map[string]func(p *postman, box postroom.MailboxID) postroom.MailboxID{
		"counted anew": func(p *postman, box postroom.MailboxID) postroom.MailboxID {
			p.renumber(box)
			return box
		},
		"by POP3": func(p *postman, box postroom.MailboxID) postroom.MailboxID {
			p.recount(box, postroom.POP3)
			return box
		},
		"removed and continued": func(p *postman, box postroom.MailboxID) postroom.MailboxID {
			p.must(p.db.DeleteMailbox(ctx, box, false))
			_, err := p.db.ContinueMailbox(ctx, box, supportMailbox(), "password", sealed("x"))
			p.must(err)
			_, err = p.db.TakeLeases(ctx, p.node)
			p.must(err)
			p.renumber(box)
			return box
		},
		"removed and added as new": func(p *postman, box postroom.MailboxID) postroom.MailboxID {
			p.must(p.db.DeleteMailbox(ctx, box, false))
			return readd(p, func(*postroom.Mailbox) {})
		},
		"removed and added for others": func(p *postman, box postroom.MailboxID) postroom.MailboxID {
			p.must(p.db.DeleteMailbox(ctx, box, false))
			return readd(p, func(m *postroom.Mailbox) { m.Visibility = postroom.Visibility{Kind: postroom.VisibleToOwner} })
		},
	}
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := &house{t: t, db: db}
		p := newPostman(t, db, "one")
		person := postroom.Viewer{User: addPerson(t, db, "ben@example.net"), Name: "Ben"}
		for way, again := range ways {
			for _, isErased := range []bool{false, true} {
				box := readd(p, func(*postroom.Mailbox) {})
				for raw, name := range map[string]string{"named": "named", "nameless": ""} {
					_, filed := p.put(box, raw, letterOf(name))
					_, err := db.DeleteIssue(ctx, person, filed.Issue)
					p.must(err)
				}
				if isErased {
					_, err := db.EraseDeleted(ctx, time.Now().Add(time.Hour), 10)
					p.must(err)
				}
				box = again(p, box)
				chunks := h.count(`select count(*) from raw_chunk`)
				for raw, name := range map[string]string{"named": "named", "nameless": "", "named, otherwise": "named"} {
					arrival := p.bring(box, raw, name != "")
					_, err := db.File(ctx, p.filing(box, arrival, letterOf(name)))
					p.must(err)
					if state, reason := h.arrivalState(arrival); state != postroom.ArrivalDuplicate {
						t.Errorf("%s, erased %v: %q comes back %s: %s", way, isErased, raw, state, reason)
					}
				}
				p.put(box, "nameless, and one more", letterOf(""))
				if n := h.count(`select count(*) from issue where deleted_at is null`); n != 1 {
					t.Errorf("%s, erased %v: %d issues, want the one of a second nameless mail", way, isErased, n)
				}
				if n := h.count(`select count(*) from raw_chunk`); isErased && n != chunks+1 {
					t.Errorf("%s: %d chunks of erased mail are back", way, n-chunks-1)
				}
				h.must(db.DeleteMailbox(ctx, box, false))
				h.emptyHouse()
			}
		}
	})
}

// emptyHouse forgets all mail and all mailboxes.
func (h *house) emptyHouse() {
	h.t.Helper()
	h.do(func(t *tx) error {
		for _, q := range []string{
			`delete from arrival`, `delete from entry`, `delete from mail`, `update raw set chunks = 0`, `delete from raw_chunk`,
			`delete from raw`, `delete from issue`, `delete from mailbox`,
		} {
			if err := t.exec(q); err != nil {
				return err
			}
		}
		return nil
	})
}

// The issues of a mailbox that was removed with them are deleted before they are
// erased: what comes in between does not join them, and goes with them.
func TestMailOfARemovedMailboxComesBeforeItIsErased(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		p.put(box, "first", letterOf("first"))
		p.must(db.DeleteMailbox(ctx, box, true))
		counts, err := db.ArrivalCounts(ctx, box)
		if err != nil || counts[postroom.ArrivalFiled] != 0 || counts[postroom.ArrivalDeleted] != 1 {
			t.Errorf("arrivals %v, %v, want one deleted with its issue", counts, err)
		}
		back := p.mailbox("support")
		_, filed := p.put(back, "first, again", letterOf("first"))
		wantFiled(t, "erased with its mailbox", filed, postroom.ArrivalDuplicate, 0, false)
		_, filed = p.put(back, "second", letterOf("second", "first"))
		wantFiled(t, "a new mail", filed, postroom.ArrivalFiled, 0, true)
	})
}
