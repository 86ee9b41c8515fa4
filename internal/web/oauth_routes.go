package web

import (
	"net/http"
	"strings"
)

// oauthRoutes are the pages of signing in to mailboxes at their providers. Those below
// /oauth and /link are for whoever holds their secret, also without an account here.
func (s *Server) oauthRoutes(anyone func(pattern string, h func(http.ResponseWriter, *http.Request) error), signedIn, admin func(pattern string, h handler)) {
	if s.Credentials == nil {
		return
	}
	anyone("GET /oauth/start/{secret}", s.startSignIn)
	anyone("GET /oauth/callback", s.finishSignIn)
	anyone("GET /oauth/result/{secret}", s.showResult)
	anyone("POST /oauth/result/{secret}", s.answerResult)
	anyone("GET /link/{secret}", s.showLink)
	anyone("POST /link/{secret}", s.useLink)

	signedIn("GET /mailboxes/{id}/sign-in", s.showSignInWays)
	signedIn("POST /mailboxes/{id}/sign-in", s.chooseSignIn)
	signedIn("GET /mailboxes/{id}/sign-in/{signin}", s.showProgress)
	signedIn("POST /mailboxes/{id}/sign-in/{signin}", s.answerProgress)
	signedIn("GET /mailboxes/{id}/credential", s.showCredential)
	admin("GET "+linksAddress, s.showLinks)
	admin("POST "+linksAddress, s.changeLinks)
}

// keepClose has a page that stands at a secret address tell nobody of it, and stay in
// no cache.
func keepClose(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
}

// tellNobody is keepClose for an answer without a form: not even this site is told the
// address. A page with a form needs that, or its form would come from nowhere.
func tellNobody(w http.ResponseWriter) {
	keepClose(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
}

// base is the address under which a request has come, without a path.
func (s *Server) base(r *http.Request) string {
	if s.Base != nil {
		if base := s.Base(r); base != "" {
			return strings.TrimSuffix(base, "/")
		}
	}
	switch {
	case s.PublicURL != "":
		return strings.TrimSuffix(s.PublicURL, "/")
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
