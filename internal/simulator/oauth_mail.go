package simulator

import (
	"maps"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2/imapserver"

	"github.com/postroom/postroom"
)

// bearer says whether a token opens the mailbox of that name. Where the provider has no
// OAuth server, the password of the account is its token. ended says later whether the
// token has come to its end; nil: it never does.
func (s *store) bearer(by postroom.Protocol, name, token string) (mailbox string, v verdict, ended func() bool) {
	s.mu.Lock()
	servers := s.oauth
	if a := s.accounts[name]; len(servers) == 0 && a != nil {
		v = a.judge(by, token)
		s.mu.Unlock()
		return name, v, nil
	}
	s.mu.Unlock()
	v = wrongPassword
	for _, p := range servers {
		if p.isMicrosoft() {
			v = refusedToken
		}
		if mailbox, ended, ok := p.lets(by, name, token); ok {
			return mailbox, letIn, ended
		}
	}
	return name, v, nil
}

// lets says whether an access token lets a program in, and whose mailbox it opens.
func (p *OAuthServer) lets(by postroom.Protocol, name, token string) (mailbox string, ended func() bool, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.state.access[token]
	mailbox, known := p.account(name)
	if !p.isLive(t) || !known || !p.opens(t.scopes, by) {
		return "", nil, false
	}
	if t.user != "" && t.user != mailbox && (by == postroom.SMTP || !p.shares(mailbox, t.user)) {
		return "", nil, false
	}
	return mailbox, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return !p.isLive(t)
	}, true
}

// isOff says whether Google's settings of an account forbid a protocol.
func (a *account) isOff(by postroom.Protocol) bool {
	return a.google != nil && (by == postroom.IMAP && a.google.NoIMAP || by == postroom.POP3 && a.google.NoPOP)
}

// loginByToken signs in by XOAUTH2 or OAUTHBEARER.
func (s *session) loginByToken(username, token string) error {
	mailbox, v, ended := s.store.bearer(postroom.IMAP, username, token)
	s.store.mu.Lock()
	a := s.store.accounts[mailbox]
	if v == letIn && a == nil {
		v = wrongPassword
	}
	if v == letIn && a.isOff(postroom.IMAP) {
		v = switchedOff
	}
	s.store.mu.Unlock()
	v = s.wire.signIn(mailbox, v)
	s.wire.mu.Lock()
	s.wire.verdict, s.wire.tokenEnded = v, ended
	s.wire.mu.Unlock()
	if v != letIn {
		return imapserver.ErrAuthFailed
	}
	s.account = a
	return nil
}

// tryToken signs in by XOAUTH2 or OAUTHBEARER.
func (l *lineLogin) tryToken(user, token string) error {
	name := user
	if l.gmail && l.protocol == postroom.POP3 {
		name = strings.TrimPrefix(user, recentPrefix)
	}
	mailbox, v, ended := l.store.bearer(l.protocol, name, token)
	err := l.judge(mailbox, func(a *account) verdict {
		if v == letIn && a.isOff(l.protocol) {
			return switchedOff
		}
		return v
	})
	if l.name = user; v == refusedToken && l.verdict == wrongPassword {
		l.verdict = refusedToken // nobody has that name
	}
	l.call.mu.Lock()
	l.call.tokenEnded = ended
	l.call.mu.Unlock()
	return err
}

// challenge is the reason that comes before a token is refused, as JSON; empty: none, as
// at Microsoft (where it is not made to say one).
func (s *store) challenge(f *Faults) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.oauth) > 0 && s.oauth[0].isMicrosoft() {
		return f.Challenge
	}
	return f.challenge()
}

// microsoftSays is what Exchange Online answers to a token that it refuses, without a tag.
func microsoftSays(by postroom.Protocol) string {
	switch by {
	case postroom.IMAP:
		return "NO AUTHENTICATE failed."
	case postroom.POP3:
		return "-ERR Authentication failure: unknown user name or bad password."
	}
	return "535 5.7.3 Authentication unsuccessful [PRETEND0001.prod.outlook.com]"
}

// CutEnded ends the sessions whose access token has ended, as Exchange Online does: by
// IMAP with a word. It returns how many there were.
func (s *Server) CutEnded() int {
	s.others.Lock()
	defer s.others.Unlock()
	n := 0
	for i, p := range append([]*port{&s.port}, s.others.ports...) {
		for _, c := range p.withEndedToken() {
			if i == 0 {
				c.out.say("* BYE Session invalidated - AccessTokenExpired")
			}
			c.cut()
			n++
		}
	}
	return n
}

func (p *port) withEndedToken() []*call {
	p.mu.Lock()
	calls := slices.Collect(maps.Keys(p.calls))
	p.mu.Unlock()
	var all []*call
	for _, c := range calls {
		c.mu.Lock()
		ended := c.tokenEnded
		c.mu.Unlock()
		if ended != nil && ended() {
			all = append(all, c)
		}
	}
	return all
}
