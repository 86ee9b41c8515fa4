package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
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
	mailboxHistory
	mailboxDialogue
	manyMailboxes
	mailboxFinder
}

type mailboxKeeper interface {
	Connect(ctx context.Context, by postroom.Viewer, m postroom.Mailbox, c mailbox.Credential, choice mailbox.FormerChoice) (_ postroom.Mailbox, continued bool, err error)
	ChangeWith(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, change func(*postroom.Mailbox) error, c mailbox.NewCredentials) (postroom.Mailbox, error)
	Pause(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) error
	Resume(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) error
	Delete(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, eraseIssues bool) error
}

type mailboxProver interface {
	Test(ctx context.Context, by postroom.Viewer, m postroom.Mailbox, c mailbox.Credential, o mailbox.TestOptions) (mailbox.Report, error)
	TestSaved(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, o mailbox.TestOptions) (mailbox.Report, error)
	RoundTrip(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, o mailbox.RoundTripOptions) (mailbox.RoundTrip, error)
	SendTest(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, to string) (mailbox.SendReport, error)
	Ledger(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) (mailbox.Ledger, error)
	Rescan(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, r mailbox.RescanRequest) (mailbox.Rescan, error)
	Retry(ctx context.Context, by postroom.Viewer, id postroom.ArrivalID) error
}

type mailboxHistory interface {
	Former(ctx context.Context, by postroom.Viewer, address string) (store.Former, error)
	Numberings(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) ([]store.NumberingCount, error)
}

type mailboxDialogue interface {
	BeginTranscript(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, lasts time.Duration) (mailbox.Transcript, error)
	Transcript(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, after int64, limit int) (mailbox.Transcript, error)
	EndTranscript(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) error
}

type manyMailboxes interface {
	Bulk(ctx context.Context, by postroom.Viewer, ids []postroom.MailboxID, action mailbox.Action, change func(*postroom.Mailbox) error) ([]mailbox.BulkResult, error)
	Import(ctx context.Context, by postroom.Viewer, lines []mailbox.Line, dryRun bool) ([]mailbox.LineResult, error)
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
	Class       string   `json:"class"`
	Explanation string   `json:"explanation"`
	Remedy      string   `json:"remedy"`
	FixBy       string   `json:"fix_by" enum:"user,mailbox_admin,app_admin,wait"`
	Field       string   `json:"field,omitempty" doc:"The setting that is wrong, where it is a single one."`
	Reply       string   `json:"reply,omitempty" doc:"What the server said, secrets removed."`
	Link        *Link    `json:"link,omitempty" doc:"The page where the remedy is done, where there is one."`
	Others      []string `json:"others,omitempty" doc:"Further causes of the same failure, most likely first."`
}

// Link is a page of somebody else.
type Link struct {
	Words string `json:"words"`
	URL   string `json:"url"`
}

func showFault(f *postroom.Fault) *Fault {
	if f == nil {
		return nil
	}
	shown := &Fault{
		Class: string(f.Class), Explanation: f.Explanation, Remedy: f.Remedy, FixBy: string(f.FixBy),
		Field: f.Field, Reply: f.Reply, Others: f.Others,
	}
	if f.Link.URL != "" {
		shown.Link = &Link{f.Link.Words, f.Link.URL}
	}
	return shown
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

// Draft is a mailbox that is not kept yet.
type Draft struct {
	Settings
	Credential *Credential `json:"credential,omitempty"`
}

type draftInput struct{ Body Draft }

func (s *Server) draft(ctx context.Context, d *Draft) (m postroom.Mailbox, c mailbox.Credential, err error) {
	if d.Credential != nil {
		c = d.Credential.hidden()
	}
	if d.Outgoing != nil && d.Outgoing.Credential != nil {
		own := d.Outgoing.Credential.hidden()
		c.Outgoing = &own
	}
	if err := s.knowPeople(ctx, &d.Settings); err != nil {
		return m, c, err
	}
	return m, c, d.apply(&m)
}

type newMailboxInput struct {
	Body struct {
		Draft
		Former string `json:"former,omitempty" doc:"What becomes of a mailbox of this address that was removed: continue takes it up again, with its id, issues and ledger, and brings in what arrived meanwhile; new begins another. Usual is continue."`
	}
}

type createdMailbox struct {
	Location string `header:"Location"`
	Body     struct {
		Mailbox
		Continued bool `json:"continued" doc:"Whether a mailbox that was removed is taken up again."`
	}
}

func (s *Server) addMailbox(ctx context.Context, v postroom.Viewer, in *newMailboxInput) (*createdMailbox, error) {
	m, c, err := s.draft(ctx, &in.Body.Draft)
	if err != nil {
		return nil, err
	}
	if in.Body.Credential != nil { // before anything is kept
		if _, _, err := s.brought(ctx, v, *in.Body.Credential); err != nil {
			return nil, err
		}
	}
	m, continued, err := s.Mailboxes.Connect(ctx, v, m, c, mailbox.FormerChoice(in.Body.Former))
	if err != nil {
		return nil, err
	}
	if in.Body.Credential != nil {
		if err := s.bring(ctx, v, m.ID, *in.Body.Credential); err != nil {
			return nil, err
		}
	}
	made := &createdMailbox{Location: Prefix + "/mailboxes/" + m.ID.String()}
	made.Body.Mailbox, made.Body.Continued = showMailbox(m), continued
	return made, nil
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
	settings.Description = "A merge patch (RFC 7396): what is absent stays, what is null gets its usual value, all else is new. credential replaces the one there is, outgoing.credential what opens the outgoing server alone."
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
	if given, there := in.Body.members["credential"]; there && given == nil {
		return nil, unfit("credential", "A mailbox cannot be read without a credential.", "Give a new one, or pause the mailbox.")
	}
	brought, err := takeBrought(in.Body.members)
	if err != nil {
		return nil, err
	}
	if _, _, err := s.brought(ctx, v, brought); err != nil {
		return nil, err
	}
	c, err := takeCredentials(in.Body.members)
	if err != nil {
		return nil, err
	}
	m, err := s.Mailboxes.ChangeWith(ctx, v, id, s.patched(ctx, in.Body.members), c)
	if err == nil {
		err = s.bring(ctx, v, id, brought)
	}
	return answerOf(showMailbox(m), err)
}

// takeBrought takes a credential out of a patch that is to be proven before it takes
// the place of the one there is; the zero value: there is none.
func takeBrought(members map[string]any) (c Credential, err error) {
	given, ok := members["credential"].(map[string]any)
	if !ok || given["kind"] != postroom.CredentialOAuth {
		return c, nil
	}
	if c, err = settled[Credential](given, "credential"); err != nil {
		return c, err
	}
	if c.App == "" && c.RefreshToken == "" {
		return c, unfit("credential", "Somebody has to sign in at the provider before that can open the mailbox.", "POST "+Prefix+"/mailboxes/{id}/connect begins it; what opens the mailbox now works until then.")
	}
	delete(members, "credential")
	return c, nil
}

// takeCredentials takes the credentials out of a patch.
func takeCredentials(members map[string]any) (c mailbox.NewCredentials, err error) {
	if given, there := members["credential"]; there {
		if c.Mailbox, err = newCredential(given, "credential"); err != nil {
			return c, err
		}
		delete(members, "credential")
	}
	outgoing, ok := members["outgoing"].(map[string]any)
	given, there := outgoing["credential"]
	if !ok || !there {
		return c, nil
	}
	outgoing = maps.Clone(outgoing)
	delete(outgoing, "credential")
	members["outgoing"] = outgoing
	if given != nil {
		c.Outgoing, err = newCredential(given, "outgoing.credential")
		return c, err
	}
	c.SameOutgoing = true
	if len(outgoing) == 0 {
		delete(members, "outgoing") // nothing else is said of the server, if there is one
	}
	return c, nil
}

func newCredential(given any, field string) (*mailbox.Credential, error) {
	wanted, err := settled[Credential](given, field)
	if err != nil {
		return nil, err
	}
	hidden := wanted.hidden()
	return &hidden, nil
}

// patched applies a merge patch to the settings of a mailbox.
func (s *Server) patched(ctx context.Context, patch map[string]any) func(*postroom.Mailbox) error {
	return func(m *postroom.Mailbox) error {
		text, err := json.Marshal(showSettings(*m))
		if err != nil {
			return err
		}
		var now any
		if err := json.Unmarshal(text, &now); err != nil {
			return err
		}
		after, err := settled[Settings](merged(now, patch), "")
		if err != nil {
			return err
		}
		if err := s.knowPeople(ctx, &after); err != nil {
			return err
		}
		return after.apply(m)
	}
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
			return result, unfit(strings.Trim(within+"."+f.Field, "."), f.Explanation, correctRequest)
		}
	}
	if text, err = json.Marshal(plain); err != nil { // 7.0 is 7
		return result, err
	}
	if err := json.Unmarshal(text, &result); err != nil {
		f := fieldFault(&huma.ErrorDetail{Message: err.Error()})
		return result, unfit(strings.Trim(within+"."+f.Field, "."), f.Explanation, correctRequest)
	}
	return result, nil
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
