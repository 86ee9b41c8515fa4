//go:build linux

package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

const cutVariable = "POSTROOM_POWER_CUT"

// TestPowerCut proves that what the store answers as done outlives a power cut, and
// that no power cut damages the database.
//
// A power cut differs from the end of a process in that the disk forgets what was
// written but not synced. So this test's binary is started again as a process
// whose SQLite writes through a layer of ours, a VFS shim (cutVFS), that knows of
// each file which writes, truncations, creations and removals have been synced
// (disk). The process does the store's work from several goroutines and tells
// through a pipe what the store has answered as done. At a chosen write or sync
// the layer computes what a disk would hold, without the unsynced changes or with
// some of them, single sectors of 512 bytes even, leaves that in another directory,
// and ends the process with SIGKILL. There the database is opened as always, and
// must be whole and know everything that was told. The next process goes on from
// it as the power cut left it, so that the power fails during recovery as well.
//
// That the layer bites is proven by TestPowerCutTakesUnsynced.
func TestPowerCut(t *testing.T) {
	if life := os.Getenv(cutVariable); life != "" {
		var l cutLife
		if err := json.Unmarshal([]byte(life), &l); err != nil {
			t.Fatal(err)
		}
		t.Fatal(liveUntilCut(l))
	}
	if testing.Short() {
		t.Skip("it starts seventy processes")
	}
	const sites, lives = 12, 6
	var met [sites]siteReport
	t.Run("sites", func(t *testing.T) {
		for n := range sites {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				s := newCutSite(t, cutLife{Checkpoint: 100}) // ten times as often as usual
				random := rand.New(rand.NewPCG(20261120, uint64(n)))
				for life := range lives {
					cut := chooseCut(random, life)
					report := s.live(cut)
					met[n].add(report, s.facts)
					for _, p := range s.problems() {
						t.Errorf("life %d, %+v: %s", life, cut, p)
					}
					if t.Failed() {
						return
					}
				}
				met[n].count(s.facts)
			})
		}
	})
	var all siteReport
	for _, m := range met {
		all.cuts += m.cuts
		all.checkpoints += m.checkpoints
		all.unsynced += m.unsynced
		all.young += m.young
		all.facts += m.facts
		all.big += m.big
	}
	t.Logf("%d power cuts, %d of them with unsynced changes, %d in a checkpoint, %d before there was a schema; %d facts kept, %d of them messages over 1 MB",
		all.cuts, all.unsynced, all.checkpoints, all.young, all.facts, all.big)
	if !t.Failed() && (all.checkpoints == 0 || all.unsynced < all.cuts/2 || all.young == 0 || all.big == 0) {
		t.Error("the power cuts came at harmless moments only")
	}
}

// The layer forgets what was not synced: with synchronous=normal, where commits are
// not synced but checkpoints are, the same work loses facts and nothing is damaged;
// without any syncs it loses facts, and is damaged when the disk keeps some writes
// (sqlite.org/pragma.html, "synchronous").
func TestPowerCutTakesUnsynced(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	for _, synchronous := range []string{"normal", "off"} {
		t.Run(synchronous, func(t *testing.T) {
			t.Parallel()
			s := newCutSite(t, cutLife{Checkpoint: 1000, Synchronous: synchronous})
			s.live(cutOrder{Kind: walFile, Call: 1200})
			problems := s.problems()
			if len(problems) == 0 {
				t.Errorf("nothing of %d facts is lost with synchronous=%s", len(s.facts), synchronous)
			}
			for _, p := range problems {
				if synchronous == "normal" && strings.HasPrefix(p, damaged) {
					t.Error(p)
				}
			}
			t.Logf("%d of %d facts are lost", len(problems), len(s.facts))
		})
	}
	t.Run("some", func(t *testing.T) {
		t.Parallel()
		s := newCutSite(t, cutLife{Checkpoint: 100, Synchronous: "off"})
		s.live(cutOrder{Kind: databaseFile, Call: 1500, Some: true})
		problems := s.problems()
		if len(problems) == 0 || !strings.Contains(problems[0], damaged) && !strings.Contains(problems[0], "malformed") {
			t.Errorf("the database is not damaged with synchronous=off: %v", problems)
		}
	})
}

// chooseCut spreads power cuts over the making of a database, its checkpoints and
// everything else.
func chooseCut(random *rand.Rand, life int) cutOrder {
	cut := cutOrder{Some: random.IntN(3) > 0, Seed: random.Uint64()}
	switch {
	case life == 0:
		cut.Call = 1 + random.IntN(400)
	case random.IntN(3) == 0:
		cut.Kind, cut.Call = databaseFile, 1+random.IntN(400)
	case random.IntN(2) == 0:
		cut.Call = 1 + random.IntN(60)
	default:
		cut.Kind, cut.Call = walFile, 1+random.IntN(3000)
	}
	return cut
}

// siteReport counts what the power cuts met.
type siteReport struct{ cuts, unsynced, checkpoints, young, facts, big int }

func (r *siteReport) count(facts []fact) {
	r.facts = len(facts)
	for _, f := range facts {
		if f.SizeBytes > aheadBytes {
			r.big++
		}
	}
}

func (r *siteReport) add(c cutReport, facts []fact) {
	r.cuts++
	if c.Names+c.Unsynced[databaseFile]+c.Unsynced[walFile]+c.Unsynced[journalFile] > 0 {
		r.unsynced++
	}
	if c.Checkpoint {
		r.checkpoints++
	}
	if len(facts) == 0 {
		r.young++
	}
}

// A cutSite is one database through several power cuts.
type cutSite struct {
	t     *testing.T
	next  cutLife // its Path is the database as the last power cut left it
	facts []fact  // that must be in it
}

func newCutSite(t *testing.T, first cutLife) *cutSite {
	first.Path = filepath.Join(t.TempDir(), "postroom.db")
	return &cutSite{t: t, next: first}
}

// live runs a process until its power cut, and returns what that met.
func (s *cutSite) live(cut cutOrder) (met cutReport) {
	s.t.Helper()
	life := s.next
	life.Into, life.Cut = s.t.TempDir(), cut
	order, err := json.Marshal(life)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPowerCut$")
	cmd.Env = append(os.Environ(), cutVariable+"="+string(order))
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	err = cmd.Run()
	if cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		s.t.Fatalf("life %d, %+v ended with %v:\n%s%s", life.Life, cut, err, &out, &trouble)
	}
	lines := bufio.NewScanner(&out)
	cutTold := false
	for lines.Scan() {
		var f fact
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			s.t.Fatalf("%q: %v", lines.Text(), err)
		}
		if f.Did == didLose {
			met, cutTold = *f.Cut, true
			continue
		}
		s.facts = append(s.facts, f)
	}
	if !cutTold {
		s.t.Fatalf("life %d, %+v was killed by somebody else", life.Life, cut)
	}
	s.next.Life++
	s.next.Path = filepath.Join(life.Into, filepath.Base(life.Path))
	return met
}

const damaged = "the database is damaged: "

// problems opens a copy of the database as the program does, and says what is
// damaged or lost.
func (s *cutSite) problems() (found []string) {
	s.t.Helper()
	copied := filepath.Join(s.t.TempDir(), "postroom.db")
	if err := os.CopyFS(filepath.Dir(copied), os.DirFS(filepath.Dir(s.next.Path))); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	o := Options{Path: copied}
	if len(s.facts) == 0 {
		if err := Migrate(ctx, o); err != nil {
			return []string{damaged + err.Error()}
		}
	}
	db, err := Open(ctx, o)
	if err != nil {
		if errors.As(err, new(*postroom.Fault)) {
			return []string{"the schema is lost: " + err.Error()}
		}
		return []string{damaged + err.Error()}
	}
	defer db.Close()
	if found = damages(ctx, db); len(found) > 0 {
		return found
	}
	for _, f := range s.facts {
		if err := kept(ctx, db, f); err != nil {
			found = append(found, fmt.Sprintf("lost: %s: %v", f, err))
		}
	}
	return found
}

// damages says what is wrong with a database whatever has happened: each query
// returns a row for a damage. The first two are SQLite's own checks, of the
// full-text index too; the others say that no commit is there by half.
func damages(ctx context.Context, db *DB) (found []string) {
	for _, query := range []string{
		`select integrity_check from pragma_integrity_check where integrity_check <> 'ok'`,
		`select "table" || ' row ' || coalesce(rowid, 0) from pragma_foreign_key_check`,
		`select 'events have gaps' from counter c where c.name = 'event' and
			(c.value <> (select count(*) from event) or c.value <> (select coalesce(max(position), 0) from event))`,
		`select 'raw ' || id || ' lacks chunks' from raw r where sha256 is not null and chunks <>
			(select count(*) from raw_chunk where id between r.id * 1048576 and r.id * 1048576 + 1048575)`,
		`select 'arrival ' || id || ' is filed without an entry' from arrival where state = 'filed' and (mail is null or entry is null)`,
		`select 'mail ' || id || ' has no entry' from mail where id not in (select mail from entry where mail is not null)`,
		`select 'issue ' || id || ' miscounts its entries' from issue i where entries <> (select count(*) from entry where issue = i.id)`,
	} {
		rows, err := db.read.QueryContext(ctx, query)
		if err != nil {
			return append(found, damaged+err.Error())
		}
		for rows.Next() {
			var damage string
			if err := rows.Scan(&damage); err != nil {
				found = append(found, damaged+err.Error())
			}
			found = append(found, damaged+damage)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			found = append(found, damaged+err.Error())
		}
	}
	return found
}

// kept says whether a fact is still one.
func kept(ctx context.Context, db *DB, f fact) error {
	if f.Event != "" {
		if err := there(ctx, db, `select 1 from event where id = $1`, f.Event); err != nil {
			return fmt.Errorf("its event: %w", err)
		}
	}
	switch f.Did {
	case didJoin: // the node of a later life has taken its place, or not yet
		return there(ctx, db, `select 1 from node where id >= $1`, f.Node)
	case didAdd:
		return there(ctx, db, `select 1 from mailbox b join credential c on c.mailbox = b.id join lease l on l.mailbox = b.id
			where b.id = $1 and b.address = $2`, f.Mailbox, f.Address)
	case didProve:
		return there(ctx, db, `select 1 from mailbox b join numbering n on n.mailbox = b.id
			where b.id = $1 and b.state = 'active' and n.folder = 'INBOX'`, f.Mailbox)
	case didBook:
		for _, uid := range f.UIDs {
			if err := there(ctx, db, `select 1 from arrival a join numbering n on n.id = a.numbering
				where a.mailbox = $1 and a.uid = $2 and n.position >= a.uid`, f.Mailbox, uid); err != nil {
				return err
			}
		}
	case didFill:
		return sameRaw(ctx, db, f)
	case didFile:
		if err := there(ctx, db, `select 1 from arrival a join entry e on e.id = a.entry and e.mail = a.mail
			where a.id = $1 and a.state = 'filed' and e.id = $2 and e.issue = $3`, f.Arrival, f.Entry, f.Issue); err != nil {
			return err
		}
		return findable(ctx, db, f)
	}
	return nil
}

func there(ctx context.Context, db *DB, query string, args ...any) error {
	var one int
	return db.queryRow(ctx, query, args...).Scan(&one)
}

// findable searches for the word of a mail.
func findable(ctx context.Context, db *DB, f fact) error {
	found, _, err := db.Reader().Issues(ctx, postroom.Viewer{User: 1, Role: postroom.RoleAgent}, IssueFilter{Query: f.Word})
	if err != nil {
		return err
	}
	if len(found) != 1 || found[0].ID != f.Issue {
		return fmt.Errorf("a search for its word found %d issues, want issue %s", len(found), f.Issue)
	}
	return nil
}

// sameRaw reads the bytes of an arrival.
func sameRaw(ctx context.Context, db *DB, f fact) error {
	var id postroom.RawID
	if err := db.queryRow(ctx, `select raw from arrival where id = $1 and raw is not null`, f.Arrival).Scan(&id); err != nil {
		return err
	}
	body, err := db.OpenRaw(ctx, id)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("SHA-256 of the bytes = %s, want that of the message", got)
	}
	return nil
}
