package main

import (
	"fmt"
	"io"
	"strings"
)

// writeForPeople writes an explanation as lines of a label and a value.
func writeForPeople(w io.Writer, e explanation) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", e.ID)
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&out, "  %-12s %s\n", label, value)
		}
	}
	if e.Error != "" {
		line("cannot read", e.Error)
	} else {
		line("subject", e.Subject)
		line("from", peopleInWords(e.From))
		line("sender", peopleInWords(e.Sender))
		line("reply to", peopleInWords(e.ReplyTo))
		line("to", peopleInWords(e.To))
		line("cc", peopleInWords(e.Cc))
		line("date", e.Date)
		line("message id", e.MessageID)
		if e.Kind != "" {
			line("kind", strings.ReplaceAll(e.Kind, "_", " ")+". "+e.KindReason)
		}
		if e.Bounce != nil {
			for _, r := range e.Bounce.Recipients {
				line("recipient", strings.Join(strings.Fields(strings.Join([]string{r.Address, r.Action, r.Status, r.Reason}, " ")), " "))
			}
			line("original", e.Bounce.OriginalMessageID)
		}
		line("thread", e.Thread)
		for _, a := range e.Attachments {
			name := a.Name
			if name == "" {
				name = "(no name)"
			}
			line("attachment", fmt.Sprintf("%s, %s, %d bytes", name, a.Type, a.Size))
		}
		for _, n := range e.Notes {
			line("note", n)
		}
		writeText(&out, "new text", e.ReplyText)
		if strings.TrimSpace(e.Text) != e.ReplyText {
			writeText(&out, "whole text", e.Text)
		}
		if e.Text == "" && e.HTML != "" {
			line("html", fmt.Sprintf("%d bytes, no plain text beside it", len(e.HTML)))
		}
	}
	out.WriteByte('\n')
	_, err := io.WriteString(w, out.String())
	return err
}

func writeText(out *strings.Builder, label, text string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return
	}
	fmt.Fprintf(out, "  %s\n", label)
	for _, l := range strings.Split(text, "\n") {
		fmt.Fprintf(out, "    | %s\n", strings.TrimRight(l, " \t"))
	}
}

func peopleInWords(list []explainedAddress) string {
	var words []string
	for _, a := range list {
		if a.Name == "" {
			words = append(words, a.Address)
			continue
		}
		words = append(words, a.Name+" <"+a.Address+">")
	}
	return strings.Join(words, ", ")
}
