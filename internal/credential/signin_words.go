package credential

import (
	"errors"
	"fmt"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
)

// lost is the Fault of a browser, or of an address, that belongs to no sign-in.
func lost(kind postroom.Kind, explanation, remedy string, cause error) *postroom.Fault {
	return &postroom.Fault{
		Kind: kind, Class: postroom.ConsentMissing, FixBy: postroom.FixByUser,
		Explanation: explanation, Remedy: remedy, Err: cause,
	}
}

const beginAnew = "Open the mailbox, or the link that you were sent, and choose Sign in once more."

func noAnswer(cause error) *postroom.Fault {
	return lost(postroom.Invalid, "This address is not the end of a sign-in.",
		"If you copied it, copy all of it: it holds “state=” and “code=”. "+beginAnew, cause)
}

func unknownState() *postroom.Fault {
	return lost(postroom.NotFound, "This sign-in is not known here: it was begun anew since, or too long ago.", beginAnew, nil)
}

func otherBrowser() *postroom.Fault {
	return lost(postroom.Forbidden, "This sign-in was begun in another browser.",
		"Go on in the browser in which you began. If cookies are switched off for this page, allow them. Or begin once more in this one.", nil)
}

func otherSignIn() *postroom.Fault {
	return lost(postroom.Invalid, "This address belongs to another sign-in.",
		"Copy the address at which your browser has just arrived, and paste it on the page of the same sign-in.", nil)
}

// The Faults that sign-ins end with.

func refusedWith(explanation, remedy string) *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.NeedsSignIn, Class: postroom.ConsentMissing, FixBy: postroom.FixByUser,
		Explanation: explanation, Remedy: remedy,
	}
}

func tooLate() *postroom.Fault {
	return refusedWith("Nobody finished this sign-in within its time.", "Choose Sign in once more. It takes a minute or two.")
}

func interrupted() *postroom.Fault {
	return refusedWith("Postroom was stopped in the middle of this sign-in, so what the provider answered is lost.",
		"Choose Sign in once more. Nothing has changed: what opened the mailbox before still does.")
}

func unanswered() *postroom.Fault {
	return refusedWith("Nobody said whether the account that signed in is to be used for this mailbox.", "Choose Sign in once more.")
}

func superseded() *postroom.Fault {
	return refusedWith("A later sign-in for this mailbox has taken the place of this one.", "There is nothing to do here. Look at the mailbox.")
}

func passwordSince() *postroom.Fault {
	return refusedWith("A password was entered for this mailbox after this sign-in.", "There is nothing to do if the mailbox is being read. To change to signing in, sign in once more.")
}

func removed() *postroom.Fault {
	return refusedWith("The mailbox was removed while somebody signed in for it.", "Add the mailbox again if it is still wanted; it keeps its mail and its position.")
}

func tookTooLong() *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByWaiting,
		Explanation: "Trying the mailbox took too long.", Remedy: "Nothing needs to be done: it is tried again by itself.",
	}
}

// calledBy is what people call the provider of a registration. One that is not known is
// called as the registration is; empty: that has no name either.
func calledBy(p *provider.Preset, app postroom.OAuthApp) string {
	if p == nil {
		return app.Name
	}
	return p.Called()
}

// called is the provider as a sentence names it.
func called(provider string) string {
	if provider == "" {
		return "the provider"
	}
	return provider
}

func wrongAccount(provider string, m postroom.Mailbox, a postroom.Account) *postroom.Fault {
	f := refusedWith(
		fmt.Sprintf("%s signed in, but this mailbox is %s.", a.Address, m.Address),
		fmt.Sprintf("Sign in again, choose Use another account there, and sign in as %s.", m.Address))
	if provider != "" {
		f.Explanation = fmt.Sprintf("At %s %s signed in, but this mailbox is %s.", provider, a.Address, m.Address)
	}
	return f
}

// notForGuests: who came by a link does not say whose mail is read in place of whose.
func notForGuests(m postroom.Mailbox, a postroom.Account) *postroom.Fault {
	return lost(postroom.Forbidden, fmt.Sprintf("Whether %s is to be opened as %s is not for everybody to say.", m.Address, a.Address),
		"Ask an administrator of Postroom to say so on the page of the mailbox, or sign in with another account.", nil)
}

func noRefresh(provider, app string) *postroom.Fault {
	return refusedWith(
		fmt.Sprintf("%s let Postroom in for a short time only, and gave nothing to stay signed in with.", capitalised(called(provider))),
		fmt.Sprintf("Open the page of your account where it lists the apps that have access, remove %s there, and sign in again. If that does not help, an administrator has to allow “offline access” for the registration.", app))
}

// noRefreshGoogle: Google gives a refresh token when something is allowed for the first
// time (developers.google.com/identity/protocols/oauth2/web-server).
func noRefreshGoogle(app string) *postroom.Fault {
	f := refusedWith(
		"Google let Postroom in for an hour only: it stays signed in once, and has given that to an earlier sign-in.",
		fmt.Sprintf("Open myaccount.google.com/permissions, remove the access of “%s”, and sign in again.", app))
	f.Link = postroom.Link{Words: "Apps with access to your Google Account", URL: "https://myaccount.google.com/permissions"}
	return f
}

// boxesOf says what was not allowed, as providers word it beside the boxes.
func boxesOf(scopes []string) string {
	var words []string
	for _, scope := range scopes {
		box := "“" + clipped(scope) + "”"
		for end, known := range map[string]string{
			"https://mail.google.com/":  "“Read, compose, send, and permanently delete all your email from Gmail”",
			"/imap.accessasuser.all":    "reading mail by IMAP",
			"/pop.accessasuser.all":     "reading mail by POP",
			"/smtp.send":                "sending mail",
			"/gmail.imap_admin":         "access to Gmail",
			"mail-w":                    "reading and sending mail",
			"/dev/protocol-imap":        "reading mail by IMAP",
			"/dev/protocol-pop":         "reading mail by POP",
			"/dev/protocol-smtp":        "sending mail",
			"https://email.comcast.net": "access to mail",
		} {
			if strings.HasSuffix(strings.TrimSuffix(strings.ToLower(scope), "/"), strings.TrimSuffix(end, "/")) {
				box = known
			}
		}
		words = append(words, box)
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

func leftOut(provider string, missing []string) *postroom.Fault {
	boxes := boxesOf(missing)
	return refusedWith(
		fmt.Sprintf("Not everything was allowed: %s is missing, without which Postroom cannot work with this mailbox.", boxes),
		fmt.Sprintf("Sign in again, and tick %s on the page where %s asks what to allow.", boxes, called(provider)))
}

func capitalised(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// explain is the Fault for what a provider did not do in the course of a sign-in.
func (d *Desk) explain(err error, s Situation) *postroom.Fault {
	if f, ok := postroom.FaultOf(err); ok {
		return f
	}
	provider := called(calledBy(s.Provider, s.App))
	var bad *oauth.AppError
	var f *postroom.Fault
	switch {
	case errors.Is(err, oauth.ErrIssuer):
		f = refusedWith("The answer did not come from "+provider+", so it was not used.",
			"Choose Sign in once more. If this happens again, tell the administrator of Postroom: the issuer in the registration may be wrong, or somebody is meddling.")
		f.FixBy = postroom.FixByAppAdmin
	case errors.Is(err, oauth.ErrIDToken):
		f = refusedWith("What "+provider+" said about who signed in does not belong to this sign-in, so it was not used.",
			"Choose Sign in once more. If this happens again, look at the clock of the computer that Postroom runs on, and at the issuer in the registration.")
	case errors.Is(err, oauth.ErrNotOffered):
		f = &postroom.Fault{Kind: postroom.Invalid, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
			Explanation: capitalised(provider) + " does not offer this way to sign in, as far as the registration says.", Remedy: "Sign in with the browser instead, or add the missing address to the registration."}
	case errors.As(err, &bad):
		if shown, ok := postroom.FaultOf(wrongApp(err)); ok {
			return shown
		}
	}
	if f != nil {
		f.Err = err
		return f
	}
	if d.Explain != nil {
		if f := d.Explain(err, s); f != nil {
			return f
		}
	}
	return unexplained(provider, err)
}

// unexplained is the Fault for what nobody explains: it passes, or is refused.
func unexplained(provider string, err error) *postroom.Fault {
	f := refusedWith(capitalised(provider)+" refused the sign-in.", "Choose Sign in once more. The words of the provider may say more.")
	f.Class, f.Err = postroom.Unknown, err
	r, ok := oauth.RefusalOf(err)
	if ok {
		f.Reply, f.RetryAfter = r.Reply, r.RetryAfter
	}
	if !ok || r.Status == 0 && r.Code == "" || r.Status == 429 || r.Status >= 500 {
		f.Kind, f.FixBy = postroom.Delayed, postroom.FixByWaiting
		f.Explanation, f.Remedy = capitalised(provider)+" did not answer.", "Choose Sign in once more in a few minutes."
	}
	return f
}
