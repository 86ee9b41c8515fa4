package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A settingsPage is about the one who looks at it and, for administrators, about
// everybody.
type settingsPage struct {
	frame
	Email     string
	Sessions  []sessionRow
	People    []personRow
	Roles     []choice
	Tokens    []tokenRow
	Scopes    []choice
	Mailboxes []store.MailboxName
	HasApps   bool
	HasAlerts bool

	Done     string // what has just been done
	NewToken string // shown this once
	Form     string // the form that Fault is about: password, person or token
	Fault    *faultView
	Typed    map[string]string // what was typed into that form, without secrets
}

func (p settingsPage) wrong(form, field string) string {
	if p.Form != form {
		return ""
	}
	return wrongWith(p.Fault, field)
}

func (p settingsPage) typed(form, field string) string {
	if p.Form != form {
		return ""
	}
	return p.Typed[field]
}

type sessionRow struct {
	ID      string
	Browser string
	Address string
	Seen    moment
	Here    bool
}

type personRow struct {
	ID       string
	Name     string
	Email    string
	Role     string
	Disabled bool
	Me       bool
}

type tokenRow struct {
	ID    string
	Name  string
	Scope string
	Made  moment
	Used  *moment
}

// showSettings handles GET /settings.
func (s *Server) showSettings(w http.ResponseWriter, r *http.Request, by visitor) error {
	p, err := s.settings(r.Context(), by)
	if err != nil {
		return err
	}
	if r.FormValue("done") == "password" {
		p.Done = "Your password is changed. Everywhere else you are signed out."
	}
	return s.render(w, r, http.StatusOK, settingsView(p))
}

func (s *Server) settings(ctx context.Context, by visitor) (settingsPage, error) {
	p := settingsPage{frame: s.frame(by, "Settings", "settings"), HasApps: s.Apps != nil, HasAlerts: s.Alerts != nil}
	me, err := s.Door.User(ctx, by.User)
	if err != nil {
		return p, err
	}
	p.Email = me.Email
	sessions, err := s.Door.Sessions(ctx, by.Viewer)
	if err != nil {
		return p, err
	}
	for _, one := range sessions {
		p.Sessions = append(p.Sessions, sessionRow{
			ID: one.ID.String(), Browser: browserName(one.Agent), Address: one.Address, Seen: tell(one.SeenAt, s.now()), Here: one.ID == by.Session.ID,
		})
	}
	if !p.Admin {
		return p, nil
	}
	return p, s.addEverybody(ctx, by, &p)
}

// addEverybody adds what administrators see.
func (s *Server) addEverybody(ctx context.Context, by visitor, p *settingsPage) error {
	users, err := s.Door.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		p.People = append(p.People, personRow{u.ID.String(), u.Name, u.Email, roleWord(u.Role), !u.DisabledAt.IsZero(), u.ID == by.User})
	}
	p.Roles = []choice{
		{Value: string(postroom.RoleAgent), Word: "Agent", Help: "works on issues", Chosen: true},
		{Value: string(postroom.RoleOwner), Word: "Mailbox owner", Help: "keeps a mailbox signed in"},
		{Value: string(postroom.RoleAdmin), Word: "Administrator", Help: "connects mailboxes and lets people in"},
	}
	p.Scopes = []choice{
		{Value: string(postroom.ScopeRead), Word: "Read", Help: "look at issues", Chosen: true},
		{Value: string(postroom.ScopeWrite), Word: "Write", Help: "also work on issues"},
		{Value: string(postroom.ScopeAdmin), Word: "Admin", Help: "also connect and test mailboxes"},
	}
	tokens, err := s.Door.Tokens(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		row := tokenRow{ID: t.ID.String(), Name: t.Name, Scope: string(t.Scope), Made: tell(t.CreatedAt, s.now())}
		if !t.LastUsedAt.IsZero() {
			used := tell(t.LastUsedAt, s.now())
			row.Used = &used
		}
		p.Tokens = append(p.Tokens, row)
	}
	boxes, _, err := s.Reader.Mailboxes(ctx, store.MailboxFilter{Limit: store.MaxPage})
	if err != nil {
		return err
	}
	for _, m := range boxes {
		if m.Visibility.Kind != postroom.VisibleToEveryone {
			p.Mailboxes = append(p.Mailboxes, store.MailboxName{ID: m.ID, Name: m.Name})
		}
	}
	return nil
}

func roleWord(r postroom.Role) string {
	switch r {
	case postroom.RoleAdmin:
		return "Administrator"
	case postroom.RoleOwner:
		return "Mailbox owner"
	}
	return "Agent"
}

// browserName makes of what a browser calls itself a word that people know.
func browserName(agent string) string {
	name := "A browser"
	for _, known := range [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}} {
		if strings.Contains(agent, known[0]) {
			name = known[1]
			break
		}
	}
	for _, known := range [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, known[0]) {
			return name + " on " + known[1]
		}
	}
	return name
}

// answerSettings shows the page again, with what was done or what was wrong with
// a form.
func (s *Server) answerSettings(w http.ResponseWriter, r *http.Request, by visitor, form, done string, err error) error {
	f, known := postroom.FaultOf(err)
	if err != nil && !known {
		return err
	}
	p, problem := s.settings(r.Context(), by)
	if problem != nil {
		return problem
	}
	status := http.StatusOK
	p.Form, p.Done = form, done
	if f != nil {
		v := viewFault(f)
		p.Fault, p.Done, status = &v, "", statusOf(f.Kind)
		p.Typed = map[string]string{}
		for _, field := range []string{"email", "name", "role", "scope"} {
			p.Typed[field] = r.PostFormValue(field)
		}
	}
	return s.render(w, r, status, settingsView(p))
}

// changePassword handles POST /settings/password. All sessions end, and this
// browser begins a new one.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request, by visitor) error {
	err := s.changeOwnPassword(w, r, by)
	if err == nil {
		goTo(w, r, "/settings?done=password")
		return nil
	}
	return s.answerSettings(w, r, by, "password", "", err)
}

func (s *Server) changeOwnPassword(w http.ResponseWriter, r *http.Request, by visitor) error {
	if err := s.confirm(r, by, postroom.Hide(r.PostFormValue("old"))); err != nil {
		if f, ok := postroom.FaultOf(err); ok && f.Field == "password" {
			f.Field = "old"
		}
		return err
	}
	me, err := s.Door.User(r.Context(), by.User)
	if err != nil {
		return err
	}
	if err := s.Door.SetPassword(r.Context(), me.Email, postroom.Hide(r.PostFormValue("password"))); err != nil {
		return err
	}
	cookie, _, err := s.Door.SignIn(r.Context(), me.Email, postroom.Hide(r.PostFormValue("password")), s.client(r))
	if err != nil {
		return err
	}
	s.setCookie(w, r, cookie)
	return nil
}

// revokeSession handles POST /settings/sessions/{id}/revoke.
func (s *Server) revokeSession(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.SessionID](r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.Door.Revoke(r.Context(), by.Viewer, id); err != nil {
		return err
	}
	goTo(w, r, "/settings")
	return nil
}

// addPerson handles POST /settings/people.
func (s *Server) addPerson(w http.ResponseWriter, r *http.Request, by visitor) error {
	u, err := s.Door.CreateUser(r.Context(), r.PostFormValue("email"), r.PostFormValue("name"), postroom.Role(r.PostFormValue("role")), postroom.Hide(r.PostFormValue("password")))
	return s.answerSettings(w, r, by, "person", u.Name+" can sign in now. Tell them the password.", err)
}

func (s *Server) disablePerson(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.changePerson(w, r, by, s.Door.Disable)
}

func (s *Server) enablePerson(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.changePerson(w, r, by, s.Door.Enable)
}

func (s *Server) changePerson(w http.ResponseWriter, r *http.Request, by visitor, change func(context.Context, postroom.Viewer, postroom.UserID) error) error {
	id, err := postroom.ParseID[postroom.UserID](r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := change(r.Context(), by.Viewer, id); err != nil {
		return err
	}
	goTo(w, r, "/settings")
	return nil
}

// createToken handles POST /settings/tokens. The answer is the only page that ever
// shows the token.
func (s *Server) createToken(w http.ResponseWriter, r *http.Request, by visitor) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	var boxes []postroom.MailboxID
	for _, text := range r.PostForm["mailbox"] {
		id, err := postroom.ParseID[postroom.MailboxID](text)
		if err != nil {
			return err
		}
		boxes = append(boxes, id)
	}
	token, _, err := s.Door.CreateToken(r.Context(), r.PostFormValue("name"), postroom.Scope(r.PostFormValue("scope")), boxes)
	if err != nil {
		return s.answerSettings(w, r, by, "token", "", err)
	}
	p, err := s.settings(r.Context(), by)
	if err != nil {
		return err
	}
	p.NewToken = token.Reveal()
	w.Header().Set("Cache-Control", "no-store")
	return s.render(w, r, http.StatusOK, settingsView(p))
}

// revokeToken handles POST /settings/tokens/{id}/revoke.
func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request, _ visitor) error {
	id, err := postroom.ParseID[postroom.TokenID](r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.Door.RevokeToken(r.Context(), id); err != nil {
		return err
	}
	goTo(w, r, "/settings")
	return nil
}
