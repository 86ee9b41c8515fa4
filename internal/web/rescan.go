package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// A rescanPage holds what the server of a mailbox has against its ledger, and brings
// in what is missing.
type rescanPage struct {
	mailboxPage
	Found  *foundView // nil: the server is still to be asked
	Result *broughtView

	Email     string // of the administrator who confirms
	From      string // which start was chosen: "", all or date
	Day       string
	CanGoBack bool // the mailbox has a start that could be earlier
	Wrong     *faultView
}

// A foundView is what a dry run has found.
type foundView struct {
	Sentence  string
	Badge     badge
	Missing   int64
	Deleted   string // in words; empty: none
	Older     string
	ByContent bool
	Fault     *faultView
}

// A broughtView is what a rescan has done.
type broughtView struct {
	Words string
	Badge badge
}

func (s *Server) rescanPage(ctx context.Context, by visitor, r *http.Request) (p rescanPage, id postroom.MailboxID, err error) {
	id, err = postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return p, id, err
	}
	p.mailboxPage, err = s.mailboxPage(ctx, by, id)
	if err != nil {
		return p, id, err
	}
	p.CanGoBack = p.StartKind != postroom.StartAll
	if by.IsAdmin() {
		me, err := s.Door.User(ctx, by.User)
		if err != nil {
			return p, id, err
		}
		p.Email = me.Email
	}
	return p, id, nil
}

func (s *Server) renderRescan(w http.ResponseWriter, r *http.Request, status int, p rescanPage) (err error) {
	p.Title = "Rescan " + p.Name
	if p.Live, err = s.Reader.LastEvent(r.Context()); err != nil {
		return err
	}
	return s.render(w, r, status, rescanView(p))
}

// showRescan handles GET /mailboxes/{id}/rescan. It changes nothing and asks nobody.
func (s *Server) showRescan(w http.ResponseWriter, r *http.Request, by visitor) error {
	p, _, err := s.rescanPage(r.Context(), by, r)
	if err != nil {
		return err
	}
	return s.renderRescan(w, r, http.StatusOK, p)
}

// findMissing handles GET /mailboxes/{id}/rescan/found: the dry run. It waits for the
// server's list.
func (s *Server) findMissing(w http.ResponseWriter, r *http.Request, by visitor) error {
	p, id, err := s.rescanPage(r.Context(), by, r)
	if err != nil {
		return err
	}
	if p.Found, err = s.dryRun(r.Context(), by, id); err != nil {
		return err
	}
	if _, ok := isHTMX(r); ok {
		return s.render(w, r, http.StatusOK, rescanFound(p))
	}
	return s.renderRescan(w, r, http.StatusOK, p)
}

func (s *Server) dryRun(ctx context.Context, by visitor, id postroom.MailboxID) (*foundView, error) {
	found, err := s.Mailboxes.Rescan(ctx, by.Viewer, id, mailbox.RescanRequest{DryRun: true})
	if err != nil {
		return nil, err
	}
	m, err := s.Reader.Mailbox(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.viewFound(by, m, found), nil
}

func (s *Server) viewFound(by visitor, m postroom.Mailbox, found mailbox.Rescan) *foundView {
	v := &foundView{Missing: found.Unaccounted, ByContent: found.ByContent}
	if found.Fault != nil {
		f := s.viewMailboxFault(by, found.Fault, m)
		v.Fault = &f
		v.Sentence, v.Badge = "The server could not be asked what it has.", badge{"clock", "Not asked", "wait"}
		return v
	}
	v.Sentence = number(found.Known) + " known, " + number(found.Unaccounted) + " on the server that " + areIs(found.Unaccounted) + " not here, " +
		number(found.Gone) + " here that " + areIs(found.Gone) + " gone from the server."
	v.Badge = badge{"tick", "Complete", "good"}
	if found.Unaccounted > 0 {
		v.Badge = badge{"warning", "Something is missing", "wait"}
	}
	if found.Deleted > 0 {
		v.Deleted = number(found.Deleted) + " of those known " + areIs(found.Deleted) + " still on the server, but people deleted them here. They stay deleted."
	}
	if found.BeforeStart > 0 {
		v.Older = number(found.BeforeStart) + " of those known " + areIs(found.BeforeStart) + " older than the start of this mailbox, so they are not brought in."
	}
	return v
}

// bringMissing handles POST /mailboxes/{id}/rescan, which an administrator confirms,
// whoever is signed in.
func (s *Server) bringMissing(w http.ResponseWriter, r *http.Request, by visitor) error {
	p, id, err := s.rescanPage(r.Context(), by, r)
	if err != nil {
		return err
	}
	p.Email, p.From, p.Day = strings.TrimSpace(r.PostFormValue("email")), r.PostFormValue("start"), r.PostFormValue("start_date")
	found, err := s.rescan(r, id, p)
	status := http.StatusOK
	f, known := postroom.FaultOf(err)
	switch {
	case err == nil && found.Fault != nil:
		m, err := s.Reader.Mailbox(r.Context(), id)
		if err != nil {
			return err
		}
		p.Found = s.viewFound(by, m, found)
	case err == nil:
		if p.mailboxPage, err = s.mailboxPage(r.Context(), by, id); err != nil { // as it is now
			return err
		}
		p.Result = viewBrought(found)
	case known && (f.Kind == postroom.Invalid || f.Kind == postroom.TooMany):
		v := viewFault(f)
		p.Wrong, status = &v, statusOf(f.Kind)
	default:
		return err
	}
	if _, ok := isHTMX(r); ok {
		return s.render(w, r, status, rescanAnswer(p))
	}
	if p.Wrong != nil {
		if p.Found, err = s.dryRun(r.Context(), by, id); err != nil {
			return err
		}
	}
	return s.renderRescan(w, r, status, p)
}

func (s *Server) rescan(r *http.Request, id postroom.MailboxID, p rescanPage) (mailbox.Rescan, error) {
	request := mailbox.RescanRequest{}
	switch p.From {
	case string(postroom.StartAll):
		request.Start = &postroom.Start{Kind: postroom.StartAll}
	case string(postroom.StartDate):
		at, err := time.Parse(time.DateOnly, p.Day)
		if err != nil {
			return mailbox.Rescan{}, &postroom.Fault{
				Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "start",
				Explanation: "The day is missing from which mail is to be brought in.", Remedy: "Write it as 2026-11-20.", Err: err,
			}
		}
		request.Start = &postroom.Start{Kind: postroom.StartDate, At: at}
	}
	confirmed, err := s.Door.ConfirmAdministrator(r.Context(), p.Email, postroom.Hide(r.PostFormValue("password")), s.client(r))
	if err != nil {
		return mailbox.Rescan{}, err
	}
	return s.Mailboxes.Rescan(r.Context(), confirmed, id, request)
}

func viewBrought(found mailbox.Rescan) *broughtView {
	switch {
	case !found.Finished:
		return &broughtView{"It goes on by itself, also when this page is closed. Below you see how far it is.", badge{"clock", "Under way", "wait"}}
	case found.Brought == 0:
		return &broughtView{"There was nothing to bring in: all that the server has is here.", badge{"tick", "Complete", "good"}}
	case found.Brought == 1:
		return &broughtView{"1 message is brought in, or on its way.", badge{"tick", "Done", "good"}}
	}
	return &broughtView{number(found.Brought) + " messages are brought in, or on their way.", badge{"tick", "Done", "good"}}
}
