package pop3

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"strings"

	"github.com/postroom/postroom/internal/mail"
)

// apop logs in with a digest of the greeting's timestamp and the password (RFC
// 1939 section 7). A refusal does not count as one of the password: the server
// may well know it in a form of which no digest can be made.
func (c *Client) apop(ctx context.Context) (hasTold bool, err error) {
	sum := md5.Sum([]byte(apopTimestamp(c.greeting) + c.login.Secret.Reveal())) //nolint:gosec // APOP is made of it
	digest := hex.EncodeToString(sum[:])
	c.login = c.login.Proven(digest)
	return false, c.secretCommand(ctx, mail.PhaseAuth, "APOP "+c.login.Username+" ", digest)
}

// apopTimestamp returns the timestamp of a greeting with its angle brackets, or
// nothing. It must be a message-id of ASCII characters: with others, somebody
// between could find the password out letter by letter (CVE-2007-1558).
func apopTimestamp(greeting string) string {
	start := strings.LastIndexByte(greeting, '<')
	if start < 0 {
		return ""
	}
	length := strings.IndexByte(greeting[start:], '>') + 1
	stamp := greeting[start : start+length]
	if length < len("<a@b>") || strings.Count(stamp, "@") != 1 || stamp[1] == '@' || stamp[length-2] == '@' {
		return ""
	}
	for _, b := range []byte(stamp) {
		if b <= ' ' || b >= 0x7f {
			return ""
		}
	}
	return stamp
}
