package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A healthPage is how all mailboxes are that somebody may see.
type healthPage struct {
	frame
	Query    string
	Sentence string
	Badge    badge
	Calm     bool // nothing needs anybody
	Empty    bool // no mailbox is connected
	Counts   []healthCount
	Causes   []causeView
	Changes  []changeView
	Ends     []expiryView
	SetAside []setAsideView
	Ledgers  []unbalancedView
	Further  [2]string // how many more of both there are; empty: none
	Unknown  []unknownView
}

type healthCount struct {
	badge
	Count   string
	Address string
}

// A causeView is one cause and the mailboxes that it has broken.
type causeView struct {
	Badge     badge
	Title     string // "12 mailboxes"; empty: it is one
	Fault     faultView
	Since     moment
	Mailboxes []mailboxRow
	More      int64 // how many are not named
	Address   string
	App       string // the page of the registration that it is about; empty: it is about none, or not for this visitor

	state postroom.MailboxState
	count int64
}

type setAsideView struct{ Name, Count, Address string }

type unbalancedView struct {
	Name, Address string
	Compared      moment
}

type unknownView struct {
	Server, Phase, Reply, Count string
	Last                        moment
}

func (p healthPage) address() string {
	if p.Query == "" {
		return "/health"
	}
	return "/health?" + url.Values{"q": {p.Query}}.Encode()
}

func (p healthPage) nothingFound() bool {
	return p.Query != "" && len(p.Causes)+len(p.Changes)+len(p.Ends)+len(p.SetAside)+len(p.Ledgers)+len(p.Unknown) == 0
}

// showHealth handles GET /health.
func (s *Server) showHealth(w http.ResponseWriter, r *http.Request, by visitor) error {
	live, err := s.Reader.LastEvent(r.Context()) // before the rest, so that nothing falls between
	if err != nil {
		return err
	}
	p, err := s.healthPage(r.Context(), by, strings.TrimSpace(r.FormValue("q")))
	if err != nil {
		return err
	}
	if target, _ := isHTMX(r); target == "health" {
		return s.render(w, r, http.StatusOK, healthBody(p))
	}
	p.Live = live
	return s.render(w, r, http.StatusOK, healthView(p))
}

func (s *Server) healthPage(ctx context.Context, by visitor, query string) (healthPage, error) {
	p := healthPage{frame: s.frame(by, "Health", "health"), Query: query}
	h, err := s.Reader.Health(ctx, by.Viewer)
	if err != nil {
		return p, err
	}
	p.Sentence, p.Badge = healthSentence(h.Mailboxes)
	for _, state := range postroom.MailboxStates() {
		if n := h.Mailboxes[state]; n > 0 {
			p.Counts = append(p.Counts, healthCount{mailboxBadge(state), number(n), "/mailboxes?" + url.Values{"state": {string(state)}}.Encode()})
		}
	}
	p.Empty = len(p.Counts) == 0
	p.Causes = s.causes(by, h.Troubled, query)
	if err := s.addApps(ctx, by, p.Causes); err != nil {
		return p, err
	}
	if p.Changes, err = s.changesSeen(ctx, by, query); err != nil {
		return p, err
	}
	if p.Ends, err = s.endsSeen(ctx, by, query); err != nil {
		return p, err
	}
	s.addLedgers(&p, h)
	if err := s.addUnknown(ctx, by, &p); err != nil {
		return p, err
	}
	p.Calm = p.Badge.Tone == "good" && len(h.Troubled)+len(p.Changes)+len(h.SetAside)+len(h.Unbalanced)+len(p.Unknown) == 0 && calmEnds(p.Ends) && p.Notice == nil
	return p, nil
}

// healthSentence says first of all how many mailboxes are being read.
func healthSentence(counts map[postroom.MailboxState]int64) (string, badge) {
	var all int64
	for _, n := range counts {
		all += n
	}
	active, paused, drafts := counts[postroom.MailboxActive], counts[postroom.MailboxPaused], counts[postroom.MailboxDraft]
	sick := counts[postroom.MailboxNeedsSignIn] + counts[postroom.MailboxNeedsRepair]
	text := number(active) + " of " + mailboxCount(all) + " " + isOrAre(active) + " being read."
	switch {
	case all == 1 && active == 1:
		text = "The mailbox is being read."
	case all == 2 && active == 2:
		text = "Both mailboxes are being read."
	case active == all:
		text = "All " + mailboxCount(all) + " are being read."
	case all == 1:
		text = "The mailbox is not being read."
	}
	if n := counts[postroom.MailboxDelayed]; n > 0 {
		text += " " + number(n) + " " + isOrAre(n) + " delayed, and tried again without anybody’s help."
	}
	if paused > 0 {
		text += " " + number(paused) + " " + isOrAre(paused) + " paused by a person."
	}
	switch {
	case sick > 0:
		return text, badge{"cross", "", "bad"}
	case active+paused < all || drafts > 0:
		return text, badge{"clock", "", "wait"}
	}
	return text, badge{"tick", "", "good"}
}

func isOrAre(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func mailboxCount(n int64) string {
	if n == 1 {
		return "1 mailbox"
	}
	return number(n) + " mailboxes"
}

// causes groups mailboxes in trouble by what is wrong with them: those that wait for a
// person first, then those that are many.
func (s *Server) causes(by visitor, troubled []postroom.Mailbox, query string) []causeView {
	type key struct {
		state postroom.MailboxState
		class postroom.Class
		words string
	}
	places := make(map[key]int)
	var all []causeView
	for _, m := range troubled {
		if !has(query, m.Name, m.Address, m.Incoming.Host, m.Fault.Explanation, mailboxBadge(m.State).Word) {
			continue
		}
		k := key{m.State, m.Fault.Class, withoutSelf(m, m.Fault.Explanation)}
		at, known := places[k]
		if !known {
			at = len(all)
			places[k] = at
			all = append(all, causeView{
				Badge: mailboxBadge(m.State), Fault: s.viewMailboxFault(by, m.Fault, m), Since: tell(m.StateSince, s.now()), state: m.State,
				Address: "/mailboxes?" + url.Values{"state": {string(m.State)}}.Encode(),
			})
		}
		c := &all[at]
		if c.count++; c.count == 2 {
			c.Fault.Explanation = k.words
			c.Fault.Guide, _, _ = strings.Cut(c.Fault.Guide, "?") // one for the provider, not for the first of them
			c.Fault.Reply = ""
		}
		if c.count <= maxNamed {
			c.Mailboxes = append(c.Mailboxes, s.mailboxRow(m))
		}
	}
	for i := range all {
		if all[i].count > 1 {
			all[i].Title = mailboxCount(all[i].count)
		}
		all[i].More = max(all[i].count-maxNamed, 0)
	}
	urgency := []postroom.MailboxState{postroom.MailboxNeedsSignIn, postroom.MailboxNeedsRepair, postroom.MailboxDraft, postroom.MailboxDelayed}
	slices.SortStableFunc(all, func(a, b causeView) int {
		return cmp.Or(cmp.Compare(slices.Index(urgency, a.state), slices.Index(urgency, b.state)), cmp.Compare(b.count, a.count))
	})
	return all
}

// addApps has a cause lead to the registration that it is about: as an alert knows it.
func (s *Server) addApps(ctx context.Context, by visitor, causes []causeView) error {
	if s.Alerts == nil || s.Apps == nil || !by.IsAdmin() || len(causes) == 0 {
		return nil
	}
	alerts, err := s.Alerts.Open(ctx, by.Viewer)
	if err != nil {
		return err
	}
	apps := make(map[string]postroom.OAuthAppID)
	for _, a := range alerts {
		if a.App == 0 || a.Fault.FixBy != postroom.FixByAppAdmin {
			continue
		}
		for _, id := range a.Mailboxes {
			apps[id.String()] = a.App
		}
	}
	for i := range causes {
		c := &causes[i]
		if len(c.Mailboxes) == 0 || c.state != postroom.MailboxNeedsRepair && c.state != postroom.MailboxNeedsSignIn {
			continue
		}
		if app, ok := apps[c.Mailboxes[0].ID]; ok {
			c.App = appAddress(app, "")
		}
	}
	return nil
}

// withoutSelf is an explanation as it holds for other mailboxes in the same trouble.
func withoutSelf(m postroom.Mailbox, explanation string) string {
	for _, own := range []string{m.Address, m.Incoming.Username, m.Name} {
		if strings.Contains(own, "@") {
			explanation = strings.ReplaceAll(explanation, own, "each of these mailboxes")
		}
	}
	return explanation
}

// addLedgers adds what could not be filed, and what a ledger does not account for.
func (s *Server) addLedgers(p *healthPage, h store.Health) {
	var more [2]int64
	for _, a := range h.SetAside {
		if len(p.SetAside) == maxNamed {
			more[0]++
		} else if has(p.Query, a.Name, "set aside") {
			address := "/mailboxes/" + a.Mailbox.String() + "/arrivals?" + url.Values{"state": {string(postroom.ArrivalQuarantined)}}.Encode()
			p.SetAside = append(p.SetAside, setAsideView{a.Name, plural(a.Count, "mail"), address})
		}
	}
	for _, u := range h.Unbalanced {
		if len(p.Ledgers) == maxNamed {
			more[1]++
		} else if has(p.Query, u.Name, "ledger") {
			p.Ledgers = append(p.Ledgers, unbalancedView{u.Name, "/mailboxes/" + u.Mailbox.String() + "#ledger-title", tell(u.ComparedAt, s.now())})
		}
	}
	for i, n := range more {
		if n > 0 {
			p.Further[i] = "and " + number(n) + " more: search for one of them"
		}
	}
}

// shownUnknown is how many unknown answers a page shows.
const shownUnknown = 20

// addUnknown adds what servers have said that Postroom does not know. It may name
// servers of any mailbox, so it is for administrators.
func (s *Server) addUnknown(ctx context.Context, by visitor, p *healthPage) error {
	if !by.IsAdmin() {
		return nil
	}
	replies, err := s.Reader.UnknownReplies(ctx, store.MaxPage)
	if err != nil {
		return err
	}
	for _, u := range replies {
		if len(p.Unknown) == shownUnknown {
			break
		}
		if has(p.Query, u.Host, u.Reply) {
			p.Unknown = append(p.Unknown, unknownView{
				fmt.Sprintf("%s (%s)", u.Host, strings.ToUpper(string(u.Protocol))), u.Phase, u.Reply, plural(u.Count, "time"), tell(u.Last, s.now()),
			})
		}
	}
	return nil
}
