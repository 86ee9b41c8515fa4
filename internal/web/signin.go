package web

import (
	"net/http"

	"github.com/postroom/postroom"
)

// A signInForm is what somebody without a session sees.
type signInForm struct {
	frame
	Email string
	Next  string
	Fault *faultView
}

// showSignIn handles GET /sign-in.
func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request) error {
	next := local(r.FormValue("next"))
	if _, err := s.visitor(r); err == nil {
		goTo(w, r, next)
		return nil
	}
	return s.render(w, r, http.StatusOK, signInPage(signInForm{frame: s.frame(visitor{}, "Sign in", ""), Next: next}))
}

// signIn handles POST /sign-in.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	form := signInForm{frame: s.frame(visitor{}, "Sign in", ""), Email: r.PostFormValue("email"), Next: local(r.PostFormValue("next"))}
	cookie, _, err := s.Door.SignIn(r.Context(), form.Email, postroom.Hide(r.PostFormValue("password")), s.client(r))
	if f, ok := postroom.FaultOf(err); ok && (f.Kind == postroom.Unauthenticated || f.Kind == postroom.TooMany) {
		v := viewFault(f)
		v.Who = ""
		form.Fault = &v
		return s.render(w, r, statusOf(f.Kind), signInPage(form))
	}
	if err != nil {
		return err
	}
	s.setCookie(w, r, cookie)
	http.Redirect(w, r, form.Next, http.StatusSeeOther)
	return nil
}

// signOut handles POST /sign-out. The browser also forgets the pages that it kept.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	if c, err := r.Cookie(s.cookieName(r)); err == nil {
		if err := s.Door.SignOut(r.Context(), c.Value); err != nil {
			return err
		}
	}
	s.dropCookie(w, r)
	w.Header().Set("Clear-Site-Data", `"cache"`)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
	return nil
}

// A welcomeForm creates the first administrator.
type welcomeForm struct {
	frame
	Email, Name string
	Fault       *faultView
}

// wrong is what is the matter with a field.
func (f welcomeForm) wrong(field string) string { return wrongWith(f.Fault, field) }

func wrongWith(v *faultView, field string) string {
	if v == nil || v.Field != field {
		return ""
	}
	return v.Explanation + " " + v.Remedy
}

// showWelcome handles GET /welcome/{secret}, the link that the first start prints.
func (s *Server) showWelcome(w http.ResponseWriter, r *http.Request) error {
	if err := s.Door.CheckFirstLink(r.Context(), r.PathValue("secret")); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, welcomePage(welcomeForm{frame: s.frame(visitor{}, "Welcome", "")}))
}

// welcome handles POST /welcome/{secret}.
func (s *Server) welcome(w http.ResponseWriter, r *http.Request) error {
	form := welcomeForm{frame: s.frame(visitor{}, "Welcome", ""), Email: r.PostFormValue("email"), Name: r.PostFormValue("name")}
	cookie, _, err := s.Door.UseFirstLink(r.Context(), r.PathValue("secret"), form.Email, form.Name, postroom.Hide(r.PostFormValue("password")), s.client(r))
	if f, ok := postroom.FaultOf(err); ok && f.Field != "" {
		v := viewFault(f)
		form.Fault = &v
		return s.render(w, r, statusOf(f.Kind), welcomePage(form))
	}
	if err != nil {
		return err
	}
	s.setCookie(w, r, cookie)
	http.Redirect(w, r, "/mailboxes/new", http.StatusSeeOther)
	return nil
}

// openDemo handles GET /demo/{secret}, a link that signs in any number of times.
func (s *Server) openDemo(w http.ResponseWriter, r *http.Request) error {
	cookie, _, err := s.Door.OpenLink(r.Context(), r.PathValue("secret"), s.client(r))
	if err != nil {
		return err
	}
	s.setCookie(w, r, cookie)
	http.Redirect(w, r, "/issues", http.StatusSeeOther)
	return nil
}
