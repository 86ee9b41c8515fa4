package diagnose

import (
	"slices"
	"time"

	"github.com/postroom/postroom"
)

const (
	// testingLasts is how long a sign-in lasts at Google while the app is in testing, and
	// testingSpread how much later or earlier it is believed to have ended by that.
	testingLasts  = 7 * 24 * time.Hour
	testingSpread = 12 * time.Hour
	// googleIdle is without how much use Google ends a sign-in.
	// https://developers.google.com/identity/protocols/oauth2#expiration
	googleIdle = 180 * 24 * time.Hour
)

// refine says of a sign-in that has ended why, as far as it can be known from here.
func (f *OAuthFailure) refine(now time.Time, e *entry, fault *postroom.Fault) {
	if fault.Kind != postroom.NeedsSignIn || !saysNoReason(e) {
		return
	}
	brand := f.failure().brand()
	isGoogle := brand == google
	fault.Others = []string{otherWithdrawn, otherPasswordChanged}
	switch {
	case f.Interrupted && !isGoogle && brand != microsoft: // these two let the old one live
		fault.Explanation = f.say(interrupted)
		return
	case isGoogle && f.endedByTesting(now):
		fault.Explanation, fault.Remedy = f.say(endedByTesting), remedyTesting
		if !f.IsTesting { // it is seen from the time alone
			fault.Explanation = f.say(endedAsByTesting)
		}
		fault.Link = postroom.Link{Words: publishWords, URL: publishURL}
		return
	case isGoogle && !f.UsedAt.IsZero() && now.Sub(f.UsedAt) > googleIdle:
		fault.Explanation = f.say(endedByIdling)
		return
	}
	if isGoogle && f.mayBeInTesting(now) {
		fault.Others = append(fault.Others, otherTesting)
	}
	if isGoogle {
		fault.Others = append(fault.Others, otherTooMany)
	}
}

// saysNoReason says of an entry whether it stands for every way in which a sign-in ends.
func saysNoReason(e *entry) bool {
	if e.Class != postroom.TokenRevoked && e.Class != postroom.TokenExpired {
		return false
	}
	return e.Fallback || slices.Contains([]string{"oauth-google-revoked", "oauth-google-bad-request", "oauth-aadsts-70000", "oauth-expired-grant"}, e.ID)
}

// endedByTesting says whether a sign-in ended because its app is in testing: it is known
// to be, or the sign-in ended after just that time.
func (f *OAuthFailure) endedByTesting(now time.Time) bool {
	if f.SignedInAt.IsZero() {
		return f.IsTesting
	}
	age := now.Sub(f.SignedInAt)
	return age > testingLasts-testingSpread && (f.IsTesting || age < testingLasts+testingSpread)
}

// mayBeInTesting says whether nothing speaks against it.
func (f *OAuthFailure) mayBeInTesting(now time.Time) bool {
	return f.IsTesting || f.SignedInAt.IsZero() || f.UsedAt.Sub(f.SignedInAt) < testingLasts+testingSpread && now.Sub(f.SignedInAt) > testingLasts-testingSpread
}

const google = "Google"

// What is said of sign-ins that have ended.
const (
	interrupted      = "Postroom, or its connection, was interrupted while PROVIDER was renewing the sign-in of MAILBOX, and the new one was lost."
	endedByTesting   = "PROVIDER ends every sign-in after seven days while an app is in testing, and so it did with APP."
	endedAsByTesting = "PROVIDER ended a sign-in by APP after just seven days, as it does while an app is in testing."
	remedyTesting    = "Sign in again. So that it lasts, whoever registered the app publishes it in the Google Cloud console; after that everybody signs in once more."
	endedByIdling    = "The sign-in of MAILBOX was not used for six months, so PROVIDER has ended it."
	publishWords     = "Google Cloud: publish the app"
	publishURL       = "https://console.cloud.google.com/auth/audience"

	otherWithdrawn       = "the permission was withdrawn in the settings of the account"
	otherPasswordChanged = "the password of the account was changed"
	otherTesting         = "the app is in testing at Google, which ends every sign-in after seven days"
	otherTooMany         = "newer sign-ins took its place: Google keeps a hundred for each account and app"
)
