package diagnose

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// explainOAuth finds what f means: first whether it passes by itself, then what was
// said, then what broke.
func (c *Catalogue) explainOAuth(f *OAuthFailure) *postroom.Fault {
	if f.Status == 0 && f.Code == "" && f.Reply == "" && errors.Is(f.Err, context.Canceled) {
		return nil
	}
	text := f.text()
	e := c.oauthEntry(text)
	switch {
	case f.isOutage():
		return f.outage(e)
	case e != nil:
		return c.knownOAuth(f, e)
	case f.isNowhere():
		return f.nowhere()
	case f.Page:
		return f.pageInstead()
	case f.Status == 0 && f.Err != nil && !f.Unreadable && text == "":
		return c.oauthNetwork(f)
	}
	return f.unknownOAuth()
}

// said is what may be shown of what was said.
func (f *OAuthFailure) said() string {
	if f.Reply == "" {
		return strings.TrimSpace(f.Code + " " + f.Description)
	}
	return f.Reply
}

// text is what was said, as it is looked up. It may hold secrets, and is never shown.
func (f *OAuthFailure) text() string {
	said := f.said()
	if !f.Heard.IsEmpty() {
		said = f.Heard.Reveal()
	}
	if f.Page && f.Code == "" {
		return "" // its title is written for people
	}
	said = normalise(said)
	if found := numbers().FindStringSubmatch(said); found != nil && !strings.Contains(strings.ToUpper(said), "AADSTS") {
		said += " AADSTS" + found[1]
	}
	return said
}

// numbers finds Microsoft's number of an error where its words are missing.
var numbers = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"error_codes":\[(\d+)`) })

// oauthEntry looks up what an OAuth server has said. Its codes count before words that
// mail servers use too.
func (c *Catalogue) oauthEntry(text string) *entry {
	if text == "" {
		return nil
	}
	if e, _ := c.match("oauth", text); e != nil {
		return e
	}
	if e, _ := c.match(recurring, text); e != nil && e.isTemporary() {
		return e
	}
	return nil
}

// isOutage says whether the answer is one of a server that cannot answer now, whatever
// it says besides.
func (f *OAuthFailure) isOutage() bool {
	switch f.Status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusMisdirectedRequest:
		return true
	}
	return f.Status >= 500
}

// outage is the Fault of a server that cannot answer now.
func (f *OAuthFailure) outage(e *entry) *postroom.Fault {
	class := postroom.ServerBusy
	if f.Status == http.StatusTooManyRequests {
		class = postroom.RateLimited
	}
	if e != nil && e.isTemporary() {
		class = e.Class
	}
	fault := f.fault(class)
	fault.Kind, fault.FixBy = postroom.Delayed, postroom.FixByWaiting
	return fault
}

// fault is what every Fault of f has: the words of a class, what was said, the pause
// that was asked for.
func (f *OAuthFailure) fault(class postroom.Class) *postroom.Fault {
	plain, words, said := f.failure(), f.phrase(class), normalise(f.said())
	return &postroom.Fault{
		Class: class, Explanation: f.say(words.explanation), Remedy: f.say(words.remedy),
		RetryAfter: min(max(f.RetryAfter, 0), maxAsked), Reply: plain.show(said), Err: plain.cause(said),
	}
}

// failure is f as one of a server, for what is the same for both.
func (f *OAuthFailure) failure() *Failure {
	return &Failure{
		Protocol: "oauth", Phase: f.Phase, Err: f.Err, Host: f.Host, Port: 443, TLS: postroom.TLSImplicit,
		Username: f.Account, Address: f.Address, Provider: f.ProviderID, ProviderName: f.ProviderName,
		CredentialKind: postroom.CredentialOAuth, HasWorked: f.HasWorked,
	}
}

// knownOAuth is the Fault of an entry of the catalogue.
func (c *Catalogue) knownOAuth(f *OAuthFailure, e *entry) *postroom.Fault {
	plain := f.failure()
	fault := f.fault(e.Class)
	fault.FixBy, fault.Kind = e.FixBy, f.kind(e)
	fault.Others, fault.Link = plain.others(e, e.Class), plain.link(e, e.Class)
	if fault.Explanation = f.say(e.Explanation); fault.Explanation == "" {
		fault.Explanation = f.say(f.phrase(e.Class).explanation)
	}
	if !plain.isForeign(e) && !f.isSaidBetter(e) {
		fault.Remedy = f.say(e.Remedy)
	}
	if e.Class == postroom.AdminConsentRequired && f.ConsentURL != "" && !f.Own {
		fault.Link = postroom.Link{Words: consentWords, URL: f.ConsentURL}
	}
	if fault.RetryAfter == 0 && e.isTemporary() && e.Backoff != nil && isThrottling(e.Class) {
		fault.RetryAfter = time.Duration(e.Backoff.First)
	}
	if f.Own && isCredential(e.Class) && e.FixBy == postroom.FixByUser { // whom nobody is, here
		fault.FixBy, fault.Remedy = postroom.FixByAppAdmin, remedyOwn
	}
	f.refine(c.now(), e, fault)
	return fault
}

// kind says who has to act: nobody; whoever signs in; or, where signing in again does
// not help or nobody does, whoever repairs something else.
func (f *OAuthFailure) kind(e *entry) postroom.Kind {
	switch {
	case e.isTemporary():
		return postroom.Delayed
	case f.Own: // nobody signs in
		return postroom.NeedsRepair
	case e.Class == postroom.ConditionalAccess && slices.Contains(e.Also, postroom.TokenExpired):
		return postroom.NeedsSignIn // a rule has ended it
	case e.ID == unlistedNumber && f.HasWorked:
		return postroom.Delayed
	case isCredential(e.Class) && e.FixBy != postroom.FixByAppAdmin, e.FixBy == postroom.FixByUser:
		return postroom.NeedsSignIn
	}
	return postroom.NeedsRepair
}

// unlistedNumber is the entry for the numbers of Microsoft that are not in the catalogue.
const unlistedNumber = "oauth-aadsts-unlisted"

// isSaidBetter says whether the words of a class are better than those of an entry,
// which knows neither the mailbox nor what Postroom calls things.
func (f *OAuthFailure) isSaidBetter(e *entry) bool {
	return e.Fallback && e.Explanation == "" && slices.Contains([]postroom.Class{postroom.TokenExpired, postroom.TokenRevoked, postroom.ConsentMissing}, e.Class)
}

// unknownOAuth is the Fault of what nobody knows. What has worked before is taken for a
// delay: a sign-in is asked for only where the provider says that it has ended.
func (f *OAuthFailure) unknownOAuth() *postroom.Fault {
	fault := f.fault(postroom.Unknown)
	fault.Kind, fault.FixBy = postroom.Delayed, postroom.FixByAppAdmin
	if !f.HasWorked && f.Status != 0 {
		fault.Kind = postroom.NeedsRepair
	}
	return fault
}
