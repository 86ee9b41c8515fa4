package mailbox

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

const (
	// spared is for how long a password that a server has refused is not sent there
	// again by a test: many lock an account after a few wrong ones within minutes.
	spared = 10 * time.Minute
	// guardWaits is how long a test waits for another that has just sent the same
	// password to the same server.
	guardWaits = 5 * time.Second
	// maxGuarded is how many passwords are remembered at once.
	maxGuarded = 10_000
)

// A guard keeps tests from sending a password again that a server has just refused.
// Of a password it keeps a keyed hash, whose key ends with the process. The zero
// guard is ready; a nil one lets everybody pass.
type guard struct {
	mu    sync.Mutex
	key   []byte
	known map[attempt]*outcome
}

// An attempt is one password of one account of one server.
type attempt [sha256.Size]byte

// An outcome is what is known of an attempt.
type outcome struct {
	at      time.Time
	fault   *postroom.Fault // nil: it has worked, or is under way
	by      any             // the test that was refused, or is under way
	pending chan struct{}   // closed when it is no longer under way; nil: it is not
}

// A pass lets one sign-in go on; done must be called when its outcome is known.
type pass struct {
	guard *guard
	of    attempt
	by    any
	own   *outcome // that others wait for; nil: nobody waits for this one
}

func (g *guard) attempt(host, username string, secret postroom.Secret) attempt {
	if g.key == nil {
		g.key = make([]byte, sha256.Size)
		_, _ = rand.Read(g.key) // never fails
	}
	mac := hmac.New(sha256.New, g.key)
	for _, part := range []string{strings.ToLower(host), username, secret.Reveal()} {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return attempt(mac.Sum(nil))
}

// enter lets a sign-in pass, or says as a Fault why it had better not be tried. by
// is the same for both sides of one test: what one of them was refused, the other
// may still try. It waits for a moment where another test is about the same.
func (g *guard) enter(ctx context.Context, host, username string, secret postroom.Secret, by any) (pass, *postroom.Fault) {
	if g == nil {
		return pass{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, guardWaits)
	defer cancel()
	for {
		g.mu.Lock()
		of := g.attempt(host, username, secret)
		before := g.known[of]
		now := time.Now()
		switch {
		case before != nil && before.pending != nil && before.by != by && ctx.Err() == nil:
			g.mu.Unlock()
			select {
			case <-before.pending:
			case <-ctx.Done():
			}
			continue
		case before != nil && before.fault != nil && before.by != by && now.Sub(before.at) < spared:
			g.mu.Unlock()
			return pass{}, before.again(host, now)
		}
		p := pass{guard: g, of: of, by: by}
		if before == nil || before.pending == nil && now.Sub(before.at) >= spared {
			g.makeRoom(now)
			p.own = &outcome{at: now, by: by, pending: make(chan struct{})}
			g.keep(of, p.own)
		}
		g.mu.Unlock()
		return p, nil
	}
}

func (g *guard) keep(of attempt, o *outcome) {
	if g.known == nil {
		g.known = make(map[attempt]*outcome)
	}
	g.known[of] = o
}

// makeRoom forgets what is old, and some of the rest where that is not enough.
func (g *guard) makeRoom(now time.Time) {
	if len(g.known) < maxGuarded {
		return
	}
	maps.DeleteFunc(g.known, func(_ attempt, o *outcome) bool { return o.pending == nil && now.Sub(o.at) >= spared })
	for of, o := range g.known {
		if len(g.known) < maxGuarded {
			return
		}
		if o.pending == nil {
			delete(g.known, of)
		}
	}
}

// done notes what came of a sign-in: the password was refused with this Fault; or it
// has worked; or neither is known.
func (p pass) done(refused *postroom.Fault, worked bool) {
	if p.guard == nil {
		return
	}
	p.guard.mu.Lock()
	defer p.guard.mu.Unlock()
	if p.own != nil {
		close(p.own.pending)
	}
	switch {
	case refused != nil:
		known := *refused
		known.Err = nil // it has the reply as it was heard, which may tell the password
		p.guard.keep(p.of, &outcome{at: time.Now(), fault: &known, by: p.by})
	case worked:
		p.guard.keep(p.of, &outcome{at: time.Now(), by: p.by})
	case p.own != nil && p.guard.known[p.of] == p.own:
		delete(p.guard.known, p.of)
	}
}

// hasWorked says whether a password has opened an account lately.
func (g *guard) hasWorked(host, username string, secret postroom.Secret) bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.known[g.attempt(host, username, secret)]
	return o != nil && o.fault == nil && o.pending == nil && time.Since(o.at) < spared
}

// again is the Fault for trying again what was refused.
func (o *outcome) again(host string, now time.Time) *postroom.Fault {
	f := *o.fault
	f.Explanation = fmt.Sprintf("%s refused this very password %s, so it was not sent again: too many wrong ones lock an account.", host, ago(now.Sub(o.at)))
	f.RetryAfter = (spared - now.Sub(o.at)).Round(time.Second)
	f.Remedy = "Enter another password, which is tried at once; this one can be tried again in " + inWords(roundUp(f.RetryAfter, time.Minute)) + ". " + o.fault.Remedy
	f.Err = o.fault
	return &f
}

func ago(d time.Duration) string {
	if d < time.Minute {
		return "less than a minute ago"
	}
	return inWords(d.Truncate(time.Minute)) + " ago"
}

func roundUp(d, unit time.Duration) time.Duration { return (d + unit - 1) / unit * unit }
