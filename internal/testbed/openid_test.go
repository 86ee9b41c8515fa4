package testbed

import (
	"strings"
	"testing"
	"time"
)

func TestOpenIDProviderSaysWhatItIs(t *testing.T) {
	s := StartOpenID(t, time.Minute, OpenIDClient{ID: "postroom", Secret: "a secret of a test", RedirectURLs: []string{"http://127.0.0.1:1/oauth/callback"}})
	if err := s.answers(); err != nil || !strings.HasPrefix(s.Issuer, "http://127.0.0.1:") {
		t.Errorf("at %s: %v", s.Issuer, err)
	}
}
