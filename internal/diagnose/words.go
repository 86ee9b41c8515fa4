package diagnose

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// A phrase is how a class is said where nothing more exact is known. SERVER
// stands for the provider or the host, HOST for the host.
type phrase struct {
	explanation string
	remedy      string
	also        string // a clause, among the other causes of a failure
}

// phraseOf returns the words for a class.
func phraseOf(class postroom.Class) phrase {
	switch class {
	case postroom.BadCredentials:
		return phrase{"SERVER refused this password.", "Type the password again and check that the user name is complete. Where the provider has app passwords, create one and enter that.", "the name or the password is not right"}
	case postroom.AppPasswordRequired:
		return phrase{"SERVER accepts only app passwords here.", "Create an app password in the account’s security settings and enter it here.", "an app password is needed"}
	case postroom.AccountPasswordPasted:
		return phrase{"SERVER refused this password: it looks like the normal account password, and only app passwords are accepted here.", "Create an app password in the account’s security settings and enter it here.", "the normal account password was used"}
	case postroom.TwoStepOff:
		return phrase{"SERVER offers no app passwords for this account yet.", "Turn on 2-step verification for the account, then create an app password.", "2-step verification is off"}
	case postroom.IMAPDisabled:
		return phrase{"SERVER has IMAP switched off for this mailbox.", "Turn IMAP on in the mailbox’s settings, or ask its administrator to allow it.", "IMAP is switched off"}
	case postroom.POPDisabled:
		return phrase{"SERVER has POP switched off for this mailbox.", "Turn POP on in the mailbox’s settings, or ask its administrator to allow it.", "POP is switched off"}
	case postroom.SMTPAuthDisabled:
		return phrase{"SERVER does not let programs send from this mailbox.", "Ask the mailbox’s administrator to allow sending by programs.", "sending by programs is switched off"}
	case postroom.BasicAuthBlocked:
		return phrase{"SERVER no longer accepts passwords here.", "Connect this mailbox by signing in at SERVER instead.", "passwords are no longer accepted"}
	case postroom.TokenExpired:
		return phrase{"The sign-in at SERVER has run out.", "Open the mailbox and choose Sign in again. Reading resumes where it stopped.", "the sign-in has run out"}
	case postroom.TokenRevoked:
		return phrase{"SERVER no longer lets us read this mailbox.", "Open the mailbox and choose Sign in again. Reading resumes where it stopped.", "the sign-in was withdrawn"}
	case postroom.ConsentMissing:
		return phrase{"The sign-in at SERVER does not include every permission that is needed.", "Sign in again and accept all permissions that are asked for.", "a permission is missing"}
	case postroom.AdminConsentRequired:
		return phrase{"SERVER wants an administrator of the organisation to allow this first.", "Ask the organisation’s administrator to allow Postroom, then sign in again.", "an administrator has to allow it first"}
	case postroom.MFARequired:
		return phrase{"SERVER wants a second proof of who is signing in.", "Sign in again in a browser and give the second proof.", "a second proof is wanted"}
	case postroom.ConditionalAccess:
		return phrase{"A rule of the organisation at SERVER does not allow this sign-in.", "Ask the mailbox’s administrator to allow this server’s address.", "a rule of the organisation forbids it"}
	case postroom.ClientMisconfigured:
		return phrase{"SERVER does not allow what was asked for.", "Ask whoever runs the server, with its own words below.", "a setting does not fit"}
	case postroom.AccountLocked:
		return phrase{"SERVER has locked this mailbox.", "Sign in on the provider’s website and follow what it says, or ask the mailbox’s administrator to unlock it.", "the mailbox is locked"}
	case postroom.RateLimited:
		return phrase{"SERVER asks us to slow down.", "Nothing has to be done: the next try waits long enough.", "there were too many requests"}
	case postroom.TooManyConnections:
		return phrase{"Too many programs are connected to this mailbox at SERVER.", "Close other mail programs that use this mailbox; the next try comes by itself.", "too many programs are connected"}
	case postroom.BandwidthExceeded:
		return phrase{"What SERVER lets this mailbox transfer in a day is used up.", "Nothing has to be done: it clears within a day.", "the daily transfer is used up"}
	case postroom.QuotaFull:
		return phrase{"This mailbox at SERVER is full.", "Delete or archive mail in the mailbox, or get more space.", "the mailbox is full"}
	case postroom.ServerBusy:
		return phrase{"SERVER is not ready at the moment.", "Nothing has to be done: the next try comes by itself. If this lasts, ask whoever runs the server.", "the server is busy"}
	case postroom.MailboxInUse:
		return phrase{"Another program has this mailbox at SERVER open.", "Close other mail programs that use this mailbox; the next try comes by itself.", "another program has the mailbox open"}
	case postroom.FolderMissing:
		return phrase{"SERVER does not have this folder.", "Choose a folder that exists.", "the folder is gone"}
	case postroom.TLSUntrusted:
		return phrase{"The certificate of HOST is not trusted.", "Ask whoever runs the server for a certificate with its full chain, or trust exactly this one after checking its fingerprint.", "the certificate is not trusted"}
	case postroom.TLSMismatch:
		return phrase{"The certificate of HOST belongs to another name.", "Enter the server name that the certificate shows.", "the certificate belongs to another name"}
	case postroom.DNS:
		return phrase{"The name HOST cannot be looked up at the moment.", "Check the name service of this server.", "the server’s name cannot be looked up"}
	case postroom.Refused:
		return phrase{"HOST takes no connection.", "Check the server name and the port.", "the connection is refused"}
	case postroom.Timeout:
		return phrase{"HOST did not answer in time.", "Nothing has to be done: the next try comes by itself. If this lasts, ask whoever runs the server.", "the server is slow"}
	case postroom.ProtocolMismatch:
		return phrase{"HOST expects another kind of connection than the one chosen.", "Check the port and the encryption.", "the encryption does not fit the port"}
	case postroom.RelayDenied:
		return phrase{"SERVER does not send on for this mailbox.", "Check the outgoing server and its sign-in.", "the server does not send on"}
	case postroom.RecipientRejected:
		return phrase{"SERVER does not take mail for this recipient.", "Check the recipient’s address.", "the recipient is not known"}
	case postroom.MessageTooBig:
		return phrase{"This message is larger than SERVER takes.", "Send it without the attachment, or as a link.", "the message is too large"}
	case postroom.ContentRejected:
		return phrase{"SERVER does not take this message because of what is in it.", "Change the message, or ask whoever runs the server.", "the content is not wanted"}
	}
	return phrase{
		"SERVER gave an answer that Postroom does not know.",
		"Ask whoever runs the server, with its own words below. If you think that Postroom should know them, report them to its makers.",
		"something that is not known",
	}
}

// say puts the server into a sentence.
func (f *Failure) say(sentence string) string {
	said := strings.NewReplacer("SERVER", f.server(), "HOST", f.host()).Replace(sentence)
	if strings.HasPrefix(said, "the ") {
		said = "T" + said[1:]
	}
	return said
}

// inSeconds is a time-out as people say it.
func inSeconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 1:
		return strconv.FormatInt(max(d.Milliseconds(), 1), 10) + " milliseconds"
	case s < 1.05:
		return "one second"
	case s < 120:
		return strconv.FormatFloat(math.Round(s*10)/10, 'f', -1, 64) + " seconds"
	}
	return strconv.FormatFloat(math.Round(d.Minutes()*10)/10, 'f', -1, 64) + " minutes"
}
