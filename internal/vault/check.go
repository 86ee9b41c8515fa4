package vault

import (
	"errors"
	"fmt"

	"github.com/postroom/postroom"
)

// samplePlace is where the store keeps its sealed sample.
var samplePlace = Place{Table: "vault", Column: "sample", Row: "1"}

const sampleText = "These secrets can be opened."

// Sample returns a sealed text without meaning. The store keeps it beside the
// first secret; see [Ring.Check].
func (r *Ring) Sample() ([]byte, error) {
	return r.Seal(postroom.Hide(sampleText), samplePlace)
}

// Check says at start whether the secrets of this database can be opened: it is a
// Fault when the sample, made by an earlier [Ring.Sample], does not open.
func (r *Ring) Check(sample []byte) error {
	secret, err := r.Open(sample, samplePlace)
	switch {
	case err == nil && secret.Reveal() == sampleText:
		return nil
	case errors.Is(err, ErrKeyUnknown):
		return &postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
			Explanation: fmt.Sprintf("The passwords and sign-ins in this database were sealed with another key (%s) than those in the key file.", keyID(sample[1:])),
			Remedy:      "Put the old key file back: it was " + FileName + " in the data directory, or the file that " + FileVariable + " named. If it is gone for good, the password or sign-in of every mailbox has to be entered again; mail and issues are not affected.",
			Err:         err,
		}
	default:
		if err == nil {
			err = ErrTampered
		}
		return &postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
			Explanation: "The sealed sample in this database was changed after Postroom wrote it, so other sealed secrets may have been changed too.",
			Remedy:      "Restore the newest backup of the database, or enter the password or sign-in of every mailbox again.",
			Err:         err,
		}
	}
}
