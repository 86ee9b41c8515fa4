package web

import (
	"context"

	"github.com/postroom/postroom"
)

// protocolWord is what people call a protocol.
func protocolWord(p postroom.Protocol) string {
	if p == postroom.POP3 {
		return "POP3"
	}
	return "IMAP"
}

// afterWords say what happens to a mail on the server once it is here.
func afterWords(after postroom.AfterImport, folder string) string {
	switch after {
	case postroom.AfterImportMarkRead:
		return "it is marked as read there"
	case postroom.AfterImportMove:
		return "it is moved to the folder " + folder
	case postroom.AfterImportDelete:
		return "it is deleted there"
	}
	return "it stays as it is"
}

// keptWords say how long the original of a mail is kept.
func keptWords(days int) string {
	if days == 0 {
		return "for ever"
	}
	return "for " + plural(int64(days), "day")
}

// removalWords say what becomes of mail on the server when its mailbox is removed.
func removalWords(after postroom.AfterImport) string {
	if after == postroom.AfterImportKeep {
		return "Nothing changes on its server."
	}
	return "What is still to be done with mail on its server is not done any more."
}

// A dueView says what is still to be done on the server with mail that is here.
type dueView struct {
	Sentence string
	Undone   string // how many could not be done; empty: none
	Reason   string
	Next     *moment
}

// dueView is nil where nothing is left to do.
func (s *Server) dueView(ctx context.Context, id postroom.MailboxID) (*dueView, error) {
	c, err := s.Reader.DueCount(ctx, id)
	if err != nil || c.Due == 0 {
		return nil, err
	}
	v := &dueView{Sentence: plural(c.Due, "mail") + " that came in " + areIs(c.Due) + " still to be dealt with on the server."}
	if c.Undone > 0 {
		v.Undone = number(c.Undone) + " of them could not be dealt with yet. Nothing is lost by that: they are safely here."
		if c.Undone == c.Due {
			v.Undone = "It could not be done yet. Nothing is lost by that: the mail is safely here."
		}
		v.Reason = c.Reason
		if !c.NextTry.IsZero() {
			next := tell(c.NextTry, s.now())
			v.Next = &next
		}
	}
	return v, nil
}

func areIs(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
