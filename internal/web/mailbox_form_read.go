package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

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
