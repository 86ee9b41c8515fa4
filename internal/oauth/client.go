package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// DefaultTimeout is what one request may take, from the name look-up to the last byte.
const DefaultTimeout = 15 * time.Second

const maxAnswer = 64 << 10 // bytes

// A Client asks providers. The zero value is ready; it keeps nothing between requests
// and is safe for concurrent use.
type Client struct {
	// Dial connects; nil: as usual, also through the proxy that the environment names.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Roots   *x509.CertPool   // nil: those of the system
	Now     func() time.Time // nil: time.Now
	Timeout time.Duration    // of one request; zero: DefaultTimeout
}

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// A request is one question to a provider.
type request struct {
	phase  Phase
	to     *url.URL
	form   url.Values      // nil: GET
	proof  http.Header     // who we are
	bearer postroom.Secret // the token that is asked about
	secret postroom.Secret // of the app, in whatever form it goes out
}

// ask sends one request and reads what comes back, whatever it is. An error is a Refusal:
// the network's. Nothing is sent twice, and no redirect is followed: both could show a
// secret to somebody else, or spend a token that works once.
func (c *Client) ask(ctx context.Context, q request) (*answer, []postroom.Secret, error) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := q.http(ctx)
	if err != nil {
		return nil, nil, &Refusal{Phase: q.phase, Err: errors.New("the request cannot be made")}
	}
	secrets := append(sent(r.Header, q.form), q.bearer, q.secret)
	broken := func(err error) error {
		var at *url.Error
		if errors.As(err, &at) { // says where and what, which is known
			err = at.Err
		}
		return &Refusal{Phase: q.phase, Err: scrubError(err, secrets)}
	}
	transport := c.transport()
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		return nil, secrets, broken(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, secrets, broken(err) // half an answer is none
	}
	a := &answer{status: response.StatusCode, retryAfter: retryAfter(response.Header, c.now())}
	if a.status >= 300 && a.status < 400 {
		a.err = ErrRedirect
		if to, err := response.Location(); err == nil { // its query may repeat what was sent
			a.text = "Location: " + to.Scheme + "://" + to.Host
		}
		return a, secrets, nil
	}
	a.read(body[:min(len(body), maxAnswer)], len(body) > maxAnswer)
	return a, secrets, nil
}

// http makes the request of net/http.
func (q request) http(ctx context.Context) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if q.form != nil {
		method, body = http.MethodPost, strings.NewReader(q.form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, q.to.String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Postroom")
	if q.form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range q.proof {
		r.Header[name] = values
	}
	if !q.bearer.IsEmpty() {
		r.Header.Set("Authorization", "Bearer "+q.bearer.Reveal()) // RFC 6750 section 2.1
	}
	return r, nil
}

// transport makes connections that end with their one answer: providers are asked once
// an hour, and nothing stays behind.
func (c *Client) transport() *http.Transport {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxAnswer,
		TLSClientConfig:        &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
	}
	if c.Dial != nil {
		t.DialContext, t.Proxy = c.Dial, nil
	}
	return t
}

// prove adds who the app is to a form or to headers (RFC 6749 section 2.3.1, RFC 7523
// section 2.2). audience is what an assertion is for.
func (a App) prove(form url.Values, audience string, now time.Time) (http.Header, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	switch a.auth() {
	case AuthHeader:
		// Name and secret are coded as in a form first, then both together.
		both := url.QueryEscape(a.ClientID) + ":" + url.QueryEscape(a.Secret.Reveal())
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(both))}}, nil
	case AuthBody:
		form.Set("client_secret", a.Secret.Reveal())
	case AuthKey:
		assertion, err := a.Key.clientAssertion(a.ClientID, audience, now)
		if err != nil {
			return nil, err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	}
	form.Set("client_id", a.ClientID)
	return nil, nil
}

// post asks one of the app's addresses, in the app's name.
func (c *Client) post(ctx context.Context, a App, phase Phase, field, address string, form url.Values) (*answer, []postroom.Secret, error) {
	to, err := a.address(field, address)
	if err != nil {
		return nil, nil, err
	}
	audience := to // of an assertion: the token endpoint (RFC 7523 section 3), whatever is asked
	if phase != PhaseToken && a.auth() == AuthKey {
		if audience, err = a.address("token_url", a.TokenURL); err != nil {
			return nil, nil, err
		}
	}
	proof, err := a.prove(form, audience.String(), c.now())
	if err != nil {
		return nil, nil, err
	}
	return c.ask(ctx, request{phase: phase, to: to, form: form, proof: proof, secret: a.Secret})
}

// maxRetryAfter is the longest pause that a server is believed to ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header of that name: seconds, or a date (RFC 9110 section
// 10.2.3), which is held against the server's own clock where it tells the time.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	var pause time.Duration
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		if seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		pause = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		if theirs, err := http.ParseTime(h.Get("Date")); err == nil {
			now = theirs
		}
		pause = at.Sub(now)
	}
	return max(0, min(pause, maxRetryAfter))
}

// ErrNotOffered is the cause when a provider, as far as it is known, has no place for
// what should be asked.
var ErrNotOffered = errors.New("the provider does not offer this")

func notOffered(what string) error { return fmt.Errorf("%s: %w", what, ErrNotOffered) }
