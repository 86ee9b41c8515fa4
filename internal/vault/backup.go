package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"filippo.io/age"

	"github.com/postroom/postroom"
)

// maxWork bounds what a damaged or hostile backup can have us compute: 2^20 rounds of
// scrypt take 1 GB and a few seconds. Backups are made with age's usual 2^18.
const maxWork = 20

// A Kept is a key file on its way out of a backup, or into one. Its text sits in a
// closure, as keys do.
type Kept struct {
	Ring *Ring
	text func() []byte
}

// Keep reads the key file for a backup.
func Keep(s Source) (Kept, error) {
	path := s.path()
	text, err := load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Kept{}, missing(path, s, err)
	}
	if err != nil {
		return Kept{}, err
	}
	return keep(path, text)
}

func keep(path string, text []byte) (Kept, error) {
	ring, err := parse(path, text)
	return Kept{ring, func() []byte { return text }}, err
}

// Sealed encrypts the key file with a passphrase, as “age --passphrase” does
// (age-encryption.org/v1, scrypt), so that the age program can open it too.
func (k Kept) Sealed(passphrase postroom.Secret) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(passphrase.Reveal())
	if err != nil {
		return nil, fmt.Errorf("seal the keys: %w", err)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipient)
	if err == nil {
		_, err = w.Write(k.text())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("seal the keys: %w", err)
	}
	return sealed.Bytes(), nil
}

// Unsealed opens what Sealed made. A wrong passphrase is a Fault.
func Unsealed(sealed []byte, passphrase postroom.Secret) (Kept, error) {
	identity, err := age.NewScryptIdentity(passphrase.Reveal())
	if err != nil {
		return Kept{}, fmt.Errorf("open the keys: %w", err)
	}
	identity.SetMaxWorkFactor(maxWork)
	r, err := age.Decrypt(bytes.NewReader(sealed), identity)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return Kept{}, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "This passphrase does not open the keys in the backup.",
			Remedy:      "Use the one that was given when the backup was made. Without it the mail can be saved and the passwords of the mailboxes cannot.",
			Err:         errors.New("the passphrase is not the one of the backup"),
		}
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(r, maxFileSize+1))
	}
	if err != nil {
		return Kept{}, fmt.Errorf("open the keys: %w", err)
	}
	return keep("in the backup", text)
}

// CanPutBack says whether PutBack would find a place: there is no key file, or the same
// one.
func (k Kept) CanPutBack(s Source) error {
	path := s.path()
	text, err := load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !bytes.Equal(text, k.text()):
		return &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "There is another key file already: " + path + ".",
			Remedy:      "Move it to a safe place, or restore into an empty directory; a restore never writes over anything.",
		}
	}
	return nil
}

// PutBack makes the key file where there is none.
func (k Kept) PutBack(s Source) error {
	if err := k.CanPutBack(s); err != nil {
		return err
	}
	if err := makeFile(s.path(), k.text()); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("put the key file back: %w", err)
	}
	return nil
}

func (k Kept) String() string   { return k.Ring.String() }
func (k Kept) GoString() string { return k.String() }
