package simulator

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// An oauthRefusal is what a provider answers instead of a token (RFC 6749 section 5.2),
// in the words of both kinds (Microsoft: "Microsoft Entra authentication and
// authorization error codes").
type oauthRefusal struct {
	status    int
	code      string
	google    string // empty: says the code only
	number    int    // AADSTS
	microsoft string
	code2     string // Microsoft's, where it differs
}

type refusalID int

const (
	badGrant refusalID = iota
	badCode
	usedCode
	oldCode
	badVerifier
	badRedirect
	grantRevoked
	passwordChanged
	grantIdle
	accountGone
	noApp
	badSecret
	oldSecret
	noSecret
	badScope
	noTenant
	badRequest
	badGrantType
	noAppAccess
	badAssertion
	badSubject
	pending
	slowDown
	oldDevice
	declined
	noConsent
	adminNeeded
	notSignedIn
)

// refusals are the words of both kinds.
func refusals() map[refusalID]oauthRefusal {
	const notFound = "The provided value for the input parameter 'refresh_token' or 'code' is not valid."
	return map[refusalID]oauthRefusal{
		badGrant:        {400, "invalid_grant", "Bad Request", 9002313, "Invalid request. Request is malformed or invalid.", ""},
		badCode:         {400, "invalid_grant", "Malformed auth code.", 70000, notFound, ""},
		usedCode:        {400, "invalid_grant", "Bad Request", 54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.", ""},
		oldCode:         {400, "invalid_grant", "Bad Request", 70008, "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.", ""},
		badVerifier:     {400, "invalid_grant", "Invalid code verifier.", 501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request.", ""},
		badRedirect:     {400, "redirect_uri_mismatch", "Bad Request", 50011, "The redirect URI specified in the request does not match the redirect URIs configured for the application. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to fix this.", "invalid_client"},
		grantRevoked:    {400, "invalid_grant", "Token has been expired or revoked.", 50173, "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.", ""},
		passwordChanged: {400, "invalid_grant", "Token has been expired or revoked.", 50173, "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.", ""},
		grantIdle:       {400, "invalid_grant", "Token has been expired or revoked.", 700082, "The refresh token has expired due to inactivity and was inactive for 90.00:00:00.", ""},
		accountGone:     {400, "invalid_grant", "Account has been deleted", 50034, "The user account does not exist in the directory. To sign into this application, the account must be added to the directory.", ""},
		noApp:           {401, "invalid_client", "The OAuth client was not found.", 700016, "Application with the identifier of the request was not found in the directory 'Pretend'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.", "unauthorized_client"},
		badSecret:       {401, "invalid_client", "Unauthorized", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to the app.", ""},
		oldSecret:       {401, "invalid_client", "Unauthorized", 7000222, "The provided client secret keys for the app are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret", ""},
		noSecret:        {400, "invalid_request", "client_secret is missing.", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", "invalid_client"},
		badScope:        {400, "invalid_scope", "Some requested scopes were invalid.", 70011, "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid.", ""},
		noTenant:        {400, "invalid_request", "Bad Request", 90002, "Tenant not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.", ""},
		badRequest:      {400, "invalid_request", "Bad Request", 900144, "The request body must contain a parameter that is missing.", ""},
		badGrantType:    {400, "unsupported_grant_type", "Invalid grant_type: of the request", 70003, "The app requested an unsupported grant type.", ""},
		noAppAccess:     {400, "unauthorized_client", "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.", 700016, "The app may not ask in its own name.", ""},
		badAssertion:    {400, "invalid_grant", "Invalid JWT Signature.", 700027, "Client assertion failed signature validation.", "invalid_client"},
		badSubject:      {400, "invalid_grant", "Invalid email or User ID", 50034, "The user account does not exist in the directory.", ""},
		pending:         {428, "authorization_pending", "Precondition Required", 70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling.", ""},
		slowDown:        {403, "slow_down", "Forbidden", 70016, "OAuth 2.0 device flow error. The polling interval is too short.", ""},
		oldDevice:       {400, "expired_token", "", 70020, "The provided value for the input parameter 'device_code' is not valid. This device code has expired.", ""},
		declined:        {403, "access_denied", "Forbidden", 65004, "User declined to consent to access the app.", "authorization_declined"},
		noConsent:       {400, "invalid_grant", "Bad Request", 65001, "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.", ""},
		adminNeeded:     {400, "admin_policy_enforced", "", 90094, "The grant requires admin permission.", "access_denied"},
		notSignedIn:     {400, "login_required", "", 50058, "A silent sign-in request was sent but no user is signed in.", ""},
	}
}

func refusalOf(id refusalID) *oauthRefusal {
	r := refusals()[id]
	return &r
}

// name is the error's name for a kind.
func (p *OAuthServer) nameOf(r *oauthRefusal) string {
	if p.isMicrosoft() && r.code2 != "" {
		return r.code2
	}
	return r.code
}

// words are what is said besides: Microsoft's with ids, by which its support finds the
// request.
func (p *OAuthServer) words(r *oauthRefusal) (text, trace, correlation, at string) {
	if !p.isMicrosoft() {
		return r.google, "", "", ""
	}
	at = p.now().UTC().Format("2006-01-02 15:04:05Z")
	trace, correlation = newGUID(), newGUID()
	return fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", r.number, r.microsoft, trace, correlation, at), trace, correlation, at
}

// refuse answers with a refusal as JSON.
func (p *OAuthServer) refuse(w http.ResponseWriter, r *oauthRefusal) {
	text, trace, correlation, at := p.words(r)
	said, status := map[string]any{"error": p.nameOf(r)}, r.status
	if text != "" {
		said["error_description"] = text
	}
	if p.isMicrosoft() {
		said["error_codes"], said["timestamp"], said["trace_id"], said["correlation_id"] = []int{r.number}, at, trace, correlation
		said["error_uri"] = fmt.Sprintf("%s/error?code=%d", p.URL, r.number)
		if status != http.StatusUnauthorized {
			status = http.StatusBadRequest
		}
	}
	answerJSON(w, status, said)
}

func answerJSON(w http.ResponseWriter, status int, said map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store") // RFC 6749 section 5.1
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(said) // nobody may listen any more
}

// newGUID is a random id (RFC 9562 section 5.4).
func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return strings.ToLower(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
