package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/intake"
)

// explainCmd says how Postroom understands messages. It needs no server.
type explainCmd struct {
	Paths []string `arg:"" name:"path" help:"Messages (.eml), bodies (.txt, .html), or directories of them."`
	JSON  bool     `name:"json" help:"One line of JSON for each message."`
}

// Run prints what is understood of the files.
func (c *explainCmd) Run(t terminal) error {
	out := bufio.NewWriterSize(t.Out, 64<<10)
	return errors.Join(explain(out, c.Paths, c.JSON), out.Flush())
}

// explain writes what is understood of every file in paths, in their order, the
// files of a directory sorted. A file that cannot be read gives a line that says
// so, the others follow, and the error comes at the end.
func explain(w io.Writer, paths []string, asJSON bool) error {
	files, failed := messageFiles(paths)
	threads := threadsOf(files)
	for _, f := range failed {
		if err := writeExplanation(w, explanation{ID: idOf(f.path), Error: f.err.Error()}, asJSON); err != nil {
			return err
		}
	}
	count := len(failed)
	for _, file := range files {
		e := explainFile(file)
		if isMessage(file) {
			e.Thread = threads.Of(file)
		}
		if e.Error != "" {
			count++
		}
		if err := writeExplanation(w, e, asJSON); err != nil {
			return err
		}
	}
	if count > 0 {
		return fmt.Errorf("%d of %d files could not be read", count, len(files)+len(failed))
	}
	return nil
}

type unreadable struct {
	path string
	err  error
}

// messageFiles lists the files to explain: those named, and within directories
// those that may be messages or bodies.
func messageFiles(paths []string) (files []string, failed []unreadable) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			failed = append(failed, unreadable{path, err})
			continue
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		_ = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				failed = append(failed, unreadable{file, err})
			case d.IsDir():
				if strings.HasPrefix(d.Name(), ".") && file != path {
					return fs.SkipDir
				}
			case d.Type().IsRegular() && mayBeMail(file):
				files = append(files, file)
			}
			return nil
		})
	}
	return files, failed
}

// mayBeMail judges a file of a directory by its name, and one with a name that
// says nothing by its beginning.
func mayBeMail(file string) bool {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".eml", ".txt", ".html", ".htm", ".msg", ".mbox":
		return !strings.EqualFold(filepath.Base(file), "license.txt")
	case ".json", ".md", ".tsv", ".py", ".go", ".yaml", ".yml", ".gz", ".zip", ".jsonl":
		return false
	}
	f, err := os.Open(file)
	if err != nil {
		return true // and say why it cannot be read
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, _ := io.ReadFull(f, head)
	line, _, _ := bytes.Cut(bytes.TrimLeft(head[:n], "\r\n"), []byte("\n"))
	name, _, ok := bytes.Cut(line, []byte(":"))
	return bytes.HasPrefix(line, []byte("From ")) || ok && len(name) > 0 && !bytes.ContainsAny(name, " \t\x00")
}

// isMessage says whether a file holds a whole message rather than a body.
func isMessage(file string) bool {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".txt", ".html", ".htm":
		return false
	}
	return true
}

// idOf is the name of a file without its ending.
func idOf(file string) string { return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) }

func explainFile(file string) explanation {
	id := idOf(file)
	f, err := os.Open(file)
	if err != nil {
		return explanation{ID: id, Error: err.Error()}
	}
	defer f.Close()
	if !isMessage(file) {
		return explainBody(id, file, f)
	}
	u, err := intake.Understand(f)
	if err != nil {
		return explanation{ID: id, Error: err.Error()}
	}
	return explained(id, u)
}

const maxBodyBytes = 4 << 20

func explainBody(id, file string, f io.Reader) explanation {
	body, err := io.ReadAll(io.LimitReader(f, maxBodyBytes))
	if err != nil {
		return explanation{ID: id, Error: err.Error()}
	}
	text := strings.ToValidUTF8(string(body), "\uFFFD")
	if strings.EqualFold(filepath.Ext(file), ".txt") {
		return explanation{ID: id, Text: text, ReplyText: intake.NewText(text)}
	}
	return explanation{ID: id, HTML: text, ReplyText: intake.NewTextOfHTML(text)}
}

// An explanation is one line of explain --json.
type explanation struct {
	ID          string             `json:"id"`
	Error       string             `json:"error,omitempty"`
	Subject     string             `json:"subject"`
	From        []explainedAddress `json:"from,omitempty"`
	Sender      []explainedAddress `json:"sender,omitempty"`
	ReplyTo     []explainedAddress `json:"reply_to,omitempty"`
	To          []explainedAddress `json:"to,omitempty"`
	Cc          []explainedAddress `json:"cc,omitempty"`
	Date        string             `json:"date,omitempty"`
	MessageID   string             `json:"message_id,omitempty"`
	InReplyTo   []string           `json:"in_reply_to,omitempty"`
	References  []string           `json:"references,omitempty"`
	Text        string             `json:"text"`
	HTML        string             `json:"html"`
	HasText     bool               `json:"has_text"`
	HasHTML     bool               `json:"has_html"`
	ReplyText   string             `json:"reply_text"`
	Attachments []explainedFile    `json:"attachments"`
	Kind        string             `json:"kind,omitempty"`
	KindReason  string             `json:"kind_reason,omitempty"`
	Class       string             `json:"class,omitempty"`
	IsBounce    bool               `json:"is_bounce"`
	IsAutomatic bool               `json:"is_automatic"`
	IsAutoReply bool               `json:"is_auto_reply"`
	IsList      bool               `json:"is_list"`
	Bounce      *explainedBounce   `json:"bounce,omitempty"`
	Notes       []string           `json:"notes,omitempty"`
	Thread      string             `json:"thread,omitempty"`
}

type explainedAddress struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

type explainedFile struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256"`
	ContentID string `json:"content_id,omitempty"`
	Inline    bool   `json:"inline"`
}

type explainedBounce struct {
	Recipients        []explainedRecipient `json:"recipients"`
	OriginalMessageID string               `json:"original_message_id,omitempty"`
}

type explainedRecipient struct {
	Address  string `json:"address"`
	Original string `json:"original,omitempty"`
	Action   string `json:"action,omitempty"`
	Status   string `json:"status,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

func explained(id string, u intake.Understanding) explanation {
	e := explanation{
		ID: id, Subject: u.Subject, Text: u.Text, HTML: u.HTML, HasText: u.Text != "", HasHTML: u.HTML != "",
		From: explainedAddresses(u.From), Sender: explainedAddresses(u.Sender), ReplyTo: explainedAddresses(u.ReplyTo),
		To: explainedAddresses(u.To), Cc: explainedAddresses(u.Cc),
		MessageID: u.MessageID, InReplyTo: u.InReplyTo, References: u.References,
		Kind: string(u.Kind), KindReason: u.KindReason, Class: classOf(u),
		IsBounce: u.IsBounce, IsAutomatic: u.IsAutomatic, IsAutoReply: u.IsAutoReply, IsList: u.IsList,
		Notes: u.Notes, Attachments: []explainedFile{},
	}
	if !u.Date.IsZero() {
		e.Date = u.Date.UTC().Format(time.RFC3339)
	}
	if u.Text != "" {
		e.ReplyText = intake.NewText(u.Text)
	} else {
		e.ReplyText = intake.NewTextOfHTML(u.HTML)
	}
	for _, a := range u.Attachments {
		e.Attachments = append(e.Attachments, explainedFile{a.Name, a.Type, a.SizeBytes, hex.EncodeToString(a.SHA256[:]), a.ContentID, a.Inline})
	}
	if len(u.Bounce.Recipients) > 0 || u.Bounce.OriginalMessageID != "" {
		e.Bounce = &explainedBounce{OriginalMessageID: u.Bounce.OriginalMessageID}
		for _, r := range u.Bounce.Recipients {
			e.Bounce.Recipients = append(e.Bounce.Recipients, explainedRecipient(r))
		}
	}
	return e
}

func explainedAddresses(list []postroom.Address) []explainedAddress {
	var out []explainedAddress
	for _, a := range list {
		out = append(out, explainedAddress(a))
	}
	return out
}

// classOf is the corpus' name of a kind.
func classOf(u intake.Understanding) string {
	switch u.Kind {
	case postroom.KindPerson:
		return "human"
	case postroom.KindAutoReply:
		return "auto-reply"
	case postroom.KindAutomatic:
		return "auto-generated"
	case postroom.KindDelay:
		return "dsn-delayed"
	case postroom.KindDelivered:
		return "dsn-success"
	case postroom.KindReceipt:
		return "mdn"
	case postroom.KindReport:
		if u.IsAggregate {
			return "auto-generated"
		}
		return "feedback-report"
	}
	return string(u.Kind)
}

func writeExplanation(w io.Writer, e explanation, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(e)
	}
	return writeForPeople(w, e)
}
