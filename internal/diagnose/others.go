package diagnose

import (
	"slices"

	"github.com/postroom/postroom"
)

// others are further causes of the same failure, most likely first: those that the
// catalogue names for the answer, those between which nobody can decide from here, and
// those that experience adds. What cannot be, from what is known here, is left out.
func (f *Failure) others(e *entry, class postroom.Class) []string {
	classes := slices.Clone(e.Also)
	for _, r := range e.Refine {
		if f.cannotTell(r.When) {
			classes = append(classes, r.Class)
		}
	}
	if e.Class != class && !f.isForeign(e) {
		classes = append(classes, e.Class) // the shape of a password is a sign, not a proof
	}
	clauses := f.experience(e, class)
	for _, also := range classes {
		if clause := phraseOf(also).also; also != class && f.canBe(also) && !slices.Contains(clauses, clause) {
			clauses = append(clauses, clause)
		}
	}
	return clauses
}

// withoutRepeats joins lists of causes.
func withoutRepeats(lists ...[]string) []string {
	var all []string
	for _, clause := range slices.Concat(lists...) {
		if !slices.Contains(all, clause) {
			all = append(all, clause)
		}
	}
	return all
}

// cannotTell says of a condition of the catalogue that it may hold or not.
func (f *Failure) cannotTell(when string) bool {
	switch when {
	case "account_has_2fa":
		return !f.isOAuth()
	case "secret_shape != app_password":
		return !f.isOAuth() && f.SecretLooksLikeAppPassword == nil && f.CredentialKind != "app_password"
	case "provider.app_password == required":
		return !f.isOAuth() && !f.AppPasswordRequired && f.CredentialKind != "app_password"
	}
	return false
}

// canBe says whether a class fits what is known here: the kind of sign-in, the
// shape of the password, the protocol.
func (f *Failure) canBe(class postroom.Class) bool {
	switch class {
	case postroom.AppPasswordRequired, postroom.AccountPasswordPasted, postroom.TwoStepOff:
		looks := f.SecretLooksLikeAppPassword
		return !f.isOAuth() && !f.NoAppPasswords && (looks == nil || !*looks)
	case postroom.BasicAuthBlocked:
		return !f.isOAuth()
	case postroom.TokenExpired, postroom.TokenRevoked, postroom.ConsentMissing, postroom.AdminConsentRequired:
		return f.isOAuth() || f.CredentialKind == ""
	case postroom.IMAPDisabled:
		return f.Protocol != postroom.POP3
	case postroom.POPDisabled:
		return f.Protocol == postroom.POP3
	case postroom.SMTPAuthDisabled:
		return f.Protocol == postroom.SMTP
	}
	return true
}

// experience are causes that no catalogue of answers knows, since they depend on what
// is known here.
func (f *Failure) experience(e *entry, class postroom.Class) []string {
	switch {
	case class == postroom.BadCredentials && f.SecretLooksLikeAppPassword != nil && *f.SecretLooksLikeAppPassword:
		return []string{otherEnded, otherUsername}
	case class == postroom.BadCredentials && f.CredentialKind == "app_password":
		return []string{otherEnded}
	}
	switch e.ID {
	case "tcp-unexpected-eof":
		if f.Phase == "greeting" || f.Phase == "connect" {
			return []string{otherBlocked}
		}
	case "tcp-reset":
		if f.Phase == "greeting" || f.Phase == "connect" {
			return []string{otherFirewall, otherBlocked}
		}
	case "tcp-read-timeout":
		if f.Phase == "greeting" && !f.HasWorked {
			return []string{otherBlocked}
		}
	case "tcp-dial-timeout", "tcp-deadline":
		return []string{otherWrongPlace, otherFirewall}
	case "tcp-refused":
		return []string{otherDown, otherFirewall}
	}
	return nil
}

// link is the page where a cause is mended: the provider's for this account, else the
// one that the catalogue names.
func (f *Failure) link(e *entry, class postroom.Class) postroom.Link {
	if page, ok := f.Links[class]; ok && f.canBe(class) {
		if e.Link.URL == "" || e.Class != class || class == postroom.AppPasswordRequired {
			return page
		}
	}
	switch {
	case e.Link.URL == "", f.isForeign(e), f.isOAuth() && isAboutPasswords(class):
		return postroom.Link{}
	case class != e.Class && !isAboutPasswords(class):
		return postroom.Link{} // the page is for another cause
	}
	return postroom.Link{Words: e.Link.Words, URL: e.Link.URL}
}

// isAboutPasswords says whether a class is cured by another password.
func isAboutPasswords(class postroom.Class) bool {
	switch class {
	case postroom.BadCredentials, postroom.AppPasswordRequired, postroom.AccountPasswordPasted, postroom.TwoStepOff:
		return true
	}
	return false
}
