package mime

import (
	"strconv"
	"strings"
	"time"
)

// ParseDate reads the date of a header (RFC 5322 sections 3.3 and 4.3) and the
// other forms in which mail carries one: without weekday, seconds or zone, with a
// year of two digits, with a zone by name, in the order of C's asctime, or as ISO
// 8601. The result is in UTC; zero when it makes no sense.
func ParseDate(value string) time.Time {
	value = strings.TrimSpace(stripComments(value))
	if len(value) > 200 {
		value = value[:200]
	}
	if t, ok := parseISODate(value); ok {
		return t
	}
	d := dateReader{day: -1, month: -1, year: -1, hour: -1}
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == ';' || r == 0xA0 }) {
		d.word(word)
	}
	return d.time()
}

type dateReader struct {
	day, month, year   int
	hour, minute, sec  int
	zone               time.Duration // east of UTC
	hasZone            bool
	afternoon, morning bool
}

func (d *dateReader) word(word string) {
	switch {
	case strings.Contains(word, ":"):
		d.clock(word)
	case (word[0] == '+' || word[0] == '-') && len(word) > 1 && isDigits(word[1:]):
		d.offset(word)
	case isDigits(word):
		d.number(word)
	case d.datedWord(word):
	default:
		d.letters(word)
	}
}

// clock reads 12:34, 12:34:56, 12:34:56.789 and a zone glued to it.
func (d *dateReader) clock(word string) {
	if d.hour >= 0 {
		if at := strings.IndexAny(word, "+-"); at == 0 && len(word) >= 6 { // +02:00
			d.offset(strings.ReplaceAll(word, ":", ""))
		}
		return
	}
	end := 0
	for end < len(word) && (word[end] >= '0' && word[end] <= '9' || word[end] == ':' || word[end] == '.') {
		end++
	}
	rest := word[end:]
	parts := strings.Split(word[:end], ":")
	if len(parts) < 2 {
		return
	}
	d.hour = atoi(parts[0])
	d.minute = atoi(parts[1])
	if len(parts) > 2 {
		whole, _, _ := strings.Cut(parts[2], ".")
		d.sec = atoi(whole)
	}
	if rest == "" {
		return
	}
	if rest[0] == '+' || rest[0] == '-' {
		d.offset(strings.ReplaceAll(rest, ":", ""))
	} else {
		d.letters(rest)
	}
}

func (d *dateReader) offset(word string) {
	if d.hasZone {
		return
	}
	digits := strings.TrimLeft(word, "+-")
	var hours, minutes int
	switch len(digits) {
	case 4:
		hours, minutes = atoi(digits[:2]), atoi(digits[2:])
	case 1, 2:
		hours = atoi(digits)
	case 3:
		hours, minutes = atoi(digits[:1]), atoi(digits[1:])
	default:
		return
	}
	if hours > 24 || minutes > 59 {
		return
	}
	d.zone = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if word[0] == '-' {
		d.zone = -d.zone
	}
	d.hasZone = true
}

func (d *dateReader) number(word string) {
	n := atoi(word)
	switch {
	case len(word) >= 3 && d.year < 0 && len(word) <= 4:
		d.year = n
		if len(word) == 3 { // years since 1900 (RFC 5322 section 4.3)
			d.year += 1900
		}
	case len(word) <= 2 && d.day < 0 && n >= 1 && n <= 31:
		d.day = n
	case len(word) <= 2 && d.year < 0 && (d.month >= 0 || d.day >= 0):
		d.year = twoDigitYear(n)
	}
}

// datedWord reads a date in one word: 12-Jan-2011, 12/01/2011, 2011/01/12.
func (d *dateReader) datedWord(word string) bool {
	parts := strings.FieldsFunc(word, func(r rune) bool { return r == '-' || r == '/' || r == '.' })
	if len(parts) != 3 || d.day >= 0 || d.month >= 0 {
		return false
	}
	if m := monthOf(parts[1]); m >= 0 && isDigits(parts[0]) && isDigits(parts[2]) {
		d.month = m
		d.number(parts[0])
		d.number(parts[2])
		return true
	}
	if !isDigits(parts[0]) || !isDigits(parts[1]) || !isDigits(parts[2]) {
		return false
	}
	a, b := atoi(parts[0]), atoi(parts[1])
	switch {
	case len(parts[0]) == 4:
		d.year, d.month, d.day = a, b, atoi(parts[2])
	case strings.Contains(word, "/") && b <= 31 && a <= 12: // as Americans write it
		d.month, d.day = a, b
		d.number(parts[2])
	default:
		d.day, d.month = a, b
		d.number(parts[2])
	}
	return true
}

func (d *dateReader) letters(word string) {
	lower := strings.ToLower(strings.TrimRight(word, "."))
	if m := monthOf(lower); m >= 0 && d.month < 0 {
		d.month = m
		return
	}
	switch lower {
	case "am":
		d.morning = true
		return
	case "pm":
		d.afternoon = true
		return
	}
	if d.hasZone || d.hour < 0 {
		return
	}
	if hours, ok := zoneHours[lower]; ok {
		d.zone, d.hasZone = time.Duration(hours*float64(time.Hour)), true
		return
	}
	for _, prefix := range []string{"gmt", "utc"} { // GMT+0200
		if rest, ok := strings.CutPrefix(lower, prefix); ok && len(rest) > 1 && (rest[0] == '+' || rest[0] == '-') {
			d.offset(strings.ReplaceAll(rest, ":", ""))
		}
	}
}

func (d *dateReader) time() time.Time {
	if d.day < 1 || d.month < 1 || d.month > 12 || d.year < 1900 || d.year > 9999 {
		return time.Time{}
	}
	if d.hour < 0 {
		d.hour = 0
	}
	if d.afternoon && d.hour < 12 {
		d.hour += 12
	}
	if d.morning && d.hour == 12 {
		d.hour = 0
	}
	if d.hour > 24 || d.minute > 59 || d.sec > 60 || d.day > 31 {
		return time.Time{}
	}
	t := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.sec, 0, time.UTC)
	if t.Day() != d.day && d.hour < 24 { // 31 February
		return time.Time{}
	}
	return t.Add(-d.zone)
}

// parseISODate reads 2011-01-12, 2011-01-12T10:11:12Z and their like.
func parseISODate(value string) (time.Time, bool) {
	if len(value) < 10 || value[4] != '-' || value[7] != '-' || !isDigits(value[:4]) {
		return time.Time{}, false
	}
	value = strings.Replace(value, "T", " ", 1)
	for _, layout := range []string{"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 MST",
		"2006-01-02 15:04:05", "2006-01-02 15:04Z07:00", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// twoDigitYear follows RFC 5322 section 4.3: 00 to 49 are in this century.
func twoDigitYear(n int) int {
	if n < 50 {
		return 2000 + n
	}
	return 1900 + n
}

func monthOf(word string) int {
	if len(word) < 3 {
		return -1
	}
	at := strings.Index("jan feb mar apr may jun jul aug sep oct nov dec", strings.ToLower(word[:3]))
	if at < 0 || at%4 != 0 {
		return -1
	}
	return at/4 + 1
}

// zoneHours are the obsolete zones (RFC 5322 section 4.3) and the names that are
// common besides. A military letter says nothing that can be relied on: UTC.
var zoneHours = map[string]float64{
	"ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0,
	"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
	"cet": 1, "met": 1, "mez": 1, "cest": 2, "mest": 2, "mesz": 2, "bst": 1, "west": 1, "eet": 2, "eest": 3, "msk": 3, "msd": 4,
	"jst": 9, "kst": 9, "hkt": 8, "sgt": 8, "ist": 5.5, "aest": 10, "aedt": 11, "acst": 9.5, "awst": 8, "nzst": 12, "nzdt": 13,
	"hst": -10, "akst": -9, "akdt": -8, "ast": -4, "adt": -3, "nst": -3.5, "ndt": -2.5, "brt": -3, "art": -3,
}

func isDigits(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// atoi reads digits; what does not fit is out of every range that matters here.
func atoi(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 1 << 20
	}
	return n
}
