package api

import (
	"testing"

	"github.com/postroom/postroom/internal/alert"
	"github.com/postroom/postroom/internal/vault"
)

// A relay can be entered whole, and what is wrong with it is named.
func TestTheRelayOfAlertsIsKeptAndTakenBack(t *testing.T) {
	r := newRig(t)
	ring, err := vault.Open(vault.Source{Dir: t.TempDir()})
	r.must(err)
	r.api.Alerts = &alert.Desk{Store: r.db, Ring: ring, Log: r.api.Log}
	const path = "/alert-settings"
	with := func(relay string) string { return `{"contact":["ann@example.org"],"delay":"1h","relay":` + relay + `}` }
	r.do(r.admin, "PUT", path, with(`{"host":"127.0.0.1","port":2525,"tls":"none","username":"ann","password":"harbour","from":"post@example.org"}`)).want(200)
	r.do(r.admin, "GET", path, "").want(200).has(map[string]any{
		"delay": "1h0m0s", "relay": map[string]any{"host": "127.0.0.1", "port": 2525.0, "tls": "none", "username": "ann", "from": "post@example.org"},
	})
	r.do(r.admin, "PUT", path, with(`{"host":"127.0.0.1"}`)).refused(422, "relay.from")
	r.do(r.admin, "PUT", path, with(`{"host":"127.0.0.1","from":"post@example.org","port":99999}`)).refused(422, "relay.port")
	r.do(r.admin, "PUT", path, with(`null`)).want(200)
	r.do(r.admin, "GET", path, "").want(200).has(map[string]any{"relay": nil})
}
