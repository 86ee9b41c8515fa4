package alert

import (
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
)

const (
	markField   = "Postroom-Notice"
	markVersion = "v1"
	markPurpose = "notice"
)

// mark proves that a letter is a notice of ours: it holds the notice's id and two proofs,
// one over what stands before the @ of the Message-ID and one over date and recipient,
// because some servers give a mail another Message-ID on its way out. It is worth nothing
// in another mail.
func (d *Desk) mark(id postroom.NoticeID, l mime.Letter) (string, error) {
	byName, err := d.Ring.Mark(markPurpose, markedName(id.String(), l.MessageID))
	if err != nil {
		return "", err
	}
	byDate, err := d.Ring.Mark(markPurpose, markedDate(id.String(), l.At, l.To[0].Address))
	if err != nil {
		return "", err
	}
	return strings.Join([]string{markVersion, id.String(), byName, byDate}, " "), nil
}

func markedName(id, messageID string) string {
	local, _, _ := strings.Cut(messageID, "@")
	return "id " + id + " " + local
}

func markedDate(id string, at time.Time, to string) string {
	return "date " + id + " " + strconv.FormatInt(at.Unix(), 10) + " " + strings.ToLower(to)
}

// IsOwn says whether a mail with this header is a notice of this Postroom.
func (d *Desk) IsOwn(h mime.Header) bool {
	values := h.Values(markField)
	if len(values) != 1 {
		return false
	}
	parts := strings.Fields(values[0])
	if len(parts) != 4 || parts[0] != markVersion || len(parts[1]) > 20 {
		return false
	}
	id, byName, byDate := parts[1], parts[2], parts[3]
	if d.Ring.IsMark(markPurpose, markedName(id, h.MessageID()), byName) {
		return true
	}
	to := h.Addresses("To")
	return len(to) == 1 && d.Ring.IsMark(markPurpose, markedDate(id, h.Date("Date"), to[0].Address), byDate)
}
