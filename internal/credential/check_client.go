package credential

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
)

// A taken is what a provider made of who asked.
type taken int

const (
	takenUnsaid  taken = iota
	takenYes           // it knows the app and takes its secret
	noSuchApp          // or not in this tenant
	noSuchTenant       //
	appIsOff           // known, and switched off
	secretWrong        // or, where the provider tells no more, the client id
	secretEnded
	secretWanted // there is none, and it wants one
	keyUnknown   // the key does not belong to the app, or not any more
	clockWrong   // of this computer
)

// microsoftNumber finds Microsoft's number for an error (learn.microsoft.com: Microsoft Entra
// authentication and authorization error codes).
var microsoftNumber = regexp.MustCompile(`AADSTS(\d{5,8})`)

func numberOf(r *oauth.Refusal) string {
	for _, text := range []string{r.Code, r.Description, r.Reply} {
		if found := microsoftNumber.FindStringSubmatch(text); found != nil {
			return found[1]
		}
	}
	return ""
}

// takenBy reads from a refusal what the provider made of who asked.
func takenBy(r *oauth.Refusal) taken {
	switch numberOf(r) {
	case "700016":
		return noSuchApp
	case "90002", "900023", "900021":
		return noSuchTenant
	case "7000112":
		return appIsOff
	case "7000215":
		return secretWrong
	case "7000222":
		return secretEnded
	case "7000218":
		return secretWanted
	case "700027", "7000214", "700030":
		return keyUnknown
	case "700024":
		return clockWrong
	}
	said := strings.ToLower(r.Description)
	switch {
	case r.Code == "invalid_client" && strings.Contains(said, "not found"), r.Code == "deleted_client", strings.Contains(said, "account not found"):
		return noSuchApp
	case r.Code == "disabled_client":
		return appIsOff
	case r.Code == "invalid_request" && strings.Contains(said, "client_secret"):
		return secretWanted
	case strings.Contains(said, "invalid jwt signature"):
		return keyUnknown
	case strings.Contains(said, "invalid jwt") && strings.Contains(said, "timeframe"):
		return clockWrong
	case r.Code == "invalid_client":
		return secretWrong
	case r.Code == "invalid_grant", r.Code == "unauthorized_client", r.Code == "invalid_scope":
		return takenYes // RFC 6749 section 5.2: who asks is looked at before what is asked
	}
	return takenUnsaid
}

// taken is what the provider made of this app, from the answer that says most.
func (f *findings) taken() taken {
	if f.own.asked && f.own.err == nil {
		return takenYes
	}
	best := takenUnsaid
	for _, answer := range []answerOf{f.own, f.made} {
		if r, ok := answer.refusal(); ok {
			if t := takenBy(r); best == takenUnsaid {
				best = t
			}
		}
	}
	if f.look.Refusal == nil || best != takenUnsaid && best != secretWrong {
		return best
	}
	switch t := takenBy(f.look.Refusal); t {
	case noSuchApp, noSuchTenant, appIsOff:
		return t
	case secretWrong: // no secret went there, so it is about the client id
		return noSuchApp
	}
	return best
}

// who is the provider, as people call it, at the beginning of a sentence.
func (f *findings) who() string {
	switch {
	case f.Preset == nil:
		return "The provider"
	case isGoogle(f.Provider), isMicrosoft(f.Provider):
		return company(f.Preset)
	}
	return f.Preset.Called()
}

func (f *findings) addresses() (postroom.AppCheck, bool) {
	host := hostOf(Situation{App: postroom.OAuthApp{TokenURL: first(f.OAuth.TokenURL, f.OAuth.Issuer)}})
	if f.Service != nil {
		host = hostOf(Situation{App: postroom.OAuthApp{TokenURL: f.Service.TokenURL}})
	}
	var answer answerOf
	for _, one := range []answerOf{f.own, f.made, f.issuer} {
		if one.asked {
			answer = one
			break
		}
	}
	r, isRefusal := oauth.RefusalOf(answer.err)
	var bad *oauth.AppError
	switch {
	case errors.As(answer.err, &bad):
		return refuted(fmt.Sprintf("The %s %s.", fieldName(bad.Field), bad.Reason), "Open the registration and enter it.", postroom.Link{})
	case !answer.asked:
		return unknowable("It is not known where the provider is asked.", "Enter the issuer, or the address for tokens.", postroom.Link{})
	case f.Kind == postroom.AppSignIn && f.issuer.asked && f.issuer.err == nil && !f.metadata.TakesS256():
		return refuted(host+" says that it does not take sign-ins in the way that protects them (PKCE with S256). Postroom has no other.",
			"Ask whoever runs the provider to allow S256 for code challenges.", postroom.Link{})
	case !isRefusal, r.Code != "" && r.Status < 500:
		return proven(host + " answers, as a provider does where people sign in.")
	case r.Status == 0:
		return f.unreached(host, answer.err)
	case r.Status == 429 || r.Status >= 500:
		return unknowable(host+" answers, but cannot tell anything at the moment.", "Check again in a few minutes.", postroom.Link{})
	}
	return refuted(fmt.Sprintf("At %s something answers, but not as a provider of OAuth does.", host), "Compare the addresses of the registration with the provider's documentation, letter by letter.", postroom.Link{})
}

// unreached says why nobody answers, in the words of the catalogue where there is one.
func (f *findings) unreached(host string, err error) (postroom.AppCheck, bool) {
	words, remedy := "Nobody answers at "+host+".", "See whether this computer reaches the internet, and whether the address is right."
	if f.explain != nil {
		if fault := f.explain(err, Situation{Provider: f.Preset, App: f.OAuthApp}); fault != nil {
			words, remedy = fault.Explanation, fault.Remedy
			if lasts(fault, err) {
				return refuted(words, remedy, fault.Link)
			}
			return unknowable(words, remedy, fault.Link)
		}
	}
	return unknowable(words, remedy, postroom.Link{})
}

// lasts says whether what is in the way will still be there tomorrow: a name that does not
// exist, or a certificate that nobody trusts.
func lasts(f *postroom.Fault, err error) bool {
	switch f.Class {
	case postroom.DNS:
		var noName *net.DNSError
		return errors.As(err, &noName) && noName.IsNotFound
	case postroom.TLSUntrusted, postroom.TLSMismatch:
		return true
	}
	return f.Kind != postroom.Delayed
}

func (f *findings) tenant() (postroom.AppCheck, bool) {
	if !isMicrosoft(f.Provider) || isAudience(f.Tenant) {
		return none()
	}
	r, refused := f.issuer.refusal()
	number := ""
	if refused {
		number = numberOf(r)
	}
	switch {
	case f.issuer.asked && f.issuer.err == nil:
		return proven(fmt.Sprintf("Microsoft knows the organisation %s.", f.Tenant))
	case f.taken() == noSuchTenant, number == "90002", number == "900023", refused && r.Code == "invalid_tenant":
		return refuted(fmt.Sprintf("Microsoft knows no organisation %s.", f.Tenant),
			"Copy the Directory (tenant) ID from the Overview page of the app. An organisation in a national cloud is registered with the provider of that cloud.", f.entra("Overview"))
	}
	return unknowable("Microsoft did not say whether it knows the organisation.", "Check again in a few minutes.", postroom.Link{})
}

func (f *findings) clientID() (postroom.AppCheck, bool) {
	at, link := f.who(), f.appPage()
	switch f.taken() {
	case takenYes, secretEnded, secretWanted, keyUnknown:
		return proven(at + " knows the app.")
	case noSuchApp:
		words, remedy := at+" does not know this client id.", "Copy the client id again from the page of the app. If the app was deleted there, make a new one."
		if isMicrosoft(f.Provider) {
			words = "Microsoft does not know this client id, or not in this organisation."
			remedy = "Copy the Application (client) ID and the Directory (tenant) ID from the Overview page of the app: both, and neither an object id nor the id of a secret."
		}
		if f.Service != nil {
			words, remedy = "Google does not know this service account any more.", "Make a new key file for an account that is there, and enter it."
		}
		return refuted(words, remedy, link)
	case appIsOff:
		return refuted(at+" knows the app, and has switched it off.", "Have it switched on again there, or register another one.", link)
	case secretWrong:
		if f.look.Returned || isMicrosoft(f.Provider) || isGoogle(f.Provider) {
			return proven(at + " knows the app.")
		}
		return unknowable(at+" refuses the client id together with the client secret, without saying which of them is wrong.", "Copy both again.", link)
	}
	if f.look.Returned {
		return proven(at + " knows the app.")
	}
	return unknowable(at+" did not say whether it knows the app.", "Check again in a few minutes; if it stays, sign in with a mailbox of your own.", postroom.Link{})
}

func (f *findings) secret() (postroom.AppCheck, bool) {
	what := map[postroom.AppSecretKind]string{
		postroom.AppSecretNone: "the app without a secret", postroom.AppSecretCertificate: "the certificate", postroom.AppSecretKeyFile: "the key", postroom.AppSecretText: "the client secret",
	}[f.SecretKind]
	at, link := f.who(), f.secretPage()
	switch f.taken() {
	case takenYes:
		return proven(at + " takes " + what + ".")
	case secretWrong:
		remedy := "Copy the client secret again. Where it cannot be seen any more, make a new one and enter that."
		if isMicrosoft(f.Provider) {
			remedy = "In Microsoft Entra make a new client secret under Certificates & secrets, and copy what stands under Value, not the Secret ID."
		}
		return refuted(at+" does not take the client secret.", remedy, link)
	case secretEnded:
		return refuted("The client secret has ended.", "Make a new one at the provider and enter it here. The mailboxes go on by themselves; nobody has to sign in again.", link)
	case secretWanted:
		return refuted(at+" wants a client secret, and the registration has none.", "Make a client secret at the provider and enter it here.", link)
	case keyUnknown:
		if f.Service != nil {
			return refuted("Google does not take this key of the service account: it was deleted, or belongs to another account.", "Make a new key (JSON) for the service account, and paste that.", link)
		}
		return refuted(at+" does not know this certificate.", "Upload the certificate (without the private key) at the page of the app, or paste here the one that was uploaded.", link)
	case clockWrong:
		return refuted("The clock of this computer is wrong, so what it signs is not believed.", "Set the clock, best by the network (NTP), and check again.", postroom.Link{})
	case noSuchApp, noSuchTenant, appIsOff:
		return unknowable("Whether the secret is right can be seen once the provider knows the app.", "", postroom.Link{})
	}
	return unknowable(at+" did not say whether it takes "+what+".", "Check again in a few minutes.", postroom.Link{})
}

func (f *findings) secretEnds() (postroom.AppCheck, bool) {
	if f.SecretKind != postroom.AppSecretText && f.SecretKind != postroom.AppSecretCertificate {
		return none()
	}
	ends := f.SecretExpiresAt
	day := ends.Format("2 January 2006")
	switch {
	case ends.IsZero() && isMicrosoft(f.Provider):
		return unknowable("A client secret at Microsoft lasts for 24 months at most. The day on which this one ends is not entered, so Postroom cannot warn before.",
			"Look it up under Certificates & secrets, and enter it here.", f.secretPage())
	case ends.IsZero():
		return none()
	case !f.now.Before(ends):
		return refuted("The secret ended on "+day+".", "Make a new one at the provider and enter it here.", f.secretPage())
	case ends.Sub(f.now) < firstWarning:
		return refuted("The secret ends on "+day+", which is soon.", "Make a new one at the provider now and enter it here; the old one works until then.", f.secretPage())
	}
	return proven("The secret lasts until " + day + ". Postroom warns before.")
}
