package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
)

// stateInWords is a state as the pages show it.
func stateInWords(state string) string {
	switch postroom.MailboxState(state) {
	case postroom.MailboxActive:
		return "✓ Reading"
	case postroom.MailboxDelayed:
		return "◷ Delayed"
	case postroom.MailboxNeedsSignIn:
		return "✕ Sign-in needed"
	case postroom.MailboxNeedsRepair:
		return "⚠ Repair needed"
	case postroom.MailboxPaused:
		return "‖ Paused"
	case postroom.MailboxDraft:
		return "◌ Draft"
	}
	return state
}

// when is an instant in the reader's time zone.
func when(at *time.Time) string {
	if at == nil || at.IsZero() {
		return "never"
	}
	return at.Local().Format(time.DateTime)
}

// tellMailboxes prints a list of mailboxes: all, or those in one state.
func tellMailboxes(w io.Writer, all []api.Mailbox, state string) error {
	if len(all) == 0 && state != "" {
		_, err := fmt.Fprintln(w, "No mailbox is in this state.")
		return err
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "There is no mailbox here yet. “postroom mailbox add” connects one.")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tADDRESS\tNAME\tSTATE\tSINCE\tLAST MAIL")
	for _, m := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", m.ID, m.Address, m.Name, stateInWords(m.State), when(&m.Health.Since), when(m.Health.LastArrivalAt))
	}
	return table.Flush()
}

func tellMailbox(w io.Writer, m api.Mailbox) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what, is string) {
		if is != "" {
			fmt.Fprintf(table, "%s\t%s\n", what, is)
		}
	}
	line("Mailbox", m.Address+" (id "+m.ID+")")
	if m.Name != m.Address {
		line("Name", m.Name)
	}
	line("State", stateInWords(m.State)+" since "+when(&m.Health.Since))
	if f := m.Health.Fault; f != nil {
		line("Trouble", f.Explanation)
		line("What to do", f.Remedy)
		line("Server said", f.Reply)
	}
	if m.Health.NextTryAt != nil {
		line("Next try", when(m.Health.NextTryAt))
	}
	line("Last mail", when(m.Health.LastArrivalAt))
	if in := m.Incoming; in != nil {
		line("Reads", fmt.Sprintf("%s by %s, port %d (%s) as %s", in.Host, strings.ToUpper(in.Protocol), in.Port, in.TLS, in.Username))
		line("Folders", strings.Join(in.Folders, ", "))
		line("Time-outs", fmt.Sprintf("connection %s, sign-in %s, looks every %s", in.ConnectTimeout, in.AuthTimeout, in.PollInterval))
		if in.CACertificate != "" {
			line("Trusts", "its own CA certificate, besides the system's")
		}
		if in.PinnedSHA256 != "" {
			line("Trusts", "only the certificate "+in.PinnedSHA256)
		}
	}
	line("Sends", sends(m))
	line("Start", m.Start)
	line("After import", afterImportInWords(m))
	line("Raw mail", retentionInWords(m.RawRetentionDays))
	if m.VisibleTo != nil {
		if visible, err := m.VisibleTo.MarshalJSON(); err == nil {
			line("Visible to", visibleInWords(visible))
		}
	}
	line("Owner", m.Owner)
	return table.Flush()
}

// afterImportInWords is what happens to mail on the server.
func afterImportInWords(m api.Mailbox) string {
	switch postroom.AfterImport(m.AfterImport) {
	case postroom.AfterImportMarkRead:
		return "mail is marked as read on the server"
	case postroom.AfterImportMove:
		return "mail is moved to the folder “" + m.MoveTo + "” on the server"
	case postroom.AfterImportDelete:
		return "mail is deleted on the server"
	}
	return "mail is left untouched on the server"
}

// retentionInWords is how long the bytes of mail are kept.
func retentionInWords(days int) string {
	switch days {
	case 0:
		return "kept for ever"
	case 1:
		return "kept for 1 day"
	}
	return "kept for " + grouped(int64(days)) + " days"
}

// visibleInWords is who may see the mail of a mailbox.
func visibleInWords(visible []byte) string {
	var users []string
	if err := json.Unmarshal(visible, &users); err == nil {
		return "the users with the ids " + strings.Join(users, ", ")
	}
	return strings.Trim(string(visible), `"`)
}

// failure is why a test failed; nil when it did not.
func failure(r api.Report) *api.Fault {
	for _, s := range r.Steps {
		if s.Fault != nil {
			return s.Fault
		}
	}
	return nil
}

// faultOf is a fault of the API as the command's failure; nil for none.
func faultOf(f *api.Fault) error {
	if f == nil {
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Class(f.Class), FixBy: postroom.FixBy(f.FixBy),
		Explanation: f.Explanation, Remedy: f.Remedy, Reply: f.Reply,
	}
}

func tellLedger(w io.Writer, l api.Ledger) error {
	counts := []struct {
		words string
		n     int64
	}{
		{"filed", l.Filed}, {"here already", l.Duplicate}, {"ignored by a rule", l.Ignored}, {"before the start", l.BeforeStart},
		{"gone before they were here", l.Vanished}, {"set aside", l.Quarantined}, {"on their way", l.Waiting}, {"deleted here by a person", l.Deleted},
	}
	var sum int64
	for _, c := range counts {
		sum += c.n
	}
	switch {
	case l.Balanced == nil:
		fmt.Fprintf(w, "%s in the ledger. The server could not be asked what it has.\n", counted(sum))
	case *l.Balanced && sum == 0:
		fmt.Fprintln(w, "The server has shown no message yet, and none is missing.")
	case *l.Balanced && sum == 1:
		fmt.Fprintln(w, "The one message is accounted for.")
	case *l.Balanced:
		fmt.Fprintf(w, "All %s accounted for.\n", counted(sum))
	default:
		fmt.Fprintf(w, "%s in the ledger, and it does not balance.\n", counted(sum))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range counts {
		fmt.Fprintf(table, "%s\t %s\n", grouped(c.n), c.words)
	}
	if l.OnServer != nil && l.Gone != nil {
		fmt.Fprintf(table, "%s\t on the server now\n", grouped(*l.OnServer))
		fmt.Fprintf(table, "%s\t not on the server any more\n", grouped(*l.Gone))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, n := range l.Unaccounted {
		name := fmt.Sprintf("UID %d (UIDVALIDITY %d)", n.UID, n.UIDValidity)
		if n.UID == 0 {
			name = "message " + strconv.Quote(n.UIDL)
		}
		fmt.Fprintf(w, "On the server and not in the ledger: %s, %s\n", n.Folder, name)
	}
	for _, a := range l.Incomplete {
		fmt.Fprintf(w, "Filed without %s: arrival %s\n", a.Missing, a.Arrival)
	}
	return nil
}

// counted is a number of messages with its verb.
func counted(n int64) string {
	if n == 1 {
		return "1 message is"
	}
	return grouped(n) + " messages are"
}

// grouped writes a number with commas between its thousands.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
