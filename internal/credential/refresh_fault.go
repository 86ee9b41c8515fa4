package credential

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/vault"
)

// isEnded says whether the provider will not take a refresh token any more (RFC 6749
// section 5.2).
func isEnded(err error) bool {
	r, ok := oauth.RefusalOf(err)
	return ok && r.Code == "invalid_grant"
}

// isTemporary says whether what was refused has nothing to do with the sign-in, and may
// pass by itself.
func isTemporary(r *oauth.Refusal) bool {
	switch r.Code {
	case "":
		return true // not a word of OAuth: an outage, or somebody on the way
	case "temporarily_unavailable", "server_error", "slow_down":
		return true
	}
	return false
}

// isLost says whether the provider may have answered with tokens that never came. Until
// a connection was made, nothing had been asked.
func isLost(err error) bool {
	r, ok := oauth.RefusalOf(err)
	if !ok || r.Status != 0 || r.Code != "" {
		return false
	}
	var op *net.OpError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &op) && op.Op == "dial", errors.As(err, &name), errors.As(err, &certificate), errors.As(err, &record):
		return false
	}
	return true
}

// situation is what is known of a.
func (a asking) situation() Situation {
	return Situation{
		Provider: a.app.Preset, App: a.app.OAuthApp, Mailbox: a.mailbox, Account: a.Account,
		HasWorked: a.HasWorked || !a.RefreshedAt.IsZero(), Interrupted: a.wasInterrupted(),
		SignedInAt: a.SignedInAt, UsedAt: obtained(a.KeptGrant), ConsentURL: a.app.OAuth.ConsentURL,
	}
}

// wasInterrupted says whether an answer was lost that may have brought another refresh
// token. A provider that has never replaced one has not done so then.
func (a asking) wasInterrupted() bool {
	return !a.LostAt.IsZero() && (a.RefreshedAt.IsZero() || !a.FormerAt.IsZero())
}

// explain is what a failed refresh means. Trouble on the way never asks a person to
// sign in.
func (k *Keeper) explain(err error, a asking) *postroom.Fault {
	if f, ok := postroom.FaultOf(err); ok {
		return f
	}
	r, isRefusal := oauth.RefusalOf(err)
	if k.Explain != nil {
		f := k.Explain(err, a.situation())
		if f != nil && !(f.Kind == postroom.NeedsSignIn && isRefusal && isTemporary(r)) {
			return f
		}
	}
	return plainly(err, a)
}

// plainly is what is said of every provider.
func plainly(err error, a asking) *postroom.Fault {
	r, ok := oauth.RefusalOf(err)
	var unfit *oauth.AppError
	switch {
	case ok && r.Code == "invalid_grant" && a.wasInterrupted():
		return &postroom.Fault{
			Kind: postroom.NeedsSignIn, Class: postroom.TokenRevoked, FixBy: postroom.FixByUser, Reply: r.Reply, Err: err,
			Explanation: "Postroom was interrupted just as the provider renewed the sign-in, and the new one was lost.",
			Remedy:      "Open the mailbox and choose Sign in again, once. Reading resumes where it stopped.",
		}
	case ok && isTemporary(r):
		return &postroom.Fault{
			Kind: postroom.Delayed, Class: postroom.ServerBusy, FixBy: postroom.FixByWaiting, Reply: r.Reply, RetryAfter: r.RetryAfter, Err: err,
			Explanation: "The provider cannot renew the sign-in of this mailbox just now.",
			Remedy:      "Nothing needs to be done. Postroom tries again by itself, and loses no mail meanwhile.",
		}
	case ok && (r.Code == "invalid_grant" || strings.HasSuffix(r.Code, "_required")):
		return &postroom.Fault{
			Kind: postroom.NeedsSignIn, Class: postroom.TokenRevoked, FixBy: postroom.FixByUser, Reply: r.Reply, Err: err,
			Explanation: "The provider no longer lets Postroom open this mailbox.",
			Remedy:      "Open the mailbox and choose Sign in again. Reading resumes where it stopped.",
		}
	case ok, errors.As(err, &unfit):
		f := &postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin, Err: err,
			Explanation: fmt.Sprintf("The provider does not accept the registration “%s” of this Postroom.", a.app.Name),
			Remedy:      "Open the registration under Settings and choose Check this app. Mailboxes go on by themselves once it is put right.",
		}
		if ok {
			f.Reply = r.Reply
		}
		return f
	}
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin, Err: err,
		Explanation: "The sign-in of this mailbox could not be renewed, for a reason of Postroom's own.",
		Remedy:      "It is tried again. If this stays, look at the log of Postroom.",
	}
}

// shrunk is the Fault where the provider gives less than it did before; nil: it does
// not. With unreadable, what is left does not open the mailbox.
func shrunk(a asking, given oauth.Grant) (f *postroom.Fault, unreadable bool) {
	before := oauth.Grant{Scopes: a.Scopes, ScopesSaid: true}
	lost := func(use postroom.Protocol) bool {
		for _, scope := range given.Missing(a.app.OAuth.ScopesFor(use)) {
			if len(before.Missing([]string{scope})) == 0 {
				return true
			}
		}
		return false
	}
	f = &postroom.Fault{
		Kind: postroom.NeedsSignIn, Class: postroom.ConsentMissing, FixBy: postroom.FixByUser,
		Remedy: "Open the mailbox and choose Sign in again, and leave every box ticked that the provider shows.",
	}
	switch {
	case lost(a.mailbox.Incoming.Protocol):
		f.Explanation = "The provider renewed the sign-in, but no longer allows Postroom to read this mailbox with it."
		return f, true
	case a.mailbox.Outgoing != nil && lost(postroom.SMTP):
		f.Explanation = "The provider renewed the sign-in, but no longer allows Postroom to send from this mailbox with it."
		return f, false
	}
	return nil, false
}

// nobodySignedIn is the Fault for a mailbox that waits for its first sign-in, or that
// has something else than one.
func nobodySignedIn(kind string) error {
	if kind != postroom.CredentialOAuth {
		return &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "This mailbox is opened by a password, not by a sign-in at its provider.",
			Remedy:      "Open the mailbox and choose Sign in, if that is what it should be opened by.",
		}
	}
	return &postroom.Fault{
		Kind: postroom.NeedsSignIn, Class: postroom.ConsentMissing, FixBy: postroom.FixByUser,
		Explanation: "Nobody has signed in to this mailbox yet.",
		Remedy:      "Open the mailbox and choose Sign in, or send its owner a link to sign in.",
	}
}

// replaced is the Fault for a grant that opens nothing any more.
func replaced() error {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.ConsentMissing, FixBy: postroom.FixByUser,
		Explanation: "This sign-in was replaced by another one, or the mailbox was removed.",
		Remedy:      "Look at the mailbox: it shows what it is opened by now.",
	}
}

// nothingToRenew is the Fault for a sign-in without a refresh token whose time is over.
func nothingToRenew() error {
	return &postroom.Fault{
		Kind: postroom.NeedsSignIn, Class: postroom.TokenExpired, FixBy: postroom.FixByUser,
		Explanation: "The sign-in of this mailbox is over, and the provider gave nothing to renew it with.",
		Remedy:      "Open the mailbox and choose Sign in again. Reading resumes where it stopped.",
	}
}

func stillRenewing() error {
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByWaiting,
		Explanation: "Another process of Postroom is still renewing the sign-in of this mailbox.",
		Remedy:      "Nothing needs to be done. It is tried again by itself.",
	}
}

// unopenedSignIn is the Fault for a token that does not open.
func unopenedSignIn(err error) error {
	f := &postroom.Fault{Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin, Err: err}
	switch {
	case errors.Is(err, vault.ErrKeyUnknown):
		f.Explanation = "The sign-in of this mailbox was sealed with a key that is not in the key file."
		f.Remedy = "Put the old key file back into the data directory. If it is gone for good, sign in to this mailbox again; its mail and issues are not affected."
	case errors.Is(err, vault.ErrTampered):
		f.Explanation = "The sealed sign-in of this mailbox was changed after Postroom wrote it."
		f.Remedy = "Sign in to this mailbox again, and find out who can write to the database."
	default:
		return fmt.Errorf("open the tokens of a grant: %w", err)
	}
	return f
}
