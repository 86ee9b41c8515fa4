package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// A signInOffer is how one may sign in to a mailbox at its provider.
type signInOffer struct {
	Brand    string              // as on its own page: Google, Microsoft, …; empty: nothing is offered
	Ways     []signInWay         // by registrations that are here, the best first
	apps     []postroom.OAuthApp // those, in the same order
	Register string              // where one is registered; empty: there is one, or that does not help
	// Approved: the provider lets in only apps that it has approved itself.
	Approved bool
	// PasswordWords say when a password is the better choice; empty: none is taken.
	PasswordWords string
}

// A signInWay is a registration by which a mailbox can be opened.
type signInWay struct {
	App    string
	Button string
	Words  string // when to choose it
	Person bool   // somebody signs in; otherwise the registration itself may
}

// registerWay is what a form says in place of a registration where there is none yet.
const registerWay = "register"

// chosenWay is how a form wants to have its mailbox signed in to; empty: with a
// password. An answer to what is asked in between keeps it.
func chosenWay(values url.Values) string {
	if way := values.Get("sign_in"); way != "" || values.Get("former") == "" {
		return way
	}
	return values.Get("former_sign_in")
}

func (o signInOffer) isOffered() bool { return len(o.Ways) > 0 || o.Register != "" }

// signInOffer goes by the server, or by the address as long as there is none. Back is
// the page that the registration of an app leads back to; empty: the new mailbox.
func (s *Server) signInOffer(ctx context.Context, address, host, back string) (signInOffer, error) {
	address, host = strings.TrimSpace(address), strings.TrimSpace(host)
	if s.Credentials == nil || s.Apps == nil || !strings.Contains(address, "@") {
		return signInOffer{}, nil
	}
	preset, known := s.Presets.For(address, host)
	m := postroom.Mailbox{Address: address}
	m.Incoming.Host = host
	apps, err := s.Apps.For(ctx, m)
	if err != nil {
		return signInOffer{}, err
	}
	o := signInOffer{Brand: brandOf(preset), apps: apps}
	for _, app := range apps {
		if o.Brand == "" {
			o.Brand = app.Name
		}
		o.Ways = append(o.Ways, wayOf(app, o.Brand))
	}
	nameApart(apps, o.Ways)
	if known && preset.OAuth != nil {
		o.Approved = preset.OAuth.Restricted
		if len(o.Ways) == 0 {
			o.Register = registerAddress(preset.ID, back)
		}
	}
	if o.isOffered() {
		o.PasswordWords = passwordChoice(preset)
	}
	return o, nil
}

func wayOf(app postroom.OAuthApp, brand string) signInWay {
	w := signInWay{App: app.ID.String(), Person: app.Kind == postroom.AppSignIn || app.Kind == ""}
	if w.Person {
		w.Button = "Sign in with " + brand
		w.Words = "Choose this if you can sign in to this mailbox yourself, now. " + brand + " asks you on its own page, and Postroom never sees the password."
		return w
	}
	w.Button = "Open it by “" + app.Name + "”"
	w.Words = "Choose this if your administrator has allowed this registration for the whole domain. Nobody has to sign in."
	return w
}

// nameApart says which registration a button is for, where two would be called alike.
func nameApart(apps []postroom.OAuthApp, ways []signInWay) {
	persons := 0
	for _, w := range ways {
		if w.Person {
			persons++
		}
	}
	for i := range ways {
		if persons > 1 && ways[i].Person {
			ways[i].Button += " (" + apps[i].Name + ")"
		}
	}
}

// passwordChoice says when a password is the better choice than to sign in.
func passwordChoice(p *provider.Preset) string {
	switch {
	case p == nil:
		return "Choose the password if this server has no sign-in, or if nobody can sign in now."
	case p.AppPassword.Offered:
		return "Choose an app password if whoever has the mailbox cannot sign in here now, or if its administrator allows no apps."
	case p.TakesPassword:
		return "Choose the password if whoever has the mailbox cannot sign in here now."
	}
	return ""
}

// brandOf is the name under which people know the sign-in of a provider.
func brandOf(p *provider.Preset) string {
	switch {
	case p == nil || p.OAuth == nil:
		return ""
	case p.ID == "gmail" || p.ID == "google_workspace":
		return "Google"
	case p.ID == "outlook_com" || strings.HasPrefix(p.ID, "microsoft365"):
		return "Microsoft"
	}
	return strings.TrimSuffix(p.Called(), " Mail")
}

// registerAddress is the page where an app is registered for a provider.
func registerAddress(providerID, back string) string {
	v := url.Values{"provider": {providerID}}
	if back != "" {
		v.Set("return", back)
	}
	return "/settings/apps/new?" + v.Encode()
}

// beginFromForm goes on from a mailbox that was just kept to the sign-in that was
// chosen for it. What stops it is shown on the page of the sign-in: the draft is there.
func (s *Server) beginFromForm(w http.ResponseWriter, r *http.Request, by visitor, m postroom.Mailbox, way string) error {
	page := signInAddress(m.ID)
	if way == registerWay {
		id := postroom.GenericProvider
		if preset, ok := s.Presets.For(m.Address, m.Incoming.Host); ok {
			id = preset.ID
		}
		goTo(w, r, registerAddress(id, page))
		return nil
	}
	err := s.beginSignIn(w, r, by, m.ID, way)
	f, known := postroom.FaultOf(err)
	if err == nil || !known {
		return err
	}
	if _, scripts := isHTMX(r); scripts {
		goTo(w, r, page+"?"+url.Values{"app": {way}}.Encode())
		return nil
	}
	return s.explainWays(w, r, by, m, f, way)
}

func signInAddress(id postroom.MailboxID) string { return "/mailboxes/" + id.String() + "/sign-in" }
