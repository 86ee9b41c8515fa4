package diagnose

import (
	"time"

	"github.com/postroom/postroom"
)

// refine adds to what a provider says what is known here of the sign-in that it refused.
func (f *OAuthFailure) refine(now time.Time, e *entry, fault *postroom.Fault) {
	if e.Class != postroom.TokenRevoked && e.Class != postroom.TokenExpired || fault.Kind != postroom.NeedsSignIn {
		return
	}
}
