package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// maxEvent is how long one event may be, in bytes: the result has a dialogue in it.
const maxEvent = 8 << 20

// live sends a request whose answer takes its time, has told hear each step as it
// comes, and reads the result into into. It returns the result as it came. It waits
// as long as ctx lasts.
func (c *client) live(ctx context.Context, path string, body, into any, told func(step json.RawMessage)) (json.RawMessage, error) {
	r, err := c.request(ctx, http.MethodPost, path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream, application/json")
	patient := *c.http
	patient.Timeout = 0
	answer, err := patient.Do(r)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer answer.Body.Close()
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if kind != "text/event-stream" || answer.StatusCode >= 300 {
		return c.result(answer, into)
	}
	result, err := c.events(answer.Body, told)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(result, into); err != nil {
		return nil, notPostroom(c.base, err)
	}
	return result, nil
}

// events hears steps until the result comes.
func (c *client) events(from io.Reader, told func(step json.RawMessage)) (json.RawMessage, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	name := ""
	for lines.Scan() {
		field, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
		switch string(field) {
		case "event":
			name = string(value)
		case "data":
			data := bytes.Clone(value)
			switch name {
			case "step":
				told(data)
			case "result":
				return data, nil
			case "problem":
				return nil, problem(http.StatusInternalServerError, data)
			}
		}
	}
	err := lines.Err()
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	return nil, &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "Postroom at " + strings.TrimSuffix(c.base, "/api/v1") + " ended the answer before it was through.",
		Remedy:      "It may have been stopped. Give the same command again.",
		Err:         err,
	}
}

// A reel prints steps as they come, a line each, and on a screen what goes on.
type reel struct {
	*sheet
	title    func(step string) string
	isSilent bool
	holds    bool     // steps of sending until [reel.ends]: both sides are tried at the same time
	held     []reeled // of sending
}

// A reeled is what steps of the API have in common.
type reeled struct {
	Step         string `json:"step"`
	Side         string `json:"side"` // of a test
	OK           bool   `json:"ok"`
	Running      bool   `json:"running"`
	Milliseconds int64  `json:"milliseconds"`
	Detail       string `json:"detail"`
}

func (r *reel) step(text json.RawMessage) {
	var s reeled
	if r.isSilent || json.Unmarshal(text, &s) != nil {
		return // the result says it too
	}
	if r.holds && s.Side == string(mailbox.OutgoingSide) {
		if !s.Running {
			r.held = append(r.held, s)
		}
		return
	}
	if s.Running {
		r.goesOn(strings.TrimSpace(r.title(s.Step) + "  " + printable(s.Detail)))
		return
	}
	r.line(s)
}

// ends prints what was held.
func (r *reel) ends() {
	for _, s := range r.held {
		r.line(s)
	}
	r.held = nil
}

func (r *reel) line(s reeled) {
	mark := r.colour(green, "✓")
	if !s.OK {
		mark = r.colour(red, "✕")
	}
	line := fmt.Sprintf("%s %-*s %6d ms  %s", mark, titleWidth, r.title(s.Step), s.Milliseconds, printable(s.Detail))
	r.printf("%s\n", strings.TrimRight(line, " "))
}
