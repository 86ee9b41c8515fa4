package credential

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// partiesTo are the hosts that see the secret of a registration, or a token that was
// given to it.
func partiesTo(app postroom.OAuthApp, preset *provider.Preset) (hosts []string) {
	o := known(app, preset)
	for _, address := range []string{o.Issuer, o.TokenURL, o.DeviceURL, o.RevokeURL, o.UserInfoURL} {
		if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
			hosts = append(hosts, strings.ToLower(u.Hostname()))
		}
	}
	return hosts
}

// staysAmong: a secret that is kept, and what a provider gave for mailboxes, go to those
// only whom they were meant for. Whoever may change a registration need not know them.
func (a *Apps) staysAmong(was, is postroom.OAuthApp, hasNewSecret bool) error {
	before := partiesTo(was, a.preset(was.Provider))
	now := partiesTo(is, a.preset(is.Provider))
	at := slices.IndexFunc(now, func(host string) bool { return !slices.Contains(before, host) })
	switch {
	case at < 0:
		return nil
	case was.Mailboxes > 0:
		return &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin, Field: "token_url",
			Explanation: fmt.Sprintf("%s by this registration. What their provider gave for them does not go to %s.", signInBy(was.Mailboxes), now[at]),
			Remedy:      "Enter the other addresses as a registration of their own, and let the mailboxes sign in by it one after the other.",
		}
	case was.SecretKind == postroom.AppSecretText && !hasNewSecret:
		return wrong("client_secret", fmt.Sprintf("The client secret that is kept was entered for another provider: it does not go to %s.", now[at]), "Enter the client secret once more.")
	}
	return nil
}
