package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

func TestTheDialogueWithAServer(t *testing.T) {
	o := openOffice(t)
	box := o.box("Support", "support@example.net")
	b := o.browser(o.admin)
	at := "/mailboxes/" + box.ID.String()
	b.get(at).has(t, http.StatusOK, at+"/transcript")
	a1 := b.get(at + "/transcript")
	a1.has(t, http.StatusOK, "Begin", "Passwords are blanked")
	a1.lacks(t, "Stop", "transcript.txt")

	b.post(at+"/transcript", url.Values{"minutes": {"30"}}).has(t, http.StatusSeeOther)
	b.get(at+"/transcript").has(t, http.StatusOK, "Writing down what is said", "Stop", "Nothing has been said yet", "/transcript/lines?after=0")
	hear := func(lines ...store.TranscriptLine) {
		t.Helper()
		for n := range lines {
			lines[n].At = time.Now()
		}
		if err := o.db.RecordTranscript(context.Background(), box.ID, lines); err != nil {
			t.Fatal(err)
		}
	}
	hear(store.TranscriptLine{Session: "1-1", Direction: 'N', Line: "Connecting to imap.example.net, port 993."},
		store.TranscriptLine{Session: "1-1", Direction: 'S', Line: "* OK <script>alert(1)</script>"})
	page := b.get(at + "/transcript")
	page.has(t, http.StatusOK, "* OK &lt;script&gt;", "Connecting to imap.example.net", "New connection")
	page.lacks(t, "<script>alert", "Nothing has been said")

	_, rest, _ := strings.Cut(page.body, "/transcript/lines?after=")
	after, _, _ := strings.Cut(rest, `"`)
	hear(store.TranscriptLine{Session: "1-1", Direction: 'C', Line: "P1 NOOP"})
	more := b.get(at + "/transcript/lines?after=" + after)
	more.has(t, http.StatusOK, "P1 NOOP", "/transcript/lines?after=")
	more.lacks(t, "* OK", "New connection")
	_, rest, _ = strings.Cut(more.body, "/transcript/lines?after=")
	after, _, _ = strings.Cut(rest, `"`)
	hear(store.TranscriptLine{Session: "1-2", Direction: 'C', Line: "P1 IDLE"})
	b.get(at+"/transcript/lines?after="+after).has(t, http.StatusOK, "P1 IDLE", "New connection")
	b.get(at+"/transcript/lines?after=nonsense").has(t, http.StatusOK, "* OK")

	b.post(at+"/transcript/end", nil).has(t, http.StatusSeeOther)
	a4 := b.get(at + "/transcript")
	a4.has(t, http.StatusOK, "Written down from", "Begin again", "P1 NOOP")
	a4.lacks(t, "/transcript/lines?after=")
	b.get(at+"/transcript.txt").has(t, http.StatusOK, "S: * OK <script>alert(1)</script>", "C: P1 NOOP")

	b.post(at+"/transcript", url.Values{"minutes": {"999"}}).has(t, http.StatusUnprocessableEntity, "1 to 60 minutes")
	b.post(at+"/pause", nil)
	b.post(at+"/transcript", nil).has(t, http.StatusConflict, "This mailbox is paused")
	a5 := o.browser(o.user("bob@example.net", "Bob", postroom.RoleAgent)).get(at + "/transcript")
	a5.has(t, http.StatusForbidden)
	a5.lacks(t, "* OK")
}

// lacks fails the test when a page has one of the texts.
func (a answer) lacks(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("the page has %q:\n%s", text, a.body)
		}
	}
}
