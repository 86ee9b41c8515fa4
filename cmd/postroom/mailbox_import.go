package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
)

type mailboxImportCmd struct {
	mailboxFlags
	File   string `arg:"" help:"A CSV file with a header row, or one mailbox as JSON a line; - for standard input." placeholder:"FILE"`
	DryRun bool   `help:"Only say what would become of each line."`
	Yes    bool   `help:"Do it without asking."`
}

// Help is what “postroom mailbox import --help” adds.
func (c *mailboxImportCmd) Help() string {
	return `Every line is checked before anything is done; one that fails keeps no other from
being done. New addresses are connected. Mailboxes that are here get the settings
that the file names, and keep all others; importing a file again changes nothing.

The columns of a CSV file, in any order, with commas, semicolons or tabs between:
` + columnsInWords() + `
A line of JSON is a mailbox as POST /api/v1/mailboxes takes it. See
docs/mailbox-import.md for examples. The file holds passwords: keep it where nobody
else can read it, and delete it afterwards.`
}

// Run says what would become of each line and, once that is confirmed, does it.
func (c *mailboxImportCmd) Run(ctx context.Context, t terminal) error {
	text, err := c.read(t)
	if err != nil {
		return err
	}
	rows, err := readRows(text)
	if err != nil {
		return err
	}
	return c.atMailboxes(ctx, t, func(client *client) error {
		plan, err := client.importRows(ctx, rows, true)
		if err != nil {
			return err
		}
		if !c.Yes || c.DryRun {
			if sure, err := c.shown(ctx, t, plan, rows); err != nil || !sure {
				return err
			}
		}
		done, err := client.importRows(ctx, rows, false)
		if err != nil {
			return err
		}
		return c.tell(t.Out, done, rows)
	})
}

// maxImport is how many bytes of a file are read.
const maxImport = 15 << 20

func (c *mailboxImportCmd) read(t terminal) ([]byte, error) {
	in := t.In
	if c.File != "-" {
		file, err := os.Open(c.File)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, wrongUse{"There is no file " + c.File + "."}
		}
		if err != nil {
			return nil, fmt.Errorf("open the list: %w", err)
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			fmt.Fprintf(t.Err, "Note: others on this computer may read %s, and it holds passwords: chmod 600 %s, and delete it afterwards.\n", c.File, c.File)
		}
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxImport+1))
	switch {
	case errors.Is(err, syscall.EISDIR):
		return nil, wrongUse{c.File + " is a directory; name the file that lists the mailboxes."}
	case err != nil:
		return nil, fmt.Errorf("read the list: %w", err)
	case len(text) > maxImport:
		return nil, badList("This list is longer than what can be brought in at once.", "Cut it into parts of a few thousand mailboxes.")
	}
	return text, nil
}

// badList is the Fault for a file that cannot be read as a list of mailboxes.
func badList(explanation, remedy string) error {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Explanation: explanation, Remedy: remedy,
	}
}

// importRows hands the rows that could be read to the API, and returns a result for
// every row.
func (c *client) importRows(ctx context.Context, rows []row, dryRun bool) (all api.ImportResults, err error) {
	mailboxes := make([]map[string]any, 0, len(rows))
	for _, r := range rows {
		if r.wrong == nil {
			mailboxes = append(mailboxes, r.mailbox)
		}
	}
	if len(mailboxes) > 0 {
		body := map[string]any{"mailboxes": mailboxes, "dry_run": dryRun}
		if _, err := c.call(ctx, http.MethodPost, "/mailboxes/import", body, &all); err != nil {
			return all, err
		}
	}
	if len(all.Results) != len(mailboxes) {
		return all, notPostroom(c.base, fmt.Errorf("%d results for %d mailboxes", len(all.Results), len(mailboxes)))
	}
	answered := all.Results
	all.DryRun, all.Results = dryRun, make([]api.ImportResult, 0, len(rows))
	for _, r := range rows {
		if r.wrong == nil {
			all.Results, answered = append(all.Results, answered[0]), answered[1:]
			continue
		}
		all.Failed++
		all.Results = append(all.Results, api.ImportResult{Address: r.address(), Result: "failed", Fault: r.wrong})
	}
	return all, nil
}

// shown prints what would be done, and returns whether to do it.
func (c *mailboxImportCmd) shown(ctx context.Context, t terminal, plan api.ImportResults, rows []row) (sure bool, err error) {
	if c.DryRun {
		return false, c.tell(t.Out, plan, rows)
	}
	if err := tellImport(t.Err, plan, rows); err != nil {
		return false, err
	}
	switch {
	case plan.Created+plan.Continued+plan.Changed > 0:
	case plan.Failed > 0:
		return false, failedLines(plan.Failed)
	default:
		return false, nil
	}
	if c.File == "-" || !t.isTyped() {
		return false, wrongUse{"Nothing was done: add --yes for that, or --dry-run to only look."}
	}
	return t.confirmed(ctx, "Do this?")
}

// lineResult is what became of a line, for programs.
type lineResult struct {
	Line int `json:"line"`
	api.ImportResult
}

// tell prints what became of each line. A line that failed is the command's failure.
func (c *mailboxImportCmd) tell(w io.Writer, all api.ImportResults, rows []row) error {
	var err error
	if c.JSON {
		shown := struct {
			api.ImportResults
			Results []lineResult `json:"results"`
		}{ImportResults: all, Results: make([]lineResult, 0, len(rows))}
		for i, r := range all.Results {
			shown.Results = append(shown.Results, lineResult{rows[i].line, r})
		}
		err = json.NewEncoder(w).Encode(shown)
	} else {
		err = tellImport(w, all, rows)
	}
	if err == nil && all.Failed > 0 {
		err = failedLines(all.Failed)
	}
	return err
}

func failedLines(n int) error {
	return badList(amount(int64(n), "line", "lines")+" could not be brought in; the reasons stand behind their numbers above.",
		"Correct them and import the list again: what is here already stays as it is.")
}

// tellImport prints a line for each line, and how many there are of each kind.
func tellImport(w io.Writer, all api.ImportResults, rows []row) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, r := range all.Results {
		fmt.Fprintf(table, "line %d\t%s\t%s\t%s\n", rows[i].line, r.Address, resultInWords(r.Result, all.DryRun), detailInWords(r))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	var parts []string
	for _, count := range []struct {
		n      int
		result string
	}{{all.Created, "created"}, {all.Continued, "continued"}, {all.Changed, "changed"}, {all.Unchanged, "unchanged"}, {all.Failed, "failed"}} {
		if count.n > 0 {
			parts = append(parts, grouped(int64(count.n))+" "+resultInWords(count.result, all.DryRun))
		}
	}
	_, err := fmt.Fprintf(w, "%s: %s.\n", amount(int64(len(rows)), "mailbox", "mailboxes"), strings.Join(parts, ", "))
	return err
}

func resultInWords(result string, dryRun bool) string {
	if !dryRun || result == "unchanged" || result == "failed" {
		return result
	}
	return "would be " + result
}

// detailInWords says what was changed, or why a line failed.
func detailInWords(r api.ImportResult) string {
	if f := r.Fault; f != nil {
		return strings.TrimSpace(f.Explanation + " " + f.Remedy)
	}
	var words []string
	for _, field := range r.Changes {
		switch field {
		case "credential":
			field = "password given anew"
		case "outgoing.credential":
			field = "password for sending given anew"
		}
		words = append(words, field)
	}
	return strings.Join(words, ", ")
}
