package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/a-h/templ"

	"github.com/postroom/postroom"
)

// render answers with a page or a part of one; it is sent when it is complete.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	var page bytes.Buffer
	if err := c.Render(r.Context(), &page); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Add("Vary", "HX-Request")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // the browser may have gone
	return nil
}

// statusOf turns a kind into an HTTP status.
func statusOf(k postroom.Kind) int {
	switch k {
	case postroom.Invalid:
		return http.StatusUnprocessableEntity
	case postroom.NotFound:
		return http.StatusNotFound
	case postroom.Conflict:
		return http.StatusConflict
	case postroom.Unauthenticated:
		return http.StatusUnauthorized
	case postroom.Forbidden:
		return http.StatusForbidden
	case postroom.TooMany:
		return http.StatusTooManyRequests
	case postroom.NeedsSignIn, postroom.NeedsRepair, postroom.Delayed:
		return http.StatusBadGateway
	}
	return http.StatusInternalServerError
}

// explain answers with an error in words. It is where an error stops travelling.
func (s *Server) explain(w http.ResponseWriter, r *http.Request, by visitor, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		w.WriteHeader(http.StatusServiceUnavailable) // nobody listens any more, or the process is stopping
		return
	}
	f, known := postroom.FaultOf(err)
	if known && f.Kind == postroom.Unauthenticated && r.URL.Path != "/sign-in" {
		s.askToSignIn(w, r)
		return
	}
	var v faultView
	var tooLarge *http.MaxBytesError
	switch {
	case known && f.Kind != postroom.Internal:
		v = viewFault(f)
	case errors.As(err, &tooLarge):
		f = &postroom.Fault{Kind: postroom.Invalid, Explanation: "This is more than Postroom takes at once.", Remedy: "Make it shorter than 1 MB."}
		v = viewFault(f)
	default:
		v = s.ourMistake(r, err)
		f = &postroom.Fault{}
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())+1))
	}
	status := statusOf(f.Kind)
	if _, ok := isHTMX(r); ok {
		w.Header().Set("HX-Retarget", "#notice")
		w.Header().Set("HX-Reswap", "innerHTML")
		err = s.render(w, r, status, noticeFault(v))
	} else {
		err = s.render(w, r, status, troublePage(s.frame(by, titleOf(f.Kind), ""), v))
	}
	if err != nil {
		s.log().ErrorContext(r.Context(), "page not rendered", "path", r.Pattern, "err", err)
	}
}

// ourMistake logs an error that has no words for people, under an id that the
// page shows.
func (s *Server) ourMistake(r *http.Request, err error) faultView {
	var bits [4]byte
	_, _ = rand.Read(bits[:]) // never fails
	id := hex.EncodeToString(bits[:])
	s.log().ErrorContext(r.Context(), "request failed", "id", id, "route", r.Pattern, "err", err)
	return faultView{
		Explanation: "Something in Postroom itself went wrong. Your mail is not affected.",
		Remedy:      "Try it once more. If it stays, tell whoever runs Postroom this number.",
		ID:          id,
	}
}

func (s *Server) askToSignIn(w http.ResponseWriter, r *http.Request) {
	back := "/"
	if r.Method == http.MethodGet {
		back = r.URL.RequestURI()
	}
	if current, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil && current.Path != "" {
		back = current.RequestURI()
	}
	address := "/sign-in"
	if back = local(back); back != "/" {
		address += "?" + url.Values{"next": {back}}.Encode()
	}
	if r.URL.Path == "/live" {
		w.WriteHeader(http.StatusNoContent) // which tells an EventSource to stop asking
		return
	}
	goTo(w, r, address)
}

func titleOf(k postroom.Kind) string {
	switch k {
	case postroom.NotFound:
		return "Not here"
	case postroom.Forbidden:
		return "Not for you"
	case postroom.Conflict:
		return "Changed in the meantime"
	case postroom.TooMany:
		return "A little slower"
	case postroom.Invalid:
		return "That cannot be used"
	case postroom.Unauthenticated:
		return "Sign in"
	}
	return "Something went wrong"
}
