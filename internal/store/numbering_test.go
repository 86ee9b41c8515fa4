package store

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

// settled are the states of the arrivals of a mailbox, counted.
func (p *postman) settled(id postroom.MailboxID) map[postroom.ArrivalState]int64 {
	p.t.Helper()
	counts, err := p.db.ArrivalCounts(context.Background(), id)
	p.must(err)
	return counts
}

func (p *postman) wantSettled(what string, id postroom.MailboxID, want map[postroom.ArrivalState]int64) {
	p.t.Helper()
	if got := p.settled(id); !cmp.Equal(got, want) {
		p.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestANumberingEnds(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		change := func(change func(*postroom.IncomingSettings)) {
			t.Helper()
			m := mustKeep(t, db, box).Mailbox
			change(&m.Incoming)
			_, err := db.ChangeMailbox(ctx, m, MailboxChange{Seen: m.UpdatedAt})
			p.must(err)
		}
		begin := func(folder string) postroom.Numbering {
			t.Helper()
			in := mustKeep(t, db, box).Incoming
			n, err := db.BeginNumbering(ctx, p.fence(box), postroom.Numbering{
				Mailbox: box, Protocol: in.Protocol, Host: in.Host, Username: in.Username, Folder: folder, ByContent: folder == "INBOX", UIDValidity: 5,
			})
			p.must(err)
			return n
		}
		want := func(what string, want ...postroom.Numbering) {
			t.Helper()
			got, err := db.Numberings(ctx, box)
			p.must(err)
			byFolder := make(map[string]postroom.Numbering)
			for _, n := range want {
				byFolder[n.Folder] = n
			}
			if !cmp.Equal(got, byFolder) {
				t.Errorf("%s: %s", what, cmp.Diff(byFolder, got))
			}
		}
		inbox, other := begin("INBOX"), begin("Größe")
		if !inbox.ByContent || inbox.Serial != 2 {
			t.Errorf("%+v, want the second, by content", inbox)
		}
		want("two folders", inbox, other)
		inbox = begin("INBOX")
		want("one is counted anew", inbox, other)
		change(func(in *postroom.IncomingSettings) { in.PollInterval *= 2 })
		want("another pace", inbox, other)
		change(func(in *postroom.IncomingSettings) { in.Folders = []string{"INBOX", "Archive"} })
		want("a folder less", inbox)
		change(func(in *postroom.IncomingSettings) { in.Host = "mail.example.org" })
		want("another server")
		change(func(in *postroom.IncomingSettings) { in.Host = "imap.example.net" })
		want("and back: nobody knows what it counted meanwhile")
		for what, change1 := range map[string]func(*postroom.IncomingSettings){
			"another user":     func(in *postroom.IncomingSettings) { in.Username += "x" },
			"another protocol": func(in *postroom.IncomingSettings) { in.Protocol = postroom.POP3 },
		} {
			begun := begin("INBOX")
			want("before "+what, begun)
			change(change1)
			want(what)
		}
		counts, err := db.Reader().NumberingCounts(ctx, box)
		p.must(err)
		for i, c := range counts {
			if c.EndedAt.IsZero() || i > 0 && c.BegunAt.Before(counts[i-1].BegunAt) || len(c.Counts) > 0 {
				t.Errorf("numbering %d: %+v, want one that has ended, in their order, without arrivals", i, c)
			}
		}
		if len(counts) != 6 {
			t.Errorf("%d numberings, want 6", len(counts))
		}
	})
}

// A mailbox goes from POP3 to IMAP and back, its bytes differ each time, and a
// hundred mails have no Message-ID.
func TestMovingToAndFro(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		const named, nameless = 60, 100
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		deliver := func(round int) {
			for i := range named {
				p.put(box, fmt.Sprintf("named %d, as in round %d", i, round%2), letterOf(fmt.Sprint("named ", i)))
			}
			for i := range nameless { // five contents, twenty times each, in two forms of bytes
				m := letterOf("")
				m.Subject = fmt.Sprint("About ", i%5)
				m.Digest[0] = byte(i % 5)
				p.put(box, fmt.Sprintf("nameless %d, %d, as in round %d", i%5, i%2, round%2), m)
			}
		}
		for round, protocol := range []postroom.Protocol{postroom.POP3, postroom.IMAP, postroom.POP3} {
			p.recount(box, protocol)
			deliver(round)
			want := map[postroom.ArrivalState]int64{postroom.ArrivalFiled: named + nameless}
			if round > 0 {
				want[postroom.ArrivalDuplicate] = int64(round * (named + nameless))
			}
			p.wantSettled(fmt.Sprint("round ", round), box, want)
		}
		m := letterOf("")
		m.Digest[0] = 3
		_, filed := p.put(box, "a twenty-first of one content", m)
		wantFiled(t, "one more than there were", filed, postroom.ArrivalFiled, 0, true)

		counts, err := db.NumberingCounts(context.Background(), box)
		p.must(err)
		var states []map[postroom.ArrivalState]int64
		for _, c := range counts {
			if len(c.Counts) > 0 {
				states = append(states, c.Counts)
			}
		}
		want := []map[postroom.ArrivalState]int64{
			{postroom.ArrivalFiled: 160}, {postroom.ArrivalDuplicate: 160}, {postroom.ArrivalDuplicate: 160, postroom.ArrivalFiled: 1},
		}
		if !cmp.Equal(states, want) {
			t.Errorf("by numbering: %s", cmp.Diff(want, states))
		}
	})
}

// Mail without a Message-ID that moves to another folder, or from two into one.
func TestNamelessMailMovesBetweenFolders(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		begin := func(folder string) {
			n, err := db.BeginNumbering(ctx, p.fence(box), postroom.Numbering{Mailbox: box, Protocol: postroom.IMAP, Folder: folder})
			p.must(err)
			p.box[box] = n
		}
		end := func(folders ...string) {
			m := mustKeep(t, db, box).Mailbox
			m.Incoming.Folders = folders
			m.Incoming.Host, m.Incoming.Username = "", ""
			_, err := db.ChangeMailbox(ctx, m, MailboxChange{Seen: m.UpdatedAt})
			p.must(err)
		}
		deliver := func(what string, want ...postroom.ArrivalState) {
			t.Helper()
			for i, state := range want {
				_, filed := p.put(box, fmt.Sprint("bytes ", what, i), letterOf(""))
				if filed.State != state {
					t.Errorf("%s, mail %d: %s, want %s", what, i, filed.State, state)
				}
			}
		}
		const isNew, again = postroom.ArrivalFiled, postroom.ArrivalDuplicate
		end("INBOX", "Other")
		begin("INBOX")
		deliver("two in a folder", isNew, isNew)
		begin("Other")
		deliver("one in another", isNew)
		end("All")
		begin("All")
		deliver("all three in one", again, again, again, isNew)
		end("All", "INBOX")
		begin("INBOX")
		deliver("the others stand already for the old ones", isNew)
	})
}

// A UIDL that was gone and is listed again, because the server had shown nothing
// for a while, brings the same mail and not another one.
func TestNamelessMailThatWasGoneForAWhile(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.postOffice("support")
		ids := make(map[int]postroom.ArrivalID)
		list := func(name string, occurrence int, want postroom.ArrivalState) {
			t.Helper()
			p.bookList(box, []Listed{uidl(name, occurrence)})
			_, shown := p.shown(box)
			id := p.bytesFor(box, shown[fmt.Sprintf("%s/%d", name, occurrence)], fmt.Sprint("bytes ", name, occurrence), false)
			ids[occurrence] = id
			filed, err := p.db.File(context.Background(), p.filing(box, id, letterOf("")))
			p.must(err)
			if filed.State != want {
				t.Errorf("%s, occurrence %d: %s, want %s", name, occurrence, filed.State, want)
			}
		}
		list("a", 0, postroom.ArrivalFiled)
		list("a", 1, postroom.ArrivalFiled) // shown twice: by content only
		for round := range 2 {
			p.bookList(box, nil, ids[2*round], ids[2*round+1])
			list("a", 2*round+2, postroom.ArrivalDuplicate)
			list("a", 2*round+3, postroom.ArrivalDuplicate)
		}
		p.bookList(box, nil, ids[4])
		list("b", 0, postroom.ArrivalFiled)
	})
}

func TestSameBytesSentTwice(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		p.put(box, "bytes", letterOf("one"))
		p.put(box, "bytes", letterOf("one"))
		p.wantSettled("twice on purpose", box, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 1, postroom.ArrivalDuplicate: 1})
		for i := range 5 {
			m := letterOf("one")
			m.Digest[1] = byte(i + 1)
			p.put(box, fmt.Sprint("other bytes ", i), m)
		}
		p.wantSettled("five others of its name", box, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 6, postroom.ArrivalDuplicate: 1})
	})
}

func TestFurtherDeliveryIsTold(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		support, sales := p.mailbox("support"), p.mailbox("sales")
		first := p.deliver(support, letterOf("first"))
		before := len(eventsOf(t, db, sales))
		p.deliver(sales, letterOf("first"))
		p.deliver(sales, letterOf("first"))
		got := eventsOf(t, db, sales)[before:]
		if want := []string{fmt.Sprintf("issue.continued:%s:%s", first.Entry, sales)}; !cmp.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}
