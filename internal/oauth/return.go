package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
)

// A Return is what a provider sent the browser back with (RFC 6749 sections 4.1.2 and
// 4.1.2.1). Whose sign-in it is, its state says; whether to believe it, App.Check.
type Return struct {
	State  postroom.Secret
	Code   postroom.Secret // empty: refused, or allowed
	Issuer string          // RFC 9207; empty: not said
	// Allowed: an administrator has allowed the app for everybody in Tenant, and there is
	// no code (App.AskAdmin).
	Allowed bool
	Tenant  string // empty: not said
	// Refusal is what the provider, or the person who should have signed in, said
	// instead; nil: there is a code.
	Refusal *Refusal
}

var (
	// ErrReturn is the cause when the browser came back with no answer of a provider.
	ErrReturn = errors.New("what the browser came back with is no answer of a provider")
	// ErrIssuer is the cause when somebody else than the provider answered (RFC 9207).
	ErrIssuer = errors.New("the answer is not from the provider that was asked")
)

const (
	maxReturn = 32 << 10 // bytes of an address
	maxToken  = 16 << 10 // bytes of a token, a code or a state
)

// ReadReturn reads the query with which the browser came back. What stands there twice
// is not believed (RFC 6749 section 3.1).
func ReadReturn(query url.Values) (Return, error) {
	for _, name := range []string{"state", "code", "iss", "error"} {
		if values := query[name]; len(values) > 1 {
			return Return{}, fmt.Errorf("%w: %s stands there twice", ErrReturn, name)
		} else if len(values) == 1 && (len(values[0]) > maxToken || !isVisible(values[0])) {
			return Return{}, fmt.Errorf("%w: %s cannot be read", ErrReturn, name)
		}
	}
	r := Return{State: postroom.Hide(query.Get("state")), Code: postroom.Hide(query.Get("code")), Issuer: query.Get("iss")}
	refused := query.Get("error")
	r.Allowed = strings.EqualFold(query.Get("admin_consent"), "true") && refused == "" && r.Code.IsEmpty()
	if tenant := query.Get("tenant"); r.Allowed && tenantShape.MatchString(tenant) {
		r.Tenant = tenant
	}
	switch {
	case r.State.IsEmpty():
		return Return{}, fmt.Errorf("%w: no state", ErrReturn)
	case r.Code.IsEmpty() == (refused == "") && !r.Allowed:
		return Return{}, fmt.Errorf("%w: neither or both of a code and an error", ErrReturn)
	case refused != "":
		fields := map[string]any{}
		for _, name := range toldFields {
			if query.Has(name) {
				fields[name] = query.Get(name)
			}
		}
		r.Refusal = (&answer{fields: fields}).refusal(PhaseAuthorize, []postroom.Secret{r.State, r.Code})
	}
	return r, nil
}

// ReadPasted reads the address at which the browser arrived, as somebody copied it: in
// full, or from the question mark on.
func ReadPasted(text string) (Return, error) {
	text = strings.Trim(strings.TrimSpace(text), "\"'<> \t\r\n")
	if len(text) > maxReturn {
		return Return{}, fmt.Errorf("%w: too long", ErrReturn)
	}
	if _, query, found := strings.Cut(text, "?"); found {
		text = query
	}
	text, _, _ = strings.Cut(text, "#")
	query, err := url.ParseQuery(text)
	if err != nil {
		return Return{}, fmt.Errorf("%w: it cannot be read", ErrReturn) // the error would show it
	}
	return ReadReturn(query)
}

// Check says whether r may come from the app's provider (RFC 9207 section 2.4), and
// returns its refusal if it is one. Nothing of an answer from somebody else is shown.
func (a App) Check(r Return) error {
	switch {
	case r.Issuer == "" && a.ReturnsIssuer:
		return fmt.Errorf("%w: it does not say whose it is", ErrIssuer)
	case r.Issuer != "" && !a.isIssuer(r.Issuer):
		return fmt.Errorf("%w: it calls itself %q", ErrIssuer, shorten(visible(r.Issuer), maxShown))
	case r.Refusal != nil:
		return r.Refusal
	}
	return nil
}

// isVisible says whether text holds nothing but what RFC 6749 appendix A allows in
// codes and tokens: printable ASCII.
func isVisible(text string) bool {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] > 0x7e {
			return false
		}
	}
	return true
}
