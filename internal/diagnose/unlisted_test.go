package diagnose

import (
	"testing"

	"github.com/postroom/postroom"
)

// TestRepliesThatNoEntryLists are answers of real servers in words that the catalogue
// does not hold: what their codes and the words that recur in them mean is understood.
func TestRepliesThatNoEntryLists(t *testing.T) {
	const imap, pop, smtp, oauth = postroom.IMAP, postroom.POP3, postroom.SMTP, postroom.Protocol("oauth")
	tests := []struct {
		protocol postroom.Protocol
		phase    string
		reply    string
		class    postroom.Class
	}{
		{imap, "auth", "NO [AUTHENTICATIONFAILED] (#AUTH012) Incorrect username or password.", postroom.BadCredentials},
		{imap, "auth", "NO [AUTHENTICATIONFAILED] AUTHENTICATE failed", postroom.BadCredentials},
		{imap, "auth", "NO Login incorrect", postroom.BadCredentials},
		{imap, "auth", "NO [ALERT] Login failed: wrong user or password", postroom.BadCredentials},
		{imap, "auth", "NO LOGIN rejected", postroom.BadCredentials},
		{imap, "auth", "NO Échec de l'authentification", postroom.BadCredentials},
		{imap, "auth", "NO Benutzername oder Passwort falsch", postroom.BadCredentials},
		{imap, "auth", "NO Неверный логин или пароль", postroom.BadCredentials},
		{imap, "auth", "NO 用户名或密码错误", postroom.BadCredentials},
		{imap, "auth", "NO [UNAVAILABLE] LOGIN Server error - Please try again later", postroom.ServerBusy},
		{imap, "auth", "NO [SERVERBUG] LOGIN Server error", postroom.ServerBusy},
		{imap, "auth", "NO Authentication service temporarily unavailable", postroom.ServerBusy},
		{imap, "auth", "NO Temporary login failure", postroom.ServerBusy},
		{imap, "auth", "NO [AUTHENTICATIONFAILED] Authentication timed out", postroom.Timeout},
		{imap, "auth", "* BYE Authentication timed out.", postroom.Timeout},
		{imap, "auth", "NO [ALERT] Maximum number of connections from user+IP exceeded", postroom.TooManyConnections},
		{imap, "auth", "NO [LIMIT] Too many simultaneous connections", postroom.TooManyConnections},
		{imap, "greeting", "* BYE Too many connections from your IP", postroom.TooManyConnections},
		{imap, "auth", "NO Too many login failures, try again in 15 minutes", postroom.RateLimited},
		{imap, "auth", "NO Login attempts exceeded the limit", postroom.RateLimited},
		{imap, "any", "BAD Request rate limit exceeded", postroom.RateLimited},
		{imap, "auth", "NO IMAP access is disabled for this mailbox by your administrator", postroom.IMAPDisabled},
		{imap, "auth", "NO You have not enabled IMAP for your account", postroom.IMAPDisabled},
		{imap, "auth", "NO Basic authentication is disabled in this organization", postroom.BasicAuthBlocked},
		{imap, "auth", "NO [AUTHENTICATIONFAILED] Please use an app-specific password", postroom.AppPasswordRequired},
		{imap, "auth", "NO [ALERT] Two-factor authentication is on; use an application password", postroom.AppPasswordRequired},
		{imap, "auth", "NO 请使用授权码登录", postroom.AppPasswordRequired},
		{imap, "auth", "NO Account is locked out", postroom.AccountLocked},
		{imap, "auth", "NO [AUTHENTICATIONFAILED] User is disabled", postroom.AccountLocked},
		{imap, "auth", "NO [CONTACTADMIN] Your subscription has expired", postroom.AccountLocked},
		{imap, "auth", "NO Login from this IP address is not allowed", postroom.ConditionalAccess},
		{imap, "auth", "NO Sign-in blocked by security policy", postroom.ConditionalAccess},
		{imap, "auth", "BAD Login not permitted without TLS; encryption required", postroom.ProtocolMismatch},
		{imap, "auth", "NO [PRIVACYREQUIRED] STARTTLS is required first", postroom.ProtocolMismatch},
		{imap, "auth", "NO no mechanism available", postroom.ProtocolMismatch},
		{imap, "starttls", "BAD STARTTLS not supported here", postroom.ProtocolMismatch},
		{imap, "starttls", "NO Nope", postroom.ProtocolMismatch},
		{imap, "select", "NO Folder not found", postroom.FolderMissing},
		{imap, "select", "NO [SERVERBUG] Unknown folder: Archive/2024", postroom.FolderMissing},
		{imap, "select", "NO Mailbox is in use by another client", postroom.MailboxInUse},
		{imap, "idle", "* BYE Idle for too long", postroom.Timeout},
		{imap, "any", "* BYE Server going down for maintenance", postroom.ServerBusy},
		{imap, "any", "* BYE [UNAVAILABLE]", postroom.ServerBusy},
		{imap, "any", "NO Daily bandwidth quota exceeded", postroom.BandwidthExceeded},
		{imap, "append", "NO Mailbox is full", postroom.QuotaFull},
		{imap, "auth", "NO [AUTHENTICATIONFAILED] AADSTS50126: Error validating credentials", postroom.BadCredentials},
		{imap, "auth", "NO The account does not have IMAP access", postroom.IMAPDisabled},
		{imap, "auth", "NO Please enable IMAP in the settings of your mailbox", postroom.IMAPDisabled},
		{imap, "auth", "NO [ALERT] Your mailbox is over quota", postroom.QuotaFull},
		{imap, "auth", "NO password verification failed", postroom.BadCredentials},
		{imap, "auth", "NO User unknown", postroom.BadCredentials},
		{imap, "any", "* BYE Internal error", postroom.ServerBusy},
		{imap, "any", "BAD Unknown command", postroom.ClientMisconfigured},
		{pop, "auth", "-ERR Unable to log on", postroom.BadCredentials},
		{pop, "auth", "-ERR no such user", postroom.BadCredentials},
		{pop, "auth", "-ERR sorry, pop server too busy right now. try again later", postroom.ServerBusy},
		{pop, "auth", "-ERR [IN-USE] lock busy!  Is another session active?", postroom.MailboxInUse},
		{smtp, "auth", "534 5.7.9 Authentication mechanism is too weak", postroom.ProtocolMismatch},
		{smtp, "auth", "500 5.5.6 Authentication Exchange line is too long", postroom.ClientMisconfigured},
		{smtp, "rcpt_to", "550 SPF check failed", postroom.ContentRejected},
		{smtp, "rcpt_to", "553 5.1.3 Invalid address format", postroom.RecipientRejected},
		{smtp, "rcpt_to", "550 5.7.1 Not accepted, your IP has been found on a block list", postroom.ContentRejected},
		{pop, "auth", "-ERR Password supplied for \"joe\" is incorrect.", postroom.BadCredentials},
		{pop, "auth", "-ERR Authorization failed", postroom.BadCredentials},
		{pop, "auth", "-ERR invalid user or password", postroom.BadCredentials},
		{pop, "auth", "-ERR [SYS/TEMP] (#MBR1212) Server error", postroom.ServerBusy},
		{pop, "auth", "-ERR maildrop already locked", postroom.MailboxInUse},
		{pop, "auth", "-ERR Mailbox locked by another process, try again", postroom.MailboxInUse},
		{pop, "auth", "-ERR POP3 is disabled for this user", postroom.POPDisabled},
		{pop, "auth", "-ERR [LOGIN-DELAY] minimum time between mail checks violation", postroom.RateLimited},
		{pop, "auth", "-ERR [UNAVAILABLE] Backend down", postroom.ServerBusy},
		{pop, "auth", "-ERR [AUTH] NEOBHODIM parol prilozheniya", postroom.AppPasswordRequired},
		{pop, "auth", "-ERR [AUTH] Too many simultaneous connections", postroom.TooManyConnections},
		{pop, "auth", "-ERR Account suspended", postroom.AccountLocked},
		{pop, "starttls", "-ERR Command not permitted", postroom.ProtocolMismatch},
		{smtp, "auth", "535 5.7.0 authentication rejected", postroom.BadCredentials},
		{smtp, "auth", "535 Authentication credentials invalid", postroom.BadCredentials},
		{smtp, "auth", "535 5.7.1 Username/Password not accepted", postroom.BadCredentials},
		{smtp, "auth", "421 4.7.0 Too many failed logins, closing", postroom.RateLimited},
		{smtp, "auth", "535 5.7.8 Account has been disabled", postroom.AccountLocked},
		{smtp, "auth", "530 5.7.10 STARTTLS is required", postroom.ProtocolMismatch},
		{smtp, "auth", "503 5.5.2 AUTH not available", postroom.ProtocolMismatch},
		{smtp, "auth", "504 5.7.4 Unknown mechanism", postroom.ProtocolMismatch},
		{smtp, "auth", "454 4.7.0 Internal authentication failure", postroom.ServerBusy},
		{smtp, "auth", "535 5.7.8 Use your application-specific password", postroom.AppPasswordRequired},
		{smtp, "greeting", "554 5.7.1 Your host is listed on our block list", postroom.ContentRejected},
		{smtp, "greeting", "421 Service unavailable, too many connections", postroom.TooManyConnections},
		{smtp, "mail_from", "550 5.7.1 Not authorized to send as this sender", postroom.RelayDenied},
		{smtp, "mail_from", "553 sender not allowed", postroom.RelayDenied},
		{smtp, "rcpt_to", "550 No such user here", postroom.RecipientRejected},
		{smtp, "rcpt_to", "550 5.1.1 Адресат неизвестен", postroom.RecipientRejected},
		{smtp, "rcpt_to", "550 relaying prohibited", postroom.RelayDenied},
		{smtp, "rcpt_to", "451 4.7.1 Please wait 300 seconds", postroom.ServerBusy},
		{smtp, "rcpt_to", "452 4.2.2 Mailbox over quota", postroom.QuotaFull},
		{smtp, "data", "552 5.3.4 Error: message too large", postroom.MessageTooBig},
		{smtp, "data", "554 5.7.1 Message rejected under suspicion of SPAM", postroom.ContentRejected},
		{smtp, "data", "550 5.7.9 DMARC policy rejection", postroom.ContentRejected},
		{smtp, "data", "421 4.3.0 Temporary System Problem", postroom.ServerBusy},
		{oauth, "token", `{"error":"invalid_grant","error_description":"AADSTS50132: The credentials have been revoked due to password change","error_codes":[50132]}`, postroom.TokenExpired},
		{oauth, "token", `{"error":"invalid_grant","error_description":"AADSTS53002: Application used is not an approved application for conditional access."}`, postroom.ConditionalAccess},
		{oauth, "token", `{"error":"interaction_required","error_description":"AADSTS50072: enroll"}`, postroom.MFARequired},
		{oauth, "token", `{"error":"invalid_grant","error_description":"The refresh token is invalid, expired or revoked"}`, postroom.TokenRevoked},
		{oauth, "token", `{"error": "invalid_grant", "error_description": "Stale token"}`, postroom.TokenRevoked},
		{oauth, "token", "error=invalid_grant&error_description=expired", postroom.TokenRevoked},
		{oauth, "token", `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}`, postroom.ClientMisconfigured},
		{oauth, "token", "AADSTS90024", postroom.ServerBusy},
		{oauth, "token", `{"error":"invalid_grant","error_description":"AADSTS70000: Provided grant is invalid or malformed."}`, postroom.TokenRevoked},
		{oauth, "token", `{"error":"invalid_grant","error_description":"Code was already redeemed."}`, postroom.TokenRevoked},
		{oauth, "token", `{"error_description":"expired_token","error":"invalid_grant"}`, postroom.TokenExpired},
		{oauth, "token", `{"error":"invalid_grant","error_description":"The user account is disabled."}`, postroom.AccountLocked},
		{oauth, "token", `{"error":"invalid_grant","error_description":"AADSTS1999999: What nobody has seen."}`, postroom.TokenRevoked},
		{oauth, "token", `{"error":{"description":"INVALID_REFRESH_TOKEN","localizedMessage":"client request is not acceptable or not supported"}}`, postroom.TokenRevoked},
		{oauth, "token", `{"error":"rate_limit_exceeded"}`, postroom.RateLimited},
		{oauth, "token", `{"error":"unauthorized_client","error_description":"AADSTS700016: Application was not found"}`, postroom.ClientMisconfigured},
		{imap, "auth", `{"status":"invalid_token","scope":"https://mail.example.net/"}`, postroom.TokenExpired},
		{smtp, "auth", `{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}`, postroom.TokenExpired},
	}
	var c Catalogue
	right := 0
	for _, test := range tests {
		f := Failure{Protocol: test.protocol, Phase: test.phase, Host: "mail.example.net", CredentialKind: "password", Reply: test.reply}
		if test.protocol == oauth {
			f.CredentialKind = "oauth"
		}
		fault := c.Explain(f)
		checkVoice(t, test.reply, fault)
		if fault.Class == test.class {
			right++
			continue
		}
		t.Errorf("%s at %s: %q is %s, want %s", test.protocol, test.phase, test.reply, fault.Class, test.class)
	}
	t.Logf("%d of %d replies have the right class", right, len(tests))
}
