package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
)

// signIns is where people sign in for mailboxes: *credential.Desk.
type signIns interface {
	Begin(ctx context.Context, by postroom.Viewer, m postroom.MailboxID, app postroom.OAuthAppID) (credential.Begun, error)
	BeginDevice(ctx context.Context, by postroom.Viewer, m postroom.MailboxID, app postroom.OAuthAppID) (postroom.SignIn, credential.Shown, error)
	Bring(ctx context.Context, by postroom.Viewer, m postroom.MailboxID, app postroom.OAuthAppID, refresh postroom.Secret) (postroom.SignIn, error)
	SignInByID(ctx context.Context, by postroom.Viewer, id postroom.SignInID) (credential.Progress, error)
	AnswerByID(ctx context.Context, by postroom.Viewer, id postroom.SignInID, c credential.Choice) (credential.Progress, error)
	Credential(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) (credential.View, error)
	links
}

// addressed knows the request, for answers that hold an address of this Postroom.
type addressed struct{ request *http.Request }

// Resolve keeps the request.
func (a *addressed) Resolve(ctx huma.Context) []error {
	a.request, _ = humago.Unwrap(ctx)
	return nil
}

// SignIn is a sign-in on its way.
type SignIn struct {
	ID        string     `json:"id"`
	Mailbox   string     `json:"mailbox"`
	App       string     `json:"oauth_app"`
	Way       string     `json:"way" enum:"code,device,app,brought"`
	Step      string     `json:"step" enum:"begun,sent,returned,asking,proposed,proven,refused" doc:"asking: another account than expected has signed in, and somebody has to say what about it. proven: it opens the mailbox."`
	Account   string     `json:"account" doc:"Who signed in, as the provider tells it; empty while nobody has, or where it does not tell."`
	Fault     *Fault     `json:"fault" doc:"Why it was refused, or what keeps it from being proven."`
	Choices   []string   `json:"choices" nullable:"false" doc:"With asking: what can be said, by POST …/answer."`
	Missed    int        `json:"missed" doc:"Mails that arrived since it began, once it is proven."`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	EndedAt   *time.Time `json:"ended_at"`
}

func showSignIn(s postroom.SignIn) SignIn {
	return SignIn{
		ID: s.ID.String(), Mailbox: s.Mailbox.String(), App: s.App.String(), Way: string(s.Way), Step: string(s.Step), Account: s.Account.Address,
		Fault: showFault(s.Fault), Choices: []string{}, CreatedAt: s.CreatedAt.UTC(), ExpiresAt: s.ExpiresAt.UTC(), EndedAt: moment(s.EndedAt),
	}
}

func showProgress(p credential.Progress) SignIn {
	shown := showSignIn(p.SignIn)
	shown.Missed = p.Missed
	for _, c := range p.Choices {
		shown.Choices = append(shown.Choices, string(c))
	}
	return shown
}

type connectInput struct {
	OfMailbox
	addressed
	Body *struct {
		App string `json:"oauth_app,omitempty" doc:"The registration to sign in by; the one that fits best where none is named."`
	}
}

// Connecting is a sign-in that waits for a browser.
type Connecting struct {
	URL       string    `json:"url" doc:"Send the browser of whoever signs in here; it is sent on by redirects alone, and works once, until expires_at. They need no account here."`
	SignIn    string    `json:"sign_in"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (s *Server) connectMailbox(ctx context.Context, v postroom.Viewer, in *connectInput) (*answer[Connecting], error) {
	id, err := postroom.ParseID[postroom.MailboxID](in.ID)
	if err != nil {
		return nil, err
	}
	named := ""
	if in.Body != nil {
		named = in.Body.App
	}
	app, err := appNamed(named)
	if err != nil {
		return nil, err
	}
	begun, err := s.SignIns.Begin(ctx, v, id, app)
	if err != nil {
		return nil, err
	}
	return answerOf(Connecting{s.Base(in.request) + begun.Path, begun.SignIn.ID.String(), begun.SignIn.ExpiresAt.UTC()}, nil)
}

// appNamed is a registration that a request names; empty is none.
func appNamed(text string) (postroom.OAuthAppID, error) {
	if text == "" {
		return 0, nil
	}
	id, err := postroom.ParseID[postroom.OAuthAppID](text)
	if err != nil {
		return 0, unfit("oauth_app", "There is no registration with this id.", "GET "+Prefix+"/oauth-apps lists them.")
	}
	return id, nil
}

type deviceInput struct {
	OfMailbox
	Body *struct {
		App string `json:"oauth_app,omitempty"`
	}
}

// DeviceSignIn is a sign-in that somebody confirms on another device (RFC 8628).
type DeviceSignIn struct {
	SignIn
	UserCode          string `json:"user_code"`
	VerifyURL         string `json:"verification_uri" doc:"Where the code is typed."`
	VerifyURLComplete string `json:"verification_uri_complete,omitempty" doc:"The same with the code in it."`
}

func (s *Server) beginDevice(ctx context.Context, v postroom.Viewer, in *deviceInput) (*answer[DeviceSignIn], error) {
	id, err := postroom.ParseID[postroom.MailboxID](in.ID)
	if err != nil {
		return nil, err
	}
	named := ""
	if in.Body != nil {
		named = in.Body.App
	}
	app, err := appNamed(named)
	if err != nil {
		return nil, err
	}
	begun, shown, err := s.SignIns.BeginDevice(ctx, v, id, app)
	if err != nil {
		return nil, err
	}
	return answerOf(DeviceSignIn{showSignIn(begun), shown.UserCode, shown.VerifyURL, shown.VerifyURLComplete}, nil)
}

// OfSignIn names a sign-in.
type OfSignIn struct {
	ID string `path:"id"`
}

func (s *Server) readSignIn(ctx context.Context, v postroom.Viewer, in *OfSignIn) (*answer[SignIn], error) {
	id, err := postroom.ParseID[postroom.SignInID](in.ID)
	if err != nil {
		return nil, err
	}
	p, err := s.SignIns.SignInByID(ctx, v, id)
	return answerOf(showProgress(p), err)
}

type answerSignInInput struct {
	OfSignIn
	Body struct {
		Choice string `json:"choice" enum:"shared,alias,other" doc:"shared: the account may open the mailbox, and signs in as itself. alias: the mailbox is another name of the account. other: it was the wrong account."`
	}
}

func (s *Server) answerSignIn(ctx context.Context, v postroom.Viewer, in *answerSignInInput) (*answer[SignIn], error) {
	id, err := postroom.ParseID[postroom.SignInID](in.ID)
	if err != nil {
		return nil, err
	}
	p, err := s.SignIns.AnswerByID(ctx, v, id, credential.Choice(in.Body.Choice))
	return answerOf(showProgress(p), err)
}

// brought is the registration and the refresh token that a request brings to open a
// mailbox by OAuth; ok is false where it brings none.
func (s *Server) brought(ctx context.Context, v postroom.Viewer, c Credential) (app postroom.OAuthAppID, ok bool, err error) {
	if c.Kind != postroom.CredentialOAuth || c.App == "" && c.RefreshToken == "" {
		return 0, false, nil
	}
	if c.App == "" {
		return 0, false, unfit("credential.oauth_app", "A refresh token is of use to the registration only that it was given to.", "Name that one as oauth_app; POST "+Prefix+"/oauth-apps adds it.")
	}
	if app, err = appNamed(c.App); err == nil {
		_, err = s.Apps.App(ctx, v, app)
	}
	return app, err == nil, err
}

// bring hands over what a request has brought; what opens the mailbox now works until
// that is proven.
func (s *Server) bring(ctx context.Context, v postroom.Viewer, id postroom.MailboxID, c Credential) error {
	app, ok, err := s.brought(ctx, v, c)
	if err != nil || !ok {
		return err
	}
	_, err = s.SignIns.Bring(ctx, v, id, app, postroom.Hide(c.RefreshToken))
	return err
}
