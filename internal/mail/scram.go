package mail

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fewer iterations than RFC 7677 section 4 asks for make the password cheap to
// guess for whoever pretends to be the server; many more keep a processor busy.
const (
	minIterations = 4096
	maxIterations = 1_000_000
)

// scram is SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding.
type scram struct {
	login Login
	nonce string

	firstBare string // client-first-message-bare
	signature []byte // what the server must prove; nil until it has been asked
	proven    bool
}

func newScram(l Login) *scram { return &scram{login: l, nonce: rand.Text()} }

func (s *scram) Name() string { return ScramSHA256 }

func (s *scram) Start() []byte {
	s.firstBare = "n=" + saslName(prepare(s.login.Username)) + ",r=" + s.nonce
	return []byte("n,," + s.firstBare)
}

func (s *scram) Next(challenge []byte) ([]byte, error) {
	switch {
	case len(challenge) == 0 && s.signature == nil:
		return s.Start(), nil
	case s.signature == nil:
		return s.final(string(challenge))
	case !s.proven:
		return []byte{}, s.check(string(challenge))
	}
	return nil, errors.New("SCRAM: the server asks for more than there is")
}

// Done refuses a server that says OK without having proven that it knows the
// password (RFC 5802 section 3).
func (s *scram) Done() error {
	if !s.proven {
		return errors.New("SCRAM: the server accepted without proving itself")
	}
	return nil
}

// final answers the server-first-message with proof.
func (s *scram) final(serverFirst string) ([]byte, error) {
	if s.firstBare == "" {
		return nil, errors.New("SCRAM: a challenge before the first message")
	}
	nonce, salt, iterations, err := parseServerFirst(serverFirst)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(nonce, s.nonce) || len(nonce) == len(s.nonce) {
		return nil, errors.New("SCRAM: the server's nonce does not continue ours")
	}
	salted, err := pbkdf2.Key(sha256.New, prepare(s.login.Secret.Reveal()), salt, iterations, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("SCRAM: %w", err)
	}
	clientKey := mac(salted, "Client Key")
	storedKey := sha256.Sum256(clientKey)
	withoutProof := "c=biws,r=" + nonce // base64 of "n,,"
	message := s.firstBare + "," + serverFirst + "," + withoutProof
	proof := mac(storedKey[:], message)
	subtle.XORBytes(proof, proof, clientKey)
	s.signature = mac(mac(salted, "Server Key"), message)
	return []byte(withoutProof + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// check reads the server-final-message.
func (s *scram) check(serverFinal string) error {
	for _, field := range strings.Split(serverFinal, ",") {
		if reason, is := strings.CutPrefix(field, "e="); is {
			return fmt.Errorf("SCRAM: the server says %s", s.login.Scrub(reason))
		}
		if verifier, is := strings.CutPrefix(field, "v="); is {
			got, err := base64.StdEncoding.DecodeString(verifier)
			if err != nil || !hmac.Equal(got, s.signature) {
				return errors.New("SCRAM: the server does not know the password either: it may be another server")
			}
			s.proven = true
			return nil
		}
	}
	return errors.New("SCRAM: the server's last message holds no proof")
}

func parseServerFirst(text string) (nonce string, salt []byte, iterations int, err error) {
	for _, field := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "m":
			return "", nil, 0, errors.New("SCRAM: the server wants an extension that is not known here")
		case "e":
			return "", nil, 0, fmt.Errorf("SCRAM: the server says %s", value)
		case "r":
			nonce = value
		case "s":
			if salt, err = base64.StdEncoding.DecodeString(value); err != nil {
				return "", nil, 0, fmt.Errorf("SCRAM: salt: %w", err)
			}
		case "i":
			if iterations, err = strconv.Atoi(value); err != nil {
				return "", nil, 0, fmt.Errorf("SCRAM: iterations: %w", err)
			}
		}
	}
	if nonce == "" || len(salt) == 0 {
		return "", nil, 0, errors.New("SCRAM: the server's first message is not complete")
	}
	if iterations < minIterations || iterations > maxIterations {
		return "", nil, 0, fmt.Errorf("SCRAM: %d iterations, wanted %d to %d", iterations, minIterations, maxIterations)
	}
	return nonce, salt, iterations, nil
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// prepare is SASLprep (RFC 4013) without its prohibitions, which are for the
// server to enforce: foreign blanks become blanks, invisible characters go, the
// rest is composed by NFKC.
func prepare(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
		return text
	}
	return norm.NFKC.String(strings.Map(func(r rune) rune {
		switch {
		case r >= 0x80 && unicode.Is(unicode.Zs, r):
			return ' '
		case r == 0xAD, r == 0x34F, r == 0x1806, r >= 0x180B && r <= 0x180D, r >= 0x200B && r <= 0x200D,
			r == 0x2060, r >= 0xFE00 && r <= 0xFE0F, r == 0xFEFF: // RFC 3454 table B.1
			return -1
		}
		return r
	}, text))
}
