package postroom

import (
	"slices"
	"strings"
	"time"
)

// The kinds of credential: what opens a mailbox.
const (
	CredentialPassword    = "password"
	CredentialAppPassword = "app_password"
	CredentialOAuth       = "oauth"
)

// GenericProvider stands for a provider that is not known: its registration says
// where everything is asked.
const GenericProvider = "generic"

// An AppKind says how a registration at a provider opens mailboxes.
type AppKind string

const (
	AppSignIn         AppKind = "sign_in"            // a person signs in for each mailbox (RFC 6749 section 4.1, RFC 8628)
	AppClient         AppKind = "client_credentials" // in its own name, once an administrator has allowed it (section 4.4)
	AppServiceAccount AppKind = "service_account"    // as any mailbox of a domain (RFC 7523 section 2.1)
)

// An AppSecretKind says what a registration proves itself with.
type AppSecretKind string

const (
	AppSecretNone        AppSecretKind = ""            // an app that can keep no secret
	AppSecretText        AppSecretKind = "secret"      // client_secret
	AppSecretCertificate AppSecretKind = "certificate" // a private key with its certificate, PEM
	AppSecretKeyFile     AppSecretKind = "key_file"    // of a service account, JSON
)

// An OAuthApp is a registration of this Postroom at a provider (RFC 6749 section 2).
type OAuthApp struct {
	ID       OAuthAppID
	Name     string
	Provider string // a preset's id, or GenericProvider
	Kind     AppKind
	ClientID string
	Tenant   string // Microsoft's; empty: as the preset has it

	// Of a generic provider; of a known one what the preset says counts where these are
	// empty. With Issuer alone the rest is what the issuer publishes.
	Issuer                            string
	AuthorizeURL, TokenURL            string
	DeviceURL, RevokeURL, UserInfoURL string
	Scopes                            []string // empty: those of the preset
	ExtraParams                       map[string]string
	// RedirectURL is where the browser comes back to; empty: /oauth/callback below this
	// Postroom's own address.
	RedirectURL string

	SecretKind      AppSecretKind
	SecretExpiresAt time.Time // entered, or the end of the certificate; zero: not known
	// IsTesting: Google ends every grant of an app in testing after seven days. Entered,
	// or seen.
	IsTesting bool

	CheckedAt time.Time // zero: never yet
	Checks    []AppCheck
	Mailboxes int // that sign in by it
	CreatedAt time.Time
	UpdatedAt time.Time
}

// A Verdict says what a check could find out.
type Verdict string

const (
	Proven     Verdict = "proven"
	Refuted    Verdict = "refuted"
	Unknowable Verdict = "unknowable" // from here
)

// An AppCheck is one point of the check of a registration.
type AppCheck struct {
	Point   string // redirect, secret, tenant, testing, scopes, admin_consent, …
	Verdict Verdict
	Words   string // a sentence
	Remedy  string // with Refuted, and where something can be done; else empty
	Link    Link
}

// A GrantWay says how a grant came about.
type GrantWay string

const (
	GrantByCode   GrantWay = "code"    // somebody signed in with a browser
	GrantByDevice GrantWay = "device"  // on another device
	GrantByApp    GrantWay = "app"     // the registration itself may
	GrantBrought  GrantWay = "brought" // a refresh token obtained elsewhere
)

// An Account is who signed in, as the provider tells it.
type Account struct {
	Issuer, Subject, Tenant string
	Address                 string // the likeliest of its addresses; empty: not told
	Others                  []string
	Name                    string
}

// Is says whether address is a name of the account.
func (a Account) Is(address string) bool {
	is := func(name string) bool { return strings.EqualFold(name, address) }
	return address != "" && (is(a.Address) || slices.ContainsFunc(a.Others, is))
}

// A Grant is what a provider gave for a mailbox (RFC 6749 section 1.3): who signed
// in, and what for. The tokens are not in it.
type Grant struct {
	ID      GrantID
	Mailbox MailboxID
	App     OAuthAppID
	Way     GrantWay
	Account Account
	Scopes  []string

	SignedInBy UserID    // who did it here; 0: somebody with a link, or a program
	SignedInAt time.Time // when the provider gave it
	AdoptedAt  time.Time // when it became what opens the mailbox; zero: not yet proven
	EndedAt    time.Time // when something else took its place; zero: it has not

	HasRefresh       bool // without a refresh token it ends with its access token
	AccessExpiresAt  time.Time
	RefreshExpiresAt time.Time // stated by the provider; zero: not said
	RefreshedAt      time.Time // last; zero: not yet
	UsedAt           time.Time // opened the mailbox, last
	Failures         int       // of refreshing, since it worked
	NextTryAt        time.Time
	Fault            *Fault // of refreshing; nil: none
	// Interrupted counts the answers that were lost because this side ended between the
	// provider's answer and the commit.
	Interrupted int
	Revocation  Revocation
}

// A Revocation is what became of giving a grant back to its provider.
type Revocation string

const (
	RevocationNone   Revocation = "" // it has not ended
	RevocationDue    Revocation = "due"
	RevocationDone   Revocation = "done"
	RevocationShared Revocation = "shared"      // another mailbox lives by the same account and app
	RevocationAbsent Revocation = "not_offered" // the provider has no place for it
	RevocationFailed Revocation = "failed"      // given up
)

// A SignInStep is how far a sign-in has come.
type SignInStep string

const (
	SignInBegun    SignInStep = "begun"    // nobody has gone to the provider yet
	SignInSent     SignInStep = "sent"     // somebody is there
	SignInReturned SignInStep = "returned" // back, and the code is being exchanged
	SignInAsking   SignInStep = "asking"   // another account than expected: a person decides
	SignInProposed SignInStep = "proposed" // there is a grant, which is being proven
	SignInProven   SignInStep = "proven"   // it opens the mailbox
	SignInRefused  SignInStep = "refused"  // with a Fault
)

// HasEnded says whether nothing more comes.
func (s SignInStep) HasEnded() bool { return s == SignInProven || s == SignInRefused }

// A SignIn is one sign-in on its way. What is secret of it is not here.
type SignIn struct {
	ID      SignInID
	Mailbox MailboxID
	App     OAuthAppID
	Link    SignInLinkID // 0: none led here
	Way     GrantWay     // GrantByCode or GrantByDevice
	By      UserID       // who began it; 0: a guest, or a program
	Step    SignInStep
	// Account is who signed in, once that is known.
	Account Account
	Grant   GrantID
	Fault   *Fault
	// Again: the mailbox had been read before. Missed counts what arrived since then
	// once it is proven.
	Again     bool
	WasState  MailboxState
	After     ArrivalID // the newest arrival of the mailbox when it began
	CreatedAt time.Time
	ExpiresAt time.Time
	EndedAt   time.Time
}

// A SignInLink lets the owner of a mailbox sign in without an account here, once.
type SignInLink struct {
	ID         SignInLinkID
	Mailbox    MailboxID
	App        OAuthAppID
	By         UserID // who asks
	SentTo     string // address; empty: it was handed over otherwise
	CreatedAt  time.Time
	ExpiresAt  time.Time
	SentAt     time.Time // zero: not by us
	RemindedAt time.Time // last
	OpenedAt   time.Time // first
	UsedAt     time.Time // signed in and proven
	RevokedAt  time.Time
}

// IsOpen says whether somebody can still sign in by it.
func (l SignInLink) IsOpen(now time.Time) bool {
	return l.UsedAt.IsZero() && l.RevokedAt.IsZero() && now.Before(l.ExpiresAt)
}
