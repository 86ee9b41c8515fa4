package mailbox

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// A knownReply is an entry of the catalogue of what servers say, as somebody reads it
// who does not trust the program that was made from it.
type knownReply struct {
	ID         string            `yaml:"id"`
	Protocol   postroom.Protocol `yaml:"protocol"`
	Provider   string            `yaml:"provider"`
	Phase      string            `yaml:"phase"`
	At         []string          `yaml:"at"` // the phases in which it holds; empty: all
	Sample     string            `yaml:"sample"`
	Class      postroom.Class    `yaml:"class"`
	Permanence string            `yaml:"permanence"`
	Refine     []struct {
		When  string         `yaml:"when"`
		Class postroom.Class `yaml:"class"`
	} `yaml:"refine"`
}

// knownReplies are the entries of the catalogue that mail servers say, and how many
// there are of other kinds.
func knownReplies(t testing.TB) (said []knownReply, others map[string]int) {
	t.Helper()
	text, err := os.ReadFile("../diagnose/mail-errors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Errors []knownReply `yaml:"errors"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	others = map[string]int{}
	for _, r := range file.Errors {
		switch r.Protocol {
		case "words": // that recur by every protocol
			r.Protocol = speaking(r.Sample)
			said = append(said, r)
		case postroom.IMAP, postroom.POP3, postroom.SMTP:
			said = append(said, r)
		default:
			others[string(r.Protocol)]++
		}
	}
	return said, others
}

// speaking is the protocol that a reply belongs to.
func speaking(reply string) postroom.Protocol {
	switch {
	case strings.HasPrefix(reply, "-ERR"):
		return postroom.POP3
	case reply[0] >= '1' && reply[0] <= '5':
		return postroom.SMTP
	}
	return postroom.IMAP
}

// The secrets with which the replies are provoked: as Google and Yahoo make app
// passwords, and as people choose their own.
const (
	appPassword = "abcdefghijklmnop"
	ownPassword = "Sommer-2026!"
)

// host is where a reply is heard: a server of the provider whose words they are.
func (r knownReply) host() string {
	for beginning, hosts := range map[string][3]string{
		"gmail":  {"imap.gmail.com", "pop.gmail.com", "smtp.gmail.com"},
		"google": {"imap.gmail.com", "pop.gmail.com", "smtp.gmail.com"},
		"micro":  {"outlook.office365.com", "outlook.office365.com", "smtp.office365.com"},
		"yahoo":  {"imap.mail.yahoo.com", "pop.mail.yahoo.com", "smtp.mail.yahoo.com"},
		"yandex": {"imap.yandex.com", "pop.yandex.com", "smtp.yandex.com"},
		"mailru": {"imap.mail.ru", "pop.mail.ru", "smtp.mail.ru"},
		"zoho":   {"imap.zoho.com", "pop.zoho.com", "smtp.zoho.com"},
		"qq":     {"imap.qq.com", "pop.qq.com", "smtp.qq.com"},
		"neteas": {"imap.163.com", "pop.163.com", "smtp.163.com"},
	} {
		if strings.HasPrefix(r.Provider, beginning) {
			return hosts[slices.Index([]postroom.Protocol{postroom.IMAP, postroom.POP3, postroom.SMTP}, r.Protocol)]
		}
	}
	return "mail.example.net"
}

// A circumstance is what is known here when a reply comes.
type circumstance struct {
	secret string
	oauth  bool
}

// right is the class of a reply under circumstances: that of the entry, unless one of
// its local checks holds. Of those the first that does decides.
func (r knownReply) right(c circumstance) postroom.Class {
	for _, refine := range r.Refine {
		holds := true
		for condition := range strings.SplitSeq(refine.When, " and ") {
			holds = holds && r.holds(condition, c)
		}
		if holds {
			return refine.Class
		}
	}
	return r.Class
}

func (r knownReply) holds(condition string, c circumstance) bool {
	preset, known := new(provider.Presets).ByHost(r.host())
	switch condition {
	case "secret_shape != app_password":
		return !c.oauth && c.secret == ownPassword && known && preset.AppPassword.Shape != nil
	case "auth == xoauth2":
		return c.oauth
	case "auth == password":
		return !c.oauth
	case "host in microsoft_cloud":
		return strings.HasSuffix(r.host(), ".office365.com")
	case "provider.app_password == required":
		return !c.oauth && known && preset.AppPassword.Required
	}
	return false // account_has_2fa: nobody can tell from here
}
