package diagnose

import (
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// A Failure is what is known of something that a mail server did not do: its
// words or the error of the network, and what is known here. What is not known
// stays zero.
type Failure struct {
	Protocol postroom.Protocol
	// Phase is the step at which it happened, in the words of the catalogue:
	// connect, starttls, greeting, auth, select, idle, mail_from, rcpt_to, data, any …
	Phase string
	Reply string // the server's line, without its tag
	// Heard is Reply before secrets were removed, which may be words that matter; empty:
	// nothing was removed. It is looked up, and never shown.
	Heard     postroom.Secret
	Challenge string // what an OAuth mechanism was told before that line (RFC 7628 section 3.2.2)
	Err       error  // the whole error; the network's where there was no reply

	Host     string
	Port     int
	TLS      postroom.TLSPolicy
	Username string
	Address  string
	Provider string // the id of a preset; empty: seen from the host, where it can be

	CredentialKind string // password, app_password or oauth
	// SecretLooksLikeAppPassword is nil when it cannot be said: where the provider's
	// app passwords have no shape of their own, and for OAuth.
	SecretLooksLikeAppPassword *bool
	AppPasswordRequired        bool // the provider takes no other password from programs

	// Links are the provider's pages where a cause is mended, for this account.
	Links map[postroom.Class]postroom.Link
	// Meant says which server was probably meant by Host, where DNS does not know it;
	// nil, and empty: nobody knows.
	Meant func() string
	// ProviderName is how people call the provider; empty: it is not known.
	ProviderName string
	// NoAppPasswords: the provider has none. NoPasswords: it takes none from programs.
	NoAppPasswords, NoPasswords bool

	ConnectTimeout time.Duration // what the connection had; zero: the default
	AuthTimeout    time.Duration // what the sign-in had; zero: the default

	// HasWorked says that this credential has opened this mailbox before, with
	// these settings. Then what nobody knows, and a name that DNS does not know, is
	// a delay: nobody is asked for a new password because of an outage.
	HasWorked bool

	// Secrets are removed from what the server said, should it repeat one.
	Secrets []postroom.Secret
}

// heard is the reply as it is looked up.
func (f *Failure) heard() string {
	if f.Heard.IsEmpty() {
		return normalise(f.Reply)
	}
	return normalise(f.Heard.Reveal())
}

func (f *Failure) isOAuth() bool { return f.CredentialKind == "oauth" }

// holds says whether a condition of the catalogue is met: a local check that
// turns the class of an entry into a more exact one.
func (f *Failure) holds(when string) bool {
	for _, condition := range strings.Split(when, " and ") {
		switch strings.TrimSpace(condition) {
		case "secret_shape != app_password":
			if f.isOAuth() || f.SecretLooksLikeAppPassword == nil || *f.SecretLooksLikeAppPassword {
				return false
			}
		case "auth == xoauth2":
			if !f.isOAuth() {
				return false
			}
		case "auth == password":
			if f.isOAuth() || f.CredentialKind == "" {
				return false
			}
		case "host in microsoft_cloud":
			if f.brand() != microsoft {
				return false
			}
		case "provider.app_password == required":
			if looks := f.SecretLooksLikeAppPassword; !f.AppPasswordRequired || f.isOAuth() || looks != nil && *looks {
				return false
			}
		default: // account_has_2fa: nobody can tell from here
			return false
		}
	}
	return true
}

const microsoft = "Microsoft"

// A brand is a provider by the name that people call it.
type brand struct {
	name   string
	hosts  []string // ends of host names
	tokens []string // beginnings of provider ids, here and in the catalogue
}

// brands are those of the catalogue's own words.
var brands = [...]brand{
	{"Google", []string{"gmail.com", "googlemail.com", "google.com"}, []string{"gmail", "google"}},
	{microsoft, []string{"outlook.com", "office365.com", "office.com", "hotmail.com", "live.com", "office365.us", "outlook.cn", "outlook.de"}, []string{"microsoft", "outlook"}},
	{"Yahoo", []string{"yahoo.com", "yahoo.co.jp", "ymail.com"}, []string{"yahoo"}},
	{"AOL", []string{"aol.com"}, []string{"aol"}},
	{"Apple", []string{"me.com", "icloud.com"}, []string{"icloud"}},
	{"Yandex", []string{"yandex.com", "yandex.ru", "yandex.net"}, []string{"yandex"}},
	{"Mail.ru", []string{"mail.ru"}, []string{"mailru", "mail_ru"}},
	{"Zoho", []string{"zoho.com", "zoho.eu", "zoho.in", "zoho.com.au", "zoho.jp", "zohocloud.ca"}, []string{"zoho"}},
	{"Tencent", []string{"qq.com"}, []string{"qq"}},
	{"NetEase", []string{"163.com", "126.com", "yeah.net", "netease.com"}, []string{"netease"}},
	{"Fastmail", []string{"fastmail.com", "messagingengine.com"}, []string{"fastmail"}},
	{"GMX", []string{"gmx.net", "gmx.com"}, []string{"gmx"}},
	{"WEB.DE", []string{"web.de"}, []string{"web_de"}},
}

// brand names the provider of f, or is empty.
func (f *Failure) brand() string {
	if name := brandOf(f.Provider); name != "" {
		return name
	}
	host := strings.TrimSuffix(strings.ToLower(f.Host), ".")
	for _, b := range brands {
		for _, end := range b.hosts {
			if host == end || strings.HasSuffix(host, "."+end) {
				return b.name
			}
		}
	}
	return ""
}

// brandOf names the provider with an id of a preset or of the catalogue.
func brandOf(provider string) string {
	for _, b := range brands {
		for _, token := range b.tokens {
			if strings.HasPrefix(provider, token) {
				return b.name
			}
		}
	}
	return ""
}

// server is how a sentence calls the server: the provider's name, else the host's.
func (f *Failure) server() string {
	if name := f.brand(); name != "" {
		return name
	}
	if f.ProviderName != "" {
		return f.ProviderName
	}
	return f.host()
}

func (f *Failure) host() string {
	if f.Host == "" {
		return "the mail server"
	}
	return f.Host
}

// isIncoming says whether a setting of "incoming" may be to blame.
func (f *Failure) isIncoming() bool {
	return f.Protocol == postroom.IMAP || f.Protocol == postroom.POP3 || f.Protocol == ""
}

func (f *Failure) connectTimeout() time.Duration {
	if f.ConnectTimeout <= 0 {
		return postroom.DefaultConnectTimeout
	}
	return f.ConnectTimeout
}

func (f *Failure) authTimeout() time.Duration {
	if f.AuthTimeout <= 0 {
		return postroom.DefaultAuthTimeout
	}
	return f.AuthTimeout
}
