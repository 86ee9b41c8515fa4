package oauth

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// Whoever says what an error of the network means looks at its type.
func TestErrorsOfTheNetworkKeepTheirTypes(t *testing.T) {
	silent := make(chan struct{})
	slow := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_, _ = io.WriteString(w, `{"access_token":"`)
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-silent:
		}
	}))
	defer slow.Close()
	defer close(silent)
	trusted := x509.NewCertPool()
	trusted.AddCert(slow.Certificate())
	clear := httptest.NewServer(http.NotFoundHandler())
	defer clear.Close()
	half := speak(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"access_token\":\"abc\"")
	})
	over, cancel := context.WithCancel(context.Background())
	cancel()
	refused := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	unknown := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "login.example", IsNotFound: true}}
	}
	tests := map[string]struct {
		client Client
		ctx    context.Context
		url    string
		is     func(error) bool
	}{
		"refused": {Client{Dial: refused}, nil, "https://login.example", func(err error) bool {
			var op *net.OpError
			return errors.Is(err, syscall.ECONNREFUSED) && errors.As(err, &op)
		}},
		"unknown":      {Client{Dial: unknown}, nil, "https://login.example", func(err error) bool { var dns *net.DNSError; return errors.As(err, &dns) && dns.IsNotFound }},
		"not trusted":  {Client{}, nil, slow.URL, func(err error) bool { var as x509.UnknownAuthorityError; return errors.As(err, &as) }},
		"another name": {Client{Roots: trusted, Dial: to(slow.Listener.Addr().String())}, nil, "https://login.example", func(err error) bool { var as x509.HostnameError; return errors.As(err, &as) }},
		"in clear":     {Client{Dial: to(clear.Listener.Addr().String())}, nil, "https://login.example", func(err error) bool { return err != nil }},
		"never ends": {Client{Roots: trusted, Timeout: 100 * time.Millisecond}, nil, slow.URL, func(err error) bool {
			var as net.Error
			return errors.As(err, &as) && as.Timeout() && errors.Is(err, context.DeadlineExceeded)
		}},
		"called off":     {Client{Roots: trusted}, over, slow.URL, func(err error) bool { return errors.Is(err, context.Canceled) }},
		"half an answer": {Client{}, nil, "http://" + half, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := appAt("https://login.example")
			a.TokenURL = test.url + "/token"
			ctx := test.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			_, err := test.client.Refresh(ctx, a, postroom.Hide("the-refresh-token"), nil)
			if r := refusalOf(t, err); !test.is(err) || r.Status != 0 || r.Reply != "" || r.Code != "" || r.Phase != PhaseToken || strings.Contains(err.Error(), "Post ") {
				t.Errorf("error = %v (%T)", err, r.Err)
			}
		})
	}
}

// to connects to one address, whatever is asked for.
func to(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// A server may not send secrets on, not even to itself.
func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		p := provide(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", status) })
		for what, ask := range questions(p.client(), p.app()) {
			before := len(p.asked)
			if err := ask(); !errors.Is(err, ErrRedirect) || refusalOf(t, err).Status != status || len(p.asked) != before+1 {
				t.Errorf("%s: %v, asked %d times", what, err, len(p.asked)-before)
			}
		}
	}
}

func TestConnectionsAreSafe(t *testing.T) {
	s := httptest.NewUnstartedServer(says(200, "application/json", `{"access_token":"a"}`))
	s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	s.Config.ErrorLog = nil
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := Client{Roots: roots}
	if _, err := c.Refresh(context.Background(), appAt(s.URL), postroom.Hide("r"), nil); err == nil {
		t.Error("TLS 1.1 is good enough")
	}
}

// In this machine, TLS is not needed.
func TestAProviderOnThisMachine(t *testing.T) {
	s := httptest.NewServer(says(200, "application/json", `{"access_token":"a"}`))
	defer s.Close()
	if g, err := new(Client).Refresh(context.Background(), appAt(s.URL), postroom.Hide("r"), nil); err != nil || g.AccessToken.Reveal() != "a" {
		t.Errorf("grant = %+v, %v", g, err)
	}
}
