// Package mime turns the raw bytes of a message into a mail.
//
// It does no I/O of its own and never gives up on a message: what cannot be read
// as the standards ask is read as well as it can be, and a note says so. Messages
// are streamed. What is kept is bounded whatever their size: the header, the text
// and the HTML up to [Options.MaxTextBytes], and a line for each part.
package mime

import (
	"io"

	"github.com/postroom/postroom"
)

// Options bound what Read keeps. The zero value is the sensible default.
type Options struct {
	// MaxTextBytes is how much of the text, and again of the HTML, is kept. 0: 4 MB.
	MaxTextBytes int
}

// The caps on the shape of a message. A message beyond one of them is still read
// up to it, and Notes say which one it was.
const (
	maxLevels      = 100     // nested multiparts
	maxParts       = 10_000  // leaves and multiparts together
	maxHeaderBytes = 1 << 20 // of one header, the message's or a part's
	maxLabelBytes  = 1024    // of a file name, a content id or a boundary
	maxReportBytes = 256 << 10
	defaultMaxText = 4 << 20
)

// A Message is a mail with what its classification needs.
type Message struct {
	postroom.Mail
	Header Header
	// Parts are all parts in the order of the message; the first is the message itself.
	Parts []Part
}

// A Part is one node of the tree of a message.
type Part struct {
	Parent int    // index in Parts; -1 for the message itself
	Type   string // media type, lower case, without parameters
	// RawType is the Content-Type as written where it could not be read; else empty.
	RawType     string
	ReportType  string // report-type of a multipart/report (RFC 6522 section 3)
	Disposition string // lower case; empty when there is none
	Name        string // file name; empty when there is none
	Attachment  int    // its number among the attachments; -1: it is none
	SizeBytes   int64  // decoded; 0 for a multipart
	// Fields are the groups of fields of a message/delivery-status (RFC 3464),
	// message/disposition-notification (RFC 8098) or message/feedback-report (RFC
	// 5965), or the one header of an enclosed message; up to 256 KB in all.
	Fields []Header
	// Opening is the beginning of the body of an enclosed message, up to 4 KB.
	Opening string
}

// Read reads a message to its end. The error is that of r: a message that makes
// no sense yields what there is of it, with Notes. Memory does not grow with the
// size of the message; attachments are hashed and counted, not kept.
func Read(r io.Reader, o Options) (*Message, error) {
	w := newWalker(r, o)
	err := w.walk()
	return w.finish(), err
}

// Attachment writes the decoded bytes of attachment n, numbered as by Read, to
// out and returns what is known of it. What follows it is not read. The error is
// that of r or of out, or a NotFound Fault when the message has no such attachment.
func Attachment(r io.Reader, n int, out io.Writer) (postroom.Attachment, error) {
	all, err := extract(r, map[int]io.Writer{n: out})
	if n >= 0 && n < len(all) {
		return all[n], err
	}
	if err != nil {
		return postroom.Attachment{}, err
	}
	return postroom.Attachment{}, &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "This mail has no such attachment.",
		Remedy:      "Go back to the mail and choose one of the attachments listed there.",
	}
}

// Attachments writes the decoded bytes of several attachments, by their numbers,
// in one reading of the message. A number that it does not have gets nothing. The
// error is that of r or of one of the writers.
func Attachments(r io.Reader, wanted map[int]io.Writer) error {
	_, err := extract(r, wanted)
	return err
}

func extract(r io.Reader, wanted map[int]io.Writer) ([]postroom.Attachment, error) {
	w := newWalker(r, Options{MaxTextBytes: 1})
	w.wanted = wanted
	err := w.walk()
	if w.outErr != nil {
		err = w.outErr
	}
	return w.m.Attachments, err
}
