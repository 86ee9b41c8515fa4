package credential

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

// spoken is what is secret of a sign-in on its way.
type spoken struct {
	Prompt   string `json:"prompt,omitempty"` // what the provider is asked to show; empty: as usual
	Verifier string `json:"verifier,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
	Device   string `json:"device,omitempty"` // the code of a device
}

func signInPlace(id postroom.SignInID) vault.Place {
	return vault.Place{Table: "sign_in", Column: "sealed", Row: id.String()}
}

func (d *Desk) seal(id postroom.SignInID, s spoken) ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, errors.New("seal a sign-in") // the cause might show it
	}
	return d.Keeper.Ring.Seal(postroom.Hide(string(text)), signInPlace(id))
}

func (d *Desk) open(k store.KeptSignIn) (s spoken, err error) {
	if len(k.Sealed) == 0 {
		return spoken{}, nil
	}
	text, err := d.Keeper.Ring.Open(k.Sealed, signInPlace(k.ID))
	if err != nil {
		return spoken{}, fmt.Errorf("open sign-in %s: %w", k.ID, err)
	}
	if json.Unmarshal([]byte(text.Reveal()), &s) != nil {
		return spoken{}, fmt.Errorf("open sign-in %s: it cannot be read", k.ID)
	}
	return s, nil
}
