package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A symptom is how somebody notices that mail is missing, and where that leads.
type symptom struct {
	Title, Words string
	Address      string
	Also         string // what else people say, for the search
}

const arriveAddress = "/help/arrive"

// symptoms are the ways to notice it, the most frequent first.
func symptoms() []symptom {
	return []symptom{
		{"A mailbox has gone quiet", "Nothing new has come in for a while, or less than usual.", arriveAddress + "#mailboxes", "no new mail stopped silent empty delayed"},
		{"I was told that the password is no longer accepted", "By Google, Yahoo, Apple or another provider, or because somebody changed it.", arriveAddress + "?what=password",
			"refused wrong password changed app password google blocked sign in temporary password 2fa code"},
		{"One mail is missing", "A colleague got it, the sender is sure, or it is in the webmail and not here.", arriveAddress + "?what=missing", "colleague got it lost search find sender"},
		{"The sender got it back", "An answer came that says it could not be delivered.", arriveAddress + "?what=bounced", "bounce bounced returned undeliverable mailer-daemon not delivered rejected"},
		{"It is in the spam folder", "Somebody found it there, or it may be there.", arriveAddress + "?what=spam", "junk spam filter folder rule"},
	}
}

// An arrivePage leads from a symptom to what to do.
type arrivePage struct {
	frame
	What     string
	Query    string // of mailboxes, or of the mail that is missing
	Symptoms []symptom
	Troubled []mailboxRow // those that Postroom knows to be in trouble
	Further  int64        // how many of them are not named
	Rows     []mailboxRow
	More     bool
	Ask      string // who can change settings; empty: the visitor can

	// Of the mail that is missing.
	Found   []issueRow
	Gone    []issueRow // deleted issues
	Hidden  bool       // there are mailboxes whose mail the visitor may not see
	Guides  []guideLine
	Folders []folderLine
}

// A guideLine is a mailbox that waits for a password, and where the way begins.
type guideLine struct {
	mailboxRow
	Guide string // empty: its provider has no app passwords

	SignIn string // where one signs in again; empty: a password opens it
}

// A folderLine is a mailbox and the folders of it that are read.
type folderLine struct{ Name, Folders, Address string }

// shownMailboxes is how many mailboxes a page of help names.
const shownMailboxes = 50

// showArrive handles GET /help/arrive.
func (s *Server) showArrive(w http.ResponseWriter, r *http.Request, by visitor) error {
	p := arrivePage{
		frame: s.frame(by, "My mail no longer arrives", "help"), What: r.FormValue("what"), Query: strings.TrimSpace(r.FormValue("q")), Symptoms: symptoms(),
	}
	var err error
	if !by.IsAdmin() {
		if p.Ask, err = s.administrators(r.Context()); err != nil {
			return err
		}
	}
	switch p.What {
	case "password":
		err = s.findRefused(r.Context(), by, &p)
	case "missing":
		err = s.findMissingMail(r.Context(), by, &p)
	case "bounced", "spam":
		err = s.findFolders(r.Context(), by, &p)
	default:
		p.What = ""
		err = s.findQuiet(r.Context(), by, &p)
	}
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, arriveView(p))
}

// seenMailboxes are the first mailboxes that a visitor may know of and that fit a search.
func (s *Server) seenMailboxes(ctx context.Context, by visitor, query string) (all []postroom.Mailbox, more bool, err error) {
	cursor := ""
	for {
		list, next, err := s.Reader.Mailboxes(ctx, store.MailboxFilter{Query: query, Cursor: cursor, Limit: store.MaxPage})
		if err != nil {
			return nil, false, err
		}
		for _, m := range list {
			if !by.IsAdmin() && !by.CanSeeMail(m) {
				continue
			}
			if len(all) == shownMailboxes {
				return all, true, nil
			}
			all = append(all, m)
		}
		if cursor = next; cursor == "" {
			return all, false, nil
		}
	}
}

// findQuiet lists the mailboxes, those in trouble first.
func (s *Server) findQuiet(ctx context.Context, by visitor, p *arrivePage) error {
	h, err := s.Reader.Health(ctx, by.Viewer)
	if err != nil {
		return err
	}
	most := shownMailboxes
	if p.Query == "" {
		most = 5 // what was noticed comes below them
	}
	for _, m := range h.Troubled {
		switch {
		case !has(p.Query, m.Name, m.Address):
		case len(p.Troubled) < most:
			p.Troubled = append(p.Troubled, s.mailboxRow(m))
		default:
			p.Further++
		}
	}
	list, more, err := s.seenMailboxes(ctx, by, p.Query)
	p.More = more
	for _, m := range list {
		if m.State == postroom.MailboxActive || m.Fault == nil || m.State == postroom.MailboxPaused {
			p.Rows = append(p.Rows, s.mailboxRow(m))
		}
	}
	return err
}

// findRefused lists the mailboxes whose password is refused.
func (s *Server) findRefused(ctx context.Context, by visitor, p *arrivePage) error {
	h, err := s.Reader.Health(ctx, by.Viewer)
	if err != nil {
		return err
	}
	for _, m := range h.Troubled {
		if !asksForPassword(m) || len(p.Guides) == shownMailboxes {
			continue
		}
		line := guideLine{mailboxRow: s.mailboxRow(m)}
		opens, err := s.opening(ctx, by, m)
		if err != nil {
			return err
		}
		if opens.IsSignIn {
			line.SignIn = signInAddress(m.ID)
		} else if preset, ok := s.Presets.For(m.Address, m.Incoming.Host); ok {
			if _, ok := preset.Guide(m.Address); ok {
				line.Guide = guideAddress(preset.ID, m)
			}
		}
		p.Guides = append(p.Guides, line)
	}
	return nil
}

// asksForPassword says whether a new password is what a mailbox waits for.
func asksForPassword(m postroom.Mailbox) bool {
	if m.Fault == nil {
		return false
	}
	switch m.Fault.Class {
	case postroom.BadCredentials, postroom.AppPasswordRequired, postroom.AccountPasswordPasted, postroom.TwoStepOff:
		return true
	}
	return m.State == postroom.MailboxNeedsSignIn
}

// findMissingMail looks for a mail by its sender or by words of it.
func (s *Server) findMissingMail(ctx context.Context, by visitor, p *arrivePage) error {
	hides, err := s.Reader.HidesMailboxes(ctx, by.Viewer)
	if err != nil {
		return err
	}
	p.Hidden = hides
	if p.Query == "" {
		return nil
	}
	for deleted, into := range map[bool]*[]issueRow{false: &p.Found, true: &p.Gone} {
		lines, _, err := s.Reader.Issues(ctx, by.Viewer, store.IssueFilter{Query: p.Query, Deleted: deleted, Limit: 10})
		if err != nil {
			return err
		}
		for _, line := range lines {
			*into = append(*into, s.row(line, filter{}, 0))
		}
	}
	return nil
}

// findFolders lists which folders are read.
func (s *Server) findFolders(ctx context.Context, by visitor, p *arrivePage) error {
	list, more, err := s.seenMailboxes(ctx, by, "")
	p.More = more
	for _, m := range list {
		address := arriveAddress + "/" + m.ID.String()
		if by.IsAdmin() && m.Incoming.Protocol != postroom.POP3 {
			address = "/mailboxes/" + m.ID.String() + "/settings#incoming-folders"
		}
		p.Folders = append(p.Folders, folderLine{m.Name, foldersInWords(m), address})
		p.Rows = append(p.Rows, s.mailboxRow(m))
	}
	return err
}

func foldersInWords(m postroom.Mailbox) string {
	if m.Incoming.Protocol == postroom.POP3 {
		return "the inbox, as POP3 shows no other folder"
	}
	if len(m.Incoming.Folders) == 1 && strings.EqualFold(m.Incoming.Folders[0], "INBOX") {
		return "the inbox only"
	}
	return strings.Join(m.Incoming.Folders, ", ")
}

// A quietPage says what Postroom knows of one mailbox whose mail is missed.
type quietPage struct {
	mailboxPage
	Folders string
	Aside   int64  // mail that was set aside
	AsideAt string // where it is listed
	Start   string // from when on mail is brought in; empty: all
	Ask     string // who can change settings; empty: the visitor can
	Address string
}

// showQuiet handles GET /help/arrive/{id}.
func (s *Server) showQuiet(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	m, err := s.seenMailbox(r.Context(), by, id)
	if err != nil {
		return err
	}
	box, err := s.mailboxPage(r.Context(), by, id)
	if err != nil {
		return err
	}
	box.frame = s.frame(by, "Why is "+m.Name+" quiet?", "help")
	p := quietPage{mailboxPage: box, Folders: foldersInWords(m), Address: m.Address}
	if !by.IsAdmin() {
		if p.Ask, err = s.administrators(r.Context()); err != nil {
			return err
		}
	}
	if m.Start.Kind != postroom.StartAll {
		p.Start = startWords(m.Start)
	}
	counts, err := s.Reader.ArrivalCounts(r.Context(), id)
	if err != nil {
		return err
	}
	p.Aside = counts[postroom.ArrivalQuarantined]
	p.AsideAt = "/mailboxes/" + id.String() + "/arrivals?" + url.Values{"state": {string(postroom.ArrivalQuarantined)}}.Encode()
	if p.Live, err = s.Reader.LastEvent(r.Context()); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, quietView(p))
}

func (p quietPage) isReading() bool { return p.Kind == postroom.MailboxActive }

func (p quietPage) paused() bool { return p.Kind == postroom.MailboxPaused }
