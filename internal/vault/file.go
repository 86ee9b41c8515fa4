package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/postroom/postroom"
)

const (
	// FileName is the key file in the data directory.
	FileName = "vault.key"
	// FileVariable names, in the environment, a key file that is kept elsewhere.
	FileVariable = "POSTROOM_KEY_FILE"

	maxFileSize = 64 << 10
	lineMark    = "postroom-key-1" // begins the line of a key: mark, id, base64
	fileHead    = `# The keys of Postroom. They open the passwords and sign-ins in its database.
# Keep a copy in a safe place, not beside the backups of the database.
# The last key seals; all keys open. Do not change a line.
`
)

// A Source says where the key file is.
type Source struct {
	Dir  string // the data directory, which holds the file unless File is set
	File string // a file kept elsewhere; it is read and never made

	// MustExist says that secrets have been sealed before. A missing file is then a
	// Fault and not a first start.
	MustExist bool
}

func (s Source) path() string {
	if s.File != "" {
		return s.File
	}
	return filepath.Join(s.Dir, FileName)
}

// Open reads the key file, and makes one with a new key on the first start. A
// file that is missing, damaged, or open to other accounts of this computer is a
// Fault.
func Open(s Source) (*Ring, error) {
	path := s.path()
	r, err := read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if s.File != "" || s.MustExist {
		return nil, missing(path, s, err)
	}
	line, err := newLine()
	if err != nil {
		return nil, err
	}
	// Where another process was quicker, its file counts.
	if err := makeFile(path, []byte(fileHead+line)); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make key file: %w", err)
	}
	return read(path)
}

// Rotate adds a new key to the key file and returns the ring with it. Keep the
// old keys until everything has been sealed anew; see [Ring.IsOld].
func Rotate(s Source) (*Ring, error) {
	path := s.path()
	text, err := load(path)
	if err != nil {
		return nil, err
	}
	if _, err := parse(path, text); err != nil {
		return nil, err
	}
	line, err := newLine()
	if err != nil {
		return nil, err
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	if err := replaceFile(path, append(text, line...)); err != nil {
		return nil, fmt.Errorf("add a key to the key file: %w", err)
	}
	return read(path)
}

// newLine returns the line of a new key.
func newLine() (string, error) {
	secret := make([]byte, keySize)
	rand.Read(secret) // never fails (crypto/rand)
	k, err := newKey(secret)
	if err != nil {
		return "", err
	}
	return lineMark + " " + k.id.String() + " " + base64.StdEncoding.EncodeToString(secret) + "\n", nil
}

func read(path string) (*Ring, error) {
	text, err := load(path)
	if err != nil {
		return nil, err
	}
	return parse(path, text)
}

// load reads the file after a look at who else may.
func load(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, damaged(path, errors.New("not a regular file"))
	}
	if isOpenToOthers(info) {
		return nil, &postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
			Explanation: "Other accounts of this computer may read the key file " + path + ".",
			Remedy:      "Run “chmod 600 " + path + "”, then start again. If other people work on this computer, take the passwords of your mailboxes for known to them, and change those.",
			Err:         fmt.Errorf("key file has mode %v", info.Mode().Perm()),
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	if len(text) > maxFileSize {
		return nil, damaged(path, errors.New("over 64 KB"))
	}
	return text, nil
}

// parse reads the lines of a key file. Its errors name lines and show none.
func parse(path string, text []byte) (*Ring, error) {
	var r Ring
	for n, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		k, ok := parseLine(string(line))
		if !ok {
			return nil, damaged(path, fmt.Errorf("line %d is not as it was written", n+1))
		}
		if _, known := r.find(k.id); !known {
			r.keys = append(r.keys, k)
		}
	}
	if len(r.keys) == 0 {
		return nil, damaged(path, errors.New("no key in it"))
	}
	return &r, nil
}

func parseLine(line string) (k key, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 3 || fields[0] != lineMark {
		return key{}, false
	}
	secret, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil || len(secret) != keySize {
		return key{}, false
	}
	k, err = newKey(secret)
	return k, err == nil && k.id.String() == fields[1]
}

// missing is the Fault for a key file that should be there.
func missing(path string, s Source, err error) error {
	f := &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
		Explanation: "The key file " + path + " is not there, and this database holds secrets that only its keys open.",
		Remedy:      "Put the old key file back, from a backup or from the computer where Postroom ran before. If it is gone for good, the password or sign-in of every mailbox has to be entered again; mail and issues are not affected.",
		Err:         err,
	}
	if s.File != "" {
		f.Explanation = "The key file " + path + ", named by " + FileVariable + ", is not there."
		f.Remedy = "Correct " + FileVariable + " or put the file there. For a first start without it, leave " + FileVariable + " away: Postroom then makes " + FileName + " in the data directory."
	}
	return f
}

// damaged is the Fault for a file that holds something else than keys.
func damaged(path string, err error) error {
	return &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
		Explanation: "The key file " + path + " is damaged.",
		Remedy:      "Put a good copy of it back. If there is none, move it aside and start again: the password or sign-in of every mailbox then has to be entered again; mail and issues are not affected.",
		Err:         err,
	}
}
