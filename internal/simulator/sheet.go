package simulator

import (
	"fmt"
	"html"
	"math/rand/v2"
	"net/mail"
	"strings"
	"time"
)

// A sheet is one letter of the drip while it is written.
type sheet struct {
	turn    turn
	first   turn // of the conversation
	random  *rand.Rand
	at      time.Time
	account string
	from    mail.Address
	id      string
	answers []string // Message-IDs of the conversation so far
	fill    *strings.Replacer
	quoted  string
}

func (s *sheet) write() []byte {
	switch s.turn.form {
	case "automatic":
		ours := "<" + s.ourID() + ">"
		return message(s.fields(
			field{"Auto-Submitted", "auto-replied"}, field{"X-Auto-Response-Suppress", "All"}, field{"Precedence", "bulk"},
			field{"In-Reply-To", ours}, field{"References", ours},
		), textEntity("plain", "", s.text()))
	case "bounce":
		return s.bounce()
	case "newsletter":
		return s.newsletter()
	case "broken":
		return s.broken()
	}
	return message(s.fields(), s.content())
}

// fields are the header fields that every letter has, and more.
func (s *sheet) fields(more ...field) []field {
	subject := s.fill.Replace(s.first.subject)
	if len(s.answers) > 0 {
		subject = "Re: " + subject
	}
	fields := []field{
		{"Return-Path", "<" + s.from.Address + ">"},
		{"Received", fmt.Sprintf("from mail.example.com (mail.example.com [192.0.2.%d]) by mx.example.net (Postfix) with ESMTPS id %08X for <%s>; %s",
			1+s.random.IntN(250), s.random.Uint32(), s.account, s.at.Format(time.RFC1123Z))},
		{"Date", s.at.Add(-time.Duration(2+s.random.IntN(20)) * time.Second).Format(time.RFC1123Z)},
		{"From", headerAddress(s.turn.charset, s.from)},
		{"To", headerAddress("", mail.Address{Name: companyName, Address: s.account})},
		{"Subject", headerText(s.turn.charset, subject)},
		{"Message-ID", "<" + s.id + ">"},
	}
	if n := len(s.answers); n > 0 {
		fields = append(fields, field{"In-Reply-To", "<" + s.answers[n-1] + ">"},
			field{"References", "<" + strings.Join(s.answers, "> <") + ">"})
	}
	return append(fields, more...)
}

func (s *sheet) text() string { return s.fill.Replace(s.turn.text) }

// content is what a person writes.
func (s *sheet) content() entity {
	text := s.text()
	if s.quoted != "" {
		text += "\nOn " + s.at.AddDate(0, 0, -1).Format("Mon, 2 Jan 2006") + ", " + companyName + " wrote:\n> Thank you for your message, we will look into it.\n>\n"
		for line := range strings.Lines(s.quoted) {
			text += ">> " + line
		}
	}
	content := textEntity("plain", s.turn.charset, text)
	switch s.turn.form {
	case "both":
		content = multipartEntity("alternative", s.boundary("alt"), content, textEntity("html", "", s.html("")))
	case "html":
		shown := "picture." + s.id
		page := textEntity("html", "", s.html(
			`<p><img src="cid:`+shown+`" width="160" height="120" alt="the picture"></p>`+
				`<p><img src="https://tracker.example.com/open.gif?letter=`+s.id+`" width="1" height="1" alt=""></p>`+
				`<script>document.body.innerHTML = "A script in a mail has run"</script>`))
		content = multipartEntity("alternative", s.boundary("alt"), content, multipartEntity("related", s.boundary("rel"),
			page, fileEntity("image/png", "inline", "picture.png", shown, picture(s.random, 160, 120))))
	}
	if s.turn.attachment == "" {
		return content
	}
	return multipartEntity("mixed", s.boundary("mix"), content, s.attachment())
}

func (s *sheet) attachment() entity {
	kind, name, _ := strings.Cut(s.fill.Replace(s.turn.attachment), " ")
	switch kind {
	case "pdf":
		return fileEntity("application/pdf", "attachment", name, "", pdf(companyName, name, "Date: "+s.at.Format("2 January 2006"), s.fill.Replace("Total: {amount} EUR")))
	case "png":
		return fileEntity("image/png", "attachment", name, "", picture(s.random, 320, 240))
	}
	return fileEntity("text/csv", "attachment", name, "", table(s.random))
}

// html makes a page of the text and of what comes at its end.
func (s *sheet) html(end string) string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html><head><style>p { font-family: sans-serif }</style></head><body>\n")
	for paragraph := range strings.SplitSeq(strings.TrimSpace(s.text()), "\n\n") {
		b.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(paragraph), "\n", "<br>\n") + "</p>\n")
	}
	b.WriteString(end + "\n</body></html>\n")
	return b.String()
}

func (s *sheet) boundary(name string) string {
	return fmt.Sprintf("=_%s_%08x", name, s.random.Uint32())
}

// ourID is the Message-ID of something that we might have sent.
func (s *sheet) ourID() string {
	return fmt.Sprintf("%x.%08x@example.net", s.at.Unix(), s.random.Uint32())
}
