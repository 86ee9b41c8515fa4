package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// counted is a count of a folder, some days before or after the first.
func counted(host string, p postroom.Protocol, from, until int, counts map[postroom.ArrivalState]int64) store.NumberingCount {
	day := func(n int) time.Time { return time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC).AddDate(0, 0, n) }
	n := store.NumberingCount{Counts: counts}
	n.Host, n.Protocol, n.Username, n.Folder, n.BegunAt = host, p, "support", "INBOX", day(from)
	if until > 0 {
		n.EndedAt = day(until)
	}
	return n
}

func TestWhereAMailboxHasBeenRead(t *testing.T) {
	s := &Server{Now: func() time.Time { return time.Date(2026, 3, 5, 9, 0, 0, 0, time.UTC) }}
	first := counted("pop.a.example", postroom.POP3, 0, 60, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 2000, postroom.ArrivalBeforeStart: 40})
	second := counted("imap.b.example", postroom.IMAP, 60, 61, map[postroom.ArrivalState]int64{postroom.ArrivalDuplicate: 2000, postroom.ArrivalFiled: 12})
	third := counted("imap.b.example", postroom.IMAP, 61, 0, map[postroom.ArrivalState]int64{postroom.ArrivalDuplicate: 2012})
	tests := map[string]struct {
		all      []store.NumberingCount
		sentence string
		lately   bool
		places   string
	}{
		"never moved": {all: []store.NumberingCount{counted("imap.a.example", postroom.IMAP, 0, 0, nil)}},
		"another server and protocol": {
			all:      []store.NumberingCount{func() store.NumberingCount { n := second; n.EndedAt = time.Time{}; return n }(), first},
			sentence: "2,000 known again, 12 new, 0 on the way. Nothing is doubled.", lately: true,
			places: "imap.b.example by IMAP: 2,000 known again, 12 new, 0 waiting: Another server, and IMAP instead of POP3.|" +
				"pop.a.example by POP3: 2,000 brought in, 40 older than the start: ",
		},
		"counted anew": {
			all:      []store.NumberingCount{third, second, first},
			sentence: "2,012 known again, 0 new, 0 on the way. Nothing is doubled.", lately: true,
			places: "imap.b.example by IMAP: 2,012 known again, 0 new, 0 waiting: The server counts its messages anew.|" +
				"imap.b.example by IMAP: 2,000 known again, 12 new: Another server, and IMAP instead of POP3.|" +
				"pop.a.example by POP3: 2,000 brought in, 40 older than the start: ",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := s.describePlaces(test.all, false)
			if v == nil {
				if test.places != "" {
					t.Error("nothing is said of where it was read")
				}
				return
			}
			var places []string
			for _, p := range v.Places {
				places = append(places, p.Where+": "+p.Numbers+": "+p.Why)
			}
			if got := strings.Join(places, "|"); got != test.places || v.Sentence != test.sentence || v.Lately != test.lately {
				t.Errorf("%q\n%q, lately %v\nwant\n%q\n%q, lately %v", got, v.Sentence, v.Lately, test.places, test.sentence, test.lately)
			}
		})
	}
}

func TestAMailboxThatMoved(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	support.deliver(letter("a@example.org", "Hello", "Hello"), time.Now())
	b := o.browser(o.admin)
	at := "/mailboxes/" + support.ID.String()
	if page := b.get(at); strings.Contains(page.body, "Where this mailbox has been read") {
		t.Error("a mailbox that never moved says where it has been")
	}
	typed := typedWith("incoming.host", "imap.b.example", "incoming.folders", "INBOX")
	if a := b.post(at+"/settings", typed); a.status != http.StatusSeeOther {
		t.Fatalf("POST settings = %d\n%s", a.status, a.body)
	}
	support.renumber(postroom.Numbering{Mailbox: support.ID, Protocol: postroom.IMAP, Host: "imap.b.example", Username: "support@example.net", Folder: "INBOX", UIDValidity: 7})
	support.deliver(letter("a@example.org", "More", "Hello"), time.Now())
	b.get(at).has(t, http.StatusOK, "Where this mailbox has been read", "0 known again, 1 new, 0 on the way. Nothing is doubled.",
		`id="places"`, "imap.b.example by IMAP, as support@example.net", "imap.example.net by IMAP", "1 brought in", "Another server.")
	part := b.get(at, "HX-Request", "true", "HX-Target", "places")
	part.has(t, http.StatusOK, "0 known again, 1 new")
	if strings.Contains(part.body, "<html") {
		t.Error("a refresh brings the whole page")
	}
}

func TestWhatIsLeftToDoOnTheServerIsSaid(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net", func(m *postroom.Mailbox) {
		m.AfterImport, m.MoveTo, m.RawRetentionDays = postroom.AfterImportMove, "Done", 30
	})
	support.after, support.folder = postroom.AfterImportMove, "Done"
	filed := support.deliver(letter("a@example.org", "Hello", "Hello"), time.Now())
	b := o.browser(o.admin)
	at := "/mailboxes/" + support.ID.String()
	b.get(at).has(t, http.StatusOK, "it is moved to the folder Done", "for 30 days", "1 mail that came in is still to be dealt with on the server.")
	if err := o.db.RecordUndone(t.Context(), support.fence, []postroom.ArrivalID{1}, "The folder Done is full.", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.get(at).has(t, http.StatusOK, "It could not be done yet. Nothing is lost by that", "The folder Done is full.", "Next try")
	b.get(at+"/arrivals?state=filed").has(t, http.StatusOK, "Still to be moved to the folder Done.", "The folder Done is full.", "/issues/"+filed.Issue.String())
	if err := o.db.RecordDone(t.Context(), support.fence, []postroom.ArrivalID{1}, ""); err != nil {
		t.Fatal(err)
	}
	if page := b.get(at); strings.Contains(page.body, "still to be dealt with") {
		t.Error("what is done is still to be done")
	}
	b.get(at+"/arrivals?state=filed").has(t, http.StatusOK, "Moved to the folder Done.")
}
