package simulator

import (
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// A view is a folder as one session knows it: its message sequence numbers hold
// until the session is told of a change (RFC 9051 section 2.3.1.2).
type view struct {
	folder  *folder
	rows    []row
	lastUID uint32
	version uint64 // of the folder, up to which everything was told
}

type row struct {
	letter  *letter
	version uint64 // of the flags that were told
}

// newView opens a folder, under the lock of the store.
func newView(f *folder) *view {
	v := &view{folder: f, version: f.version}
	for _, l := range f.letters {
		v.rows = append(v.rows, row{letter: l, version: l.version})
		v.lastUID = l.uid
	}
	return v
}

// news is something that a session has to be told, in this order.
type news struct {
	expunged []uint32 // sequence numbers, falling, so that each holds when it is told
	exists   uint32   // 0: unchanged
	flags    []flagNews
}

type flagNews struct {
	number, uid uint32
	flags       []imap.Flag
}

// update brings the view up to date, under the lock of the store, and returns what
// has changed. Where expunges may not be told they stay for later.
func (v *view) update(mayExpunge bool) news {
	var n news
	if v.version == v.folder.version {
		return n
	}
	complete := true
	if mayExpunge {
		for i, r := range slices.Backward(v.rows) {
			if r.letter.gone {
				n.expunged = append(n.expunged, uint32(i+1))
			}
		}
		v.rows = slices.DeleteFunc(v.rows, func(r row) bool { return r.letter.gone })
	} else {
		complete = !slices.ContainsFunc(v.rows, func(r row) bool { return r.letter.gone })
	}
	for i, r := range v.rows {
		if r.version != r.letter.version && !r.letter.gone {
			v.rows[i].version = r.letter.version
			n.flags = append(n.flags, flagNews{uint32(i + 1), r.letter.uid, slices.Clone(r.letter.flags)})
		}
	}
	before := len(v.rows)
	for _, l := range v.folder.letters {
		if l.uid > v.lastUID {
			v.rows = append(v.rows, row{letter: l, version: l.version})
			v.lastUID = l.uid
		}
	}
	if len(v.rows) != before {
		n.exists = uint32(len(v.rows))
	}
	if complete {
		v.version = v.folder.version
	}
	return n
}

func (n news) tell(w *imapserver.UpdateWriter) error {
	for _, number := range n.expunged {
		if err := w.WriteExpunge(number); err != nil {
			return err
		}
	}
	if n.exists != 0 {
		if err := w.WriteNumMessages(n.exists); err != nil {
			return err
		}
	}
	for _, f := range n.flags {
		if err := w.WriteMessageFlags(f.number, imap.UID(f.uid), f.flags); err != nil {
			return err
		}
	}
	return nil
}

// pick returns the indexes of the rows in a set, in order.
func (v *view) pick(set imap.NumSet) []int {
	var picked []int
	for i, r := range v.rows {
		if !r.letter.gone && v.has(i, set) {
			picked = append(picked, i)
		}
	}
	return picked
}

// has says whether a row is in a set. "*" is the last message, also where the set
// names a higher number (RFC 9051 section 9, seq-range).
func (v *view) has(i int, set imap.NumSet) bool {
	last := v.rows[len(v.rows)-1].letter.uid
	uid := v.rows[i].letter.uid
	switch set := set.(type) {
	case imap.SeqSet:
		for _, r := range set {
			if isIn(uint32(i+1), r.Start, r.Stop, uint32(len(v.rows))) {
				return true
			}
		}
	case imap.UIDSet:
		for _, r := range set {
			if isIn(uid, uint32(r.Start), uint32(r.Stop), last) {
				return true
			}
		}
	}
	return false
}

func isIn(n, start, stop, last uint32) bool {
	if start == 0 {
		start = last
	}
	if stop == 0 {
		stop = last
	}
	return min(start, stop) <= n && n <= max(start, stop)
}
