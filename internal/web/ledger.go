package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/store"
)

// A ledgerView is the proof that every message is accounted for, or what is not.
type ledgerView struct {
	Mailbox  string
	Sentence string
	Badge    badge
	Lines    []ledgerLine
	Total    string
	Bar      []barPiece
	OnServer string // empty: not known now
	Gone     string
	Compared *moment
	Fault    *faultView

	ByContent   bool
	Unaccounted []store.UnaccountedName
	Incomplete  []store.IncompleteArrival
	Hidden      string // how many differences are not in the lists
}

type ledgerLine struct {
	State   postroom.ArrivalState
	Word    string
	Meaning string
	Count   string
	Address string // of the list; empty when there is none
}

// A barPiece is one state's part of the bar, in thousandths.
type barPiece struct {
	State postroom.ArrivalState
	X, W  string
	Title string
}

// shownDifferences is how many lines of a list of differences a page shows.
const shownDifferences = 200

// showLedger handles GET /mailboxes/{id}/ledger. It waits for the server's list.
func (s *Server) showLedger(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	l, err := s.Mailboxes.Ledger(r.Context(), by.Viewer, id)
	if err != nil {
		return err
	}
	m, err := s.Reader.Mailbox(r.Context(), id)
	if err != nil {
		return err
	}
	v := s.ledgerView(by, m, l)
	if _, ok := isHTMX(r); ok {
		if m.Fault != nil && l.Fault != nil && m.Fault.Explanation == l.Fault.Explanation {
			v.Fault = nil // the page says it above already
		}
		return s.render(w, r, http.StatusOK, ledgerWords(v))
	}
	return s.render(w, r, http.StatusOK, ledgerPage(s.frame(by, "Ledger of "+m.Name, "mailboxes"), v))
}

func (s *Server) ledgerView(by visitor, m postroom.Mailbox, l mailbox.Ledger) ledgerView {
	v := ledgerView{Mailbox: m.ID.String()}
	var total int64
	for _, n := range l.Counts {
		total += n
	}
	v.Total = number(total)
	v.Sentence, v.Badge = ledgerSentence(l, total)
	for _, state := range postroom.ArrivalStates() {
		n := l.Counts[state]
		line := ledgerLine{State: state, Word: arrivalWord(state), Meaning: arrivalMeaning(state), Count: number(n)}
		if n > 0 {
			line.Address = "/mailboxes/" + v.Mailbox + "/arrivals?" + url.Values{"state": {string(state)}}.Encode()
		}
		v.Lines = append(v.Lines, line)
	}
	v.Bar = ledgerBar(l.Counts, total)
	if l.OnServer != nil && l.Gone != nil {
		v.OnServer, v.Gone = number(*l.OnServer), number(*l.Gone)
	}
	if l.Fault != nil {
		f := s.viewMailboxFault(by, l.Fault, m)
		v.Fault = &f
	} else if !l.ComparedAt.IsZero() {
		at := tell(l.ComparedAt, s.now())
		v.Compared = &at
	}
	v.Unaccounted, v.Incomplete, v.ByContent = l.Unaccounted, l.Incomplete, l.ByContent
	hidden := 0
	if n := len(v.Unaccounted); n > shownDifferences {
		v.Unaccounted, hidden = v.Unaccounted[:shownDifferences], hidden+n-shownDifferences
	}
	if n := len(v.Incomplete); n > shownDifferences {
		v.Incomplete, hidden = v.Incomplete[:shownDifferences], hidden+n-shownDifferences
	}
	if hidden > 0 {
		v.Hidden = number(int64(hidden))
	}
	return v
}

// ledgerSentence says first of all whether anything is missing.
func ledgerSentence(l mailbox.Ledger, total int64) (string, badge) {
	differences := int64(len(l.Unaccounted) + len(l.Incomplete))
	waiting, aside := l.Counts[postroom.ArrivalWaiting], l.Counts[postroom.ArrivalQuarantined]
	switch {
	case l.Balanced == nil:
		if total == 0 {
			return "Nothing is in the ledger yet, and the server could not be asked.", badge{"clock", "Not compared", "wait"}
		}
		return plural(total, "message") + " in the ledger. The server could not be asked whether it has others.", badge{"clock", "Not compared", "wait"}
	case !*l.Balanced && differences == 0:
		return "The sums differ: the ledger and the server's list changed while they were compared, or a line is missing.", badge{"cross", "Not balanced", "bad"}
	case !*l.Balanced && differences == 1:
		return "1 message is not accounted for.", badge{"cross", "Not balanced", "bad"}
	case !*l.Balanced:
		return number(differences) + " messages are not accounted for.", badge{"cross", "Not balanced", "bad"}
	case total == 0:
		return "The server has no messages, and the ledger none either.", badge{"tick", "Balanced", "good"}
	}
	sentence := "All " + number(total) + " messages are accounted for."
	if total == 1 {
		sentence = "The one message is accounted for."
	}
	if waiting > 0 {
		sentence += fmt.Sprintf(" %s on the way.", isAre(waiting))
	}
	if aside > 0 {
		sentence += fmt.Sprintf(" %s set aside.", isAre(aside))
	}
	return sentence, badge{"tick", "Balanced", "good"}
}

func isAre(n int64) string {
	if n == 1 {
		return "1 is"
	}
	return number(n) + " are"
}

// ledgerBar lays the states side by side in proportion; none is too small to see.
func ledgerBar(counts map[postroom.ArrivalState]int64, total int64) []barPiece {
	const width, least = 1000.0, 6.0
	if total == 0 {
		return nil
	}
	var widths []float64
	sum := 0.0
	for _, state := range postroom.ArrivalStates() {
		part := 0.0
		if n := counts[state]; n > 0 {
			part = max(least, width*float64(n)/float64(total))
		}
		widths = append(widths, part)
		sum += part
	}
	var pieces []barPiece
	x := 0.0
	for i, state := range postroom.ArrivalStates() {
		if widths[i] == 0 {
			continue
		}
		part := widths[i] * width / sum
		pieces = append(pieces, barPiece{
			State: state, X: strconv.FormatFloat(x, 'f', 1, 64), W: strconv.FormatFloat(part, 'f', 1, 64),
			Title: arrivalWord(state) + ": " + number(counts[state]),
		})
		x += part
	}
	return pieces
}

// An arrivalsPage lists the lines of the ledger in one state.
type arrivalsPage struct {
	frame
	Mailbox string
	Name    string
	Word    string
	Meaning string
	State   postroom.ArrivalState
	Rows    []arrivalRow
	Next    string
	Retried bool
}

type arrivalRow struct {
	ID       string
	Place    string
	Seen     moment
	Size     string
	Reason   string
	After    string // what was done with it on the server, or is still to be; empty: nothing
	Undone   string // why that could not be done
	Gone     *moment
	Issue    string
	CanRetry bool
}

// showArrivals handles GET /mailboxes/{id}/arrivals?state=.
func (s *Server) showArrivals(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	m, err := s.mailboxPage(r.Context(), by, id) // or it is not for this visitor
	if err != nil {
		return err
	}
	state := postroom.ArrivalState(r.FormValue("state"))
	lines, next, err := s.Reader.Arrivals(r.Context(), by.Viewer, store.ArrivalFilter{Mailbox: id, State: state, Cursor: r.FormValue("cursor")})
	if err != nil {
		return err
	}
	p := arrivalsPage{
		frame: s.frame(by, "Ledger of "+m.Name, "mailboxes"), Mailbox: id.String(), Name: m.Name, State: state,
		Word: arrivalWord(state), Meaning: arrivalMeaning(state), Retried: r.FormValue("retried") != "",
	}
	if state == "" {
		p.Word = "All lines"
	}
	for _, line := range lines {
		row := arrivalRow{
			ID: line.ID.String(), Place: line.Folder + " " + nameWords(line.Name, line.ByContent), Seen: tell(line.SeenAt, s.now()), Reason: line.Reason,
			CanRetry: p.Admin && line.State.CanBecome(postroom.ArrivalWaiting),
		}
		row.After, row.Undone = afterOf(line)
		if !line.GoneAt.IsZero() {
			gone := tell(line.GoneAt, s.now())
			row.Gone = &gone
		}
		if line.SizeBytes > 0 {
			row.Size = size(line.SizeBytes)
		}
		if line.Issue != 0 {
			row.Issue = "/issues/" + line.Issue.String()
		}
		p.Rows = append(p.Rows, row)
	}
	if next != "" {
		p.Next = "/mailboxes/" + id.String() + "/arrivals?" + url.Values{"state": {string(state)}, "cursor": {next}}.Encode()
	}
	return s.render(w, r, http.StatusOK, arrivalsView(p))
}

// afterOf says what was done with a message on the server, or is still to be done, and
// what has kept it from being done or was done instead.
func afterOf(line store.ArrivalLine) (after, why string) {
	done := map[postroom.AfterImport][2]string{
		postroom.AfterImportMarkRead: {"Still to be marked as read.", "Marked as read."},
		postroom.AfterImportMove:     {"Still to be moved to the folder " + line.MoveTo + ".", "Moved to the folder " + line.MoveTo + "."},
		postroom.AfterImportDelete:   {"Still to be deleted on the server.", "Deleted on the server."},
	}
	words, there := done[line.AfterImport]
	switch {
	case !there || line.State == postroom.ArrivalWaiting || line.State == postroom.ArrivalQuarantined:
		return "", ""
	case line.Due:
		return words[0], line.DueReason
	case line.Dropped:
		return "Left as it was there: this mailbox is read elsewhere since.", ""
	case line.DueReason != "": // which says what was done instead
		return line.DueReason, ""
	}
	return words[1], ""
}

// nameWords is what the server calls a message.
func nameWords(n postroom.Name, byContent bool) string {
	if byContent {
		return "known by content only"
	}
	if n.UIDL != "" {
		return n.UIDL
	}
	return "no. " + strconv.FormatUint(uint64(n.UID), 10)
}

// retryArrival handles POST /arrivals/{id}/retry.
func (s *Server) retryArrival(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.ArrivalID](r.PathValue("id"))
	if err != nil {
		return err
	}
	line, err := s.Reader.Arrival(r.Context(), by.Viewer, id)
	if err != nil {
		return err
	}
	if err := s.Mailboxes.Retry(r.Context(), by.Viewer, id); err != nil {
		return err
	}
	goTo(w, r, "/mailboxes/"+line.Mailbox.String()+"/arrivals?"+url.Values{"state": {string(line.State)}, "retried": {"1"}}.Encode())
	return nil
}
