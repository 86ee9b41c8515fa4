package credential

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

func containsAll(all, wanted []string) bool {
	for _, one := range wanted {
		if !slices.ContainsFunc(all, func(has string) bool { return strings.EqualFold(has, one) }) {
			return false
		}
	}
	return true
}

// testing says whether Google ends every grant of the app after seven days
// (support.google.com/cloud/answer/15549945).
func (f *findings) testing() (postroom.AppCheck, bool) {
	if f.Kind != postroom.AppSignIn || !isGoogle(f.Provider) {
		return none()
	}
	page := f.google("Audience in the Google Cloud console", "https://console.cloud.google.com/auth/audience")
	lasted := f.record.Worked.Sub(f.record.Oldest)
	switch {
	case !f.record.Oldest.IsZero() && lasted > testingLasts+24*time.Hour:
		return proven(fmt.Sprintf("A sign-in of %s still works, so the app is not in testing.", f.record.Oldest.Format("2 January 2006")))
	case f.IsTesting:
		return refuted("The app is in testing: Google ends each sign-in after seven days, and every mailbox stops.",
			"Under Audience choose Publish app. In a Google Workspace organisation make the app Internal instead: then Google need not verify it. After that everybody signs in once more.", page)
	}
	return unknowable("Whether the app is in testing cannot be seen from here. If it is, Google ends each sign-in after seven days.",
		"Under Audience the publishing status should be In production, or the user type Internal.", page)
}

// consent says whether an administrator has to allow the app first.
func (f *findings) consent() (postroom.AppCheck, bool) {
	if f.Kind != postroom.AppSignIn || !isMicrosoft(f.Provider) || strings.EqualFold(f.OAuth.Tenant, "consumers") {
		return none()
	}
	link := f.consentPage(f.OAuth.ScopesFor(postroom.IMAP, postroom.POP3, postroom.SMTP))
	if f.record.ByCode.After(f.UpdatedAt) || f.record.ByDevice.After(f.UpdatedAt) {
		return proven("Somebody has signed in by the app, so it is allowed, at least for them.")
	}
	return unknowable("In many organisations an administrator has to allow an app before anybody can sign in by it. Whether yours is one cannot be seen from here.",
		"Send this link to an administrator of the organisation: who opens it and accepts allows the app for everybody, once.", link)
}

// delegation says whether the administrator of a domain lets a service account in.
func (f *findings) delegation() (postroom.AppCheck, bool) {
	if f.Service == nil {
		return none()
	}
	page := f.google("Domain-wide delegation in the Admin console", "https://admin.google.com/ac/owl/domainwidedelegation")
	enter := fmt.Sprintf("In the Admin console add the client id %s with the scope %s. It may take up to 24 hours until it counts.", f.Service.ClientID, strings.Join(f.OAuth.ScopesFor(postroom.IMAP, postroom.SMTP), ","))
	r, refused := f.own.refusal()
	switch {
	case f.own.err == nil && f.person != "":
		return proven(fmt.Sprintf("The service account may open %s.", f.person))
	case refused && (r.Code == "unauthorized_client" || r.Code == "access_denied"):
		return refuted("The administrator of the domain has not allowed the service account to open its mailboxes.", enter, page)
	case refused && f.person != "" && strings.Contains(strings.ToLower(r.Description), "invalid email or user id"):
		return refuted(fmt.Sprintf("Google knows no account %s, so the service account cannot open it.", f.person), "See whether the address is that of an account, and not of a group or an alias of it.", postroom.Link{})
	case f.taken() == takenYes && f.person == "":
		return unknowable("Whether the service account may open mailboxes shows with the first mailbox of the domain.", enter, page)
	}
	return unknowable("Google did not say whether the service account may open mailboxes.", enter, page)
}

// mailRoles are the permissions by which a program opens mailboxes in its own name at
// Microsoft (learn.microsoft.com: Authenticate an IMAP, POP or SMTP connection using
// OAuth).
var mailRoles = []string{"IMAP.AccessAsApp", "POP.AccessAsApp", "SMTP.SendAsApp"}

// roles says which of them an administrator has given.
func (f *findings) roles() (postroom.AppCheck, bool) {
	if f.Kind != postroom.AppClient || !isMicrosoft(f.Provider) {
		return none()
	}
	link := f.entra("CallAnAPI") // the app may have no redirect address, without which there is no link to send
	const add = "Under API permissions add, from Office 365 Exchange Online, the application permissions IMAP.AccessAsApp (or POP.AccessAsApp) and SMTP.SendAsApp. Then an administrator chooses Grant admin consent there."
	if f.own.err != nil {
		return unknowable("Which permissions the app has shows once Microsoft knows it and takes its secret.", add, link)
	}
	given, readable := rolesIn(f.token.AccessToken)
	has := func(role string) bool { return slices.Contains(given, role) }
	switch {
	case !readable:
		return unknowable("Which permissions the app has cannot be read from its token.", add, link)
	case !has("IMAP.AccessAsApp") && !has("POP.AccessAsApp"):
		return refuted("The app has no permission to read mailboxes in its own name, or no administrator has accepted it yet.", add, link)
	case !has("SMTP.SendAsApp"):
		return refuted("The app may read mailboxes ("+strings.Join(ofMail(given), ", ")+"), but not send: SMTP.SendAsApp is missing.", add, link)
	}
	return proven("An administrator has allowed the app: " + strings.Join(ofMail(given), ", ") + ".")
}

func ofMail(given []string) []string {
	return slices.DeleteFunc(slices.Clone(mailRoles), func(role string) bool { return !slices.Contains(given, role) })
}

// rolesIn reads what an access token of Microsoft's lets an app do. It came straight from
// the token endpoint, so its signature is not looked at; ok is false where it is no JWT.
func rolesIn(token postroom.Secret) (roles []string, ok bool) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return nil, false
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Roles []string `json:"roles"`
	}
	if err != nil || json.Unmarshal(body, &claims) != nil {
		return nil, false
	}
	return claims.Roles, true
}

// mailboxes says whether Exchange lets the app in, which is not the same as Microsoft
// Entra's permission.
func (f *findings) mailboxes() (postroom.AppCheck, bool) {
	if f.Kind != postroom.AppClient || !isMicrosoft(f.Provider) {
		return none()
	}
	if f.record.ByApp.After(f.UpdatedAt) {
		return proven("The app has opened a mailbox.")
	}
	return unknowable("Which mailboxes Exchange lets the app into shows with the first mailbox.",
		"An Exchange administrator runs New-ServicePrincipal once, with the object id of the enterprise application (not of the app registration), and Add-MailboxPermission for each mailbox. The steps are in the instructions.", postroom.Link{})
}

// otherDevice says whether people may sign in on another device (RFC 8628).
func (f *findings) otherDevice() (postroom.AppCheck, bool) {
	if !f.device.asked {
		return none()
	}
	r, refused := f.device.refusal()
	switch {
	case f.device.err == nil:
		return proven(f.who() + " lets people sign in on another device, with a code.")
	case refused && r.Status < 500 && r.Status != 429 && (r.Code != "" || r.Status == 404):
		return unknowable(f.who()+" does not let people sign in by this app on another device.", "Nothing has to be done: they sign in with a browser at this Postroom.", postroom.Link{})
	}
	return unknowable("Whether people may sign in on another device could not be found out.", "", postroom.Link{})
}
