package api

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
)

// links are how the owners of mailboxes are asked to sign in.
type links interface {
	Ask(ctx context.Context, by postroom.Viewer, mailboxes []postroom.MailboxID, app postroom.OAuthAppID, o credential.AskOptions) ([]credential.Asked, error)
	Links(ctx context.Context, by postroom.Viewer, f credential.LinkFilter) (list []credential.ListedLink, next string, err error)
	RevokeLink(ctx context.Context, by postroom.Viewer, id postroom.SignInLinkID) error
	Remind(ctx context.Context, by postroom.Viewer, id postroom.SignInLinkID, to, base string) (credential.Asked, error)
}

// SignInLink lets the owner of a mailbox sign in, once, without an account here.
type SignInLink struct {
	ID         string     `json:"id"`
	Mailbox    string     `json:"mailbox"`
	Address    string     `json:"address" doc:"Of the mailbox."`
	App        string     `json:"oauth_app"`
	SentTo     string     `json:"sent_to" doc:"Empty where it was handed over otherwise."`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	SentAt     *time.Time `json:"sent_at"`
	RemindedAt *time.Time `json:"reminded_at"`
	OpenedAt   *time.Time `json:"opened_at" doc:"When somebody first looked at it."`
	UsedAt     *time.Time `json:"used_at" doc:"When somebody has signed in by it."`
	RevokedAt  *time.Time `json:"revoked_at"`
}

func showLink(l postroom.SignInLink, address string) SignInLink {
	return SignInLink{
		ID: l.ID.String(), Mailbox: l.Mailbox.String(), Address: address, App: l.App.String(), SentTo: l.SentTo,
		CreatedAt: l.CreatedAt.UTC(), ExpiresAt: l.ExpiresAt.UTC(), SentAt: moment(l.SentAt), RemindedAt: moment(l.RemindedAt),
		OpenedAt: moment(l.OpenedAt), UsedAt: moment(l.UsedAt), RevokedAt: moment(l.RevokedAt),
	}
}

func showListedLink(l credential.ListedLink) SignInLink { return showLink(l.SignInLink, l.Address) }

// AskedLink is a link that was just made.
type AskedLink struct {
	SignInLink
	URL   string `json:"url" doc:"To hand over; it is shown this once."`
	Fault *Fault `json:"fault" doc:"Why it was not sent; the link works all the same."`
}

type linksInput struct {
	Paging
	Mailbox string `query:"mailbox" doc:"Only those for this mailbox."`
	Open    bool   `query:"open" doc:"Only those that nobody has signed in by yet."`
}

func (s *Server) listLinks(ctx context.Context, v postroom.Viewer, in *linksInput) (*answer[list[SignInLink]], error) {
	f := credential.LinkFilter{Open: in.Open, Limit: in.Limit, Cursor: in.Cursor}
	if in.Mailbox != "" {
		id, err := postroom.ParseID[postroom.MailboxID](in.Mailbox)
		if err != nil {
			return nil, err
		}
		f.Mailbox = id
	}
	all, next, err := s.SignIns.Links(ctx, v, f)
	return answerOf(listOf(all, next, showListedLink), err)
}

type askInput struct {
	OfMailbox
	addressed
	Body struct {
		App    string `json:"oauth_app,omitempty"`
		SendTo string `json:"send_to,omitempty" maxLength:"1000" doc:"An address that the link is sent to; absent: nobody is sent anything."`
		Lasts  string `json:"lasts,omitempty" doc:"How long it works, like 168h, which is usual; 720h at most."`
	}
}

type createdLink struct {
	Location string `header:"Location"`
	Body     AskedLink
}

func (s *Server) askOwner(ctx context.Context, v postroom.Viewer, in *askInput) (*createdLink, error) {
	m, err := s.mailbox(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	app, err := appNamed(in.Body.App)
	if err != nil {
		return nil, err
	}
	o := credential.AskOptions{SendTo: in.Body.SendTo, Base: s.Base(in.request)}
	if in.Body.Lasts != "" {
		if o.TTL, err = time.ParseDuration(in.Body.Lasts); err != nil || o.TTL <= 0 {
			return nil, unfit("lasts", "This is not how a length of time is written here.", "Write it like 168h.")
		}
	}
	all, err := s.SignIns.Ask(ctx, v, []postroom.MailboxID{m.ID}, app, o)
	if err != nil {
		return nil, err
	}
	return s.shownLink(all[0], m.Address)
}

// shownLink is a link that was made; what is wrong with one that was made, but not
// sent, stands beside it.
func (s *Server) shownLink(a credential.Asked, address string) (*createdLink, error) {
	if a.Link.ID == 0 {
		return nil, a.Err
	}
	made := &createdLink{Prefix + "/sign-in-links/" + a.Link.ID.String(), AskedLink{SignInLink: showLink(a.Link, address), URL: a.URL.Reveal()}}
	if f, ok := postroom.FaultOf(a.Err); ok {
		made.Body.Fault = showFault(f)
	} else if a.Err != nil {
		return nil, a.Err
	}
	return made, nil
}

// OfLink names a link.
type OfLink struct {
	ID string `path:"id"`
}

func (s *Server) revokeLink(ctx context.Context, v postroom.Viewer, in *OfLink) (*struct{}, error) {
	id, err := postroom.ParseID[postroom.SignInLinkID](in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.SignIns.RevokeLink(ctx, v, id)
}

type remindInput struct {
	OfLink
	addressed
	Body *struct {
		SendTo string `json:"send_to,omitempty" maxLength:"1000" doc:"Another address than the first time."`
	}
}

func (s *Server) remindOwner(ctx context.Context, v postroom.Viewer, in *remindInput) (*answer[SignInLink], error) {
	id, err := postroom.ParseID[postroom.SignInLinkID](in.ID)
	if err != nil {
		return nil, err
	}
	to := ""
	if in.Body != nil {
		to = in.Body.SendTo
	}
	asked, err := s.SignIns.Remind(ctx, v, id, to, s.Base(in.request))
	if err == nil {
		err = asked.Err
	}
	if err != nil {
		return nil, err
	}
	m, err := s.Read.Mailbox(ctx, asked.Link.Mailbox)
	return answerOf(showLink(asked.Link, m.Address), err)
}
