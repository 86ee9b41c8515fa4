package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
)

// A credentialPage says what opens a mailbox. There is no secret in it.
type credentialPage struct {
	frame
	ID, Name, Address string
	Box               badge
	Sentence          string
	Fault             *faultView // of refreshing
	Facts             []factView
	Scopes            []scopeView
	Former            []formerCredential
	SignIns           []signInLine
	Brand             string
	IsSignIn          bool
	SignedIn          bool
	App               string // the registration, for signing in again
	AppPage           string // its page; empty: not for this visitor
	AppName           string
	CanSignIn         bool
	Back              string // of removing: the mailbox
}

// A factView is one thing that is known of a credential.
type factView struct {
	Word string
	Text string
	When *moment
}

// A scopeView is something that a provider has allowed.
type scopeView struct{ Words, Raw string }

// A formerCredential is one that something else took the place of.
type formerCredential struct {
	Account    string
	App        string
	Begun      moment
	Ended      *moment
	Revocation badge
	Unused     bool // it never opened the mailbox
}

// A signInLine is a sign-in of the past.
type signInLine struct {
	At    moment
	State badge
	Words string
	Page  string
}

// showCredential handles GET /mailboxes/{id}/credential.
func (s *Server) showCredential(w http.ResponseWriter, r *http.Request, by visitor) error {
	m, err := s.signInMailbox(r, by)
	if err != nil {
		return err
	}
	v, err := s.Credentials.Credential(r.Context(), by.Viewer, m.ID)
	if err != nil {
		return err
	}
	p := s.credentialPage(by, m, v)
	offer, err := s.signInOffer(r.Context(), m.Address, m.Incoming.Host, signInAddress(m.ID))
	if err != nil {
		return err
	}
	p.CanSignIn = offer.isOffered()
	if p.Brand == "" {
		p.Brand = offer.Brand
	}
	return s.render(w, r, http.StatusOK, credentialView(p))
}

func (s *Server) credentialPage(by visitor, m postroom.Mailbox, v credential.View) credentialPage {
	p := credentialPage{
		frame: s.frame(by, "How "+m.Name+" is opened", "mailboxes"), ID: m.ID.String(), Name: m.Name, Address: m.Address, Box: mailboxBadge(m.State),
	}
	p.Sentence = "It is opened with a password."
	switch {
	case v.Kind == postroom.CredentialAppPassword:
		p.Sentence = "It is opened with an app password."
	case v.Kind == postroom.CredentialOAuth:
		p.IsSignIn, p.Brand = true, s.brandFor(m, v)
		p.Sentence = "It is to be opened by a sign-in with " + p.Brand + ", and nobody has signed in yet."
	}
	if v.App != nil {
		p.App, p.AppName = v.App.ID.String(), v.App.Name
		if by.IsAdmin() {
			p.AppPage = "/settings/apps/" + p.App
		}
	}
	if g := v.Grant; g != nil {
		p.SignedIn = true
		s.tellGrant(&p, *g, v)
	} else {
		p.fact(s, "Entered", v.Since.IsZero(), tell(v.Since, s.now()))
		p.fact(s, "Worked last", v.WorkedAt.IsZero(), tell(v.WorkedAt, s.now()))
	}
	for _, f := range v.Former {
		p.Former = append(p.Former, s.formerCredential(f))
	}
	for _, in := range v.SignIns {
		p.SignIns = append(p.SignIns, s.signInLine(in))
	}
	return p
}

// fact adds a moment, where there is one.
func (p *credentialPage) fact(_ *Server, word string, none bool, at moment) {
	if !none {
		p.Facts = append(p.Facts, factView{Word: word, When: &at})
	}
}

func (p *credentialPage) say(word, text string) {
	if text != "" {
		p.Facts = append(p.Facts, factView{Word: word, Text: text})
	}
}

// tellGrant says what is known of the grant that opens a mailbox.
func (s *Server) tellGrant(p *credentialPage, g postroom.Grant, v credential.View) {
	now := s.now()
	p.Sentence = "It is opened by a sign-in with " + p.Brand + "."
	if g.Way == postroom.GrantByApp {
		p.Sentence = "It is opened by a registration at " + p.Brand + ", which may open it without anybody signing in."
	}
	p.say("Account", accountInWords(g.Account))
	p.say("Signed in by", s.whoSignedIn(g, v.SignedInBy))
	p.fact(s, "Signed in", g.SignedInAt.IsZero(), tell(g.SignedInAt, now))
	p.fact(s, "Used last", g.UsedAt.IsZero(), tell(g.UsedAt, now))
	p.fact(s, "Refreshed last", g.RefreshedAt.IsZero(), tell(g.RefreshedAt, now))
	if g.Failures > 0 {
		p.fact(s, "Refreshed next", g.NextTryAt.IsZero(), tell(g.NextTryAt, now))
	}
	switch {
	case !g.RefreshExpiresAt.IsZero():
		p.fact(s, "Ends", false, tell(g.RefreshExpiresAt, now))
	case g.HasRefresh:
		p.say("Ends", p.Brand+" names no end. It is refreshed by itself as long as it is allowed.")
	case g.Way == postroom.GrantByApp:
		p.say("Ends", "With what the registration proves itself with.")
	default:
		p.fact(s, "Ends", g.AccessExpiresAt.IsZero(), tell(g.AccessExpiresAt, now))
	}
	if g.Interrupted > 0 {
		p.say("Lost answers", fmt.Sprintf("%s, because Postroom was stopped between the answer of %s and keeping it", number(int64(g.Interrupted)), p.Brand))
	}
	if g.Fault != nil {
		f := viewFault(g.Fault)
		p.Fault = &f
	}
	for _, raw := range g.Scopes {
		p.Scopes = append(p.Scopes, scopeView{scopeInWords(raw), raw})
	}
}

// accountInWords is who signed in, with the other names of the account.
func accountInWords(a postroom.Account) string {
	words := a.Address
	if words == "" {
		words = a.Name
	} else if a.Name != "" && a.Name != a.Address {
		words = a.Name + ", " + words
	}
	var others []string
	for _, other := range a.Others {
		if !strings.EqualFold(other, a.Address) && !slices.Contains(others, other) {
			others = append(others, other)
		}
	}
	if len(others) > 0 {
		words += " (also " + strings.Join(others, ", ") + ")"
	}
	return words
}

// whoSignedIn says by whom a grant came here.
func (s *Server) whoSignedIn(g postroom.Grant, name string) string {
	switch {
	case g.Way == postroom.GrantByApp:
		return ""
	case g.Way == postroom.GrantBrought && name != "":
		return name + ", who brought a token from elsewhere"
	case g.Way == postroom.GrantBrought:
		return "a program, which brought a token from elsewhere"
	case name == "":
		return "its owner, by a link"
	case g.Way == postroom.GrantByDevice:
		return name + ", on another device"
	}
	return name
}

// scopeInWords says what a scope lets Postroom do; the providers each have their own
// names for the same (providers.yaml holds them).
func scopeInWords(scope string) string {
	s := strings.ToLower(scope)
	_, last, _ := strings.Cut(s, "//")
	name := s[strings.LastIndexByte(s, '/')+1:]
	switch {
	case s == "https://mail.google.com/":
		return "Read, send and delete mail"
	case s == "openid":
		return "Learn which account it is"
	case name == "email" || name == "profile" || strings.HasPrefix(name, "userinfo."):
		return "Learn the name and address of the account"
	case name == "offline_access":
		return "Stay signed in"
	case strings.Contains(name, "imap"):
		return "Read mail by IMAP"
	case strings.Contains(name, "pop"):
		return "Read mail by POP3"
	case strings.Contains(name, "smtp") || strings.HasSuffix(name, ":smtp"):
		return "Send mail"
	case name == ".default":
		return "What the administrator has allowed the registration"
	case name == "mail-r" || strings.HasSuffix(last, "mail.read"):
		return "Read mail"
	case name == "mail.send":
		return "Send mail"
	case strings.Contains(name, "mail"):
		return "Read and send mail"
	}
	return "Something that only its name tells"
}

func (s *Server) formerCredential(f credential.FormerGrant) formerCredential {
	v := formerCredential{Account: accountInWords(f.Account), App: f.App, Begun: tell(f.SignedInAt, s.now()), Unused: f.AdoptedAt.IsZero()}
	if v.Account == "" {
		v.Account = "an account that was not named"
	}
	if !f.EndedAt.IsZero() {
		at := tell(f.EndedAt, s.now())
		v.Ended = &at
	}
	v.Revocation = revocationBadge(f.Revocation)
	return v
}

// revocationBadge says what became of giving a grant back.
func revocationBadge(r postroom.Revocation) badge {
	switch r {
	case postroom.RevocationDone:
		return badge{"tick", "Given back to the provider", "good"}
	case postroom.RevocationDue:
		return badge{"clock", "Is being given back", "wait"}
	case postroom.RevocationShared:
		return badge{"open", "Kept: the account still opens a mailbox here by this registration", "rest"}
	case postroom.RevocationAbsent:
		return badge{"open", "Destroyed here; the provider has no place to give it back", "rest"}
	case postroom.RevocationFailed:
		return badge{"warning", "Destroyed here; the provider did not take it back. Its owner can remove it there", "wait"}
	}
	return badge{"open", "Destroyed here", "rest"}
}

func (s *Server) signInLine(in postroom.SignIn) signInLine {
	line := signInLine{At: tell(in.CreatedAt, s.now()), Page: progressAddress(in), Words: in.Account.Address}
	switch in.Step {
	case postroom.SignInProven:
		line.State = badge{"tick", "Signed in", "good"}
	case postroom.SignInRefused:
		line.State = badge{"cross", "Came to nothing", "bad"}
		if in.Fault != nil {
			line.Words = in.Fault.Explanation
		}
	case postroom.SignInAsking:
		line.State = badge{"warning", "Waits for an answer", "wait"}
	default:
		line.State = badge{"clock", "Under way", "wait"}
	}
	return line
}
