package fetch_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/work"
)

const shownForm, bareForm = "abcd efgh ijkl mnop", "abcdefghijklmnop"

// twoForms has the fleet know a secret in two forms, and keep the one that works.
func (s *scene) twoForms(hasWorked bool) (kept *atomic.Pointer[string]) {
	kept = new(atomic.Pointer[string])
	s.fleet.Login = func(context.Context, postroom.Mailbox) (fetch.Login, error) {
		if form := kept.Load(); form != nil {
			return fetch.Login{Kind: "app_password", Secret: postroom.Hide(*form), HasWorked: true}, nil
		}
		return fetch.Login{Kind: "app_password", Secret: postroom.Hide(bareForm), Other: postroom.Hide(shownForm), HasWorked: hasWorked}, nil
	}
	s.fleet.Prefer = func(_ context.Context, _ postroom.MailboxID, was, is postroom.Secret) error {
		if was.Reveal() != bareForm || is.Reveal() != shownForm {
			s.t.Errorf("%q is to be kept in place of %q", is.Reveal(), was.Reveal())
		}
		form := is.Reveal()
		kept.Store(&form)
		return nil
	}
	explain := s.fleet.Explain
	s.fleet.Explain = func(err error, m postroom.Mailbox, l fetch.Login) *postroom.Fault {
		if r, ok := mail.RefusalOf(err); ok && r.Phase == mail.PhaseAuth && r.Reply != "" {
			return &postroom.Fault{Kind: postroom.NeedsSignIn, Class: postroom.BadCredentials, Explanation: "refused", Err: err}
		}
		return explain(err, m, l)
	}
	return kept
}

func TestTheOtherFormOfAPasswordIsTriedOnce(t *testing.T) {
	t.Parallel()
	for _, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3} {
		for name, test := range map[string]struct {
			password  string // that the server has
			hasWorked bool
			works     bool
			refused   int
		}{
			"the first is right":             {bareForm, false, true, 0},
			"the other is right":             {shownForm, false, true, 1},
			"neither is":                     {"qrst uvwx yzab cdef", false, false, 2},
			"the first has worked, once ago": {shownForm, true, false, 1},
		} {
			t.Run(string(protocol)+", "+name, func(t *testing.T) {
				t.Parallel()
				s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
				s.server.AddAccount(simUser, test.password)
				s.deliver(0, 2)
				kept := s.twoForms(test.hasWorked)
				m, refused := s.scene.mailbox(), func() int { return s.server.Counts(simUser).RefusedLogins }
				if protocol == postroom.POP3 {
					m, refused = s.mailbox(), func() int { return s.pop.Counts(simUser).RefusedLogins }
				}
				id := s.add(m)
				s.run()
				if test.works {
					s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 2})
				} else {
					s.until("it is refused", func() bool { return s.kept(id).Fault != nil })
				}
				if got := refused(); got != test.refused {
					t.Errorf("the server has refused %d times, want %d", got, test.refused)
				}
				if form := kept.Load(); (form != nil) != (test.works && test.refused == 1) {
					t.Errorf("kept: %v", form)
				}
			})
		}
	}
}

// A form that cannot be kept opens nothing: the mailbox would count as proven with
// the other one.
func TestAFormThatCannotBeKeptProvesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.server.AddAccount(simUser, shownForm)
	s.deliver(0, 2)
	kept := s.twoForms(false)
	keep, failed := s.fleet.Prefer, false
	s.fleet.Prefer = func(ctx context.Context, id postroom.MailboxID, was, is postroom.Secret) error {
		if !failed {
			failed = true
			return errors.New("the database is away")
		}
		return keep(ctx, id, was, is)
	}
	id := s.add(s.mailbox())
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 2})
	if form := kept.Load(); form == nil || *form != shownForm {
		t.Errorf("kept: %v", form)
	}
}

// A server that is busy when the other form comes has not refused it.
func TestAFormThatWasNotHeardIsNotRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.server.AddAccount(simUser, shownForm)
	s.deliver(0, 2)
	s.twoForms(false)
	explain, busy := s.fleet.Explain, atomic.Bool{}
	s.fleet.Explain = func(err error, m postroom.Mailbox, l fetch.Login) *postroom.Fault {
		f := explain(err, m, l)
		if f != nil && f.Kind == postroom.NeedsSignIn && busy.CompareAndSwap(false, true) {
			s.server.SetFaults("", simulator.Faults{ByeAtGreeting: "[UNAVAILABLE] Too busy"})
		}
		return f
	}
	s.fleet.Retry = work.Delay{First: 50 * time.Millisecond, Max: 50 * time.Millisecond}
	id := s.add(s.mailbox())
	s.run()
	s.until("it is in trouble", func() bool { return s.kept(id).Fault != nil })
	if f := s.kept(id).Fault; f.Kind != postroom.Delayed {
		t.Errorf("the fault is %+v, want a delay", f)
	}
	s.server.SetFaults("", simulator.Faults{})
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 2})
}
