package store

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

// postOffice is a postman for a POP3 mailbox.
func (p *postman) postOffice(name string) postroom.MailboxID {
	p.t.Helper()
	id := p.mailbox(name)
	p.recount(id, postroom.POP3)
	return id
}

// recount has the mailbox counted anew, by a protocol.
func (p *postman) recount(id postroom.MailboxID, protocol postroom.Protocol) {
	p.t.Helper()
	n, err := p.db.BeginNumbering(context.Background(), p.fence(id), postroom.Numbering{Mailbox: id, Protocol: protocol, Folder: "INBOX"})
	p.must(err)
	p.box[id] = n
}

func uidl(text string, occurrence int) Listed {
	return Listed{Name: postroom.Name{UIDL: text, Occurrence: occurrence}, State: postroom.ArrivalWaiting, SizeBytes: int64(len(text))}
}

func (p *postman) bookList(id postroom.MailboxID, names []Listed, gone ...postroom.ArrivalID) {
	p.t.Helper()
	p.must(p.db.BookList(context.Background(), p.fence(id), p.box[id], names, gone))
}

// shown are the names of a mailbox as "uidl/occurrence state", and their ids.
func (p *postman) shown(id postroom.MailboxID) (names []string, ids map[string]postroom.ArrivalID) {
	p.t.Helper()
	list, err := p.db.ShownArrivals(context.Background(), p.box[id].ID)
	p.must(err)
	ids = make(map[string]postroom.ArrivalID)
	for _, s := range list {
		name := fmt.Sprintf("%s/%d", s.Name.UIDL, s.Name.Occurrence)
		names, ids[name] = append(names, name+" "+string(s.State)), s.ID
		if s.ListedBytes != int64(len(s.Name.UIDL)) {
			p.t.Errorf("%s was listed with %d bytes, want %d", name, s.ListedBytes, len(s.Name.UIDL))
		}
	}
	return names, ids
}

func (p *postman) wantShown(what string, id postroom.MailboxID, want ...string) {
	p.t.Helper()
	if got, _ := p.shown(id); !cmp.Equal(got, want) {
		p.t.Errorf("%s: %v are shown, want %v", what, got, want)
	}
}

func TestNamesThatComeAndGo(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		h := &house{t: t, db: db}
		box := p.postOffice("support")
		p.bookList(box, []Listed{uidl("b", 0), uidl("a", 0), uidl(" 5:9", 0), uidl(" 5:9", 1)})
		p.bookList(box, []Listed{uidl("b", 0)}) // once more
		p.wantShown("at first", box, " 5:9/0 waiting", " 5:9/1 waiting", "a/0 waiting", "b/0 waiting")

		_, ids := p.shown(box)
		brought := p.bytesFor(box, ids["b/0"], "bytes of b", true)
		p.bookList(box, nil, ids["a/0"], ids["b/0"])
		p.wantShown("two are gone", box, " 5:9/0 waiting", " 5:9/1 waiting")
		if state, reason := h.arrivalState(ids["a/0"]); state != postroom.ArrivalVanished || reason == "" {
			t.Errorf("gone without bytes: %s %q, want vanished and why", state, reason)
		}
		if state, _ := h.arrivalState(brought); state != postroom.ArrivalWaiting {
			t.Errorf("gone with bytes: %s, want waiting: it is here", state)
		}

		last, err := db.LastOccurrences(ctx, p.box[box].ID, []string{"a", "b", "c", " 5:9"})
		if want := map[string]int{"a": 0, "b": 0, " 5:9": 1}; err != nil || !cmp.Equal(last, want) {
			t.Errorf("last occurrences %v, %v, want %v", last, err, want)
		}
		p.bookList(box, []Listed{uidl("a", 1)})
		p.wantShown("one is back", box, " 5:9/0 waiting", " 5:9/1 waiting", "a/1 waiting")
		if n := h.count(`select count(*) from arrival where uidl = 'a' and gone_at is not null and state = 'vanished'`); n != 1 {
			t.Errorf("%d first occurrences are gone, want 1", n)
		}

		p.recount(box, postroom.POP3)
		p.wantShown("in another numbering", box)
		last, err = db.LastOccurrences(ctx, p.box[box].ID, []string{"a"})
		if err != nil || len(last) != 0 {
			t.Errorf("last occurrences %v, %v in another numbering, want none", last, err)
		}
	})
}

func TestManyNamesAreAskedForAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.postOffice("support")
		var names []Listed
		var asked []string
		want := make(map[string]int)
		for i := range 2*askedAtOnce + 7 {
			name := fmt.Sprintf("name %d", i)
			names = append(names, uidl(name, i%3))
			asked = append(asked, name, "unknown "+name)
			want[name] = i % 3
		}
		p.bookList(box, names)
		got, err := db.LastOccurrences(context.Background(), p.box[box].ID, asked)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%v: %s", err, cmp.Diff(want, got))
		}
	})
}

// Names without an order are brought in the order of the list.
func TestWantedNamesOfPOP3(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.postOffice("support")
		p.bookList(box, []Listed{uidl("z", 0), uidl("a", 0), uidl("m", 0)})
		wanted, err := db.WantedArrivals(ctx, p.box[box].ID, 0, 10)
		p.must(err)
		var got []string
		for _, w := range wanted {
			got = append(got, w.Name.UIDL)
		}
		if want := []string{"z", "a", "m"}; !cmp.Equal(got, want) {
			t.Errorf("wanted %v, want %v", got, want)
		}
	})
}

// A missed name is booked behind the position, which stays.
func TestMissedNamesAreBooked(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		p.must(db.BookNames(ctx, p.fence(box), p.box[box], []Listed{{Name: postroom.Name{UID: 9}, State: postroom.ArrivalWaiting}}, 9))
		p.must(db.BookMissing(ctx, p.fence(box), p.box[box], []Listed{{Name: postroom.Name{UID: 5}, State: postroom.ArrivalWaiting}, {Name: postroom.Name{UID: 9}, State: postroom.ArrivalWaiting}}))
		numberings, err := db.Numberings(ctx, box)
		p.must(err)
		wanted, err := db.WantedArrivals(ctx, p.box[box].ID, 0, 10)
		p.must(err)
		if len(wanted) != 2 || wanted[0].Name.UID != 5 || numberings["INBOX"].Position != 9 {
			t.Errorf("wanted %v, position %d, want 5 and 9, and position 9", wanted, numberings["INBOX"].Position)
		}
	})
}
