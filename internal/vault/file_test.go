package vault

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/postroom/postroom"
)

var place = Place{"credential", "secret", "7"}

func open(t *testing.T, s Source) *Ring {
	t.Helper()
	r, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFirstStartMakesAKeyAndKeepsIt(t *testing.T) {
	dir := t.TempDir()
	first := open(t, Source{Dir: dir})
	sealed := mustSeal(t, first, "s3cret")
	second := open(t, Source{Dir: dir, MustExist: true})
	if got, err := second.Open(sealed, Place{"credential", "secret", "1"}); err != nil || got.Reveal() != "s3cret" {
		t.Errorf("Open() after a restart = %q, %v", got.Reveal(), err)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("key file has mode %v, want 0600", info.Mode().Perm())
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("%v beside the key file, %v", files, err)
	}
	if other := open(t, Source{Dir: t.TempDir()}); other.Fingerprint() == first.Fingerprint() {
		t.Error("two first starts made the same key")
	}
}

func TestFirstStartsSideBySideAgree(t *testing.T) {
	dir := t.TempDir()
	prints := make([]string, 16)
	var wg sync.WaitGroup
	for i := range prints {
		wg.Go(func() {
			r, err := Open(Source{Dir: dir})
			if err != nil {
				t.Error(err)
				return
			}
			prints[i] = r.Fingerprint()
		})
	}
	wg.Wait()
	for _, p := range prints {
		if p != prints[0] {
			t.Fatalf("different keys: %v", prints)
		}
	}
}

func TestRotateKeepsOldKeys(t *testing.T) {
	for name, source := range map[string]func(dir string) Source{
		"in the data directory": func(dir string) Source { return Source{Dir: dir} },
		"in a file elsewhere":   func(dir string) Source { return Source{File: filepath.Join(dir, FileName)} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			old := open(t, Source{Dir: dir})
			sealed, err := old.Seal(postroom.Hide("s3cret"), place)
			if err != nil {
				t.Fatal(err)
			}
			turned, err := Rotate(source(dir))
			if err != nil {
				t.Fatal(err)
			}
			if turned.Fingerprint() == old.Fingerprint() || !turned.IsOld(sealed) {
				t.Error("the new key does not seal")
			}
			reopened := open(t, source(dir))
			if reopened.Fingerprint() != turned.Fingerprint() {
				t.Error("the new key is not in the file")
			}
			if got, err := reopened.Open(sealed, place); err != nil || got.Reveal() != "s3cret" {
				t.Errorf("Open() = %q, %v, want what the old key sealed", got.Reveal(), err)
			}
		})
	}
}

func TestBadKeyFilesAreExplained(t *testing.T) {
	good := func(t *testing.T) []byte {
		dir := t.TempDir()
		open(t, Source{Dir: dir})
		text, err := os.ReadFile(filepath.Join(dir, FileName))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}(t)
	key := strings.Fields(string(good[bytes.Index(good, []byte("\n"+lineMark))+1:]))[2]
	tests := map[string]struct {
		text []byte
		mode fs.FileMode
		says string
	}{
		"empty":               {nil, 0o600, "is damaged"},
		"only remarks":        {[]byte(fileHead), 0o600, "is damaged"},
		"cut in the last key": {good[:len(good)-5], 0o600, "is damaged"},
		"a changed letter":    {bytes.Replace(good, []byte(key[:4]), []byte("abcd"), 1), 0o600, "is damaged"},
		"something else":      {[]byte("-----BEGIN PRIVATE KEY-----\n"), 0o600, "is damaged"},
		"very long":           {bytes.Repeat([]byte("#\n"), maxFileSize), 0o600, "is damaged"},
		"readable by a group": {good, 0o640, "may read the key file"},
		"readable by all":     {good, 0o604, "may read the key file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.mode != 0o600 && runtime.GOOS == "windows" {
				t.Skip("mode bits say nothing here")
			}
			path := filepath.Join(t.TempDir(), FileName)
			if err := os.WriteFile(path, test.text, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			for what, use := range map[string]func(Source) (*Ring, error){"Open": Open, "Rotate": Rotate} {
				r, err := use(Source{File: path})
				f, ok := postroom.FaultOf(err)
				if r != nil || !ok || f.FixBy != postroom.FixByAppAdmin || !strings.Contains(f.Explanation, test.says) {
					t.Fatalf("%s() = %v, %v, want a Fault that says %q", what, r, err, test.says)
				}
				if strings.Contains(err.Error()+f.Remedy, key[8:20]) {
					t.Errorf("the key shows in %v", err)
				}
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, test.text) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

func TestMissingKeyFileIsNoFirstStart(t *testing.T) {
	for name, source := range map[string]Source{
		"named in the environment":    {File: filepath.Join(t.TempDir(), "other.key")},
		"secrets were sealed with it": {Dir: t.TempDir(), MustExist: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(source)
			f, ok := postroom.FaultOf(err)
			if !ok || !strings.Contains(f.Explanation, "is not there") || f.Remedy == "" {
				t.Errorf("Open() = %v, want a Fault that says what is not there", err)
			}
			if _, err := os.Stat(source.path()); err == nil {
				t.Error("a key file was made")
			}
		})
	}
}
