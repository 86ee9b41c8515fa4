package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"

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
	Typing bool // the values are what somebody typed, not what is kept
	Unkept bool // a page brought values along that are not kept yet
	Former *formerView
	Says   formSays
	Secret secretHint
	Offer  signInOffer // to sign in at its provider
	SignIn string      // the way that was chosen; empty: none, or it is not asked any more
	Opens  opening     // what opens the mailbox now; zero with a new one
}

// formSays is what a form was asked for, besides being kept.
type formSays struct {
	Report *testEnd       // of a test
	Live   *testPage      // a test that begins now
	Found  *discoveryView // for its address
	Known  *folderList    // of its server
	Filled bool           // some fields were given other values
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

// formAt is where a step of the form of a mailbox is answered; the id is empty for a
// new one.
func formAt(id, step string) string {
	if id == "" {
		return "/mailboxes/" + step
	}
	return "/mailboxes/" + id + "/" + step
}

func idText(id postroom.MailboxID) string {
	if id == 0 {
		return ""
	}
	return id.String()
}

func (f mailboxForm) action() string {
	if f.ID == "" {
		return "/mailboxes"
	}
	return formAt(f.ID, "settings")
}

func (f mailboxForm) at(step string) string { return formAt(f.ID, step) }

// line is the servers of the form in one line; empty: there are none yet.
func (f mailboxForm) line() string {
	if found := f.Says.Found; found != nil && found.Filled {
		return found.Sentence
	}
	return serverLine(f.Values, "")
}

// opensServers says whether the servers are worth a look.
func (f mailboxForm) opensServers() bool {
	if f.ID != "" || f.Says.Found != nil && f.Says.Found.Nothing {
		return true
	}
	fields := []string{"outgoing.credential.password", "outgoing.credential.kind", "outgoing.pinned_sha256", "outgoing.ca_certificate"}
	for _, s := range serverFields() {
		fields = append(fields, s.Field)
	}
	return f.opens(fields...) || f.line() != "" && !isUntouched(f.Values)
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
	values := settingsValues(m)
	unkept := bringAlong(values, r.URL.Query()["set"])
	form, err := s.mailboxForm(r.Context(), by, id.String(), values)
	if err != nil {
		return err
	}
	form.Name, form.Unkept = m.Name, unkept
	return s.render(w, r, http.StatusOK, mailboxFormView(form))
}

func (s *Server) mailboxForm(ctx context.Context, by visitor, id string, values url.Values) (mailboxForm, error) {
	form := mailboxForm{frame: s.frame(by, "Connect a mailbox", "mailboxes"), ID: id, Values: values}
	if id != "" {
		form.Title = "Settings of " + values.Get("address")
	}
	form.Secret = s.secretHint(values.Get("address"), values.Get("incoming.host"))
	form.SignIn = chosenWay(values)
	if err := s.addOpening(ctx, by, &form); err != nil {
		return form, err
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
	if asked, err := s.findServers(w, r, by, ""); asked || err != nil {
		return err
	}
	m, c, err := readMailbox(r)
	if err != nil {
		return s.answerForm(w, r, by, "", formSays{}, err)
	}
	way := chosenWay(r.PostForm)
	if way != "" {
		c = mailbox.Credential{Kind: postroom.CredentialOAuth}
	}
	choice := mailbox.FormerChoice(r.PostFormValue("former"))
	if choice == "" { // whoever has not chosen is told what there is to choose
		switch former, ok, err := s.former(r.Context(), by, m.Address); {
		case err != nil:
			return s.answerForm(w, r, by, "", formSays{}, err)
		case ok:
			return s.askFormer(w, r, by, former)
		}
	}
	m, _, err = s.Mailboxes.Connect(r.Context(), by.Viewer, m, c, choice)
	if err != nil {
		return s.answerForm(w, r, by, "", formSays{}, err)
	}
	if way != "" {
		return s.beginFromForm(w, r, by, m, way)
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
		return s.answerForm(w, r, by, id.String(), formSays{}, err)
	}
	goTo(w, r, "/mailboxes/"+id.String())
	return nil
}

// answerForm shows what is wrong with a form, or what it was asked for. With htmx
// what was typed is not touched, but for fields that somebody asked to have filled;
// without it all but the password comes back.
func (s *Server) answerForm(w http.ResponseWriter, r *http.Request, by visitor, id string, says formSays, err error) error {
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
	form.Says, form.Typing = says, true
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
