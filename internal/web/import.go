package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

const (
	// importAddress is where a list of mailboxes is handed in.
	importAddress = "/mailboxes/import"
	// maxImport is how many bytes such a list can have. It stays in memory: it holds
	// passwords.
	maxImport = 15 << 20
	// shownLines is how many lines without trouble a page shows; all others are shown.
	shownLines = 500
)

// An ImportLine is one mailbox of a list, and where it stands there.
type ImportLine struct {
	Number int // in the file, from 1
	mailbox.Line
}

// An importPage takes a list of mailboxes, says what would become of each, and does it.
type importPage struct {
	frame
	Wrong *faultView
	Found *importView // nil: no list was read yet
}

type importView struct {
	Done     bool // it was done, and not only looked at
	Sentence string
	Badge    badge
	Button   string // empty: there is nothing to do
	Lines    []importLineView
	Hidden   string // how many lines without trouble are not shown
}

type importLineView struct {
	Number  int
	Address string
	ID      string // empty: there is no mailbox yet
	Result  badge
	Words   string
	Remedy  string
}

func (l importLineView) trouble() int {
	if l.Result.Tone == "bad" {
		return 1
	}
	return 0
}

// importSample is a list of two mailboxes.
const importSample = `address,name,host,password
support@example.net,Support,imap.example.net,correct horse battery
info@example.net,,imap.example.net,"with ""quotes"", and a comma"`

// showImport handles GET /mailboxes/import.
func (s *Server) showImport(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.render(w, r, http.StatusOK, importPageView(importPage{frame: s.importFrame(by)}))
}

func (s *Server) importFrame(by visitor) frame {
	return s.frame(by, "Bring in many mailboxes", "mailboxes")
}

// importMailboxes handles POST /mailboxes/import. Without do it only looks. The file
// comes with both steps, so that nothing of it is kept in between.
func (s *Server) importMailboxes(w http.ResponseWriter, r *http.Request, by visitor) error {
	p := importPage{frame: s.importFrame(by)}
	lines, err := s.importLines(r)
	if err == nil {
		p.Found, err = s.importThem(r.Context(), by, lines, r.PostFormValue("do") == "connect")
	}
	status := http.StatusOK
	if err != nil {
		f, known := postroom.FaultOf(err)
		if !known || f.Kind != postroom.Invalid {
			return err
		}
		v := viewFault(f)
		p.Wrong, status = &v, statusOf(f.Kind)
	}
	if _, ok := isHTMX(r); ok {
		return s.render(w, r, status, importAnswer(p))
	}
	return s.render(w, r, status, importPageView(p))
}

func (s *Server) importLines(r *http.Request) ([]ImportLine, error) {
	badFile := func(explanation, remedy string, cause error) error {
		return &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "file", Explanation: explanation, Remedy: remedy, Err: cause,
		}
	}
	var tooLarge *http.MaxBytesError
	switch err := r.ParseMultipartForm(maxImport + 1<<20); {
	case errors.As(err, &tooLarge):
		return nil, badFile("This list is longer than what can be brought in at once.", "Cut it into parts of a few thousand mailboxes.", err)
	case err != nil:
		return nil, badFile("No list has come with this.", "Choose the file once more.", err)
	}
	file, _, err := r.FormFile("file")
	if err != nil {
		return nil, badFile("No list was chosen.", "Choose a CSV file, or one with a mailbox as JSON on each line.", err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read the list: %w", err)
	}
	return s.ReadImport(r.Context(), text)
}

// importThem brings the lines in, or says what would become of them.
func (s *Server) importThem(ctx context.Context, by visitor, all []ImportLine, done bool) (*importView, error) {
	lines := make([]mailbox.Line, 0, len(all))
	for _, line := range all {
		lines = append(lines, line.Line)
	}
	results, err := s.Mailboxes.Import(ctx, by.Viewer, lines, !done)
	if err != nil {
		return nil, err
	}
	v := &importView{Done: done}
	counts := make(map[mailbox.ImportOutcome]int64)
	fine, hidden := 0, int64(0)
	for i, result := range results {
		counts[result.Outcome]++
		if result.Outcome != mailbox.ImportFailed {
			if fine++; fine > shownLines {
				hidden++
				continue
			}
		}
		v.Lines = append(v.Lines, s.importLine(ctx, all[i].Number, result, done))
	}
	slices.SortStableFunc(v.Lines, func(a, b importLineView) int { // trouble first
		return cmp.Compare(b.trouble(), a.trouble())
	})
	if hidden > 0 {
		v.Hidden = number(hidden)
	}
	v.Sentence, v.Badge = importSentence(counts, done)
	if !done {
		v.Button = importButton(counts)
	}
	return v, nil
}

func (s *Server) importLine(ctx context.Context, n int, result mailbox.LineResult, done bool) importLineView {
	v := importLineView{Number: n, Address: result.Address, Result: importBadge(result.Outcome, done)}
	if result.ID != 0 && (done || result.Outcome != mailbox.ImportContinued) {
		v.ID = result.ID.String()
	}
	var words []string
	for _, field := range result.Changes {
		words = append(words, settingWord(field))
	}
	v.Words = strings.Join(words, ", ")
	if f, known := postroom.FaultOf(result.Err); known {
		v.Words, v.Remedy = f.Explanation, f.Remedy
	} else if result.Err != nil {
		s.log().ErrorContext(ctx, "one line of an import", "line", n, "err", result.Err)
		v.Words, v.Remedy = "Something in Postroom itself went wrong.", "Bring the list in once more: what is here already stays as it is."
	}
	return v
}

func importBadge(outcome mailbox.ImportOutcome, done bool) badge {
	words := map[mailbox.ImportOutcome][2]string{
		mailbox.ImportCreated:   {"New", "Connected"},
		mailbox.ImportContinued: {"Was here before, continues", "Continues"},
		mailbox.ImportChanged:   {"Gets new settings", "Changed"},
		mailbox.ImportUnchanged: {"Is here already, as listed", "Was here already, as listed"},
	}
	word, known := words[outcome]
	if !known {
		return badge{"cross", "Not possible", "bad"}
	}
	b := badge{"plus", word[0], "good"}
	switch {
	case outcome == mailbox.ImportUnchanged:
		b.Icon, b.Tone = "tick", "rest"
	case outcome == mailbox.ImportChanged:
		b.Icon = "settings"
	}
	if done {
		b.Icon, b.Word = "tick", word[1]
	}
	return b
}

// importSentence sums up what became of a list, or what would.
func importSentence(counts map[mailbox.ImportOutcome]int64, done bool) (string, badge) {
	fresh := counts[mailbox.ImportCreated] + counts[mailbox.ImportContinued]
	var parts []string
	add := func(n int64, look, did string) {
		if n == 0 {
			return
		}
		words := look
		if done {
			words = did
		}
		parts = append(parts, number(n)+" "+words)
	}
	add(fresh, "to connect", "connected")
	add(counts[mailbox.ImportChanged], "to change", "changed")
	add(counts[mailbox.ImportUnchanged], "here already", "here already")
	add(counts[mailbox.ImportFailed], "not possible", "not possible")
	b := badge{"tick", "", "good"}
	if counts[mailbox.ImportFailed] > 0 {
		b = badge{"warning", "", "wait"}
	}
	return strings.Join(parts, ", ") + ".", b
}

// importButton says what the next step does.
func importButton(counts map[mailbox.ImportOutcome]int64) string {
	fresh, changed := counts[mailbox.ImportCreated]+counts[mailbox.ImportContinued], counts[mailbox.ImportChanged]
	boxes := func(n int64) string {
		if n == 1 {
			return "1 mailbox"
		}
		return number(n) + " mailboxes"
	}
	switch {
	case fresh > 0 && changed > 0:
		return "Connect " + boxes(fresh) + " and change " + number(changed)
	case fresh > 0:
		return "Connect " + boxes(fresh)
	case changed > 0:
		return "Change " + boxes(changed)
	}
	return ""
}

// settingWord is what the pages call a setting.
func settingWord(field string) string {
	words := map[string]string{
		"name": "name", "incoming.protocol": "IMAP or POP3", "incoming.host": "mail server", "incoming.port": "port", "incoming.tls": "encryption",
		"incoming.username": "user name", "incoming.ca_certificate": "certificate to trust", "incoming.pinned_sha256": "certificate to accept",
		"incoming.folders": "folders", "incoming.connect_timeout": "wait to connect", "incoming.auth_timeout": "wait to sign in",
		"incoming.poll_interval": "how often mail is looked for", "outgoing": "server for sending", "outgoing.host": "server for sending",
		"outgoing.port": "port for sending", "outgoing.tls": "encryption for sending", "outgoing.username": "user name for sending",
		"start": "start", "after_import": "what happens after a mail is here", "move_to": "folder to move to",
		"raw_retention_days": "how long originals are kept", "owner": "owner", "visible_to": "who sees its mail",
		"credential": "a new password", "outgoing.credential": "a new password for sending",
	}
	if word, known := words[field]; known {
		return word
	}
	return strings.NewReplacer(".", " ", "_", " ").Replace(field)
}
