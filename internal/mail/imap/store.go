package imap

import (
	"context"
	"strings"

	"github.com/postroom/postroom/internal/mail"
)

// Store adds flags to messages, or takes them away (RFC 9051 section 6.4.6). The
// folder must have been selected for writing. Messages that are gone are passed
// over by the server.
func (c *Client) Store(ctx context.Context, uids []uint32, add bool, flags ...string) error {
	change := " -FLAGS.SILENT ("
	if add {
		change = " +FLAGS.SILENT ("
	}
	limit := c.messageLimit()
	for rest := normal(uids); len(rest) > 0; {
		var set string
		set, _, rest = nextSet(rest, limit)
		if _, err := c.simple(ctx, mail.PhaseAny, nil, "UID STORE "+set+change+strings.Join(flags, " ")+")"); err != nil {
			return err
		}
	}
	return nil
}
