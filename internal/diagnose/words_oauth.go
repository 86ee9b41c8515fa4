package diagnose

import (
	"strings"

	"github.com/postroom/postroom"
)

const consentWords = "Allow Postroom for the whole organisation"

// phrase is how a class is said of a sign-in. MAILBOX stands for its address, PROVIDER
// for the provider, APP for the registration, HOST for the place that was asked.
func (f *OAuthFailure) phrase(class postroom.Class) phrase {
	switch class {
	case postroom.TokenRevoked:
		return phrase{explanation: "PROVIDER no longer lets us read MAILBOX.", remedy: remedySignInAgain}
	case postroom.TokenExpired:
		return phrase{explanation: "The sign-in of MAILBOX at PROVIDER has run out.", remedy: remedySignInAgain}
	case postroom.ConsentMissing:
		return phrase{explanation: "The permissions that PROVIDER asked for were not all given for MAILBOX.", remedy: "Sign in again, and accept every permission that is asked for."}
	case postroom.AdminConsentRequired:
		return phrase{explanation: "PROVIDER wants an administrator of the organisation to allow APP first.", remedy: "Ask the organisation’s administrator to allow it, then sign in again."}
	case postroom.MFARequired:
		return phrase{explanation: "PROVIDER wants a second proof from whoever signs in to MAILBOX.", remedy: "Open the mailbox, choose Sign in again, and give the second proof in the browser."}
	case postroom.ConditionalAccess:
		return phrase{explanation: "A rule of the organisation at PROVIDER does not allow this sign-in.", remedy: "Ask the organisation’s administrator to make an exception for APP."}
	case postroom.BadCredentials:
		return phrase{explanation: "PROVIDER did not accept who signed in for MAILBOX.", remedy: remedySignInAgain}
	case postroom.AccountLocked:
		return phrase{explanation: "PROVIDER has locked MAILBOX.", remedy: "Sign in on the provider’s website and follow what it says, or ask the mailbox’s administrator to unlock it."}
	case postroom.ClientMisconfigured:
		return phrase{explanation: "PROVIDER refuses APP: its registration does not fit.", remedy: "Whoever registered it there compares its settings with those in Postroom; Check this app says what was found out."}
	case postroom.RateLimited:
		return phrase{explanation: "PROVIDER’s sign-in service asks us to slow down.", remedy: "Nothing has to be done: the next try waits long enough."}
	case postroom.ServerBusy:
		return phrase{explanation: "PROVIDER’s sign-in service is not ready at the moment.", remedy: remedyItself}
	case postroom.Timeout:
		return phrase{explanation: "PROVIDER’s sign-in service did not answer in time.", remedy: remedyItself}
	case postroom.Refused:
		return phrase{explanation: "PROVIDER’s sign-in service takes no connection at the moment.", remedy: remedyItself}
	case postroom.DNS:
		return phrase{explanation: "The name of PROVIDER’s sign-in service, HOST, cannot be looked up at the moment.", remedy: remedyItself + " It may also be the name service of the computer that runs Postroom."}
	case postroom.Unknown:
		return phrase{explanation: "PROVIDER’s sign-in service gave an answer that Postroom does not know.", remedy: "Look at its own words below. If you think that Postroom should know them, report them to its makers."}
	}
	return phraseOf(class)
}

const (
	remedySignInAgain = "Open the mailbox and choose Sign in again. Reading resumes where it stopped."
	remedyOwn         = "The app reads by itself, and nobody signs in. Check this app says what was found out; its permissions are given by the organisation’s administrator."
	remedyItself      = "Nothing has to be done: the next try comes by itself."
)

// say fills in a sentence.
func (f *OAuthFailure) say(sentence string) string {
	plain := f.failure()
	provider := plain.brand()
	switch {
	case provider != "":
	case f.ProviderName != "":
		provider = f.ProviderName
	default:
		provider = "the provider"
	}
	mailbox, app, host := "this mailbox", "the app", "that service"
	if f.Address != "" {
		mailbox = f.Address
	}
	if f.AppName != "" {
		app = "the app “" + f.AppName + "”"
	}
	if f.Host != "" {
		host = f.Host
	}
	back := "that Postroom shows on the page of the app"
	if f.RedirectURL != "" {
		back = f.RedirectURL
	}
	said := strings.NewReplacer("MAILBOX", mailbox, "PROVIDER", provider, "SERVER", provider, "APP", app, "HOST", host, "REDIRECT", back).Replace(sentence)
	if strings.HasPrefix(said, "the ") {
		said = "T" + said[1:]
	}
	return said
}
