package provider

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// The limits of what is taken from a web server.
const (
	maxPage      = 256 << 10 // bytes; settings have a few thousand
	maxHeader    = 32 << 10  // bytes
	maxRedirects = 3
	userAgent    = "Postroom (settings of a mailbox)"
)

var (
	errPort         = errors.New("leads to a port that is not the web's")
	errUnencrypted  = errors.New("leads from an encrypted page to one in clear")
	errRedirects    = errors.New("is passed on again and again")
	errOdd          = errors.New("leads to an address that cannot be one")
	errElsewhere    = errors.New("passes on to somebody else, who is not asked")
	errTooLong      = errors.New("is far too long")
	errWebPage      = errors.New("is a web page, not settings")
	errNotSettings  = errors.New("is not what settings look like")
	errNothingOfUse = errors.New("names no server that can be used")
)

// A statusError is an answer that is none of success.
type statusError struct {
	status int
	header http.Header
}

func (e *statusError) Error() string { return fmt.Sprintf("answers %d", e.status) }

// A pageRequest is what is asked of a web server.
type pageRequest struct {
	url  string
	body string // not empty: sent by POST, as XML
	stay string // not empty: the domain that redirects may not leave
}

// web returns the client for one look. It keeps no connection and knows no proxy: the
// address that is dialled has to be the one that was checked.
func (f *Finder) web(stay string) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            f.dialHost,
			TLSClientConfig:        &tls.Config{RootCAs: f.Roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			r.Header.Del("Referer") // it would tell the next one the address
			switch {
			case len(via) > maxRedirects:
				return errRedirects
			case r.URL.Scheme != "https" && via[len(via)-1].URL.Scheme == "https":
				return errUnencrypted
			case stay != "" && !isBelow(r.URL.Hostname(), stay):
				return errElsewhere
			}
			return f.checkURL(r.URL)
		},
	}
}

// checkURL says what keeps a web address from being asked.
func (f *Finder) checkURL(u *url.URL) error {
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	switch port := u.Port(); {
	case usual == "", u.User != nil, u.Hostname() == "":
		return errOdd
	case port != "" && port != usual:
		return errPort
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && !isHostName(u.Hostname()) {
		return errOdd
	}
	return nil
}

// fetch returns what a web server has at an address.
func (f *Finder) fetch(ctx context.Context, p pageRequest) ([]byte, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if p.body != "" {
		method, body = http.MethodPost, strings.NewReader(p.body)
	}
	r, err := http.NewRequestWithContext(ctx, method, p.url, body)
	if err != nil {
		return nil, err
	}
	if err := f.checkURL(r.URL); err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", userAgent)
	if p.body != "" {
		r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	}
	answer, err := f.web(p.stay).Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, &statusError{answer.StatusCode, answer.Header}
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxPage+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxPage:
		return nil, errTooLong
	case isWebPage(text):
		return nil, errWebPage
	}
	return text, nil
}

// isWebPage says whether a text is HTML: many servers answer everything with one.
func isWebPage(text []byte) bool {
	begin := bytes.ToLower(bytes.TrimLeft(text[:min(len(text), 512)], "\ufeff \t\r\n"))
	return bytes.HasPrefix(begin, []byte("<!doctype html")) || bytes.HasPrefix(begin, []byte("<html"))
}

// inWords says what kept an answer from coming, as the end of a sentence that begins
// with what was asked.
func inWords(err error) string {
	var (
		status   *statusError
		private  *privateError
		dns      *net.DNSError
		invalid  *tls.CertificateVerificationError
		hostname x509.HostnameError
		netErr   net.Error
	)
	switch {
	case errors.As(err, &status):
		if status.status == http.StatusNotFound || status.status == http.StatusGone {
			return "nothing is there"
		}
		return status.Error()
	case errors.As(err, &private):
		return private.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return "nothing is there"
	case errors.As(err, &hostname), errors.As(err, &invalid):
		return "its certificate cannot be trusted"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return "did not answer in time"
	case errors.Is(err, context.Canceled):
		return "was not waited for"
	case errors.As(err, &dns):
		return "the name server did not answer"
	}
	for _, known := range []error{errPort, errUnencrypted, errRedirects, errOdd, errElsewhere, errTooLong, errWebPage, errNotSettings, errNothingOfUse} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "cannot be reached"
}

// isUnreachable says whether no web server with a good certificate answered at all.
func isUnreachable(err error) bool {
	var status *statusError
	var private *privateError
	for _, own := range []error{errPort, errUnencrypted, errRedirects, errOdd, errElsewhere, errTooLong, errWebPage, errNotSettings, errNothingOfUse} {
		if errors.Is(err, own) {
			return false
		}
	}
	return err != nil && !errors.As(err, &status) && !errors.As(err, &private) && !isNoName(err)
}
