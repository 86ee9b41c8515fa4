package simulator

import (
	"bufio"
	"bytes"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-message/textproto"
)

// found is a message that a command asked for, copied out of the store.
type found struct {
	number, uid uint32
	raw         []byte
	date        time.Time
	flags       []imap.Flag
}

// newFound copies a letter, under the lock of the store.
func newFound(index int, l *letter) found {
	return found{number: uint32(index + 1), uid: l.uid, raw: l.raw, date: l.date, flags: slices.Clone(l.flags)}
}

// write writes one FETCH response, its UID first.
func (f found) write(w *imapserver.FetchWriter, options *imap.FetchOptions) error {
	response := w.CreateMessage(f.number)
	if options.UID {
		response.WriteUID(imap.UID(f.uid))
	}
	if options.Flags {
		response.WriteFlags(f.flags)
	}
	if options.InternalDate {
		response.WriteInternalDate(f.date)
	}
	if options.RFC822Size {
		response.WriteRFC822Size(int64(len(f.raw)))
	}
	if options.Envelope {
		header, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(f.raw)))
		if err != nil {
			response.WriteEnvelope(nil)
		} else {
			response.WriteEnvelope(imapserver.ExtractEnvelope(header))
		}
	}
	if options.BodyStructure != nil {
		response.WriteBodyStructure(imapserver.ExtractBodyStructure(bytes.NewReader(f.raw)))
	}
	for _, section := range options.BodySection {
		part := f.section(section)
		literal := response.WriteBodySection(section, int64(len(part)))
		if _, err := literal.Write(part); err != nil {
			return err
		}
		if err := literal.Close(); err != nil {
			return err
		}
	}
	return response.Close()
}

// section returns a part of the message. The whole is exactly what was delivered.
func (f found) section(section *imap.FetchItemBodySection) []byte {
	if len(section.Part) > 0 || section.Specifier != imap.PartSpecifierNone {
		return imapserver.ExtractBodySection(bytes.NewReader(f.raw), section)
	}
	part := f.raw
	if p := section.Partial; p != nil {
		part = part[min(p.Offset, int64(len(part))):]
		part = part[:min(p.Size, int64(len(part)))]
	}
	return part
}
