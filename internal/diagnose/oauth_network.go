package diagnose

import (
	"slices"

	"github.com/postroom/postroom"
)

// oauthNetwork is the Fault of a connection to the provider's OAuth server that did not
// come about, or broke. It always passes, or is mended, without anybody signing in.
func (c *Catalogue) oauthNetwork(f *OAuthFailure) *postroom.Fault {
	plain := f.failure()
	plain.Phase = "connect"
	found, ok := c.network(plain)
	if !ok {
		return f.unknownOAuth("")
	}
	fault := f.fault(found.entry.Class, "")
	fault.Kind, fault.FixBy = postroom.Delayed, postroom.FixByWaiting
	switch fault.Class {
	case postroom.TLSUntrusted, postroom.TLSMismatch, postroom.ProtocolMismatch:
		fault.FixBy, fault.Remedy = postroom.FixByAppAdmin, f.say(remedyOnTheWay)
		if found.explanation != "" {
			fault.Explanation = found.explanation
		}
		if slices.Contains([]string{remedyClock, remedyNoRoots}, found.remedy) {
			fault.Remedy = found.remedy
		}
		fault.Others = []string{otherPortal, otherProxy}
	case postroom.DNS, postroom.Timeout, postroom.Refused, postroom.ServerBusy:
	default:
		fault.Explanation = f.say(brokeOffOAuth)
		fault.Remedy = remedyItself
	}
	return fault
}

// pageInstead is the Fault of a web page that came instead of an answer.
func (f *OAuthFailure) pageInstead(text string) *postroom.Fault {
	fault := f.fault(postroom.ProtocolMismatch, text)
	fault.Kind, fault.FixBy = postroom.Delayed, postroom.FixByAppAdmin
	fault.Explanation, fault.Remedy = f.say(pageCame), f.say(remedyOnTheWay)
	fault.Others = []string{otherPortal, otherProxy}
	return fault
}

// What is said of connections to OAuth servers.
const (
	brokeOffOAuth  = "The connection to PROVIDER’s sign-in service broke off."
	pageCame       = "A web page came in the place of PROVIDER’s sign-in service."
	remedyOnTheWay = "Something in between may be answering: a sign-in page of this network, a proxy or a virus scanner. Ask the administrator of the network that Postroom runs in to let it reach HOST; the next try comes by itself."
)
