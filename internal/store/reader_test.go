package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// A house is a database with people, mailboxes and mail in it.
type house struct {
	t  *testing.T
	db *DB
	r  *Reader

	ana, ben        postroom.Viewer // users; Ana is an administrator
	program         postroom.Viewer // a token without mailboxes of its own
	trusted         postroom.Viewer // a token that may see the private mailbox
	support, privat postroom.MailboxID

	hour int // of the next mail
}

func newHouse(t *testing.T, db *DB) *house {
	h := &house{t: t, db: db, r: db.Reader()}
	h.do(func(tx *tx) error {
		user := func(name, role string) (id postroom.UserID) {
			h.scan(&id, tx.row(`insert into app_user (email, name, role, password_hash, created_at) values ($1, $2, $3, '', 1) returning id`, name+"@example.net", name, role))
			return id
		}
		h.ana = postroom.Viewer{User: user("Ana", "admin"), Role: postroom.RoleAdmin, Name: "Ana"}
		h.ben = postroom.Viewer{User: user("Ben", "agent"), Role: postroom.RoleAgent, Name: "Ben"}
		token := func(name string) (id postroom.TokenID) {
			h.scan(&id, tx.row(`insert into token (name, scope, hash, created_at) values ($1, 'write', $2, 1) returning id`, name, []byte(name)))
			return id
		}
		h.program = postroom.Viewer{Token: token("program"), Scope: postroom.ScopeWrite, Name: "program"}
		h.trusted = postroom.Viewer{Token: token("trusted"), Scope: postroom.ScopeWrite, Name: "trusted"}
		mailbox := func(name string, everyone bool) (id postroom.MailboxID) {
			h.scan(&id, tx.row(`insert into mailbox (name, address, settings, everyone, visibility_key, state, state_since, created_at, updated_at)
				values ($1, $2, '{}', $3, $4, 'active', 1, 1, 1) returning id`, name, name+"@example.net", everyone, fmt.Sprint(everyone)))
			return id
		}
		h.support, h.privat = mailbox("Support", true), mailbox("Private", false)
		if err := tx.exec(`insert into mailbox_reader (mailbox, app_user) values ($1, $2)`, int64(h.privat), int64(h.ben.User)); err != nil {
			return err
		}
		h.trusted.Mailboxes = []postroom.MailboxID{h.privat}
		if err := tx.exec(`insert into token_mailbox (token, mailbox) values ($1, $2)`, int64(h.trusted.Token), int64(h.privat)); err != nil {
			return err
		}
		for _, m := range []postroom.MailboxID{h.support, h.privat} {
			if err := tx.exec(`insert into numbering (mailbox, serial, protocol, host, username, folder, uid_validity, floor, position, begun_at)
				values ($1, 1, 'imap', 'h', 'u', 'INBOX', 7, 0, 0, 1)`, int64(m)); err != nil {
				return err
			}
		}
		return nil
	})
	return h
}

func (h *house) do(f func(*tx) error) {
	h.t.Helper()
	if err := h.db.commit(context.Background(), f); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) scan(dest any, r row) {
	h.t.Helper()
	if err := r.Scan(dest); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// A filed is what became of one mail.
type filed struct {
	mail    postroom.MailID
	issue   postroom.IssueID
	entry   postroom.EntryID
	arrival postroom.ArrivalID
}

// file puts a mail into the database the way commits 1 and 2 do, an hour after the
// one before. Issue 0 begins a new one.
func (h *house) file(mailbox postroom.MailboxID, issue postroom.IssueID, subject, text string) (f filed) {
	h.t.Helper()
	h.hour++
	when := micros(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(h.hour) * time.Hour))
	body := fmt.Sprintf("Subject: %s %d\r\n\r\n%s", subject, h.hour, text)
	h.do(func(tx *tx) error {
		f = filed{issue: issue}
		sum := sha256.Sum256([]byte(body))
		var raw postroom.RawID
		h.scan(&raw, tx.row(`insert into raw (sha256, size_bytes, chunks, packed, created_at) values ($1, $2, 1, 1, 1) returning id`, sum[:], len(body)))
		h.must(tx.exec(`insert into raw_chunk (id, body) values ($1, $2)`, int64(raw)<<20, h.db.codec.pack([]byte(body))))
		packed := packBody(mailBody{text, "<p>" + text + "</p>"})
		facts, err := json.Marshal(map[string]any{
			"from":        []map[string]string{{"name": "Cleo", "address": "cleo@example.org"}},
			"to":          []map[string]string{{"name": "", "address": "support@example.net"}},
			"in_reply_to": []string{}, "references": []string{"r1@x", "r2@x"}, "notes": []string{"a note"},
			"attachments": []map[string]any{{"n": 0, "name": "a.txt", "type": "text/plain", "size": 3, "sha256": fmt.Sprintf("%x", sum), "content_id": "", "inline": false}},
		})
		h.must(err)
		hash := sha256.Sum256([]byte(fmt.Sprint("id", h.hour)))
		h.scan(&f.mail, tx.row(`insert into mail (raw, message_id, message_id_hash, digest, subject, from_name, from_address, sent_at, received_at, kind, kind_reason, preview, facts, body, size_bytes, created_at)
			values ($1, $2, $3, $4, $5, 'Cleo', 'cleo@example.org', $6, $6, 'person', '', $7, $8, $9, $10, $6) returning id`,
			int64(raw), fmt.Sprintf("m%d@example.org", h.hour), hash[:], sum[:], subject, when, text, string(facts), packed, len(body)))
		if f.issue == 0 {
			var number int64
			h.scan(&number, tx.row(`update counter set value = value + 1 where name = 'issue' returning value`))
			h.scan(&f.issue, tx.row(`insert into issue (number, subject, state, requester_name, requester_address, historic, preview, entries, created_at, last_at)
				values ($1, $2, 'open', 'Cleo', 'cleo@example.org', false, $3, 0, $4, $4) returning id`, number, subject, text, when))
		}
		h.must(tx.exec(`update issue set entries = entries + 1, last_at = $2 where id = $1`, int64(f.issue), when))
		h.must(tx.exec(`insert into issue_mailbox (issue, mailbox) values ($1, $2) on conflict (issue, mailbox) do nothing`, int64(f.issue), int64(mailbox)))
		h.scan(&f.entry, tx.row(`insert into entry (issue, kind, mail, text, at) values ($1, 'mail', $2, '', $3) returning id`, int64(f.issue), int64(f.mail), when))
		indexEntry(tx, f.entry, distinct(subject+" "+text))
		h.scan(&f.arrival, tx.row(`insert into arrival (mailbox, numbering, uid, uidl, occurrence, state, reason, seen_at, raw, mail, entry, settled_at)
			values ($1, (select id from numbering where mailbox = $1), $2, '', 0, 'filed', 'issue', $3, $4, $5, $6, $3) returning id`,
			int64(mailbox), h.hour, when, int64(raw), int64(f.mail), int64(f.entry)))
		tx.event(postroom.Event{ID: "issue.created:" + f.entry.String(), Type: postroom.EventIssueCreated, At: at(when), Mailbox: mailbox, Issue: f.issue})
		return nil
	})
	return f
}

// issues are the ids of a whole list, read page by page.
func (h *house) issues(v postroom.Viewer, f IssueFilter) (ids []postroom.IssueID) {
	h.t.Helper()
	for range 100 {
		lines, next, err := h.r.Issues(context.Background(), v, f)
		h.must(err)
		for _, l := range lines {
			ids = append(ids, l.ID)
		}
		if next == "" {
			return ids
		}
		f.Cursor = next
	}
	h.t.Fatal("the list does not end")
	return nil
}

func (h *house) wantIssues(what string, v postroom.Viewer, f IssueFilter, want ...postroom.IssueID) {
	h.t.Helper()
	if got := h.issues(v, f); !slices.Equal(got, want) {
		h.t.Errorf("%s: issues %v, want %v", what, got, want)
	}
}

func TestIssuesComeNewestFirstPageByPage(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		a := h.file(h.support, 0, "Printer", "The printer is on fire").issue
		b := h.file(h.support, 0, "Invoice", "Where is it").issue
		c := h.file(h.privat, 0, "Salary", "Secret raise").issue
		h.file(h.support, a, "Re: Printer", "Still burning")
		h.wantIssues("all that Ben sees", h.ben, IssueFilter{Limit: 1}, a, c, b)
		h.wantIssues("an administrator is no exception for mail", h.ana, IssueFilter{}, a, b)
		h.wantIssues("a token sees what everyone sees", h.program, IssueFilter{}, a, b)
		h.wantIssues("and the mailboxes it was made for", h.trusted, IssueFilter{}, a, c, b)
		h.wantIssues("of one mailbox", h.ben, IssueFilter{Mailbox: h.support, Limit: 1}, a, b)
		h.wantIssues("of a mailbox that is not Ana's", h.ana, IssueFilter{Mailbox: h.privat})
		h.wantIssues("closed", h.ben, IssueFilter{State: postroom.IssueClosed})
		h.wantIssues("unassigned", h.ben, IssueFilter{Unassigned: true}, a, c, b)
		h.wantIssues("Ben's", h.ben, IssueFilter{Assignee: h.ben.User})

		_, err := db.AssignIssue(context.Background(), h.ben, a, h.ben.User, "Assigned to Ben")
		h.must(err)
		h.wantIssues("unassigned of one mailbox, where an assigned one comes first", h.ben, IssueFilter{Mailbox: h.support, Unassigned: true, Limit: 1}, b)
		_, err = db.SetIssueState(context.Background(), h.ben, b, postroom.IssueClosed, "Closed")
		h.must(err)
		h.wantIssues("closed of one mailbox", h.ana, IssueFilter{Mailbox: h.support, State: postroom.IssueClosed}, b)
		h.wantIssues("open and closed of one mailbox", h.ana, IssueFilter{Mailbox: h.support, Limit: 1}, a, b)

		line, err := h.r.Issue(context.Background(), h.ben, a)
		h.must(err)
		if line.Subject != "Printer" || line.Entries != 3 || !line.Attachments || len(line.Mailboxes) != 1 || line.Mailboxes[0].Name != "Support" || line.Requester.Name != "Cleo" {
			t.Errorf("Issue = %+v", line)
		}
		if _, err := h.r.Issue(context.Background(), h.ana, c); postroom.KindOf(err) != postroom.NotFound {
			t.Errorf("a hidden issue: %v, want not found", err)
		}
		if _, _, err := h.r.Issues(context.Background(), h.ben, IssueFilter{Cursor: "nonsense"}); postroom.KindOf(err) != postroom.Invalid {
			t.Errorf("a wrong cursor: %v, want invalid", err)
		}
	})
}

func TestSearch(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		a := h.file(h.support, 0, "Rechnung Nº 42", "Straße und Köln, bitte an ana.müller@example.org")
		b := h.file(h.support, 0, "Printer", "The printer burns; 東京 is far")
		c := h.file(h.privat, 0, "Printer too", "secret")
		d := h.file(h.support, a.issue, "Re: Rechnung", "printers do not help")
		is := func(f ...filed) (ids []postroom.IssueID) {
			for _, one := range f {
				ids = append(ids, one.issue)
			}
			return ids
		}
		tests := map[string]struct {
			query string
			want  []postroom.IssueID
		}{
			"case and diacritics do not matter":        {"KOLN strasse", is(a)},
			"all words must match":                     {"printer koln", nil},
			"the last word may be the beginning":       {"rechnung hel", is(a)},
			"but no other word":                        {"rech help", nil},
			"each issue once, newest match first":      {"print", is(d, c, b)},
			"parts of an address":                      {"muller example", is(a)},
			"a character of a script without spaces":   {"京東", is(b)},
			"punctuation alone finds nothing":          {`"" -- ( ) * :`, nil},
			"what means something to the index":        {`printer AND burns*"`, nil},
			"quotes and operators are only separators": {`"printer" & burns | !`, is(b)},
			"nobody wrote that":                        {"zebra", nil},
		}
		for name, test := range tests {
			for _, limit := range []int{1, 50} {
				h.wantIssues(name, h.ben, IssueFilter{Query: test.query, Limit: limit}, test.want...)
			}
		}
		h.wantIssues("what Ana may not see", h.ana, IssueFilter{Query: "print"}, is(d, b)...)
		h.wantIssues("in one mailbox", h.ben, IssueFilter{Query: "print", Mailbox: h.privat}, is(c)...)
		h.wantIssues("in a state", h.ben, IssueFilter{Query: "print", State: postroom.IssueClosed})
	})
}

func TestEntriesAndMail(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		a := h.file(h.support, 0, "Printer", "On fire")
		b := h.file(h.support, a.issue, "Re: Printer", "Still")
		hidden := h.file(h.privat, 0, "Salary", "Raise")
		lines, next, err := h.r.Entries(ctx, h.ben, a.issue, 1, "")
		h.must(err)
		if len(lines) != 1 || next == "" || lines[0].ID != a.entry || lines[0].Mail.Text != "On fire" || lines[0].Mail.HTML != "<p>On fire</p>" ||
			len(lines[0].Arrivals) != 1 || lines[0].Arrivals[0] != a.arrival || lines[0].Mailboxes[0].Name != "Support" {
			t.Fatalf("Entries = %+v, %q", lines, next)
		}
		lines, next, err = h.r.Entries(ctx, h.ben, a.issue, 1, next)
		h.must(err)
		if len(lines) != 1 || next != "" || lines[0].ID != b.entry {
			t.Fatalf("Entries, second page = %+v, %q", lines, next)
		}
		if _, _, err := h.r.Entries(ctx, h.ana, hidden.issue, 0, ""); postroom.KindOf(err) != postroom.NotFound {
			t.Errorf("entries of a hidden issue: %v", err)
		}
		m, err := h.r.Mail(ctx, h.program, b.mail)
		h.must(err)
		if m.Issue != a.issue || m.Entry != b.entry || len(m.References) != 2 || m.From[0].Name != "Cleo" || m.Attachments[0].Name != "a.txt" || m.Attachments[0].SHA256 == [32]byte{} || m.Notes[0] != "a note" || m.Date.IsZero() {
			t.Errorf("Mail = %+v", m)
		}
		if _, err := h.r.Mail(ctx, h.program, hidden.mail); postroom.KindOf(err) != postroom.NotFound {
			t.Errorf("a hidden mail: %v", err)
		}
		if _, _, err := h.r.OpenRaw(ctx, h.program, hidden.mail); postroom.KindOf(err) != postroom.NotFound {
			t.Errorf("a hidden raw: %v", err)
		}
	})
}

// An issue may have mail of two mailboxes of which one was closed to some later.
func TestPreviewsTellNothingOfHiddenMail(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		a := h.file(h.support, 0, "Printer", "On fire")
		h.file(h.privat, a.issue, "Re: Printer", "The insurance pays double")
		h.do(func(tx *tx) error {
			return tx.exec(`update issue set preview = 'The insurance pays double' where id = $1`, int64(a.issue))
		})
		for _, v := range []struct {
			who     string
			viewer  postroom.Viewer
			preview string
			boxes   int
		}{{"an administrator", h.ana, "", 1}, {"a reader of both", h.ben, "The insurance pays double", 2}, {"a token", h.program, "", 1}, {"a token for both", h.trusted, "The insurance pays double", 2}} {
			one, err := h.r.Issue(ctx, v.viewer, a.issue)
			h.must(err)
			list, _, err := h.r.Issues(ctx, v.viewer, IssueFilter{})
			h.must(err)
			if one.Preview != v.preview || len(one.Mailboxes) != v.boxes || len(list) != 1 || list[0].Preview != v.preview {
				t.Errorf("%s sees %+v and %+v, want the preview %q and %d mailboxes", v.who, one, list, v.preview, v.boxes)
			}
		}
	})
}

func TestArrivalsAreForAdministratorsToo(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		a := h.file(h.support, 0, "Printer", "On fire")
		b := h.file(h.privat, 0, "Salary", "Raise")
		list := func(v postroom.Viewer, f ArrivalFilter) (ids []postroom.ArrivalID) {
			t.Helper()
			for {
				lines, next, err := h.r.Arrivals(ctx, v, f)
				h.must(err)
				for _, l := range lines {
					ids = append(ids, l.ID)
				}
				if f.Cursor = next; next == "" {
					return ids
				}
			}
		}
		tests := map[string]struct {
			v    postroom.Viewer
			f    ArrivalFilter
			want []postroom.ArrivalID
		}{
			"an administrator sees all":    {h.ana, ArrivalFilter{Limit: 1}, []postroom.ArrivalID{b.arrival, a.arrival}},
			"a token its own":              {h.program, ArrivalFilter{}, []postroom.ArrivalID{a.arrival}},
			"of a mailbox":                 {h.ben, ArrivalFilter{Mailbox: h.privat}, []postroom.ArrivalID{b.arrival}},
			"of a mailbox in a state":      {h.ben, ArrivalFilter{Mailbox: h.privat, State: "filed"}, []postroom.ArrivalID{b.arrival}},
			"of a mailbox in other states": {h.ben, ArrivalFilter{Mailbox: h.privat, State: "waiting"}, nil},
			"in a state":                   {h.ben, ArrivalFilter{State: "filed", Limit: 1}, []postroom.ArrivalID{b.arrival, a.arrival}},
			"of a hidden mailbox":          {h.program, ArrivalFilter{Mailbox: h.privat}, nil},
		}
		for name, test := range tests {
			if got := list(test.v, test.f); !slices.Equal(got, test.want) {
				t.Errorf("%s: %v, want %v", name, got, test.want)
			}
		}
		line, err := h.r.Arrival(ctx, h.ana, b.arrival)
		h.must(err)
		if line.MessageID != "" || line.Folder != "INBOX" || line.UIDValidity != 7 || line.Issue != b.issue {
			t.Errorf("an administrator's view: %+v", line)
		}
		if line, err = h.r.Arrival(ctx, h.ben, b.arrival); err != nil || line.MessageID != "m2@example.org" {
			t.Errorf("a reader's view: %+v, %v", line, err)
		}
		if _, err := h.r.Arrival(ctx, h.program, b.arrival); postroom.KindOf(err) != postroom.NotFound {
			t.Errorf("a hidden arrival: %v", err)
		}
		if _, _, err := h.r.Arrivals(ctx, h.ana, ArrivalFilter{State: "lost"}); postroom.KindOf(err) != postroom.Invalid {
			t.Errorf("an unknown state: %v", err)
		}
		figures, err := h.r.Figures(ctx)
		h.must(err)
		if figures.Arrivals[postroom.ArrivalFiled] != 2 || figures.Mailboxes[postroom.MailboxActive] != 2 || len(figures.Arrivals) != 8 {
			t.Errorf("Figures = %+v", figures)
		}
	})
}

func TestEventsAreForThoseWhoMayKnow(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		h.file(h.support, 0, "Printer", "On fire")
		h.file(h.privat, 0, "Salary", "Raise")
		h.do(func(tx *tx) error {
			tx.event(postroom.Event{ID: "mailbox.changed:1", Type: postroom.EventMailboxChanged, At: at(1), Mailbox: h.privat})
			return nil
		})
		tests := map[string]struct {
			v    postroom.Viewer
			want []int64
		}{
			"Ben reads both":                              {h.ben, []int64{1, 2, 3}},
			"a token knows of what everyone sees":         {h.program, []int64{1}},
			"an administrator knows of mailboxes as well": {h.ana, []int64{1, 3}},
		}
		for name, test := range tests {
			var got []int64
			var after int64
			for {
				events, err := h.r.Events(ctx, test.v, after, 1)
				h.must(err)
				if len(events) == 0 {
					break
				}
				after = events[0].Position
				got = append(got, after)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%s: %v, want %v", name, got, test.want)
			}
		}
	})
}

func TestPagesOfLongMailsAreShort(t *testing.T) {
	tests := map[string]struct {
		sizes []int64
		limit int
		want  int
	}{
		"nothing":                     {nil, 50, 0},
		"as many as there are":        {[]int64{1, 2}, 50, 2},
		"as many as wanted":           {[]int64{1, 2, 3}, 2, 2},
		"at least one":                {[]int64{1 << 40}, 50, 1},
		"a large mail has small text": {[]int64{1 << 40, 1, 1}, 50, 3},
		"until the page is full":      {[]int64{1 << 40, 1 << 40, 1 << 40, 1 << 40, 1, 1}, 50, 4},
	}
	for name, test := range tests {
		if got := fitting(test.sizes, test.limit); got != test.want {
			t.Errorf("%s: fitting = %d, want %d", name, got, test.want)
		}
	}
}
