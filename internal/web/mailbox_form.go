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
	"github.com/postroom/postroom/internal/mailbox"
)

// A mailboxForm holds the settings of a mailbox as they stand on the screen. Its
// fields have the names of the API; their values are what was typed.
type mailboxForm struct {
	frame
	ID     string // empty: a new mailbox
	Name   string
	Values url.Values
	People []choice
	Fault  *faultView
	Report *reportView
	Typing bool // the values are what somebody typed, not what is kept
	Former *formerView
}

// formFields are the fields that a fault may be about, as the API names them.
func formFields() []string {
	return []string{"address", "credential.password", "incoming.host", "incoming.port", "incoming.tls", "incoming.username", "incoming.protocol",
		"name", "incoming.folders", "start", "after_import", "move_to", "raw_retention_days", "visible_to", "owner", "incoming.ca_certificate", "incoming.pinned_sha256",
		"incoming.connect_timeout", "incoming.auth_timeout", "incoming.poll_interval", "credential.kind",
		"outgoing.host", "outgoing.port", "outgoing.tls", "outgoing.username", "outgoing.ca_certificate", "outgoing.pinned_sha256",
		"outgoing.credential.password", "outgoing.credential.kind"}
}

// fieldID is the id of a field in the page.
func fieldID(field string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(field) }

func (f mailboxForm) value(field string) string { return f.Values.Get(field) }

func (f mailboxForm) wrong(field string) string { return wrongWith(f.Fault, field) }

func (f mailboxForm) is(field, value string) bool { return f.Values.Get(field) == value }

func (f mailboxForm) has(field, value string) bool {
	for _, v := range f.Values[field] {
		if v == value {
			return true
		}
	}
	return false
}

// beside says whether the fault is shown beside one of the fields.
func (f mailboxForm) beside() bool {
	if f.Fault == nil || f.Fault.Field == "" {
		return false
	}
	for _, field := range formFields() {
		if field == f.Fault.Field {
			return true
		}
	}
	return false
}

// opens says whether a folded part of the form has something to say.
func (f mailboxForm) opens(fields ...string) bool {
	for _, field := range fields {
		if f.wrong(field) != "" {
			return true
		}
	}
	return false
}

func (f mailboxForm) action() string {
	if f.ID == "" {
		return "/mailboxes"
	}
	return "/mailboxes/" + f.ID + "/settings"
}

func (f mailboxForm) testAction() string {
	if f.ID == "" {
		return "/mailboxes/test"
	}
	return "/mailboxes/" + f.ID + "/test"
}

// A reportView is what a test has found.
type reportView struct {
	OK    bool
	Steps []stepView
}

type stepView struct {
	Title  string
	OK     bool
	Detail string
	Took   string
	Fault  *faultView
}

func viewReport(r mailbox.Report) *reportView {
	v := &reportView{OK: r.OK}
	for _, s := range r.Steps {
		step := stepView{Title: s.Kind.Title(), OK: s.OK, Detail: s.Detail, Took: lasted(s.Took)}
		if s.Fault != nil {
			f := viewFault(s.Fault)
			step.Fault = &f
		}
		v.Steps = append(v.Steps, step)
	}
	return v
}

// showNewMailbox handles GET /mailboxes/new.
func (s *Server) showNewMailbox(w http.ResponseWriter, r *http.Request, by visitor) error {
	m := postroom.Mailbox{Start: postroom.Start{Kind: postroom.StartNow}, Visibility: postroom.Visibility{Kind: postroom.VisibleToEveryone}}
	m.Incoming = postroom.IncomingSettings{
		Folders: []string{"INBOX"}, ConnectTimeout: postroom.DefaultConnectTimeout, AuthTimeout: postroom.DefaultAuthTimeout, PollInterval: postroom.DefaultPollInterval,
	}
	m.Incoming.TLS = postroom.TLSImplicit
	values := settingsValues(m)
	values.Set("address", r.FormValue("address"))
	form, err := s.mailboxForm(r.Context(), by, "", values)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, mailboxFormView(form))
}

// showMailboxSettings handles GET /mailboxes/{id}/settings.
func (s *Server) showMailboxSettings(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	m, err := s.Reader.Mailbox(r.Context(), id)
	if err != nil {
		return err
	}
	form, err := s.mailboxForm(r.Context(), by, id.String(), settingsValues(m))
	if err != nil {
		return err
	}
	form.Name = m.Name
	return s.render(w, r, http.StatusOK, mailboxFormView(form))
}

func (s *Server) mailboxForm(ctx context.Context, by visitor, id string, values url.Values) (mailboxForm, error) {
	form := mailboxForm{frame: s.frame(by, "Connect a mailbox", "mailboxes"), ID: id, Values: values}
	if id != "" {
		form.Title = "Settings of " + values.Get("address")
	}
	users, err := s.Door.Users(ctx)
	if err != nil {
		return form, err
	}
	for _, u := range users {
		if u.DisabledAt.IsZero() || form.has("reader", u.ID.String()) || form.is("owner", u.ID.String()) {
			form.People = append(form.People, choice{Value: u.ID.String(), Word: u.Name, Help: u.Email})
		}
	}
	return form, nil
}

// addMailbox handles POST /mailboxes.
func (s *Server) addMailbox(w http.ResponseWriter, r *http.Request, by visitor) error {
	m, c, err := readMailbox(r)
	if err != nil {
		return s.answerForm(w, r, by, "", nil, err)
	}
	choice := mailbox.FormerChoice(r.PostFormValue("former"))
	if choice == "" { // whoever has not chosen is told what there is to choose
		switch former, ok, err := s.former(r.Context(), by, m.Address); {
		case err != nil:
			return s.answerForm(w, r, by, "", nil, err)
		case ok:
			return s.askFormer(w, r, by, former)
		}
	}
	m, _, err = s.Mailboxes.Connect(r.Context(), by.Viewer, m, c, choice)
	if err != nil {
		return s.answerForm(w, r, by, "", nil, err)
	}
	goTo(w, r, "/mailboxes/"+m.ID.String())
	return nil
}

// changeMailbox handles POST /mailboxes/{id}/settings.
func (s *Server) changeMailbox(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	typed, c, err := readMailbox(r)
	if err == nil {
		given := mailbox.NewCredentials{Outgoing: c.Outgoing, SameOutgoing: r.PostFormValue("outgoing.shared") != "" && c.Outgoing == nil}
		if !c.Password.IsEmpty() {
			given.Mailbox = &c
		}
		_, err = s.Mailboxes.ChangeWith(r.Context(), by.Viewer, id, func(m *postroom.Mailbox) error {
			typed := typed
			if typed.Start.Kind == m.Start.Kind && typed.Start.Kind == postroom.StartNow {
				typed.Start.At = m.Start.At
			}
			m.Name, m.Address, m.Incoming, m.Outgoing = typed.Name, typed.Address, typed.Incoming, typed.Outgoing
			m.Start, m.Visibility, m.Owner = typed.Start, typed.Visibility, typed.Owner
			m.AfterImport, m.MoveTo, m.RawRetentionDays = typed.AfterImport, typed.MoveTo, typed.RawRetentionDays
			return nil
		}, given)
	}
	if err != nil {
		return s.answerForm(w, r, by, id.String(), nil, err)
	}
	goTo(w, r, "/mailboxes/"+id.String())
	return nil
}

// testMailbox handles POST /mailboxes/test: the settings on the screen are tried,
// and nothing is kept.
func (s *Server) testMailbox(w http.ResponseWriter, r *http.Request, by visitor) error {
	m, c, err := readMailbox(r)
	return s.runTest(w, r, by, "", m, c, err)
}

// testSettings handles POST /mailboxes/{id}/test. The password that is kept is
// used where none was typed, but only towards the server that it was given for.
func (s *Server) testSettings(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	m, c, err := readMailbox(r)
	if err == nil {
		c, err = s.withKept(r.Context(), id, m, c, r.PostFormValue("outgoing.shared") != "")
	}
	return s.runTest(w, r, by, id.String(), m, c, err)
}

func (s *Server) runTest(w http.ResponseWriter, r *http.Request, by visitor, id string, m postroom.Mailbox, c mailbox.Credential, err error) error {
	if err != nil {
		return s.answerForm(w, r, by, id, nil, err)
	}
	report, err := s.Mailboxes.Test(r.Context(), by.Viewer, m, c, mailbox.TestOptions{})
	if err != nil {
		return s.answerForm(w, r, by, id, nil, err)
	}
	return s.answerForm(w, r, by, id, viewReport(report), nil)
}

// answerForm shows what is wrong with a form, or what its test has found. With
// htmx what was typed is not touched; without it all but the password comes back.
func (s *Server) answerForm(w http.ResponseWriter, r *http.Request, by visitor, id string, report *reportView, err error) error {
	f, known := postroom.FaultOf(err)
	if err != nil && !known {
		return err
	}
	values := r.PostForm
	values.Del("credential.password")
	values.Del("outgoing.credential.password")
	form, problem := s.mailboxForm(r.Context(), by, id, values)
	if problem != nil {
		return problem
	}
	form.Report, form.Typing = report, true
	status := http.StatusOK
	if f != nil {
		v := viewFault(f)
		form.Fault, status = &v, statusOf(f.Kind)
	}
	if _, ok := isHTMX(r); ok {
		return s.render(w, r, status, formAnswer(form))
	}
	return s.render(w, r, status, mailboxFormView(form))
}

// settingsValues are the settings of a mailbox as fields.
func settingsValues(m postroom.Mailbox) url.Values {
	v := url.Values{}
	v.Set("address", m.Address)
	v.Set("name", m.Name)
	serverValues(v, "incoming", m.Incoming.ServerSettings)
	v.Set("incoming.folders", strings.Join(m.Incoming.Folders, "\n"))
	v.Set("incoming.connect_timeout", seconds(m.Incoming.ConnectTimeout))
	v.Set("incoming.auth_timeout", seconds(m.Incoming.AuthTimeout))
	v.Set("incoming.poll_interval", seconds(m.Incoming.PollInterval))
	if m.Outgoing != nil {
		serverValues(v, "outgoing", m.Outgoing.ServerSettings)
	} else {
		v.Set("outgoing.tls", string(postroom.TLSImplicit))
	}
	v.Set("start", string(m.Start.Kind))
	if m.Start.Kind == postroom.StartDate {
		v.Set("start_date", m.Start.At.Format(time.DateOnly))
	}
	v.Set("incoming.protocol", string(m.Incoming.Protocol))
	v.Set("after_import", string(m.AfterImport))
	v.Set("move_to", m.MoveTo)
	if m.RawRetentionDays > 0 {
		v.Set("raw_retention_days", strconv.Itoa(m.RawRetentionDays))
	}
	v.Set("visible_to", string(m.Visibility.Kind))
	for _, u := range m.Visibility.Users {
		v.Add("reader", u.String())
	}
	if m.Owner != 0 {
		v.Set("owner", m.Owner.String())
	}
	return v
}

func serverValues(v url.Values, field string, s postroom.ServerSettings) {
	v.Set(field+".host", s.Host)
	if s.Port != 0 {
		v.Set(field+".port", strconv.Itoa(s.Port))
	}
	v.Set(field+".tls", string(s.TLS))
	v.Set(field+".username", s.Username)
	v.Set(field+".ca_certificate", s.CACertificate)
	v.Set(field+".pinned_sha256", s.PinnedSHA256)
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}

// readMailbox reads the fields of a form. What is left empty gets its usual value
// from package mailbox.
func readMailbox(r *http.Request) (m postroom.Mailbox, c mailbox.Credential, err error) {
	if err := r.ParseForm(); err != nil {
		return m, c, err
	}
	f := fields{values: r.PostForm}
	m.Address, m.Name = f.text("address"), f.text("name")
	m.Incoming.Protocol = postroom.Protocol(f.text("incoming.protocol"))
	m.Incoming.ServerSettings = f.server("incoming")
	for line := range strings.SplitSeq(f.values.Get("incoming.folders"), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			m.Incoming.Folders = append(m.Incoming.Folders, line)
		}
	}
	if m.Incoming.Protocol == postroom.POP3 { // the page has no folders then
		m.Incoming.Folders = nil
	}
	f.afterImport(&m)
	m.Incoming.ConnectTimeout = f.duration("incoming.connect_timeout")
	m.Incoming.AuthTimeout = f.duration("incoming.auth_timeout")
	m.Incoming.PollInterval = f.duration("incoming.poll_interval")
	if f.text("outgoing.host") != "" {
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: f.server("outgoing")}
	}
	m.Start.Kind = postroom.StartKind(f.text("start"))
	if m.Start.Kind == postroom.StartDate {
		m.Start.At = f.day("start_date")
	}
	m.Owner = postroom.UserID(f.id("owner", f.text("owner")))
	m.Visibility.Kind = postroom.VisibilityKind(f.text("visible_to"))
	if m.Visibility.Kind == postroom.VisibleToUsers {
		for _, text := range f.values["reader"] {
			m.Visibility.Users = append(m.Visibility.Users, postroom.UserID(f.id("visible_to", text)))
		}
	}
	c = mailbox.Credential{Password: postroom.Hide(f.values.Get("credential.password"))}
	if own := f.values.Get("outgoing.credential.password"); own != "" && m.Outgoing != nil {
		c.Outgoing = &mailbox.Credential{Password: postroom.Hide(own)}
	}
	return m, c, f.err
}

// afterImport reads what happens to a mail once it is here.
func (f *fields) afterImport(m *postroom.Mailbox) {
	m.AfterImport = postroom.AfterImport(f.text("after_import"))
	if m.AfterImport == postroom.AfterImportMove {
		m.MoveTo = f.text("move_to")
	}
	m.RawRetentionDays = int(f.number("raw_retention_days"))
}

// fields reads the fields of a form and keeps the first that cannot be read.
type fields struct {
	values url.Values
	err    error
}

func (f *fields) text(name string) string { return strings.TrimSpace(f.values.Get(name)) }

func (f *fields) server(field string) postroom.ServerSettings {
	return postroom.ServerSettings{
		Host: f.text(field + ".host"), Port: int(f.number(field + ".port")), TLS: postroom.TLSPolicy(f.text(field + ".tls")),
		Username: f.text(field + ".username"), CACertificate: f.text(field + ".ca_certificate"), PinnedSHA256: f.text(field + ".pinned_sha256"),
	}
}

func (f *fields) wrong(field, explanation, remedy string, cause error) {
	if f.err == nil {
		f.err = &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: field,
			Explanation: explanation, Remedy: remedy, Err: cause,
		}
	}
}

func (f *fields) number(field string) int64 {
	text := f.text(field)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		f.wrong(field, "This is not a number.", "Write it in digits, or leave it empty.", err)
	}
	return n
}

// duration reads seconds; up to a day is enough for everything here.
func (f *fields) duration(field string) time.Duration {
	text := strings.Replace(f.text(field), ",", ".", 1)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0 && n <= 86400) {
		if err == nil {
			err = errors.New("out of range")
		}
		f.wrong(field, "This is not a number of seconds.", "Write a number up to 86,400, or leave it empty.", err)
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

func (f *fields) day(field string) time.Time {
	if f.text(field) == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.DateOnly, f.text(field))
	if err != nil {
		f.wrong("start", "This day cannot be read.", "Write it as 2026-11-20.", err)
	}
	return at
}

func (f *fields) id(field, text string) int64 {
	if text == "" {
		return 0
	}
	id, err := postroom.ParseID[postroom.UserID](text)
	if err != nil {
		f.wrong(field, "This person is not here.", "Choose somebody from the list.", err)
	}
	return int64(id)
}
