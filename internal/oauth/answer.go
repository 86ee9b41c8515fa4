package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// An answer is what a provider said, as far as it could be read.
type answer struct {
	status     int
	retryAfter time.Duration
	fields     map[string]any // of JSON or of a form: string, json.Number, bool, nil, []any, map[string]any
	text       string         // what came, where it has no fields
	err        error          // why it has none; nil: it has
}

// read takes the body of an answer apart. What it is, its beginning says and not its
// type: old servers send forms (and call them plain text), many call JSON text/html, and
// a hotspot sends a page with status 200.
func (a *answer) read(body []byte, tooLong bool) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	body = bytes.TrimSpace(body)
	a.text = string(body)
	switch {
	case tooLong:
		a.err = ErrTooLong
		if bytes.HasPrefix(body, []byte("<")) {
			a.err = ErrPage
		}
	case len(body) == 0:
		a.err = fmt.Errorf("%w: it is empty", ErrAnswer)
	case body[0] == '{':
		a.fields, a.err = readObject(body)
	case body[0] == '<':
		a.err = ErrPage
	default:
		a.fields, a.err = readForm(a.text)
	}
}

// readObject reads a JSON object. A name that stands there twice with different values
// may mean one thing to us and another to others, so such an answer is none.
func readObject(body []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if _, err := d.Token(); err != nil { // {
		return nil, unreadable(err)
	}
	fields, raws := map[string]any{}, map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, unreadable(err)
		}
		key, isText := name.(string)
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil || !isText {
			return nil, unreadable(err)
		}
		if before, known := raws[key]; known && !bytes.Equal(before, raw) {
			return nil, fmt.Errorf("%w: it says the same thing twice", ErrAnswer)
		}
		value := json.NewDecoder(bytes.NewReader(raw))
		value.UseNumber()
		var field any
		if err := value.Decode(&field); err != nil {
			return nil, unreadable(err)
		}
		raws[key], fields[key] = raw, field
	}
	if _, err := d.Token(); err != nil { // }
		return nil, unreadable(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more than one object", ErrAnswer)
	}
	return fields, nil
}

// unreadable does not repeat what the decoder says, for it quotes. That an answer was cut
// off stays known.
func unreadable(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", ErrAnswer, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("%w: it is not JSON", ErrAnswer)
}

// formStart is how a form of OAuth begins.
var formStart = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}=`)

func readForm(text string) (map[string]any, error) {
	if !formStart.MatchString(text) || strings.ContainsAny(text, "<>\"\n") {
		return nil, fmt.Errorf("%w: it is neither JSON nor a form", ErrAnswer)
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no form", ErrAnswer)
	}
	fields := make(map[string]any, len(values))
	for name, all := range values {
		for _, value := range all[1:] {
			if value != all[0] {
				return nil, fmt.Errorf("%w: it says the same thing twice", ErrAnswer)
			}
		}
		fields[name] = all[0]
	}
	return fields, nil
}

// said is a field as text; empty: it is not there, or is no text or number.
func (a *answer) said(name string) string {
	switch value := a.fields[name].(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	}
	return ""
}

// says is a field that is true, however that is written.
func (a *answer) says(name string) bool {
	value, isBool := a.fields[name].(bool)
	return isBool && value || strings.EqualFold(a.said(name), "true")
}

// maxSpan is the longest time that is believed.
const maxSpan = 10 * 365 * 24 * time.Hour

// seconds is a field that counts them, as a number, a fraction or a text. ok is false
// where it is not there, or is no number.
func (a *answer) seconds(name string) (n float64, ok bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(a.said(name)), 64)
	return n, !math.IsNaN(n) && (err == nil || errors.Is(err, strconv.ErrRange))
}

// span is a field that says how many seconds something lasts. ok is false where it is
// not there, or is not above zero: then nobody knows.
func (a *answer) span(name string) (d time.Duration, ok bool) {
	n, ok := a.seconds(name)
	switch {
	case !ok || n < 1:
		return 0, false
	case n >= maxSpan.Seconds():
		return maxSpan, true
	}
	return time.Duration(n) * time.Second, true
}

// list is a field that holds words with blanks between them (RFC 6749 section 3.3), or
// as some servers write it, an array. ok is false where it is not there, or is empty.
func (a *answer) list(name string) (words []string, ok bool) {
	switch value := a.fields[name].(type) {
	case string:
		words = strings.Fields(value)
	case []any:
		for _, one := range value {
			if word, isText := one.(string); isText && word != "" {
				words = append(words, word)
			}
		}
	}
	return words, len(words) > 0
}

var (
	pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
	pageSkip  = regexp.MustCompile(`(?is)<(?:script|style)\b.*?(?:</(?:script|style)>|$)`)
	pageTag   = regexp.MustCompile(`(?s)<[^>]*>?`)
)

// gist is what a page says in short: its title, else the beginning of its text.
func gist(page string) string {
	if title := pageTitle.FindStringSubmatch(page); title != nil {
		if text := plainWords(title[1]); text != "" {
			return text
		}
	}
	return plainWords(pageTag.ReplaceAllString(pageSkip.ReplaceAllString(page, " "), " "))
}

func plainWords(text string) string {
	return strings.Join(strings.Fields(html.UnescapeString(text)), " ")
}
