package mailbox

import (
	"context"
	"fmt"
	"slices"

	"github.com/postroom/postroom"
)

// MaxImport is how many mailboxes one import can hold.
const MaxImport = 5000

// A Line is one mailbox of an import.
type Line struct {
	Address string // says which mailbox is meant
	// Apply puts what the line says into a mailbox: into an empty one, or into one
	// that is here, of which all that the line does not name stays. It may run
	// several times.
	Apply func(*postroom.Mailbox) error
	NewCredentials
	Former FormerChoice
	// Err is what is wrong with the line itself; nil when nothing is.
	Err error
}

// An ImportOutcome is what became of a line.
type ImportOutcome string

// What becomes of the lines of an import.
const (
	ImportCreated   ImportOutcome = "created"
	ImportContinued ImportOutcome = "continued" // it was here before and is taken up again
	ImportChanged   ImportOutcome = "changed"
	ImportUnchanged ImportOutcome = "unchanged"
	ImportFailed    ImportOutcome = "failed"
)

// A LineResult is what became of a line, or in a dry run what would.
type LineResult struct {
	Outcome ImportOutcome
	ID      postroom.MailboxID // 0 where there is no mailbox yet
	Address string             // as it is kept, or as it was given
	Changes []string           // of ImportChanged: the settings, as the API names them
	Err     error              // of ImportFailed
}

// Import brings in many mailboxes: new ones are connected, those that are here get
// the settings of their lines. Every line is checked before anything is done; a line
// that fails keeps no other from being done. Importing the same again changes
// nothing.
func (d *Desk) Import(ctx context.Context, by postroom.Viewer, lines []Line, dryRun bool) ([]LineResult, error) {
	if err := needAdmin(by); err != nil {
		return nil, err
	}
	if len(lines) > MaxImport {
		return nil, invalid("mailboxes",
			fmt.Sprintf("%d mailboxes are more than one import can hold.", len(lines)), fmt.Sprintf("Cut it into parts of %d at most.", MaxImport))
	}
	if err := d.lookAhead(ctx, lines); err != nil {
		return nil, err
	}
	results := make([]LineResult, len(lines))
	seen := make(map[string]int)
	for i, line := range lines {
		results[i] = d.planned(ctx, line)
		if first, twice := seen[results[i].Address]; twice && results[i].Err == nil {
			results[i] = failed(results[i].Address, invalid("address",
				fmt.Sprintf("%s is in the list twice: it is number %d and number %d.", results[i].Address, first+1, i+1), "Take it out once."))
		} else if !twice {
			seen[results[i].Address] = i
		}
	}
	if dryRun {
		return results, ctx.Err()
	}
	for i, line := range lines {
		if results[i].Err == nil {
			results[i] = d.imported(ctx, by, line, results[i])
		}
	}
	return results, nil
}

func failed(address string, err error) LineResult {
	return LineResult{Outcome: ImportFailed, Address: address, Err: err}
}

// planned says what becomes of a line, and does nothing.
func (d *Desk) planned(ctx context.Context, line Line) LineResult {
	m := postroom.Mailbox{Address: line.Address}
	if line.Err != nil {
		return failed(line.Address, line.Err)
	}
	if err := completeAddress(&m); err != nil {
		return failed(line.Address, err)
	}
	here, err := d.Store.MailboxByAddress(ctx, m.Address)
	switch {
	case err == nil:
		return d.plannedChange(ctx, line, here)
	case postroom.KindOf(err) != postroom.NotFound:
		return failed(m.Address, err)
	}
	return d.plannedNew(ctx, line, m.Address)
}

func (d *Desk) plannedNew(ctx context.Context, line Line, address string) LineResult {
	var m postroom.Mailbox
	if err := line.Apply(&m); err != nil {
		return failed(address, err)
	}
	if _, _, err := d.complete(ctx, m, line.forNew()); err != nil {
		return failed(address, err)
	}
	former, continued, err := d.chosenFormer(ctx, address, line.Former)
	switch {
	case err != nil:
		return failed(address, err)
	case continued:
		return LineResult{Outcome: ImportContinued, ID: former.ID, Address: address}
	}
	return LineResult{Outcome: ImportCreated, Address: address}
}

func (d *Desk) plannedChange(ctx context.Context, line Line, here postroom.Mailbox) LineResult {
	m := here
	err := line.Apply(&m)
	if err == nil {
		m, err = d.completeChange(ctx, here, m)
	}
	if err != nil {
		return failed(here.Address, err)
	}
	r := LineResult{Outcome: ImportUnchanged, ID: here.ID, Address: here.Address, Changes: differences(here, m)}
	anew, err := d.areNew(ctx, here.ID, line.NewCredentials)
	if err != nil {
		return failed(here.Address, err)
	}
	r.Changes = append(r.Changes, anew...)
	if len(r.Changes) > 0 {
		r.Outcome = ImportChanged
	}
	return r
}

// imported does what was planned for a line.
func (d *Desk) imported(ctx context.Context, by postroom.Viewer, line Line, plan LineResult) LineResult {
	switch plan.Outcome {
	case ImportCreated, ImportContinued:
		var m postroom.Mailbox
		err := line.Apply(&m)
		if err == nil {
			var continued bool
			if m, continued, err = d.Connect(ctx, by, m, line.forNew(), line.Former); continued {
				plan.Outcome = ImportContinued
			}
		}
		if err != nil {
			return failed(plan.Address, err)
		}
		plan.ID = m.ID
	case ImportChanged:
		c := line.NewCredentials
		if !slices.Contains(plan.Changes, "credential") {
			c.Mailbox = nil // a mailbox that is read is not disturbed for nothing
		}
		if _, err := d.ChangeWith(ctx, by, plan.ID, line.Apply, c); err != nil {
			return failed(plan.Address, err)
		}
	}
	return plan
}

// differences names the settings in which two mailboxes differ, as the API does.
func differences(a, b postroom.Mailbox) []string {
	var names []string
	note := func(name string, same bool) {
		if !same {
			names = append(names, name)
		}
	}
	note("name", a.Name == b.Name)
	note("incoming.protocol", a.Incoming.Protocol == b.Incoming.Protocol)
	serverDifferences("incoming.", a.Incoming.ServerSettings, b.Incoming.ServerSettings, note)
	note("incoming.folders", slices.Equal(a.Incoming.Folders, b.Incoming.Folders))
	note("incoming.connect_timeout", a.Incoming.ConnectTimeout == b.Incoming.ConnectTimeout)
	note("incoming.auth_timeout", a.Incoming.AuthTimeout == b.Incoming.AuthTimeout)
	note("incoming.poll_interval", a.Incoming.PollInterval == b.Incoming.PollInterval)
	switch {
	case a.Outgoing != nil && b.Outgoing != nil:
		serverDifferences("outgoing.", a.Outgoing.ServerSettings, b.Outgoing.ServerSettings, note)
	default:
		note("outgoing", a.Outgoing == nil && b.Outgoing == nil)
	}
	note("start", isSameStart(a.Start, b.Start))
	note("after_import", a.AfterImport == b.AfterImport)
	note("move_to", a.MoveTo == b.MoveTo)
	note("raw_retention_days", a.RawRetentionDays == b.RawRetentionDays)
	note("owner", a.Owner == b.Owner)
	note("visible_to", a.Visibility.Kind == b.Visibility.Kind && slices.Equal(a.Visibility.Users, b.Visibility.Users))
	return names
}

func serverDifferences(within string, a, b postroom.ServerSettings, note func(string, bool)) {
	note(within+"host", a.Host == b.Host)
	note(within+"port", a.Port == b.Port)
	note(within+"tls", a.TLS == b.TLS)
	note(within+"username", a.Username == b.Username)
	note(within+"ca_certificate", a.CACertificate == b.CACertificate)
	note(within+"pinned_sha256", a.PinnedSHA256 == b.PinnedSHA256)
}
