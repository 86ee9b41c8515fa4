package imap

import (
	"context"

	"github.com/postroom/postroom/internal/mail"
)

// A Status is what a server says of a folder as it is selected.
type Status struct {
	Folder      string
	Exists      uint32 // how many messages there are
	UIDValidity uint32 // 0: unknown. Of a number over 32 bits, which is not allowed, the low ones
	UIDNext     uint32 // 0: unknown
	ReadOnly    bool
}

// Examine selects a folder for reading only: nothing that follows changes it,
// not even by marking a message read (RFC 9051 section 6.3.3).
func (c *Client) Examine(ctx context.Context, folder string) (Status, error) {
	return c.choose(ctx, "EXAMINE", folder)
}

// Settle selects a folder in a way that lets its UIDs be relied upon: as Examine
// does, except on Courier. There, EXAMINE numbers messages that no SELECT has shown
// yet for itself alone. A folder that was never selected has another UIDVALIDITY
// each time, and a late message can push itself in front of one that has been seen.
// SELECT writes the numbers down, and does not mark a message read.
func (c *Client) Settle(ctx context.Context, folder string) (Status, error) {
	if c.isCourier {
		return c.choose(ctx, "SELECT", folder)
	}
	return c.choose(ctx, "EXAMINE", folder)
}

// Select selects a folder for reading and writing. The server may still give no
// more than reading: see ReadOnly.
func (c *Client) Select(ctx context.Context, folder string) (Status, error) {
	return c.choose(ctx, "SELECT", folder)
}

func (c *Client) choose(ctx context.Context, command, folder string) (s Status, err error) {
	err = c.inFolder(ctx, folder, func(sent string) error {
		s, err = c.chooseWire(ctx, command, folder, sent)
		return err
	})
	return s, err
}

func (c *Client) chooseWire(ctx context.Context, command, folder, sent string) (Status, error) {
	c.status = Status{Folder: folder}
	c.exists, c.recent = 0, 0
	r, err := c.run(ctx, mail.PhaseSelect, nil, arg{text: command}, c.astring(sent))
	if err != nil {
		return Status{}, err
	}
	c.news = false
	c.status.Exists = c.exists
	c.status.ReadOnly = command == "EXAMINE" || r.code == "READ-ONLY"
	return c.status, nil
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
