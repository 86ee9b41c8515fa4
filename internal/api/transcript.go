package api

import (
	"context"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// Transcript is the dialogue with the server of a mailbox, while somebody wants it.
type Transcript struct {
	Since *time.Time       `json:"since" doc:"Null when none was asked for."`
	Until *time.Time       `json:"until" doc:"When it ends, or ended."`
	Open  bool             `json:"open" doc:"It still goes on."`
	Lines []TranscriptLine `json:"lines" nullable:"false"`
	After string           `json:"after" doc:"Give it as after to see what follows."`
}

// TranscriptLine is one line of it: secrets blanked, messages left out.
type TranscriptLine struct {
	At        time.Time `json:"at"`
	Session   string    `json:"session" doc:"Tells connections apart; empty for a note beside them."`
	Direction string    `json:"direction" enum:"C,S,N" doc:"C: what Postroom said. S: what the server said. N: a note."`
	Line      string    `json:"line"`
}

func showTranscript(t mailbox.Transcript, after string) Transcript {
	shown := Transcript{Open: t.Goes, Lines: []TranscriptLine{}, After: after}
	if t.Asked {
		shown.Since, shown.Until = &t.AskedAt, &t.Until
	}
	for _, l := range t.Lines {
		shown.Lines = append(shown.Lines, TranscriptLine{l.At, l.Session, string(l.Direction), l.Line})
		shown.After = strconv.FormatInt(l.Position, 10)
	}
	return shown
}

type beginTranscriptInput struct {
	OfMailbox
	Body struct {
		Minutes int `json:"minutes,omitempty" minimum:"1" maximum:"60" doc:"How long; usual are 10."`
	}
}

func (s *Server) beginTranscript(ctx context.Context, v postroom.Viewer, in *beginTranscriptInput) (*answer[Transcript], error) {
	id, err := postroom.ParseID[postroom.MailboxID](in.ID)
	if err != nil {
		return nil, err
	}
	t, err := s.Mailboxes.BeginTranscript(ctx, v, id, time.Duration(in.Body.Minutes)*time.Minute)
	t.Lines = nil // they are read from the beginning
	return answerOf(showTranscript(t, "0"), err)
}

type readTranscriptInput struct {
	OfMailbox
	After string `query:"after" doc:"Only lines behind this position."`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"500"`
}

func (s *Server) readTranscript(ctx context.Context, v postroom.Viewer, in *readTranscriptInput) (*answer[Transcript], error) {
	id, err := postroom.ParseID[postroom.MailboxID](in.ID)
	if err != nil {
		return nil, err
	}
	after := int64(0)
	if in.After != "" {
		if after, err = strconv.ParseInt(in.After, 10, 64); err != nil {
			return nil, unfit("after", "“after” is no position of a transcript.", "Give the after of an earlier answer, or leave it out.")
		}
	}
	t, err := s.Mailboxes.Transcript(ctx, v, id, after, in.Limit)
	return answerOf(showTranscript(t, strconv.FormatInt(after, 10)), err)
}

func (s *Server) endTranscript(ctx context.Context, v postroom.Viewer, in *OfMailbox) (*struct{}, error) {
	id, err := postroom.ParseID[postroom.MailboxID](in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.Mailboxes.EndTranscript(ctx, v, id)
}

// downloadTranscript gives all of it as text, for a ticket.
func (s *Server) downloadTranscript(ctx context.Context, v postroom.Viewer, in *OfMailbox) (*flow, error) {
	id, err := postroom.ParseID[postroom.MailboxID](in.ID)
	if err != nil {
		return nil, err
	}
	t, err := s.Mailboxes.Transcript(ctx, v, id, 0, 0)
	if err != nil {
		return nil, err
	}
	return &flow{func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		attach(w, "transcript-"+id.String()+".txt", "text/plain; charset=utf-8")
		s.cut(ctx.Context(), t.Write(patient{w}))
	}}, nil
}
