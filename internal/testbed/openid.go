package testbed

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// openIDInstalled is where scripts/test-needs installs a provider written by others.
const openIDInstalled = beside + "/openid"

//go:embed openid.mjs
var openIDScript []byte

// An OpenIDClient is registered at an OpenID provider of a test.
type OpenIDClient struct {
	ID           string   `json:"client_id"`
	Secret       string   `json:"client_secret"`
	RedirectURLs []string `json:"redirect_uris"`
	GrantTypes   []string `json:"grant_types"`
	Types        []string `json:"response_types"`
}

// An OpenIDServer is the certified OpenID provider oidc-provider, in a process of its
// own. Whoever signs in is the address that they type, with any password. A refresh
// token is given with offline_access and prompt=consent, and another one each time.
type OpenIDServer struct {
	Issuer        string
	IntrospectURL string
}

// StartOpenID starts a provider whose access tokens last for access. It ends with the
// test.
func StartOpenID(t testing.TB, access time.Duration, clients ...OpenIDClient) OpenIDServer {
	t.Helper()
	Need(t, NeedOpenID)
	for i := range clients {
		clients[i].GrantTypes = []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}
		clients[i].Types = []string{"code"}
	}
	registered, err := json.Marshal(clients)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "postroom-openid-") // a test's own would be gone before its servers
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "openid.mjs"), openIDScript, 0o600); err != nil {
		t.Fatal(err)
	}
	var started error
	for range 3 { // somebody may take the port first
		ports, err := freePorts(1)
		if err != nil {
			t.Fatal(err)
		}
		s := OpenIDServer{Issuer: "http://127.0.0.1:" + strconv.Itoa(ports[0])}
		s.IntrospectURL = s.Issuer + "/token/introspection"
		l, err := start(&account{}, dir, "TERM", "env", "INSTALLED="+openIDInstalled, "ISSUER="+s.Issuer, "PORT="+strconv.Itoa(ports[0]),
			"CLIENTS="+string(registered), fmt.Sprintf("ACCESS_SECONDS=%d", int(access.Seconds())), locate("node"), "openid.mjs")
		if err != nil {
			t.Fatal(err)
		}
		if started = l.await(s.answers); started == nil {
			t.Cleanup(func() {
				l.stop()
				if err := os.RemoveAll(dir); err != nil {
					t.Errorf("remove the OpenID provider: %v", err)
				}
			})
			return s
		}
		l.stop()
	}
	t.Fatalf("start the OpenID provider: %v", started)
	return OpenIDServer{}
}

// answers says whether the provider publishes what it is.
func (s OpenIDServer) answers() error {
	answer, err := http.Get(s.Issuer + "/.well-known/openid-configuration")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the OpenID provider answers %s", answer.Status)
	}
	return nil
}
