package diagnose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

var errNobodyKnows = errors.New("words that nobody knows")

func TestRepliesAreExplained(t *testing.T) {
	yes, no := true, false
	const gmailNo = "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
	gmail := Failure{Protocol: postroom.IMAP, Phase: "auth", Host: "imap.gmail.com", CredentialKind: "app_password", SecretLooksLikeAppPassword: &yes, Reply: gmailNo}
	with := func(f Failure, change func(*Failure)) Failure { change(&f); return f }
	own := Failure{Protocol: postroom.IMAP, Phase: "auth", Host: "imap.example.net", CredentialKind: "password"}

	tests := map[string]struct {
		failure Failure
		kind    postroom.Kind
		class   postroom.Class
		says    string // of Explanation
		advises string // of Remedy
	}{
		"an app password that Google refuses": {gmail,
			postroom.NeedsSignIn, postroom.BadCredentials, "Google refused this password.", "Create a fresh app password"},
		"the account password at Google": {with(gmail, func(f *Failure) { f.SecretLooksLikeAppPassword = &no }),
			postroom.NeedsSignIn, postroom.AccountPasswordPasted, "looks like the normal account password", "Create an app password"},
		"a token at Google": {with(gmail, func(f *Failure) { f.CredentialKind = "oauth"; f.SecretLooksLikeAppPassword = nil }),
			postroom.NeedsSignIn, postroom.TokenExpired, "The sign-in at Google has run out.", "Sign in again"},
		"what Google told the token before it refused": {with(gmail, func(f *Failure) {
			f.CredentialKind, f.Challenge = "oauth", `{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`
		}), postroom.NeedsSignIn, postroom.TokenExpired, "The sign-in at Google has run out.", "choose Sign in again"},
		"a server that cannot ask about a token now, and says before that it does not take it": {with(own, func(f *Failure) {
			f.CredentialKind, f.Challenge, f.Reply = "oauth", `{"status":"401","schemes":"bearer","scope":"mail"}`, "NO [UNAVAILABLE] Temporary authentication failure."
		}), postroom.Delayed, postroom.ServerBusy, "is not ready at the moment", "Wait"},
		"Google's words from somebody else": {with(gmail, func(f *Failure) { f.Host = "imap.example.net" }),
			postroom.NeedsSignIn, postroom.BadCredentials, "imap.example.net refused this password.", "Where the provider has app passwords"},
		"IMAP switched off": {with(gmail, func(f *Failure) {
			f.Reply = "NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page (Failure)"
		}), postroom.NeedsRepair, postroom.IMAPDisabled, "Google has IMAP switched off", "Forwarding and POP/IMAP"},
		"a password in Microsoft's cloud": {with(own, func(f *Failure) { f.Host, f.Reply = "outlook.office365.com", "NO LOGIN failed." }),
			postroom.NeedsSignIn, postroom.BasicAuthBlocked, "Microsoft no longer accepts passwords here.", "signing in at Microsoft"},
		"a password on an Exchange server of one's own": {with(own, func(f *Failure) { f.Reply = "NO LOGIN failed." }),
			postroom.NeedsSignIn, postroom.BadCredentials, "imap.example.net refused this password.", "on an own Exchange server"},
		"a wrong password at Dovecot": {with(own, func(f *Failure) { f.Reply = "NO [AUTHENTICATIONFAILED] Authentication failed." }),
			postroom.NeedsSignIn, postroom.BadCredentials, "imap.example.net refused this password.", "Type the password again"},
		"where only app passwords work": {with(own, func(f *Failure) {
			f.Reply, f.AppPasswordRequired, f.Host = "NO [AUTHENTICATIONFAILED] Authentication failed.", true, "imap.mail.me.com"
		}), postroom.NeedsSignIn, postroom.AppPasswordRequired, "Apple accepts only app passwords here.", "Create an app password"},
		"a server that cannot check passwords now": {with(own, func(f *Failure) { f.Reply = "NO [UNAVAILABLE] Temporary authentication failure." }),
			postroom.Delayed, postroom.ServerBusy, "imap.example.net is not ready", "cannot check passwords right now"},
		"a locked account": {with(own, func(f *Failure) { f.Reply = "NO [UNAVAILABLE] Your account has been suspended" }),
			postroom.NeedsRepair, postroom.AccountLocked, "imap.example.net has locked this mailbox.", "unlock it"},
		"a folder that is gone": {with(own, func(f *Failure) { f.Phase, f.Reply = "select", "NO [NONEXISTENT] Archive is gone" }),
			postroom.NeedsRepair, postroom.FolderMissing, "does not have this folder", "Choose another folder"},
		"an unknown no to a new password": {with(own, func(f *Failure) { f.Reply = "NO go away" }),
			postroom.NeedsSignIn, postroom.Unknown, "imap.example.net refused the sign-in for a reason that Postroom does not know.", "Check the user name and the password"},
		"an unknown no to a password that has worked": {with(own, func(f *Failure) { f.Reply, f.HasWorked = "NO go away", true }),
			postroom.Delayed, postroom.Unknown, "Postroom does not know", "its own words below"},
		"an unknown no to a folder": {with(own, func(f *Failure) { f.Phase, f.Reply = "select", "NO go away" }),
			postroom.NeedsRepair, postroom.Unknown, "an answer that Postroom does not know", "its own words below"},
		"an unknown goodbye": {with(own, func(f *Failure) { f.Reply = "* BYE so long" }),
			postroom.Delayed, postroom.Unknown, "Postroom does not know", "its own words below"},
		"an unknown break": {with(own, func(f *Failure) { f.Err = errNobodyKnows }),
			postroom.Delayed, postroom.Unknown, "The conversation with imap.example.net broke off.", "next try comes by itself"},
		"another server for mail, after better days": {Failure{Protocol: postroom.IMAP, Phase: "greeting", Host: "imap.example.net", Port: 143, HasWorked: true, Reply: "220 mail.example.net ESMTP"},
			postroom.NeedsRepair, postroom.ProtocolMismatch, "is a server for sending mail (SMTP).", "Enter the name and the port of the server for reading."},
		"a web server, after better days": {Failure{Protocol: postroom.IMAP, Phase: "greeting", Host: "imap.example.net", Port: 143, HasWorked: true, Reply: "HTTP/1.1 503 Service Unavailable"},
			postroom.Delayed, postroom.ProtocolMismatch, "is a web server.", "somebody wants a sign-in there"},
		"a POP3 mailbox in use": {Failure{Protocol: postroom.POP3, Phase: "auth", Host: "pop.example.net", Reply: "-ERR [IN-USE] Do you have another POP session running?"},
			postroom.Delayed, postroom.MailboxInUse, "Another program has this mailbox at pop.example.net open.", "Wait or switch"},
		"several lines with a tag": {with(own, func(f *Failure) { f.Reply = "a17 NO [AUTHENTICATIONFAILED]\r\n Authentication\r\n failed." }),
			postroom.NeedsSignIn, postroom.BadCredentials, "refused this password", "Type the password again"},
		"a challenge in base64": {with(gmail, func(f *Failure) {
			f.CredentialKind, f.Reply = "oauth", "+ eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ=="
		}), postroom.NeedsSignIn, postroom.TokenExpired, "The sign-in at Google has run out.", "choose Sign in again"},
		"no host known": {Failure{Protocol: postroom.IMAP, Phase: "auth", Reply: "NO [AUTHENTICATIONFAILED] no"},
			postroom.NeedsSignIn, postroom.BadCredentials, "The mail server refused this password.", "Type the password again"},
	}
	var c Catalogue
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := c.Explain(test.failure)
			if got.Kind != test.kind || got.Class != test.class {
				t.Errorf("Explain() is %s, %s, want %s, %s", got.Kind, got.Class, test.kind, test.class)
			}
			if !strings.Contains(got.Explanation, test.says) {
				t.Errorf("Explanation = %q, want %q", got.Explanation, test.says)
			}
			if !strings.Contains(got.Remedy, test.advises) {
				t.Errorf("Remedy = %q, want %q", got.Remedy, test.advises)
			}
			checkVoice(t, name, got)
			if got.FixBy == "" || got.Err == nil {
				t.Errorf("FixBy = %q, Err = %v, want both", got.FixBy, got.Err)
			}
		})
	}
}

// TestTheCausesThatFitComeAfterTheLikeliest holds what else a failure may be, and the
// page where it is mended.
func TestTheCausesThatFitComeAfterTheLikeliest(t *testing.T) {
	yes, no := true, false
	page := postroom.Link{Words: "the provider’s page", URL: "https://provider.example/app-passwords"}
	const gmailNo = "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
	tests := map[string]struct {
		failure Failure
		others  []string
		url     string
	}{
		"a fresh app password at Google that is refused": {
			Failure{Protocol: postroom.IMAP, Host: "imap.gmail.com", CredentialKind: "app_password", SecretLooksLikeAppPassword: &yes, Reply: gmailNo},
			[]string{otherEnded, otherUsername}, "https://myaccount.google.com/apppasswords"},
		"the account password at Google": {
			Failure{Protocol: postroom.IMAP, Host: "imap.gmail.com", CredentialKind: "password", SecretLooksLikeAppPassword: &no, Reply: gmailNo},
			[]string{"the name or the password is not right"}, "https://myaccount.google.com/apppasswords"},
		"a token at Google": {
			Failure{Protocol: postroom.IMAP, Host: "imap.gmail.com", CredentialKind: "oauth", Reply: gmailNo},
			[]string{otherAccount, otherNoPermission, otherWithdrawn}, ""},
		"a token that lacks something": {
			Failure{Protocol: postroom.IMAP, Host: "imap.gmail.com", CredentialKind: "oauth", Reply: `{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`},
			[]string{otherNoPermission, otherAccount, otherWithdrawn}, ""},
		"Google's words from somebody else": {
			Failure{Protocol: postroom.IMAP, Host: "imap.example.net", CredentialKind: "password", Reply: gmailNo},
			[]string{"the normal account password was used"}, ""},
		"a password where the provider is known to want an app password": {
			Failure{
				Protocol: postroom.IMAP, Host: "imap.example.net", CredentialKind: "password", AppPasswordRequired: true, SecretLooksLikeAppPassword: &no,
				Reply: "NO [AUTHENTICATIONFAILED] no", Links: map[postroom.Class]postroom.Link{postroom.AppPasswordRequired: page},
			},
			[]string{"the name or the password is not right"}, page.URL},
		"IMAP switched off for the domain": {
			Failure{Protocol: postroom.IMAP, Host: "imap.gmail.com", Reply: "NO [ALERT] IMAP access is disabled for your domain.", Links: map[postroom.Class]postroom.Link{postroom.IMAPDisabled: page}},
			nil, "https://admin.google.com/ac/apps/gmail/enduseraccess"},
		"a personal link is never shown": {
			Failure{Protocol: postroom.IMAP, Host: "imap.gmail.com", Reply: "NO [WEBALERT https://accounts.google.com/signin/continue?plt=AKgnsbEXAMPLE] Web login required."},
			nil, "https://myaccount.google.com/notifications"},
		"only what fits the kind of sign-in": {
			Failure{Protocol: postroom.SMTP, Host: "smtp.office365.com", CredentialKind: "password", Reply: "535 5.7.3 Authentication unsuccessful"},
			[]string{"sending by programs is switched off"}, ""},
	}
	var c Catalogue
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.failure.Phase = "auth"
			f := c.Explain(test.failure)
			if !slices.Equal(f.Others, test.others) || f.Link.URL != test.url || (f.Link.Words == "") != (test.url == "") {
				t.Errorf("%s: others %q, link %+v, want %q, %q", f.Class, f.Others, f.Link, test.others, test.url)
			}
		})
	}
}

func TestServerSaysHowLongToWait(t *testing.T) {
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	c := Catalogue{Now: func() time.Time { return now }}
	tests := map[string]struct {
		protocol postroom.Protocol
		reply    string
		want     time.Duration
	}{
		"in milliseconds":       {postroom.IMAP, "BAD Request is throttled. Suggested Backoff Time: 178755 milliseconds", 178755 * time.Millisecond},
		"beyond all reason":     {postroom.IMAP, "BAD Request is throttled. Suggested Backoff Time: 9223372036854775807 milliseconds", 24 * time.Hour},
		"with too many digits":  {postroom.IMAP, "BAD Request is throttled. Suggested Backoff Time: 99999999999999999999 milliseconds", time.Minute},
		"in minutes":            {postroom.POP3, "-ERR [LOGIN-DELAY] Logins must be at least 5 minutes apart", 5 * time.Minute},
		"without a number":      {postroom.POP3, "-ERR [LOGIN-DELAY] slow down", 5 * time.Minute},
		"at an instant":         {"oauth", "User-rate limit exceeded.  Retry after 2026-11-20T09:15:00.000Z", 15 * time.Minute},
		"by its own known rule": {postroom.IMAP, "NO [LIMIT] LOGIN Rate limit hit.", 30 * time.Minute},
		"not at all":            {postroom.IMAP, "NO [UNAVAILABLE] down for maintenance", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := c.Explain(Failure{Protocol: test.protocol, Phase: "any", Reply: test.reply})
			if got.Kind != postroom.Delayed || got.RetryAfter != test.want {
				t.Errorf("Explain(%q) is %q after %v, want delayed after %v", test.reply, got.Kind, got.RetryAfter, test.want)
			}
		})
	}
}

func TestBackoffIsTheCatalogues(t *testing.T) {
	var c Catalogue
	first, longest := c.Backoff(Failure{Protocol: postroom.IMAP, Reply: "NO [UNAVAILABLE] down for maintenance"})
	if first != time.Minute || longest < 10*time.Minute {
		t.Errorf("Backoff() = %v, %v, want 1m and more than 10m", first, longest)
	}
	if first, longest := c.Backoff(Failure{Protocol: postroom.IMAP, Reply: "NO what"}); first != 0 || longest != 0 {
		t.Errorf("Backoff() of the unknown = %v, %v, want none", first, longest)
	}
}

func TestStopIsNobodysFault(t *testing.T) {
	var c Catalogue
	if got := c.Explain(Failure{Protocol: postroom.IMAP, Err: fmt.Errorf("read: %w", context.Canceled)}); got != nil {
		t.Errorf("Explain() = %v, want nil", got)
	}
	if got := c.Explain(Failure{Protocol: postroom.IMAP, Phase: "auth", Reply: "NO [AUTHENTICATIONFAILED] no", Err: context.Canceled}); got == nil {
		t.Error("Explain() = nil for a server that has refused before the stop")
	}
}

func TestCauseIsKept(t *testing.T) {
	var c Catalogue
	got := c.Explain(Failure{Protocol: postroom.IMAP, Phase: "auth", Reply: "NO no", Err: fmt.Errorf("sign in: %w", errNobodyKnows)})
	if !errors.Is(got, errNobodyKnows) {
		t.Errorf("%v does not wrap its cause", got)
	}
}
