package credential

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
)

// reach says whether people's browsers can come back to where they are sent, as far as
// the address itself tells.
func (f *findings) reach() (postroom.AppCheck, bool) {
	if f.Kind != postroom.AppSignIn {
		return none()
	}
	address := f.OAuth.RedirectURL
	u, err := url.Parse(address)
	if address == "" || err != nil {
		return refuted("It is not known under which address people reach this Postroom.", "Start it with --public-url and that address, as https://post.example.net.", postroom.Link{})
	}
	host := u.Hostname()
	ip, notIP := netip.ParseAddr(host)
	loopback := host == "localhost" || notIP == nil && ip.IsLoopback()
	switch {
	case loopback && notIP == nil && isMicrosoft(f.Provider) && !hasOwnAddresses(f.OAuthApp):
		return refuted(fmt.Sprintf("Microsoft takes http only with the name localhost, and %s has another one.", address), "Start Postroom with --public-url and http://localhost instead, or best with an address that begins with https://.", postroom.Link{})
	case loopback:
		return unknowable(fmt.Sprintf("Browsers come back to %s, which is the computer that the browser runs on. People at this computer sign in as usual; others copy the address of the last page into Postroom.", address),
			"So that everybody can sign in without copying, start Postroom with --public-url and an address that begins with https://.", postroom.Link{})
	case u.Scheme != "https":
		return refuted(fmt.Sprintf("Browsers would come back to %s without encryption, which providers refuse.", address), "Have Postroom reached by https, and start it with --public-url and that address.", postroom.Link{})
	case notIP == nil && isGoogle(f.Provider):
		return refuted("Google sends no browser back to a bare IP address.", "Give this Postroom a name, such as post.example.net, and start it with --public-url and that.", postroom.Link{})
	case isGoogle(f.Provider) && !hasOwnAddresses(f.OAuthApp) && isPrivateName(host):
		return refuted(fmt.Sprintf("Google sends browsers only to names that exist in public, and %s is none.", host), "Give this Postroom a name below a domain of yours; it need not be reached from outside. Start it with --public-url and that.", postroom.Link{})
	case f.RedirectURL == "" && strings.HasSuffix(u.Path, callback):
		return proven(fmt.Sprintf("Browsers come back to %s, the public address of this Postroom. It has the form that providers want.", address))
	}
	return unknowable(fmt.Sprintf("Browsers come back to %s. Whether that leads to this Postroom cannot be seen from here.", address), "Open it in a browser: a page of Postroom's should say that no sign-in is under way.", postroom.Link{})
}

// isPrivateName says whether a name is one of an inner network (RFC 6761, RFC 6762, RFC
// 8375), or has no domain at all.
func isPrivateName(host string) bool {
	for _, end := range []string{".local", ".lan", ".internal", ".intranet", ".home.arpa", ".corp", ".home", ".test", ".localhost", ".invalid", ".localdomain"} {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return !strings.Contains(host, ".")
}

// redirect says whether the provider sends browsers back to this Postroom.
func (f *findings) redirect() (postroom.AppCheck, bool) {
	if f.Kind != postroom.AppSignIn || f.OAuth.RedirectURL == "" {
		return none()
	}
	address := f.OAuth.RedirectURL
	enter := fmt.Sprintf("Enter there exactly %s as the redirect address, letter by letter.", address)
	switch said := f.look.Refusal; {
	case f.look.Returned:
		return proven(fmt.Sprintf("%s sends browsers back to %s.", f.who(), address))
	case said != nil && (strings.Contains(said.Code, "redirect") || numberOf(said) == "50011" || numberOf(said) == "500113" || numberOf(said) == "900971"):
		return refuted(fmt.Sprintf("%s does not know %s as the address to which browsers come back.", f.who(), address), enter, f.redirectPage())
	case said == nil && f.showsSignIn():
		return proven(fmt.Sprintf("Google asks people to sign in for this app, with %s as the address to come back to.", address))
	case f.record.ByCode.After(f.UpdatedAt):
		return proven(fmt.Sprintf("On %s somebody came back by it.", f.record.ByCode.Format("2 January 2006")))
	}
	return unknowable("Whether the provider knows the redirect address shows when the first person signs in.", strings.Replace(enter, "Enter there exactly", "See that the provider has exactly", 1), f.redirectPage())
}

// showsSignIn says whether the look ended at Google's page to sign in at: the app and its
// address are looked at before.
func (f *findings) showsSignIn() bool {
	page, atGoogle := strings.CutPrefix(f.look.Page, "https://accounts.google.com/")
	return isGoogle(f.Provider) && atGoogle && f.look.Refusal == nil && strings.Contains(page, "signin") && !strings.Contains(page, "error")
}

// scopes says whether what is asked for can be given.
func (f *findings) scopes() (postroom.AppCheck, bool) {
	if f.Kind != postroom.AppSignIn {
		return none()
	}
	wanted := f.OAuth.ScopesFor(postroom.IMAP, postroom.POP3, postroom.SMTP)
	if len(wanted) == 0 {
		return unknowable("The registration names no scopes, so the provider decides what it gives.", "If signing in works and reading does not, enter the scopes for mail from the provider's documentation.", postroom.Link{})
	}
	if f.refusesScopes() {
		return refuted(f.who()+" does not know what is asked for: "+strings.Join(wanted, " ")+".", "Compare the scopes with the provider's documentation.", f.scopePage())
	}
	switch {
	case f.record.ByCode.After(f.UpdatedAt):
		return proven(fmt.Sprintf("On %s somebody allowed what is asked for.", f.record.ByCode.Format("2 January 2006")))
	case f.issuer.err == nil && len(f.metadata.Scopes) > 0 && containsAll(f.metadata.Scopes, wanted):
		return proven(f.who() + " offers what is asked for.")
	case isGoogle(f.Provider) && (f.look.Returned || f.showsSignIn()):
		return proven("Google knows what is asked for. Whether it shows people a warning first depends on whether it has verified the app.")
	}
	remedy := "See that the app may be given: " + strings.Join(wanted, ", ") + "."
	if isMicrosoft(f.Provider) {
		remedy = "Under API permissions there should be, as delegated permissions: IMAP.AccessAsUser.All, POP.AccessAsUser.All, SMTP.Send and offline_access."
	}
	return unknowable("Which permissions the app has shows when the first person signs in.", remedy, f.scopePage())
}

// refusesScopes says whether the provider has no such scopes. Google has fewer for other
// devices than for browsers.
func (f *findings) refusesScopes() bool {
	isOfScopes := func(r *oauth.Refusal) bool {
		number := numberOf(r)
		return r.Code == "invalid_scope" || number == "70011" || number == "650053"
	}
	r, ok := f.device.refusal()
	return f.look.Refusal != nil && isOfScopes(f.look.Refusal) || ok && isMicrosoft(f.Provider) && isOfScopes(r)
}

func (f *findings) scopePage() postroom.Link {
	switch {
	case isMicrosoft(f.Provider):
		return f.entra("CallAnAPI")
	case isGoogle(f.Provider):
		return f.google("Data access in the Google Cloud console", "https://console.cloud.google.com/auth/scopes")
	}
	return postroom.Link{}
}
