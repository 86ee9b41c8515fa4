package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/access"
)

// pagePolicy is the Content-Security-Policy of every page: nothing but what this
// server serves, and no script or style inside the page.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"font-src 'none'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm is how many bytes of a form are read. A note and a certificate fit.
const maxForm = 1 << 20

// guard puts the walls around all pages: headers, and no state-changing request
// that comes from another site (Sec-Fetch-Site, or Origin).
func (s *Server) guard(pages http.Handler) http.Handler {
	sameSite := http.NewCrossOriginProtection()
	sameSite.SetDenyHandler(s.open(func(http.ResponseWriter, *http.Request) error {
		return &postroom.Fault{
			Kind: postroom.Forbidden, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "This request came from another site, so nothing was done.",
			Remedy:      "Open Postroom itself and do it there.",
		}
	}))
	if s.PublicURL != "" {
		// Behind a proxy the Host of a request may be another than browsers know.
		if err := sameSite.AddTrustedOrigin(s.PublicURL); err != nil {
			s.log().Warn("the public address is not one of pages", "url", s.PublicURL, "err", err)
		}
	}
	inner := sameSite.Handler(pages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // with no-referrer a form would come from the origin “null”
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "private, no-cache")
		limit := int64(maxForm)
		if r.URL.Path == importAddress {
			limit = maxImport
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		inner.ServeHTTP(w, r)
	})
}

// A visitor is who is looking at a page.
type visitor struct {
	postroom.Viewer
	Session access.Session
	care    care // what needs them, for a whole page
}

// A handler answers a request of somebody who is signed in.
type handler func(w http.ResponseWriter, r *http.Request, by visitor) error

// open is for pages that need nobody to be signed in.
func (s *Server) open(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.explain(w, r, visitor{}, err)
		}
	})
}

func (s *Server) signedIn(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		by, err := s.visitor(r)
		if err == nil {
			if isWholePage(r) {
				s.lookAhead(r.Context(), by)
				by.care = s.careFor(r, by)
			}
			err = h(w, r, by)
		}
		if err != nil {
			s.explain(w, r, by, err)
		}
	})
}

// forAdmins is for settings that concern everybody.
func forAdmins(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request, by visitor) error {
		if err := access.Administer(by.Viewer); err != nil {
			return err
		}
		return h(w, r, by)
	}
}

func (s *Server) visitor(r *http.Request) (visitor, error) {
	value := ""
	if c, err := r.Cookie(s.cookieName(r)); err == nil {
		value = c.Value
	}
	v, session, err := s.Door.Session(r.Context(), value)
	return visitor{Viewer: v, Session: session}, err
}

// cookieName has the prefix that keeps other hosts and plain connections from
// setting the cookie, where browsers accept it (RFC 6265bis section 4.1.3.2).
func (s *Server) cookieName(r *http.Request) string {
	if s.isSecure(r) {
		return "__Host-postroom"
	}
	return "postroom"
}

func (s *Server) isSecure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(s.PublicURL, "https://")
}

func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, value postroom.Secret) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(r), Value: value.Reveal(), Path: "/",
		MaxAge: int(access.SessionLasts.Seconds()), HttpOnly: true, Secure: s.isSecure(r), SameSite: http.SameSiteLaxMode,
	})
}

func (s *Server) dropCookie(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(r), Path: "/", MaxAge: -1, HttpOnly: true, Secure: s.isSecure(r), SameSite: http.SameSiteLaxMode,
	})
}

// local returns an address of this site that a request asks to be sent to, or /.
func local(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(address, "/") || strings.HasPrefix(address, "//") ||
		strings.ContainsAny(address, "\\\r\n\t") {
		return "/"
	}
	return address
}

// isHTMX says whether htmx asks for a part of a page. The target is the id of
// the element that will be replaced.
func isHTMX(r *http.Request) (target string, ok bool) {
	return r.Header.Get("HX-Target"), r.Header.Get("HX-Request") == "true"
}

// goTo sends the browser to a page of this site, whoever asked.
func goTo(w http.ResponseWriter, r *http.Request, address string) {
	if _, ok := isHTMX(r); ok {
		w.Header().Set("HX-Redirect", address)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
}
