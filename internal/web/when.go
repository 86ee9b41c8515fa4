package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A moment is an instant as a page tells it: near ones from now, others by the
// calendar. The browser says it again in its own zone and language.
type moment struct {
	At    time.Time
	Text  string
	Short string
}

// tell puts at into words as of now, in UTC.
func tell(at, now time.Time) moment {
	at, now = at.UTC(), now.UTC()
	m := moment{At: at}
	since := now.Sub(at)
	switch {
	case since > -5*time.Second && since < 5*time.Second:
		m.Text, m.Short = "just now", "now"
	case since >= 0 && since < time.Minute:
		m.Text, m.Short = fmt.Sprintf("%d seconds ago", int(since.Seconds())), "now"
	case since >= 0 && since < time.Hour:
		m.Text, m.Short = plural(int64(since.Minutes()), "minute")+" ago", fmt.Sprintf("%d min", int(since.Minutes()))
	case sameDay(at, now):
		m.Text, m.Short = at.Format("15:04"), at.Format("15:04")
	case sameDay(at, now.AddDate(0, 0, -1)):
		m.Text, m.Short = "yesterday "+at.Format("15:04"), "yesterday"
	case at.Year() == now.Year():
		m.Text, m.Short = at.Format("2 Jan 15:04"), at.Format("2 Jan")
	default:
		m.Text, m.Short = at.Format("2 Jan 2006"), at.Format("2 Jan 2006")
	}
	return m
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// stamp is what a time element's datetime says.
func (m moment) stamp() string { return m.At.Format(time.RFC3339) }

func (m moment) exact() string { return m.At.Format("Monday, 2 January 2006, 15:04:05 MST") }

// number writes 4812 as 4,812.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// plural counts things whose plural ends in s.
func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// size writes a number of bytes as people read it.
func size(bytes int64) string {
	switch {
	case bytes < 1000:
		return plural(bytes, "byte")
	case bytes < 1000*1000:
		return fmt.Sprintf("%d KB", (bytes+500)/1000)
	case bytes < 1000*1000*1000:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
}

// lasted writes how long a step took.
func lasted(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
