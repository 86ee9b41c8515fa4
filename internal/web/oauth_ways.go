package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
)

// A signInWaysPage lets somebody choose how a mailbox is signed in to.
type signInWaysPage struct {
	frame
	ID, Name, Address string
	Offer             signInOffer
	Now               opening
	Device            []signInWay // on another device
	Bring             []signInWay // with a refresh token from elsewhere
	SendTo            string      // who would be sent a link
	Asked             []askedView
	Fault             *faultView
	Chosen            string // a registration
	Open              string // the part that is unfolded
}

// An opening is what opens a mailbox, in words.
type opening struct {
	IsSignIn bool
	Words    string  // “Signs in with Google as ann@example.net”
	Since    *moment // nil: nobody has signed in yet
	App      string  // the registration; empty: none
	Brand    string  // whom one signs in with
	Broken   bool    // it opens the mailbox no more
}

// maySignIn says whether somebody may sign in for a mailbox: administrators, and its
// owner.
func maySignIn(by visitor, m postroom.Mailbox) bool {
	return by.IsAdmin() || by.User != 0 && by.User == m.Owner
}

// signInMailbox is the mailbox that an address names, for who may sign in for it.
func (s *Server) signInMailbox(r *http.Request, by visitor) (postroom.Mailbox, error) {
	m, err := s.mailboxAt(r)
	switch {
	case err != nil:
		return m, err
	case maySignIn(by, m):
		return m, nil
	case by.CanSeeMail(m):
		return postroom.Mailbox{}, &postroom.Fault{
			Kind: postroom.Forbidden, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "Signing in to this mailbox is for its owner and for administrators.", Remedy: "Ask one of them.",
		}
	}
	return postroom.Mailbox{}, notForVisitor()
}

// opening says what opens a mailbox, to who may sign in for it.
func (s *Server) opening(ctx context.Context, by visitor, m postroom.Mailbox) (o opening, err error) {
	if s.Credentials == nil || !maySignIn(by, m) {
		return o, nil
	}
	v, err := s.Credentials.Credential(ctx, by.Viewer, m.ID)
	if err != nil {
		return o, err
	}
	if v.Kind != postroom.CredentialOAuth {
		o.Words = "Opened with a password"
		if v.Kind == postroom.CredentialAppPassword {
			o.Words = "Opened with an app password"
		}
		return o, nil
	}
	o.IsSignIn = true
	if v.App != nil {
		o.App = v.App.ID.String()
	}
	brand := s.brandFor(m, v)
	o.Brand, o.Broken = brand, m.State == postroom.MailboxNeedsSignIn
	if v.Grant == nil {
		o.Words = "Signs in with " + brand + ", and nobody has signed in yet"
		return o, nil
	}
	since := tell(v.Grant.SignedInAt, s.now())
	o.Since = &since
	switch {
	case v.Grant.Way == postroom.GrantByApp:
		o.Words = "Opened by a registration of its own at " + brand
	case v.Grant.Account.Address != "":
		o.Words = "Signs in with " + brand + " as " + v.Grant.Account.Address
	default:
		o.Words = "Signs in with " + brand
	}
	return o, nil
}

// brandFor is the name under which people know whom a mailbox is signed in with.
func (s *Server) brandFor(m postroom.Mailbox, v credential.View) string {
	if brand := s.knownBrand(m); brand != "" {
		return brand
	}
	switch {
	case v.Provider != "":
		return v.Provider
	case v.App != nil:
		return v.App.Name
	}
	return "its provider"
}

// brandAt is brandFor for a mailbox of which little more is known; otherwise it is called
// as it is.
func (s *Server) brandAt(ctx context.Context, id postroom.MailboxID, called string) string {
	m, err := s.Reader.Mailbox(ctx, id)
	if err != nil {
		return called
	}
	if brand := s.knownBrand(m); brand != "" {
		return brand
	}
	return called
}

// knownBrand is whom one signs in with at the provider of a mailbox; empty: not known.
func (s *Server) knownBrand(m postroom.Mailbox) string {
	preset, _ := s.Presets.For(m.Address, m.Incoming.Host)
	return brandOf(preset)
}

// addOpens adds to the page of a mailbox what opens it.
func (s *Server) addOpens(ctx context.Context, by visitor, m postroom.Mailbox, p *mailboxPage) (err error) {
	if s.Credentials == nil || !maySignIn(by, m) {
		return nil
	}
	p.MaySignIn = true
	if p.Opens, err = s.opening(ctx, by, m); err != nil || !p.Opens.IsSignIn {
		return err
	}
	p.Brand = p.Opens.Brand
	if m.State == postroom.MailboxNeedsSignIn {
		p.Words = "Sign-in needed. Reading goes on where it stopped as soon as somebody has signed in again."
	} else if m.State == postroom.MailboxDraft && p.Opens.Since == nil {
		p.Words = "Draft. The settings are kept, and nobody has signed in yet."
	}
	return nil
}

// addOpening adds to the form of a mailbox what opens it, and how one may sign in.
func (s *Server) addOpening(ctx context.Context, by visitor, form *mailboxForm) (err error) {
	if s.Credentials == nil {
		return nil
	}
	back := ""
	if form.ID != "" {
		id, err := postroom.ParseID[postroom.MailboxID](form.ID)
		if err != nil {
			return err
		}
		m, err := s.Reader.Mailbox(ctx, id)
		if err != nil {
			return err
		}
		if form.Opens, err = s.opening(ctx, by, m); err != nil {
			return err
		}
		back = signInAddress(id)
	}
	form.Offer, err = s.signInOffer(ctx, form.Values.Get("address"), form.Values.Get("incoming.host"), back)
	return err
}

func (s *Server) signInWaysPage(ctx context.Context, by visitor, m postroom.Mailbox) (p signInWaysPage, err error) {
	p = signInWaysPage{frame: s.frame(by, "Sign in to "+m.Address, "mailboxes"), ID: m.ID.String(), Name: m.Name, Address: m.Address, SendTo: m.Address}
	if p.Now, err = s.opening(ctx, by, m); err != nil {
		return p, err
	}
	if p.Offer, err = s.signInOffer(ctx, m.Address, m.Incoming.Host, signInAddress(m.ID)); err != nil {
		return p, err
	}
	for i, app := range p.Offer.apps {
		way := p.Offer.Ways[i]
		if !way.Person {
			continue
		}
		p.Bring = append(p.Bring, signInWay{App: way.App, Button: app.Name})
		if s.hasDevice(app) {
			p.Device = append(p.Device, signInWay{App: way.App, Button: app.Name})
		}
	}
	if m.Owner != 0 {
		owner, err := s.Door.User(ctx, m.Owner)
		if err != nil {
			return p, err
		}
		p.SendTo = owner.Email
	}
	return p, nil
}

// hasDevice says whether somebody can sign in by a registration on another device.
func (s *Server) hasDevice(app postroom.OAuthApp) bool {
	if app.DeviceURL != "" || app.Issuer != "" {
		return true
	}
	preset, ok := s.Presets.ByID(app.Provider)
	return ok && preset.OAuth != nil && preset.OAuth.DeviceURL != ""
}

// showSignInWays handles GET /mailboxes/{id}/sign-in.
func (s *Server) showSignInWays(w http.ResponseWriter, r *http.Request, by visitor) error {
	m, err := s.signInMailbox(r, by)
	if err != nil {
		return err
	}
	p, err := s.signInWaysPage(r.Context(), by, m)
	if err != nil {
		return err
	}
	if p.Live, err = s.Reader.LastEvent(r.Context()); err != nil {
		return err
	}
	p.Chosen = r.FormValue("app")
	return s.render(w, r, http.StatusOK, signInWaysView(p))
}

// chooseSignIn handles POST /mailboxes/{id}/sign-in. Without any field it begins the
// sign-in that fits best.
func (s *Server) chooseSignIn(w http.ResponseWriter, r *http.Request, by visitor) error {
	m, err := s.signInMailbox(r, by)
	if err != nil {
		return err
	}
	err = s.choose(w, r, by, m, r.PostFormValue("do"))
	f, known := postroom.FaultOf(err)
	if err == nil || !known {
		return err
	}
	return s.explainWays(w, r, by, m, f, r.PostFormValue("app"))
}

// explainWays shows the ways to sign in to a mailbox, and what is in the way of one.
func (s *Server) explainWays(w http.ResponseWriter, r *http.Request, by visitor, m postroom.Mailbox, f *postroom.Fault, app string) error {
	p, err := s.signInWaysPage(r.Context(), by, m)
	if err != nil {
		return err
	}
	v := viewFault(f)
	p.Fault, p.Open, p.Chosen = &v, r.PostFormValue("do"), app
	return s.render(w, r, statusOf(f.Kind), signInWaysView(p))
}

func (s *Server) choose(w http.ResponseWriter, r *http.Request, by visitor, m postroom.Mailbox, what string) error {
	switch what {
	case "":
		return s.beginSignIn(w, r, by, m.ID, r.PostFormValue("app"))
	case "device":
		return s.beginDevice(w, r, by, m)
	case "bring":
		return s.bringToken(w, r, by, m)
	case "link", "copy":
		return s.askOwner(w, r, by, m, what)
	}
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Explanation: "There is no such way to sign in.", Remedy: "Choose one of those on the page.",
	}
}

// postedApp is the registration that a form names; 0: the best that there is.
func postedApp(r *http.Request) (postroom.OAuthAppID, error) {
	text := r.PostFormValue("app")
	if text == "" {
		return 0, nil
	}
	return postroom.ParseID[postroom.OAuthAppID](text)
}

func (s *Server) beginDevice(w http.ResponseWriter, r *http.Request, by visitor, m postroom.Mailbox) error {
	app, err := postedApp(r)
	if err != nil {
		return err
	}
	signIn, _, err := s.Credentials.BeginDevice(r.Context(), by.Viewer, m.ID, app)
	if err != nil {
		return err
	}
	goTo(w, r, progressAddress(signIn))
	return nil
}

// bringToken takes a refresh token that was obtained elsewhere.
func (s *Server) bringToken(w http.ResponseWriter, r *http.Request, by visitor, m postroom.Mailbox) error {
	app, err := postedApp(r)
	if err != nil {
		return err
	}
	token := strings.TrimSpace(r.PostFormValue("refresh_token"))
	if token == "" {
		return &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "refresh_token",
			Explanation: "The refresh token is missing.", Remedy: "Paste it.",
		}
	}
	signIn, err := s.Credentials.Bring(r.Context(), by.Viewer, m.ID, app, postroom.Hide(token))
	if err != nil {
		return err
	}
	goTo(w, r, progressAddress(signIn))
	return nil
}
