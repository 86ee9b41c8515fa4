package store

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/postroom/postroom"
)

// A Transcript is a time in which the dialogue with the server of a mailbox is
// written down, because somebody wants to see it.
type Transcript struct {
	Mailbox postroom.MailboxID
	AskedBy postroom.UserID // 0: a program, or somebody who is gone
	AskedAt time.Time
	Until   time.Time
}

// A TranscriptLine is one line of a dialogue, secrets and messages left out.
type TranscriptLine struct {
	Position  int64 // counts up; 0 before it is kept
	At        time.Time
	Session   string // tells the connections of one transcript apart
	Direction byte   // 'C' what we said, 'S' what the server said, 'N' a note
	Line      string
}

const (
	// MaxTranscriptLines is how many lines of one mailbox are kept: the newest.
	MaxTranscriptLines = 20_000
	// maxTranscriptLine is how many bytes of a line are kept.
	maxTranscriptLine = 2000
	// transcriptKept is for how long lines are kept after the last one was written, in µs.
	transcriptKept = 24 * 3600 * 1_000_000
)

const beginTranscript = `
	insert into transcript (mailbox, asked_by, asked_at, until) values ($1, $2, db_now(), db_now() + $3)
	on conflict (mailbox) do update set asked_by = excluded.asked_by, asked_at = excluded.asked_at, until = excluded.until`

// BeginTranscript has whoever reads a mailbox write down the dialogue with its
// server for some time. What was written down before goes.
func (db *DB) BeginTranscript(ctx context.Context, id postroom.MailboxID, by postroom.UserID, lasts time.Duration) error {
	err := db.commit(ctx, func(t *tx) error {
		if err := t.exec(`delete from transcript_line where mailbox = $1`, id); err != nil {
			return err
		}
		return t.exec(beginTranscript, id, nullID(by), lasts.Microseconds())
	})
	if err != nil {
		return fmt.Errorf("begin a transcript of %s: %w", id, err)
	}
	return nil
}

// EndTranscript ends it now. What was written down stays for a day.
func (db *DB) EndTranscript(ctx context.Context, id postroom.MailboxID) error {
	err := db.commit(ctx, func(t *tx) error {
		return t.exec(`update transcript set until = db_now() where mailbox = $1 and until > db_now()`, id)
	})
	if err != nil {
		return fmt.Errorf("end the transcript of %s: %w", id, err)
	}
	return nil
}

// It is asked every second: there are few transcripts, and many leases.
const transcriptsAsked = `
	select t.mailbox, coalesce(t.asked_by, 0), t.asked_at, t.until
	from transcript t
	where t.until > db_now() and (select l.node from lease l where l.mailbox = t.mailbox) = $1`

// TranscriptsAsked returns the transcripts that are being written, of the mailboxes
// that a node reads.
func (db *DB) TranscriptsAsked(ctx context.Context, node postroom.NodeID) (asked []Transcript, err error) {
	rows, err := db.query(ctx, transcriptsAsked, node)
	if err != nil {
		return nil, fmt.Errorf("list transcripts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		t, err := scanTranscript(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("list transcripts: %w", err)
		}
		asked = append(asked, t)
	}
	return asked, rows.Err()
}

func scanTranscript(scan func(...any) error) (t Transcript, err error) {
	var askedAt, until int64
	err = scan(&t.Mailbox, &t.AskedBy, &askedAt, &until)
	t.AskedAt, t.Until = at(askedAt), at(until)
	return t, err
}

// RecordTranscript keeps lines of the transcript of a mailbox. Where nobody has asked
// for one, nothing is kept.
func (db *DB) RecordTranscript(ctx context.Context, id postroom.MailboxID, lines []TranscriptLine) error {
	err := db.commit(ctx, func(t *tx) error {
		for _, l := range lines {
			if err := t.exec(addTranscriptLine, id, l.At.UnixMicro(), l.Session, string(l.Direction), CutTranscriptLine(l.Line)); err != nil {
				return err
			}
		}
		return t.exec(dropTranscriptLines, id, int64(MaxTranscriptLines))
	})
	if err != nil {
		return fmt.Errorf("keep the transcript of %s: %w", id, err)
	}
	return nil
}

// CutTranscriptLine returns as much of a line as is kept, in memory of its own: a
// server may send lines of a megabyte. What nobody can read stands there as �: a line
// is shown in terminals, which obey some of it, and on pages, where marks of direction
// would have it read from its end.
func CutTranscriptLine(line string) string {
	shown := strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) {
			return unicode.ReplacementChar
		}
		return r
	}, clip(line, maxTranscriptLine))
	if len(line) <= maxTranscriptLine && len(shown) <= maxTranscriptLine {
		return shown
	}
	const more = " …"
	return clip(shown, maxTranscriptLine-len(more)) + more
}

const addTranscriptLine = `
	insert into transcript_line (mailbox, at, session, direction, line)
	select mailbox, cast($2 as bigint), cast($3 as text), cast($4 as text), cast($5 as text) from transcript where mailbox = $1`

const dropTranscriptLines = `
	delete from transcript_line where mailbox = $1 and id <= coalesce(
		(select id from transcript_line where mailbox = $1 order by id desc limit 1 offset $2), 0)`

// TranscriptOf returns the transcript that was last asked for; ok is false when none
// is kept.
func (r *Reader) TranscriptOf(ctx context.Context, id postroom.MailboxID) (t Transcript, ok bool, err error) {
	row := r.db.queryRow(ctx, `select mailbox, coalesce(asked_by, 0), asked_at, until from transcript where mailbox = $1`, id)
	t, err = scanTranscript(row.Scan)
	if noRows(err) {
		return Transcript{}, false, nil
	}
	if err != nil {
		return Transcript{}, false, fmt.Errorf("read the transcript of %s: %w", id, err)
	}
	return t, true, nil
}

// TranscriptLines returns the lines of a mailbox behind a position, in their order, at
// most limit (0: all that are kept).
func (r *Reader) TranscriptLines(ctx context.Context, id postroom.MailboxID, after int64, limit int) (lines []TranscriptLine, err error) {
	if limit <= 0 {
		limit = MaxTranscriptLines
	}
	rows, err := r.db.query(ctx, `select id, at, session, direction, line from transcript_line where mailbox = $1 and id > $2 order by id limit $3`, id, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read the transcript of %s: %w", id, err)
	}
	defer rows.Close()
	for rows.Next() {
		var l TranscriptLine
		var moment int64
		var direction string
		if err := rows.Scan(&l.Position, &moment, &l.Session, &direction, &l.Line); err != nil {
			return nil, fmt.Errorf("read the transcript of %s: %w", id, err)
		}
		l.At = at(moment)
		if direction != "" {
			l.Direction = direction[0]
		}
		lines = append(lines, l)
	}
	return lines, rows.Err()
}

// SweepTranscripts removes what was written down over a day ago, and the transcripts
// of mailboxes that were removed.
func (db *DB) SweepTranscripts(ctx context.Context) (swept int, err error) {
	const over = `select mailbox from transcript where until <= db_now() - $1
		or mailbox in (select id from mailbox where deleted_at is not null)`
	err = db.commit(ctx, func(t *tx) error {
		rows, err := t.rows(over, int64(transcriptKept))
		if err != nil {
			return err
		}
		ids, err := scanIDs[postroom.MailboxID](rows)
		if err != nil {
			return err
		}
		swept = len(ids)
		for _, id := range ids {
			if err := t.exec(`delete from transcript_line where mailbox = $1`, id); err != nil {
				return err
			}
			if err := t.exec(`delete from transcript where mailbox = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("sweep transcripts: %w", err)
	}
	return swept, nil
}
