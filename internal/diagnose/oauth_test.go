package diagnose

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

var oauthNow = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func atGoogle(code, description string) OAuthFailure {
	return OAuthFailure{
		Phase: "token", Status: 400, Code: code, Description: description, Reply: fmt.Sprintf(`{"error":%q,"error_description":%q}`, code, description),
		ProviderID: "gmail", ProviderName: "Gmail", Host: "oauth2.googleapis.com", AppName: "Desk", Address: "support@example.net", HasWorked: true,
	}
}

func atMicrosoft(code, description string) OAuthFailure {
	f := atGoogle(code, description)
	f.ProviderID, f.ProviderName, f.Host = "microsoft365", "Microsoft 365", "login.microsoftonline.com"
	f.ConsentURL = "https://login.microsoftonline.com/organizations/v2.0/adminconsent?client_id=1"
	return f
}

func TestWhatAnOAuthServerSaysIsExplained(t *testing.T) {
	with := func(f OAuthFailure, change func(*OAuthFailure)) OAuthFailure { change(&f); return f }
	const day = 24 * time.Hour
	revoked := atGoogle("invalid_grant", "Token has been expired or revoked.")
	broken := func(err error) OAuthFailure {
		return with(atGoogle("", ""), func(f *OAuthFailure) { f.Status, f.Reply, f.Err = 0, "", err })
	}
	tests := map[string]struct {
		failure OAuthFailure
		kind    postroom.Kind
		class   postroom.Class
		fixBy   postroom.FixBy
		says    string // of Explanation
		advises string // of Remedy
	}{
		"a sign-in that was withdrawn": {revoked, postroom.NeedsSignIn, postroom.TokenRevoked, postroom.FixByUser,
			"Google no longer lets us read support@example.net.", "choose Sign in again"},
		"an app that is in testing": {with(revoked, func(f *OAuthFailure) { f.IsTesting, f.SignedInAt = true, oauthNow.Add(-8*day) }),
			postroom.NeedsSignIn, postroom.TokenRevoked, postroom.FixByUser, "after seven days while an app is in testing, and so it did with the app “Desk”.", "publishes it"},
		"an app that is seen to be in testing": {with(revoked, func(f *OAuthFailure) { f.SignedInAt = oauthNow.Add(-7*day - time.Hour) }),
			postroom.NeedsSignIn, postroom.TokenRevoked, postroom.FixByUser, "after just seven days", "publishes it"},
		"in testing, and withdrawn before": {with(revoked, func(f *OAuthFailure) { f.IsTesting, f.SignedInAt = true, oauthNow.Add(-3*day) }),
			postroom.NeedsSignIn, postroom.TokenRevoked, postroom.FixByUser, "no longer lets us read", "Sign in again"},
		"one that was not used": {with(revoked, func(f *OAuthFailure) { f.SignedInAt, f.UsedAt = oauthNow.Add(-400*day), oauthNow.Add(-190*day) }),
			postroom.NeedsSignIn, postroom.TokenRevoked, postroom.FixByUser, "was not used for six months", "Sign in again"},
		"an answer that was lost": {with(atGoogle("invalid_grant", ""), func(f *OAuthFailure) { f.ProviderID, f.ProviderName, f.Interrupted = "", "Contoso", true }),
			postroom.NeedsSignIn, postroom.TokenRevoked, postroom.FixByUser, "was interrupted while Contoso was renewing the sign-in of support@example.net", "Sign in again"},
		"a password that was changed, which tells more than what was lost": {with(atMicrosoft("invalid_grant", "AADSTS50173: The provided grant has expired due to it being revoked, a fresh auth token is needed."), func(f *OAuthFailure) { f.Interrupted = true }),
			postroom.NeedsSignIn, postroom.TokenRevoked, postroom.FixByUser, "The password of support@example.net was changed", "Sign in again"},
		"ninety days": {atMicrosoft("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity. The token was issued on 2026-04-20T14:30:28.0990908Z and was inactive for 90.00:00:00."),
			postroom.NeedsSignIn, postroom.TokenExpired, postroom.FixByUser, "was not used for 90 days", "Sign in again"},
		"a secret that has run out": {atMicrosoft("invalid_client", "AADSTS7000222: The provided client secret keys for app '11111111-2222-3333-4444-555555555555' are expired."),
			postroom.NeedsRepair, postroom.ClientMisconfigured, postroom.FixByAppAdmin, "The client secret of the app “Desk” has run out.", "Nobody has to sign in again"},
		"a wrong secret": {atGoogle("invalid_client", "Unauthorized"), postroom.NeedsRepair, postroom.ClientMisconfigured, postroom.FixByAppAdmin,
			"Google does not accept the client secret of the app “Desk”.", "page of the app"},
		"words that a mail server would use of passwords": {with(atGoogle("invalid_client", "Client authentication failed"), func(f *OAuthFailure) { f.ProviderID, f.ProviderName = "", "" }),
			postroom.NeedsRepair, postroom.ClientMisconfigured, postroom.FixByAppAdmin, "The provider does not accept the client ID", "page of the app"},
		"an administrator has to allow it": {atMicrosoft("invalid_grant", "AADSTS90094: The grant requires admin permission."),
			postroom.NeedsSignIn, postroom.AdminConsentRequired, postroom.FixByMailboxAdmin, "wants an administrator of the organisation to allow the app “Desk” first", "administrator"},
		"an app of its own that is not allowed": {with(atGoogle("unauthorized_client", "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested."), func(f *OAuthFailure) { f.Own = true }),
			postroom.NeedsRepair, postroom.AdminConsentRequired, postroom.FixByMailboxAdmin, "has not allowed the app “Desk” to open its mailboxes", "Domain-wide delegation"},
		"an app of its own whose permission is gone": {with(atMicrosoft("invalid_grant", "AADSTS65001: The user or administrator has not consented to use the application with ID '1' named 'Example'."), func(f *OAuthFailure) { f.Own = true }),
			postroom.NeedsRepair, postroom.ConsentMissing, postroom.FixByAppAdmin, "Nobody has allowed the app “Desk”", "nobody signs in"},
		"the clock of this computer": {with(atGoogle("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."), func(f *OAuthFailure) { f.Own = true }),
			postroom.NeedsRepair, postroom.ClientMisconfigured, postroom.FixByAppAdmin, "The clock of the computer", "clock"},
		"a second proof": {atMicrosoft("invalid_grant", "AADSTS50076: Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '00000002-0000-0ff1-ce00-000000000000'."),
			postroom.NeedsSignIn, postroom.MFARequired, postroom.FixByUser, "second proof", "second factor"},
		"a rule of the organisation": {atMicrosoft("access_denied", "AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."),
			postroom.NeedsRepair, postroom.ConditionalAccess, postroom.FixByMailboxAdmin, "A rule of the organisation at Microsoft", "policy"},
		"a rule that ends sign-ins": {atMicrosoft("invalid_grant", "AADSTS70043: The refresh token has expired or is invalid due to sign-in frequency checks by conditional access."),
			postroom.NeedsSignIn, postroom.ConditionalAccess, postroom.FixByMailboxAdmin, "lets a sign-in last only for a while", "Sign in again"},
		"declined": {with(atMicrosoft("access_denied", "The resource owner denied the request"), func(f *OAuthFailure) { f.Phase, f.Status, f.HasWorked = "authorize", 0, false }),
			postroom.NeedsSignIn, postroom.ConsentMissing, postroom.FixByUser, "did not allow Postroom to read support@example.net", "accept the permissions"},
		"a return address that is not registered": {with(atGoogle("redirect_uri_mismatch", "Bad Request"), func(f *OAuthFailure) { f.RedirectURL = "https://post.example.net/oauth/callback" }),
			postroom.NeedsRepair, postroom.ClientMisconfigured, postroom.FixByAppAdmin, "is not registered with the app “Desk”", "https://post.example.net/oauth/callback"},
		"a number that is not in the catalogue, of a grant that has ended": {atMicrosoft("invalid_grant", "AADSTS1234567: Something new."),
			postroom.NeedsSignIn, postroom.TokenRevoked, postroom.FixByUser, "no longer lets us read", "Sign in again"},
		"a number that is not in the catalogue, of something that has worked": {with(atMicrosoft("", "AADSTS1234567: Something new."), func(f *OAuthFailure) { f.Reply = "AADSTS1234567: Something new." }),
			postroom.Delayed, postroom.ClientMisconfigured, postroom.FixByAppAdmin, "a number that Postroom does not know", "number"},
		"a number alone": {with(atMicrosoft("invalid_grant", ""), func(f *OAuthFailure) { f.Reply = `{"error":"invalid_grant","error_codes":[700082]}` }),
			postroom.NeedsSignIn, postroom.TokenExpired, postroom.FixByUser, "was not used for 90 days", "Sign in again"},
		"what nobody knows, of something that has worked": {atGoogle("teapot", "short and stout"),
			postroom.Delayed, postroom.Unknown, postroom.FixByAppAdmin, "an answer that Postroom does not know", "its own words below"},
		"what nobody knows, of something new": {with(atGoogle("teapot", "short and stout"), func(f *OAuthFailure) { f.HasWorked = false }),
			postroom.NeedsRepair, postroom.Unknown, postroom.FixByAppAdmin, "an answer that Postroom does not know", "its own words below"},
		"too many requests": {with(atGoogle("invalid_grant", ""), func(f *OAuthFailure) { f.Status, f.RetryAfter = 429, 2*time.Minute }),
			postroom.Delayed, postroom.RateLimited, postroom.FixByWaiting, "asks us to slow down", "Nothing has to be done"},
		"an outage, whatever it says": {with(revoked, func(f *OAuthFailure) { f.Status = 503 }),
			postroom.Delayed, postroom.ServerBusy, postroom.FixByWaiting, "Google’s sign-in service is not ready", "Nothing has to be done"},
		"a page with status 200": {with(atGoogle("", ""), func(f *OAuthFailure) { f.Status, f.Reply, f.Page = 200, "Welcome to the airport", true }),
			postroom.Delayed, postroom.ProtocolMismatch, postroom.FixByAppAdmin, "A web page came in the place of Google’s sign-in service.", "let it reach oauth2.googleapis.com"},
		"nothing at the address": {with(atGoogle("", ""), func(f *OAuthFailure) {
			f.Status, f.Reply, f.Page, f.ProviderID, f.ProviderName, f.HasWorked = 404, "Not found", true, "", "", false
		}), postroom.NeedsRepair, postroom.ClientMisconfigured, postroom.FixByAppAdmin, "no sign-in service at the address", "addresses on the page of the app"},
		"no name": {broken(&net.DNSError{Err: "no such host", Name: "oauth2.googleapis.com", IsNotFound: true}),
			postroom.Delayed, postroom.DNS, postroom.FixByWaiting, "The name of Google’s sign-in service, oauth2.googleapis.com,", "Nothing has to be done"},
		"no answer": {broken(context.DeadlineExceeded), postroom.Delayed, postroom.Timeout, postroom.FixByWaiting, "did not answer in time", "Nothing has to be done"},
		"nobody there": {broken(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}),
			postroom.Delayed, postroom.Refused, postroom.FixByWaiting, "takes no connection", "Nothing has to be done"},
		"half an answer": {broken(io.ErrUnexpectedEOF), postroom.Delayed, postroom.ServerBusy, postroom.FixByWaiting, "is not ready", "Nothing has to be done"},
		"a certificate that nobody knows": {broken(x509.UnknownAuthorityError{}),
			postroom.Delayed, postroom.TLSUntrusted, postroom.FixByAppAdmin, "not trusted", "let it reach oauth2.googleapis.com"},
		"a proxy that lets nobody out": {broken(errors.New("Proxy Authentication Required")),
			postroom.Delayed, postroom.Refused, postroom.FixByAppAdmin, "The proxy of this network", "administrator of the network"},
		"a misspelled address of one's own": {with(broken(&net.DNSError{Err: "no such host", IsNotFound: true}), func(f *OAuthFailure) { f.ProviderID, f.ProviderName, f.HasWorked = "", "", false }),
			postroom.NeedsRepair, postroom.DNS, postroom.FixByAppAdmin, "no sign-in service at the address", "addresses"},
	}
	c := Catalogue{Now: func() time.Time { return oauthNow }}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := c.OAuth(test.failure)
			if f.Kind != test.kind || f.Class != test.class || f.FixBy != test.fixBy {
				t.Errorf("%s, %s, by %s, want %s, %s, by %s", f.Kind, f.Class, f.FixBy, test.kind, test.class, test.fixBy)
			}
			if !strings.Contains(f.Explanation, test.says) {
				t.Errorf("Explanation = %q, want %q", f.Explanation, test.says)
			}
			if !strings.Contains(f.Remedy, test.advises) {
				t.Errorf("Remedy = %q, want %q", f.Remedy, test.advises)
			}
			checkVoice(t, name, f)
		})
	}
}

func TestASignInIsNotAskedForWhereNobodyFailed(t *testing.T) {
	var c Catalogue
	if f := c.OAuth(OAuthFailure{Phase: "token", Err: fmt.Errorf("ask: %w", context.Canceled)}); f != nil {
		t.Errorf("%+v, want nothing", f)
	}
}

// What the registration or the organisation has to mend is one cause, however many
// mailboxes it stops.
func TestOneCauseHasOneExplanation(t *testing.T) {
	var c Catalogue
	all, _ := samples(t)
	for _, s := range all {
		if s.Protocol != "oauth" || s.Phase == "api" || strings.Contains(s.Remedy, "Correct the address") || strings.Contains(s.ID, "mail-off") {
			continue
		}
		explained := map[string]bool{}
		for _, address := range []string{"support@example.net", "sales@example.net"} {
			f := c.OAuth(OAuthFailure{Phase: s.Phase, Status: 400, Reply: s.Sample, AppName: "Desk", ProviderID: "microsoft365", Address: address})
			if f.FixBy == postroom.FixByAppAdmin {
				explained[f.Explanation] = true
			}
			for _, mark := range []string{"PROVIDER", "MAILBOX", "APP ", "HOST", "REDIRECT", "SERVER"} {
				if strings.Contains(f.Explanation+f.Remedy, mark) {
					t.Errorf("%s: %q, %q holds %s", s.ID, f.Explanation, f.Remedy, mark)
				}
			}
			checkVoice(t, s.ID, f)
		}
		if len(explained) > 1 {
			t.Errorf("%s: %v", s.ID, explained)
		}
	}
}

func TestTheConsentLinkIsReady(t *testing.T) {
	var c Catalogue
	f := atMicrosoft("invalid_grant", "AADSTS65001: The user or administrator has not consented to use the application with ID '1' named 'Example'.")
	if got := c.OAuth(f); got.Class != postroom.ConsentMissing {
		t.Errorf("%s, want a consent that is missing", got.Class)
	}
	f = atMicrosoft("access_denied", "AADSTS90095: Admin consent is required for the permissions requested by this application.")
	if got := c.OAuth(f); got.Link.URL != f.ConsentURL || got.Link.Words == "" {
		t.Errorf("link %+v, want %s", got.Link, f.ConsentURL)
	}
}

// What was heard is understood, and what may be shown is.
func TestWhatAnOAuthServerRepeatsIsNotShown(t *testing.T) {
	var c Catalogue
	f := atGoogle("invalid_grant", "[hidden] has been expired or revoked.")
	f.Reply = `{"error":"invalid_grant","error_description":"[hidden] has been expired or revoked. You said [hidden]"}`
	f.Heard = postroom.Hide(`{"error":"invalid_grant","error_description":"Token has been expired or revoked. You said rt-hush"}`)
	f.Err = errors.New("oauth token 400 invalid_grant")
	got := c.OAuth(f)
	if got.Class != postroom.TokenRevoked || strings.Contains(fmt.Sprintf("%+v %v", got, got.Err), "rt-hush") || !strings.Contains(got.Reply, "[hidden] has been") {
		t.Errorf("%+v", got)
	}
	for _, status := range []int{200, 404, 503} {
		f.Status, f.Heard, f.Reply, f.Code = status, postroom.Hide("rt-hush"), "[hidden]", ""
		if got := c.OAuth(f); strings.Contains(fmt.Sprintf("%+v", got), "hush") {
			t.Errorf("with status %d: %+v", status, got)
		}
	}
}

// Two hundred rounds of everything that passes: nobody is asked to sign in.
func TestWhatPassesNeverAsksForASignIn(t *testing.T) {
	var c Catalogue
	for n := range 200 {
		f := atGoogle("", "")
		switch n % 8 {
		case 0:
			f.Status, f.Reply, f.Err = 0, "", context.DeadlineExceeded
		case 1:
			f.Status, f.Reply, f.HasWorked = 421, "421 Misdirected", n%16 == 1
		case 2:
			f.Status, f.RetryAfter = 429, time.Duration(n)*time.Second
		case 3:
			f.Status = 503
		case 4:
			f.Status, f.Reply, f.Err = 0, "", &net.DNSError{Err: "server misbehaving", Name: f.Host, IsTemporary: true}
		case 5:
			f.Status, f.Reply, f.Err = 0, "", &net.OpError{Op: "read", Err: syscall.ECONNRESET}
		case 6:
			f.Status, f.Code, f.Reply = 400, "temporarily_unavailable", `{"error":"temporarily_unavailable"}`
		case 7:
			f.Status, f.Page, f.Reply = 502, true, "Bad Gateway"
		}
		if got := c.OAuth(f); got.Kind != postroom.Delayed {
			t.Fatalf("round %d: %s, %s", n, got.Kind, got.Explanation)
		}
	}
}
