package web

import (
	"time"

	"github.com/postroom/postroom"
)

// heading is what an alert is called in a list.
func (a alertView) heading() string {
	if a.Title != "" {
		return a.Title
	}
	return a.Fault.Explanation
}

// what says above an alert what it is, and of how many mailboxes.
func (a alertView) what() string {
	if len(a.Mailboxes) < 2 {
		return a.Badge.Word
	}
	return a.Badge.Word + ": " + a.Count
}

// endedWord says how an alert has ended.
func (a alertView) endedWord() string {
	if a.IsAhead {
		return "Over since"
	}
	return "Mended"
}

// needsSignIn says whether a mailbox still waits for somebody to sign in.
func (m mailboxRow) needsSignIn() bool {
	return m.State == mailboxBadge(postroom.MailboxNeedsSignIn)
}

func (p alertPage) tone() string {
	if p.Ended != nil {
		return "good"
	}
	return p.Badge.Tone
}

// broughtIn says what was brought in once something was mended.
func broughtIn(a postroom.Alert) string {
	switch a.Gap {
	case 0:
		return ""
	case 1:
		return "The mail that had arrived meanwhile was brought in."
	}
	return "The " + number(a.Gap) + " mails that had arrived meanwhile were brought in."
}

// howLong says roughly how long something lasted.
func howLong(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return "a minute"
	case d < 2*time.Hour:
		return plural(int64(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return plural(int64(d.Hours()), "hour")
	}
	return plural(int64(d.Hours()/24), "day")
}
