package provider

import (
	"regexp"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// A Preset is what is known about one provider. It is never changed, and safe for
// concurrent use. All methods work on nil, for a provider that is not known.
type Preset struct {
	ID   string // gmail, microsoft365, …; it does not change
	Name string // in full, such as "GMX (Germany, Austria, Switzerland)"
	Kind string // consumer, business, hosting or isp

	// Status is works, oauth_only, oauth_only_or_app_password, premium_only,
	// bridge_only, no_protocols, migrating, migrated or ending.
	Status string

	Domains  []string // of addresses, exact, lower case, ASCII
	Patterns []string // of domains, regular expressions (RE2)
	MX       []string // of mail exchangers, with * for any part, without a final dot
	Hosts    []string // of further servers that are the provider's, with * for any part

	IMAP, POP3, SMTP []Server // the recommended one first; empty: not offered, or not known

	LocalPartIsUser bool   // the user name is what stands before the @
	SendsAsAddress  bool   // and yet it is the whole address for sending
	UsernameNote    string // exceptions, a sentence; empty: none

	AppPassword AppPassword
	OAuth       *OAuth // nil: no sign-in that programs can use
	// TakesPassword says whether programs may use the account's own password.
	TakesPassword bool
	// TakesPasswordToSend says that sending does, although reading does not.
	TakesPasswordToSend bool

	EnableFirst EnableFirst
	Changes     []Change // announced, the earliest first
	Facts       []string // what saves people hours, each one or two sentences
	Checked     string   // what was checked, and when

	guides func() guideText // reads the text of the guide, once
}

// Called is the name as people say it within a sentence: "GMX", "Outlook.com".
func (p *Preset) Called() string {
	if p == nil {
		return ""
	}
	name, _, _ := strings.Cut(p.Name, " (")
	name, _, _ = strings.Cut(name, " / ")
	return name
}

// A Server is one that a provider tells its customers to use.
type Server struct {
	Host string // may hold {domain}, which stands for that of the address
	Port int
	TLS  postroom.TLSPolicy
}

// An AppPassword is what a provider's app passwords are like.
type AppPassword struct {
	Offered bool // there are any
	// Required: programs that do not sign in by OAuth need one.
	Required bool
	// WithTwoStep: they need one as soon as two-step verification is on.
	WithTwoStep bool
	Needs       string         // what has to be on before, in words
	MakeURL     string         // where they are made; empty: not known
	HelpURL     string         // the provider's own page about them
	Format      string         // what they look like, in words
	Shape       *regexp.Regexp // of one as it is shown; nil: none of its own. It never blocks.
	Blanks      Separators     // what blanks and dashes within one are
	Ends        string         // what ends one, in words
}

// Separators says what the blanks and dashes within an app password are.
type Separators string

const (
	SeparatorsUnknown Separators = ""      // nobody has said
	SeparatorsShow    Separators = "show"  // for show: the provider groups what it shows
	SeparatorsCount   Separators = "count" // part of it, to be entered as shown
)

// OAuth is how programs sign in at a provider (RFC 6749).
type OAuth struct {
	AuthorizeURL, TokenURL, DeviceURL, RevokeURL, Issuer string
	Scopes                                               map[postroom.Protocol][]string
	ExtraParams                                          map[string]string
	Mechanisms                                           []string // SASL; empty: not known, the server says
	// Restricted: the provider lets in only apps that it has approved itself.
	Restricted bool
}

// EnableFirst is what has to be switched on before programs get in.
type EnableFirst struct {
	IMAP, POP, SMTP string // sentences; empty: nothing, or not known
	Where           string // the way through the provider's settings
	URL             string
}

// A Change is something that a provider has announced.
type Change struct {
	On     time.Time // the day, UTC
	Short  string    // a clause: "Exchange Online ends passwords for sending"
	Words  string    // what happens then, a sentence
	Remedy string    // what to do before
	Source string    // the provider's page
	// Concerns are the protocols it is about; empty: all.
	Concerns []postroom.Protocol
	// PasswordsOnly says that who signs in by OAuth is not concerned.
	PasswordsOnly bool
}
