package mailbox

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// How long the dialogue with a server is written down.
const (
	UsualTranscript   = 10 * time.Minute
	LongestTranscript = time.Hour
)

// A Transcript is the dialogue with the server of a mailbox, as far as it was
// written down: without secrets, and without messages.
type Transcript struct {
	store.Transcript
	Asked   bool // somebody has asked for it; all else is zero where nobody has
	Goes    bool // it still goes on
	Lines   []store.TranscriptLine
	Mailbox postroom.Mailbox
}

// BeginTranscript has the dialogue with the server of a mailbox written down for some
// time, at most [LongestTranscript]; 0: [UsualTranscript]. Its reader connects anew, so
// that the sign-in is heard too. An earlier transcript of the mailbox goes.
func (d *Desk) BeginTranscript(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, lasts time.Duration) (Transcript, error) {
	if err := needAdmin(by); err != nil {
		return Transcript{}, err
	}
	if lasts == 0 {
		lasts = UsualTranscript
	}
	if lasts < time.Minute || lasts > LongestTranscript {
		return Transcript{}, invalid("minutes", "A dialogue is written down for 1 to 60 minutes at a time.", "Choose a number from 1 to 60; it can be asked for again.")
	}
	m, err := d.Store.Mailbox(ctx, id)
	switch {
	case err != nil:
		return Transcript{}, err
	case m.State == postroom.MailboxPaused:
		return Transcript{}, &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "This mailbox is paused, so nothing is said between Postroom and its server.",
			Remedy:      "Resume the mailbox first. The test of the connection shows the dialogue of a paused mailbox too.",
		}
	}
	if err := d.Store.BeginTranscript(ctx, id, by.User, lasts); err != nil {
		return Transcript{}, err
	}
	d.wake()
	return d.Transcript(ctx, by, id, 0, 1)
}

// EndTranscript ends it now; what was written down can be read for a day. To end one
// that nobody has asked for does nothing.
func (d *Desk) EndTranscript(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) error {
	return d.byAdmin(by, func() error {
		if _, err := d.Store.Mailbox(ctx, id); err != nil {
			return err
		}
		return d.Store.EndTranscript(ctx, id)
	})
}

// Transcript returns the lines behind a position, at most limit (0: all), in their
// order.
func (d *Desk) Transcript(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, after int64, limit int) (t Transcript, err error) {
	if err := needAdmin(by); err != nil {
		return Transcript{}, err
	}
	if t.Mailbox, err = d.Store.Mailbox(ctx, id); err != nil {
		return Transcript{}, err
	}
	reader := d.Store.Reader()
	if t.Transcript, t.Asked, err = reader.TranscriptOf(ctx, id); err != nil || !t.Asked {
		return t, err
	}
	t.Goes = time.Now().Before(t.Until)
	t.Lines, err = reader.TranscriptLines(ctx, id, after, limit)
	return t, err
}

// Write writes a transcript as text for a ticket.
func (t Transcript) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	in := t.Mailbox.Incoming
	fmt.Fprintf(out, "The dialogue of %s with %s, port %d, by %s, from %s on (UTC).\n",
		t.Mailbox.Address, in.Host, in.Port, protocolInWords(in.Protocol), t.AskedAt.UTC().Format("2 January 2006 15:04:05"))
	fmt.Fprint(out, "C: what Postroom said. S: what the server said. Passwords and messages are left out.\n")
	session := ""
	for _, l := range t.Lines {
		if l.Session != session && l.Session != "" {
			session = l.Session
			fmt.Fprintf(out, "\nconnection %s\n", session)
		}
		fmt.Fprintf(out, "%s %s %s\n", l.At.UTC().Format("15:04:05.000"), whoSays(l.Direction), l.Line)
	}
	return out.Flush()
}

func whoSays(direction byte) string {
	switch direction {
	case 'C':
		return "C:"
	case 'S':
		return "S:"
	}
	return "--"
}
