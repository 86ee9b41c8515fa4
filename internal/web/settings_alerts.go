package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/alert"
)

const alertSettingsAddress = "/settings/alerts"

// An alertSettingsPage says who is told when something needs a person, and how.
type alertSettingsPage struct {
	frame
	Values   url.Values
	Saved    string
	Form     string // that Fault is about: contact, relay or delay
	Fault    *faultView
	Contacts int
	Relay    *relayView // nil: there is none
	Outcome  []noticeView
	Warnings []faultView
	First    bool // nobody has been named yet
	Suggest  string
	Return   string // where the first administrator goes on; empty: nowhere
}

// A relayView is the relay as it is kept, without its password.
type relayView struct {
	Server      string
	HasPassword bool
}

func (p alertSettingsPage) value(field string) string { return p.Values.Get(field) }

func (p alertSettingsPage) is(field, value string) bool { return p.Values.Get(field) == value }

func (p alertSettingsPage) wrong(form, field string) string {
	if p.Form != form {
		return ""
	}
	return wrongWith(p.Fault, field)
}

// unplaced is a fault of a form that is about none of its fields.
func (p alertSettingsPage) unplaced(form string, fields ...string) *faultView {
	if p.Form != form || p.Fault == nil {
		return nil
	}
	for _, field := range fields {
		if p.Fault.Field == field {
			return nil
		}
	}
	return p.Fault
}

// showAlertSettings handles GET /settings/alerts.
func (s *Server) showAlertSettings(w http.ResponseWriter, r *http.Request, by visitor) error {
	p, err := s.alertSettings(r.Context(), by)
	if err != nil {
		return err
	}
	p.Return = waiting(r)
	p.Saved = map[string]string{
		"contact": "It is kept who is told.", "relay": "The relay is kept.", "no-relay": "The relay is removed.", "delay": "It is kept how long a delay may last.",
	}[r.FormValue("saved")]
	return s.render(w, r, http.StatusOK, alertSettingsView(p))
}

func (s *Server) alertSettings(ctx context.Context, by visitor) (alertSettingsPage, error) {
	p := alertSettingsPage{frame: s.frame(by, "Who is told", "settings"), Values: url.Values{}}
	contacts, err := s.Alerts.Contact(ctx)
	if err != nil {
		return p, err
	}
	p.Values.Set("contact", strings.Join(contacts, "\n"))
	p.Contacts, p.First = len(contacts), len(contacts) == 0
	if p.First {
		me, err := s.Door.User(ctx, by.User)
		if err != nil {
			return p, err
		}
		p.Suggest = me.Email
	}
	delay, err := s.Alerts.Delay(ctx)
	if err != nil {
		return p, err
	}
	p.Values.Set("delay", strconv.FormatFloat(delay.Minutes(), 'f', -1, 64))
	relay, ok, err := s.Alerts.Relay(ctx)
	if err != nil {
		return p, err
	}
	p.Values.Set("relay.tls", string(postroom.TLSStart))
	if ok {
		p.Relay = &relayView{Server: relay.Host, HasPassword: relay.HasPassword}
		serverValues(p.Values, "relay", relay.ServerSettings)
		p.Values.Set("relay.from", relay.From)
	}
	warnings, err := s.Alerts.Warnings(ctx)
	for _, f := range warnings {
		v := viewFault(f)
		v.Who = ""
		p.Warnings = append(p.Warnings, v)
	}
	return p, err
}

// answerAlertSettings shows the page again with what is wrong with a form. What was
// typed stays, but for the password.
func (s *Server) answerAlertSettings(w http.ResponseWriter, r *http.Request, by visitor, form string, err error) error {
	f, known := postroom.FaultOf(err)
	if !known {
		return err
	}
	p, problem := s.alertSettings(r.Context(), by)
	if problem != nil {
		return problem
	}
	for field, values := range r.PostForm {
		if field != "relay.password" && len(values) > 0 {
			p.Values[field] = values
		}
	}
	v := viewFault(f)
	v.Who, v.Field = "", strings.TrimPrefix(v.Field, "relay.")
	p.Form, p.Fault, p.Return = form, &v, waiting(r)
	return s.render(w, r, statusOf(f.Kind), alertSettingsView(p))
}

// savedAlertSettings shows that something was kept.
func savedAlertSettings(w http.ResponseWriter, r *http.Request, what string) {
	v := url.Values{"saved": {what}}
	if back := waiting(r); back != "" {
		v.Set("return", back)
	}
	goTo(w, r, alertSettingsAddress+"?"+v.Encode())
}

// setContact handles POST /settings/alerts/contact: it keeps who is told, and with test
// sends each of them a mail at once.
func (s *Server) setContact(w http.ResponseWriter, r *http.Request, by visitor) error {
	addresses := strings.FieldsFunc(r.PostFormValue("contact"), func(c rune) bool { return strings.ContainsRune(" ,;\r\n\t", c) })
	if err := s.Alerts.SetContact(r.Context(), by.Viewer, addresses); err != nil {
		return s.answerAlertSettings(w, r, by, "contact", err)
	}
	if r.PostFormValue("then") != "test" {
		savedAlertSettings(w, r, "contact")
		return nil
	}
	return s.testContact(w, r, by)
}

// testContact handles POST /settings/alerts/test.
func (s *Server) testContact(w http.ResponseWriter, r *http.Request, by visitor) error {
	notices, err := s.Alerts.TestContact(r.Context(), by.Viewer)
	if err != nil {
		return s.answerAlertSettings(w, r, by, "test", err)
	}
	p, err := s.alertSettings(r.Context(), by)
	if err != nil {
		return err
	}
	p.Return = waiting(r)
	for _, n := range notices {
		p.Outcome = append(p.Outcome, s.noticeView(n))
	}
	return s.render(w, r, http.StatusOK, alertSettingsView(p))
}

// setRelay handles POST /settings/alerts/relay. A password that is left empty stays.
func (s *Server) setRelay(w http.ResponseWriter, r *http.Request, by visitor) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	f := fields{values: r.PostForm}
	relay := alert.Relay{ServerSettings: f.server("relay"), From: f.text("relay.from")}
	if secret := r.PostForm.Get("relay.password"); secret != "" || relay.Username == "" {
		hidden := postroom.Hide(secret)
		relay.Password = &hidden
	}
	err := f.err
	if err == nil {
		err = s.Alerts.SetRelay(r.Context(), by.Viewer, relay)
	}
	if err != nil {
		return s.answerAlertSettings(w, r, by, "relay", err)
	}
	if r.PostFormValue("then") == "test" {
		return s.testContact(w, r, by)
	}
	savedAlertSettings(w, r, "relay")
	return nil
}

// removeRelay handles POST /settings/alerts/relay/remove.
func (s *Server) removeRelay(w http.ResponseWriter, r *http.Request, by visitor) error {
	if err := s.Alerts.RemoveRelay(r.Context(), by.Viewer); err != nil {
		return s.answerAlertSettings(w, r, by, "relay", err)
	}
	savedAlertSettings(w, r, "no-relay")
	return nil
}

// setDelay handles POST /settings/alerts/delay.
func (s *Server) setDelay(w http.ResponseWriter, r *http.Request, by visitor) error {
	minutes, err := strconv.ParseFloat(strings.TrimSpace(strings.Replace(r.PostFormValue("delay"), ",", ".", 1)), 64)
	if err == nil && !(minutes > 0 && minutes <= alert.MaxDelay.Minutes()) {
		err = errors.New("out of range")
	}
	if err != nil {
		err = &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "delay",
			Explanation: "This is not a number of minutes.", Remedy: "Write a number from " + number(int64(alert.MinDelay.Minutes())) + " to " + number(int64(alert.MaxDelay.Minutes())) + ".", Err: err,
		}
	} else {
		err = s.Alerts.SetDelay(r.Context(), by.Viewer, time.Duration(minutes*float64(time.Minute)))
	}
	if err != nil {
		return s.answerAlertSettings(w, r, by, "delay", err)
	}
	savedAlertSettings(w, r, "delay")
	return nil
}
