package simulator

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"encoding/base64"
	"image/png"

	"golang.org/x/net/html/charset"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.FixedZone("CET", 3600))

func newDrip(t *testing.T, seed uint64) *Drip {
	t.Helper()
	d, err := NewDrip(seed)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheSameSeedDripsTheSameMail(t *testing.T) {
	a, b, c := newDrip(t, 7), newDrip(t, 7), newDrip(t, 8)
	different := false
	for i := range 120 {
		now := noon.Add(time.Duration(i) * time.Second)
		x, y, z := a.Next(now), b.Next(now), c.Next(now)
		if !bytes.Equal(x.Raw, y.Raw) || x.Account != y.Account {
			t.Fatalf("letter %d differs with the same seed", i)
		}
		different = different || !bytes.Equal(x.Raw, z.Raw)
	}
	if !different {
		t.Error("another seed drips the same mail")
	}
}

// parsed is a message as the standard library reads it.
type parsed struct {
	mail.Header
	kinds []string // media types of the leaves
	parts map[string][]byte
}

func read(t *testing.T, raw []byte) (p parsed, err error) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return p, err
	}
	p = parsed{Header: m.Header, parts: map[string][]byte{}}
	return p, p.walk(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
}

func (p *parsed) walk(contentType, transfer string, body io.Reader) error {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, parameters["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if err := p.walk(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part); err != nil {
				return err
			}
		}
	}
	switch transfer {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	if name := parameters["charset"]; name != "" {
		if body, err = charset.NewReaderLabel(name, body); err != nil {
			return err
		}
	}
	content, err := io.ReadAll(body)
	p.kinds = append(p.kinds, kind)
	p.parts[kind] = content
	return err
}

func TestTheDripHoldsEveryKindOfMail(t *testing.T) {
	d := newDrip(t, 1)
	seen, broken := map[string]int{}, 0
	ids, accounts, subjects := map[string]bool{}, map[string]int{}, map[string]bool{}
	for i := range 50 {
		now := noon.Add(time.Duration(i) * 3 * time.Second)
		letter := d.Next(now)
		accounts[letter.Account]++
		p, err := read(t, letter.Raw)
		if err != nil {
			broken++
			continue
		}
		if at, err := p.Date(); err != nil || now.Sub(at) < 0 || now.Sub(at) > time.Minute {
			t.Errorf("letter %d is dated %v (%v), want just before %v", i, at, err, now)
		}
		id := p.Get("Message-ID")
		if id == "" || ids[id] {
			t.Errorf("letter %d has the Message-ID %q again", i, id)
		}
		ids[id] = true
		if answered := p.Get("In-Reply-To"); answered != "" && p.Get("Auto-Submitted") == "" {
			seen["reply"]++
			if !ids[answered] || !strings.Contains(p.Get("References"), answered) {
				t.Errorf("letter %d answers %s with References %s, want a letter of before", i, answered, p.Get("References"))
			}
		}
		subject, err := (&mime.WordDecoder{CharsetReader: charset.NewReaderLabel}).DecodeHeader(p.Get("Subject"))
		if err != nil || strings.ContainsAny(subject, "{}") || !strings.HasPrefix(subject, "Re: ") && subjects[subject] {
			t.Errorf("letter %d has the subject %q (%v)", i, subject, err)
		}
		subjects[subject] = true
		take(t, p, subject, seen)
	}
	for _, kind := range []string{"reply", "automatic", "bounce", "list", "script", "pdf", "png", "csv", "iso-2022-jp", "long subject"} {
		if seen[kind] == 0 {
			t.Errorf("50 letters hold no %s", kind)
		}
	}
	if broken != 1 {
		t.Errorf("%d letters are broken, want 1", broken)
	}
	if accounts[SupportAddress] < 10 || accounts[SalesAddress] < 10 || len(accounts) != 2 {
		t.Errorf("the letters go to %v, want both mailboxes", accounts)
	}
}

// take notes what a letter holds, and checks it.
func take(t *testing.T, p parsed, subject string, seen map[string]int) {
	t.Helper()
	if p.Get("Auto-Submitted") == "auto-replied" && p.parts["message/delivery-status"] == nil {
		seen["automatic"]++
	}
	if status := string(p.parts["message/delivery-status"]); strings.Contains(status, "Action: failed\r\n") {
		seen["bounce"]++
		if p.Get("Return-Path") != "<>" || !strings.Contains(string(p.parts["message/rfc822"]), "Message-ID: <") {
			t.Error("the bounce has a sender, or nothing of what bounced")
		}
	}
	if p.Get("List-Id") != "" {
		seen["list"]++
	}
	if page := string(p.parts["text/html"]); strings.Contains(page, "<script>") && strings.Contains(page, `src="https://`) {
		_, id, _ := strings.Cut(page, `src="cid:`)
		id, _, _ = strings.Cut(id, `"`)
		if id != "" {
			seen["script"]++
		}
	}
	if file := p.parts["application/pdf"]; bytes.HasPrefix(file, []byte("%PDF-1.4\n")) && bytes.HasSuffix(file, []byte("%%EOF\n")) {
		seen["pdf"]++
	}
	if file := p.parts["image/png"]; file != nil {
		if _, err := png.Decode(bytes.NewReader(file)); err != nil {
			t.Errorf("a picture cannot be read: %v", err)
		}
		seen["png"]++
	}
	if bytes.Contains(p.parts["text/csv"], []byte("head circumference")) {
		seen["csv"]++
	}
	if strings.Contains(p.Get("Subject"), "ISO-2022-JP") && strings.Contains(subject, "注文番号") &&
		strings.Contains(string(p.parts["text/plain"]), "佐藤 美咲") {
		seen["iso-2022-jp"]++
	}
	if len(subject) > 150 {
		seen["long subject"]++
	}
}

func TestTheDripNeverEnds(t *testing.T) {
	d := newDrip(t, 1)
	ids, senders := map[string]bool{}, map[string]bool{}
	for i := range 500 {
		p, err := read(t, d.Next(noon.Add(time.Duration(i)*time.Minute)).Raw)
		if err != nil {
			continue
		}
		ids[p.Get("Message-ID")] = true
		senders[p.Get("From")] = true
	}
	if len(ids) < 480 || len(senders) < 200 {
		t.Errorf("500 letters have %d Message-IDs and %d senders, want new ones all along", len(ids), len(senders))
	}
}

func TestTheBacklogIsOlderThanNow(t *testing.T) {
	d := newDrip(t, 1)
	letters := d.Backlog(30, noon)
	first := d.Next(noon)
	if len(letters) != 30 {
		t.Fatalf("Backlog returns %d letters, want 30", len(letters))
	}
	ids := map[string]bool{}
	for i, letter := range append(letters, first) {
		if i > 0 && !letter.Date.After(letters[i-1].Date) || letter.Date.After(noon) {
			t.Errorf("letter %d is of %v, want a rising date before %v", i, letter.Date, noon)
		}
		p, err := read(t, letter.Raw)
		if err != nil {
			continue
		}
		if ids[p.Get("Message-ID")] {
			t.Errorf("letter %d has a Message-ID again", i)
		}
		ids[p.Get("Message-ID")] = true
	}
}

func TestGeneratedMailIsMixedAndTheSameEachTime(t *testing.T) {
	const n = 2000
	total, replies, unnamed := 0, 0, 0
	ids, kinds := map[string]bool{}, map[string]int{}
	for i, raw := range Generate(5, n) {
		if i%97 == 0 && !bytes.Equal(raw, Generated(5, i)) {
			t.Errorf("message %d differs when it is made alone", i)
		}
		total += len(raw)
		if len(raw) < 1_000 || len(raw) > 205_000 {
			t.Errorf("message %d has %d bytes", i, len(raw))
		}
		p, err := read(t, raw)
		if err != nil {
			t.Fatalf("message %d cannot be read: %v", i, err)
		}
		for _, kind := range p.kinds {
			kinds[kind]++
		}
		if answered := p.Get("In-Reply-To"); answered != "" {
			replies++
			if !ids[answered] {
				t.Errorf("message %d answers %s, which was not before it", i, answered)
			}
		}
		id := p.Get("Message-ID")
		if id == "" {
			unnamed++
		} else if ids[id] {
			t.Errorf("message %d has a Message-ID again", i)
		}
		ids[id] = true
	}
	t.Logf("%d bytes on average", total/n)
	if average := total / n; average < 18_000 || average > 26_000 {
		t.Errorf("messages have %d bytes on average, want about 22,000", average)
	}
	if replies < n/5 || unnamed != n/100 || kinds["text/html"] < n/3 || kinds["application/octet-stream"] < n/10 {
		t.Errorf("%d replies, %d without Message-ID, kinds %v: want a mixture", replies, unnamed, kinds)
	}
}
