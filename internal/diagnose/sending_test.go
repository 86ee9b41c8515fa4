package diagnose

import (
	"errors"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestRefusedSendingIsExplained(t *testing.T) {
	no := false
	gmail := Failure{Protocol: postroom.SMTP, Phase: "auth", Host: "smtp.gmail.com", Port: 465, CredentialKind: "password"}
	microsoft := Failure{Protocol: postroom.SMTP, Phase: "auth", Host: "smtp.office365.com", Port: 587, CredentialKind: "password"}
	own := Failure{Protocol: postroom.SMTP, Phase: "auth", Host: "smtp.example.net", Port: 587, CredentialKind: "password"}
	said := func(f Failure, phase, reply string) Failure { f.Phase, f.Reply = phase, reply; return f }
	local := func(phase, text string) Failure { f := own; f.Phase, f.Err = phase, errors.New(text); return f }
	pasted := said(gmail, "auth", "535-5.7.8 Username and Password not accepted. For more information, go to 535 5.7.8 https://support.google.com/mail/?p=BadCredentials - gsmtp")
	pasted.SecretLooksLikeAppPassword = &no

	tests := map[string]struct {
		failure Failure
		kind    postroom.Kind
		class   postroom.Class
		says    string // of Explanation
		advises string // of Remedy
	}{
		"a wrong password at Google": {said(gmail, "auth", "535-5.7.8 Username and Password not accepted. For more information, go to 535 5.7.8 https://support.google.com/mail/?p=BadCredentials - gsmtp"),
			postroom.NeedsSignIn, postroom.BadCredentials, "Google refused this password.", "new app password"},
		"the account password at Google": {pasted,
			postroom.NeedsSignIn, postroom.AccountPasswordPasted, "looks like the normal account password", "Create an app password"},
		"no app password at Google": {said(gmail, "auth", "534-5.7.9 Application-specific password required. For more information, go to 534 5.7.9 https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp"),
			postroom.NeedsSignIn, postroom.AppPasswordRequired, "only app passwords", "16-letter app password"},
		"SMTP AUTH off for a tenant": {said(microsoft, "auth", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information. [X.PROD.OUTLOOK.COM]"),
			postroom.NeedsRepair, postroom.SMTPAuthDisabled, "Microsoft does not let programs send", "whole organisation"},
		"passwords off at Microsoft": {said(microsoft, "auth", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."),
			postroom.NeedsSignIn, postroom.BasicAuthBlocked, "Microsoft no longer accepts passwords here.", "Sign in with Microsoft"},
		"an unknown 535": {said(own, "auth", "535 nope"),
			postroom.NeedsSignIn, postroom.BadCredentials, "smtp.example.net refused this password.", "full address as user name"},
		"a server that cannot check now": {said(own, "auth", "454 4.7.0 nope"),
			postroom.Delayed, postroom.ServerBusy, "not ready at the moment", "Wait and retry"},
		"a server that closes": {said(own, "greeting", "421 4.7.0 nope"),
			postroom.Delayed, postroom.ServerBusy, "not ready at the moment", "Wait and retry"},
		"not as this sender": {said(microsoft, "mail_from", "550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
			postroom.NeedsRepair, postroom.RelayDenied, "does not send on", "Send as"},
		"a sender that is not right": {said(own, "mail_from", "553 5.1.8 nope"),
			postroom.NeedsRepair, postroom.RelayDenied, "does not send on", "this sender"},
		"a recipient nobody knows": {said(own, "rcpt_to", "550 5.1.1 nope"),
			postroom.NeedsRepair, postroom.RecipientRejected, "this recipient", "Correct the address"},
		"too large, in the server's words": {said(own, "mail_from", "552 5.3.4 nope"),
			postroom.NeedsRepair, postroom.MessageTooBig, "larger than smtp.example.net takes", "smaller attachments"},
		"too large, before it is tried": {local("mail_from", "smtp mail_from: the message is too big: it has 7 bytes, and the server takes 6"),
			postroom.NeedsRepair, postroom.MessageTooBig, "larger than smtp.example.net takes", ""},
		"letters that the server cannot take": {local("mail_from", "SMTPUTF8 is required for this address, and the server does not offer it"),
			postroom.NeedsRepair, postroom.RecipientRejected, "this recipient", "beyond a to z"},
		"later": {said(own, "rcpt_to", "451 4.3.0 nope"),
			postroom.Delayed, postroom.ServerBusy, "not ready at the moment", "later"},
		"a port without a sign-in": {said(own, "auth", "250 8BITMIME SIZE 1000"),
			postroom.NeedsRepair, postroom.ProtocolMismatch, "smtp.example.net offers no way to sign in on port 587", "port 465"},
	}
	var c Catalogue
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := c.Explain(test.failure)
			if f.Kind != test.kind || f.Class != test.class || !strings.Contains(f.Explanation, test.says) || !strings.Contains(f.Remedy, test.advises) {
				t.Errorf("%s, %s: %q %q\nwant %s, %s: %q %q", f.Kind, f.Class, f.Explanation, f.Remedy, test.kind, test.class, test.says, test.advises)
			}
			checkVoice(t, name, f)
		})
	}
	if f := c.Explain(said(own, "auth", "250 SIZE 1")); f.Field != "outgoing.tls" {
		t.Errorf("a port without a sign-in blames %q, want outgoing.tls", f.Field)
	}
}
