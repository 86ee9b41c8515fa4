package mailbox

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/intake"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// attended has the mailboxes of a desk read, and their mail filed, until the test
// ends.
func attended(t *testing.T, d *Desk) {
	t.Helper()
	node, err := d.Store.JoinNode(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	wake, arrived := make(chan struct{}, 1), make(chan struct{}, 1)
	fleet := &fetch.Fleet{
		Ledger: d.Store, Node: node, Alone: true, Wake: wake, TopReceived: mime.TopReceived,
		Login: func(ctx context.Context, m postroom.Mailbox) (fetch.Login, error) {
			kind, secret, worked, err := d.Open(ctx, m.ID)
			return fetch.Login{Kind: kind, Secret: secret, HasWorked: worked}, err
		},
		Explain: func(err error, m postroom.Mailbox, l fetch.Login) *postroom.Fault {
			return explainer().Explain(err, m, Credential{Kind: l.Kind, Password: l.Secret}, l.HasWorked)
		},
		Arrived: func() { work.Ring(arrived) },
	}
	d.Wake, d.Aside = func() { work.Ring(wake) }, fleet.Aside
	pipeline := &intake.Pipeline{Ledger: d.Store, Node: node, Nudge: arrived, Filed: func(filed store.Filed) {
		if filed.Due {
			fleet.Nudge(filed.Mailbox)
		}
	}}
	ctx, cancel := context.WithCancel(context.Background())
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return fleet.Run(ctx) })
	parts.Go(func() error { return pipeline.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := parts.Wait(); err != nil {
			t.Errorf("reading ended with %v", err)
		}
	})
}

// operator may do everything, and is nobody who could be written down as a person.
func operator() postroom.Viewer {
	return postroom.Viewer{Scope: postroom.ScopeAdmin, Name: "the command line"}
}

// A round is a mailbox on a provider, read and able to send.
type round struct {
	*testing.T
	desk *Desk
	read *simulator.Server
	pop  *simulator.POP3Server
	send *simulator.SMTPServer
	m    postroom.Mailbox
}

func newRound(t *testing.T, o simulator.Options, change func(*round, *postroom.Mailbox)) *round {
	t.Helper()
	r := &round{T: t}
	r.desk, _ = newDesk(t)
	var err error
	if r.read, err = simulator.Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.read.Close() })
	r.read.AddAccount("support@example.net", "right")
	if r.send, err = r.read.StartSMTP(simulator.SMTPOptions{}); err != nil {
		t.Fatal(err)
	}
	r.m = mailboxOn(t, func(m *postroom.Mailbox) {
		m.Incoming.ServerSettings = serverAt(t, r.read.Address(), postroom.TLSNone, "")
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: serverAt(t, r.send.Address(), postroom.TLSNone, "")}
		if change != nil {
			change(r, m)
		}
	})
	r.m = mustAdd(t, r.desk, r.m)
	attended(t, r.desk)
	r.becomes(postroom.MailboxActive)
	return r
}

// overPOP3 has the mailbox be read by POP3.
func overPOP3(r *round, m *postroom.Mailbox) {
	r.Helper()
	var err error
	if r.pop, err = r.read.StartPOP3(simulator.POP3Options{}); err != nil {
		r.Fatal(err)
	}
	m.Incoming.Protocol = postroom.POP3
	m.Incoming.ServerSettings = serverAt(r.T, r.pop.Address(), postroom.TLSNone, "")
	m.Incoming.PollInterval = time.Hour // nobody but the round trip has it looked at
}

// until waits until something is so.
func (r *round) until(what string, is func() bool) {
	r.Helper()
	limit := time.After(20 * time.Second)
	for !is() {
		select {
		case <-limit:
			r.Fatalf("not within 20 seconds: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (r *round) becomes(s postroom.MailboxState) {
	r.Helper()
	r.until("the mailbox is "+string(s), func() bool {
		m, err := r.desk.Store.Mailbox(r.Context(), r.m.ID)
		return err == nil && m.State == s
	})
}

func (r *round) trip(o RoundTripOptions) RoundTrip {
	r.Helper()
	trip, err := r.desk.RoundTrip(r.Context(), operator(), r.m.ID, o)
	if err != nil {
		r.Fatalf("RoundTrip: %v", err)
	}
	if !trip.Running && trip.EndedAt.IsZero() || trip.Running {
		r.Errorf("the round trip has not ended: %+v", trip)
	}
	return trip
}

func words(t RoundTrip) string {
	var all []string
	for _, s := range t.Steps {
		word := string(s.Kind)
		if !s.OK {
			word = "✕" + word
		}
		all = append(all, word)
	}
	return strings.Join(all, " ")
}

// wants checks the steps, and what the fault among them says; empty: there is none.
func (r *round) wants(t RoundTrip, steps, fault string) {
	r.Helper()
	if got := words(t); got != steps {
		r.Errorf("steps %q, want %q: %+v", got, steps, t.Steps)
	}
	said := ""
	for _, s := range t.Steps {
		if s.Running {
			r.Errorf("step %s is still under way", s.Kind)
		}
		if !s.OK && (s.Fault == nil || s.Fault.Explanation == "" || s.Fault.Remedy == "") {
			r.Errorf("step %s went wrong without saying why: %+v", s.Kind, s.Fault)
		}
		if s.Fault != nil {
			said += s.Fault.Explanation + " " + s.Fault.Remedy + "\n"
		}
	}
	if !strings.Contains(said, fault) || fault == "" && said != "" {
		r.Errorf("it says %q, want %q", said, fault)
	}
}

// holds are the subjects of the messages in a folder of the server.
func (r *round) holds(folder string) (subjects []string) {
	for _, m := range r.read.Messages("support@example.net", folder) {
		read, err := mime.Read(strings.NewReader(string(m.Raw)), mime.Options{})
		if err != nil {
			r.Fatal(err)
		}
		subjects = append(subjects, read.Subject)
	}
	return subjects
}

func (r *round) wantsFolder(folder string, subjects ...string) {
	r.Helper()
	if got := r.holds(folder); !slices.Equal(got, subjects) {
		r.Errorf("%s holds %q, want %q", folder, got, subjects)
	}
}

// wantsIssue checks whether an issue is there, deleted or not.
func (r *round) wantsIssue(id postroom.IssueID, deleted bool) {
	r.Helper()
	line, err := r.desk.Store.Reader().Issue(r.Context(), operator(), id)
	if err != nil || line.DeletedAt.IsZero() == deleted {
		r.Errorf("issue %v is %+v, %v, want it deleted: %v", id, line.Issue, err, deleted)
	}
}

func (r *round) wantsBalance() {
	r.Helper()
	l, err := r.desk.Ledger(r.Context(), operator(), r.m.ID)
	if err != nil || l.Balanced == nil || !*l.Balanced {
		r.Errorf("the ledger does not balance: %+v, %v", l, err)
	}
}

// foreign is a mail that is none of ours.
func (r *round) foreign(folder, subject string) {
	r.Helper()
	raw := "From: Tom <tom@example.org>\r\nTo: support@example.net\r\nSubject: " + subject + "\r\nMessage-ID: <" + subject + "@example.org>\r\n\r\nHello.\r\n"
	if _, err := r.read.Append("support@example.net", folder, []byte(raw), time.Now()); err != nil {
		r.Fatal(err)
	}
}

const (
	proven  = "sent seen filed"
	through = proven + " issue_removed mail_removed"
)

func TestRoundTripProvesAndClearsAway(t *testing.T) {
	tests := map[string]struct {
		options simulator.Options
		change  func(*round, *postroom.Mailbox)
		detail  string // of what was removed from the server
	}{
		"by IMAP":               {simulator.Options{}, nil, "Deleted in INBOX."},
		"by POP3":               {simulator.Options{}, overPOP3, "Deleted in INBOX."},
		"deleted after import":  {simulator.Options{}, func(_ *round, m *postroom.Mailbox) { m.AfterImport = postroom.AfterImportDelete }, "It was not there any more."},
		"moved after import":    {simulator.Options{}, func(_ *round, m *postroom.Mailbox) { m.AfterImport, m.MoveTo = postroom.AfterImportMove, "Done" }, "Deleted in Done."},
		"marked after import":   {simulator.Options{}, func(_ *round, m *postroom.Mailbox) { m.AfterImport = postroom.AfterImportMarkRead }, "Deleted in INBOX."},
		"POP3, and deleted":     {simulator.Options{}, func(r *round, m *postroom.Mailbox) { overPOP3(r, m); m.AfterImport = postroom.AfterImportDelete }, ""},
		"everything brought in": {simulator.Options{}, func(_ *round, m *postroom.Mailbox) { m.Start.Kind = postroom.StartAll }, "Deleted in INBOX."},
		"a server without names": {simulator.Options{}, func(r *round, m *postroom.Mailbox) {
			overPOP3(r, m)
			r.pop.SetFaults("", simulator.Faults{HideCapabilities: []string{"UIDL"}})
		}, "Deleted in INBOX."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRound(t, test.options, test.change)
			r.foreign("INBOX", "before")
			trip := r.trip(RoundTripOptions{})
			r.wants(trip, through, "")
			if !trip.OK || trip.Number == 0 || trip.Fault() != nil {
				t.Errorf("the round trip is %+v", trip)
			}
			if got := trip.Steps[4].Detail; !strings.HasPrefix(got, test.detail) {
				t.Errorf("it says %q, want %q", got, test.detail)
			}
			r.wantsIssue(trip.Issue, true)
			r.until("nothing but the other mail is there", func() bool {
				for _, subject := range append(r.holds("INBOX"), r.holds("Done")...) {
					if subject != "before" {
						return false
					}
				}
				return true
			})
			r.wantsBalance()
			if last, ok, err := r.desk.LastRoundTrip(t.Context(), operator(), r.m.ID); err != nil || !ok || words(last) != through || !last.OK || last.Running || last.Issue != trip.Issue {
				t.Errorf("the last round trip is %+v, %v, %v", last, ok, err)
			}
			// What it has deleted can be recovered, as what people delete.
			if changed, err := r.desk.Store.RecoverIssue(t.Context(), operator(), trip.Issue); err != nil || !changed {
				t.Errorf("recover: %v, %v", changed, err)
			}
			r.wantsBalance()
		})
	}
}

func TestRoundTripOnGmailGoesToTheTrash(t *testing.T) {
	r := newRound(t, simulator.Options{Gmail: true}, nil)
	r.foreign("INBOX", "other")
	trip := r.trip(RoundTripOptions{})
	r.wants(trip, through, "")
	r.wantsFolder("INBOX", "other")
	r.wantsFolder("[Gmail]/Sent Mail")
	if got := r.holds("[Gmail]/Trash"); len(got) == 0 || !strings.HasPrefix(got[0], "Round trip test") {
		t.Errorf("the trash holds %q", got)
	}
	if got := trip.Steps[4].Detail; !strings.HasPrefix(got, "Moved to the trash there") {
		t.Errorf("it says %q", got)
	}
	r.wantsBalance()
}

func TestRoundTripKeepsTheIssueOnRequest(t *testing.T) {
	r := newRound(t, simulator.Options{}, nil)
	trip := r.trip(RoundTripOptions{KeepIssue: true})
	r.wants(trip, proven, "")
	r.wantsIssue(trip.Issue, false)
	if got := r.holds("INBOX"); len(got) != 1 {
		t.Errorf("INBOX holds %q", got)
	}
	r.wants(r.trip(RoundTripOptions{}), through, "") // and does not clear away what was wanted
	r.wantsIssue(trip.Issue, false)
	if got := r.holds("INBOX"); len(got) != 1 {
		t.Errorf("INBOX holds %q", got)
	}
}

func TestRoundTripTellsWhatItDoes(t *testing.T) {
	r := newRound(t, simulator.Options{}, nil)
	var told []string
	trip := r.trip(RoundTripOptions{Progress: func(s RoundTripStep) {
		word := string(s.Kind)
		if s.Running {
			word += "…"
		}
		if len(told) == 0 || told[len(told)-1] != word {
			told = append(told, word)
		}
		last, ok, err := r.desk.LastRoundTrip(t.Context(), operator(), r.m.ID)
		if err != nil || !ok || !last.Running || last.Steps[len(last.Steps)-1].Kind != s.Kind {
			t.Errorf("while %q is told, the last round trip is %+v, %v, %v", word, last, ok, err)
		}
	}})
	want := "sent… sent seen… seen filed issue_removed mail_removed… mail_removed"
	if got := strings.Join(told, " "); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	for _, s := range trip.Steps[:3] {
		if s.Took < 0 || s.Took > 20*time.Second {
			t.Errorf("step %s took %v", s.Kind, s.Took)
		}
	}
}

func TestRoundTripLeavesWhatItCannotRemoveAlone(t *testing.T) {
	tests := map[string]struct {
		change func(*round, *postroom.Mailbox)
		faults simulator.Faults
		words  string
	}{
		"no UIDPLUS":           {nil, simulator.Faults{HideCapabilities: []string{"UIDPLUS"}}, "cannot remove single messages"},
		"a refusal":            {nil, simulator.Faults{Replies: map[string]string{"UID STORE": "NO [NOPERM] Not you"}}, "The test mail stays on the server"},
		"a cut before the end": {nil, simulator.Faults{CutBefore: []string{"UID EXPUNGE"}}, "The test mail stays on the server"},
		"POP3 without TOP":     {overPOP3, simulator.Faults{HideCapabilities: []string{"TOP"}}, "lacks TOP"},
		"POP3 that cuts QUIT":  {overPOP3, simulator.Faults{CutBefore: []string{"QUIT"}}, "The test mail stays on the server"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRound(t, simulator.Options{}, test.change)
			r.foreign("INBOX", "marked")
			if err := r.read.SetFlags("support@example.net", "INBOX", 1, `\Deleted`); err != nil {
				t.Fatal(err)
			}
			if r.pop != nil {
				r.pop.SetFaults("", test.faults)
			} else {
				r.read.SetFaults("", test.faults)
			}
			trip := r.trip(RoundTripOptions{})
			r.wants(trip, proven+" issue_removed ✕mail_removed", test.words)
			if !trip.OK || trip.Fault() != nil {
				t.Errorf("it counts as no proof: %+v", trip)
			}
			if got := r.holds("INBOX"); len(got) != 2 {
				t.Errorf("INBOX holds %q, want both", got)
			}
			// Once it can be done, the next one clears away what was left.
			if r.pop != nil {
				r.pop.SetFaults("", simulator.Faults{})
			} else {
				r.read.SetFaults("", simulator.Faults{})
			}
			r.becomes(postroom.MailboxActive)
			r.wants(r.trip(RoundTripOptions{}), through+" earlier_removed", "")
			r.wantsFolder("INBOX", "marked")
			r.wants(r.trip(RoundTripOptions{}), through, "")
			r.wantsBalance()
		})
	}
}

// elsewhere has the mailbox have an address that the provider does not deliver to; by
// put it is delivered once it has been sent.
func elsewhere(t *testing.T, change func(*round, *postroom.Mailbox), put func(r *round, raw []byte)) *round {
	t.Helper()
	r := newRound(t, simulator.Options{}, func(r *round, m *postroom.Mailbox) {
		if change != nil {
			change(r, m)
		}
		m.Address = "help@example.net"
	})
	ended := make(chan struct{})
	t.Cleanup(func() { <-ended })
	go func() {
		defer close(ended)
		for seen := 0; t.Context().Err() == nil; time.Sleep(5 * time.Millisecond) {
			for _, taken := range r.send.Accepted()[seen:] {
				put(r, taken.Raw)
				seen++
			}
		}
	}()
	return r
}

func (r *round) put(folder string, raw []byte) {
	r.Helper()
	if _, err := r.read.Append("support@example.net", folder, raw, time.Now()); err != nil {
		r.Error(err)
	}
}

var messageID = regexp.MustCompile(`(?m)^Message-ID: <(.*)>`)

// bounce is what a server sends that cannot deliver a mail (RFC 3464).
func bounce(raw []byte) []byte {
	id := messageID.FindSubmatch(raw)[1]
	return fmt.Appendf(nil, "From: Mail Delivery System <MAILER-DAEMON@example.net>\r\nTo: help@example.net\r\nSubject: Undelivered Mail Returned to Sender\r\n"+
		"Message-ID: <bounce@example.net>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"+
		"--b\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example.net\r\n\r\n"+
		"Final-Recipient: rfc822; help@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <%s>\r\nSubject: x\r\n\r\n--b--\r\n", id)
}

func TestRoundTripThatDoesNotArrive(t *testing.T) {
	into := func(folder string) func(*round, []byte) {
		return func(r *round, raw []byte) { r.put(folder, raw) }
	}
	tests := map[string]struct {
		change func(*round, *postroom.Mailbox)
		put    func(*round, []byte)
		words  string
	}{
		"among the spam":      {nil, into("Junk"), "it is in the folder “Junk”"},
		"by a rule":           {nil, into("Newsletters"), "arrived in the folder “Newsletters”"},
		"nowhere":             {nil, func(*round, []byte) {}, "has not arrived at 127.0.0.1"},
		"POP3 shows no spam":  {overPOP3, into("Junk"), "has not arrived"},
		"it came back":        {nil, func(r *round, raw []byte) { r.put("INBOX", bounce(raw)) }, "came back: the reason stands in issue 1"},
		"among what was sent": {nil, into("Sent"), "has not arrived"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := elsewhere(t, test.change, test.put)
			for _, folder := range []string{"Junk", "Newsletters", "Sent"} {
				if err := r.read.AddFolder("support@example.net", folder); err != nil {
					t.Fatal(err)
				}
			}
			trip := r.trip(RoundTripOptions{Patience: 1500 * time.Millisecond})
			r.wants(trip, "sent ✕seen", test.words)
			if trip.OK || trip.Fault() == nil || trip.Issue != 0 {
				t.Errorf("it counts as a proof: %+v", trip)
			}
			if count := len(r.holds("INBOX")) + len(r.holds("Junk")) + len(r.holds("Newsletters")) + len(r.holds("Sent")); count != 1 && name != "nowhere" {
				t.Errorf("the server has %d messages, want the one", count)
			}
			r.wantsBalance()
		})
	}
}

// A mail that comes when nobody waits for it any more is an ordinary issue, until the
// next round trip.
func TestRoundTripOfAMailThatIsLate(t *testing.T) {
	letters := make(chan []byte, 2)
	r := elsewhere(t, nil, func(_ *round, raw []byte) { letters <- raw })
	r.wants(r.trip(RoundTripOptions{Patience: 500 * time.Millisecond}), "sent ✕seen", "a quarter of an hour")
	late := <-letters
	through := func(steps string) {
		t.Helper()
		arrived := make(chan struct{})
		go func() {
			defer close(arrived)
			r.put("INBOX", <-letters)
		}()
		r.wants(r.trip(RoundTripOptions{}), steps, "")
		<-arrived
		r.wantsFolder("INBOX")
	}
	through(proven + " issue_removed mail_removed") // the first is still on its way
	r.put("INBOX", late)
	r.until("the mail is an issue", func() bool {
		lines, _, err := r.desk.Store.Reader().Issues(t.Context(), operator(), store.IssueFilter{})
		return err == nil && len(lines) == 1
	})
	through(proven + " issue_removed mail_removed earlier_removed")
	if lines, _, err := r.desk.Store.Reader().Issues(t.Context(), operator(), store.IssueFilter{}); err != nil || len(lines) != 0 {
		t.Errorf("%d issues are left, %v", len(lines), err)
	}
}

func TestRoundTripKnowsAMailWhoseMessageIDWasReplaced(t *testing.T) {
	r := elsewhere(t, nil, func(r *round, raw []byte) {
		r.put("INBOX", messageID.ReplaceAll(raw, []byte("Message-ID: <0102-abc@eu-west-1.amazonses.example>")))
	})
	trip := r.trip(RoundTripOptions{})
	r.wants(trip, through, "")
	r.wantsFolder("INBOX")
	r.wantsBalance()
}

func TestRoundTripDeletesTheCopyAmongWhatWasSent(t *testing.T) {
	r := elsewhere(t, nil, func(r *round, raw []byte) {
		r.put("Sent Items", raw)
		r.put("INBOX", raw)
	})
	if err := r.read.AddFolder("support@example.net", "Sent Items"); err != nil {
		t.Fatal(err)
	}
	r.foreign("Sent Items", "an answer")
	r.wants(r.trip(RoundTripOptions{}), through, "")
	r.wantsFolder("INBOX")
	r.wantsFolder("Sent Items", "an answer")
}

func TestRoundTripThatIsNotSent(t *testing.T) {
	r := newRound(t, simulator.Options{}, nil)
	r.send.SetFaults("", simulator.Faults{RefuseLogin: "535 5.7.8 Error: authentication failed"})
	trip := r.trip(RoundTripOptions{})
	r.wants(trip, "✕sent", "refused this password")
	if trip.OK {
		t.Error("it counts as a proof")
	}
	r.send.SetFaults("", simulator.Faults{})
	r.wants(r.trip(RoundTripOptions{}), "✕sent", "not sent again") // servers lock accounts for that
	r.desk.guard = guard{}                                         // ten minutes later
	r.wants(r.trip(RoundTripOptions{}), through, "")               // and nothing of it is looked for
}

func TestRoundTripOfAMailOfUncertainFate(t *testing.T) {
	r := newRound(t, simulator.Options{}, nil)
	r.send.SetFaults("", simulator.Faults{CutAfter: []string{"."}})
	trip := r.trip(RoundTripOptions{})
	r.wants(trip, through, "")
	if !strings.Contains(trip.Steps[0].Detail, "did not say whether") {
		t.Errorf("the sending is %+v", trip.Steps[0])
	}
	r.send.SetFaults("", simulator.Faults{CutBefore: []string{"."}})
	trip = r.trip(RoundTripOptions{Patience: time.Second})
	r.wants(trip, "✕sent ✕seen", "It is not known whether 127.0.0.1 has taken the mail")
}

func TestRoundTripLeavesAnIssueThatSomebodyWorksOn(t *testing.T) {
	r := newRound(t, simulator.Options{}, nil)
	var once sync.Once
	trip := r.trip(RoundTripOptions{Progress: func(s RoundTripStep) {
		if s.Kind != RoundTripFiled {
			return
		}
		once.Do(func() {
			last, _, err := r.desk.LastRoundTrip(t.Context(), operator(), r.m.ID)
			if err == nil {
				_, err = r.desk.Store.NoteIssue(t.Context(), operator(), last.Issue, "Who is this?")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}})
	r.wants(trip, proven+" ✕issue_removed mail_removed", "there is more in it than the test mail")
	r.wantsIssue(trip.Issue, false)
}

func TestRoundTripInterruptedIsClearedAwayByTheNext(t *testing.T) {
	letters := make(chan []byte, 2)
	r := elsewhere(t, nil, func(_ *round, raw []byte) { letters <- raw })
	ctx, cancel := context.WithCancel(t.Context())
	trip, err := r.desk.RoundTrip(ctx, operator(), r.m.ID, RoundTripOptions{Progress: func(s RoundTripStep) {
		if s.Kind == RoundTripSeen {
			cancel()
		}
	}})
	if err != nil || trip.Running || trip.OK {
		t.Fatalf("RoundTrip = %+v, %v", trip, err)
	}
	r.wants(trip, "sent ✕seen", "ended before it was through")
	r.put("INBOX", <-letters)
	r.until("the mail is an ordinary issue", func() bool {
		last, ok, err := r.desk.LastRoundTrip(t.Context(), operator(), r.m.ID)
		return err == nil && ok && last.Issue != 0
	})
	arrived := make(chan struct{})
	go func() {
		defer close(arrived)
		r.put("INBOX", <-letters)
	}()
	r.wants(r.trip(RoundTripOptions{}), through+" earlier_removed", "")
	<-arrived
	r.wantsFolder("INBOX")
	r.wantsBalance()
}

func TestOneRoundTripAtATime(t *testing.T) {
	r := newRound(t, simulator.Options{}, nil)
	var again error
	r.trip(RoundTripOptions{Progress: func(s RoundTripStep) {
		if s.Kind == RoundTripSeen && s.Running && again == nil {
			_, again = r.desk.RoundTrip(t.Context(), operator(), r.m.ID, RoundTripOptions{})
		}
	}})
	wantFault(t, again, postroom.Conflict, "")
	if n := len(r.send.Accepted()); n != 1 {
		t.Errorf("%d mails were sent, want one", n)
	}
}

func TestRoundTripIsForAMailboxThatIsRead(t *testing.T) {
	d, _ := newDesk(t)
	m := plain()
	m = mustAdd(t, d, m)
	refused := func(kind postroom.Kind, field, words string) {
		t.Helper()
		_, err := d.RoundTrip(t.Context(), operator(), m.ID, RoundTripOptions{})
		wantFault(t, err, kind, field)
		if f, ok := postroom.FaultOf(err); ok && !strings.Contains(f.Explanation+f.Remedy, words) {
			t.Errorf("it says %q %q, want %q", f.Explanation, f.Remedy, words)
		}
	}
	refused(postroom.Invalid, "outgoing", "only reads")
	if _, err := d.Change(t.Context(), operator(), m.ID, func(m *postroom.Mailbox) error {
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "smtp.example.net"}}
		return nil
	}, nil); err != nil {
		t.Fatal(err)
	}
	refused(postroom.Conflict, "", "Test the connection first")
	if err := d.Pause(t.Context(), operator(), m.ID); err != nil {
		t.Fatal(err)
	}
	refused(postroom.Conflict, "", "Resume the mailbox")
	_, err := d.RoundTrip(t.Context(), postroom.Viewer{User: 2, Role: postroom.RoleAgent}, m.ID, RoundTripOptions{})
	wantFault(t, err, postroom.Forbidden, "")
	_, err = d.RoundTrip(t.Context(), operator(), 999, RoundTripOptions{})
	wantFault(t, err, postroom.NotFound, "")
}

func TestRoundTripNeedsSomebodyWhoReads(t *testing.T) {
	r := newRound(t, simulator.Options{}, nil)
	r.desk.Unattended = true
	_, err := r.desk.RoundTrip(t.Context(), operator(), r.m.ID, RoundTripOptions{})
	wantFault(t, err, postroom.Conflict, "")
	if len(r.send.Accepted()) != 0 {
		t.Error("a mail was sent")
	}
}

func TestMessageIDInAHeader(t *testing.T) {
	for header, want := range map[string]string{
		"Message-ID: <a@b>\r\nSubject: x\r\n\r\n":          "a@b",
		"Subject: x\r\nMESSAGE-id:<a@b>\r\n\r\n":           "a@b",
		"Message-ID:\r\n <a@b>\r\nSubject: x\r\n\r\n":      "a@b",
		"no field at all\nMessage-ID : <a@b>\n":            "a@b",
		"Subject: Message-ID: <a@b>\r\n":                   "",
		"References: <a@b>\r\nX-Message-ID: <c@d>\r\n\r\n": "",
		"": "",
	} {
		if got := messageIDIn([]byte(header)); got != want {
			t.Errorf("messageIDIn(%q) = %q, want %q", header, got, want)
		}
	}
}
