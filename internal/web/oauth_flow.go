package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
)

// beginSignIn sends the browser off to sign in to a mailbox by a registration; an
// empty one is the best that there is.
func (s *Server) beginSignIn(w http.ResponseWriter, r *http.Request, by visitor, m postroom.MailboxID, app string) error {
	var id postroom.OAuthAppID
	if app != "" {
		var err error
		if id, err = postroom.ParseID[postroom.OAuthAppID](app); err != nil {
			return err
		}
		kept, err := s.appFor(r, m, id)
		if err != nil {
			return err
		}
		if kept.Kind != postroom.AppSignIn && kept.Kind != "" { // nobody has to sign in
			signIn, err := s.Credentials.Bring(r.Context(), by.Viewer, m, id, postroom.Secret{})
			if err != nil {
				return err
			}
			goTo(w, r, progressAddress(signIn))
			return nil
		}
	}
	begun, err := s.Credentials.Begin(r.Context(), by.Viewer, m, id)
	if err != nil {
		return err
	}
	s.goOff(w, r, begun)
	return nil
}

// appFor is a registration that fits a mailbox.
func (s *Server) appFor(r *http.Request, id postroom.MailboxID, app postroom.OAuthAppID) (postroom.OAuthApp, error) {
	m, err := s.Reader.Mailbox(r.Context(), id)
	if err != nil {
		return postroom.OAuthApp{}, err
	}
	apps, err := s.Apps.For(r.Context(), m)
	if err != nil {
		return postroom.OAuthApp{}, err
	}
	for _, a := range apps {
		if a.ID == app {
			return a, nil
		}
	}
	return postroom.OAuthApp{}, &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "This registration is not here, or not for the provider of this mailbox.", Remedy: "Choose another way to sign in.",
	}
}

// goOff sends the browser to where a sign-in begins. A browser that sends a form does
// not follow it to another site (form-action in pagePolicy), so a page stands between.
func (s *Server) goOff(w http.ResponseWriter, r *http.Request, begun credential.Begun) {
	address := begun.Path
	if _, scripts := isHTMX(r); !scripts {
		address += "?from=form"
	}
	goTo(w, r, address)
}

// A startPage stands between a form and the provider, or is where an address is
// brought that nobody answered at.
type startPage struct {
	frame
	Go      string // where the sign-in goes on
	Host    string // whose page that is; empty: this server's own
	Result  string // where an address is pasted; empty: the browser comes back by itself
	Returns string // the address at which the browser will find nobody
}

// startSignIn handles GET /oauth/start/{secret}: the browser is sent to the provider.
func (s *Server) startSignIn(w http.ResponseWriter, r *http.Request) error {
	tellNobody(w)
	start := r.PathValue("secret")
	if r.FormValue("from") == "form" {
		to := "/oauth/start/" + url.PathEscape(start)
		w.Header().Set("Refresh", "0;url="+to)
		return s.render(w, r, http.StatusOK, startView(startPage{frame: s.frame(visitor{}, "Going on to the sign-in", ""), Go: to}))
	}
	if home := s.home(r); home != "" && r.FormValue("from") != "home" {
		http.Redirect(w, r, home+"/oauth/start/"+url.PathEscape(start)+"?from=home", http.StatusSeeOther)
		return nil
	}
	sent, err := s.Credentials.Send(r.Context(), start, s.base(r))
	if err != nil {
		return err
	}
	if sent.Address == "" {
		http.Redirect(w, r, sent.Result, http.StatusSeeOther)
		return nil
	}
	if sent.Cookie != "" {
		http.SetCookie(w, &http.Cookie{
			Name: sent.Cookie, Value: sent.Browser.Reveal(), Path: "/oauth", MaxAge: int(sent.Lasts.Seconds()),
			HttpOnly: true, Secure: strings.HasPrefix(s.base(r), "https://"), SameSite: http.SameSiteLaxMode,
		})
	}
	if nobody, back := nobodyAnswers(sent.Address, s.base(r)); nobody {
		keepClose(w)
		w.Header().Set("Referrer-Policy", "same-origin")
		p := startPage{frame: s.frame(visitor{}, "Sign in, and bring the address here", ""), Go: sent.Address, Result: sent.Result, Returns: back}
		if u, err := url.Parse(sent.Address); err == nil {
			p.Host = u.Hostname()
		}
		return s.render(w, r, http.StatusOK, startView(p))
	}
	http.Redirect(w, r, sent.Address, http.StatusSeeOther)
	return nil
}

// home is where the provider sends the browser back to, where that is another name of
// this server than the one it has come by: a cookie of one is not sent to the other.
func (s *Server) home(r *http.Request) string {
	base := s.base(r)
	there, err := url.Parse(base)
	here := url.URL{Host: r.Host}
	if err != nil || there.Hostname() == "" || strings.EqualFold(there.Hostname(), here.Hostname()) {
		return ""
	}
	return base
}

// nobodyAnswers says whether the browser will be sent back to the machine that it runs
// on while this server is reached elsewhere (RFC 8252 section 7.3), and where to.
func nobodyAnswers(provider, base string) (nobody bool, back string) {
	u, err := url.Parse(provider)
	if err != nil {
		return false, ""
	}
	to, err := url.Parse(u.Query().Get("redirect_uri"))
	if err != nil || to.Host == "" {
		return false, ""
	}
	here, err := url.Parse(base)
	if err != nil || strings.EqualFold(to.Host, here.Host) {
		return false, ""
	}
	return isLoopback(to.Hostname()), to.Scheme + "://" + to.Host
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.IsLoopback()
}

// travellers are what browsers were given that were sent off.
func travellers(r *http.Request) (all []postroom.Secret) {
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, credential.CookiePrefix) {
			all = append(all, postroom.Hide(c.Value))
		}
	}
	return all
}

// finishSignIn handles GET /oauth/callback, where the provider sends the browser back
// to us (RFC 6749 section 4.1.2). Nothing of what it brings is shown.
func (s *Server) finishSignIn(w http.ResponseWriter, r *http.Request) error {
	tellNobody(w)
	back, err := s.Credentials.Return(r.Context(), r.URL.Query(), travellers(r)...)
	if err != nil {
		return err
	}
	return s.goBack(w, r, back)
}

// goBack leads from the provider to the page of the sign-in.
func (s *Server) goBack(w http.ResponseWriter, r *http.Request, back credential.Back) error {
	switch {
	case back.Allowed:
		return s.render(w, r, http.StatusOK, allowedView(s.frame(visitor{}, "Allowed", "")))
	case back.Address != "":
		http.Redirect(w, r, back.Address, http.StatusSeeOther)
	default:
		http.Redirect(w, r, s.resultFor(r, back), http.StatusSeeOther)
	}
	return nil
}

// resultFor is where the one who signed in sees what comes of it: within the house who
// lives here, and outside of it a guest.
func (s *Server) resultFor(r *http.Request, back credential.Back) string {
	by, err := s.visitor(r)
	if err != nil {
		return back.Result
	}
	if _, err := s.Credentials.SignInByID(r.Context(), by.Viewer, back.SignIn.ID); err != nil {
		return back.Result
	}
	return progressAddress(back.SignIn)
}

func progressAddress(in postroom.SignIn) string {
	return signInAddress(in.Mailbox) + "/" + in.ID.String()
}
