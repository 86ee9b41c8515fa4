package provider

import (
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// Turning a name into ASCII takes the square of its length.
func TestAnAddressThatIsFarTooLongIsRefusedAtOnce(t *testing.T) {
	var domain strings.Builder
	for r := '一'; domain.Len() < 60_000; r++ {
		domain.WriteRune(r)
	}
	began := time.Now()
	_, err := new(Finder).Find(t.Context(), "anna@"+domain.String()+".example")
	if f, ok := postroom.FaultOf(err); !ok || f.Kind != postroom.Invalid || f.Field != "address" {
		t.Errorf("Find: %v, want a fault of the address", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
}
