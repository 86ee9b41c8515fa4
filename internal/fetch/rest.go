package fetch

import (
	"crypto/sha256"
	"time"
)

// Resting is what a reader remembers between two visits by POP3.
type resting struct {
	isResting  bool // nothing is wrong: a nudge ends the pause, as soon as the server allows it
	mayLogIn   time.Time
	loginDelay time.Duration
	// quiet is the digest of the last list, if nothing waited and nothing was due; else
	// zero.
	quiet    [sha256.Size]byte
	renamed  int // lists in a row that showed the known mail by names that were all new
	nameless int // lists in a row without names
}

// rest plans the next visit, after one that went well.
func (r *reader) rest(pause time.Duration) {
	now := time.Now()
	r.failures, r.isResting = 0, true
	r.nextTry = now.Add(pause)
	if r.nextTry.Before(r.mayLogIn) {
		r.nextTry = r.mayLogIn
	}
}
