package credential

import (
	"errors"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/oauth"
)

// An Explainer says what it means that a provider refused something.
type Explainer struct {
	Catalogue *diagnose.Catalogue
	// Unknown hears of every answer that nobody could explain, cleaned of what is
	// personal. It must not wait. Nil: nobody wants to know.
	Unknown func(host string, protocol postroom.Protocol, phase, reply string)
}

// byOAuth stands for the servers that are asked here, where others have a protocol.
const byOAuth postroom.Protocol = "oauth"

// Explain returns the Fault for err, which came from asking the provider of s. A Fault
// stays what it is. It is nil where no provider said anything and no connection broke,
// and when nobody failed: the one who asked stopped waiting.
func (x Explainer) Explain(err error, s Situation) *postroom.Fault {
	if f, ok := postroom.FaultOf(err); ok {
		return f
	}
	r, ok := oauth.RefusalOf(err)
	if !ok {
		return nil
	}
	f := diagnose.OAuthFailure{
		Phase: string(r.Phase), Status: r.Status, Code: r.Code, Description: r.Description, Reply: r.Reply, Heard: r.Heard, RetryAfter: r.RetryAfter,
		Err: err, AppName: s.App.Name, Own: s.App.Kind != "" && s.App.Kind != postroom.AppSignIn,
		IsTesting: s.App.IsTesting, Address: s.Mailbox.Address, Account: s.Account.Address,
		HasWorked: s.HasWorked, Interrupted: s.Interrupted, ConsentURL: s.ConsentURL, RedirectURL: s.App.RedirectURL,
		SignedInAt: s.SignedInAt, UsedAt: s.UsedAt,
	}
	f.ProviderName = calledBy(s.Provider, s.App)
	if s.Provider != nil {
		f.ProviderID = s.Provider.ID
	}
	f.Host = hostOf(s)
	f.Page = errors.Is(err, oauth.ErrPage) || errors.Is(err, oauth.ErrRedirect)
	for _, unreadable := range []error{oauth.ErrAnswer, oauth.ErrTooLong, oauth.ErrNoToken, oauth.ErrTokenType} {
		f.Unreadable = f.Unreadable || errors.Is(err, unreadable)
	}
	fault := x.Catalogue.OAuth(f)
	if x.Unknown != nil && fault != nil && fault.Class == postroom.Unknown && fault.Reply != "" {
		x.Unknown(strings.ToLower(f.Host), byOAuth, f.Phase, diagnose.Gist(fault.Reply))
	}
	return fault
}

// hostOf is the host of the token endpoint, where most is asked.
func hostOf(s Situation) string {
	address := s.App.TokenURL
	if address == "" && s.Provider != nil && s.Provider.OAuth != nil {
		address = s.Provider.OAuth.TokenURL
	}
	if address == "" {
		address = s.App.Issuer
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
