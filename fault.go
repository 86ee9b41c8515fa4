package postroom

import (
	"errors"
	"time"
)

// A Fault is an error made for people. Three read it: the program asks for the
// Kind, the person for Explanation and Remedy, the log for Err.
//
// Make it where the meaning is known; wrap plainly everywhere else. An error with
// no Fault in its chain is our own mistake.
type Fault struct {
	Kind  Kind
	Class Class
	FixBy FixBy

	// Explanation is one sentence about the world, not about our code.
	Explanation string
	// Remedy is something that the reader can do today.
	Remedy string
	// Link is the page where Remedy is done; zero: there is none.
	Link Link
	// Others are further causes of the same failure, most likely first, each a clause
	// such as "the normal account password was used".
	Others []string
	// Field names the setting that is wrong, as the API names it
	// ("incoming.host"); empty when no single one is.
	Field string
	// RetryAfter is how long the other side asked us to wait; zero when it did not.
	RetryAfter time.Duration
	// Reply is what the server said, secrets removed; empty when it said nothing.
	Reply string
	// Err is the cause, for the log only.
	Err error
}

func (f *Fault) Error() string {
	if f.Err != nil {
		return f.Explanation + ": " + f.Err.Error()
	}
	return f.Explanation
}

func (f *Fault) Unwrap() error { return f.Err }

// A Link is a page of somebody else, such as a provider's, and the words that lead
// there.
type Link struct {
	Words string
	URL   string // https://…; empty: no link
}

// FaultOf returns the Fault in err's chain; ok is false when there is none.
func FaultOf(err error) (f *Fault, ok bool) {
	ok = errors.As(err, &f)
	return f, ok
}

// KindOf returns the Kind of the Fault in err's chain, or Internal.
func KindOf(err error) Kind {
	if f, ok := FaultOf(err); ok {
		return f.Kind
	}
	return Internal
}

// A Kind tells a caller what to do about a Fault.
type Kind string

const (
	Internal        Kind = ""                // our own mistake
	Invalid         Kind = "invalid"         // what was given cannot be used
	NotFound        Kind = "not_found"       // it is not there, or not for this reader
	Conflict        Kind = "conflict"        // it has changed, or exists already
	Unauthenticated Kind = "unauthenticated" // we do not know who asks
	Forbidden       Kind = "forbidden"       // we know, and they may not
	TooMany         Kind = "too_many"        // wait before asking again
	NeedsSignIn     Kind = "needs_sign_in"   // the credential is refused for good
	NeedsRepair     Kind = "needs_repair"    // a person must change something else
	Delayed         Kind = "delayed"         // it may pass by itself; try again later
)

// A Class is the cause of a Fault, one of the known causes of
// mail-errors.yaml (package diagnose).
type Class string

const (
	BadCredentials        Class = "bad_credentials"
	AppPasswordRequired   Class = "app_password_required"
	AccountPasswordPasted Class = "account_password_pasted"
	TwoStepOff            Class = "two_step_off"
	IMAPDisabled          Class = "imap_disabled"
	POPDisabled           Class = "pop_disabled"
	SMTPAuthDisabled      Class = "smtp_auth_disabled"
	BasicAuthBlocked      Class = "basic_auth_blocked"
	TokenExpired          Class = "token_expired"
	TokenRevoked          Class = "token_revoked"
	ConsentMissing        Class = "consent_missing"
	AdminConsentRequired  Class = "admin_consent_required"
	MFARequired           Class = "mfa_required"
	ConditionalAccess     Class = "conditional_access"
	ClientMisconfigured   Class = "client_misconfigured"
	AccountLocked         Class = "account_locked"
	RateLimited           Class = "rate_limited"
	TooManyConnections    Class = "too_many_connections"
	BandwidthExceeded     Class = "bandwidth_exceeded"
	QuotaFull             Class = "quota_full"
	ServerBusy            Class = "server_busy"
	MailboxInUse          Class = "mailbox_in_use"
	FolderMissing         Class = "folder_missing"
	TLSUntrusted          Class = "tls_untrusted"
	TLSMismatch           Class = "tls_mismatch"
	DNS                   Class = "dns"
	Refused               Class = "refused"
	Timeout               Class = "timeout"
	ProtocolMismatch      Class = "protocol_mismatch"
	RelayDenied           Class = "relay_denied"
	RecipientRejected     Class = "recipient_rejected"
	MessageTooBig         Class = "message_too_big"
	ContentRejected       Class = "content_rejected"
	Unknown               Class = "unknown"
)

// FixBy is who can put a Fault right.
type FixBy string

const (
	FixByUser         FixBy = "user"          // the person who owns the mailbox, or who asked
	FixByMailboxAdmin FixBy = "mailbox_admin" // the administrator or provider of the mailbox
	FixByAppAdmin     FixBy = "app_admin"     // the administrator of Postroom
	FixByWaiting      FixBy = "wait"          // nobody: it passes, or cannot be changed
)
