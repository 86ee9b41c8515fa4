package web

import (
	"context"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// withKept fills the passwords in that were not typed with those that are kept for a
// mailbox. Each goes only to the server that it was given for. One that opens both
// servers does so anew where shared is set.
func (s *Server) withKept(ctx context.Context, id postroom.MailboxID, typed postroom.Mailbox, c mailbox.Credential, shared bool) (mailbox.Credential, error) {
	kept, err := s.Reader.Mailbox(ctx, id)
	if err != nil {
		return c, err
	}
	wasTyped := !c.Password.IsEmpty()
	if !wasTyped {
		if !isSameServer(kept.Incoming.ServerSettings, typed.Incoming.ServerSettings) {
			return c, keptForAnother("credential.password")
		}
		if c.Kind, c.Password, _, err = s.Mailboxes.Open(ctx, id); err != nil {
			return c, err
		}
	}
	if typed.Outgoing == nil || c.Outgoing != nil {
		return c, nil
	}
	if kept.Outgoing == nil || !isSameServer(kept.Outgoing.ServerSettings, typed.Outgoing.ServerSettings) {
		if wasTyped {
			return c, nil // what was typed opens both
		}
		return c, keptForAnother("outgoing.credential.password")
	}
	if shared {
		return c, nil
	}
	sending := mailbox.Credential{}
	if sending.Kind, sending.Password, err = s.Mailboxes.OpenOutgoing(ctx, id); err != nil {
		if wasTyped && isUnreadable(err) {
			return c, nil // nothing opens it any more but what was typed
		}
		return c, err
	}
	if wasTyped {
		switch _, both, _, err := s.Mailboxes.Open(ctx, id); {
		case err != nil && !isUnreadable(err):
			return c, err
		case err == nil && both.Reveal() == sending.Password.Reveal():
			return c, nil // one password opens both, and there is a new one
		}
	}
	c.Outgoing = &sending
	return c, nil
}

// isUnreadable says whether a password that is kept cannot be read any more, its key
// being lost for instance: then people are asked to enter it again.
func isUnreadable(err error) bool {
	_, ok := postroom.FaultOf(err)
	return ok
}

func isSameServer(was, is postroom.ServerSettings) bool {
	return strings.EqualFold(strings.TrimSpace(is.Host), was.Host) && is.Port == was.Port && is.TLS == was.TLS &&
		strings.TrimSpace(is.CACertificate) == strings.TrimSpace(was.CACertificate) && strings.EqualFold(is.PinnedSHA256, was.PinnedSHA256)
}

func keptForAnother(field string) error {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: field,
		Explanation: "The password that is kept was given for another server, so it is not sent to this one.",
		Remedy:      "Type the password for this test.",
	}
}
