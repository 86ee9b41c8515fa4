package credential

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// checkLasts is what a check may take in all; one question to the provider takes no
// longer than askLasts.
const (
	checkLasts = 10 * time.Second
	askLasts   = 8 * time.Second
)

// The points of a check, in the order in which they are shown.
const (
	pointAddresses   = "addresses"        // the provider answers where it is asked
	pointTenant      = "tenant"           // the organisation exists
	pointClient      = "client_id"        // the provider knows the app
	pointSecret      = "secret"           // and takes its secret
	pointSecretEnds  = "secret_expiry"    // which does not end soon
	pointReach       = "redirect_address" // people's browsers can come back here
	pointRedirect    = "redirect"         // and the provider lets them
	pointScopes      = "scopes"           // what is asked for can be given
	pointTesting     = "testing"          // for longer than seven days
	pointConsent     = "admin_consent"    // an administrator has allowed it, where that is needed
	pointDelegation  = "delegation"       // the same for a service account
	pointRoles       = "roles"            // the same for an app in its own name
	pointMailboxes   = "mailboxes"        // which Exchange lets into mailboxes
	pointOtherDevice = "device"           // people may sign in on another device
)

// Check finds out what can be found out about a registration before anybody signs in by
// it, and keeps that. Nothing is used up by it: the provider is asked with a code that
// was made up, and looked at as by a browser that nobody sits at.
func (a *Apps) Check(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID) (postroom.OAuthApp, error) {
	return a.CheckAt(ctx, by, id, a.Base)
}

// CheckAt does it for people who come by the address base.
func (a *Apps) CheckAt(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID, base string) (postroom.OAuthApp, error) {
	if err := needAppAdmin(by); err != nil {
		return postroom.OAuthApp{}, err
	}
	r, err := a.kept(ctx, id)
	if err != nil {
		return postroom.OAuthApp{}, err
	}
	r.OAuth.RedirectURL = a.RedirectAt(r.OAuthApp, base)
	f, err := a.findings(ctx, r)
	if err != nil {
		return postroom.OAuthApp{}, err
	}
	if err := a.Store.RecordAppCheck(ctx, r.OAuthApp, f.now, f.judge()); err != nil {
		return postroom.OAuthApp{}, err
	}
	return a.App(ctx, by, id)
}

// judge says of each point what was found out, in order; what does not concern this
// registration is left out.
func (f *findings) judge() []postroom.AppCheck {
	var all []postroom.AppCheck
	for _, one := range []struct {
		point string
		judge func(*findings) (postroom.AppCheck, bool)
	}{
		{pointAddresses, (*findings).addresses}, {pointTenant, (*findings).tenant},
		{pointClient, (*findings).clientID}, {pointSecret, (*findings).secret}, {pointSecretEnds, (*findings).secretEnds},
		{pointReach, (*findings).reach}, {pointRedirect, (*findings).redirect}, {pointScopes, (*findings).scopes},
		{pointTesting, (*findings).testing}, {pointConsent, (*findings).consent},
		{pointDelegation, (*findings).delegation}, {pointRoles, (*findings).roles}, {pointMailboxes, (*findings).mailboxes},
		{pointOtherDevice, (*findings).otherDevice},
	} {
		if check, concerns := one.judge(f); concerns {
			check.Point = one.point
			all = append(all, check)
		}
	}
	return all
}

func proven(words string) (postroom.AppCheck, bool) {
	return postroom.AppCheck{Verdict: postroom.Proven, Words: words}, true
}

func refuted(words, remedy string, link postroom.Link) (postroom.AppCheck, bool) {
	return postroom.AppCheck{Verdict: postroom.Refuted, Words: words, Remedy: remedy, Link: link}, true
}

func unknowable(words, remedy string, link postroom.Link) (postroom.AppCheck, bool) {
	return postroom.AppCheck{Verdict: postroom.Unknowable, Words: words, Remedy: remedy, Link: link}, true
}

func none() (postroom.AppCheck, bool) { return postroom.AppCheck{}, false }
