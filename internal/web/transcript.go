package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/store"
)

// A transcriptPage is the dialogue with the server of a mailbox, as it goes on.
type transcriptPage struct {
	frame
	ID      string
	Address string
	State   string // since when, until when
	Asked   bool
	Goes    bool
	Paused  bool
	transcriptPart
	Wrong *faultView
}

// A transcriptPart is what was said behind a position.
type transcriptPart struct {
	ID    string
	Lines []transcriptLine
	After int64 // the position of the last one
	More  bool  // there may be more in a moment
}

type transcriptLine struct {
	Time    string
	Exact   string
	Who     string // Postroom, Server, or empty: a note
	Text    string
	Tone    string
	Session string // a new connection begins with this line
}

// shownAtOnce is how many lines a page takes at a time.
const shownAtOnce = 2000

func (s *Server) transcriptPart(t mailbox.Transcript, after int64, session string) transcriptPart {
	p := transcriptPart{ID: t.Mailbox.ID.String(), After: after, More: t.Goes || len(t.Lines) == shownAtOnce}
	for _, l := range t.Lines {
		line := viewTranscriptLine(l)
		if l.Session != session && l.Session != "" {
			session, line.Session = l.Session, "New connection"
		}
		p.Lines, p.After = append(p.Lines, line), l.Position
	}
	return p
}

func viewTranscriptLine(l store.TranscriptLine) transcriptLine {
	v := transcriptLine{Time: l.At.Local().Format("15:04:05"), Exact: l.At.UTC().Format(time.RFC3339Nano), Text: l.Line}
	switch l.Direction {
	case 'C':
		v.Who, v.Tone = "Postroom", "ours"
	case 'S':
		v.Who, v.Tone = "Server", "theirs"
	default:
		v.Tone = "note"
	}
	return v
}

func (s *Server) transcriptOf(r *http.Request, by visitor, after int64) (t mailbox.Transcript, err error) {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return t, err
	}
	return s.Mailboxes.Transcript(r.Context(), by.Viewer, id, after, shownAtOnce)
}

// showTranscript handles GET /mailboxes/{id}/transcript.
func (s *Server) showTranscript(w http.ResponseWriter, r *http.Request, by visitor) error {
	t, err := s.transcriptOf(r, by, 0)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, transcriptView(s.transcriptPage(by, t)))
}

func (s *Server) transcriptPage(by visitor, t mailbox.Transcript) transcriptPage {
	p := transcriptPage{
		frame: s.frame(by, "The dialogue with the server of "+t.Mailbox.Name, "mailboxes"), ID: t.Mailbox.ID.String(),
		Address: t.Mailbox.Address, Asked: t.Asked, Goes: t.Goes, Paused: t.Mailbox.State == postroom.MailboxPaused,
		transcriptPart: s.transcriptPart(t, 0, ""),
	}
	switch {
	case t.Goes:
		p.State = "Writing down what is said, until " + t.Until.Local().Format("15:04") + "."
	case t.Asked:
		p.State = "Written down from " + t.AskedAt.Local().Format("2 January, 15:04") + " to " + t.Until.Local().Format("15:04") + ". It is kept for a day."
	}
	return p
}

// showTranscriptLines handles GET /mailboxes/{id}/transcript/lines: what follows what
// is on the screen.
func (s *Server) showTranscriptLines(w http.ResponseWriter, r *http.Request, by visitor) error {
	after, err := strconv.ParseInt(r.FormValue("after"), 10, 64)
	if err != nil {
		after = 0
	}
	t, err := s.transcriptOf(r, by, after)
	if err != nil {
		return err
	}
	session := ""
	if after > 0 {
		if session, err = s.lastSession(r, by, t, after); err != nil {
			return err
		}
	}
	return s.render(w, r, http.StatusOK, transcriptLines(s.transcriptPart(t, after, session)))
}

// lastSession is the connection of the last line on the screen.
func (s *Server) lastSession(r *http.Request, by visitor, t mailbox.Transcript, after int64) (string, error) {
	lines, err := s.Reader.TranscriptLines(r.Context(), t.Mailbox.ID, after-1, 1)
	if err != nil || len(lines) == 0 || lines[0].Position != after {
		return "", err
	}
	return lines[0].Session, nil
}

// beginTranscript handles POST /mailboxes/{id}/transcript.
func (s *Server) beginTranscript(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	minutes, err := strconv.Atoi(r.PostFormValue("minutes"))
	if err != nil || minutes < 1 {
		minutes = int(mailbox.UsualTranscript / time.Minute)
	}
	_, err = s.Mailboxes.BeginTranscript(r.Context(), by.Viewer, id, time.Duration(minutes)*time.Minute)
	if f, ok := postroom.FaultOf(err); ok && (f.Kind == postroom.Conflict || f.Kind == postroom.Invalid) {
		t, err := s.transcriptOf(r, by, 0)
		if err != nil {
			return err
		}
		p, v := s.transcriptPage(by, t), viewFault(f)
		p.Wrong = &v
		return s.render(w, r, statusOf(f.Kind), transcriptView(p))
	}
	if err != nil {
		return err
	}
	goTo(w, r, "/mailboxes/"+id.String()+"/transcript")
	return nil
}

// endTranscript handles POST /mailboxes/{id}/transcript/end.
func (s *Server) endTranscript(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.Mailboxes.EndTranscript(r.Context(), by.Viewer, id); err != nil {
		return err
	}
	goTo(w, r, "/mailboxes/"+id.String()+"/transcript")
	return nil
}

// downloadTranscript handles GET /mailboxes/{id}/transcript.txt.
func (s *Server) downloadTranscript(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	t, err := s.Mailboxes.Transcript(r.Context(), by.Viewer, id, 0, 0)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="transcript-`+id.String()+`.txt"`)
	return t.Write(w)
}
