package mailbox

import (
	"fmt"
	"strings"
	"time"
)

func messages(n int64) string {
	if n == 1 {
		return "1 message"
	}
	return grouped(n) + " messages"
}

// grouped writes a number with commas between its thousands.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// every is how often Postroom looks, as people say it.
func every(d time.Duration) string {
	switch d {
	case time.Second, time.Minute, time.Hour:
		return "every " + strings.TrimPrefix(inWords(d), "1 ")
	}
	return "every " + inWords(d)
}
