package mime

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"strconv"
	"strings"
)

// digestHead begins the digest of a message with its date, its sender and its
// subject, each closed by a line end.
func (w *walker) digestHead(h Header) {
	var head strings.Builder
	if at := h.Date("Date"); !at.IsZero() {
		head.WriteString(strconv.FormatInt(at.Unix(), 10))
	}
	head.WriteByte('\n')
	for _, a := range h.Addresses("From") {
		head.WriteString(strings.ToLower(a.Address))
		head.WriteByte(' ')
	}
	head.WriteByte('\n')
	head.WriteString(strings.Join(strings.Fields(h.Text("Subject")), " "))
	head.WriteByte('\n')
	w.digest.Write([]byte(head.String()))
}

// A normalHash is a SHA-256 that is the same for all copies of a text that mail
// servers make: every line end counts as LF, those at the end and U+0000 not at
// all.
type normalHash struct {
	hash    hash.Hash
	pending int  // line ends that count only if something follows
	sawCR   bool // the last byte was CR: an LF behind it is the same line end
}

func newNormalHash() normalHash { return normalHash{hash: sha256.New()} }

func (n *normalHash) write(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexAny(p, "\r\n\x00")
		if i < 0 {
			i = len(p)
		}
		if i > 0 {
			n.release()
			n.hash.Write(p[:i])
			n.sawCR = false
		}
		if i == len(p) {
			return
		}
		switch p[i] {
		case '\r':
			n.pending++
			n.sawCR = true
		case '\n':
			if !n.sawCR {
				n.pending++
			}
			n.sawCR = false
		}
		p = p[i+1:]
	}
}

func (n *normalHash) release() {
	for ; n.pending > 0; n.pending-- {
		n.hash.Write(lf)
	}
}

func (n *normalHash) sum() (sum [sha256.Size]byte) {
	n.hash.Sum(sum[:0])
	return sum
}
