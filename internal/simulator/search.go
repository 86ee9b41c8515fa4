package simulator

import (
	"bufio"
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-message/textproto"
)

func (s *session) Search(kind imapserver.NumKind, criteria *imap.SearchCriteria, _ *imap.SearchOptions) (*imap.SearchData, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var data imap.SearchData
	var numbers imap.SeqSet
	var uids imap.UIDSet
	q := question{s.view}
	for i, r := range s.view.rows {
		if r.letter.gone || !q.matches(i, criteria) {
			continue
		}
		n := uint32(i + 1)
		if kind == imapserver.NumKindUID {
			n = r.letter.uid
			uids.AddNum(imap.UID(n))
		} else {
			numbers.AddNum(n)
		}
		if data.Min == 0 {
			data.Min = n
		}
		data.Max = n
		data.Count++
	}
	data.All = numbers
	if kind == imapserver.NumKindUID {
		data.All = uids
	}
	return &data, nil
}

// A question is one SEARCH over a view.
type question struct{ view *view }

func (q question) matches(i int, c *imap.SearchCriteria) bool {
	l := q.view.rows[i].letter
	for _, set := range c.SeqNum {
		if !q.view.has(i, set) {
			return false
		}
	}
	for _, set := range c.UID {
		if !q.view.has(i, set) {
			return false
		}
	}
	lacks := func(f imap.Flag) bool { return !hasFlag(l.flags, f) }
	has := func(f imap.Flag) bool { return hasFlag(l.flags, f) }
	if slices.ContainsFunc(c.Flag, lacks) || slices.ContainsFunc(c.NotFlag, has) {
		return false
	}
	if c.Larger != 0 && int64(len(l.raw)) <= c.Larger || c.Smaller != 0 && int64(len(l.raw)) >= c.Smaller {
		return false
	}
	if !isBetween(l.date, c.Since, c.Before) || !matchesText(l.raw, c) {
		return false
	}
	for _, not := range c.Not {
		if q.matches(i, &not) {
			return false
		}
	}
	for _, or := range c.Or {
		if !q.matches(i, &or[0]) && !q.matches(i, &or[1]) {
			return false
		}
	}
	return true
}

// isBetween compares days, whatever their zone (RFC 9051 section 6.4.4).
func isBetween(t, since, before time.Time) bool {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return (since.IsZero() || !day.Before(since)) && (before.IsZero() || day.Before(before))
}

func matchesText(raw []byte, c *imap.SearchCriteria) bool {
	if len(c.Header) == 0 && len(c.Text) == 0 && len(c.Body) == 0 && c.SentSince.IsZero() && c.SentBefore.IsZero() {
		return true
	}
	header, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return false
	}
	for _, want := range c.Header {
		has := func(v string) bool { return strings.Contains(strings.ToLower(v), strings.ToLower(want.Value)) }
		if !slices.ContainsFunc(header.Values(want.Key), has) {
			return false
		}
	}
	whole := bytes.ToLower(raw)
	_, body, _ := bytes.Cut(whole, []byte("\r\n\r\n"))
	for _, text := range c.Text {
		if !bytes.Contains(whole, []byte(strings.ToLower(text))) {
			return false
		}
	}
	for _, text := range c.Body {
		if !bytes.Contains(body, []byte(strings.ToLower(text))) {
			return false
		}
	}
	if c.SentSince.IsZero() && c.SentBefore.IsZero() {
		return true
	}
	sent, err := time.Parse(time.RFC1123Z, header.Get("Date"))
	return err == nil && isBetween(sent, c.SentSince, c.SentBefore)
}
