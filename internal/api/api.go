// Package api is how programs use Postroom: REST, under /api/v1.
package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
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
