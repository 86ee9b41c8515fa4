package credential

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// While an access token lasts, an outage of the provider is no hindrance; that there will
// be no other one is said at once.
func TestALostSignInIsSaidWhileItsLastTokenLasts(t *testing.T) {
	t.Parallel()
	s := startKept(t, simulator.OAuthOptions{}, openStore(t))
	s.clock.pass(57 * time.Minute)
	s.provider.SetFaults(simulator.OAuthFaults{Status: 503, Body: `{"error":"temporarily_unavailable"}`})
	token, err := s.keeper.Token(t.Context(), s.mailbox.ID)
	if err != nil || token.Access.IsEmpty() {
		t.Fatalf("in an outage: %v", err)
	}
	s.provider.SetFaults()
	s.provider.Revoke(ana, "")
	s.clock.pass(2 * time.Minute)
	if _, err := s.keeper.Token(t.Context(), s.mailbox.ID); postroom.KindOf(err) != postroom.NeedsSignIn {
		t.Errorf("once it is lost: %v", err)
	}
}
