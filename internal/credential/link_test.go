package credential

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// linkSecret is what stands at the end of a link.
func (c *counter) linkSecret(a Asked) string {
	c.Helper()
	if a.Err != nil {
		c.Fatalf("no link: %v", a.Err)
	}
	secret, ok := strings.CutPrefix(a.URL.Reveal(), here+"/link/")
	if !ok || len(secret) < 40 {
		c.Fatalf("the link has %d characters", len(secret))
	}
	c.secrets = append(c.secrets, secret)
	return secret
}

func (c *counter) ask(o AskOptions) Asked {
	c.Helper()
	asked, err := c.desk.Ask(c.Context(), appAdmin, []postroom.MailboxID{c.mailbox.ID}, c.app.ID, o)
	if err != nil || len(asked) != 1 {
		c.Fatalf("Ask = %v, %v", asked, err)
	}
	return asked[0]
}

func TestTheOwnerSignsInByALinkOnce(t *testing.T) {
	bothKinds(t, func(c *counter) {
		a := c.ask(AskOptions{})
		secret := c.linkSecret(a)
		v, err := c.desk.OpenLink(c.Context(), secret)
		if err != nil || v.State != LinkOpen || v.Address != support || v.AskedBy != "Ana" || v.Provider == "" || !v.Sends {
			c.Fatalf("the guest sees %+v, %v", v, err)
		}
		// A tab that is closed costs nothing: the link begins another one.
		lost, err := c.desk.BeginByLink(c.Context(), secret)
		if err != nil {
			c.Fatal(err)
		}
		c.send(lost)
		b, err := c.desk.BeginByLink(c.Context(), secret)
		if err != nil {
			c.Fatal(err)
		}
		s := c.back(c.signIn(c.send(b), support), support)
		if p, err := c.desk.SignIn(c.Context(), startOf(b)); err != nil || p.SignIn.ID != s.ID || p.Address != support {
			c.Errorf("the guest's page is told %+v, %v", p, err)
		}
		c.work()
		s = c.signInNow(s.ID)
		c.wantStep(s, postroom.SignInProven)
		if g := c.grant(s.Grant); g.SignedInBy != 0 || s.By != 0 || s.Link != a.Link.ID {
			c.Errorf("the grant is %+v of %+v", g, s)
		}
		if v, err = c.desk.OpenLink(c.Context(), secret); err != nil || v.State != LinkUsed || v.Link.OpenedAt.IsZero() {
			c.Errorf("afterwards the link is %+v, %v", v, err)
		}
		_, err = c.desk.BeginByLink(c.Context(), secret)
		c.wantFault(err, postroom.Conflict, "already")
		c.wantFault(c.desk.RevokeLink(c.Context(), appAdmin, a.Link.ID), postroom.Conflict, "already")
		_, err = c.desk.Remind(c.Context(), appAdmin, a.Link.ID, joe, here)
		c.wantFault(err, postroom.Conflict, "already")
	})
}

func TestALinkThatWasTakenBackOrIsTooOldOpensNothing(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	revoked := c.ask(AskOptions{})
	secret := c.linkSecret(revoked)
	b, err := c.desk.BeginByLink(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	p := c.signIn(c.send(b), support)
	for range 2 { // once more is a success
		if err := c.desk.RevokeLink(t.Context(), appAdmin, revoked.Link.ID); err != nil {
			t.Fatal(err)
		}
	}
	c.wantStep(c.back(p, support), postroom.SignInRefused, "taken back")
	_, err = c.desk.BeginByLink(t.Context(), secret)
	c.wantFault(err, postroom.Conflict, "taken back")
	_, err = c.desk.Again(t.Context(), startOf(b))
	c.wantFault(err, postroom.Conflict, "taken back")

	old := c.linkSecret(c.ask(AskOptions{}))
	c.clock.pass(LinkLasts)
	_, err = c.desk.BeginByLink(t.Context(), old)
	c.wantFault(err, postroom.Conflict, "too old")
	if v, err := c.desk.OpenLink(t.Context(), old); err != nil || v.State != LinkExpired {
		t.Errorf("it is %+v, %v", v, err)
	}
	for _, made := range []string{"", "x", strings.Repeat("A", 43)} {
		_, err = c.desk.OpenLink(t.Context(), made)
		c.wantFault(err, postroom.NotFound, "opens nothing")
	}
	c.sweep()
	if k, err := c.desk.Store.SignInLink(t.Context(), revoked.Link.ID); err != nil || k.Sealed != nil {
		t.Errorf("its secret is kept: %v", err)
	}
	c.nothingLeaked()
}

func TestLinksForManyAreSentListedAndRemindedOf(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	var letters []LinkMail
	var broken error
	c.desk.Mail = func(_ context.Context, m LinkMail) error {
		if broken == nil {
			letters = append(letters, m)
		}
		return broken
	}
	second := c.add(joe, nil)
	asked, err := c.desk.Ask(t.Context(), appAdmin, []postroom.MailboxID{c.mailbox.ID, 999, second.ID}, c.app.ID, AskOptions{ToEach: true, TTL: time.Hour, Base: "https://post.example.net/"})
	if err != nil || len(asked) != 3 || postroom.KindOf(asked[1].Err) != postroom.NotFound || asked[0].Err != nil || asked[2].Err != nil {
		t.Fatalf("Ask = %+v, %v", asked, err)
	}
	if len(letters) != 2 || letters[0].To != support || letters[1].To != joe || !strings.Contains(letters[0].Text.Reveal(), asked[0].URL.Reveal()) ||
		!strings.Contains(letters[0].Subject, support) || !strings.Contains(letters[0].Text.Reveal(), "Ana") || strings.Contains(letters[0].Subject, "link/") {
		t.Errorf("sent were %d letters", len(letters))
	}
	if !strings.HasPrefix(asked[0].URL.Reveal(), "https://post.example.net/link/") || asked[0].Link.SentAt.IsZero() || asked[0].Link.SentTo != support {
		t.Errorf("the link is %+v", asked[0].Link)
	}
	list, _, err := c.desk.Links(t.Context(), appAdmin, LinkFilter{Open: true})
	if err != nil || len(list) != 2 || list[0].Address != joe || list[0].AskedBy != "Ana" {
		t.Errorf("open are %+v, %v", list, err)
	}
	one, next, err := c.desk.Links(t.Context(), appAdmin, LinkFilter{Limit: 1})
	if err != nil || len(one) != 1 || next == "" {
		t.Errorf("a page is %+v, %q, %v", one, next, err)
	}
	if one, next, err = c.desk.Links(t.Context(), appAdmin, LinkFilter{Limit: 1, Cursor: next}); err != nil || len(one) != 1 || one[0].Address != support || next != "" {
		t.Errorf("the next page is %+v, %q, %v", one, next, err)
	}
	c.clock.pass(time.Minute)
	again, err := c.desk.Remind(t.Context(), appAdmin, asked[0].Link.ID, "", "https://post.example.net")
	if err != nil || again.URL.Reveal() != asked[0].URL.Reveal() || !again.Link.RemindedAt.Equal(c.clock.now()) || len(letters) != 3 || !letters[2].Reminder {
		t.Errorf("Remind = %+v, %v", again.Link, err)
	}
	// What cannot be sent is a link all the same.
	broken = errors.New("no way out")
	asked, err = c.desk.Ask(t.Context(), appAdmin, []postroom.MailboxID{c.mailbox.ID}, c.app.ID, AskOptions{SendTo: "boss@example.org"})
	if err != nil || asked[0].Err == nil || asked[0].URL.IsEmpty() || !asked[0].Link.SentAt.IsZero() {
		t.Errorf("Ask = %+v, %v", asked, err)
	}
	for _, o := range []AskOptions{{SendTo: "nobody"}, {SendTo: "a@b.example,c@d.example"}, {TTL: 31 * 24 * time.Hour}, {TTL: -1}} {
		_, err := c.desk.Ask(t.Context(), appAdmin, []postroom.MailboxID{c.mailbox.ID}, c.app.ID, o)
		c.wantFault(err, postroom.Invalid, "")
	}
	// A newer link to the same address takes the place of the one before.
	broken = nil
	if _, err := c.desk.Ask(t.Context(), appAdmin, []postroom.MailboxID{c.mailbox.ID}, c.app.ID, AskOptions{ToEach: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.desk.Remind(t.Context(), appAdmin, again.Link.ID, "", ""); postroom.KindOf(err) != postroom.Conflict {
		t.Errorf("the one before: %v", err)
	}
	c.nothingLeaked()
}

func TestTheMailboxCountsWhatArrivedMeanwhile(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	s := c.whole(support)
	p, err := c.desk.SignInByID(t.Context(), appAdmin, s.ID)
	if err != nil || p.Missed != 0 || p.SignIn.Again {
		t.Errorf("told is %+v, %v", p, err)
	}
}
