package api

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// Entry is one thing in the history of an issue.
type Entry struct {
	ID         string    `json:"id"`
	Issue      string    `json:"issue"`
	Kind       string    `json:"kind" enum:"mail,reply,note,change"`
	At         time.Time `json:"at"`
	Author     *string   `json:"author" doc:"The user who wrote or did it; null: a mail, a token, or Postroom itself."`
	AuthorName string    `json:"author_name"`
	Text       string    `json:"text" doc:"Of a note; of a change in words."`
	Mail       *Mail     `json:"mail" doc:"With kind mail."`
	Mailboxes  []string  `json:"mailboxes" nullable:"false" doc:"Where the mail came to, as far as the token may see."`
	Arrivals   []string  `json:"arrivals" nullable:"false" doc:"The lines of the ledger that brought it there."`
}

func showEntry(l store.EntryLine) Entry {
	e := Entry{
		ID: l.ID.String(), Issue: l.Issue.String(), Kind: string(l.Kind), At: l.At, Author: reference(l.Author), AuthorName: l.AuthorName,
		Text: l.Text, Mailboxes: namesOf(l.Mailboxes), Arrivals: make([]string, 0, len(l.Arrivals)),
	}
	for _, a := range l.Arrivals {
		e.Arrivals = append(e.Arrivals, a.String())
	}
	if l.Mail != nil {
		m := showMail(*l.Mail)
		e.Mail = &m
	}
	return e
}

type entriesInput struct {
	OfIssue
	Paging
}

func (s *Server) listEntries(ctx context.Context, v postroom.Viewer, in *entriesInput) (*answer[list[Entry]], error) {
	id, err := postroom.ParseID[postroom.IssueID](in.ID)
	if err != nil {
		return nil, err
	}
	if _, err := s.issue(ctx, v, id); err != nil {
		return nil, err
	}
	lines, next, err := s.Read.Entries(ctx, v, id, in.Limit, in.Cursor)
	return answerOf(listOf(lines, next, showEntry), err)
}

type noteInput struct {
	OfIssue
	Body struct {
		Text string `json:"text" doc:"For colleagues only; at most 100 KB."`
	}
}

func (s *Server) addNote(ctx context.Context, v postroom.Viewer, in *noteInput) (*answer[Entry], error) {
	id, err := postroom.ParseID[postroom.IssueID](in.ID)
	if err != nil {
		return nil, err
	}
	note, err := s.Issues.Note(ctx, v, id, in.Body.Text)
	if err != nil {
		return nil, err
	}
	return answerOf(showEntry(store.EntryLine{Entry: note, AuthorName: v.Name}), nil)
}

// Mail is a mail as understood.
type Mail struct {
	ID          string       `json:"id"`
	Issue       string       `json:"issue"`
	MessageID   string       `json:"message_id" doc:"Without brackets."`
	InReplyTo   []string     `json:"in_reply_to" nullable:"false"`
	References  []string     `json:"references" nullable:"false"`
	From        []Person     `json:"from" nullable:"false"`
	Sender      []Person     `json:"sender" nullable:"false"`
	ReplyTo     []Person     `json:"reply_to" nullable:"false"`
	To          []Person     `json:"to" nullable:"false"`
	Cc          []Person     `json:"cc" nullable:"false"`
	Bcc         []Person     `json:"bcc" nullable:"false"`
	Subject     string       `json:"subject"`
	Date        *time.Time   `json:"date" doc:"The header's; null when it is missing or makes no sense."`
	Received    *time.Time   `json:"received" doc:"Of the topmost Received header."`
	Kind        string       `json:"kind" enum:"person,auto_reply,automatic,bounce,delay,delivered,receipt,report,list,loop"`
	KindReason  string       `json:"kind_reason"`
	Text        string       `json:"text" doc:"As written; empty where there is only HTML."`
	HTML        string       `json:"html" doc:"As received, NOT safe to show: it may carry scripts, forms and remote pictures. Sanitise it and put it in a sandbox."`
	Attachments []Attachment `json:"attachments" nullable:"false"`
	Notes       []string     `json:"notes" nullable:"false" doc:"What could not be read as it should be, in words."`
	Size        int64        `json:"size" doc:"Of the exact bytes."`
}

// Attachment is a part of a mail that is not its body.
type Attachment struct {
	N         int    `json:"n" doc:"Counts from 0 within the mail."`
	Name      string `json:"name"`
	Type      string `json:"type" doc:"As the mail says: not to be trusted."`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256"`
	ContentID string `json:"content_id" doc:"What a cid: address in the HTML names."`
	Inline    bool   `json:"inline" doc:"Shown within the text rather than beside it."`
}

func showMail(v store.MailView) Mail {
	m := Mail{
		ID: v.ID.String(), Issue: v.Issue.String(), MessageID: v.MessageID,
		InReplyTo: full(v.InReplyTo), References: full(v.References),
		From: people(v.From), Sender: people(v.Sender), ReplyTo: people(v.ReplyTo), To: people(v.To), Cc: people(v.Cc), Bcc: people(v.Bcc),
		Subject: v.Subject, Date: moment(v.Date), Received: moment(v.Received), Kind: string(v.Kind), KindReason: v.KindReason,
		Text: v.Text, HTML: v.HTML, Attachments: make([]Attachment, 0, len(v.Attachments)), Notes: full(v.Notes), Size: v.SizeBytes,
	}
	for _, a := range v.Attachments {
		m.Attachments = append(m.Attachments, Attachment{a.N, a.Name, a.Type, a.SizeBytes, hex.EncodeToString(a.SHA256[:]), a.ContentID, a.Inline})
	}
	return m
}

func people(list []postroom.Address) []Person {
	all := make([]Person, 0, len(list))
	for _, a := range list {
		all = append(all, Person(a))
	}
	return all
}

// OfMail names a mail.
type OfMail struct {
	ID string `path:"id"`
}

// mail reads a mail that is not of a deleted issue.
func (s *Server) mail(ctx context.Context, v postroom.Viewer, text string) (store.MailView, error) {
	id, err := postroom.ParseID[postroom.MailID](text)
	if err != nil {
		return store.MailView{}, err
	}
	m, err := s.Read.Mail(ctx, v, id)
	if err != nil {
		return store.MailView{}, err
	}
	_, err = s.issue(ctx, v, m.Issue)
	return m, err
}

func (s *Server) readMail(ctx context.Context, v postroom.Viewer, in *OfMail) (*answer[Mail], error) {
	m, err := s.mail(ctx, v, in.ID)
	return answerOf(showMail(m), err)
}
