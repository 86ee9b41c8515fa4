package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// A postman brings mail into the database by the commits of its way, with nothing
// in between.
type postman struct {
	t    testing.TB
	db   *DB
	node postroom.NodeID
	box  map[postroom.MailboxID]postroom.Numbering
	uid  uint32

	after  postroom.AfterImport // in force for what comes now
	folder string
}

func newPostman(t testing.TB, db *DB, name string) *postman {
	t.Helper()
	p := &postman{t: t, db: db, box: make(map[postroom.MailboxID]postroom.Numbering)}
	var err error
	p.node, err = db.JoinNode(context.Background(), name)
	p.must(err)
	return p
}

func (p *postman) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// mailbox adds a mailbox that this postman's node reads; users none: everyone.
func (p *postman) mailbox(name string, users ...postroom.UserID) postroom.MailboxID {
	p.t.Helper()
	m := supportMailbox()
	m.Address = name + "@example.net"
	if len(users) > 0 {
		m.Visibility = postroom.Visibility{Kind: postroom.VisibleToUsers, Users: users}
	}
	m, err := p.db.AddMailbox(context.Background(), m, "password", sealed("secret"))
	p.must(err)
	_, err = p.db.TakeLeases(context.Background(), p.node)
	p.must(err)
	p.renumber(m.ID)
	return m.ID
}

func (p *postman) fence(id postroom.MailboxID) Fence {
	p.t.Helper()
	owned, err := p.db.OwnedMailboxes(context.Background(), p.node)
	p.must(err)
	for _, o := range owned {
		if o.Fence.Mailbox == id {
			return o.Fence
		}
	}
	p.t.Fatalf("mailbox %s is not owned", id)
	return Fence{}
}

// renumber has the server count the mailbox anew.
func (p *postman) renumber(id postroom.MailboxID) {
	p.t.Helper()
	n, err := p.db.BeginNumbering(context.Background(), p.fence(id), postroom.Numbering{Mailbox: id, Protocol: postroom.IMAP, Folder: "INBOX"})
	p.must(err)
	p.box[id] = n
}

// bring books a name and records its bytes.
func (p *postman) bring(id postroom.MailboxID, raw string, named bool) postroom.ArrivalID {
	p.t.Helper()
	ctx := context.Background()
	p.uid++
	n := p.box[id]
	if n.Protocol == postroom.POP3 {
		p.bookList(id, []Listed{uidl(fmt.Sprint("name ", p.uid), 0)})
	} else {
		p.must(p.db.BookNames(ctx, p.fence(id), n, []Listed{{Name: postroom.Name{UID: p.uid}, State: postroom.ArrivalWaiting}}, p.uid))
	}
	wanted, err := p.db.WantedArrivals(ctx, n.ID, 0, 10)
	p.must(err)
	if len(wanted) != 1 {
		p.t.Fatalf("%d names are wanted, want 1", len(wanted))
	}
	return p.bytesFor(id, wanted[0].ID, raw, named)
}

// bytesFor records the bytes of an arrival, with the action that is in force.
func (p *postman) bytesFor(id postroom.MailboxID, arrival postroom.ArrivalID, raw string, named bool) postroom.ArrivalID {
	p.t.Helper()
	ctx := context.Background()
	bytes, err := p.db.ReadRaw(ctx, strings.NewReader(raw), 1<<30, nil)
	p.must(err)
	p.must(p.db.RecordBytes(ctx, p.fence(id), []Brought{{Arrival: arrival, Raw: bytes, HasMessageID: named, After: p.after, Folder: p.folder}}))
	return arrival
}

func (p *postman) filing(id postroom.MailboxID, arrival postroom.ArrivalID, m postroom.Mail) Filing {
	f := Filing{Fence: p.fence(id), Arrival: arrival, Mail: m, Words: m.Subject + " " + m.Text, At: time.Now()}
	p.must(p.db.queryRow(context.Background(), `select coalesce(raw, 0) from arrival where id = $1`, arrival).Scan(&f.Raw))
	for _, a := range append(m.InReplyTo, m.References...) {
		if len(f.Ancestors) < 51 {
			f.Ancestors = append(f.Ancestors, a)
		}
	}
	return f
}

// deliver has a mail come to a mailbox, in bytes of its own.
func (p *postman) deliver(id postroom.MailboxID, m postroom.Mail) Filed {
	p.t.Helper()
	arrival := p.bring(id, fmt.Sprintf("%s in %s as %d", m.MessageID, id, p.uid), m.MessageID != "")
	filed, err := p.db.File(context.Background(), p.filing(id, arrival, m))
	p.must(err)
	return filed
}

// letterOf is a mail; what it follows is named nearest first.
func letterOf(id string, follows ...string) postroom.Mail {
	m := postroom.Mail{
		MessageID: id, InReplyTo: follows, Subject: "About " + id, Text: "Text of " + id,
		From: []postroom.Address{{Name: "Ana", Address: "ana@example.org"}}, Kind: postroom.KindPerson,
	}
	m.Digest = sha256.Sum256([]byte(m.Subject))
	return m
}

func wantFiled(t *testing.T, what string, got Filed, state postroom.ArrivalState, issue postroom.IssueID, isNew bool) {
	t.Helper()
	if got.State != state || got.New != isNew || issue != 0 && got.Issue != issue {
		t.Errorf("%s: %+v, want %s, issue %s, new %v", what, got, state, issue, isNew)
	}
}

func TestThreads(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		first := p.deliver(box, letterOf("first"))
		wantFiled(t, "the first", first, postroom.ArrivalFiled, 0, true)
		other := p.deliver(box, letterOf("other"))
		wantFiled(t, "a stranger", other, postroom.ArrivalFiled, 0, true)
		wantFiled(t, "a reply", p.deliver(box, letterOf("reply", "first")), postroom.ArrivalFiled, first.Issue, false)
		wantFiled(t, "the nearest known ancestor wins", p.deliver(box, letterOf("both", "nobody", "other", "first")), postroom.ArrivalFiled, other.Issue, false)
		child := p.deliver(box, letterOf("child", "parent"))
		wantFiled(t, "a reply before its parent", child, postroom.ArrivalFiled, 0, true)
		wantFiled(t, "the parent after it", p.deliver(box, letterOf("parent")), postroom.ArrivalFiled, child.Issue, false)
		wantFiled(t, "an ancestor comes before a child", p.deliver(box, letterOf("nobody", "first")), postroom.ArrivalFiled, first.Issue, false)
	})
}

func TestReplyToADeletedIssue(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		person := postroom.Viewer{User: addPerson(t, db, "ben@example.net"), Name: "Ben"}
		first := p.deliver(box, letterOf("first"))
		if _, err := db.DeleteIssue(context.Background(), person, first.Issue); err != nil {
			t.Fatal(err)
		}
		reply := p.deliver(box, letterOf("reply", "first"))
		wantFiled(t, "a reply to a deleted issue", reply, postroom.ArrivalFiled, 0, true)
		if reply.Issue == first.Issue {
			t.Error("the reply is in the deleted issue")
		}
		wantFiled(t, "a reply to the reply", p.deliver(box, letterOf("again", "reply", "first")), postroom.ArrivalFiled, reply.Issue, false)
		wantFiled(t, "the deleted mail again", p.deliver(box, letterOf("first")), postroom.ArrivalDuplicate, 0, false)
		elsewhere := p.mailbox("sales")
		wantFiled(t, "the deleted mail elsewhere", p.deliver(elsewhere, letterOf("first")), postroom.ArrivalDuplicate, 0, false)
	})
}

func TestOneMailInTwoMailboxes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		support, sales := p.mailbox("support"), p.mailbox("sales")
		boss := p.mailbox("boss", addPerson(t, db, "boss@example.net"))
		first := p.deliver(support, letterOf("first"))
		again := p.deliver(sales, letterOf("first"))
		wantFiled(t, "where the same people see it", again, postroom.ArrivalFiled, first.Issue, false)
		if again.Entry != first.Entry {
			t.Errorf("entry %s, want %s: one entry, two deliveries", again.Entry, first.Entry)
		}
		wantFiled(t, "twice in one mailbox", p.deliver(sales, letterOf("first")), postroom.ArrivalDuplicate, 0, false)
		apart := p.deliver(boss, letterOf("first"))
		wantFiled(t, "where others see it", apart, postroom.ArrivalFiled, 0, true)
		if apart.Issue == first.Issue {
			t.Error("people who may not see the mailbox see its mail")
		}
		wantFiled(t, "a reply there", p.deliver(boss, letterOf("reply", "first")), postroom.ArrivalFiled, apart.Issue, false)
		wantFiled(t, "a reply here", p.deliver(sales, letterOf("answer", "first")), postroom.ArrivalFiled, first.Issue, false)
		hidden := p.deliver(boss, letterOf("hidden child", "late parent"))
		parent := p.deliver(support, letterOf("late parent"))
		wantFiled(t, "a parent whose child is hidden", parent, postroom.ArrivalFiled, 0, true)
		if parent.Issue == hidden.Issue {
			t.Error("a parent joins an issue that its readers may not see")
		}
	})
}

func TestSameContent(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		p.deliver(box, letterOf("first"))
		wantFiled(t, "the same mail in other bytes", p.deliver(box, letterOf("first")), postroom.ArrivalDuplicate, 0, false)
		other := letterOf("first")
		other.Digest[0]++
		wantFiled(t, "one Message-ID, other content", p.deliver(box, other), postroom.ArrivalFiled, 0, true)

		nameless := letterOf("")
		for _, what := range []string{"a mail without a name", "its twin"} {
			wantFiled(t, what, p.deliver(box, nameless), postroom.ArrivalFiled, 0, true)
		}
		for range 2 {
			p.renumber(box)
			for _, what := range []string{"one for one", "two for two"} {
				wantFiled(t, what, p.deliver(box, nameless), postroom.ArrivalDuplicate, 0, false)
			}
		}
		wantFiled(t, "a third", p.deliver(box, nameless), postroom.ArrivalFiled, 0, true)
		p.renumber(box)
		for range 3 {
			wantFiled(t, "three for three", p.deliver(box, nameless), postroom.ArrivalDuplicate, 0, false)
		}
		wantFiled(t, "a fourth", p.deliver(box, nameless), postroom.ArrivalFiled, 0, true)
	})
}

func TestExactBytes(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		h := &house{t: t, db: db, r: db.Reader()}
		box := p.mailbox("support")
		person := postroom.Viewer{User: addPerson(t, db, "ben@example.net"), Name: "Ben"}
		for what, raw := range map[string]string{"small": "small bytes", "written ahead": strings.Repeat("0123456789abcdef", 3<<16)} {
			first := p.bring(box, raw, true)
			filed, err := db.File(ctx, p.filing(box, first, letterOf(what)))
			h.must(err)
			again := p.bring(box, raw, true)
			if state, _ := h.arrivalState(again); state != postroom.ArrivalDuplicate {
				t.Errorf("%s again: %s, want duplicate", what, state)
			}
			unnamed := p.bring(box, raw, false)
			if state, _ := h.arrivalState(unnamed); state != postroom.ArrivalWaiting {
				t.Errorf("%s without a name: %s, want waiting", what, state)
			}
			_, err = db.File(ctx, p.filing(box, unnamed, letterOf(what)))
			h.must(err)
			if n := h.count(`select count(*) from raw`); n != 1 {
				t.Errorf("%s: %d raws, want 1", what, n)
			}

			_, err = db.DeleteIssue(ctx, person, filed.Issue)
			h.must(err)
			_, err = db.EraseDeleted(ctx, time.Now().Add(time.Hour), 10)
			h.must(err)
			erased := p.bring(box, raw, true)
			if state, _ := h.arrivalState(erased); state != postroom.ArrivalDuplicate {
				t.Errorf("%s, erased, again: %s, want duplicate", what, state)
			}
			if n := h.count(`select count(*) from raw_chunk`); n != 0 {
				t.Errorf("%s: %d chunks of erased bytes are back", what, n)
			}
			other := p.mailbox(strings.ReplaceAll(what, " ", "-")) // where nobody has deleted it
			back := p.bring(other, raw, true)
			if got := p.read(back); got != raw {
				t.Errorf("%s, erased, in another mailbox: %d bytes, want %d", what, len(got), len(raw))
			}
			h.do(func(t *tx) error {
				for _, q := range []string{`delete from arrival`, `delete from entry`, `delete from mail`, `delete from raw_chunk`, `delete from raw`} {
					if err := t.exec(q); err != nil {
						return err
					}
				}
				return nil
			})
		}
	})
}

func (p *postman) read(arrival postroom.ArrivalID) string {
	p.t.Helper()
	var raw postroom.RawID
	p.must(p.db.queryRow(context.Background(), `select raw from arrival where id = $1`, arrival).Scan(&raw))
	body, err := p.db.OpenRaw(context.Background(), raw)
	p.must(err)
	defer body.Close()
	all, err := io.ReadAll(body)
	p.must(err)
	return string(all)
}

// Bytes written ahead for longer than an hour are not swept while they still come.
func TestSlowMessageIsNotSwept(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := &house{t: t, db: db}
		half := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
		sweepBetween := readerFunc(func([]byte) (int, error) {
			h.do(func(t *tx) error { return t.exec(`update raw set created_at = created_at - 3000000000`) })
			swept, err := db.SweepOrphans(ctx)
			h.must(err)
			if swept != 0 {
				t.Errorf("swept %d", swept)
			}
			return 0, io.EOF
		})
		slow := io.MultiReader(bytes.NewReader(half), sweepBetween, bytes.NewReader(half), sweepBetween)
		if _, err := db.ReadRaw(ctx, slow, 1<<30, nil); err != nil {
			t.Fatal(err)
		}
		h.do(func(t *tx) error { return t.exec(`update raw set created_at = created_at - 3700000000`) })
		swept, err := db.SweepOrphans(ctx)
		h.must(err)
		if n := h.count(`select count(*) from raw_chunk`); swept != 1 || n != 0 {
			t.Errorf("swept %d, %d chunks left, want 1 and 0", swept, n)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestHostileMailIsFiled(t *testing.T) {
	ctx := context.Background()
	nul, broken := "a\x00b", "a\xff\xfe\xc3(b"
	huge := strings.Repeat("ß", 1<<19)
	many := make([]string, 100_000)
	for i := range many {
		many[i] = fmt.Sprintf("%d@\x00\xff", i)
	}
	people := make([]postroom.Address, 5000)
	for i := range people {
		people[i] = postroom.Address{Name: nul + broken, Address: broken}
	}
	distinctWords := make([]string, 200_000)
	for i := range distinctWords {
		distinctWords[i] = fmt.Sprintf("word%d", i)
	}
	mails := map[string]postroom.Mail{
		"U+0000 everywhere":  {MessageID: nul, Subject: nul, Text: nul, HTML: nul, From: []postroom.Address{{Name: nul, Address: nul}}, InReplyTo: []string{nul + "x"}, KindReason: nul, Notes: []string{nul}},
		"invalid UTF-8":      {MessageID: broken, Subject: broken, Text: broken, HTML: broken, From: []postroom.Address{{Name: broken, Address: broken}}, References: []string{broken + "x"}, Attachments: []postroom.Attachment{{Name: broken, Type: broken, ContentID: nul}}},
		"huge fields":        {MessageID: huge, Subject: huge, Text: huge, HTML: huge, From: []postroom.Address{{Name: huge, Address: huge}}, InReplyTo: []string{huge + "x"}, Kind: postroom.KindPerson, KindReason: huge},
		"100,000 references": {MessageID: "many", References: many, From: people, To: people, Cc: people},
		"200,000 words":      {MessageID: "words", Text: strings.Join(distinctWords, " ")},
		"one endless word":   {MessageID: "word", Text: strings.Repeat("x", 5<<20)},
		"nothing":            {},
	}
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		for name, m := range mails {
			m.Digest = sha256.Sum256([]byte(name))
			arrival := p.bring(box, name, true)
			began := time.Now()
			filed, err := db.File(ctx, p.filing(box, arrival, m))
			if err != nil || filed.State != postroom.ArrivalFiled {
				t.Errorf("%s: %+v, %v", name, filed, err)
				continue
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s took %v", name, took)
			}
			view, err := db.Reader().Mail(ctx, postroom.Viewer{User: addPerson(t, db, fmt.Sprintf("%d@example.net", filed.Entry))}, mailOf(t, db, arrival))
			if err != nil {
				t.Errorf("read %s: %v", name, err)
			}
			for _, text := range []string{view.Subject, view.Text, view.HTML, view.KindReason, view.MessageID} {
				if text != clean(text) {
					t.Errorf("%s: %q is not clean", name, text[:min(len(text), 40)])
				}
			}
		}
	})
}

func mailOf(t *testing.T, db *DB, arrival postroom.ArrivalID) (id postroom.MailID) {
	t.Helper()
	if err := db.queryRow(context.Background(), `select mail from arrival where id = $1`, arrival).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

// Two nodes file the two sides of a conversation, and bring in the same bytes, at
// the same time.
func TestTwoNodesAtOnce(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		if db.dialect != dialectPostgres {
			return // one node has it to itself
		}
		second, err := Open(ctx, Options{URL: db.url})
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		one := newPostman(t, db, "one")
		a := one.mailbox("a")
		two := newPostman(t, second, "two")
		two.uid = 1 << 20
		b := two.mailbox("b")
		const rounds = 40
		results := make([][2]Filed, rounds)
		var wait sync.WaitGroup
		for who, p := range []*postman{one, two} {
			box := []postroom.MailboxID{a, b}[who]
			wait.Go(func() {
				for n := range rounds {
					m := letterOf(fmt.Sprintf("parent-%d", n))
					if who == 1 {
						m = letterOf(fmt.Sprintf("child-%d", n), fmt.Sprintf("parent-%d", n))
					}
					arrival := p.bring(box, fmt.Sprintf("the same bytes in both, %d", n), true)
					var err error
					if results[n][who], err = p.db.File(ctx, p.filing(box, arrival, m)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wait.Wait()
		for n, r := range results {
			if r[0].Issue != r[1].Issue || r[0].New == r[1].New {
				t.Errorf("round %d: %+v and %+v, want one issue", n, r[0], r[1])
			}
		}
		h := &house{t: t, db: db}
		if n := h.count(`select count(*) from raw`); n != rounds {
			t.Errorf("%d raws, want %d", n, rounds)
		}
	})
}

func TestTwoNodesBringTheSameBytes(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		if db.dialect != dialectPostgres {
			return // one node has it to itself
		}
		second, err := Open(ctx, Options{URL: db.url})
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		one, two := newPostman(t, db, "one"), newPostman(t, second, "two")
		boxes := []postroom.MailboxID{one.mailbox("a"), two.mailbox("b")}
		for round := range uint32(20) {
			ready, start := make(chan struct{}, 2), make(chan struct{})
			var wait sync.WaitGroup
			for who, p := range []*postman{one, two} {
				box, f := boxes[who], p.fence(boxes[who])
				var names []Listed
				for n := range uint32(50) {
					names = append(names, Listed{Name: postroom.Name{UID: round*50 + n + 1}, State: postroom.ArrivalWaiting})
				}
				p.must(p.db.BookNames(ctx, f, p.box[box], names, round*50+50))
				wanted, err := p.db.WantedArrivals(ctx, p.box[box].ID, 0, 50)
				p.must(err)
				brought := make([]Brought, len(wanted))
				for i, w := range wanted {
					raw, err := p.db.ReadRaw(ctx, strings.NewReader(fmt.Sprint(w.Name.UID)), 1<<20, nil)
					p.must(err)
					brought[(i+25*who)%50] = Brought{Arrival: w.ID, Raw: raw, HasMessageID: true}
				}
				wait.Go(func() {
					ready <- struct{}{}
					<-start
					if err := p.db.RecordBytes(ctx, f, brought); err != nil {
						t.Error(err)
					}
				})
			}
			<-ready
			<-ready
			close(start)
			wait.Wait()
		}
	})
}

func TestFencedWritesAreRefused(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		arrival := p.bring(box, "bytes", true)
		waiting := p.bring(box, "other bytes", true)
		filing, old, n := p.filing(box, arrival, letterOf("late")), p.fence(box), p.box[box]
		raw, err := db.ReadRaw(ctx, strings.NewReader("late bytes"), 1<<20, nil)
		p.must(err)
		p.must(db.GiveUpLeases(ctx, []Fence{old}))
		other := newPostman(t, db, "two")
		_, err = db.TakeLeases(ctx, other.node)
		p.must(err)
		if now := other.fence(box); now.Epoch <= old.Epoch {
			t.Fatalf("epoch %d after %d", now.Epoch, old.Epoch)
		}
		_, filed := db.File(ctx, filing)
		_, begun := db.BeginNumbering(ctx, old, n)
		_, proven := db.RecordProof(ctx, old, 1, nil)
		_, tried := db.RecordFailedTry(ctx, old, waiting, "late", time.Now(), 1)
		for what, err := range map[string]error{
			"File": filed, "BeginNumbering": begun, "RecordProof": proven, "RecordFailedTry": tried,
			"BookNames":        db.BookNames(ctx, old, n, []Listed{{Name: postroom.Name{UID: 99}, State: postroom.ArrivalWaiting}}, 99),
			"RecordBytes":      db.RecordBytes(ctx, old, []Brought{{Arrival: arrival, Raw: raw}}),
			"Settle":           db.Settle(ctx, old, []postroom.ArrivalID{waiting}, postroom.ArrivalVanished, "late"),
			"Relist":           db.Relist(ctx, old, []postroom.ArrivalID{waiting}),
			"RecordComparison": db.RecordComparison(ctx, old, Comparison{}),
			"RecordTrouble":    db.RecordTrouble(ctx, old, 1, Trouble{State: postroom.MailboxDelayed}),
			"RecordHealth":     db.RecordHealth(ctx, old, 1),
		} {
			if !errors.Is(err, ErrFenced) {
				t.Errorf("%s = %v, want ErrFenced", what, err)
			}
		}
	})
}
