package simulator

import (
	"fmt"
	"net/mail"
	"strconv"
	"strings"
)

// A story is one conversation as letters.txt tells it.
type story struct {
	account string
	turns   []turn
}

// A turn is one letter of a story.
type turn struct {
	form       string
	from       mail.Address
	subject    string
	charset    string // empty: UTF-8
	attachment string // "pdf NAME", "png NAME" or "csv NAME"; empty: none
	later      int    // letters between it and the one before
	text       string
}

// isPersonal says whether another person could have written it.
func (t turn) isPersonal() bool {
	return (t.form == "plain" || t.form == "both" || t.form == "html") && t.charset == ""
}

// readStories reads the format that the head of letters.txt explains.
func readStories(text string) ([]story, error) {
	var stories []story
	fields := false
	for i, line := range strings.Split(text, "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		switch {
		case !fields && mark == "@":
			account, form, _ := strings.Cut(rest, " ")
			stories = append(stories, story{account: account + "@example.net", turns: []turn{{form: form}}})
			fields = true
		case !fields && mark == "+":
			s := &stories[len(stories)-1]
			s.turns = append(s.turns, turn{form: rest, from: s.turns[0].from, charset: s.turns[0].charset, later: 5})
			fields = true
		case len(stories) == 0:
			// the explanation
		case fields && line == "":
			fields = false
		case fields:
			s := &stories[len(stories)-1]
			if err := s.turns[len(s.turns)-1].set(line); err != nil {
				return nil, fmt.Errorf("letters.txt line %d: %w", i+1, err)
			}
		default:
			s := &stories[len(stories)-1]
			s.turns[len(s.turns)-1].text += line + "\n"
		}
	}
	for _, s := range stories {
		for i := range s.turns {
			s.turns[i].text = strings.TrimSpace(s.turns[i].text) + "\n"
		}
	}
	return stories, nil
}

func (t *turn) set(line string) error {
	name, value, ok := strings.Cut(line, ": ")
	if !ok {
		return fmt.Errorf("%q is no field", line)
	}
	switch name {
	case "from":
		from, err := mail.ParseAddress(value)
		if err != nil {
			return fmt.Errorf("address %q: %w", value, err)
		}
		t.from = *from
	case "subject":
		t.subject = value
	case "charset":
		t.charset = value
	case "attach":
		t.attachment = value
	case "later":
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("later: %w", err)
		}
		t.later = n
	default:
		return fmt.Errorf("there is no field %q", name)
	}
	return nil
}
