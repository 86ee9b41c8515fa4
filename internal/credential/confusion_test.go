package credential

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
)

// A pretendServer answers every request in the same way, until it is told another.
type pretendServer struct {
	*httptest.Server
	status            int
	contentType, body string
}

func newPretendServer(t *testing.T) *pretendServer {
	p := &pretendServer{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", p.contentType)
		w.WriteHeader(p.status)
		_, _ = w.Write([]byte(p.body))
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *pretendServer) app() oauth.App {
	return oauth.App{AuthorizeURL: p.URL, TokenURL: p.URL, ClientID: "desk", Secret: postroom.Hide("of the app")}
}

// An oauthScore counts how often the right class was found, and who has to act.
type oauthScore struct {
	right, all, rightActor, allActors int
	by                                map[string]*[2]int
	found                             map[postroom.Class]map[postroom.Class]int
	wrong                             []string
}

func (s *oauthScore) count(r oauthReply, how string, codesOnly map[postroom.Class]bool, f *postroom.Fault) {
	want, got := r.Class, f.Class
	if codesOnly[got] {
		want = got
	}
	if s.found[want] == nil {
		s.found[want] = map[postroom.Class]int{}
	}
	s.found[want][got]++
	if s.by[how] == nil {
		s.by[how] = new([2]int)
	}
	s.all++
	s.by[how][1]++
	if got == want {
		s.right++
		s.by[how][0]++
	} else {
		s.wrong = append(s.wrong, fmt.Sprintf("%s, %s: %s instead of %s: %q", r.ID, how, got, want, f.Reply))
	}
	if codesOnly != nil {
		return
	}
	s.allActors++
	if f.FixBy == r.FixBy && (f.Kind == postroom.Delayed) == (r.Permanence == "temporary") {
		s.rightActor++
	} else {
		s.wrong = append(s.wrong, fmt.Sprintf("%s, %s: %s by %s although %s by %s: %q", r.ID, how, f.Kind, f.FixBy, r.Permanence, r.FixBy, f.Reply))
	}
}

func (s *oauthScore) matrix() string {
	var text strings.Builder
	share := func(right, all int) string {
		return fmt.Sprintf("%d of %d, %.1f %%", right, all, 100*float64(right)/float64(max(all, 1)))
	}
	fmt.Fprintf(&text, "right classes: %s; who has to act: %s\n", share(s.right, s.all), share(s.rightActor, s.allActors))
	for _, name := range slices.Sorted(maps.Keys(s.by)) {
		fmt.Fprintf(&text, "  %-40s %s\n", name, share(s.by[name][0], s.by[name][1]))
	}
	text.WriteString("the right class           as it was found\n")
	for _, class := range slices.Sorted(maps.Keys(s.found)) {
		fmt.Fprintf(&text, "  %-24s %v\n", class, s.found[class])
	}
	slices.Sort(s.wrong)
	for _, line := range s.wrong {
		text.WriteString("  wrong: " + line + "\n")
	}
	return text.String()
}

// sharing are the classes of entries that nothing but a code tells from r: where words
// are gone, each of them is right.
func (r oauthReply) sharing(all []oauthReply) map[postroom.Class]bool {
	classes := map[postroom.Class]bool{}
	number := aadsts.FindString(r.Sample)
	for _, other := range all {
		if number == "" && other.code == r.code || number != "" && other.ID == r.ID {
			classes[other.Class] = true
		}
	}
	return classes
}

// TestEveryKnownReplyOfAnOAuthServer plays every reply of the catalogue that an OAuth
// server says, through the client that the product has, by real connections or with the
// browser, as it stands and in other words and forms, and counts how often the right
// class is named, and rightly who has to act. Where nothing but a code is left, the
// class of every entry with that code is right.
func TestEveryKnownReplyOfAnOAuthServer(t *testing.T) {
	replies := oauthReplies(t)
	if len(replies) < 117 {
		t.Errorf("only %d replies", len(replies))
	}
	server := newPretendServer(t)
	x := Explainer{Catalogue: &diagnose.Catalogue{}}
	score := &oauthScore{by: map[string]*[2]int{}, found: map[postroom.Class]map[postroom.Class]int{}}
	for _, r := range replies {
		s := r.situation()
		for _, w := range wordings {
			code, description := w.say(r.code, r.description)
			if w.name != "as it stands" && (description == r.description || r.nested != "" || r.ID == "oauth-aadsts-unlisted" && w.name == codeAlone) {
				continue
			}
			var codesOnly map[postroom.Class]bool
			if w.name == codeAlone || w.name == codeAndOther {
				codesOnly = r.sharing(replies)
			}
			for name, form := range forms {
				if r.Phase == "authorize" && name != "form" || r.nested != "" && name != "JSON" {
					continue
				}
				server.status = http.StatusBadRequest
				server.contentType, server.body = form(code, description)
				if r.nested != "" {
					server.body = r.nested
				}
				err := server.refuse(t, r)
				f := x.Explain(err, s)
				if f == nil {
					t.Fatalf("%s: %v is not explained", r.ID, err)
				}
				score.count(r, w.name+", "+name, codesOnly, f)
			}
		}
	}
	t.Logf("%d replies in %d scenes", len(replies), score.all)
	t.Log(score.matrix())
	if score.right*100 < score.all*97 || score.all == 0 {
		t.Errorf("%d of %d classes are right, want 97 %%", score.right, score.all)
	}
	if score.rightActor*100 < score.allActors*99 || score.allActors == 0 {
		t.Errorf("%d of %d say rightly who has to act, want 99 %%", score.rightActor, score.allActors)
	}
}

// situation is where the reply is heard.
func (r oauthReply) situation() Situation {
	s := Situation{App: postroom.OAuthApp{Name: "Desk", Kind: postroom.AppSignIn}, Mailbox: postroom.Mailbox{Address: "support@example.net"}}
	if id := map[string]string{"google": "gmail", "microsoft": "microsoft365"}[r.Provider]; id != "" {
		s.Provider, _ = new(provider.Presets).ByID(id)
	}
	return s
}

// refuse has the reply said: with the browser where people sign in, else by the endpoint
// that is asked for tokens.
func (p *pretendServer) refuse(t *testing.T, r oauthReply) error {
	t.Helper()
	if r.Phase == "authorize" {
		query, err := url.ParseQuery(p.body + "&state=of-this-sign-in")
		if err != nil {
			t.Fatal(err)
		}
		back, err := oauth.ReadReturn(query)
		if err != nil {
			t.Fatalf("%s: %v", r.ID, err)
		}
		return p.app().Check(back)
	}
	_, err := new(oauth.Client).Refresh(t.Context(), p.app(), postroom.Hide("1//refresh-of-somebody"), nil)
	return err
}

// The token of one app is refused by hundreds of mailboxes, all for one cause.
func TestFiveHundredMailboxesHaveOneCause(t *testing.T) {
	server := newPretendServer(t)
	server.status, server.contentType = http.StatusUnauthorized, "application/json"
	server.body = object("error", "invalid_client", "error_description", "AADSTS7000222: The provided client secret keys for app '11111111-2222-3333-4444-555555555555' are expired.")
	x := Explainer{Catalogue: &diagnose.Catalogue{}}
	causes := map[string]int{}
	_, err := new(oauth.Client).Refresh(t.Context(), server.app(), postroom.Hide("1//refresh"), nil)
	for n := range 500 {
		s := oauthReply{Provider: "microsoft"}.situation()
		s.Mailbox.Address, s.HasWorked = fmt.Sprintf("box%d@example.net", n), n%2 == 0
		f := x.Explain(err, s)
		causes[fmt.Sprint(f.Kind, f.Class, f.FixBy, f.Explanation, f.Remedy)]++
	}
	if len(causes) != 1 {
		t.Errorf("%d causes: %v", len(causes), causes)
	}
}
