package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
)

// A row is one mailbox of a list.
type row struct {
	line    int            // in the file, from 1
	mailbox map[string]any // as POST /mailboxes takes it
	wrong   *api.Fault     // why it cannot be read; nil when it can
}

func (r row) address() string {
	address, _ := r.mailbox["address"].(string)
	return address
}

// wrongRow is a row that cannot be read. The words never repeat what stands in it:
// that may be a password.
func wrongRow(line int, explanation, remedy string) row {
	return row{line: line, wrong: &api.Fault{
		Class: string(postroom.Unknown), FixBy: string(postroom.FixByUser), Explanation: explanation, Remedy: remedy,
	}}
}

// readRows reads a list of mailboxes, CSV or JSON lines.
func readRows(text []byte) ([]row, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) || bytes.IndexByte(text, 0) >= 0 {
		return nil, badList("This list is not in UTF-8, or is no text.", "Save it as “CSV UTF-8”.")
	}
	if !utf8.Valid(text) {
		valid := 0
		for utf8.FullRune(text[valid:]) {
			r, size := utf8.DecodeRune(text[valid:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			valid += size
		}
		return nil, badList(fmt.Sprintf("Line %d of this list is not in UTF-8.", 1+bytes.Count(text[:valid], []byte("\n"))), "Save it as “CSV UTF-8”.")
	}
	var rows []row
	var err error
	switch start := bytes.TrimLeft(text, " \t\r\n"); {
	case len(start) == 0:
	case start[0] == '{':
		rows = readJSONLines(text)
	default:
		rows, err = readCSV(text)
	}
	if err == nil && len(rows) == 0 {
		err = badList("There is no mailbox in this list.", "“postroom mailbox import --help” says what a list looks like.")
	}
	return rows, err
}

func readJSONLines(text []byte) (rows []row) {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		one := row{line: i + 1}
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&one.mailbox); err != nil || one.mailbox == nil || d.More() {
			one = wrongRow(i+1, "This line is not one mailbox as JSON.", "Write each mailbox as one object on one line, {\"address\": …}.")
		}
		rows = append(rows, one)
	}
	return rows
}

// A column is something that a CSV file can say of a mailbox.
type column struct {
	name, help string
	path       string // of the API
	form       func(text string) (any, error)
}

// columns are what a CSV file can have, in the order in which they are explained.
func columns() []column {
	plain := func(text string) (any, error) { return text, nil }
	return []column{
		{"address", "of the mailbox; the one column that must be there", "address", plain},
		{"name", "what people call it", "name", plain},
		{"protocol", "imap or pop3", "incoming.protocol", plain},
		{"host", "the server that it is read from", "incoming.host", plain},
		{"port", "", "incoming.port", number},
		{"tls", "implicit, starttls or none", "incoming.tls", plain},
		{"username", "the address where it is empty", "incoming.username", plain},
		{"password", "", "credential.password", plain},
		{"kind", "of the password: password or app_password", "credential.kind", plain},
		{"folders", "with | between them; INBOX where it is empty", "incoming.folders", cut("|")},
		{"start", "now, all, or a day such as 2026-11-20", "start", day},
		{"after_import", "keep, mark_read, move or delete", "after_import", plain},
		{"move_to", "a folder", "move_to", plain},
		{"raw_retention_days", "0 is for ever", "raw_retention_days", number},
		{"visible_to", "everyone, owner, or addresses of users with | between", "visible_to", readers},
		{"owner", "the address of a user", "owner", plain},
		{"poll_interval", "such as 1m", "incoming.poll_interval", plain},
		{"connect_timeout", "such as 10s", "incoming.connect_timeout", plain},
		{"auth_timeout", "such as 5s", "incoming.auth_timeout", plain},
		{"ca_certificate", "PEM, trusted besides those of the system", "incoming.ca_certificate", plain},
		{"pinned_sha256", "of the one certificate that is accepted", "incoming.pinned_sha256", plain},
		{"smtp_host", "the server that it sends by", "outgoing.host", plain},
		{"smtp_port", "", "outgoing.port", number},
		{"smtp_tls", "", "outgoing.tls", plain},
		{"smtp_username", "", "outgoing.username", plain},
		{"smtp_password", "where another one than that for reading opens it", "outgoing.credential.password", plain},
		{"former", "continue or new, for an address that was removed here", "former", plain},
	}
}

// columnsInWords explains the columns.
func columnsInWords() string {
	var words strings.Builder
	for _, c := range columns() {
		fmt.Fprintf(&words, "  %-19s %s\n", c.name, c.help)
	}
	return words.String()
}

func number(text string) (any, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, errors.New("takes a number")
	}
	return n, nil
}

func cut(sep string) func(string) (any, error) {
	return func(text string) (any, error) {
		parts := strings.Split(text, sep)
		for i, part := range parts {
			parts[i] = strings.TrimSpace(part)
		}
		return parts, nil
	}
}

func day(text string) (any, error) {
	start, err := startOf(text)
	if err != nil {
		return nil, errors.New("takes now, all, or a day such as 2026-11-20")
	}
	return start, nil
}

func readers(text string) (any, error) {
	if text == string(postroom.VisibleToEveryone) || text == string(postroom.VisibleToOwner) {
		return text, nil
	}
	return cut("|")(text)
}

// readCSV reads a table with a header row.
func readCSV(text []byte) ([]row, error) {
	table := csv.NewReader(bytes.NewReader(text))
	table.Comma, table.FieldsPerRecord = separator(text), -1
	header, err := table.Read()
	if err != nil {
		return nil, badList("The first line of this list cannot be read.", "Write the names of the columns there, such as address,host,password.")
	}
	known, err := readHeader(header)
	if err != nil {
		return nil, err
	}
	var rows []row
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			rows = append(rows, wrongRow(wrong.StartLine, "The quotes of this line do not fit together, so that it, and perhaps what follows, cannot be read.",
				"Put quotes around a value that has quotes, separators or line breaks in it, and write each quote within as two."))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the list: %w", err)
		}
		line, _ := table.FieldPos(0)
		if !slices.ContainsFunc(record, func(text string) bool { return strings.TrimSpace(text) != "" }) {
			continue // nothing but separators, as spreadsheets leave behind
		}
		rows = append(rows, readRecord(line, known, record))
	}
}

// separator is what stands between the names of the columns most often.
func separator(text []byte) rune {
	header, _, _ := bytes.Cut(bytes.TrimLeft(text, "\r\n"), []byte("\n"))
	best, most := ',', 0
	for _, sep := range ",;\t" {
		if n := bytes.Count(header, []byte(string(sep))); n > most {
			best, most = sep, n
		}
	}
	return best
}

func readHeader(header []string) ([]column, error) {
	all := columns()
	var found []column
	for _, given := range header {
		name := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(given)))
		i := slices.IndexFunc(all, func(c column) bool { return c.name == name })
		if i < 0 {
			remedy := "“postroom mailbox import --help” explains the columns that there are; the first line must name them."
			if len([]rune(given)) > 40 || strings.Contains(given, "@") {
				return nil, badList("The first line of this list does not name columns.", remedy)
			}
			return nil, badList("There is no column “"+given+"”.", remedy)
		}
		if slices.ContainsFunc(found, func(c column) bool { return c.name == name }) {
			return nil, badList("The column “"+name+"” is there twice.", "Take one of them out.")
		}
		found = append(found, all[i])
	}
	if !slices.ContainsFunc(found, func(c column) bool { return c.name == "address" }) {
		return nil, badList("The column “address” is missing.", "Name it in the first line; it says which mailbox is meant.")
	}
	return found, nil
}

// readRecord makes a mailbox of the values that are not empty.
func readRecord(line int, known []column, record []string) row {
	if len(record) != len(known) {
		return wrongRow(line, fmt.Sprintf("This line has %d values, and there are %d columns.", len(record), len(known)),
			"Look for a separator too many or too few; a value with a separator in it needs quotes around it.")
	}
	r := row{line: line, mailbox: make(map[string]any)}
	for i, c := range known {
		text := record[i]
		if !strings.HasSuffix(c.name, "password") { // blanks may be meant there
			text = strings.TrimSpace(text)
		}
		if text == "" {
			continue
		}
		value, err := c.form(text)
		if err != nil {
			wrong := wrongRow(line, "The column “"+c.name+"” "+err.Error()+".", "Correct it, or leave it empty.")
			wrong.mailbox = r.mailbox // for its address
			return wrong
		}
		put(r.mailbox, c.path, value)
	}
	return r
}

// put sets a member of an object at a path like incoming.host.
func put(object map[string]any, path string, value any) {
	within, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		object[within] = value
		return
	}
	inner, ok := object[within].(map[string]any)
	if !ok {
		inner = make(map[string]any)
		object[within] = inner
	}
	put(inner, rest, value)
}
