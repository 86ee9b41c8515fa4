package mailbox

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// The kinds of credential that are known here.
const (
	KindPassword    = "password"
	KindAppPassword = "app_password"
	// KindOAuth: the password is an access token. Where there is none nobody has signed in
	// at the provider yet; so it is kept, and a sign-in takes its place.
	KindOAuth = postroom.CredentialOAuth
)

// A Credential is what opens a mailbox.
type Credential struct {
	Kind     string // one of those above; empty: seen from the password
	Password postroom.Secret
	// Outgoing is what opens the outgoing server, where that is something else; nil:
	// this does. It has none of its own.
	Outgoing *Credential

	proven bool // it has worked just as it is
	// Of an access token:
	renew func(ctx context.Context, refused postroom.Secret) (postroom.Secret, error) // another one; nil: there is none
	lost  *postroom.Fault                                                             // why there is none now; nil: there is, or nobody has signed in yet
}

// maxPassword is the longest password that is taken, in bytes.
const maxPassword = 4 << 10

// fourGroups is how providers show an app password; the blanks are not part of it.
var fourGroups = regexp.MustCompile(`^[A-Za-z]{4}([ \x{a0}][A-Za-z]{4}){3}$`)

// Complete returns c as it is kept until it has worked: as it was typed, but for
// what is around it and for line ends. In which form a server takes it is found out
// there, see [Explainer.formsOf]. What cannot be used is a Fault of kind Invalid.
func (c Credential) Complete() (Credential, error) {
	c, err := c.completeAs("credential")
	if err == nil && c.Outgoing != nil {
		own, err := c.Outgoing.completeAs("outgoing.credential")
		c.Outgoing = &own
		return c, err
	}
	return c, err
}

func (c Credential) completeAs(field string) (Credential, error) {
	text := typed(c.Password.Reveal())
	switch c.Kind {
	case "":
		c.Kind = KindPassword
		if fourGroups.MatchString(text) {
			c.Kind = KindAppPassword
		}
	case KindPassword, KindAppPassword:
	case KindOAuth:
		return c.completeToken(field)
	default:
		return c, invalid(field+".kind", quote(c.Kind)+" is no kind of credential.", "Choose oauth, password or app_password.")
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

// completeToken is completeAs for a sign-in at the provider. Its tokens come from there,
// and nobody enters them.
func (c Credential) completeToken(field string) (Credential, error) {
	switch {
	case field != "credential":
		return c, invalid(field+".kind",
			"A sign-in at the provider opens both servers of a mailbox: the outgoing one has none of its own.",
			"Leave out what opens the outgoing server; or choose password or app_password for it.")
	case !c.Password.IsEmpty():
		return c, invalid(field+".password",
			"A mailbox whose owner signs in at the provider has no password here.",
			"Leave the password empty, and sign in at the provider; or choose password or app_password.")
	}
	return c, nil
}

// isUnsigned says whether a sign-in at the provider is meant, and nobody has signed in.
func (c Credential) isUnsigned() bool { return c.Kind == KindOAuth && c.Password.IsEmpty() }

// typed is a password without the blanks, and marks that nobody sees, around it;
// a line end within becomes a blank, since no server takes it.
func typed(text string) string {
	text = strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	return lineEnds.ReplaceAllString(text, " ")
}

var lineEnds = regexp.MustCompile(`[ \t]*[\r\n\t\x{2028}\x{2029}]+[ \t]*`)

// formsOf are the forms in which a server may want a password, the most likely
// first, never more than two. One that has worked has only the form in which it did.
func (x Explainer) formsOf(m postroom.Mailbox, c Credential) []postroom.Secret {
	if c.proven || c.Password.IsEmpty() || c.Kind == KindOAuth {
		return []postroom.Secret{c.Password}
	}
	preset, _ := x.presetOf(m)
	return c.formsAt(preset)
}

// formsAt are the forms in which a provider may want a password; nil: one that is not
// known.
func (c Credential) formsAt(preset *provider.Preset) []postroom.Secret {
	texts := preset.NormalForms(c.Password.Reveal())
	switch bare := withoutBlanks(c.Password.Reveal()); {
	case c.Kind == KindAppPassword && len(texts) > 0 && bare != texts[0] && !slices.Contains(texts, bare):
		texts = []string{bare, texts[0]}
	case preset == nil && len(texts) == 1 && sixteenSmall.MatchString(texts[0]):
		// who runs the server may have set it with the blanks with which it was shown
		texts = append(texts, inFours.ReplaceAllString(texts[0], "$1 $2 $3 $4"))
	}
	var forms []postroom.Secret
	for _, text := range texts[:min(len(texts), 2)] {
		forms = append(forms, postroom.Hide(text))
	}
	if len(forms) == 0 { // made of marks that nobody sees
		return []postroom.Secret{c.Password}
	}
	return forms
}

// presetOf is the provider of a mailbox; nil where none is known. On this computer
// itself anything may run: there the address alone tells.
func (x Explainer) presetOf(m postroom.Mailbox) (preset *provider.Preset, known bool) {
	host := m.Incoming.Host
	if isLoopback(host) {
		host = ""
	}
	if preset, known = x.presets().For(m.Address, host); !known {
		return nil, false
	}
	return preset, true
}

var (
	sixteenSmall = regexp.MustCompile(`^[a-z]{16}$`)
	inFours      = regexp.MustCompile(`^(.{4})(.{4})(.{4})(.{4})$`)
)

func withoutBlanks(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text)
}

// formInWords says how the form of a password that worked differs from what was
// tried first, without telling anything of it.
func formInWords(first, worked string) string {
	switch {
	case strings.Contains(first, " ") && !strings.Contains(worked, " "):
		return "without its blanks"
	case strings.Contains(worked, " ") && !strings.Contains(first, " "):
		return "with blanks between its groups"
	case strings.Contains(first, "-") && !strings.Contains(worked, "-"):
		return "without its dashes"
	case strings.Contains(worked, "-") && !strings.Contains(first, "-"):
		return "with dashes between its groups"
	}
	return "just as it was typed"
}
