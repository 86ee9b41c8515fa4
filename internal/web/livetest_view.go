package web

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// A testPage is a test as far as it is: both sides with their steps.
type testPage struct {
	ID       string // of the live test; empty: it was made without one
	Mailbox  string // whose kept settings are tested; empty: those of a form beside it
	Fill     string // where that form takes a value that is advised
	At       string // where the test was asked for
	Incoming testColumn
	Outgoing testColumn
	Now      string // the last step in words, for who cannot see it
}

// A testColumn is one side of a test.
type testColumn struct {
	Side  mailbox.Side
	Shown bool
	Where string // the server
	Steps []stepView
}

// A stepView is a step of a test.
type stepView struct {
	Kind        mailbox.StepKind
	Title       string
	OK          bool
	Running     bool
	Detail      string
	Took        string
	Fault       *faultView
	Certificate *certificateView // one that can be trusted though it was refused
}

// A certificateView is a certificate that a person may decide to trust.
type certificateView struct {
	Subject, Issuer string
	Names           string
	From, Until     string
	Fingerprint     string // as people compare it
	Field, SHA256   string // where it is kept, and as it is kept there
}

// An adviceView is a value that a setting had better have.
type adviceView struct {
	Words  string
	Button string
	Field  string
	Value  string // as the form takes it
}

// A testEnd is what a test has come to.
type testEnd struct {
	testPage
	OK       bool
	Fault    *faultView // the test could not be made, or was not needed any more
	Dialogue string
	Advice   []adviceView
	Known    *folderList // the folders that the server lists; nil: it was not asked
	Beside   []besideView
	Keep     string // why the password that was tried can be kept all the same; empty: it cannot
	To       string // where the page goes now, for what was tried is kept; empty: it stays
	Lost     bool   // the connection broke, and nobody knows
}

// success is what works.
func (e testEnd) success() string {
	switch {
	case !e.Incoming.Shown:
		return "Sending works."
	case !e.Outgoing.Shown:
		return "Reading works."
	}
	return "Everything works."
}

// A besideView says beside a field of the form what is wrong with it.
type besideView struct{ Field, Words string }

// testOf is a test of a mailbox that has not begun.
func testOf(m postroom.Mailbox, side mailbox.Side) testPage {
	v := testPage{
		Incoming: testColumn{Side: mailbox.IncomingSide, Shown: side != mailbox.OutgoingSide, Where: serverWords(m.Incoming.ServerSettings, m.Incoming.Protocol)},
		Outgoing: testColumn{Side: mailbox.OutgoingSide},
	}
	if m.Outgoing != nil && side != mailbox.IncomingSide {
		v.Outgoing.Shown, v.Outgoing.Where = true, serverWords(m.Outgoing.ServerSettings, postroom.SMTP)
	}
	return v
}

func serverWords(s postroom.ServerSettings, p postroom.Protocol) string {
	if s.Host == "" {
		return ""
	}
	words := s.Host
	if p != "" {
		words += " by " + strings.ToUpper(string(p))
	}
	return words
}

func (c testColumn) title() string {
	if c.Side == mailbox.OutgoingSide {
		return "Sending"
	}
	return "Reading"
}

// tell adds what a test says of a step, or completes the step that is running, and
// returns the side that it belongs to.
func (v *testPage) tell(shown stepView) *testColumn {
	side := &v.Incoming
	if shown.Kind.IsOutgoing() {
		side = &v.Outgoing
	}
	side.Shown = true
	v.Now = shown.spoken()
	if last := len(side.Steps) - 1; last >= 0 && side.Steps[last].Running && side.Steps[last].Kind == shown.Kind {
		side.Steps[last] = shown
		return side
	}
	side.Steps = append(side.Steps, shown)
	return side
}

// spoken is a step as it is read out.
func (s stepView) spoken() string {
	switch {
	case s.Running:
		return s.Title
	case s.OK:
		return s.Title + ": works"
	case s.Fault != nil:
		return s.Title + ": does not work. " + s.Fault.Explanation
	}
	return s.Title + ": does not work"
}

func (s *Server) viewStep(by visitor, m postroom.Mailbox, step mailbox.Step) stepView {
	v := stepView{Kind: step.Kind, Title: step.Kind.Title(), OK: step.OK, Running: step.Running, Detail: step.Detail}
	if !step.Running {
		v.Took = lasted(step.Took)
	}
	if step.Fault == nil {
		return v
	}
	f := s.viewMailboxFault(by, step.Fault, m)
	v.Fault = &f
	if c := step.Certificate; step.Fault.Class == postroom.TLSUntrusted && c != nil && len(c.SHA256) == 2*sha256.Size {
		v.Certificate = viewCertificate(*c, step.Kind.IsOutgoing())
	}
	return v
}

func viewCertificate(c mailbox.Certificate, outgoing bool) *certificateView {
	v := &certificateView{
		Subject: c.Subject, Issuer: c.Issuer, SHA256: strings.ToLower(c.SHA256), Field: "incoming.pinned_sha256",
		From: c.NotBefore.Format("2 January 2006"), Until: c.NotAfter.Format("2 January 2006"),
	}
	if outgoing {
		v.Field = "outgoing.pinned_sha256"
	}
	const enough = 5
	names := c.Names
	if len(names) > enough {
		names = append(names[:enough:enough], fmt.Sprintf("and %d more", len(c.Names)-enough))
	}
	v.Names = strings.Join(names, ", ")
	var pairs []string
	for i := 0; i+2 <= len(v.SHA256); i += 2 {
		pairs = append(pairs, strings.ToUpper(v.SHA256[i:i+2]))
	}
	v.Fingerprint = strings.Join(pairs, " ")
	return v
}

// viewEnd is what a test has come to.
func (s *Server) viewEnd(by visitor, page testPage, m postroom.Mailbox, r mailbox.Report) testEnd {
	end := testEnd{testPage: page, OK: r.OK, Dialogue: dialogueText(m, r.Dialogue)}
	end.Incoming.Steps, end.Outgoing.Steps = nil, nil
	for _, step := range r.Steps {
		end.tell(s.viewStep(by, m, step))
		if field := wrongField(step, end.Beside); field != "" {
			end.Beside = append(end.Beside, besideView{field, step.Fault.Explanation})
		}
	}
	for _, a := range r.Advice {
		end.Advice = append(end.Advice, viewAdvice(a))
	}
	if len(r.Folders) > 0 {
		end.Known = listFolders(r.Folders, m.Incoming.Folders)
		end.Known.Fill = page.Fill
	}
	return end
}

// wrongField is the field that a step shows to be wrong; empty: none, or it is known
// already. A password that is refused is wrong where it stands.
func wrongField(s mailbox.Step, known []besideView) string {
	if s.Fault == nil {
		return ""
	}
	if s.Fault.Field != "" {
		return s.Fault.Field
	}
	switch s.Fault.Class {
	case postroom.BadCredentials, postroom.AppPasswordRequired, postroom.AccountPasswordPasted:
	default:
		return ""
	}
	const opensBoth = "credential.password"
	switch {
	case !s.Kind.IsOutgoing():
		return opensBoth
	case slices.ContainsFunc(known, func(b besideView) bool { return b.Field == opensBoth }):
		return ""
	}
	return "outgoing." + opensBoth
}

// viewAdvice is advice with the button that follows it. The API takes times as "12s",
// the form as seconds.
func viewAdvice(a mailbox.Advice) adviceView {
	v := adviceView{Words: a.Words, Field: a.Field, Value: a.Value, Button: "Use " + a.Value}
	if d, err := time.ParseDuration(a.Value); err == nil {
		v.Value = seconds(d)
		v.Button = "Use " + v.Value + " seconds"
	}
	return v
}

// dialogueText is what was said with the servers, as it goes into a ticket.
func dialogueText(m postroom.Mailbox, lines []mailbox.DialogueLine) string {
	if len(lines) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Test of %s, %s\n", m.Address, lines[0].At.UTC().Format("2 January 2006, 15:04:05 MST"))
	side := mailbox.BothSides
	for _, line := range lines {
		if line.Side != side {
			side = line.Side
			b.WriteString("\n" + sideWords(m, side) + "\n")
		}
		text := strings.TrimRight(line.Text, "\r\n")
		fmt.Fprintf(&b, "%s %c: %s\n", line.At.UTC().Format("15:04:05.000"), line.Direction, text)
	}
	return b.String()
}

func sideWords(m postroom.Mailbox, side mailbox.Side) string {
	server, by, what := m.Incoming.ServerSettings, m.Incoming.Protocol, "Reading: "
	if side == mailbox.OutgoingSide && m.Outgoing != nil {
		server, by, what = m.Outgoing.ServerSettings, postroom.SMTP, "Sending: "
	}
	words := what + serverWords(server, by)
	if server.Port != 0 {
		words += ", port " + strconv.Itoa(server.Port)
	}
	return words + " (C: Postroom, S: the server)"
}

// stream is where the page listens. Another node than the one that was asked knows
// nothing of the test; it then offers to make it at once, where it was asked for.
func (p testPage) stream() string {
	return "/tests/" + p.ID + "?" + url.Values{"at": {p.At}}.Encode()
}

// isAtOnce says whether a test is made before its page is answered: without scripts,
// and where no node could be listened to.
func isAtOnce(r *http.Request) bool {
	_, scripts := isHTMX(r)
	return !scripts || r.PostFormValue("at_once") != ""
}

// settingsWith is the page with the settings of a mailbox in which one field has
// another value that is not kept yet.
func (p testPage) settingsWith(field, value string) string {
	return "/mailboxes/" + p.Mailbox + "/settings?" + url.Values{"set": {field + "=" + value}}.Encode() + "#" + fieldID(field)
}
