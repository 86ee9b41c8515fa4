package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/store"
)

// mailboxes is the room that looks after mailboxes: *mailbox.Desk.
type mailboxes interface {
	mailboxKeeper
	mailboxProver
}

type mailboxKeeper interface {
	Add(ctx context.Context, by postroom.Viewer, m postroom.Mailbox, c mailbox.Credential) (postroom.Mailbox, error)
	Change(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, change func(*postroom.Mailbox) error, c *mailbox.Credential) (postroom.Mailbox, error)
	Pause(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) error
	Resume(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) error
	Delete(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, eraseIssues bool) error
}

type mailboxProver interface {
	Test(ctx context.Context, by postroom.Viewer, m postroom.Mailbox, c mailbox.Credential) (mailbox.Report, error)
	TestSaved(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) (mailbox.Report, error)
	Ledger(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) (mailbox.Ledger, error)
	Retry(ctx context.Context, by postroom.Viewer, id postroom.ArrivalID) error
}

// Mailbox is a mailbox as the API shows it: never with a secret.
type Mailbox struct {
	ID string `json:"id"`
	Settings
	State  string `json:"state" enum:"draft,active,delayed,needs_sign_in,needs_repair,paused"`
	Health Health `json:"health"`
}

// Health says how a mailbox is.
type Health struct {
	Since         time.Time  `json:"since" doc:"Of the state."`
	Fault         *Fault     `json:"fault" doc:"What is wrong; null when nothing is."`
	NextTryAt     *time.Time `json:"next_try_at" doc:"Null when none is planned."`
	LastArrivalAt *time.Time `json:"last_arrival_at"`
}

// Fault is a fault as the API shows it.
type Fault struct {
	Class       string `json:"class"`
	Explanation string `json:"explanation"`
	Remedy      string `json:"remedy"`
	FixBy       string `json:"fix_by" enum:"user,mailbox_admin,app_admin,wait"`
	Reply       string `json:"reply,omitempty" doc:"What the server said, secrets removed."`
}

func showFault(f *postroom.Fault) *Fault {
	if f == nil {
		return nil
	}
	return &Fault{string(f.Class), f.Explanation, f.Remedy, string(f.FixBy), f.Reply}
}

func showMailbox(m postroom.Mailbox) Mailbox {
	return Mailbox{
		ID: m.ID.String(), Settings: showSettings(m), State: string(m.State),
		Health: Health{m.StateSince, showFault(m.Fault), moment(m.NextTryAt), moment(m.LastArrivalAt)},
	}
}

type mailboxesInput struct {
	Paging
	State string `query:"state" enum:"draft,active,delayed,needs_sign_in,needs_repair,paused"`
	Query string `query:"q" maxLength:"1000" doc:"A part of the name or of the address."`
}

// listMailboxes leaves out what the token may not see, so that a page may be
// shorter than limit; its end is where next_cursor is null.
func (s *Server) listMailboxes(ctx context.Context, v postroom.Viewer, in *mailboxesInput) (*answer[list[Mailbox]], error) {
	all, next, err := s.Read.Mailboxes(ctx, store.MailboxFilter{State: postroom.MailboxState(in.State), Query: in.Query, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	seen := all[:0:0]
	for _, m := range all {
		if v.IsAdmin() || v.CanSeeMail(m) {
			seen = append(seen, m)
		}
	}
	return answerOf(listOf(seen, next, showMailbox), nil)
}

// OfMailbox names a mailbox.
type OfMailbox struct {
	ID string `path:"id"`
}

// mailbox reads a mailbox that v may see: an administrator, or who may see its mail.
func (s *Server) mailbox(ctx context.Context, v postroom.Viewer, text string) (postroom.Mailbox, error) {
	id, err := postroom.ParseID[postroom.MailboxID](text)
	if err != nil {
		return postroom.Mailbox{}, err
	}
	m, err := s.Read.Mailbox(ctx, id)
	if err == nil && !v.IsAdmin() && !v.CanSeeMail(m) {
		err = &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "This mailbox is not here, or not for this token.",
			Remedy:      "Ask an administrator for a token that names the mailbox.",
		}
	}
	return m, err
}

func (s *Server) readMailbox(ctx context.Context, v postroom.Viewer, in *OfMailbox) (*answer[Mailbox], error) {
	m, err := s.mailbox(ctx, v, in.ID)
	return answerOf(showMailbox(m), err)
}

// draftInput is a mailbox that is not kept yet.
type draftInput struct {
	Body struct {
		Settings
		Credential *Credential `json:"credential,omitempty"`
	}
}

func (s *Server) draft(ctx context.Context, in *draftInput) (m postroom.Mailbox, c mailbox.Credential, err error) {
	if in.Body.Credential != nil {
		c = in.Body.Credential.hidden()
	}
	if err := s.knowPeople(ctx, &in.Body.Settings); err != nil {
		return m, c, err
	}
	return m, c, in.Body.apply(&m)
}

type createdMailbox struct {
	Location string `header:"Location"`
	Body     Mailbox
}

func (s *Server) addMailbox(ctx context.Context, v postroom.Viewer, in *draftInput) (*createdMailbox, error) {
	m, c, err := s.draft(ctx, in)
	if err != nil {
		return nil, err
	}
	if m, err = s.Mailboxes.Add(ctx, v, m, c); err != nil {
		return nil, err
	}
	return &createdMailbox{Prefix + "/mailboxes/" + m.ID.String(), showMailbox(m)}, nil
}

// mailboxPatch is read as it is, because what is absent differs from what is null.
type mailboxPatch struct {
	OfMailbox
	Body patch `contentType:"application/merge-patch+json"`
}

type patch struct{ members map[string]any }

// UnmarshalJSON keeps all members.
func (p *patch) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(&p.members)
}

// Schema lets any object through: whether it fits shows when it has been applied.
func (p patch) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// changedSettings are the members that a merge patch may have.
type changedSettings struct {
	Settings
	Credential *Credential `json:"credential,omitempty"`
}

// describePatches says in the document what the merge patches hold, and that plain
// JSON is taken for one.
func describePatches(document *huma.OpenAPI) {
	settings := huma.SchemaFromType(document.Components.Schemas, reflect.TypeFor[changedSettings]())
	settings.Required = nil
	settings.Description = "A merge patch (RFC 7396): what is absent stays, what is null gets its usual value, all else is new. credential replaces the one there is."
	document.Paths["/mailboxes/{id}"].Patch.RequestBody.Content["application/merge-patch+json"].Schema = settings
	for _, path := range document.Paths {
		if o := path.Patch; o != nil {
			o.RequestBody.Content["application/json"] = o.RequestBody.Content["application/merge-patch+json"]
		}
	}
}

func (s *Server) changeMailbox(ctx context.Context, v postroom.Viewer, in *mailboxPatch) (*answer[Mailbox], error) {
	id, err := postroom.ParseID[postroom.MailboxID](in.ID)
	if err != nil {
		return nil, err
	}
	var c *mailbox.Credential
	if given, there := in.Body.members["credential"]; there {
		if given == nil {
			return nil, unfit("credential", "A mailbox cannot be read without a credential.", "Give a new one, or pause the mailbox.")
		}
		wanted, err := settled[Credential](given, "credential")
		if err != nil {
			return nil, err
		}
		hidden := wanted.hidden()
		c = &hidden
		delete(in.Body.members, "credential")
	}
	m, err := s.Mailboxes.Change(ctx, v, id, func(m *postroom.Mailbox) error {
		text, err := json.Marshal(showSettings(*m))
		if err != nil {
			return err
		}
		var now any
		if err := json.Unmarshal(text, &now); err != nil {
			return err
		}
		after, err := settled[Settings](merged(now, in.Body.members), "")
		if err != nil {
			return err
		}
		if err := s.knowPeople(ctx, &after); err != nil {
			return err
		}
		return after.apply(m)
	}, c)
	return answerOf(showMailbox(m), err)
}

// settled reads a document that a patch has made, against the schema of its type.
// Fields are named as members of within.
func settled[T any](document any, within string) (result T, err error) {
	text, err := json.Marshal(document)
	if err != nil {
		return result, err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return result, err
	}
	registry := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	found := &huma.ValidateResult{}
	huma.Validate(registry, registry.Schema(reflect.TypeFor[T](), true, ""), huma.NewPathBuffer([]byte("body"), 4), huma.ModeWriteToServer, plain, found)
	for _, wrong := range found.Errors {
		var detail *huma.ErrorDetail
		if errors.As(wrong, &detail) {
			f := fieldFault(detail)
			return result, unfit(strings.Trim(within+"."+f.Field, "."), f.Explanation, "Correct the patch; the document at "+Prefix+"/openapi.json shows the fields.")
		}
	}
	return result, json.Unmarshal(text, &result)
}

type deleteMailboxInput struct {
	OfMailbox
	Issues string `query:"issues" required:"true" enum:"keep,erase" doc:"What becomes of its issues; erase is for good."`
}

func (s *Server) deleteMailbox(ctx context.Context, v postroom.Viewer, in *deleteMailboxInput) (*struct{}, error) {
	id, err := postroom.ParseID[postroom.MailboxID](in.ID)
	if err != nil {
		return nil, err
	}
	return nil, s.Mailboxes.Delete(ctx, v, id, in.Issues == "erase")
}

func (s *Server) pauseMailbox(ctx context.Context, v postroom.Viewer, in *OfMailbox) (*answer[Mailbox], error) {
	return s.switchMailbox(ctx, v, in, s.Mailboxes.Pause)
}

func (s *Server) resumeMailbox(ctx context.Context, v postroom.Viewer, in *OfMailbox) (*answer[Mailbox], error) {
	return s.switchMailbox(ctx, v, in, s.Mailboxes.Resume)
}

func (s *Server) switchMailbox(ctx context.Context, v postroom.Viewer, in *OfMailbox, do func(context.Context, postroom.Viewer, postroom.MailboxID) error) (*answer[Mailbox], error) {
	id, err := postroom.ParseID[postroom.MailboxID](in.ID)
	if err != nil {
		return nil, err
	}
	if err := do(ctx, v, id); err != nil {
		return nil, err
	}
	return s.readMailbox(ctx, v, in)
}
