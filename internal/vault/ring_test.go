package vault

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

// ringOf returns a ring with a key for each of the seeds, the last one newest.
func ringOf(t interface{ Fatal(...any) }, seeds ...byte) *Ring {
	var r Ring
	for _, seed := range seeds {
		k, err := newKey(bytes.Repeat([]byte{seed}, keySize))
		if err != nil {
			t.Fatal(err)
		}
		r.keys = append(r.keys, k)
	}
	return &r
}

func places() *rapid.Generator[Place] {
	return rapid.Custom(func(t *rapid.T) Place {
		part := rapid.StringMatching(`[a-c.]{0,4}`)
		return Place{part.Draw(t, "table"), part.Draw(t, "column"), part.Draw(t, "row")}
	})
}

func TestSealedOpensOnlyWhereItBelongs(t *testing.T) {
	r := ringOf(t, 1, 2)
	rapid.Check(t, func(t *rapid.T) {
		text, place, other := rapid.String().Draw(t, "text"), places().Draw(t, "place"), places().Draw(t, "other")
		sealed, err := r.Seal(postroom.Hide(text), place)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Open(sealed, place); err != nil || got.Reveal() != text {
			t.Fatalf("Open() = %q, %v, want %q", got.Reveal(), err, text)
		}
		if place != other {
			if _, err := r.Open(sealed, other); !errors.Is(err, ErrTampered) {
				t.Fatalf("opened at %v what was sealed for %v: %v", other, place, err)
			}
		}
	})
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	r := ringOf(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		place := places().Draw(t, "place")
		sealed, err := r.Seal(postroom.Hide(rapid.String().Draw(t, "text")), place)
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, len(sealed)-1).Draw(t, "at")
		changed := bytes.Clone(sealed)
		changed[at] ^= rapid.ByteRange(1, 255).Draw(t, "flip")
		want := ErrTampered
		if at >= 1 && at <= len(keyID{}) {
			want = ErrKeyUnknown
		}
		if _, err := r.Open(changed, place); !errors.Is(err, want) {
			t.Fatalf("byte %d changed: %v, want %v", at, err, want)
		}
		cut := sealed[:rapid.IntRange(0, len(sealed)-1).Draw(t, "cut")]
		if _, err := r.Open(cut, place); !errors.Is(err, ErrTampered) {
			t.Fatalf("cut to %d bytes: %v, want %v", len(cut), err, ErrTampered)
		}
		if _, err := r.Open(append(bytes.Clone(sealed), 0), place); !errors.Is(err, ErrTampered) {
			t.Fatalf("a byte more: %v, want %v", err, ErrTampered)
		}
	})
}

func TestAnythingIsRefusedWithoutHarm(t *testing.T) {
	r := ringOf(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		if _, err := r.Open(rapid.SliceOf(rapid.Byte()).Draw(t, "sealed"), Place{}); err == nil {
			t.Fatal("opened what nobody sealed")
		}
	})
}

func TestNewestSealsAndAllOpen(t *testing.T) {
	place := Place{"credential", "secret", "7"}
	old, both, other := ringOf(t, 1), ringOf(t, 1, 2), ringOf(t, 3)
	sealed, err := old.Seal(postroom.Hide("s3cret"), place)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := both.Open(sealed, place); err != nil || got.Reveal() != "s3cret" {
		t.Errorf("Open() with the old key still in the ring = %q, %v", got.Reveal(), err)
	}
	if !both.IsOld(sealed) || old.IsOld(sealed) {
		t.Errorf("IsOld() = %t and %t, want true with a newer key and false without", both.IsOld(sealed), old.IsOld(sealed))
	}
	if _, err := other.Open(sealed, place); !errors.Is(err, ErrKeyUnknown) {
		t.Errorf("Open() with another ring = %v, want %v", err, ErrKeyUnknown)
	}
	anew, err := both.Seal(postroom.Hide("s3cret"), place)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Open(anew, place); !errors.Is(err, ErrKeyUnknown) {
		t.Errorf("Open() of what the newest key sealed = %v, want %v", err, ErrKeyUnknown)
	}
	again, err := both.Seal(postroom.Hide("s3cret"), place)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(anew, again) || bytes.Contains(anew, []byte("s3cret")) {
		t.Error("a sealed secret repeats itself or shows")
	}
}

func TestCheckTellsTheCausesApart(t *testing.T) {
	r := ringOf(t, 1)
	sample, err := r.Sample()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Check(sample); err != nil {
		t.Errorf("Check() = %v, want nil", err)
	}
	if err := ringOf(t, 1, 2).Check(sample); err != nil {
		t.Errorf("Check() after a key was added = %v, want nil", err)
	}
	for name, test := range map[string]struct {
		ring   *Ring
		sample []byte
		want   error
		says   string
	}{
		"another key":    {ringOf(t, 2), sample, ErrKeyUnknown, "Put the old key file back"},
		"a cut sample":   {r, sample[:40], ErrTampered, "backup"},
		"an empty one":   {r, nil, ErrTampered, "backup"},
		"one elsewhere ": {r, mustSeal(t, r, "These secrets can be opened."), ErrTampered, "backup"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.ring.Check(test.sample)
			f, ok := postroom.FaultOf(err)
			if !ok || f.Kind != postroom.NeedsRepair || !errors.Is(err, test.want) || !strings.Contains(f.Remedy, test.says) {
				t.Errorf("Check() = %#v, want a Fault of %v that says %q", err, test.want, test.says)
			}
		})
	}
}

func mustSeal(t *testing.T, r *Ring, text string) []byte {
	t.Helper()
	sealed, err := r.Seal(postroom.Hide(text), Place{"credential", "secret", "1"})
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestNothingPrintsAKey(t *testing.T) {
	secret := []byte("AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHH")
	k, err := newKey(bytes.Clone(secret))
	if err != nil {
		t.Fatal(err)
	}
	r := &Ring{keys: []key{k}}
	var out strings.Builder
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("ring", "pointer", r, "value", *r, "key", k)
	for _, v := range []any{r, *r, k, &k, r.keys, struct{ R *Ring }{r}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, form := range []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprint(secret)[1:40], base64.StdEncoding.EncodeToString(secret), "65, 65", "0x41"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("a key shows as %q in\n%s", form, out.String())
		}
	}
}
