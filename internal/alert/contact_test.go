package alert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mail/smtp"
	"github.com/postroom/postroom/internal/store"
)

func TestContactIsKeptAndTested(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.must(p.SetContact(t.Context(), admin(), []string{" ann@example.org ", "", "ANN@example.org", "mailto:bob@example.org"}))
	kept, err := p.Contact(t.Context())
	if err != nil || !slices.Equal(kept, []string{"ann@example.org", "bob@example.org"}) {
		t.Errorf("Contact = %v, %v", kept, err)
	}
	for _, bad := range []string{"ann", "ann@", "@example.org", "ann@exa mple.org", "ann@example.org\r\nBcc: eve@example.com", "a@b@", strings.Repeat("a", 400) + "@example.org", "ann@example.org, bob@example.org"} {
		if err := p.SetContact(t.Context(), admin(), []string{bad}); postroom.KindOf(err) != postroom.Invalid {
			t.Errorf("%q: %v, want it refused", bad, err)
		}
	}
	var many []string
	for i := range MaxContacts + 1 {
		many = append(many, fmt.Sprintf("a%d@example.org", i))
	}
	if err := p.SetContact(t.Context(), admin(), many); postroom.KindOf(err) != postroom.Invalid {
		t.Errorf("%d addresses: %v", len(many), err)
	}

	told, err := p.TestContact(t.Context(), admin())
	if err != nil || len(told) != 2 || told[0].State == postroom.NoticeSent || told[0].Fault == nil {
		t.Errorf("without a way out: %+v, %v", told, err)
	}
	p.mailbox("sales")
	p.fate = func(_ postroom.MailboxID, l mime.Letter) (smtp.Fate, error) {
		if l.To[0].Address == "bob@example.org" {
			return smtp.Fate{Outcome: smtp.NotSent}, &postroom.Fault{Kind: postroom.Invalid, Class: postroom.RecipientRejected, Explanation: "There is no bob."}
		}
		return smtp.Fate{Outcome: smtp.Sent}, nil
	}
	told, err = p.TestContact(t.Context(), admin())
	if err != nil || len(told) != 2 || told[0].State != postroom.NoticeSent || told[0].Via != "sales@example.net" ||
		told[1].State != postroom.NoticeRefused || told[1].Fault == nil || told[1].Fault.Explanation != "There is no bob." {
		t.Errorf("TestContact = %+v, %v", told, err)
	}
	p.pass(day)
	if letters := p.post(); len(letters) > 0 {
		t.Errorf("a test is sent again: %+v", letters)
	}
	warnings, err := p.Warnings(t.Context())
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Explanation, "bob@example.org has not left. There is no bob.") {
		t.Errorf("warnings: %+v, %v", warnings, err)
	}
	p.must(p.SetContact(t.Context(), admin(), []string{"ann@example.org"}))
	if warnings, err = p.Warnings(t.Context()); err != nil || len(warnings) > 0 {
		t.Errorf("warnings about somebody who is not told any more: %+v, %v", warnings, err)
	}
}

func TestOnlyAdministratorsSayWhoIsTold(t *testing.T) {
	p := newPlace(t, sqlite(t))
	agent := postroom.Viewer{User: 1, Role: postroom.RoleAgent}
	_, testing := p.TestContact(t.Context(), agent)
	for what, err := range map[string]error{
		"contact": p.SetContact(t.Context(), agent, nil), "delay": p.SetDelay(t.Context(), agent, time.Hour), "test": testing,
		"relay": p.SetRelay(t.Context(), agent, Relay{}), "no relay": p.RemoveRelay(t.Context(), agent),
	} {
		if postroom.KindOf(err) != postroom.Forbidden {
			t.Errorf("%s: %v, want it forbidden", what, err)
		}
	}
	for _, bad := range []time.Duration{0, MinDelay - time.Second, MaxDelay + time.Second} {
		if err := p.SetDelay(t.Context(), admin(), bad); postroom.KindOf(err) != postroom.Invalid {
			t.Errorf("a delay of %v: %v", bad, err)
		}
	}
	if delay, err := p.Delay(t.Context()); err != nil || delay != DefaultDelay {
		t.Errorf("Delay = %v, %v", delay, err)
	}
}

func TestSomebodyIsAlwaysTold(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	support := p.mailbox("support")
	var last postroom.UserID
	for _, u := range []postroom.User{{Email: "root@example.org", Role: postroom.RoleAdmin}, {Email: "agent@example.org", Role: postroom.RoleAgent}, {Email: "gone@example.org", Role: postroom.RoleAdmin}} {
		var err error
		u.CreatedAt = p.clock
		last, err = p.Store.CreateUser(t.Context(), u, "")
		p.must(err)
	}
	_, err := p.Store.DisableUser(t.Context(), last, p.clock)
	p.must(err)
	for _, test := range []struct {
		contact, want []string
		warning       string
	}{
		{nil, []string{"root@example.org"}, "Nobody is named"},
		{[]string{"support@example.net"}, []string{"root@example.org", "support@example.net"}, "which Postroom reads itself"},
		{[]string{"support@example.net", "ann@example.org"}, []string{"ann@example.org", "support@example.net"}, ""},
	} {
		p.must(p.SetContact(t.Context(), admin(), test.contact))
		warnings, err := p.Warnings(t.Context())
		if test.warning == "" {
			if err != nil || len(warnings) > 0 {
				t.Errorf("%v: warnings %+v, %v", test.contact, warnings, err)
			}
		} else if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Explanation, test.warning) {
			t.Errorf("%v: warnings %+v, %v", test.contact, warnings, err)
		}
		p.trouble(lost(), support)
		var told []string
		for _, l := range p.wantPost("lost", len(test.want)) {
			told = append(told, l.To[0].Address)
		}
		slices.Sort(told)
		if !slices.Equal(told, test.want) {
			t.Errorf("with %v told are %v, want %v", test.contact, told, test.want)
		}
		p.mend(support)
		p.look()
		p.pass(calm)
		p.wantPost("mended", len(test.want))
		p.pass(time.Hour)
	}
}

func TestLinkLeavesOnceAndIsForgotten(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	p.fate = func(postroom.MailboxID, mime.Letter) (smtp.Fate, error) {
		return smtp.Fate{Outcome: smtp.NotSent}, errors.New("not now")
	}
	p.must(p.Notify(t.Context(), postroom.NoticeLink, "bob@example.org", "Sign in to support", postroom.Hide("https://post.example.net/link/s3cret"), 0))
	if err := p.Notify(t.Context(), postroom.NoticeLink, "bob", "x", postroom.Hide("x"), 0); postroom.KindOf(err) != postroom.Invalid {
		t.Errorf("to nobody: %v", err)
	}
	p.wantPost("not now", 0)
	p.fate = nil
	p.pass(time.Hour)
	letters := p.wantPost("now", 1)
	if l := letters[0]; l.Text != "https://post.example.net/link/s3cret" || l.Subject != "Sign in to support" || l.To[0].Address != "bob@example.org" || l.Mark == "" {
		t.Errorf("it left as %+v", l)
	}
	p.pass(day)
	p.wantPost("later", 0)
	claimed, err := p.Store.ClaimNotices(t.Context(), p.clock.Add(365*day), p.clock, 10)
	if err != nil || len(claimed) > 0 {
		t.Errorf("something is left to send: %+v, %v", claimed, err)
	}
	last, err := p.Store.Reader().LastNotices(t.Context())
	if err != nil || len(last) != 1 || last[0].Text != "" {
		t.Errorf("kept is %+v, %v", last, err)
	}
}

func TestGapIsToldWhenItIsMended(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	id := p.mailbox("support")
	p.arrive(id, 5, postroom.ArrivalFiled)
	p.trouble(lost(), id)
	p.wantPost("lost", 1)
	p.mend(id)
	p.arrive(id, 31, postroom.ArrivalFiled)
	p.look()
	if history, err := p.History(t.Context(), admin(), 1); err != nil || len(history) != 1 || history[0].Gap != 31 {
		t.Errorf("history right away: %+v, %v", history, err)
	}
	p.pass(calm)
	p.arrive(id, 2, postroom.ArrivalWaiting)
	letters := p.wantPost("mended", 1)
	p.wantWords(letters[0], "support is being read again.", "31 mails that arrived meanwhile were brought in, and 2 more are on their way.", "Nothing has to be done.")
	history, err := p.History(t.Context(), admin(), 1)
	if err != nil || len(history) != 1 || history[0].Gap != 33 {
		t.Errorf("history: %+v, %v", history, err)
	}
}

func TestLedgerThatDoesNotBalanceIsTold(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	id := p.mailbox("support")
	compare := func(unaccounted ...store.UnaccountedName) {
		p.t.Helper()
		p.each([]postroom.MailboxID{id}, func(f store.Fence, _ int64) error {
			return p.Store.RecordComparison(t.Context(), f, store.Comparison{OnServer: int64(len(unaccounted)), Unaccounted: unaccounted})
		})
		p.pass(ledgersEvery)
	}
	missing := store.UnaccountedName{Folder: "INBOX", UID: 3}
	compare(missing)
	p.wantPost("it looks wrong once", 0)
	asked, err := p.Store.RequestedComparisons(t.Context(), p.node)
	if err != nil || !slices.Contains(asked, id) {
		t.Errorf("compared again are %v, %v", asked, err)
	}
	compare()
	p.wantPost("it was not wrong", 0)
	compare(missing)
	p.wantPost("it looks wrong", 0)
	compare(missing)
	letters := p.wantPost("it is wrong", 1)
	p.wantWords(letters[0], "The ledger of support does not account for everything", "/mailboxes/"+id.String()+"/ledger")
	compare()
	p.look()
	p.pass(calm)
	letters = p.wantPost("it is right", 1)
	p.wantWords(letters[0], "The ledger of support accounts for everything again")
}
