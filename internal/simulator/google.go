package simulator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// Google says how programs may sign in to an account of a provider with
// [Options].Gmail, as it is since 2025: the password of the account opens it on the
// web only (https://support.google.com/accounts/answer/185833).
type Google struct {
	TwoStep       bool     // two-step verification is on: without it no app password works
	AppPasswords  []string // blanks do not count, here and at the sign-in
	NoIMAP, NoPOP bool     // switched off in the settings of the account
}

// SetGoogle has an account be opened as Google does it. Before that its password
// opens it to everybody.
func (s *Server) SetGoogle(user string, g Google) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	a := s.store.accounts[user]
	if a == nil || !s.options.Gmail {
		return fmt.Errorf("%s is no account of a Gmail", user)
	}
	g.AppPasswords = slices.Clone(g.AppPasswords)
	a.google = &g
	return nil
}

// judge says what becomes of a password that comes by a protocol, under the lock of
// the store.
func (a *account) judge(p postroom.Protocol, password string) verdict {
	g := a.google
	if g == nil {
		if a.password != password {
			return wrongPassword
		}
		return letIn
	}
	switch {
	case !g.TwoStep || !slices.ContainsFunc(g.AppPasswords, func(known string) bool {
		return withoutBlanks(known) == withoutBlanks(password)
	}):
		if g.TwoStep && a.password == password {
			return appPasswordOnly
		}
		return wrongPassword
	case p == postroom.IMAP && g.NoIMAP, p == postroom.POP3 && g.NoPOP:
		return switchedOff
	}
	return letIn
}

func withoutBlanks(text string) string { return strings.ReplaceAll(text, " ", "") }

// googleSays is what Google answers to a sign-in that it refuses, without a tag and
// with lines divided by LF; empty where it has no words of its own.
func googleSays(p postroom.Protocol, v verdict) string {
	const page = "https://support.google.com/"
	switch p {
	case postroom.IMAP:
		switch v {
		case wrongPassword:
			return "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
		case appPasswordOnly:
			return "NO [ALERT] Application-specific password required: " + page + "accounts/answer/185833 (Failure)"
		case switchedOff:
			return "NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)"
		}
	case postroom.POP3:
		switch v {
		case wrongPassword:
			return "-ERR [AUTH] Username and password not accepted."
		case appPasswordOnly:
			return "-ERR [AUTH] Application-specific password required: " + page + "accounts/answer/185833"
		case switchedOff:
			return "-ERR [SYS/PERM] Your account is not enabled for POP access. Please visit your Gmail settings page and enable your account for POP access."
		}
	case postroom.SMTP:
		const id = " 5b1f17b1804b1-45f4d3d8c1dsm29cfa.2 - gsmtp"
		switch v {
		case wrongPassword:
			return "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  " + page + "mail/?p=BadCredentials" + id
		case appPasswordOnly:
			return "534-5.7.9 Application-specific password required. For more information, go to\n534 5.7.9  " + page + "mail/?p=InvalidSecondFactor" + id
		}
	}
	return ""
}
