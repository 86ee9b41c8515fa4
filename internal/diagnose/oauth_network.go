package diagnose

import (
	"net/http"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// oauthNetwork is the Fault of a connection to the provider's OAuth server that did not
// come about, or broke. It passes, or is mended elsewhere, without anybody signing in.
func (c *Catalogue) oauthNetwork(f *OAuthFailure) *postroom.Fault {
	plain := f.failure()
	plain.Phase = "connect"
	if text := f.Err.Error(); strings.Contains(text, "Proxy Authentication Required") || strings.Contains(text, "proxyconnect") {
		return f.onTheWay(postroom.Refused, proxyRefuses)
	}
	found, ok := c.network(plain)
	if !ok {
		fault := f.unknownOAuth()
		fault.Explanation, fault.FixBy = f.say(brokeOffOAuth), postroom.FixByWaiting
		fault.Remedy = remedyItself
		return fault
	}
	class := found.entry.Class
	switch class {
	case postroom.TLSUntrusted, postroom.TLSMismatch, postroom.ProtocolMismatch:
		return f.untrusted(class, found)
	case postroom.DNS:
		if found.entry.ID == "dns-no-such-host" && f.ProviderID == "" && !f.HasWorked {
			fault := f.fault(class)
			fault.Kind, fault.FixBy = postroom.NeedsRepair, postroom.FixByAppAdmin
			fault.Explanation, fault.Remedy = f.say(noSuchService), remedyNoService
			return fault
		}
	}
	fault := f.fault(class)
	fault.Kind, fault.FixBy = postroom.Delayed, postroom.FixByWaiting
	if f.phrase(class) == phraseOf(class) { // it speaks of mail servers
		fault.Explanation, fault.Remedy = f.say(brokeOffOAuth), remedyItself
	}
	return fault
}

// untrusted is the Fault of an encrypted connection that may lead to somebody else. At a
// provider it is mostly something on the way, and passes with the network one is in.
func (f *OAuthFailure) untrusted(class postroom.Class, found cause) *postroom.Fault {
	fault := f.onTheWay(class, mayBeSomebodyElse)
	switch {
	case class == postroom.ProtocolMismatch:
	case found.explanation != "":
		fault.Explanation = found.explanation
	default:
		fault.Explanation = f.say(phraseOf(class).explanation)
	}
	if slices.Contains([]string{remedyClock, remedyNoRoots}, found.remedy) {
		fault.Remedy, fault.Others = found.remedy, nil
	}
	return fault
}

// onTheWay is the Fault of what somebody between us and the provider does.
func (f *OAuthFailure) onTheWay(class postroom.Class, explanation string) *postroom.Fault {
	fault := f.fault(class)
	fault.Kind, fault.FixBy = postroom.Delayed, postroom.FixByAppAdmin
	fault.Explanation, fault.Remedy = f.say(explanation), f.say(remedyOnTheWay)
	fault.Others = []string{otherPortal, otherProxy}
	return fault
}

// pageInstead is the Fault of a web page that came instead of an answer, or of an answer
// that leads elsewhere: so do hotspots, and addresses at which there is nothing.
func (f *OAuthFailure) pageInstead() *postroom.Fault {
	return f.onTheWay(postroom.ProtocolMismatch, pageCame)
}

// isNowhere says whether there is nothing at the address that was asked.
func (f *OAuthFailure) isNowhere() bool {
	return f.Code == "" && slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone}, f.Status)
}

// nowhere is the Fault of an address of a registration at which there is nothing. What
// has answered there before may do so again.
func (f *OAuthFailure) nowhere() *postroom.Fault {
	fault := f.fault(postroom.ClientMisconfigured)
	fault.Kind, fault.FixBy = postroom.NeedsRepair, postroom.FixByAppAdmin
	if f.HasWorked || f.ProviderID != "" {
		fault.Kind = postroom.Delayed
	}
	fault.Explanation, fault.Remedy = f.say(noSuchService), remedyNoService
	return fault
}

// What is said of connections to OAuth servers.
const (
	brokeOffOAuth     = "The connection to PROVIDER’s sign-in service broke off."
	pageCame          = "A web page came in the place of PROVIDER’s sign-in service."
	mayBeSomebodyElse = "What answers in the place of PROVIDER’s sign-in service cannot show that it is that."
	proxyRefuses      = "The proxy of this network does not let Postroom reach PROVIDER’s sign-in service."
	noSuchService     = "There is no sign-in service at the address that is set for APP."
	remedyNoService   = "Look at the addresses on the page of the app, and compare them with what the provider says."
	remedyOnTheWay    = "A sign-in page of this network, a proxy or a virus scanner may be answering. Ask the administrator of the network that Postroom runs in to let it reach HOST; the next try comes by itself."
)
