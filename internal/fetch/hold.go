package fetch

import (
	"time"

	"github.com/postroom/postroom"
)

// holdPause is how often it is looked whether reading may go on.
const holdPause = 5 * time.Second

// A held mailbox is not read because Postroom itself has no room for its mail.
// That is no failure of the mailbox.
type held struct{ fault *postroom.Fault }

func (h held) Error() string { return h.fault.Error() }
func (h held) Unwrap() error { return h.fault }

// isHeld returns what keeps this node from reading; nil: nothing does.
func (f *Fleet) isHeld() error {
	if f.Hold == nil {
		return nil
	}
	if fault := f.Hold(); fault != nil {
		return held{fault}
	}
	return nil
}
