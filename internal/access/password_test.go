package access

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

func TestPasswordsThatAreGuessedFirst(t *testing.T) {
	tests := map[string]struct {
		password string
		ok       bool
	}{
		"nine characters":           {"abcdefgh9", false},
		"ten characters":            {"abcdefgh9x", true},
		"ten letters of two bytes":  {"äöüßéèàçñø", true},
		"nine letters of two bytes": {"äöüßéèàçñ", false},
		"composed counts as one":    {strings.Repeat("e\u0301", 9), false},
		"the address":               {"Ada@Example.net", false},
		"one of the commonest":      {"Password123", false},
		"one character":             {"aaaaaaaaaaaaaa", false},
		"one character, accented":   {"éééééééééééé", false},
		"blanks are characters":     {"a b c d e f", true},
		"four words":                {"correct horse battery staple", true},
		"a whole book":              {strings.Repeat("book ", 300), false},
		"not text":                  {"abcdefghijk\xff", false},
		"nothing":                   {"", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := checkPassword("ada@example.net", postroom.Hide(tt.password))
			if (err == nil) != tt.ok {
				t.Fatalf("checkPassword(%q) = %v, want allowed: %v", tt.password, err, tt.ok)
			}
			if err != nil {
				wantKind(t, "the refusal", err, postroom.Invalid)
				if f, _ := postroom.FaultOf(err); f.Field != "password" {
					t.Errorf("field = %q, want password", f.Field)
				}
			}
		})
	}
}

func TestCommonestAreLongEnoughToMatter(t *testing.T) {
	for word := range strings.FieldsSeq(commonest) {
		if len([]rune(word)) < minPassword || word != strings.ToLower(word) {
			t.Errorf("%q can never be what isCommon is asked for", word)
		}
	}
}

// The reference implementation's test vector for argon2id version 19, 64 MiB, two
// passes (phc-winner-argon2, test.c).
func TestHashOfAnotherProgramIsUnderstood(t *testing.T) {
	const vector = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	var h hasher
	for password, want := range map[string]bool{"password": true, "passwore": false, "": false} {
		got, err := h.matches(t.Context(), vector, postroom.Hide(password))
		if err != nil || got != want {
			t.Errorf("matches(%q) = %v, %v, want %v", password, got, err, want)
		}
	}
	p, err := parsePHC(vector)
	if err != nil || p.String() != vector {
		t.Errorf("written again it is %s (%v), want %s", p, err, vector)
	}
}

func TestHashHasTheCostOfToday(t *testing.T) {
	var h hasher
	first, err := h.hash(t.Context(), postroom.Hide(rightPassword))
	if err != nil {
		t.Fatal(err)
	}
	second, err := h.hash(t.Context(), postroom.Hide(rightPassword))
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(first, want) {
		t.Errorf("hash = %s, want it to begin with %s", first, want)
	}
	if first == second {
		t.Error("two hashes of one password are equal: the salt does not vary")
	}
}

func TestOnlyThePasswordMatchesItsHash(t *testing.T) {
	h := hasher{blank: cheaply}
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.StringN(1, 100, 500).Draw(t, "password")
		other := rapid.StringN(0, 100, 500).Draw(t, "other")
		hash, err := h.hash(context.Background(), postroom.Hide(password))
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := h.matches(context.Background(), hash, postroom.Hide(password)); !ok || err != nil {
			t.Fatalf("the password itself: %v, %v", ok, err)
		}
		ok, err := h.matches(context.Background(), hash, postroom.Hide(other))
		if same := normal(postroom.Hide(password)) == normal(postroom.Hide(other)); ok != same || err != nil {
			t.Fatalf("another password: %v, %v, want %v", ok, err, same)
		}
	})
}

func TestAccentsMayBeTypedEitherWay(t *testing.T) {
	h := hasher{blank: cheaply}
	hash, err := h.hash(t.Context(), postroom.Hide("caf\u00e9 au lait"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.matches(t.Context(), hash, postroom.Hide("cafe\u0301 au lait")); !ok || err != nil {
		t.Errorf("matches = %v, %v, want true", ok, err)
	}
}

func TestUnreadableHashes(t *testing.T) {
	salt, key := "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	tests := map[string]string{
		"another algorithm": "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + key,
		"another version":   "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key,
		"too much memory":   "$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + key,
		"too many passes":   "$argon2id$v=19$m=64,t=100000,p=1$" + salt + "$" + key,
		"no passes":         "$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + key,
		"no threads":        "$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + key,
		"no key":            "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
		"no salt":           "$argon2id$v=19$m=64,t=1,p=1$$" + key,
		"not base64":        "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$***",
		"bcrypt":            "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"rubbish":           "rubbish",
	}
	for name, hash := range tests {
		t.Run(name, func(t *testing.T) {
			h := hasher{blank: cheaply}
			if ok, err := h.matches(t.Context(), hash, postroom.Hide(rightPassword)); ok || err == nil {
				t.Errorf("matches = %v, %v, want an error", ok, err)
			}
		})
	}
}

func TestUnknownUsersTakeAsLong(t *testing.T) {
	var h hasher
	hash, err := h.hash(t.Context(), postroom.Hide(rightPassword))
	if err != nil {
		t.Fatal(err)
	}
	took := func(hash string) time.Duration {
		start := time.Now()
		if ok, err := h.matches(t.Context(), hash, postroom.Hide("wrong password")); ok || err != nil {
			t.Fatal(ok, err)
		}
		return time.Since(start)
	}
	// In turn, and the fastest of each: other work on the machine slows down both.
	known, unknown := time.Hour, time.Hour
	for range 15 {
		known, unknown = min(known, took(hash)), min(unknown, took(""))
	}
	if unknown < known/2 {
		t.Errorf("an unknown user takes %v, a known one %v", unknown, known)
	}
}

func TestHashesWaitForOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hasher
		var leave [hashesAtOnce]func()
		for i := range leave {
			var err error
			if leave[i], err = h.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		_, err := h.enter(t.Context())
		wantKind(t, "one too many", err, postroom.TooMany)
		if waited := time.Since(start); waited != hashPatience {
			t.Errorf("it waited %v, want %v", waited, hashPatience)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := h.enter(ended); err != context.Canceled {
			t.Errorf("with an ended context it is %v, want %v", err, context.Canceled)
		}
		leave[0]()
		if _, err := h.enter(t.Context()); err != nil {
			t.Errorf("when one has left: %v", err)
		}
	})
}
