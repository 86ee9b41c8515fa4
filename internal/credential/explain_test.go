package credential

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/oauth"
)

// What passes by itself is never taken for the end of a sign-in: by real connections.
func TestTroubleOfAnOAuthServerIsADelay(t *testing.T) {
	refuse := func(client oauth.Client, p *pretendServer) error {
		_, err := client.Refresh(t.Context(), p.app(), postroom.Hide("1//refresh-of-somebody"), nil)
		return err
	}
	tests := map[string]struct {
		status            int
		contentType, body string
		class             postroom.Class
	}{
		"an outage":                   {503, "application/json", `{"error":"invalid_grant"}`, postroom.ServerBusy},
		"too much":                    {429, "text/plain", "slow down", postroom.RateLimited},
		"a page of a hotspot":         {200, "text/html", "<html><title>Welcome</title>Please sign in</html>", postroom.ProtocolMismatch},
		"a page that refuses":         {403, "text/html", "<html><title>Blocked by your administrator</title></html>", postroom.ProtocolMismatch},
		"a gateway's words":           {502, "text/plain", "Bad Gateway", postroom.ServerBusy},
		"nothing":                     {200, "application/json", "", postroom.Unknown},
		"half an answer":              {200, "application/json", `{"access_token":"ya29`, postroom.Unknown},
		"what nobody knows":           {400, "application/json", `{"error":"teapot","error_description":"short and stout"}`, postroom.Unknown},
		"a service that takes a rest": {400, "application/json", `{"error":"temporarily_unavailable"}`, postroom.ServerBusy},
	}
	x := Explainer{Catalogue: &diagnose.Catalogue{}}
	s := oauthReply{Provider: "google"}.situation()
	s.HasWorked = true
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPretendServer(t)
			p.status, p.contentType, p.body = test.status, test.contentType, test.body
			f := x.Explain(refuse(oauth.Client{}, p), s)
			if f == nil || f.Kind != postroom.Delayed || f.Class != test.class {
				t.Errorf("%+v, want a delay, %s", f, test.class)
			}
		})
	}
	p := newPretendServer(t)
	p.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // before that, nobody hears that the client has left
		<-r.Context().Done()
	})
	if f := x.Explain(refuse(oauth.Client{Timeout: 50 * time.Millisecond}, p), s); f == nil || f.Kind != postroom.Delayed || f.Class != postroom.Timeout {
		t.Errorf("%+v, want a time-out", f)
	}
	p.Close()
	if f := x.Explain(refuse(oauth.Client{}, p), s); f == nil || f.Kind != postroom.Delayed || f.Class != postroom.Refused {
		t.Errorf("%+v, want a refused connection", f)
	}
}

func TestWhatNoProviderSaidIsNotExplained(t *testing.T) {
	x := Explainer{Catalogue: &diagnose.Catalogue{}}
	own := &postroom.Fault{Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured}
	if f := x.Explain(own, Situation{}); f != own {
		t.Errorf("a Fault became %+v", f)
	}
	for _, err := range []error{
		&oauth.AppError{Field: "token_url", Reason: "is missing"}, oauth.ErrIDToken, errors.New("the disk is full"),
		&oauth.Refusal{Phase: oauth.PhaseToken, Err: context.Canceled},
	} {
		if f := x.Explain(err, Situation{}); f != nil {
			t.Errorf("%v became %+v", err, f)
		}
	}
}

func TestUnknownWordsOfAnOAuthServerAreHeardOf(t *testing.T) {
	var heard []string
	x := Explainer{Catalogue: &diagnose.Catalogue{}, Unknown: func(host string, protocol postroom.Protocol, phase, reply string) {
		heard = append(heard, strings.Join([]string{host, string(protocol), phase, reply}, " "))
	}}
	p := newPretendServer(t)
	p.status, p.contentType, p.body = 400, "application/json", object("error", "teapot", "error_description", "request 4711234 of anna@example.com")
	_, err := new(oauth.Client).Refresh(t.Context(), p.app(), postroom.Hide("1//refresh-of-somebody"), nil)
	s := oauthReply{Provider: "google"}.situation()
	if f := x.Explain(err, s); f.Class != postroom.Unknown {
		t.Errorf("%+v", f)
	}
	if len(heard) != 1 || !strings.HasPrefix(heard[0], "oauth2.googleapis.com oauth token ") || strings.Contains(heard[0], "4711234") || strings.Contains(heard[0], "anna") {
		t.Errorf("heard %q", heard)
	}
}

// Who has entered a provider that is not known has given it a name that people know.
func TestAProviderThatIsNotKnownIsCalledAsItsRegistration(t *testing.T) {
	p := newPretendServer(t)
	p.status, p.contentType, p.body = 400, "application/json", `{"error":"invalid_grant"}`
	var client oauth.Client
	_, err := client.Refresh(t.Context(), p.app(), postroom.Hide("1//refresh-of-somebody"), nil)
	s := Situation{App: postroom.OAuthApp{Name: "Harbour Mail", Provider: postroom.GenericProvider, TokenURL: p.app().TokenURL}, HasWorked: true}
	f := Explainer{Catalogue: &diagnose.Catalogue{}}.Explain(err, s)
	if f == nil || f.Kind != postroom.NeedsSignIn || !strings.Contains(f.Explanation, "Harbour Mail") || strings.Contains(f.Explanation, "127.0.0.1") {
		t.Errorf("%+v, want Harbour Mail to be named", f)
	}
}
