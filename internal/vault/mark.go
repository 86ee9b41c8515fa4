package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// Mark proves that a text is ours: its HMAC-SHA256 under a key that is derived from
// the newest key of the ring and used for this purpose only. It hides nothing.
func (r *Ring) Mark(purpose, text string) (string, error) {
	mark, err := r.newest().mark(purpose, text)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(mark), nil
}

// IsMark says whether mark was made of text for this purpose, with any key of the ring.
func (r *Ring) IsMark(purpose, text, mark string) bool {
	given, err := base64.RawURLEncoding.DecodeString(mark)
	if err != nil || len(given) != sha256.Size {
		return false
	}
	for _, k := range r.keys {
		if ours, err := k.mark(purpose, text); err == nil && hmac.Equal(ours, given) {
			return true
		}
	}
	return false
}

func (k key) mark(purpose, text string) ([]byte, error) {
	own, err := k.derive(nil, "postroom vault mark "+purpose, keySize)
	if err != nil {
		return nil, fmt.Errorf("derive key of marks: %w", err)
	}
	h := hmac.New(sha256.New, own)
	h.Write([]byte(text)) // never fails (hash.Hash)
	return h.Sum(nil), nil
}
