package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A mailboxRow is a mailbox in a list.
type mailboxRow struct {
	ID      string
	Name    string
	Address string
	State   badge
	Since   moment
	Last    *moment // nil: nothing has arrived yet
	Next    *moment
	Reason  string // what is wrong; empty when nothing is
	Paused  bool
	Sends   bool
}

// A mailboxesPage is the list of mailboxes.
type mailboxesPage struct {
	frame
	Rows    []mailboxRow
	Query   string
	State   postroom.MailboxState
	States  []choice
	Next    string
	Gone    bool // a mailbox was just removed
	SignsIn bool // mailboxes can be signed in to at their providers
}

func (p mailboxesPage) filtered() bool { return p.Query != "" || p.State != "" }

func (p mailboxesPage) address(pairs ...string) string {
	v := url.Values{}
	if p.Query != "" {
		v.Set("q", p.Query)
	}
	if p.State != "" {
		v.Set("state", string(p.State))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	if len(v) == 0 {
		return "/mailboxes"
	}
	return "/mailboxes?" + v.Encode()
}

func (s *Server) mailboxRow(m postroom.Mailbox) mailboxRow {
	row := mailboxRow{ID: m.ID.String(), Name: m.Name, Address: m.Address, State: mailboxBadge(m.State), Since: tell(m.StateSince, s.now())}
	if !m.LastArrivalAt.IsZero() {
		last := tell(m.LastArrivalAt, s.now())
		row.Last = &last
	}
	if !m.NextTryAt.IsZero() && m.State.IsRead() && m.State != postroom.MailboxActive {
		next := tell(m.NextTryAt, s.now())
		row.Next = &next
	}
	if m.Fault != nil {
		row.Reason = m.Fault.Explanation
	}
	row.Paused, row.Sends = m.State == postroom.MailboxPaused, m.Outgoing != nil
	return row
}

// showMailboxes handles GET /mailboxes.
func (s *Server) showMailboxes(w http.ResponseWriter, r *http.Request, by visitor) error {
	live, err := s.Reader.LastEvent(r.Context())
	if err != nil {
		return err
	}
	p := mailboxesPage{frame: s.frame(by, "Mailboxes", "mailboxes"), Query: strings.TrimSpace(r.FormValue("q")), Gone: r.FormValue("removed") != ""}
	p.Live, p.SignsIn = live, s.Credentials != nil
	p.States = []choice{{Value: "", Word: "All states"}}
	for _, state := range postroom.MailboxStates() {
		chosen := r.FormValue("state") == string(state)
		if chosen {
			p.State = state
		}
		p.States = append(p.States, choice{Value: string(state), Word: mailboxBadge(state).Word, Chosen: chosen})
	}
	list, next, err := s.Reader.Mailboxes(r.Context(), store.MailboxFilter{State: p.State, Query: p.Query, Cursor: r.FormValue("cursor"), Limit: 100})
	if err != nil {
		return err
	}
	for _, m := range list {
		if by.IsAdmin() || by.CanSeeMail(m) {
			p.Rows = append(p.Rows, s.mailboxRow(m))
		}
	}
	if next != "" {
		p.Next = p.address("cursor", next)
	}
	switch target, _ := isHTMX(r); target {
	case "mailboxes":
		return s.render(w, r, http.StatusOK, mailboxList(p))
	case "more":
		return s.render(w, r, http.StatusOK, mailboxRows(p))
	}
	return s.render(w, r, http.StatusOK, mailboxesView(p))
}

// A mailboxPage is one mailbox: what it does, and its ledger.
type mailboxPage struct {
	frame
	mailboxRow
	Kind     postroom.MailboxState
	Words    string
	Fault    *faultView
	Protocol string
	Server   string
	Username string
	Folders  string
	Start    string
	After    string // what happens to a mail on the server
	Kept     string // how long originals are
	Leaves   string // what its removal leaves behind on the server
	Seen     string // who may see its mail
	Total    int64
	Waiting  int64
	Wrong    *faultView // with the form to remove it
	Sending  sending
	Due      *dueView    // nil: nothing is left to do on the server
	Places   *placesView // nil: it was only ever read in one place
	Gap      *gapView    // nil: it was not opened again just now
	Changes  []changeView
	Ends     []expiryView  // what of it is known to end
	Trip     roundTripView // for administrators

	NewPassword bool    // is what it waits for
	Opens       opening // what opens it, for who may sign in; empty words: not told
	MaySignIn   bool
	Brand       string // whom one signs in with

	StartKind postroom.StartKind
}

// asksForSignIn says whether somebody has to sign in.
func (p mailboxPage) asksForSignIn() bool {
	return p.Opens.IsSignIn && (p.Kind == postroom.MailboxNeedsSignIn || p.Kind == postroom.MailboxDraft && p.Opens.Since == nil)
}

func (s *Server) mailboxPage(ctx context.Context, by visitor, id postroom.MailboxID) (mailboxPage, error) {
	p := mailboxPage{}
	m, err := s.Reader.Mailbox(ctx, id)
	if err != nil {
		return p, err
	}
	if !by.IsAdmin() && !by.CanSeeMail(m) {
		return p, notForVisitor()
	}
	p = mailboxPage{
		frame: s.frame(by, m.Name, "mailboxes"), mailboxRow: s.mailboxRow(m), Kind: m.State, Words: mailboxWords(m.State, m.Fault != nil),
		Server: m.Incoming.Host, Username: m.Incoming.Username, Folders: strings.Join(m.Incoming.Folders, ", "), Start: startWords(m.Start),
		Sending: sendingOf(m), StartKind: m.Start.Kind, Protocol: protocolWord(m.Incoming.Protocol), After: afterWords(m.AfterImport, m.MoveTo),
		Kept: keptWords(m.RawRetentionDays), Leaves: removalWords(m.AfterImport),
	}
	if m.Incoming.Protocol == postroom.POP3 {
		p.Folders = "the inbox"
	}
	if err := s.addOpens(ctx, by, m, &p); err != nil {
		return p, err
	}
	if m.Fault != nil {
		v := s.viewMailboxFault(by, m.Fault, m)
		p.Fault, p.NewPassword = &v, asksForPassword(m) && !p.Opens.IsSignIn
	}
	if p.Seen, err = s.readersInWords(ctx, m); err != nil {
		return p, err
	}
	counts, err := s.Reader.ArrivalCounts(ctx, id)
	if err != nil {
		return p, err
	}
	for state, n := range counts {
		p.Total += n
		if state == postroom.ArrivalWaiting {
			p.Waiting = n
		}
	}
	p.Due, err = s.dueView(ctx, id)
	return p, err
}

// wholeMailbox is mailboxPage with what only the whole page shows.
func (s *Server) wholeMailbox(ctx context.Context, by visitor, id postroom.MailboxID) (p mailboxPage, err error) {
	if p, err = s.mailboxPage(ctx, by, id); err != nil {
		return p, err
	}
	if p.Changes, err = s.changesOf(ctx, id); err != nil {
		return p, err
	}
	if p.Ends, err = s.endsOfMailbox(ctx, by, id); err != nil {
		return p, err
	}
	if by.IsAdmin() {
		m, err := s.Reader.Mailbox(ctx, id)
		if err != nil {
			return p, err
		}
		if p.Trip, err = s.roundTripView(ctx, by, m); err != nil {
			return p, err
		}
	}
	p.Places, err = s.placesView(ctx, by, id)
	return p, err
}

func startWords(start postroom.Start) string {
	switch {
	case start.Kind == postroom.StartAll:
		return "all mail that the server has"
	case start.At.IsZero():
		return "from the moment it is proven"
	case start.Kind == postroom.StartDate:
		return "from " + start.At.Format("2 January 2006") + " on"
	}
	return "what has arrived since " + start.At.Format("2 January 2006, 15:04") + " UTC"
}

func (s *Server) readersInWords(ctx context.Context, m postroom.Mailbox) (string, error) {
	ids, everyone := m.Visibility.Readers(m.Owner)
	if everyone {
		return "everyone", nil
	}
	users, err := s.Door.Users(ctx)
	if err != nil {
		return "", err
	}
	var names []string
	for _, u := range users {
		for _, id := range ids {
			if u.ID == id {
				names = append(names, u.Name)
			}
		}
	}
	if len(names) == 0 {
		return "nobody", nil
	}
	return strings.Join(names, ", "), nil
}

// showMailbox handles GET /mailboxes/{id}.
func (s *Server) showMailbox(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	live, err := s.Reader.LastEvent(r.Context())
	if err != nil {
		return err
	}
	if target, _ := isHTMX(r); target == "mailbox-state" {
		p, err := s.mailboxPage(r.Context(), by, id)
		if err != nil {
			return err
		}
		return s.render(w, r, http.StatusOK, mailboxState(p))
	}
	p, err := s.wholeMailbox(r.Context(), by, id)
	if err == nil {
		err = s.addGap(r, by, id, &p)
	}
	if err != nil {
		return err
	}
	if target, _ := isHTMX(r); target == "gap" && p.Gap != nil {
		return s.render(w, r, http.StatusOK, gapBanner(*p.Gap))
	}
	if target, _ := isHTMX(r); target == "places" && p.Places != nil {
		return s.render(w, r, http.StatusOK, placesSection(p))
	}
	p.Live = live
	return s.render(w, r, http.StatusOK, mailboxView(p))
}

func (s *Server) pauseMailbox(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.moveMailbox(w, r, by, s.Mailboxes.Pause)
}

func (s *Server) resumeMailbox(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.moveMailbox(w, r, by, s.Mailboxes.Resume)
}

func (s *Server) moveMailbox(w http.ResponseWriter, r *http.Request, by visitor, move func(context.Context, postroom.Viewer, postroom.MailboxID) error) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := move(r.Context(), by.Viewer, id); err != nil {
		return err
	}
	if r.PostFormValue("back") == "list" {
		goTo(w, r, "/mailboxes")
		return nil
	}
	goTo(w, r, "/mailboxes/"+id.String())
	return nil
}

// removeMailbox handles POST /mailboxes/{id}/remove. What it destroys cannot be
// brought back, so it asks for the password of the one who does it.
func (s *Server) removeMailbox(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	p, err := s.wholeMailbox(r.Context(), by, id)
	if err != nil {
		return err
	}
	if err := s.confirm(r, by, postroom.Hide(r.PostFormValue("password"))); err != nil {
		f, ok := postroom.FaultOf(err)
		if !ok {
			return err
		}
		v := viewFault(f)
		p.Wrong, p.Live = &v, -1
		return s.render(w, r, http.StatusUnprocessableEntity, mailboxView(p))
	}
	if err := s.Mailboxes.Delete(r.Context(), by.Viewer, id, r.PostFormValue("issues") == "erase"); err != nil {
		return err
	}
	goTo(w, r, "/mailboxes?removed=1")
	return nil
}

// confirm is nil when the password is that of the one who asks.
func (s *Server) confirm(r *http.Request, by visitor, password postroom.Secret) error {
	me, err := s.Door.User(r.Context(), by.User)
	if err != nil {
		return err
	}
	proof, _, err := s.Door.SignIn(r.Context(), me.Email, password, s.client(r))
	if f, ok := postroom.FaultOf(err); ok && f.Kind == postroom.Unauthenticated {
		return &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.BadCredentials, FixBy: postroom.FixByUser, Field: "password",
			Explanation: "This is not your password.", Remedy: "Look for a slip of the finger.", Err: err,
		}
	}
	if err != nil {
		return err
	}
	return s.Door.SignOut(r.Context(), proof.Reveal())
}
