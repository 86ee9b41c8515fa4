package mailbox

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// TestEveryKnownReply plays every reply of the catalogue that a mail server says, at its
// step, by real connections, as it stands and in other words, and counts how often the
// report names the right class.
//
// What is right:
//
//   - The class of the entry; or that of the first of its local checks (refine) which
//     holds here. A class that it only also may have (also) is not right.
//   - Of a code whose words are gone: the class of an entry of the same protocol whose
//     reply begins with the same code, or of SMTP with its three digits and nothing more.
//   - An entry that is temporary must be a delay, one that is permanent must ask for
//     somebody; a code alone is not judged by that.
//
// What concerns access tokens is said to a mailbox whose owner signs in at the provider.
// Not played are errors of the network (their own tests make them), what OAuth servers
// say (package credential asks them), and pages of the web, which no mailbox meets here.
func TestEveryKnownReply(t *testing.T) {
	replies, others := knownReplies(t)
	var played []scene
	left := 0
	for _, r := range replies {
		scenes := r.scenes()
		if len(scenes) == 0 {
			left++
			t.Logf("left out: %s, for %q refuses nothing", r.ID, r.Sample)
		}
		played = append(played, scenes...)
	}
	if testing.Short() {
		played = slices.DeleteFunc(played, func(p scene) bool { return p.hash()%10 != 0 })
	}
	score := newConfusion()
	forEachScene(t, played, func(p scene, f *postroom.Fault) { score.count(p, replies, f) })
	t.Logf("%d replies of mail servers in %d scenes; left out are %d that refuse nothing, and those of %v", len(replies), len(played), left, others)
	t.Log(score.matrix())
	if right, all := score.right, score.all; right*100 < all*97 || all == 0 {
		t.Errorf("%d of %d classes are right, want 97 %%", right, all)
	}
	if right, all := score.rightKind, score.allKinds; right*100 < all*99 || all == 0 {
		t.Errorf("%d of %d say rightly who has to act, want 99 %%", right, all)
	}
}

// forEachScene plays the scenes on a few stages side by side, and tells of each what
// came of it.
func forEachScene(t *testing.T, played []scene, tell func(scene, *postroom.Fault)) {
	t.Helper()
	const stages = 12 // mostly they wait
	authority, err := simulator.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	x := newExplainer()
	next := make(chan scene)
	var group sync.WaitGroup
	var mu sync.Mutex
	for range stages {
		s := newStage(t, authority, x)
		group.Go(func() {
			for p := range next {
				f, err := s.play(t.Context(), p)
				mu.Lock()
				if err != nil {
					t.Errorf("%s, %s: %v", p.reply.ID, p.mutation, err)
				}
				tell(p, f)
				mu.Unlock()
			}
		})
	}
	for _, p := range played {
		next <- p
	}
	close(next)
	group.Wait()
}

// scenes are all ways in which a reply is played; none where it cannot be.
func (r knownReply) scenes() (all []scene) {
	if strings.HasPrefix(r.Sample, "OK ") {
		return nil
	}
	circumstances := []circumstance{{secret: appPassword}}
	for _, refine := range r.Refine {
		if strings.Contains(refine.When, "secret_shape") {
			circumstances = append(circumstances, circumstance{secret: ownPassword})
		}
		if refine.When == "auth == xoauth2" {
			circumstances = append(circumstances, circumstance{oauth: true})
		}
	}
	if r.isChallenge() {
		circumstances = []circumstance{{oauth: true}}
	}
	for _, m := range mutations {
		text := m.say(r)
		if text == "" {
			continue
		}
		for _, step := range r.steps() {
			for _, c := range circumstances {
				all = append(all, scene{reply: r, mutation: m.name, text: staged(text), step: step, c: c})
			}
		}
	}
	return all
}

// steps are those at which a reply is said.
func (r knownReply) steps() []string {
	switch {
	case strings.HasPrefix(r.Sample, "250 "):
		return []string{"capability"}
	case r.Phase == "data":
		return []string{"end"} // where most servers decide on a message
	case r.Phase != "any":
		return []string{r.Phase}
	}
	steps := map[postroom.Protocol][]string{
		postroom.IMAP: {"auth", "select"}, postroom.POP3: {"auth", "list"}, postroom.SMTP: {"auth", "mail_from"},
	}[r.Protocol]
	return slices.DeleteFunc(steps, func(step string) bool { return len(r.At) > 0 && !slices.Contains(r.At, step) })
}

// staged is a reply as the server has to send it: what says nothing but what a server
// can do, comes with its greeting.
func staged(text string) string {
	if capabilities, ok := strings.CutPrefix(text, "* CAPABILITY "); ok {
		return "* OK [CAPABILITY " + capabilities + "] ready"
	}
	return text
}

// token is the challenge of a scene, and the refusal that follows it.
func (p scene) token() (challenge, refusal string) {
	refusal = "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
	if p.reply.Protocol == postroom.SMTP {
		refusal = "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials 5b1f17b1804b1 - gsmtp"
	}
	if !p.reply.isChallenge() {
		return "", p.text
	}
	coded, isCoded := strings.CutPrefix(p.text, "334 ")
	if !isCoded {
		return p.text, refusal
	}
	decoded, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return coded, refusal
	}
	return string(decoded), refusal
}

// isCode says whether nothing but a code is left of the reply.
func (p scene) isCode() bool { return p.mutation == codeAlone || p.mutation == codeAndOther }

func (p scene) hash() uint32 {
	h := fnv.New32a()
	fmt.Fprint(h, p.reply.ID, p.mutation, p.step, p.c)
	return h.Sum32()
}

// sharesCode says whether another entry tells what the code of this one means.
func (r knownReply) sharesCode(other knownReply) bool {
	code := other.code()
	return r.Protocol == other.Protocol && code != "" && (code == r.code() || r.Protocol == postroom.SMTP && code == r.code()[:3])
}

// A confusion counts which class was found for which.
type confusion struct {
	right, all          int
	rightKind, allKinds int
	found               map[postroom.Class]map[postroom.Class]int // by the right one, by the one that was found
	byMutation          map[string]*[2]int                        // right, all
	byProtocol          map[string]*[2]int
	wrong               []string
}

func newConfusion() *confusion {
	return &confusion{found: map[postroom.Class]map[postroom.Class]int{}, byMutation: map[string]*[2]int{}, byProtocol: map[string]*[2]int{}}
}

// count enters what came of a scene. all are the entries of the catalogue.
func (s *confusion) count(p scene, all []knownReply, f *postroom.Fault) {
	want, got := p.reply.right(p.c), postroom.Class("none")
	if f != nil {
		got = f.Class
	}
	isRight := got == want
	if p.isCode() {
		classes := map[postroom.Class]bool{}
		for _, r := range all {
			if p.reply.sharesCode(r) {
				classes[r.right(p.c)] = true
			}
		}
		if isRight = classes[got]; isRight {
			want = got
		}
	}
	if s.found[want] == nil {
		s.found[want] = map[postroom.Class]int{}
	}
	s.found[want][got]++
	tally(s.byMutation, p.mutation, isRight)
	tally(s.byProtocol, string(p.reply.Protocol), isRight)
	s.all++
	if isRight {
		s.right++
	} else {
		s.wrong = append(s.wrong, fmt.Sprintf("%s at %s, %s: %s instead of %s: %q", p.reply.ID, p.step, p.mutation, got, want, p.text))
	}
	if p.isCode() || f == nil {
		return
	}
	s.allKinds++
	if (f.Kind == postroom.Delayed) == (p.reply.Permanence == "temporary") {
		s.rightKind++
	} else {
		s.wrong = append(s.wrong, fmt.Sprintf("%s at %s, %s: %s although %s: %q", p.reply.ID, p.step, p.mutation, f.Kind, p.reply.Permanence, p.text))
	}
}

func tally(of map[string]*[2]int, name string, isRight bool) {
	if of[name] == nil {
		of[name] = new([2]int)
	}
	of[name][1]++
	if isRight {
		of[name][0]++
	}
}

// matrix is the outcome in words: a line for each class, with what was found instead.
func (s *confusion) matrix() string {
	var text strings.Builder
	share := func(right, all int) string {
		return fmt.Sprintf("%d of %d, %.1f %%", right, all, 100*float64(right)/float64(max(all, 1)))
	}
	fmt.Fprintf(&text, "right classes: %s; who has to act: %s\n", share(s.right, s.all), share(s.rightKind, s.allKinds))
	for _, by := range []map[string]*[2]int{s.byProtocol, s.byMutation} {
		for _, name := range slices.Sorted(maps.Keys(by)) {
			fmt.Fprintf(&text, "  %-24s %s\n", name, share(by[name][0], by[name][1]))
		}
	}
	text.WriteString("the right class           as it was found\n")
	for _, class := range slices.Sorted(maps.Keys(s.found)) {
		row := s.found[class]
		var cells []string
		for _, got := range slices.SortedFunc(maps.Keys(row), func(a, b postroom.Class) int {
			return cmp.Or(cmp.Compare(row[b], row[a]), cmp.Compare(a, b))
		}) {
			cells = append(cells, fmt.Sprintf("%s %d", got, row[got]))
		}
		fmt.Fprintf(&text, "  %-24s %s\n", class, strings.Join(cells, ", "))
	}
	slices.Sort(s.wrong)
	for _, line := range s.wrong {
		text.WriteString("  wrong: " + line + "\n")
	}
	return text.String()
}

// A password may be one of the server's own words. It is not shown, and what the server
// means is understood all the same.
func TestAPasswordOfTheServersOwnWords(t *testing.T) {
	replies, _ := knownReplies(t)
	var played []scene
	for _, r := range replies {
		if r.ID == "imap-auth-failed-generic" || r.ID == "pop-gmail-not-accepted" || r.ID == "smtp-exim-incorrect" || r.ID == "smtp-no-reverse-dns" {
			for _, secret := range []string{"authentication", "Password", "NO", "535", "rejected: cannot"} {
				played = append(played, scene{reply: r, mutation: secret, text: r.lines(), step: r.Phase, c: circumstance{secret: secret}})
			}
		}
	}
	forEachScene(t, played, func(p scene, f *postroom.Fault) {
		want := p.reply.Class
		if strings.HasPrefix(p.reply.Provider, "gmail") {
			want = postroom.AccountPasswordPasted
		}
		if f == nil || f.Class != want || strings.Contains(f.Reply, p.c.secret) {
			t.Errorf("%s with the password %q: %+v, want %s without the password", p.reply.ID, p.c.secret, f, want)
		}
	})
}
