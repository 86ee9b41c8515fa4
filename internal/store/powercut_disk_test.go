//go:build linux

package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// sectorBytes is what a disk writes wholly or not at all.
const sectorBytes = 512

// A fileKind is what SQLite keeps in a file.
type fileKind string

const (
	anyFile      fileKind = ""
	databaseFile fileKind = "database"
	journalFile  fileKind = "journal"
	walFile      fileKind = "wal"
)

// A cutOrder says when the power fails, and what the disk then makes of what was
// not synced.
type cutOrder struct {
	Kind fileKind // the calls that are counted are those for such files
	Call int      // the power fails at the how many-th of them
	// Some: of the changes that were not synced some last nevertheless, whichever
	// come, and of a long one some sectors. Otherwise none do.
	Some bool
	Seed uint64
}

// A disk knows what would be there after a power cut: of each file what it held
// when it was last synced, and the changes since then; of the names in its one
// directory likewise. The files themselves are beside it, and hold everything.
type disk struct {
	mu      sync.Mutex
	order   cutOrder
	calls   int
	into    string // where a power cut leaves the files
	random  *rand.Rand
	files   map[string]*diskFile // by path, as programs see them
	lasting map[string]*diskFile // as they were when the directory was last synced
	names   []nameChange         // since then, oldest first
	report  func(cutReport)
}

// A diskFile is a file, whatever its name.
type diskFile struct {
	kind    fileKind
	synced  []byte
	changes []fileChange // since it was synced, oldest first
}

// A fileChange is a write, or with nil data a new length.
type fileChange struct {
	at   int64
	data []byte
}

// A nameChange is a name that a file got, or with a nil file lost.
type nameChange struct {
	path string
	file *diskFile
}

// A cutReport says what a power cut met.
type cutReport struct {
	Unsynced   map[fileKind]int // changes by kind of file
	Names      int              // names that came or went unsynced
	Checkpoint bool             // pages were on their way from the WAL into the database
	Bytes      int64            // that were left, of all files
}

func newDisk(into string, order cutOrder, report func(cutReport)) *disk {
	return &disk{
		order: order, into: into, report: report, random: rand.New(rand.NewPCG(order.Seed, 1)),
		files: make(map[string]*diskFile), lasting: make(map[string]*diskFile),
	}
}

// open returns the file at a path; one that was there before this disk is synced.
func (d *disk) open(path string, kind fileKind, created bool) (*diskFile, error) {
	if f, ok := d.files[path]; ok && !created {
		return f, nil
	}
	f := &diskFile{kind: kind}
	d.files[path] = f
	if created {
		d.names = append(d.names, nameChange{path, f})
		return f, d.call(kind)
	}
	var err error
	f.synced, err = os.ReadFile(path) // ends all locks on it (fcntl); there are none yet
	d.lasting[path] = f
	return f, err
}

// change notes a change that has been made to a file.
func (d *disk) change(f *diskFile, c fileChange) error {
	f.changes = append(f.changes, c)
	return d.call(f.kind)
}

func (d *disk) remove(path string) error {
	f, ok := d.files[path]
	if !ok {
		return nil
	}
	delete(d.files, path)
	d.names = append(d.names, nameChange{path, nil})
	return d.call(f.kind)
}

// sync makes the changes of a file last.
func (d *disk) sync(f *diskFile) {
	for _, c := range f.changes {
		f.synced = c.on(f.synced)
	}
	f.changes = nil
}

// syncNames makes the names in the directory last.
func (d *disk) syncNames() {
	for _, n := range d.names {
		n.on(d.lasting)
	}
	d.names = nil
}

func (n nameChange) on(names map[string]*diskFile) {
	if n.file == nil {
		delete(names, n.path)
		return
	}
	names[n.path] = n.file
}

func (c fileChange) on(content []byte) []byte {
	end := c.at + int64(len(c.data))
	if missing := end - int64(len(content)); missing > 0 {
		content = append(content, make([]byte, missing)...)
	}
	if c.data == nil {
		return content[:c.at]
	}
	copy(content[c.at:], c.data)
	return content
}

// call counts a call, and fails the power at the one that was ordered.
func (d *disk) call(kind fileKind) error {
	if d.order.Kind != anyFile && d.order.Kind != kind {
		return nil
	}
	if d.calls++; d.calls != d.order.Call {
		return nil
	}
	return d.cut()
}

// cut leaves what lasts in a directory and ends the process. It returns only when
// it cannot do so.
func (d *disk) cut() error {
	if err := d.complete(); err != nil {
		return err
	}
	report := cutReport{Unsynced: make(map[fileKind]int), Names: len(d.names)}
	for _, f := range d.files {
		report.Unsynced[f.kind] += len(f.changes)
	}
	report.Checkpoint = report.Unsynced[databaseFile] > 0 && report.Unsynced[journalFile] == 0
	if d.order.Some { // a directory forgets its newest changes first
		d.names = d.names[:d.random.IntN(len(d.names)+1)]
		d.syncNames()
	}
	for path, f := range d.lasting {
		if d.order.Some {
			f.changes = d.some(f.changes)
			d.sync(f)
		}
		report.Bytes += int64(len(f.synced))
		if err := os.WriteFile(filepath.Join(d.into, filepath.Base(path)), f.synced, 0o600); err != nil {
			return err
		}
	}
	d.report(report)
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		return err
	}
	select {}
}

// complete holds what this disk knows against the files: a change that went past
// it would make the power cut a milder one than was meant.
func (d *disk) complete() error {
	for path, f := range d.files {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		known := bytes.Clone(f.synced)
		for _, c := range f.changes {
			known = c.on(known)
		}
		if !bytes.Equal(known, content) {
			return fmt.Errorf("%s was changed without the disk being told", path)
		}
	}
	return nil
}

// some returns what a disk wrote of changes that nobody asked it to write: each
// with a probability that differs from cut to cut, and of one in two only some
// sectors.
func (d *disk) some(changes []fileChange) (written []fileChange) {
	probability := d.random.Float64()
	for _, c := range changes {
		switch {
		case d.random.Float64() >= probability:
		case c.data == nil || d.random.IntN(2) == 0:
			written = append(written, c)
		default:
			for start := int64(0); start < int64(len(c.data)); {
				end := min((c.at+start)/sectorBytes*sectorBytes+sectorBytes-c.at, int64(len(c.data)))
				if d.random.IntN(2) == 0 {
					written = append(written, fileChange{c.at + start, c.data[start:end]})
				}
				start = end
			}
		}
	}
	return written
}
