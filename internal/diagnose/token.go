package diagnose

import (
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// byToken puts right what is said of a mail server that refused an access token: the
// words of most servers are about passwords, and nobody has one to enter.
func (f *Failure) byToken(e *entry, fault *postroom.Fault) {
	switch fault.Class {
	case postroom.BadCredentials, postroom.AppPasswordRequired, postroom.AccountPasswordPasted, postroom.TwoStepOff, postroom.BasicAuthBlocked:
		fault.Explanation, fault.Remedy = f.say(signInNotAccepted), remedySignInAs
		fault.Others, fault.Link = f.whyTokens(e, fault.Class), postroom.Link{}
	case postroom.TokenExpired, postroom.TokenRevoked:
		if fault.Kind != postroom.Delayed {
			fault.Remedy = remedySignInAs
			fault.Others = f.whyTokens(e, fault.Class)
		}
	case postroom.ConsentMissing:
		fault.Remedy = remedyAcceptAll
	case postroom.MFARequired:
		fault.Remedy = remedySecondProof
	case postroom.IMAPDisabled, postroom.POPDisabled:
		if e.Class != fault.Class { // the server's words were about names and passwords
			fault.Remedy = strings.ReplaceAll(remedySwitchedOff, "IMAP", f.way())
			fault.Others = []string{otherAccount, otherNoPermission}
		}
	case postroom.ProtocolMismatch:
		if f.Phase == "auth" {
			fault.Remedy = remedyNoTokens
		}
	}
}

// whyTokens are the reasons for which a server refuses a token that its provider gave.
func (f *Failure) whyTokens(e *entry, class postroom.Class) []string {
	others := []string{otherAccount, otherNoPermission}
	if slices.Contains(e.Also, postroom.ConsentMissing) {
		slices.Reverse(others)
	}
	if class != postroom.TokenRevoked {
		others = append(others, otherWithdrawn)
	}
	if f.brand() != microsoft {
		return others
	}
	switch f.Protocol {
	case postroom.POP3:
		return append(others, phraseOf(postroom.POPDisabled).also)
	case postroom.SMTP:
		return append(others, phraseOf(postroom.SMTPAuthDisabled).also)
	}
	return append(others, phraseOf(postroom.IMAPDisabled).also)
}

// way is what the protocol of f is called in the settings of providers.
func (f *Failure) way() string {
	switch f.Protocol {
	case postroom.POP3:
		return "POP"
	case postroom.SMTP:
		return "SMTP"
	}
	return "IMAP"
}

// What is said of refused tokens.
const (
	remedySignInAs    = "Open the mailbox and choose Sign in again, with the account of this mailbox. Reading resumes where it stopped."
	remedyAcceptAll   = "Open the mailbox, choose Sign in again, and accept every permission that is asked for."
	remedySecondProof = "Open the mailbox, choose Sign in again, and give the second proof in the browser."
	remedySwitchedOff = "Ask the mailbox’s administrator to allow IMAP for it. Where it is allowed, open the mailbox and choose Sign in again, with the account of this mailbox."
	remedyNoTokens    = "This server knows no sign-in at a provider. Let the mailbox sign in with an app password or a password instead."
	remedyUnknownSign = "Open the mailbox and choose Sign in again, with the account of this mailbox. If that does not help, ask whoever runs the server, with its own words below."

	otherAccount      = "somebody signed in with another account than that of this mailbox"
	otherNoPermission = "the permission for mail programs was not given"
)
