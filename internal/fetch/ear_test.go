package fetch

import (
	"strings"
	"testing"
	"time"
)

// A server may send lines of a megabyte, and many of them before they are written down.
func TestAnEarHoldsNoLongLines(t *testing.T) {
	e := &ear{until: time.Now().Add(time.Minute)}
	hear := e.session("Connecting.")
	for range mostUnkept {
		hear('S', strings.Repeat("* SEARCH 1 ", 1000))
	}
	bytes := 0
	for _, l := range e.take() {
		bytes += len(l.Line)
	}
	if most := (mostUnkept + 1) * 2000; bytes > most || bytes < most/2 {
		t.Errorf("%d bytes wait to be written down, want at most %d", bytes, most)
	}
}

// A connection may last for days after its dialogue was looked at.
func TestAnEarThatIsOverHoldsNothing(t *testing.T) {
	e := &ear{until: time.Now().Add(time.Minute)}
	hear := e.session("Connecting.")
	e.end()
	hear('S', "* OK")
	if lines := e.take(); len(lines) > 0 {
		t.Errorf("it holds %v", lines)
	}
}
