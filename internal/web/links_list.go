package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
)

const linksAddress = "/mailboxes/links"

// A linksPage lists the links by which owners were asked to sign in.
type linksPage struct {
	frame
	Rows  []linkRow
	Open  bool // only those that nobody has signed in by yet
	Of    string
	Next  string
	Asked []askedView
	Fault *faultView
	Done  string
}

// A linkRow is a link in that list.
type linkRow struct {
	ID, Mailbox, Name, Address string
	State                      badge
	Box                        badge // the state of the mailbox
	Asked                      moment
	By                         string
	SentTo                     string
	Opened                     *moment
	Reminded                   *moment
	Until                      *moment // nil: it opens nothing any more
}

func (p linksPage) address(pairs ...string) string {
	v := url.Values{}
	if !p.Open {
		v.Set("all", "yes")
	}
	if p.Of != "" {
		v.Set("mailbox", p.Of)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	if len(v) == 0 {
		return linksAddress
	}
	return linksAddress + "?" + v.Encode()
}

// showLinks handles GET /mailboxes/links: who was asked, and has not signed in yet.
func (s *Server) showLinks(w http.ResponseWriter, r *http.Request, by visitor) error {
	p, err := s.linksPage(r, by)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, linksView(p))
}

func (s *Server) linksPage(r *http.Request, by visitor) (p linksPage, err error) {
	p = linksPage{frame: s.frame(by, "Links to sign in", "mailboxes"), Open: r.FormValue("all") == "", Of: r.FormValue("mailbox")}
	filter := credential.LinkFilter{Open: p.Open, Cursor: r.FormValue("cursor"), Limit: 100}
	if p.Of != "" {
		if filter.Mailbox, err = postroom.ParseID[postroom.MailboxID](p.Of); err != nil {
			return p, err
		}
	}
	list, next, err := s.Credentials.Links(r.Context(), by.Viewer, filter)
	if err != nil {
		return p, err
	}
	for _, l := range list {
		p.Rows = append(p.Rows, s.linkRow(l))
	}
	if next != "" {
		p.Next = p.address("cursor", next)
	}
	return p, nil
}

func (s *Server) linkRow(l credential.ListedLink) linkRow {
	now := s.now()
	row := linkRow{
		ID: l.ID.String(), Mailbox: l.Mailbox.String(), Name: l.Name, Address: l.Address, Box: mailboxBadge(l.State), Asked: tell(l.CreatedAt, now),
		By: l.AskedBy, SentTo: l.SentTo,
	}
	switch {
	case !l.UsedAt.IsZero():
		row.State = badge{"tick", "Signed in", "good"}
	case !l.RevokedAt.IsZero():
		row.State = badge{"cross", "Taken back", "rest"}
	case !l.IsOpen(now):
		row.State = badge{"clock", "Too old", "rest"}
	case !l.OpenedAt.IsZero():
		row.State = badge{"clock", "Opened, not signed in", "wait"}
	default:
		row.State = badge{"clock", "Not opened yet", "wait"}
	}
	if l.IsOpen(now) {
		until := tell(l.ExpiresAt, now)
		row.Until = &until
	}
	if !l.RemindedAt.IsZero() {
		at := tell(l.RemindedAt, now)
		row.Reminded = &at
	}
	if !l.OpenedAt.IsZero() {
		at := tell(l.OpenedAt, now)
		row.Opened = &at
	}
	return row
}

// changeLinks handles POST /mailboxes/links: links are sent once more, or taken back.
func (s *Server) changeLinks(w http.ResponseWriter, r *http.Request, by visitor) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	done, asked, err := s.changeEachLink(r, by)
	f, known := postroom.FaultOf(err)
	if err != nil && !known {
		return err
	}
	p, problem := s.linksPage(r, by)
	if problem != nil {
		return problem
	}
	p.Done, p.Asked = done, asked
	status := http.StatusOK
	if f != nil {
		v := viewFault(f)
		p.Fault, status = &v, statusOf(f.Kind)
	}
	keepClose(w)
	return s.render(w, r, status, linksView(p))
}

func (s *Server) changeEachLink(r *http.Request, by visitor) (done string, asked []askedView, err error) {
	var ids []postroom.SignInLinkID
	for _, text := range r.PostForm["link"] {
		id, err := postroom.ParseID[postroom.SignInLinkID](text)
		if err != nil {
			return "", nil, err
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 || len(ids) > maxMany {
		return "", nil, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "No link was chosen, or too many at once.", Remedy: "Tick the links that it is about.",
		}
	}
	n := int64(0)
	for _, id := range ids {
		var one error
		switch r.PostFormValue("do") {
		case "remind":
			var a credential.Asked
			if a, one = s.Credentials.Remind(r.Context(), by.Viewer, id, "", s.base(r)); one == nil {
				one = a.Err
			}
		case "revoke":
			one = s.Credentials.RevokeLink(r.Context(), by.Viewer, id)
		default:
			return "", nil, &postroom.Fault{
				Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Explanation: "Links can be sent once more, or taken back.", Remedy: "Choose one of the two.",
			}
		}
		if one == nil {
			n++
		}
		err = errors.Join(err, one)
	}
	words := "sent once more."
	if r.PostFormValue("do") == "revoke" {
		words = "taken back. Whoever has it finds that it opens nothing."
	}
	if n > 0 {
		done = plural(n, "link") + " " + words
	}
	return done, asked, err
}
