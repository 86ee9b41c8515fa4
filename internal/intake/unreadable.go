package intake

import (
	"crypto/sha256"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
)

// unreadable stands for a message that broke its reader: nothing is known of it but
// its bytes, which the entry offers to download. Its digest is its own, so that no
// other message is taken for it.
func unreadable(id postroom.RawID) Understanding {
	m := &mime.Message{}
	m.Subject = "A mail that could not be read"
	m.Kind = postroom.KindPerson
	m.KindReason = "Nothing is known of it, so a person should look."
	m.Notes = []string{"This mail could not be read. Its original is kept here and can be downloaded."}
	m.Digest = sha256.Sum256([]byte("unreadable raw " + id.String()))
	return Understanding{Message: m}
}
