//go:build linux

package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// cutLife is what a process is told that works until its power fails.
type cutLife struct {
	Path        string // of the database
	Into        string // where the power cut leaves it
	Life        int    // how many processes worked on this database before
	Checkpoint  int    // pages in the WAL after which they go into the database
	Synchronous string // instead of what the store says, if not empty
	Cut         cutOrder
}

// A fact is what the store answered as done, or, as the last of a process, the
// report of its power cut.
type fact struct {
	Did       string
	Node      postroom.NodeID    `json:",omitzero"`
	Mailbox   postroom.MailboxID `json:",omitzero"`
	Address   string             `json:",omitzero"`
	UIDs      []uint32           `json:",omitzero"`
	Arrival   postroom.ArrivalID `json:",omitzero"`
	SHA256    string             `json:",omitzero"`
	SizeBytes int64              `json:",omitzero"`
	Issue     postroom.IssueID   `json:",omitzero"`
	Entry     postroom.EntryID   `json:",omitzero"`
	Event     string             `json:",omitzero"`
	Word      string             `json:",omitzero"` // that only this mail has
	Cut       *cutReport         `json:",omitzero"`
}

func (f fact) String() string {
	text, _ := json.Marshal(f)
	return string(text)
}

// The names of facts.
const (
	didMigrate = "migrate"
	didJoin    = "join"
	didAdd     = "add"
	didProve   = "prove"
	didBook    = "book"
	didFill    = "fill"
	didFile    = "file"
	didLose    = "lose power"
)

const (
	cutWorkers = 4
	cutBatch   = 3 // mails
	bigBytes   = 1300 << 10
)

// liveUntilCut is the other process: it works until its power fails. It returns
// only when it could not.
func liveUntilCut(life cutLife) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	vfs, err := insertCutVFS(newDisk(life.Into, life.Cut, func(r cutReport) { tell(fact{Did: didLose, Cut: &r}) }))
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(vfs)
	o := Options{Path: life.Path}
	if err := Migrate(ctx, o); err != nil {
		return err
	}
	tell(fact{Did: didMigrate})
	db, err := openTuned(ctx, o, life)
	if err != nil {
		return err
	}
	defer db.Close()
	node, err := db.JoinNode(ctx, "the only one")
	if err != nil {
		return err
	}
	tell(fact{Did: didJoin, Node: node})
	var workers sync.WaitGroup
	errs := make([]error, cutWorkers)
	for n := range cutWorkers {
		w := &cutWorker{db: db, node: node, address: fmt.Sprintf("life-%d-%d@example.net", life.Life, n)}
		workers.Go(func() {
			if errs[n] = w.work(ctx); errs[n] != nil {
				cancel()
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// openTuned is Open with other pragmas for the writing connection. With another
// synchronous there is only one reading connection, opened before any work: whatever
// a connection writes when it is opened (auto_vacuum) is synced as the store says.
func openTuned(ctx context.Context, o Options, life cutLife) (*DB, error) {
	db, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	pragmas := []string{fmt.Sprintf("pragma wal_autocheckpoint = %d", life.Checkpoint)}
	if life.Synchronous != "" {
		pragmas = append(pragmas, "pragma synchronous = "+life.Synchronous)
		db.read.SetMaxOpenConns(1)
	}
	for _, pragma := range pragmas {
		if _, err := db.write.ExecContext(ctx, pragma); err != nil {
			return nil, errors.Join(err, db.closePools())
		}
	}
	if err := errors.Join(db.checkSchema(ctx), db.startCommitter(ctx)); err != nil {
		return nil, errors.Join(err, db.closePools())
	}
	return db, nil
}

// tell writes a fact to whoever outlives this process. A line is shorter than what
// a pipe takes whole, so that several goroutines may tell at once.
func tell(f fact) {
	line, err := json.Marshal(f)
	if err == nil {
		_, err = os.Stdout.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// A cutWorker reads one mailbox, all steps of a message's way in turn.
type cutWorker struct {
	db      *DB
	node    postroom.NodeID
	address string
	fence   Fence
	box     postroom.Numbering
	last    string // the Message-ID of the mail before
}

func (w *cutWorker) work(ctx context.Context) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	for uid := uint32(1); ; uid += cutBatch {
		if err := w.bring(ctx, uid); err != nil {
			return err
		}
	}
}

func (w *cutWorker) connect(ctx context.Context) error {
	m := supportMailbox()
	m.Address = w.address
	m, err := w.db.AddMailbox(ctx, m, "password", sealed("secret"))
	if err != nil {
		return err
	}
	tell(fact{Did: didAdd, Mailbox: m.ID, Address: m.Address, Event: "mailbox.changed:" + m.ID.String() + ":1"})
	if _, err := w.db.TakeLeases(ctx, w.node); err != nil {
		return err
	}
	owned, err := w.db.OwnedMailboxes(ctx, w.node)
	if err != nil {
		return err
	}
	for _, o := range owned {
		if o.Fence.Mailbox != m.ID {
			continue
		}
		w.fence = o.Fence
		inbox := postroom.Numbering{Mailbox: m.ID, Protocol: postroom.IMAP, Host: "imap.example.net", Username: w.address, Folder: "INBOX", UIDValidity: 7}
		if _, err := w.db.RecordProof(ctx, o.Fence, o.Version, []postroom.Numbering{inbox}); err != nil {
			return err
		}
		tell(fact{Did: didProve, Mailbox: m.ID, Event: "mailbox.proven:" + m.ID.String()})
		numberings, err := w.db.Numberings(ctx, m.ID)
		w.box = numberings["INBOX"]
		return err
	}
	return fmt.Errorf("mailbox %s is not owned", m.ID)
}

// bring takes one batch of mails from the list of names to the entry of an issue.
func (w *cutWorker) bring(ctx context.Context, first uint32) error {
	var names []Listed
	booked := fact{Did: didBook, Mailbox: w.fence.Mailbox}
	for uid := first; uid < first+cutBatch; uid++ {
		names = append(names, Listed{Name: postroom.Name{UID: uid}, State: postroom.ArrivalWaiting})
		booked.UIDs = append(booked.UIDs, uid)
	}
	if err := w.db.BookNames(ctx, w.fence, w.box, names, first+cutBatch-1); err != nil {
		return err
	}
	tell(booked)
	wanted, err := w.db.WantedArrivals(ctx, w.box.ID, first-1, cutBatch)
	if err != nil {
		return err
	}
	brought := make([]Brought, 0, cutBatch)
	var filled []fact
	for _, a := range wanted {
		message := cutMessage(w.address, a.Name.UID)
		raw, err := w.db.ReadRaw(ctx, bytes.NewReader(message), 50<<20, nil)
		if err != nil {
			return err
		}
		brought = append(brought, Brought{Arrival: a.ID, Raw: raw, HasMessageID: true})
		filled = append(filled, fact{
			Did: didFill, Mailbox: w.fence.Mailbox, Arrival: a.ID,
			SHA256: fmt.Sprintf("%x", sha256.Sum256(message)), SizeBytes: int64(len(message)),
		})
	}
	if err := w.db.RecordBytes(ctx, w.fence, brought); err != nil {
		return err
	}
	for _, f := range filled {
		tell(f)
	}
	ready, err := w.db.ReadyArrivals(ctx, w.node, brought[0].Arrival-1, 1000)
	if err != nil {
		return err
	}
	for _, r := range ready {
		if r.Fence.Mailbox == w.fence.Mailbox {
			if err := w.file(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// file makes every third mail begin an issue, and the two after it answers.
func (w *cutWorker) file(ctx context.Context, r Ready) error {
	word := fmt.Sprintf("word%dx%dz", r.Fence.Mailbox, r.ID) // no beginning of another
	own := fmt.Sprintf("<%s@%s>", word, w.address)
	f := Filing{
		Fence: r.Fence, Arrival: r.ID, Raw: r.Raw, At: time.Now(), Words: "subject of " + word,
		Mail: postroom.Mail{
			MessageID: own, Subject: "Subject of " + word, From: []postroom.Address{{Name: "Ann", Address: "ann@example.org"}},
			Text: strings.Repeat("A line of the text that is kept beside the raw.\n", 20), Digest: sha256.Sum256([]byte(own)),
		},
	}
	if r.ID%3 != 0 && w.last != "" {
		f.Ancestors = []string{w.last}
	}
	w.last = own
	filed, err := w.db.File(ctx, f)
	if err != nil {
		return err
	}
	event := postroom.EventIssueContinued
	if filed.New {
		event = postroom.EventIssueCreated
	}
	tell(fact{
		Did: didFile, Mailbox: r.Fence.Mailbox, Arrival: r.ID, Issue: filed.Issue, Entry: filed.Entry, Word: word,
		Event: fmt.Sprintf("%s:%d", event, filed.Entry),
	})
	return nil
}

// cutMessage is a message that cannot be compressed: most are small, the second of
// a process's first mailbox and some others are written ahead in parts.
func cutMessage(address string, uid uint32) []byte {
	source := rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%s %d", address, uid)))
	size := 300 + source.Uint64()%6000
	if source.Uint64()%20 == 0 || uid == 2 && strings.HasSuffix(address, "-0@example.net") {
		size = bigBytes + source.Uint64()%bigBytes
	}
	message := make([]byte, size)
	_, _ = io.ReadFull(source, message)
	return message
}
