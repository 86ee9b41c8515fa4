package access

import (
	"maps"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// An allowance is how many tries may fail at once, and how long it takes until
// there is one more.
type allowance struct {
	tries int
	each  time.Duration
}

// Ten wrong passwords for one account, then one a minute; an address, behind which
// a whole office may sit, has more. What succeeds costs nothing.
const (
	accountTries, accountEach = 10, time.Minute
	addressTries, addressEach = 30, 10 * time.Second
)

// maxTriers is how many accounts and addresses are remembered.
const maxTriers = 20_000

// tries counts failed sign-ins by account and by address. Its zero value is ready.
type tries struct {
	mu sync.Mutex
	// full holds, for each key, when its whole allowance is there again.
	full  map[string]time.Time
	swept time.Time
}

// take counts a try before its password is looked at, so that tries made at the
// same time count too; giveBack takes one back that was right. Where the allowance
// is used up, wait says when there is one try more.
func (t *tries) take(key string, a allowance, now time.Time) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	full := t.full[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(a.each)
	if wait := full.Sub(now) - time.Duration(a.tries)*a.each; wait > 0 {
		return wait, false
	}
	t.makeRoom(now)
	t.full[key] = full
	return 0, true
}

func (t *tries) giveBack(key string, a allowance) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if full, ok := t.full[key]; ok {
		t.full[key] = full.Add(-a.each)
	}
}

// forgive forgets what has failed.
func (t *tries) forgive(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.full, key)
}

// makeRoom forgets, now and then, those who have their whole allowance, and when
// that is not enough, somebody.
func (t *tries) makeRoom(now time.Time) {
	if t.full == nil {
		t.full = make(map[string]time.Time)
	}
	if len(t.full) < maxTriers {
		return
	}
	if now.Sub(t.swept) >= addressEach {
		t.swept = now
		maps.DeleteFunc(t.full, func(_ string, full time.Time) bool { return !full.After(now) })
	}
	for key := range t.full {
		if len(t.full) < maxTriers {
			return
		}
		delete(t.full, key)
	}
}

func accountKey(email string) string { return "account " + email }

// addressKey is the same for all addresses that one customer of a network
// provider has: with IPv6 a whole /64. Empty when the address is unknown.
func addressKey(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return "network " + network.String()
		}
	}
	return "address " + ip.String()
}

// tooMany says when to try again.
func tooMany(explanation string, wait time.Duration) error {
	return &postroom.Fault{
		Kind: postroom.TooMany, Class: postroom.RateLimited, FixBy: postroom.FixByWaiting,
		Explanation: explanation,
		Remedy:      "Try again in " + inWords(wait) + ".",
		RetryAfter:  wait,
	}
}

// inWords rounds up, so that whoever waits that long does not come too early.
func inWords(wait time.Duration) string {
	n, unit := int((wait+time.Second-1)/time.Second), "second"
	if n > 90 {
		n, unit = (n+59)/60, "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}
