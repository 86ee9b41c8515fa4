package imap

import (
	"bytes"
	"context"
	"strconv"
	"strings"

	"github.com/postroom/postroom/internal/mail"
)

// Move moves messages of the selected folder to another one (RFC 6851), where the
// server offers MOVE. Messages that are gone are passed over by the server. A
// refusal with the code TRYCREATE says that the folder is not there.
func (c *Client) Move(ctx context.Context, uids []uint32, folder string) error {
	return c.transfer(ctx, "UID MOVE ", uids, folder)
}

// Copy copies messages of the selected folder to another one (RFC 9051 section
// 6.4.7): all of one command, or none. TRYCREATE as with Move.
func (c *Client) Copy(ctx context.Context, uids []uint32, folder string) error {
	return c.transfer(ctx, "UID COPY ", uids, folder)
}

func (c *Client) transfer(ctx context.Context, command string, uids []uint32, folder string) error {
	limit := c.messageLimit()
	for rest := normal(uids); len(rest) > 0; {
		var set string
		set, _, rest = nextSet(rest, limit)
		err := c.inFolder(ctx, folder, func(sent string) error {
			_, err := c.run(ctx, mail.PhaseAny, c.hearOwnExpunge, arg{text: command + set}, c.astring(sent))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Expunge removes those of the given messages that are marked as deleted, and no
// others (RFC 4315 section 2.1), where the server offers UIDPLUS. The folder must
// have been selected for writing.
func (c *Client) Expunge(ctx context.Context, uids []uint32) error {
	limit := c.messageLimit()
	for rest := normal(uids); len(rest) > 0; {
		var set string
		set, _, rest = nextSet(rest, limit)
		if _, err := c.simple(ctx, mail.PhaseAny, c.hearOwnExpunge, "UID EXPUNGE "+set); err != nil {
			return err
		}
	}
	return nil
}

// hearOwnExpunge counts messages that have gone, of which we know: no news.
func (c *Client) hearOwnExpunge(word keyword, number uint64) (bool, error) {
	if word != wordExpunge && word != wordVanished {
		return false, nil
	}
	news := c.news
	err := c.hearNews(word, number)
	c.news = news
	return true, err
}

// newestCopies is how many of the newest messages are looked at one by one where
// the server's search finds nothing: its index may lag behind a copy just made.
const newestCopies = 200

// CopiesOf finds the messages of the selected folder that have this Message-ID and
// this size, which is as servers list it; 0: any. Without a Message-ID those are
// found that have none either.
func (c *Client) CopiesOf(ctx context.Context, messageID string, sizeBytes int64) ([]uint32, error) {
	messageID = bareMessageID(messageID)
	found, err := c.searchCopies(ctx, messageID, sizeBytes)
	if err != nil && !c.Usable() {
		return nil, err
	}
	copies, err := c.whichAre(ctx, found, messageID, sizeBytes)
	if err != nil || len(copies) > 0 {
		return copies, err
	}
	newest, err := c.UIDs(ctx, max(c.status.UIDNext, newestCopies+1)-newestCopies)
	if err != nil {
		return nil, err
	}
	return c.whichAre(ctx, newest[max(len(newest)-newestCopies, 0):], messageID, sizeBytes)
}

// searchCopies leaves the search to the server.
func (c *Client) searchCopies(ctx context.Context, messageID string, sizeBytes int64) ([]uint32, error) {
	words := []arg{{text: "UID SEARCH"}}
	switch {
	case messageID == "" && sizeBytes == 0:
		return nil, nil
	case messageID == "":
		words = append(words, arg{text: "LARGER " + strconv.FormatInt(sizeBytes-1, 10) + " SMALLER " + strconv.FormatInt(sizeBytes+1, 10)})
	default:
		if !isASCII(messageID) && !c.utf8 {
			words = append(words, arg{text: "CHARSET UTF-8"})
		}
		words = append(words, arg{text: "HEADER Message-ID"}, c.astring(messageID))
	}
	list := uidList{from: 1}
	_, err := c.run(ctx, mail.PhaseSearch, func(word keyword, _ uint64) (bool, error) {
		if word != wordSearch {
			return false, nil
		}
		return true, c.hearNumbers(&list)
	}, words...)
	return normal(list.uids), err
}

// whichAre asks for the Message-IDs themselves: a search finds parts of words too.
func (c *Client) whichAre(ctx context.Context, uids []uint32, messageID string, sizeBytes int64) ([]uint32, error) {
	var same []uint32
	err := c.Facts(ctx, uids, []string{"Message-ID"}, func(f Fact) error {
		sameSize := f.SizeBytes == sizeBytes || f.SizeBytes == 0 || sizeBytes == 0
		if sameSize && bareMessageID(messageIDOf(f.Header)) == messageID {
			same = append(same, f.UID)
		}
		return nil
	})
	return normal(same), err
}

// messageIDOf is the value of the field in a header that holds no other.
func messageIDOf(header []byte) string {
	_, value, _ := bytes.Cut(header, []byte(":"))
	return string(value)
}

// bareMessageID is a Message-ID without what surrounds it.
func bareMessageID(messageID string) string {
	return strings.Trim(messageID, " \t\r\n<>")
}
