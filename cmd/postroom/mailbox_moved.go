package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/postroom/postroom/internal/api"
)

// tellNumberings says how a mailbox was moved, or numbered anew by its server, and
// what came of that. The numberings come newest first.
func tellNumberings(w io.Writer, all []api.Numbering) error {
	for i, n := range all {
		before, ok := precededBy(all[i+1:], n)
		if !ok {
			continue
		}
		c := n.Counts
		words := fmt.Sprintf("%s: %s known again, %s new, %s waiting", changeInWords(before, n), grouped(c.Duplicate), grouped(c.Filed+c.Deleted), grouped(c.Waiting))
		for _, rest := range []struct {
			n     int64
			words string
		}{{c.BeforeStart, "before the start"}, {c.Ignored, "ignored by a rule"}, {c.Vanished, "gone before they were here"}, {c.Quarantined, "set aside"}} {
			if rest.n > 0 {
				words += fmt.Sprintf(", %s %s", grouped(rest.n), rest.words)
			}
		}
		if _, err := fmt.Fprintln(w, words+"."); err != nil {
			return err
		}
	}
	return nil
}

// precededBy returns the numbering that n took the place of: the last one of its
// folder, or of another folder, that had ended when n began. earlier are newest first.
func precededBy(earlier []api.Numbering, n api.Numbering) (before api.Numbering, ok bool) {
	for _, one := range earlier {
		switch {
		case one.EndedAt == nil || one.EndedAt.After(n.BegunAt):
		case one.Folder == n.Folder:
			return one, true
		case !ok:
			before, ok = one, true
		}
	}
	return before, ok
}

// changeInWords says what is different in the second of two numberings.
func changeInWords(a, b api.Numbering) string {
	day := b.BegunAt.Local().Format("2 January 2006")
	var from, to []string
	note := func(was, is string) {
		if was != is {
			from, to = append(from, was), append(to, is)
		}
	}
	note(serverInWords(a), serverInWords(b))
	note("user "+a.Username, "user "+b.Username)
	note("folder "+a.Folder, "folder "+b.Folder)
	if len(from) == 0 {
		return fmt.Sprintf("%s numbered %s anew on %s", b.Host, b.Folder, day)
	}
	return fmt.Sprintf("Moved on %s from %s to %s", day, strings.Join(from, ", "), strings.Join(to, ", "))
}

func serverInWords(n api.Numbering) string { return n.Host + " (" + strings.ToUpper(n.Protocol) + ")" }
