package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/postroom/postroom"
)

const (
	minPassword = 10   // characters
	maxPassword = 1024 // bytes
)

// checkPassword refuses what is guessed first: short, the address, one character
// again and again, or one of the commonest (NIST SP 800-63B section 3.1.1.2). It
// asks for nothing else.
func checkPassword(email string, password postroom.Secret) error {
	text := normal(password)
	bad := func(explanation string) error {
		return &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "password",
			Explanation: explanation,
			Remedy:      "Choose one of at least 10 characters that nobody would guess. Four words that do not belong together are good.",
		}
	}
	lower := strings.ToLower(text)
	switch {
	case !utf8.ValidString(text):
		return bad("This password has characters that cannot be read.")
	case utf8.RuneCountInString(text) < minPassword:
		return bad("This password is too short.")
	case len(text) > maxPassword:
		return bad("This password is too long.")
	case lower == email:
		return bad("This password is the address itself.")
	case isOneCharacter(text) || isCommon(lower):
		return bad("This password is one of those that are tried first.")
	}
	return nil
}

func isOneCharacter(text string) bool {
	_, size := utf8.DecodeRuneInString(text)
	return strings.Trim(text, text[:size]) == ""
}

func isCommon(lower string) bool {
	for word := range strings.FieldsSeq(commonest) {
		if lower == word {
			return true
		}
	}
	return false
}

// commonest are the passwords of at least ten characters that stand highest in
// the lists of leaked ones, and this product's name.
const commonest = `
	0123456789 01234567890 0987654321 1029384756 1122334455 1234554321 1234567890 12345678901 12345678910
	123456789a 123456789q 1234567891 123123123123 123qweasdzxc 1357924680 147258369a 1password1
	1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc 987654321a 9876543210 a123456789 a1b2c3d4e5
	abcd123456 abcdefghij adminadmin admin12345 admin123456 administrator asdfghjkl1 asdfghjkl;
	baseball123 basketball changeme123 changeme1234 christopher football123 helloworld iloveyou123
	letmein123 letmein1234 liverpool1 michael123 mypassword password01 password10 password11 password12
	password123 password1234 password12345 passw0rd123 p@ssw0rd123 p@ssword123 passwordpassword
	postroom123 postroompostroom princess123 q1w2e3r4t5 q1w2e3r4t5y6 qazwsxedcrfv qwerty1234
	qwerty12345 qwerty123456 qwertyqwerty qwertyuiop qwertyuiop1 qwertyuiop[] qwertyuiop123
	secret1234 starwars123 sunshine123 superman123 trustno1trustno1 welcome123 welcome1234 zaq12wsxcde3
	zxcvbnm123 zxcvbnm,./`

// normal returns a password with its accents composed, because keyboards differ
// in how they send one (RFC 8265 section 4.2, NFC).
func normal(password postroom.Secret) string { return norm.NFC.String(password.Reveal()) }

// The cost of a hash that is made today: OWASP's for argon2id with 19 MiB.
const (
	hashMemory  = 19456 // KiB
	hashPasses  = 2
	hashThreads = 1
	saltBytes   = 16
	keyBytes    = 32
)

// dearly is a hash of no password yet, at that cost.
func dearly() phc {
	return phc{memory: hashMemory, passes: hashPasses, threads: hashThreads, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
}

const (
	hashesAtOnce = 2 // so that sign-ins together take no more than 38 MiB
	hashPatience = 10 * time.Second
)

// A hasher makes and checks argon2id hashes (RFC 9106), a few at a time. Its zero
// value is ready.
type hasher struct {
	blank func() phc // nil: dearly
	once  sync.Once
	slots chan struct{}
}

// enter waits for one of the slots.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	h.once.Do(func() { h.slots = make(chan struct{}, hashesAtOnce) })
	patience := time.NewTimer(hashPatience)
	defer patience.Stop()
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-patience.C:
		return nil, tooMany("Many people are signing in just now.", hashPatience)
	}
}

func (h *hasher) new() phc {
	if h.blank != nil {
		return h.blank()
	}
	return dearly()
}

// hash makes the PHC string of a password.
func (h *hasher) hash(ctx context.Context, password postroom.Secret) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	p := h.new()
	_, _ = rand.Read(p.salt) // never fails
	p.key = p.derive(normal(password), len(p.key))
	return p.String(), nil
}

// matches says whether password is the one of a PHC string. An empty string
// matches nothing, in the same time.
func (h *hasher) matches(ctx context.Context, hash string, password postroom.Secret) (bool, error) {
	text := normal(password)
	if len(text) > maxPassword {
		text = "" // which matches nothing; the limit bounds the work
	}
	known := hash != "" && text != ""
	p := h.new()
	if hash != "" {
		var err error
		if p, err = parsePHC(hash); err != nil {
			return false, err
		}
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	same := subtle.ConstantTimeCompare(p.key, p.derive(text, len(p.key))) == 1
	return same && known, nil
}

// A phc is a hash with all that is needed to make it again, in the PHC string
// format: $argon2id$v=19$m=19456,t=2,p=1$salt$key.
type phc struct {
	memory, passes uint32 // KiB; times over the memory
	threads        uint8
	salt, key      []byte
}

func (p phc) derive(password string, length int) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.threads, uint32(length))
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.threads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// parsePHC reads a PHC string. Its costs have a ceiling, so that a row of the
// database cannot stop the process.
func parsePHC(text string) (p phc, err error) {
	unreadable := errors.New("a password's hash in the database cannot be read")
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, unreadable
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.threads); err != nil || n != 3 {
		return phc{}, unreadable
	}
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return phc{}, unreadable
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return phc{}, unreadable
	}
	const maxMemory, maxPasses, maxBytes = 256 << 10, 16, 128
	if p.memory > maxMemory || p.passes < 1 || p.passes > maxPasses || p.threads < 1 ||
		len(p.salt) < 8 || len(p.salt) > maxBytes || len(p.key) < 16 || len(p.key) > maxBytes {
		return phc{}, unreadable
	}
	return p, nil
}
