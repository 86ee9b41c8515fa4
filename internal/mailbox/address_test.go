package mailbox

import (
	"strings"
	"testing"
	"time"
)

// Turning a long name into ASCII takes time that grows with the square of its
// length: 60 KB are 14 seconds.
func TestANameWithoutAnEndIsRefusedAtOnce(t *testing.T) {
	var name strings.Builder
	for r := range rune(20_000) {
		name.WriteRune('\u4e00' + r)
	}
	start := time.Now()
	if isHostName(name.String()) {
		t.Error("60 KB are the name of a host")
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("refusing it took %s", took)
	}
	if !isHostName(strings.Repeat("ü.", 30) + "example") {
		t.Error("a long name in Unicode is refused")
	}
}
