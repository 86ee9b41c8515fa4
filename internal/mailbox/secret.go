package mailbox

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/postroom/postroom"
)

// The kinds of credential that are known here.
const (
	KindPassword    = "password"
	KindAppPassword = "app_password"
	kindOAuth       = "oauth"
)

// A Credential is what opens a mailbox.
type Credential struct {
	Kind     string // KindPassword or KindAppPassword; empty: seen from the password
	Password postroom.Secret
	// Outgoing is what opens the outgoing server, where that is something else; nil:
	// this does. It has none of its own.
	Outgoing *Credential
}

// maxPassword is the longest password that is taken, in bytes.
const maxPassword = 4 << 10

// fourGroups is how providers show an app password; the blanks are not part of it.
var fourGroups = regexp.MustCompile(`^[A-Za-z]{4}([ \x{a0}][A-Za-z]{4}){3}$`)

// complete returns c as it is kept: without the blanks that pasting adds. An app
// password has none within either; a password keeps those.
func (c Credential) complete() (Credential, error) {
	c, err := c.completeAs("credential")
	if err == nil && c.Outgoing != nil {
		own, err := c.Outgoing.completeAs("outgoing.credential")
		c.Outgoing = &own
		return c, err
	}
	return c, err
}

func (c Credential) completeAs(field string) (Credential, error) {
	text := strings.TrimSpace(c.Password.Reveal())
	switch c.Kind {
	case "":
		c.Kind = KindPassword
		if fourGroups.MatchString(text) {
			c.Kind = KindAppPassword
		}
	case KindPassword, KindAppPassword:
	case kindOAuth:
		return c, invalid(field+".kind",
			"This version of Postroom cannot sign in at the provider yet.",
			"Create an app password at the provider, and choose app_password.")
	default:
		return c, invalid(field+".kind", quote(c.Kind)+" is no kind of credential.", "Choose password or app_password.")
	}
	if c.Kind == KindAppPassword {
		text = strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, text)
	}
	switch {
	case text == "":
		return c, invalid(field+".password", "The password is missing.", "Enter it. It is kept sealed, and never shown again.")
	case len(text) > maxPassword || hasControls(text):
		return c, invalid(field+".password", "The password is far too long, or has signs in it that cannot be typed.", "Enter the password alone.")
	}
	c.Password = postroom.Hide(text)
	return c, nil
}
