package alert

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/store"
)

// The mail server has words of its own for a sign-in that the provider has ended.
func TestOneLostSignInInTheWordsOfTwoIsToldOnce(t *testing.T) {
	p := newPlace(t, sqlite(t))
	_, support := p.mailbox("sales"), p.mailbox("support")
	expired := lost()
	expired.Class, expired.Explanation = postroom.TokenExpired, "The sign-in at Google has run out."
	p.trouble(expired, support)
	p.wantPost("the mail server says so", 1)
	p.trouble(lost(), support)
	p.wantPost("the provider says so", 0)
	if a := p.wantAlert("both have said so"); a.Fault.Class != postroom.TokenRevoked || a.Told != 1 {
		t.Errorf("%+v, want what was said last, told once", a)
	}
}

func TestLostSignInIsToldOnceAndRemindedUntilItIsMended(t *testing.T) {
	p := newPlace(t, sqlite(t))
	sales, support := p.mailbox("sales"), p.mailbox("support")
	p.wantPost("all is well", 0)

	p.trouble(lost(), support)
	letters := p.wantPost("the sign-in is lost", 1)
	p.wantWords(letters[0], "Postroom: support needs somebody to sign in again", "Google no longer lets us read this mailbox.",
		"choose Sign in again", "https://post.example.net/mailboxes/"+support.String(), "1, 3 and 7 days")
	if l := letters[0]; l.From.Address != "sales@example.net" || !l.Automatic || l.Mark == "" || l.To[0].Address != "ann@example.org" {
		t.Errorf("it left as %+v, want it from the mailbox that works", l)
	}
	a := p.wantAlert("it is lost")
	if a.Kind != postroom.AlertSignIn || !slices.Equal(a.Mailboxes, []postroom.MailboxID{support}) || a.Told != 1 || a.Fault.Class != postroom.TokenRevoked {
		t.Errorf("the alert is %+v", a)
	}

	began := p.clock
	var reminded []time.Duration
	for p.clock.Before(began.Add(23 * day)) {
		p.pass(time.Hour)
		for _, l := range p.post() {
			p.wantWords(l, "This is a reminder", "Sign in again")
			reminded = append(reminded, p.clock.Sub(began))
		}
	}
	if want := []time.Duration{day, 3 * day, 7 * day, 14 * day, 21 * day}; !slices.Equal(reminded, want) {
		t.Errorf("reminded after %v, want %v", reminded, want)
	}

	p.mend(support)
	p.wantPost("it is mended", 0)
	if alerts := p.alerts(); len(alerts) > 0 {
		t.Errorf("what is mended is still shown: %+v", alerts)
	}
	p.pass(calm)
	letters = p.wantPost("it has stayed mended", 1)
	p.wantWords(letters[0], "support is being read again", "No mail arrived meanwhile", "after 23 days")
	history, err := p.History(t.Context(), admin(), 10)
	if err != nil || len(history) != 1 || history[0].ID != a.ID || history[0].Told != 7 {
		t.Errorf("history: %+v, %v", history, err)
	}
	p.pass(30 * day)
	p.wantPost("long after", 0)
	_ = sales
}

// expired is a client secret that has ended.
func expired() *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
		Explanation: "Microsoft no longer takes the client secret of this registration.",
		Remedy:      "Make a new client secret and enter it at the registration.",
	}
}

// signedInBy has mailboxes open by a registration.
func (p *place) signedInBy(name string, ids ...postroom.MailboxID) postroom.OAuthAppID {
	p.t.Helper()
	app, err := p.Store.AddOAuthApp(p.t.Context(), postroom.OAuthApp{Name: name, Provider: "microsoft365", Kind: postroom.AppSignIn, ClientID: name},
		func(postroom.OAuthAppID) ([]byte, error) { return nil, nil })
	p.must(err)
	for _, id := range ids {
		g, err := p.Store.AddGrant(p.t.Context(), store.NewGrant{
			Grant: postroom.Grant{Mailbox: id, App: app.ID, Way: postroom.GrantByCode}, AccountKey: id.String(),
			Seal: func(postroom.GrantID) (store.SealedTokens, error) { return store.SealedTokens{}, nil },
		})
		p.must(err)
		p.must(p.Store.AdoptGrant(p.t.Context(), store.Adoption{Grant: g.ID}))
	}
	return app.ID
}

func TestOneSecretThatEndedOn500MailboxesIsOneAlert(t *testing.T) {
	p := newPlace(t, sqlite(t))
	way := p.mailbox("sales")
	ids := p.mailboxes(500, settings("staff", "outlook.office365.com"))
	app := p.signedInBy("Contoso mail", ids...)

	p.trouble(expired(), ids[:40]...) // as their access tokens end, one after another
	p.pass(settled)
	letters := p.wantPost("the first are refused", 1)
	p.wantWords(letters[0], "40 mailboxes cannot be read", "“Contoso mail”", "https://post.example.net/settings/apps/"+app.String(), "and 20 more")
	for from := 40; from < 500; from += 92 {
		p.trouble(expired(), ids[from:from+92]...)
		p.pass(10 * time.Minute)
		p.wantPost("more are refused", 0)
	}
	p.pass(3 * time.Hour)
	p.wantPost("hours later", 0)
	a := p.wantAlert("all are refused")
	if len(a.Mailboxes) != 500 || a.App != app || a.Told != 1 || !strings.HasPrefix(a.Title, "500 mailboxes") {
		t.Errorf("the alert is about %d mailboxes of registration %s, told %d times: %s", len(a.Mailboxes), a.App, a.Told, a.Title)
	}

	p.mend(ids...)
	p.look()
	p.pass(calm)
	letters = p.wantPost("a new secret is entered", 1)
	p.wantWords(letters[0], "500 mailboxes are being read again", "and 480 more")
	_ = way
}

func TestMailboxesWithTroubleOfTheirOwnAreToldApart(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	ids := p.mailboxes(30, settings("staff", "imap.gmail.com"))

	p.trouble(lost(), ids[0])
	p.wantPost("one is lost", 1)
	p.trouble(lost(), ids[1:20]...) // the same policy, as their tokens end
	p.pass(time.Hour)
	p.wantPost("many more within the hour", 0)
	if a := p.wantAlert("an outbreak"); len(a.Mailboxes) != 20 {
		t.Errorf("it concerns %d mailboxes, want 20", len(a.Mailboxes))
	}

	p.pass(12 * time.Hour)
	p.trouble(lost(), ids[20])
	letters := p.wantPost("another, the same night", 1)
	p.wantWords(letters[0], "staff 20 needs somebody")
	other := lost()
	other.Class, other.Explanation = postroom.BadCredentials, "Google refused this password."
	p.trouble(other, ids[21])
	p.wantPost("another for another reason", 1)
	if n := len(p.alerts()); n != 3 {
		t.Errorf("%d alerts, want three", n)
	}

	p.mend(ids[20])
	p.look()
	p.pass(calm / 2)
	p.trouble(lost(), ids[20])
	p.wantPost("it comes back within minutes", 0)
	if n := len(p.alerts()); n != 3 {
		t.Errorf("%d alerts, want the same three", n)
	}
	p.pass(calm)
	p.wantPost("it has come back", 0)
	p.mend(ids[20])
	p.look()
	p.pass(calm)
	p.wantPost("it is mended", 1)
	p.pass(time.Hour)
	p.trouble(lost(), ids[20])
	p.wantPost("it is lost anew", 1)
}

// down is a server that nobody reaches.
func down(host string) *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByWaiting,
		Explanation: host + " did not answer within 10 seconds.", Remedy: "If this lasts, ask whoever runs the server.",
	}
}

func TestServerThatIsDownIsToldAfterTheDelay(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	ids := p.mailboxes(30, settings("staff", "imap.example.com"))
	p.must(p.SetDelay(t.Context(), admin(), 3*time.Hour))
	p.trouble(down("imap.example.com"), ids...)
	p.pass(90 * time.Minute)
	p.wantPost("it is not long enough", 0)
	p.pass(2 * time.Hour)
	letters := p.wantPost("it is long enough", 1)
	p.wantWords(letters[0], "30 mailboxes at imap.example.com have been delayed for long")
	refused := down("imap.example.com")
	refused.Class, refused.Explanation = postroom.Refused, "imap.example.com refuses connections."
	p.trouble(refused, ids...)
	p.wantPost("the server says something else", 0)
	if a := p.wantAlert("still down"); a.Fault.Class != postroom.Refused || len(a.Mailboxes) != 30 {
		t.Errorf("the alert says %+v, want what the server says now", a.Fault)
	}
	p.mend(ids...)
	p.look()
	p.pass(calm)
	p.wantPost("it is back", 1)
}

func TestTroubleThatPassesByItselfIsNotTold(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	id := p.mailbox("support")
	repair := &postroom.Fault{Kind: postroom.NeedsRepair, Class: postroom.FolderMissing, FixBy: postroom.FixByUser, Explanation: "The folder is gone."}
	now, err := p.Store.Now(t.Context())
	p.must(err)
	p.clock = now.Add(time.Second)
	p.watch.begun = now.Add(-time.Hour)
	p.trouble(repair, id)
	p.wantPost("a moment ago", 0)
	p.mend(id)
	p.wantPost("it has passed", 0)
	p.trouble(repair, id)
	p.pass(2 * settled)
	p.wantPost("it has lasted", 1)

	// After a start what was written down before may be over at the first try.
	p.mailbox("third")
	fourth := p.mailbox("fourth")
	p.trouble(down("imap.fourth.example.net"), fourth)
	p.Desk = &Desk{Store: p.Store, Ring: p.Ring, Log: p.Log, Now: p.Now, SendBy: p.SendBy}
	p.pass(5 * day) // nothing was running
	p.wantPost("started again", 0)
	p.mend(fourth)
	p.pass(settled)
	letters := p.wantPost("running for a while", 1)
	p.wantWords(letters[0], "This is a reminder", "support cannot be read", "choose Alerts")
}

func TestOwnersAreToldOfTheirOwnMailboxes(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	own := func(email string) postroom.UserID {
		id, err := p.Store.CreateUser(t.Context(), postroom.User{Email: email, Role: postroom.RoleOwner, CreatedAt: p.clock}, "")
		p.must(err)
		return id
	}
	owned := func(name string, owner postroom.UserID) postroom.MailboxID {
		m := settings(name, "imap.gmail.com")
		m.Owner = owner
		return p.mailboxes(1, m)[0]
	}
	bob, cara, ann := own("bob@example.org"), own("cara@example.org"), own("ann@example.org")
	bobs, bobsToo, caras, anns := owned("bob", bob), owned("robert", bob), owned("cara", cara), owned("ann", ann)

	p.trouble(lost(), bobs, bobsToo, anns)
	letters := p.wantPost("they are lost", 2)
	to := map[string]mime.Letter{}
	for _, l := range letters {
		to[l.To[0].Address] = l
	}
	p.wantWords(to["ann@example.org"], "3 mailboxes need somebody", "this address is told")
	p.wantWords(to["bob@example.org"], "2 mailboxes need somebody", "is yours in Postroom", "bob (bob@example.net)", "robert (robert@example.net)")
	p.trouble(lost(), caras)
	letters = p.wantPost("another joins", 1)
	p.wantWords(letters[0], "cara needs somebody")

	viewer := postroom.Viewer{User: cara, Role: postroom.RoleOwner}
	alerts, err := p.Open(t.Context(), viewer)
	if err != nil || len(alerts) != 1 || !slices.Equal(alerts[0].Mailboxes, []postroom.MailboxID{caras}) {
		t.Errorf("the owner sees %+v, %v", alerts, err)
	}
	p.must(p.Seen(t.Context(), viewer, alerts[0].ID))
	if alerts, err = p.Open(t.Context(), viewer); err != nil || !alerts[0].SeenAt.Equal(p.clock.UTC().Truncate(time.Microsecond)) {
		t.Errorf("seen: %+v, %v", alerts, err)
	}
	if err := p.Seen(t.Context(), postroom.Viewer{User: bob + 1000}, alerts[0].ID); postroom.KindOf(err) != postroom.NotFound {
		t.Errorf("a stranger closes it: %v", err)
	}
	if _, err := p.Notices(t.Context(), viewer, alerts[0].ID); postroom.KindOf(err) != postroom.Forbidden {
		t.Errorf("an owner lists the notices: %v", err)
	}

	p.mend(bobs, bobsToo, caras)
	p.look()
	p.pass(day)
	letters = p.wantPost("ann's is still lost", 1)
	p.wantWords(letters[0], "This is a reminder", "ann needs somebody")
	p.mend(anns)
	p.look()
	p.pass(calm)
	p.wantPost("all are mended", 3)
}

func TestTroubleThatComesBackWithinMinutesIsTheSame(t *testing.T) {
	for name, fault := range map[string]*postroom.Fault{"of its own": lost(), "of many": expired()} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, sqlite(t))
			p.mailbox("sales")
			id := p.mailbox("support")
			p.trouble(fault, id)
			p.pass(settled)
			p.wantPost("it begins", 1)
			first := p.wantAlert("it begins")
			p.pass(5 * time.Hour)
			for range 3 {
				p.mend(id)
				p.wantPost("it is over", 0)
				p.pass(calm / 2)
				p.wantPost("for five minutes", 0)
				p.trouble(fault, id)
				p.wantPost("it is back", 0)
				p.pass(settled)
				p.wantPost("it stays", 0)
				if a := p.wantAlert("it is back"); a.ID != first.ID {
					t.Errorf("another alert, %s after %s", a.ID, first.ID)
				}
			}
			p.mend(id)
			p.wantPost("it is over", 0)
			p.pass(calm)
			p.wantPost("for long enough", 1)
		})
	}
}

func TestDelaysAreLeftAloneWhileThereIsNoRoom(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	id := p.mailbox("support")
	p.trouble(down("imap.support.example.net"), id)
	p.pass(2 * time.Hour)
	p.wantPost("the server is down", 1)
	full := &postroom.Fault{Kind: postroom.Delayed, FixBy: postroom.FixByAppAdmin, Explanation: "Only 100 MB are free.", Remedy: "Make room."}
	p.Space = func() *postroom.Fault { return full }
	p.trouble(full, id)
	p.look()
	p.pass(settled)
	p.wantPost("the disk is full", 1)
	p.pass(5 * time.Hour)
	p.wantPost("nothing is said of the server", 0)
	if n := len(p.alerts()); n != 2 {
		t.Errorf("%d alerts, want the server and the disk", n)
	}
}

func TestLackOfRoomIsOneAlert(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	ids := p.mailboxes(5, settings("staff", "imap.example.com"))
	var fault *postroom.Fault
	p.Space = func() *postroom.Fault { return fault }
	full := &postroom.Fault{Kind: postroom.Delayed, FixBy: postroom.FixByAppAdmin, Explanation: "Only 100 MB are free.", Remedy: "Make room."}
	fault = full
	p.wantPost("a moment", 0)
	fault = nil
	p.wantPost("it has passed", 0)
	fault = full
	p.trouble(full, ids...)
	p.look()
	p.pass(3 * time.Hour)
	letters := p.wantPost("it lasts", 1)
	p.wantWords(letters[0], "The disk is running low", "Only 100 MB are free.")
	less := *full
	less.Explanation = "Only 99 MB are free."
	fault = &less
	p.wantPost("a little less", 0)
	if a := p.wantAlert("a little less"); a.Fault.Explanation != full.Explanation {
		t.Errorf("it is written down that %s", a.Fault.Explanation)
	}
	fault = full
	if a := p.wantAlert("it lasts"); a.Kind != postroom.AlertSpace {
		t.Errorf("the alert is %+v", a)
	}
	fault = nil
	p.mend(ids...)
	p.look()
	p.pass(calm)
	letters = p.wantPost("there is room", 1)
	p.wantWords(letters[0], "There is room on the disk again")
}

func TestMailSetAsideIsTold(t *testing.T) {
	p := newPlace(t, sqlite(t))
	id := p.mailbox("support")
	p.mailbox("sales")
	p.arrive(id, 1, postroom.ArrivalQuarantined)
	letters := p.wantPost("one is set aside", 1)
	p.wantWords(letters[0], "1 mail of support is set aside", "/mailboxes/"+id.String()+"/ledger")
	if from := letters[0].From.Address; from != "sales@example.net" {
		t.Errorf("it left by %s, want a mailbox that it is not about", from)
	}
	p.arrive(id, 1, postroom.ArrivalQuarantined)
	p.wantPost("another", 0)
	if a := p.wantAlert("two"); a.Kind != postroom.AlertQuarantined || a.Title != "2 mails of support are set aside" {
		t.Errorf("the alert is %+v", a)
	}
}

func TestDeskSurvivesItsEndBetweenClaimAndSending(t *testing.T) {
	eachDatabase(t, func(t *testing.T, o store.Options) {
		p := newPlace(t, o)
		p.mailbox("sales")
		p.trouble(lost(), p.mailbox("support"))
		p.look()
		// The process ends here: after the claim, and in the other case after the mail left.
		claimed, err := p.Store.ClaimNotices(t.Context(), p.clock, p.clock.Add(claimFor), 10)
		p.must(err)
		if len(claimed) != 1 {
			t.Fatalf("%d claimed, want one", len(claimed))
		}
		again := &Desk{Store: p.Store, Ring: p.Ring, Log: p.Log, Now: p.Now, SendBy: p.SendBy}
		p.Desk = again
		p.wantPost("started again", 0)
		p.pass(claimFor)
		p.wantPost("the claim has ended", 1)
		p.pass(time.Hour)
		p.wantPost("later", 0)
	})
}

func TestTwoNodesTellOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, o store.Options) {
		p := newPlace(t, o)
		p.mailbox("sales")
		ids := p.mailboxes(20, settings("staff", "imap.gmail.com"))
		other := &Desk{Store: p.Store, Ring: p.Ring, Log: p.Log, Now: p.Now, SendBy: p.SendBy}
		other.watch.begun = p.watch.begun
		for n, id := range ids {
			p.trouble(lost(), id)
			done := make(chan error)
			for _, d := range []*Desk{p.Desk, other} {
				go func() {
					_, err := d.look(t.Context())
					if err == nil {
						_, _, err = d.sendDue(t.Context())
					}
					done <- err
				}()
			}
			for range 2 {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			if n%5 == 4 {
				p.pass(together)
			}
		}
		p.post()
		if len(p.sent) != 4 || len(p.alerts()) != 4 {
			t.Errorf("%d letters about %d alerts, want four of each", len(p.sent), len(p.alerts()))
		}
	})
}

func TestWithoutAWayOutNothingIsLost(t *testing.T) {
	p := newPlace(t, sqlite(t))
	id := p.mailbox("support")
	p.trouble(lost(), id)
	p.wantPost("nothing can be sent", 0)
	p.pass(10 * time.Hour)
	p.wantPost("still not", 0)
	warnings, err := p.Warnings(t.Context())
	if err != nil || len(warnings) != 2 || !strings.Contains(warnings[0].Explanation, "cannot leave") || !strings.Contains(warnings[1].Explanation, "ann@example.org has not left") {
		t.Errorf("warnings: %+v, %v", warnings, err)
	}
	p.mailbox("sales")
	p.pass(10 * time.Hour)
	letters := p.wantPost("there is a way", 1)
	p.wantWords(letters[0], "support needs somebody")
	if warnings, err = p.Warnings(t.Context()); err != nil || len(warnings) > 0 {
		t.Errorf("warnings: %+v, %v", warnings, err)
	}
}

func TestWhatIsNotTrueAnyMoreDoesNotLeave(t *testing.T) {
	p := newPlace(t, sqlite(t))
	id := p.mailbox("support")
	p.trouble(lost(), id)
	p.wantPost("nothing can be sent", 0)
	p.mend(id)
	p.look()
	p.mailbox("sales")
	p.pass(calm / 2)
	p.wantPost("it is over, and there is a way", 0)
	p.trouble(lost(), id)
	p.wantPost("it is back", 1)
	if _, ok, err := p.Store.NextNotice(t.Context()); err != nil || ok {
		t.Errorf("something is left to send: %t, %v", ok, err)
	}

	p.SendBy = nil
	p.pass(day)
	p.wantPost("a reminder that cannot leave", 0)
	p.mend(id)
	p.look()
	p.pass(calm)
	p.look()
	notices, err := p.Notices(t.Context(), admin(), 1)
	if err != nil || len(notices) != 2 || notices[0].State != postroom.NoticeSent || notices[1].Kind != postroom.NoticeMended {
		t.Errorf("notices: %+v, %v, want the reminder dropped", notices, err)
	}
}

func TestProcessThatDoesNotLookIsNotWell(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.must(p.Alive(t.Context()))
	if _, _, err := p.turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.must(p.Alive(t.Context()))
	p.looked.Store(time.Now().Add(-lookWithin - time.Second).UnixMicro())
	if p.Alive(t.Context()) == nil {
		t.Error("nobody has looked for long, and all is said to be well")
	}
}

func TestDiskThatIsOnlyRunningLowDelaysNothing(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	p.Space = func() *postroom.Fault {
		return &postroom.Fault{Kind: postroom.NeedsRepair, FixBy: postroom.FixByAppAdmin, Explanation: "The disk is running low.", Remedy: "Make room."}
	}
	p.look()
	p.trouble(down("imap.support.example.net"), p.mailbox("support"))
	p.pass(2 * time.Hour)
	p.wantPost("a server is down, too", 2)
}
