package alert

import "time"

const day = 24 * time.Hour

// After so long somebody is reminded, and from then on every week.
var remindAfter = []time.Duration{day, 3 * day, 7 * day}

const remindEvery = 7 * day

// nextReminder is the first reminder after now of what began at an instant. Those that
// nobody could send, because nothing was running, are not made up for.
func nextReminder(begun, now time.Time) time.Time {
	for _, after := range remindAfter {
		if at := begun.Add(after); at.After(now) {
			return at
		}
	}
	last := remindAfter[len(remindAfter)-1]
	weeks := now.Sub(begun.Add(last))/remindEvery + 1
	return begun.Add(last + weeks*remindEvery)
}

// So long before its end something is announced.
var announceBefore = []time.Duration{30 * day, 14 * day, 7 * day, day}

// nextAnnouncement is the first announcement after now of what ends at an instant; the
// zero time after the last.
func nextAnnouncement(ends, now time.Time) time.Time {
	for _, before := range announceBefore {
		if at := ends.Add(-before); at.After(now) {
			return at
		}
	}
	return time.Time{}
}

// isNear says whether what ends at an instant is to be announced already, and still.
func isNear(ends, now time.Time) bool {
	return ends.After(now) && !now.Before(ends.Add(-announceBefore[0]))
}

// next is when an alert about c that began at an instant is told again; the zero time:
// never.
func (c cause) next(begun, now time.Time) time.Time {
	if !c.endsAt.IsZero() {
		return nextAnnouncement(c.endsAt, now)
	}
	return nextReminder(begun, now)
}
