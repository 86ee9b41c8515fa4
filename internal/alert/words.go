package alert

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// subject is the cause in a short sentence.
func (c cause) subject() string {
	n := len(c.members)
	one := ""
	if n == 1 {
		one = c.members[0].name
	}
	mailboxes := thousands(int64(n)) + " mailboxes"
	switch c.kind {
	case postroom.AlertSignIn:
		if n == 1 {
			return one + " needs somebody to sign in again"
		}
		return mailboxes + " need somebody to sign in again"
	case postroom.AlertRepair:
		if c.app != 0 && c.appName != "" && !c.isOwn {
			if n == 1 {
				return one + " cannot be read: the registration “" + c.appName + "” does not open it"
			}
			return mailboxes + " cannot be read: the registration “" + c.appName + "” does not open them"
		}
		if n == 1 {
			return one + " cannot be read until something is put right"
		}
		return mailboxes + " cannot be read until something is put right"
	case postroom.AlertDelay:
		if n == 1 {
			return one + " has been delayed for long"
		}
		return mailboxes + " at " + c.host + " have been delayed for long"
	case postroom.AlertQuarantined:
		return countOf(c.count, "mail", "mails") + " of " + one + " " + isAre(c.count) + " set aside"
	case postroom.AlertUnbalanced:
		return "The ledger of " + one + " does not account for everything"
	case postroom.AlertSpace:
		return "The disk is running low"
	case postroom.AlertAhead:
		return c.title + " on " + date(c.endsAt)
	}
	return c.fault.Explanation
}

func isAre(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// countOf is a number with its noun.
func countOf(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// thousands writes a number in groups of three.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, digit := range text {
		if i > 0 && (len(text)-i)%3 == 0 && text[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

func date(at time.Time) string { return at.UTC().Format("2 January 2006") }

func instant(at time.Time) string { return at.UTC().Format("Monday 2 January 2006, 15:04 UTC") }

// span is a length of time as people say it.
func span(d time.Duration) string {
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", int(d.Round(day)/day))
	case d >= 20*time.Hour:
		return "a day"
	case d >= 90*time.Minute:
		return fmt.Sprintf("%d hours", int(d.Round(time.Hour)/time.Hour))
	case d >= 50*time.Minute:
		return "an hour"
	case d >= 90*time.Second:
		return fmt.Sprintf("%d minutes", int(d.Round(time.Minute)/time.Minute))
	}
	return "a minute"
}
