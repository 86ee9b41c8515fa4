package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/postroom/postroom"
)

const (
	corpusDir  = "../../../shared/corpus"
	samplesDir = "../mail/mime/testdata/corpus"
	floorFile  = "../../scores/floor.json"
)

// TestScores holds what is understood of a corpus of real mail to the floor in
// scores/floor.json: the percentage of cases of each metric. The whole corpus
// lives beside the repository; where it is not, the samples in it serve.
func TestScores(t *testing.T) {
	var floors map[string]map[string]float64
	raw, err := os.ReadFile(floorFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &floors); err != nil {
		t.Fatal(err)
	}
	dir, floor := filepath.Join(corpusDir, "*"), floors["corpus"]
	if _, err := os.Stat(corpusDir); err != nil {
		dir, floor = samplesDir, floors["samples"]
		t.Logf("the corpus is not at %s: scoring the samples", corpusDir)
	}
	s := scoreAll(t, dir)
	var metrics []string
	for metric := range s.all {
		metrics = append(metrics, metric)
	}
	slices.Sort(metrics)
	for _, metric := range metrics {
		reached := 100 * float64(s.good[metric]) / float64(s.all[metric])
		t.Logf("%-26s %5d / %5d %6.1f %%", metric, s.good[metric], s.all[metric], reached)
		if reached < floor[metric] {
			t.Errorf("%s fell to %.1f %%, the floor is %.1f %%", metric, reached, floor[metric])
		}
	}
	for metric := range floor {
		if s.all[metric] == 0 {
			t.Errorf("nothing was scored for %s", metric)
		}
	}
}

// A scored is a case of the corpus; absent fields of expect are not asserted.
type scored struct {
	ID     string         `json:"id"`
	Kind   string         `json:"kind"`
	Input  string         `json:"input"`
	Expect map[string]any `json:"expect"`

	got Understanding
	dir string
}

type scores struct {
	good, all map[string]int
	threads   map[string][]*scored // by corpus
}

func (s *scores) put(metric string, good bool) {
	s.all[metric]++
	if good {
		s.good[metric]++
	}
}

func scoreAll(t *testing.T, dirs string) *scores {
	s := &scores{good: map[string]int{}, all: map[string]int{}, threads: map[string][]*scored{}}
	files, _ := filepath.Glob(filepath.Join(dirs, "*.json"))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := scored{dir: filepath.Dir(file)}
		if json.Unmarshal(raw, &c) != nil || c.Expect == nil || filepath.Base(c.dir) == "tnef" {
			continue
		}
		input, err := os.ReadFile(filepath.Join(c.dir, c.Input))
		if err != nil {
			t.Fatal(err)
		}
		switch c.Kind {
		case "message":
			s.message(&c, input)
		case "text":
			s.reply("reply text", c, NewText(string(input)))
		case "html":
			s.reply("reply of HTML", c, NewTextOfHTML(string(input)))
		}
	}
	s.threading()
	return s
}

func (s *scores) message(c *scored, input []byte) {
	u, err := Understand(bytes.NewReader(input))
	c.got = u
	s.put("answered", err == nil)
	e := c.Expect
	text := func(metric, field, got string) {
		if want, ok := e[field].(string); ok {
			s.put(metric, folded(want) == folded(got))
		} else if want, ok := e[field].(map[string]any); ok {
			sum := sha256.Sum256([]byte(folded(got)))
			s.put(metric, want["$folded_sha256"] == hex.EncodeToString(sum[:]))
		}
	}
	text("subject", "subject", u.Subject)
	text("text", "text", u.Text)
	text("html", "html", u.HTML)
	text("message id", "message_id", u.MessageID)
	if want, ok := e["date"].(string); ok {
		s.put("date", want == u.Date.Format(time.RFC3339))
	}
	for field, got := range map[string][]postroom.Address{"from": u.From, "to": u.To, "cc": u.Cc} {
		s.people(field, e[field], got)
	}
	for field, got := range map[string][]string{"references": u.References, "in_reply_to": u.InReplyTo} {
		if want, ok := e[field].([]any); ok {
			s.put(field, fmt.Sprint(want) == fmt.Sprint(got))
		}
	}
	s.attachments(e, u.Attachments)
	for field, got := range map[string]bool{"is_bounce": u.IsBounce, "is_automatic": u.IsAutomatic, "is_auto_reply": u.IsAutoReply, "is_list": u.IsList} {
		if want, ok := e[field].(bool); ok {
			s.put(field, want == got)
		}
	}
	s.bounce(e, u)
	if thread, ok := e["thread"].(map[string]any); ok {
		corpus := fmt.Sprint(thread["corpus"])
		s.threads[corpus] = append(s.threads[corpus], c)
	}
}

func (s *scores) people(field string, want any, got []postroom.Address) {
	list, ok := want.([]any)
	if !ok {
		return
	}
	var wantAddresses, wantNames, gotAddresses, gotNames []string
	named := true
	for _, entry := range list {
		person, _ := entry.(map[string]any)
		address, _ := person["address"].(string)
		name, hasName := person["name"]
		named = named && hasName
		wantAddresses = append(wantAddresses, strings.ToLower(address))
		wantNames = append(wantNames, folded(fmt.Sprint(name)))
	}
	for _, a := range got {
		gotAddresses = append(gotAddresses, strings.ToLower(a.Address))
		gotNames = append(gotNames, folded(a.Name))
	}
	s.put(field+" addresses", slices.Equal(wantAddresses, gotAddresses))
	if named {
		s.put(field+" names", slices.Equal(wantNames, gotNames))
	}
}

func (s *scores) attachments(e map[string]any, got []postroom.Attachment) {
	list, ok := e["attachments"].([]any)
	if !ok {
		return
	}
	var want, have []string
	known := true
	for _, entry := range list {
		file, _ := entry.(map[string]any)
		sum, ok := file["sha256"].(string)
		known = known && ok
		want = append(want, sum)
	}
	for _, a := range got {
		have = append(have, hex.EncodeToString(a.SHA256[:]))
	}
	slices.Sort(want)
	slices.Sort(have)
	s.put("attachment count", len(want) == len(have))
	if len(list) > 0 && known {
		s.put("attachment bytes", slices.Equal(want, have))
	}
}

func (s *scores) bounce(e map[string]any, u Understanding) {
	bounce, _ := e["bounce"].(map[string]any)
	recipients, _ := bounce["recipients"].([]any)
	if failed, _ := e["is_bounce"].(bool); !failed || len(recipients) == 0 {
		return
	}
	want, have := map[string]bool{}, map[string]bool{}
	for _, entry := range recipients {
		r, _ := entry.(map[string]any)
		want[strings.ToLower(fmt.Sprint(r["address"]))] = true
	}
	for _, r := range u.Bounce.Recipients {
		have[strings.ToLower(r.Address)] = true
	}
	s.put("bounce recipients", fmt.Sprint(want) == fmt.Sprint(have))
}

func (s *scores) reply(metric string, c scored, got string) {
	wants, _ := c.Expect["reply_text_any"].([]any)
	if want, ok := c.Expect["reply_text"]; ok {
		wants = append(wants, want)
	}
	if len(wants) > 0 {
		s.put(metric, slices.ContainsFunc(wants, func(want any) bool {
			text, ok := want.(string)
			return ok && strings.Join(strings.Fields(text), "") == strings.Join(strings.Fields(got), "")
		}))
	}
}

// threading counts the mails that share a thread with exactly those of their
// corpus that they should.
func (s *scores) threading() {
	for _, cases := range s.threads {
		var threads Threads
		for _, c := range cases {
			threads.Add(c.ID, c.got.Mail)
		}
		id := func(c *scored) any { return c.Expect["thread"].(map[string]any)["id"] }
		for _, a := range cases {
			s.put("thread", !slices.ContainsFunc(cases, func(b *scored) bool {
				return (id(a) == id(b)) != (threads.Of(a.ID) == threads.Of(b.ID))
			}))
		}
	}
}

// folded is a text in NFC with every run of white space as one blank.
func folded(text string) string {
	return strings.Join(strings.Fields(norm.NFC.String(text)), " ")
}
