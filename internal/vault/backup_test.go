package vault

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestKeysComeBackFromABackupWithTheirPassphraseOnly(t *testing.T) {
	source := Source{Dir: t.TempDir()}
	secret := mustSeal(t, open(t, source), "s3cret")
	text, err := os.ReadFile(filepath.Join(source.Dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := Keep(source)
	if err != nil {
		t.Fatal(err)
	}
	passphrase := postroom.Hide("correct horse battery")
	sealed, err := kept.Sealed(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	key := strings.Fields(string(text[bytes.Index(text, []byte("\n"+lineMark))+1:]))[2]
	if bytes.Contains(sealed, []byte(key)) {
		t.Fatal("the key is in the backup in clear")
	}
	if _, err := Unsealed(sealed, postroom.Hide("another one")); postroom.KindOf(err) != postroom.Invalid {
		t.Errorf("a wrong passphrase: %v, want a fault", err)
	}
	for name, damage := range map[string][]byte{"cut": sealed[:len(sealed)-20], "changed": append(bytes.Clone(sealed[:len(sealed)-1]), sealed[len(sealed)-1]^1), "nothing": nil} {
		if _, err := Unsealed(damage, passphrase); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	back, err := Unsealed(sealed, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	into := Source{Dir: t.TempDir()}
	for range 2 { // the second time it is there already
		if err := back.PutBack(into); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := open(t, into).Open(secret, Place{"credential", "secret", "1"}); err != nil || got.Reveal() != "s3cret" {
		t.Errorf("what was sealed before opens as %q, %v", got.Reveal(), err)
	}
	other := Source{Dir: t.TempDir()}
	open(t, other)
	if err := back.PutBack(other); postroom.KindOf(err) != postroom.Conflict {
		t.Errorf("over another key file: %v, want a conflict", err)
	}
}

func TestMissingKeyFileCannotBeKept(t *testing.T) {
	if _, err := Keep(Source{Dir: t.TempDir()}); postroom.KindOf(err) != postroom.NeedsRepair {
		t.Errorf("Keep without a file: %v, want a fault", err)
	}
}
