package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// A renewal is what a connection knows of the access token that opened it: before the
// token ends, another connection takes its place.
type renewal struct {
	token   [8]byte   // tells it from another
	expires time.Time // zero: it does not end, as far as is known
	due     time.Time // when it is to be replaced; zero: when the server ends it
	asked   time.Time // when it was last asked for what opens the mailbox
	// lost is why there will be no other: the mailbox is read until the token ends, and
	// whoever can mend it knows at once.
	lost error
}

const (
	// renewBefore is how long before its end a token is replaced at most. By then the
	// keeper of tokens has to have another one.
	renewBefore = 5 * time.Minute
	// renewPause is between two requests for a token while there is none to be had.
	renewPause = time.Minute
	// renewTimeout is how long one may take: meanwhile, nobody hears of news.
	renewTimeout = 20 * time.Second
)

// renewalOf plans the end of a connection that a login opened now. Connections that were
// made together do not end together.
func renewalOf(l Login, now time.Time) renewal {
	r := renewal{token: mark(l.Secret), expires: l.Expires, asked: now}
	if !l.Expires.IsZero() {
		before := min(renewBefore, l.Expires.Sub(now)/4)
		r.due = l.Expires.Add(-between(before, 0.4, 0.9))
	}
	return r
}

// mark tells one token from another.
func mark(token postroom.Secret) (m [8]byte) {
	sum := sha256.Sum256([]byte(token.Reveal()))
	copy(m[:], sum[:])
	return m
}

func (r renewal) isDue(now time.Time) bool { return !r.due.IsZero() && !now.Before(r.due) }

// between is a part of d, chosen by chance.
func between(d time.Duration, least, most float64) time.Duration {
	return time.Duration(float64(d) * (least + (most-least)*rand.Float64()))
}

// errAnew ends a connection that is to be made again, with nothing wrong.
var errAnew = errors.New("the connection is made anew")

// renew asks for what opens the mailbox, if it is time, and returns errAnew where that is a
// token which lasts longer. Once a poll it asks all the same: elsewhere the sign-in may
// have turned out to be lost.
func (w *watch) renew(ctx context.Context) error {
	now := time.Now()
	due := w.renewal.isDue(now)
	if !w.login.isOAuth() || !due && now.Sub(w.renewal.asked) < w.interval()/2 {
		return nil
	}
	login, err := w.nextLogin(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now = time.Now()
	if w.renewal.asked = now; err != nil {
		return w.goWithout(ctx, err, now)
	}
	w.renewal.lost = nil
	switch {
	case !due:
	case mark(login.Secret) != w.renewal.token && isLater(login.Expires, w.renewal.expires):
		return errAnew
	default: // the same one as before, or none that is better
		w.renewal.due = now.Add(max(time.Second, w.renewal.expires.Sub(now)/4))
	}
	return nil
}

// goWithout reads on with the token that there is. What passes is no trouble yet.
func (w *watch) goWithout(ctx context.Context, err error, now time.Time) error {
	fault := w.fleet.Explain(err, w.m, w.login)
	pause := between(renewPause, 0.5, 1)
	if fault != nil {
		pause = max(pause, fault.RetryAfter)
	}
	if w.renewal.isDue(now) {
		w.renewal.due = now.Add(pause)
	}
	if fault == nil || fault.Kind == postroom.Delayed || isOurs(err) {
		return nil
	}
	w.renewal.lost = err
	return w.noteBeside(ctx, err)
}

// isLater says whether one end comes after another; zero is no end.
func isLater(end, other time.Time) bool {
	return !other.IsZero() && (end.IsZero() || end.After(other))
}

// nextLogin is what the next connection would be opened with.
func (r *reader) nextLogin(ctx context.Context) (Login, error) {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	return r.fleet.Login(ctx, r.m)
}

// askLogin asks for what opens the mailbox.
func (r *reader) askLogin(ctx context.Context) error {
	login, err := r.fleet.Login(ctx, r.m)
	if err != nil && login.Kind == "" { // nothing is known but why
		login.Kind, login.HasWorked = r.login.Kind, r.login.HasWorked
	}
	r.login = login
	return err
}

// signInByToken opens the mailbox with an access token. A server may refuse one that its
// provider has ended before its time: then another is asked for, once.
func (r *reader) signInByToken(ctx context.Context, w *watch) (session, error) {
	s, err := r.connect(ctx, w, r.login.Secret)
	if err != nil && r.fleet.Renew != nil && r.isRefusedToken(err) {
		login, lost := r.fleet.Renew(ctx, r.m, r.login)
		switch {
		case lost != nil:
			return nil, lost
		case login.Secret.Reveal() == r.login.Secret.Reveal():
			return nil, err
		}
		r.login = login
		s, err = r.connect(ctx, w, login.Secret)
	}
	if err != nil {
		return nil, err
	}
	w.renewal = renewalOf(r.login, time.Now())
	r.login.Secret = postroom.Secret{} // the next connection takes another
	return s, nil
}

// isRefusedToken says whether a sign-in was refused for its token, as far as can be told:
// some servers answer the same to everything.
func (r *reader) isRefusedToken(err error) bool {
	refusal, ok := mail.RefusalOf(err)
	if !ok || refusal.Phase != mail.PhaseAuth || refusal.Reply == "" || errors.Is(err, mail.ErrNoTokens) {
		return false
	}
	fault := r.fleet.Explain(err, r.m, r.login)
	return fault != nil && (fault.Kind != postroom.Delayed || fault.Class == postroom.Unknown)
}

// isTokenOver says whether a server does no more for a connection, since the token of its
// sign-in has ended, and yet keeps it open.
func (w *watch) isTokenOver(err error) bool {
	if !w.login.isOAuth() {
		return false
	}
	fault := w.fleet.Explain(err, w.m, w.login)
	return fault != nil && fault.Class == postroom.TokenExpired
}

// isEndOfToken says whether a server has ended a connection because the token of its
// sign-in had ended, for the first time in a row: the next one has another.
func (r *reader) isEndOfToken(fault *postroom.Fault) bool {
	return r.login.isOAuth() && fault.Class == postroom.TokenExpired && fault.Kind == postroom.Delayed &&
		r.failures == 1 && !r.openedAt.IsZero()
}
