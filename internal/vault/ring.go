package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"

	"github.com/postroom/postroom"
)

// What opening may find.
var (
	// ErrKeyUnknown: sealed with a key that is not in the ring.
	ErrKeyUnknown = errors.New("sealed with a key that is not in the key file")
	// ErrTampered: cut, changed, or moved here from another place.
	ErrTampered = errors.New("not what was sealed for this place")
)

// A Place is where a sealed secret is kept. A secret opens only at the place that
// it was sealed for, so nobody can put the credential of one mailbox into the row
// of another.
type Place struct{ Table, Column, Row string }

// A Ring holds the keys of the key file. The newest seals, all open. The keys sit
// in closures, where no printing reaches them. It is safe for concurrent use.
type Ring struct{ keys []key } // oldest first, never empty

// A key of the ring. Its id is derived from it, tells nothing about it, and shows
// a damaged line of the key file for what it is.
type key struct {
	id     keyID
	derive func(salt []byte, info string, size int) ([]byte, error) // HKDF-SHA256 (RFC 5869)
}

type keyID [8]byte

func (id keyID) String() string { return hex.EncodeToString(id[:]) }

const (
	keySize  = 32
	saltSize = 16
	// formatVersion begins every sealed secret; what follows it is the key's id, a
	// salt, and AES-256-GCM's nonce, ciphertext and tag.
	formatVersion = 1
	headSize      = 1 + len(keyID{}) + saltSize
)

// newKey takes the bytes of a key over.
func newKey(secret []byte) (key, error) {
	k := key{derive: func(salt []byte, info string, size int) ([]byte, error) {
		return hkdf.Key(sha256.New, secret, salt, info, size)
	}}
	id, err := k.derive(nil, "postroom vault key id", len(k.id))
	if err != nil {
		return key{}, fmt.Errorf("derive key id: %w", err)
	}
	copy(k.id[:], id)
	return k, nil
}

// Seal encrypts secret for place with the newest key. Sealing twice gives two
// different byte strings.
func (r *Ring) Seal(secret postroom.Secret, place Place) ([]byte, error) {
	k := r.newest()
	head := make([]byte, 0, headSize)
	head = append(head, formatVersion)
	head = append(head, k.id[:]...)
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails (crypto/rand)
	head = append(head, salt...)

	box, err := k.box(salt)
	if err != nil {
		return nil, fmt.Errorf("seal %s.%s: %w", place.Table, place.Column, err)
	}
	return append(head, box.Seal(nil, nil, []byte(secret.Reveal()), place.bound(head))...), nil
}

// Open decrypts what Seal made for the same place. It fails with [ErrKeyUnknown]
// or [ErrTampered], and never says more than that.
func (r *Ring) Open(sealed []byte, place Place) (postroom.Secret, error) {
	text, err := r.open(sealed, place)
	if err != nil {
		return postroom.Secret{}, fmt.Errorf("open %s.%s of %s: %w", place.Table, place.Column, place.Row, err)
	}
	return postroom.Hide(string(text)), nil
}

func (r *Ring) open(sealed []byte, place Place) ([]byte, error) {
	if len(sealed) < headSize || sealed[0] != formatVersion {
		return nil, ErrTampered
	}
	head, rest := sealed[:headSize], sealed[headSize:]
	k, ok := r.find(keyID(head[1:]))
	if !ok {
		return nil, ErrKeyUnknown
	}
	box, err := k.box(head[headSize-saltSize:])
	if err != nil {
		return nil, err
	}
	text, err := box.Open(nil, nil, rest, place.bound(head))
	if err != nil {
		return nil, ErrTampered
	}
	return text, nil
}

// IsOld says whether sealed was made with another key than the newest, or cannot
// have been made here at all: sealing it anew lets the old key go.
func (r *Ring) IsOld(sealed []byte) bool {
	return len(sealed) < headSize || sealed[0] != formatVersion || keyID(sealed[1:]) != r.newest().id
}

// Fingerprint names the newest key, without telling anything about it.
func (r *Ring) Fingerprint() string { return r.newest().id.String() }

func (r *Ring) String() string       { return "key ring " + r.Fingerprint() }
func (r *Ring) GoString() string     { return r.String() }
func (r *Ring) LogValue() slog.Value { return slog.StringValue(r.String()) }

func (r *Ring) newest() key { return r.keys[len(r.keys)-1] }

func (r *Ring) find(id keyID) (key, bool) {
	for _, k := range r.keys {
		if k.id == id {
			return k, true
		}
	}
	return key{}, false
}

// box returns the cipher of one sealed secret. Its key is used once only, for the
// salt is new each time; the random nonce comes on top (NIST SP 800-38D).
func (k key) box(salt []byte) (cipher.AEAD, error) {
	own, err := k.derive(salt, "postroom vault record", keySize)
	if err != nil {
		return nil, fmt.Errorf("derive record key: %w", err)
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, fmt.Errorf("record key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// bound is the associated data: the head and each part of the place with its
// length before it, so that no two places give the same bytes.
func (p Place) bound(head []byte) []byte {
	bound := append([]byte(nil), head...)
	for _, part := range []string{p.Table, p.Column, p.Row} {
		bound = binary.BigEndian.AppendUint64(bound, uint64(len(part)))
		bound = append(bound, part...)
	}
	return bound
}
