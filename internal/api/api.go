// Package api is how programs use Postroom: REST, under /api/v1.
package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// Prefix is where the API begins.
const Prefix = "/api/v1"

// A Server answers the requests of programs. Who asks is told by a token alone;
// the cookie of a browser opens nothing here.
type Server struct {
	// Authenticate says who comes with the text behind “Bearer”.
	Authenticate func(ctx context.Context, bearer string) (postroom.Viewer, error)
	Read         reader
	Mailboxes    mailboxes
	Issues       issues
	// Users lists everybody who may work here.
	Users func(ctx context.Context) ([]postroom.User, error)
	// Apps are the registrations at providers, and SignIns where people sign in by them.
	Apps    apps
	SignIns signIns
	Alerts  alerts
	// Forecast lists what is known to end.
	Forecast func(ctx context.Context) ([]postroom.Expiry, error)
	// Base is the address under which a request has reached this Postroom.
	Base func(r *http.Request) string
	// Stopping is closed when the process is about to end; streams end then. Nil:
	// they end with their connections.
	Stopping <-chan struct{}
	Log      *slog.Logger // nil: nothing is logged
}

// reader is what lists and pages of the API are read from: *store.Reader.
type reader interface {
	issueReader
	mailReader
	ledgerReader
	eventReader
}

type issueReader interface {
	Issues(ctx context.Context, v postroom.Viewer, f store.IssueFilter) (lines []store.IssueLine, next string, err error)
	Issue(ctx context.Context, v postroom.Viewer, id postroom.IssueID) (store.IssueLine, error)
	Entries(ctx context.Context, v postroom.Viewer, id postroom.IssueID, limit int, cursor string) (lines []store.EntryLine, next string, err error)
}

type mailReader interface {
	Mail(ctx context.Context, v postroom.Viewer, id postroom.MailID) (store.MailView, error)
	OpenRaw(ctx context.Context, v postroom.Viewer, id postroom.MailID) (body io.ReadCloser, sizeBytes int64, err error)
}

type ledgerReader interface {
	Mailboxes(ctx context.Context, f store.MailboxFilter) (list []postroom.Mailbox, next string, err error)
	Mailbox(ctx context.Context, id postroom.MailboxID) (postroom.Mailbox, error)
	Arrivals(ctx context.Context, v postroom.Viewer, f store.ArrivalFilter) (lines []store.ArrivalLine, next string, err error)
	Arrival(ctx context.Context, v postroom.Viewer, id postroom.ArrivalID) (store.ArrivalLine, error)
}

type eventReader interface {
	EventsThrough(ctx context.Context, v postroom.Viewer, after int64, limit int) (events []postroom.Event, seen int64, err error)
	LastEvent(ctx context.Context) (position int64, err error)
	Changed() <-chan struct{}
}

// Handler returns the API with everything under [Prefix].
func (s *Server) Handler() http.Handler {
	mux, document := s.routes()
	return s.guard(mux, document)
}

// routes is everything that the API can do.
func (s *Server) routes() (*http.ServeMux, *huma.OpenAPI) {
	mux := http.NewServeMux()
	a := humago.NewWithPrefix(mux, Prefix, configuration())
	e := &edge{server: s, api: a}

	add(e, administer("GET", "/discover", "Find the settings of an address"), s.discover)
	add(e, read("GET", "/mailboxes", "List mailboxes"), s.listMailboxes)
	add(e, administer("POST", "/mailboxes", "Connect a mailbox").creates(), s.addMailbox)
	add(e, tells[Report](e, administer("POST", "/mailboxes/test", "Test settings without keeping them")), s.testDraft)
	add(e, administer("POST", "/mailboxes/bulk", "Do the same with many mailboxes"), s.changeMany)
	add(e, administer("POST", "/mailboxes/import", "Bring in many mailboxes").takes(maxImportBody), s.importMailboxes)
	add(e, administer("GET", "/mailboxes/former", "Read what is left of a mailbox that was removed"), s.readFormer)
	add(e, read("GET", "/mailboxes/{id}", "Read a mailbox"), s.readMailbox)
	add(e, administer("PATCH", "/mailboxes/{id}", "Change a mailbox"), s.changeMailbox)
	add(e, administer("DELETE", "/mailboxes/{id}", "Remove a mailbox"), s.deleteMailbox)
	add(e, tells[Report](e, administer("POST", "/mailboxes/{id}/test", "Test a mailbox")), s.testMailbox)
	add(e, tells[RoundTrip](e, administer("POST", "/mailboxes/{id}/roundtrip", "Prove that a mail to a mailbox becomes an issue, by sending one")), s.roundTrip)
	add(e, administer("POST", "/mailboxes/{id}/send-test", "Send a test mail from a mailbox"), s.sendTest)
	add(e, administer("POST", "/mailboxes/{id}/pause", "Stop reading a mailbox"), s.pauseMailbox)
	add(e, administer("POST", "/mailboxes/{id}/resume", "Read a mailbox again"), s.resumeMailbox)
	add(e, read("GET", "/mailboxes/{id}/ledger", "Prove that the ledger balances"), s.readLedger)
	add(e, read("GET", "/mailboxes/{id}/numberings", "List the counts of folders that a ledger has"), s.listNumberings)
	add(e, administer("POST", "/mailboxes/{id}/rescan", "Say what the server has that is not here, and bring it in"), s.rescanMailbox)
	add(e, administer("POST", "/mailboxes/{id}/transcript", "Write down the dialogue with the server of a mailbox for a while").creates(), s.beginTranscript)
	add(e, administer("GET", "/mailboxes/{id}/transcript", "Read the dialogue with the server of a mailbox"), s.readTranscript)
	add(e, administer("DELETE", "/mailboxes/{id}/transcript", "Stop writing down the dialogue with a server"), s.endTranscript)
	add(e, downloads(administer("GET", "/mailboxes/{id}/transcript/text", "Download the dialogue with the server of a mailbox")), s.downloadTranscript)
	s.addSignIns(e)
	s.addAlerts(e)
	add(e, read("GET", "/arrivals", "List lines of the ledger"), s.listArrivals)
	add(e, administer("POST", "/arrivals/{id}/retry", "Try an arrival again"), s.retryArrival)

	add(e, read("GET", "/issues", "List and search issues"), s.listIssues)
	add(e, read("GET", "/issues/{id}", "Read an issue"), s.readIssue)
	add(e, write("PATCH", "/issues/{id}", "Close, reopen or assign an issue"), s.changeIssue)
	add(e, write("DELETE", "/issues/{id}", "Delete an issue"), s.deleteIssue)
	add(e, write("POST", "/issues/{id}/recover", "Recover a deleted issue"), s.recoverIssue)
	add(e, read("GET", "/issues/{id}/entries", "List the history of an issue"), s.listEntries)
	add(e, write("POST", "/issues/{id}/notes", "Add a note to an issue").creates(), s.addNote)

	add(e, read("GET", "/mails/{id}", "Read a mail"), s.readMail)
	add(e, download("/mails/{id}/raw", "Download the exact bytes of a mail"), s.downloadRaw)
	add(e, download("/mails/{id}/attachments/{n}", "Download an attachment"), s.downloadAttachment)

	add(e, read("GET", "/events", "List what happened"), s.listEvents)
	add(e, stream("/events/stream", "Be told what happens"), s.streamEvents)
	add(e, administer("GET", "/users", "List users"), s.listUsers)
	describePatches(a.OpenAPI())
	describeNulls(a.OpenAPI())
	return mux, a.OpenAPI()
}

// addSignIns adds what is about signing in at providers.
func (s *Server) addSignIns(e *edge) {
	add(e, administer("GET", "/oauth-apps", "List the registrations at providers"), s.listApps)
	add(e, administer("POST", "/oauth-apps", "Add a registration at a provider").creates(), s.addApp)
	add(e, administer("GET", "/oauth-apps/{id}", "Read a registration at a provider"), s.readApp)
	add(e, administer("PATCH", "/oauth-apps/{id}", "Change a registration at a provider"), s.changeApp)
	add(e, administer("DELETE", "/oauth-apps/{id}", "Remove a registration at a provider"), s.deleteApp)
	add(e, administer("POST", "/oauth-apps/{id}/check", "Find out whether a registration works"), s.checkApp)
	add(e, administer("POST", "/mailboxes/{id}/connect", "Begin a sign-in with a browser for a mailbox"), s.connectMailbox)
	add(e, administer("POST", "/mailboxes/{id}/device", "Begin a sign-in on another device for a mailbox"), s.beginDevice)
	add(e, administer("GET", "/mailboxes/{id}/credential", "Read what opens a mailbox, without its secret"), s.readCredential)
	add(e, administer("POST", "/mailboxes/{id}/sign-in-links", "Make a link by which the owner of a mailbox signs in").creates(), s.askOwner)
	add(e, administer("GET", "/sign-in-links", "List the links by which owners of mailboxes sign in"), s.listLinks)
	add(e, administer("POST", "/sign-in-links/{id}/remind", "Send a link to sign in once more"), s.remindOwner)
	add(e, administer("DELETE", "/sign-in-links/{id}", "Revoke a link to sign in"), s.revokeLink)
	add(e, administer("GET", "/sign-ins/{id}", "Read how far a sign-in has come"), s.readSignIn)
	add(e, administer("POST", "/sign-ins/{id}/answer", "Say what about the account that has signed in"), s.answerSignIn)
}

// addAlerts adds what is about telling people that something needs them.
func (s *Server) addAlerts(e *edge) {
	add(e, administer("GET", "/alerts", "List what needs somebody"), s.listAlerts)
	add(e, administer("GET", "/forecast", "List what is known to end"), s.readForecast)
	add(e, administer("GET", "/alert-settings", "Read who is told what needs somebody"), s.readAlertSettings)
	add(e, administer("PUT", "/alert-settings", "Say who is told what needs somebody"), s.changeAlertSettings)
	add(e, administer("POST", "/alert-settings/test", "Send a mail to everybody who is told"), s.testAlerts)
}

// A list is one page of a list.
type list[T any] struct {
	Items      []T     `json:"items" nullable:"false"`
	NextCursor *string `json:"next_cursor" doc:"Give it as cursor to see what follows; null at the end."`
}

func listOf[From, To any](from []From, next string, show func(From) To) list[To] {
	l := list[To]{Items: make([]To, 0, len(from))}
	for _, one := range from {
		l.Items = append(l.Items, show(one))
	}
	if next != "" {
		l.NextCursor = &next
	}
	return l
}

// pageOf is the page of a list that is short enough to be cut here. Its cursor is the
// key of the last item shown.
func pageOf[T any](all []T, p Paging, key func(T) string) (page []T, next string, err error) {
	if p.Cursor != "" {
		last := slices.IndexFunc(all, func(one T) bool { return key(one) == p.Cursor })
		if last < 0 {
			return nil, "", unfit("cursor", "This cursor does not belong to this list.", "Start the list again without a cursor, and follow next_cursor from there.")
		}
		all = all[last+1:]
	}
	if limit := min(p.Limit, maxList); len(all) > limit {
		return all[:limit], key(all[limit-1]), nil
	}
	return all, "", nil
}

// Paging is what every list takes.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" default:"50" doc:"How many items to answer; more than 500 counts as 500."`
	Cursor string `query:"cursor" maxLength:"500" doc:"The next_cursor of the page before."`
}

// answer is a response with nothing but a body.
type answer[T any] struct{ Body T }

func answerOf[T any](body T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	return &answer[T]{body}, nil
}

// moment is null for the zero time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// reference is null for no id.
func reference[ID interface {
	~int64
	String() string
}](id ID) *string {
	if id == 0 {
		return nil
	}
	text := id.String()
	return &text
}

// full is never null.
func full[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
