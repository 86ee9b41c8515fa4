package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// silent is a domain whose servers all take a connection and say nothing.
func silent(t *testing.T, domain string) *internet {
	n := newInternet(t, []string{domain + " MX 10 mx." + domain})
	for _, label := range []string{"autoconfig", "autodiscover", "imap", "mail", "smtp", "pop"} {
		n.add(t, label+"."+domain+" A")
		for _, port := range []int{993, 143, 995, 465, 587} {
			n.mail[fmt.Sprintf("%s.%s:%d", label, domain, port)] = "silent"
		}
	}
	n.add(t, domain+" A")
	n.pages["https://autoconfig."+domain+"/mail/config-v1.1.xml"] = page{Odd: "silent"}
	n.pages["https://"+domain+"/.well-known/autoconfig/mail/config-v1.1.xml"] = page{Odd: "silent"}
	n.pages["https://autodiscover."+domain+"/autodiscover/autodiscover.xml"] = page{Odd: "silent"}
	return n
}

func TestSilentServersEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := silent(t, "no-answer.net")
		began := time.Now()
		found, err := n.finder().Find(t.Context(), "anna@no-answer.net")
		if took := time.Since(began); err != nil || took > 5*time.Second || found.Took != took {
			t.Errorf("took %s (says %s), %v; want 5 s at most", took, found.Took, err)
		}
		isSaid(t, "note", found.Notes, []string{"No server was found"})
		var words []string
		for _, try := range found.Tried {
			words = append(words, try.Words)
		}
		isSaid(t, "try", words, []string{"did not answer in time"})
	})
}

// A good answer does not wait for those who are silent.
func TestAGoodAnswerDoesNotWaitForTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := silent(t, "half-asleep.net")
		n.add(t, "_imaps._tcp.half-asleep.net SRV 0 0 993 imap.half-asleep.net")
		n.add(t, "_submissions._tcp.half-asleep.net SRV 0 0 465 smtp.half-asleep.net")
		found, err := n.finder().Find(t.Context(), "anna@half-asleep.net")
		if err != nil || len(found.Incoming) != 1 || found.Took > time.Second {
			t.Errorf("found %q in %s, %v", inShort(found.Incoming), found.Took, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		n := silent(t, "guess-work.net")
		n.mail["mail.guess-work.net:993"], n.mail["mail.guess-work.net:465"] = "", ""
		found, err := n.finder().Find(t.Context(), "anna@guess-work.net")
		if err != nil || len(found.Incoming) != 1 || found.Took > 2*time.Second {
			t.Errorf("found %q in %s, %v", inShort(found.Incoming), found.Took, err)
		}
	})
}

func TestWhoGivesUpGetsNoHalfAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := silent(t, "no-answer.net")
		f := n.finder()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if found, err := f.Find(ctx, "anna@no-answer.net"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("found %+v, %v", found, err)
		}
		if len(f.answers.kept) > 0 || len(f.answers.running) > 0 {
			t.Errorf("kept %v, running %v", f.answers.kept, f.answers.running)
		}
	})
}

func TestADomainIsLookedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, []string{
			"ropewalk.de MX 10 mx.ropewalk.de", "_imaps._tcp.ropewalk.de SRV 0 0 993 imap.ropewalk.de",
			"_submissions._tcp.ropewalk.de SRV 0 0 465 imap.ropewalk.de", "imap.ropewalk.de A",
		})
		f := n.finder()
		var askers sync.WaitGroup
		for i := range 20 {
			askers.Go(func() {
				address := fmt.Sprintf("person%d@ropewalk.de", i)
				found, err := f.Find(t.Context(), address)
				if err != nil || len(found.Incoming) != 1 || found.Incoming[0].Username != address || found.Address != address {
					t.Errorf("%s: %q, %v", address, inShort(found.Incoming), err)
				}
			})
		}
		askers.Wait()
		once := len(n.seen.dns)
		for _, address := range []string{"anna@ropewalk.de", "Anna@ROPEWALK.de"} {
			if _, err := f.Find(t.Context(), address); err != nil {
				t.Error(err)
			}
		}
		if mx := count(n.seen.dns, "MX ropewalk.de"); mx != 1 || len(n.seen.dns) != once {
			t.Errorf("the mail exchanger was asked for %d times, and %d names in all after %d", mx, len(n.seen.dns), once)
		}
		time.Sleep(keptFound + time.Second)
		if _, err := f.Find(t.Context(), "anna@ropewalk.de"); err != nil || count(n.seen.dns, "MX ropewalk.de") != 2 {
			t.Errorf("after %s it was not asked for again: %v", keptFound, err)
		}
	})
}

func TestThatNothingWasFoundIsForgottenSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newInternet(t, []string{"late.net MX 10 mx.late.net"})
		f := n.finder()
		for range 3 {
			if found, err := f.Find(t.Context(), "anna@late.net"); err != nil || len(found.Incoming) > 0 {
				t.Errorf("found %+v, %v", found, err)
			}
		}
		if got := count(n.seen.dns, "MX late.net"); got != 1 {
			t.Errorf("asked %d times", got)
		}
		time.Sleep(keptNothing + time.Second)
		n.add(t, "_imaps._tcp.late.net SRV 0 0 993 imap.late.net")
		n.add(t, "imap.late.net A")
		if found, err := f.Find(t.Context(), "anna@late.net"); err != nil || len(found.Incoming) != 1 {
			t.Errorf("found %+v, %v", found, err)
		}
	})
}

// What somebody made for one address is not handed to another.
func TestSettingsForOneAddressAreNotThoseOfAnother(t *testing.T) {
	n := newInternet(t, []string{"made-to-measure.net MX 10 mx.made-to-measure.net", "autoconfig.made-to-measure.net A", "imap.made-to-measure.net A"})
	f := n.finder()
	for _, user := range []string{"u1001", "u1002"} {
		n.pages["https://autoconfig.made-to-measure.net/mail/config-v1.1.xml"] = page{Body: strings.ReplaceAll(`<clientConfig version="1.1"><emailProvider>
			<incomingServer type="imap"><hostname>imap.made-to-measure.net</hostname><port>993</port><socketType>SSL</socketType><username>USER</username></incomingServer>
			<outgoingServer type="smtp"><hostname>imap.made-to-measure.net</hostname><port>465</port><socketType>SSL</socketType><username>USER</username></outgoingServer>
			</emailProvider></clientConfig>`, "USER", user)}
		for range 2 {
			found, err := f.Find(t.Context(), "of-"+user+"@made-to-measure.net")
			if err != nil || len(found.Incoming) != 1 || found.Incoming[0].Username != user {
				t.Errorf("%s: %q, %v", user, inShort(found.Incoming), err)
			}
		}
	}
	if got := len(n.seen.pages); got != 2 {
		t.Errorf("asked %d times, want once for each", got)
	}
}

func TestAnswersHaveABound(t *testing.T) {
	var a answers
	for i := range maxKept + 50 {
		_, err := a.of(t.Context(), []string{fmt.Sprint(i)}, func() (Found, string, error) { return Found{}, fmt.Sprint(i), nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(a.kept) > maxKept {
		t.Errorf("%d answers are kept", len(a.kept))
	}
	asked := false
	if _, err := a.of(t.Context(), []string{fmt.Sprint(maxKept + 49)}, func() (Found, string, error) { asked = true; return Found{}, "", nil }); err != nil || asked {
		t.Errorf("the newest answer is forgotten: %v", err)
	}
}

func count(list []string, text string) (n int) {
	for _, one := range list {
		if one == text {
			n++
		}
	}
	return n
}
