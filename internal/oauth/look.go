package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// A Look is what a browser in which nobody has signed in gets to see at the address for
// signing in.
type Look struct {
	// Returned: it is sent back to the app at once, because somebody would have to do
	// something. So the provider knows the app, and the address that it comes back to.
	Returned bool
	// Page is where it is sent on to, without what follows the question mark; empty: the
	// answer itself is a page.
	Page string
	// Refusal is what the provider does not like about the request, told on a page or with
	// the way back; nil: nothing that could be recognised.
	Refusal *Refusal
}

const maxPage = 512 << 10 // bytes of a page that are looked at

// Look asks the address for signing in as a browser would, and asks for no page to be
// shown (prompt=none, OpenID Connect Core section 3.1.2.1): who knows that answers at
// once, and nobody has to do anything. Nothing comes of it; the sign-in is thrown away.
func (c *Client) Look(ctx context.Context, a App, ask Ask) (Look, error) {
	ask.Prompt = "none"
	begun, err := a.Begin(ask)
	if err != nil {
		return Look{}, err
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	broken := func(err error) error {
		var at *url.Error
		if errors.As(err, &at) { // says where, which is long
			err = at.Err
		}
		return &Refusal{Phase: PhaseAuthorize, Err: err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, begun.Address, nil)
	if err != nil {
		return Look{}, &Refusal{Phase: PhaseAuthorize, Err: errors.New("the request cannot be made")}
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	r.Header.Set("User-Agent", "Mozilla/5.0 (compatible; Postroom)")
	transport := c.transport()
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		return Look{}, broken(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		if to, err := response.Location(); err == nil {
			return a.sentTo(to, response.StatusCode), nil
		}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPage))
	if err != nil {
		return Look{}, broken(err)
	}
	return Look{Refusal: onPage(string(body), response.StatusCode)}, nil
}

// sentTo reads where a browser is sent.
func (a App) sentTo(to *url.URL, status int) Look {
	if back, err := url.Parse(a.RedirectURL); err == nil && to.Scheme == back.Scheme && to.Host == back.Host && to.Path == back.Path {
		l := Look{Returned: true}
		if r, err := ReadReturn(to.Query()); err == nil {
			l.Refusal = r.Refusal
		}
		return l
	}
	l := Look{Page: to.Scheme + "://" + to.Host + to.Path}
	query := to.Query()
	for _, name := range []string{"authError", "error", "error_description", "error_code"} {
		if said := query.Get(name); said != "" {
			if r := onPage(said+" "+decoded(said), http.StatusBadRequest); r.Code != "" {
				r.Status = status
				l.Refusal = r
				return l
			}
		}
	}
	return l
}

// decoded is what stands in base64 in an address, as Google writes why it refuses.
func decoded(text string) string {
	text = strings.TrimRight(text, "=")
	for _, coding := range []*base64.Encoding{base64.RawURLEncoding, base64.RawStdEncoding} {
		if octets, err := coding.DecodeString(text); err == nil {
			return string(octets)
		}
	}
	return ""
}

var (
	microsoftError = regexp.MustCompile(`AADSTS\d{5,8}(?:: [^"<\\\r\n]{0,300})?`)
	// pageErrors are the names by which pages say what is wrong with a request.
	pageErrors = regexp.MustCompile(`\b(?:redirect_uri_mismatch|invalid_redirect_uri|invalid_client|deleted_client|disabled_client|org_internal|admin_policy_enforced|` +
		`invalid_scope|unauthorized_client|unsupported_response_type|access_denied|invalid_request)\b`)
	pageRedirect = regexp.MustCompile(`(?i)redirect[ _-]?ur[il]`)
)

// onPage looks for what a page says is wrong; nil: it is no page about an error. A page
// to sign in at may hold any word, so there only Microsoft's numbers count.
func onPage(text string, status int) *Refusal {
	text = html.UnescapeString(text)
	r := &Refusal{Phase: PhaseAuthorize, Status: status}
	if said := microsoftError.FindString(text); said != "" {
		r.Code, r.Description, _ = strings.Cut(said, ": ")
		r.Reply = shorten(visible(said), maxShown)
		return r
	}
	if status < 400 {
		return nil
	}
	r.Reply = shorten(visible(gist(text)), maxShown)
	if r.Code = pageErrors.FindString(text); r.Code == "" && pageRedirect.MatchString(text) {
		r.Code = "invalid_redirect_uri"
	}
	return r
}
