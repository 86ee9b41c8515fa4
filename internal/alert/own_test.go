package alert

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/intake"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

// headerOf is the header of a letter as it arrives.
func headerOf(t testing.TB, raw string) mime.Header {
	t.Helper()
	m, err := mime.Read(strings.NewReader(raw), mime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m.Header
}

func TestOnlyOwnNoticesCarryTheMark(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	p.trouble(lost(), p.mailbox("support"))
	raw := string(mime.Compose(p.wantPost("lost", 1)[0]))
	h := headerOf(t, raw)
	messageID, mark := h.Get("Message-ID"), h.Get("Postroom-Notice")
	parts := strings.Fields(mark)
	unfolded := strings.ReplaceAll(raw, "\r\n ", " ")
	if h.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("programs may answer it: %s", raw)
	}
	otherRing, err := vault.Open(vault.Source{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		raw  string
		want bool
	}{
		"as it was sent":                         {raw, true},
		"with what servers add":                  {"Received: from a by b; Sat, 21 Nov 2026 10:00:00 +0000\r\nDKIM-Signature: v=1\r\n" + raw, true},
		"with another Message-ID from the relay": {strings.Replace(raw, messageID, "<0100@email.amazonses.com>", 1), true},
		"with another date":                      {strings.Replace(raw, "Date: ", "Date: Mon, 02 Jan 2006 15:04:05 +0000\r\nX-Date: ", 1), true},
		"its mark in another mail":               {"From: <eve@example.com>\r\nTo: <support@example.net>\r\nMessage-ID: <x@y>\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nPostroom-Notice: " + mark + "\r\n\r\nHello", false},
		"for another notice":                     {strings.Replace(unfolded, mark, "v1 4711 "+parts[2]+" "+parts[3], 1), false},
		"of another version":                     {strings.Replace(unfolded, mark, "v2 "+strings.Join(parts[1:], " "), 1), false},
		"with marks exchanged":                   {strings.Replace(unfolded, mark, "v1 "+parts[1]+" "+parts[3]+" "+parts[2], 1), false},
		"with nothing in it":                     {strings.Replace(unfolded, mark, "", 1), false},
		"with too much in it":                    {strings.Replace(unfolded, mark, mark+" "+mark, 1), false},
		"twice":                                  {"Postroom-Notice: " + mark + "\r\n" + raw, false},
		"forged":                                 {strings.Replace(unfolded, mark, "v1 "+parts[1]+" "+strings.Repeat("A", 43)+" "+strings.Repeat("A", 43), 1), false},
		"quoted":                                 {"From: <eve@example.com>\r\nTo: <support@example.net>\r\nMessage-ID: <x@y>\r\n\r\n" + raw, false},
	} {
		if got := p.IsOwn(headerOf(t, test.raw)); got != test.want {
			t.Errorf("%s: IsOwn = %t\n%s", name, got, test.raw)
		}
	}
	if (&Desk{Ring: otherRing}).IsOwn(h) {
		t.Error("another Postroom takes it for its own")
	}
	if p.IsOwn(mime.Header{}) {
		t.Error("a mail without a header is our own")
	}
}

// deliver brings a mail into a mailbox as its reader does.
func (p *place) deliver(id postroom.MailboxID, raw string) {
	p.t.Helper()
	p.each([]postroom.MailboxID{id}, func(f store.Fence, _ int64) error {
		ctx := p.t.Context()
		p.validity++
		folder, err := p.Store.BeginNumbering(ctx, f, postroom.Numbering{Mailbox: id, Protocol: postroom.IMAP, Folder: "INBOX", UIDValidity: p.validity})
		if err != nil {
			return err
		}
		if err := p.Store.BookNames(ctx, f, folder, []store.Listed{{Name: postroom.Name{UID: 1}, State: postroom.ArrivalWaiting}}, 1); err != nil {
			return err
		}
		wanted, err := p.Store.WantedArrivals(ctx, folder.ID, 0, 1)
		if err != nil {
			return err
		}
		body, err := p.Store.ReadRaw(ctx, strings.NewReader(raw), 1<<20, nil)
		if err != nil {
			return err
		}
		return p.Store.RecordBytes(ctx, f, []store.Brought{{Arrival: wanted[0].ID, Raw: body, HasMessageID: true, After: postroom.AfterImportKeep}})
	})
}

func TestNoticeThatComesBackBecomesNoIssue(t *testing.T) {
	eachDatabase(t, func(t *testing.T, o store.Options) {
		p := newPlace(t, o)
		sales, support := p.mailbox("sales"), p.mailbox("support")
		p.must(p.SetContact(t.Context(), admin(), []string{"sales@example.net", "ann@example.org"}))
		p.trouble(lost(), support)
		var notice string
		for _, l := range p.wantPost("lost", 2) {
			if l.To[0].Address == "sales@example.net" {
				notice = string(mime.Compose(l))
			}
		}
		forged := strings.Replace(strings.ReplaceAll(notice, "\r\n ", " "), "Message-ID: <notice.", "Message-ID: <other.", 1)
		forged = strings.Replace(forged, "Date: ", "Date: Mon, 02 Jan 2006 15:04:05 +0000\r\nX-Date: ", 1)
		p.deliver(sales, "Received: from relay by mx\r\n"+notice)
		p.deliver(sales, forged)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		filed := make(chan store.Filed, 2)
		pipeline := &intake.Pipeline{Ledger: p.Store, Node: p.node, IsOwn: p.IsOwn, Log: p.Log, Filed: func(f store.Filed) { filed <- f }}
		done := make(chan error)
		go func() { done <- pipeline.Run(ctx) }()
		states := make(map[postroom.ArrivalState]int)
		for range 2 {
			select {
			case f := <-filed:
				states[f.State]++
			case <-ctx.Done():
				t.Fatal("nothing is filed")
			}
		}
		cancel()
		p.must(<-done)
		if states[postroom.ArrivalIgnored] != 1 || states[postroom.ArrivalFiled] != 1 {
			t.Errorf("settled as %v, want the notice ignored and the forged one filed", states)
		}
		counts, err := p.Store.ArrivalCounts(t.Context(), sales)
		if err != nil || counts[postroom.ArrivalIgnored] != 1 || counts[postroom.ArrivalFiled] != 1 || len(counts) > 2 && counts[postroom.ArrivalWaiting] != 0 {
			t.Errorf("the ledger has %v, %v", counts, err)
		}
		issues, _, err := p.Store.Reader().Issues(t.Context(), postroom.Viewer{User: 1, Role: postroom.RoleAdmin}, store.IssueFilter{})
		if err != nil || len(issues) != 1 {
			t.Errorf("%d issues, %v, want one of the forged mail", len(issues), err)
		}
	})
}
