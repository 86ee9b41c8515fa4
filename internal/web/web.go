// Package web shows the pages on which people work.
//
// Every page works without JavaScript; htmx and one small script make it quicker
// and keep it true while it is open. A handler reads the request, calls one room
// and answers, or returns the error, which [Server] shows in words.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/access"
	"github.com/postroom/postroom/internal/alert"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/issue"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
)

// A Server answers browsers.
type Server struct {
	Door      *access.Door
	Reader    *store.Reader
	Issues    *issue.Desk
	Mailboxes *mailbox.Desk
	// Apps are the registrations at providers, and Forecast what is known to end; nil:
	// there are no pages about them.
	Apps     *credential.Apps
	Forecast *credential.Forecast
	// Credentials is where people sign in for mailboxes, and Proofs are the tests of what
	// they bring; nil: mailboxes have passwords only.
	Credentials *credential.Desk
	Proofs      *Proofs
	// Base is the address under which a request has come, without a path; nil: PublicURL,
	// or as the connection is.
	Base func(*http.Request) string
	// Alerts knows what needs somebody, and tells them; nil: nobody does.
	Alerts *alert.Desk
	// Presets are the mail providers that are known; nil: those of a zero value.
	Presets *provider.Presets
	// PublicURL is where people reach this server; with https:// cookies are marked
	// Secure. Empty: as the connection is.
	PublicURL string
	// Proxies are believed what X-Forwarded-For says of where requests come from.
	Proxies []netip.Prefix
	// Notice is what everybody should know, or administrators; nil: there is nothing.
	Notice func(admin bool) *Notice
	// ReadImport reads a list of mailboxes; what is wrong with a line is its own matter.
	ReadImport func(ctx context.Context, text []byte) ([]ImportLine, error)
	// Restored is what was put back and not looked at yet; nil: nothing ever is.
	Restored func(context.Context) (r Restored, ok bool, err error)
	// ForgetRestored says that it was looked at.
	ForgetRestored func(context.Context) error
	// Stopping is closed when the process is about to end; pages that listen for news
	// are let go then. Nil: they go with their connections.
	Stopping <-chan struct{}
	Log      *slog.Logger     // nil: nothing is logged
	Now      func() time.Time // nil: time.Now

	assets *assets
	safe   *sanitizer
	tests  liveTests

	announced announced
	ends      ends
}

// Handler returns the pages. Call it once.
func (s *Server) Handler() http.Handler {
	s.assets, s.safe = loadAssets(), newSanitizer()
	if s.Presets == nil {
		s.Presets = &provider.Presets{}
	}
	mux := http.NewServeMux()
	anyone := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.Handle(pattern, s.open(h))
	}
	signedIn := func(pattern string, h handler) { mux.Handle(pattern, s.signedIn(h)) }
	admin := func(pattern string, h handler) { mux.Handle(pattern, s.signedIn(forAdmins(h))) }

	mux.Handle("GET /static/", s.assets)
	anyone("GET /favicon.ico", s.favicon)
	anyone("GET /welcome/{secret}", s.showWelcome)
	anyone("POST /welcome/{secret}", s.welcome)
	anyone("GET /demo/{secret}", s.openDemo)
	anyone("GET /sign-in", s.showSignIn)
	anyone("POST /sign-in", s.signIn)
	anyone("POST /sign-out", s.signOut)

	signedIn("GET /{$}", s.showFirst)
	signedIn("GET /live", s.live)
	signedIn("GET /issues", s.showIssues)
	signedIn("GET /issues/news", s.showNews)
	signedIn("GET /issues/{id}", s.showIssue)
	signedIn("GET /issues/{id}/news", s.showIssueNews)
	signedIn("POST /issues/{id}/close", s.closeIssue)
	signedIn("POST /issues/{id}/reopen", s.reopenIssue)
	signedIn("POST /issues/{id}/assign", s.assignIssue)
	signedIn("POST /issues/{id}/notes", s.noteIssue)
	signedIn("POST /issues/{id}/delete", s.deleteIssue)
	signedIn("POST /issues/{id}/recover", s.recoverIssue)
	signedIn("GET /mails/{id}/html", s.showHTML)
	signedIn("GET /mails/{id}/raw", s.showRaw)
	signedIn("GET /mails/{id}/attachments/{n}", s.downloadAttachment)

	s.mailboxRoutes(signedIn, admin)
	s.careRoutes(signedIn, admin)
	s.oauthRoutes(anyone, signedIn, admin)

	signedIn("GET /health", s.showHealth)
	signedIn("GET /guides", s.showGuides)
	signedIn("GET /guides/{provider}", s.showGuide)
	signedIn("GET /help", s.showHelp)
	signedIn("GET /help/words", s.showWords)
	signedIn("GET "+arriveAddress, s.showArrive)
	signedIn("GET "+arriveAddress+"/{id}", s.showQuiet)

	admin("GET /restored", s.showRestored)
	admin("POST /restored", s.forgetRestored)

	signedIn("GET /settings", s.showSettings)
	signedIn("POST /settings/password", s.changePassword)
	signedIn("POST /settings/sessions/{id}/revoke", s.revokeSession)
	admin("POST /settings/people", s.addPerson)
	admin("POST /settings/people/{id}/disable", s.disablePerson)
	admin("POST /settings/people/{id}/enable", s.enablePerson)
	admin("POST /settings/tokens", s.createToken)
	admin("POST /settings/tokens/{id}/revoke", s.revokeToken)

	signedIn("GET /", s.showNothing)
	return s.guard(mux)
}

// mailboxRoutes are the pages of the mailboxes.
func (s *Server) mailboxRoutes(signedIn, admin func(pattern string, h handler)) {
	signedIn("GET /mailboxes", s.showMailboxes)
	signedIn("GET /mailboxes/{id}", s.showMailbox)
	signedIn("GET /mailboxes/{id}/ledger", s.showLedger)
	signedIn("GET /mailboxes/{id}/arrivals", s.showArrivals)
	signedIn("GET /mailboxes/{id}/rescan", s.showRescan)
	signedIn("GET /mailboxes/{id}/rescan/found", s.findMissing)
	signedIn("POST /mailboxes/{id}/rescan", s.bringMissing) // which an administrator confirms
	admin("GET /mailboxes/new", s.showNewMailbox)
	admin("POST /mailboxes", s.addMailbox)
	admin("POST /mailboxes/test", s.testMailbox)
	admin("POST /mailboxes/discover", s.discoverNew)
	admin("POST /mailboxes/folders", s.newFolders)
	admin("POST /mailboxes/fill", s.fillNew)
	admin("GET /tests/{id}", s.watchTest)
	admin("POST /mailboxes/many", s.changeMany)
	admin("GET "+importAddress, s.showImport)
	admin("POST "+importAddress, s.importMailboxes)
	admin("GET /mailboxes/{id}/settings", s.showMailboxSettings)
	admin("POST /mailboxes/{id}/settings", s.changeMailbox)
	admin("POST /mailboxes/{id}/test", s.testSettings)
	admin("POST /mailboxes/{id}/discover", s.discoverKept)
	admin("POST /mailboxes/{id}/folders", s.keptFolders)
	admin("POST /mailboxes/{id}/fill", s.fillKept)
	admin("GET /mailboxes/{id}/test", s.showTest)
	admin("POST /mailboxes/{id}/verify", s.verifyMailbox)
	admin("POST /mailboxes/{id}/send-test", s.sendTest)
	admin("GET /mailboxes/{id}/roundtrip", s.showRoundTrip)
	admin("POST /mailboxes/{id}/roundtrip", s.makeRoundTrip)
	admin("GET /mailboxes/{id}/transcript", s.showTranscript)
	admin("GET /mailboxes/{id}/transcript/lines", s.showTranscriptLines)
	admin("GET /mailboxes/{id}/transcript.txt", s.downloadTranscript)
	admin("POST /mailboxes/{id}/transcript", s.beginTranscript)
	admin("POST /mailboxes/{id}/transcript/end", s.endTranscript)
	admin("GET /mailboxes/{id}/password", s.showPassword)
	admin("POST /mailboxes/{id}/password", s.replacePassword)
	admin("POST /mailboxes/{id}/pause", s.pauseMailbox)
	admin("POST /mailboxes/{id}/resume", s.resumeMailbox)
	admin("POST /mailboxes/{id}/remove", s.removeMailbox)
	admin("POST /arrivals/{id}/retry", s.retryArrival)
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.New(slog.DiscardHandler)
}

// showFirst handles GET /.
func (s *Server) showFirst(w http.ResponseWriter, r *http.Request, _ visitor) error {
	http.Redirect(w, r, "/issues", http.StatusSeeOther)
	return nil
}

// showNothing answers for addresses where nothing is.
func (s *Server) showNothing(http.ResponseWriter, *http.Request, visitor) error {
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "There is no page at this address.",
		Remedy:      "Go to the issues and find your way from there.",
	}
}

func (s *Server) favicon(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, s.assets.address["icon.svg"], http.StatusFound)
	return nil
}
