package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A backup is a tar archive that tar, zstd, age and sha256sum can open too
// (docs/decisions/0014-backup-format.md):
//
//	manifest.json          what it is
//	vault.key.age          the key ring, sealed by a passphrase; absent when there is none
//	database/000001.zst …  one stream, cut into parts: their contents in a row are one
//	                       zstd frame
//	SHA256SUMS             of all parts, and the end: without it the file is cut
const (
	backupFormat  = "postroom backup 1"
	manifestName  = "manifest.json"
	keysName      = "vault.key.age"
	sumsName      = "SHA256SUMS"
	partBytes     = 8 << 20
	maxSmallBytes = 64 << 20 // of manifest, keys and sums
	streamWindow  = 1 << 20  // of zstd: what either side holds in memory
)

// A manifest says what a backup is.
type manifest struct {
	Format    string         `json:"format"`
	Version   string         `json:"version"` // of the program
	MadeAt    time.Time      `json:"made_at"`
	Database  string         `json:"database"` // sqlite or postgres
	Schema    int64          `json:"schema"`
	Mailboxes int64          `json:"mailboxes"`
	Mails     int64          `json:"mails"`
	Streams   []store.Stream `json:"streams"`
	HasKeys   bool           `json:"has_keys"`
}

// sizeBytes is what the streams come to, about, before they are compressed.
func (m manifest) sizeBytes() (size int64) {
	for _, s := range m.Streams {
		size += s.SizeBytes
	}
	return size
}

// A backupWriter writes the parts of a backup one after the other.
type backupWriter struct {
	tar  *tar.Writer
	at   time.Time
	sums bytes.Buffer
}

func newBackupWriter(w io.Writer, at time.Time) *backupWriter {
	return &backupWriter{tar: tar.NewWriter(w), at: at.Truncate(time.Second)}
}

func (b *backupWriter) part(name string, content []byte) error {
	header := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: b.at, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	if err := b.tar.WriteHeader(header); err != nil {
		return err
	}
	if _, err := b.tar.Write(content); err != nil {
		return err
	}
	if name != sumsName {
		fmt.Fprintf(&b.sums, "%x  %s\n", sha256.Sum256(content), name)
	}
	return nil
}

// stream writes what fill writes, compressed and cut into parts.
func (b *backupWriter) stream(name string, fill func(io.Writer) error) error {
	parts := &partWriter{to: b, stream: name}
	z, err := zstd.NewWriter(parts, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(streamWindow), zstd.WithZeroFrames(true))
	if err != nil {
		return err
	}
	if err := errors.Join(fill(z), z.Close()); err != nil {
		return err
	}
	return parts.flush()
}

func (b *backupWriter) close() error {
	if err := b.part(sumsName, b.sums.Bytes()); err != nil {
		return err
	}
	return b.tar.Close()
}

// A partWriter cuts what is written to it into parts.
type partWriter struct {
	to     *backupWriter
	stream string
	number int
	buffer []byte
}

func (p *partWriter) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		some := b[:min(len(b), partBytes-len(p.buffer))]
		p.buffer = append(p.buffer, some...)
		n, b = n+len(some), b[len(some):]
		if len(p.buffer) == partBytes {
			if err := p.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (p *partWriter) flush() error {
	if len(p.buffer) == 0 {
		return nil
	}
	p.number++
	err := p.to.part(partName(p.stream, p.number), p.buffer)
	p.buffer = p.buffer[:0]
	return err
}

func partName(stream string, number int) string { return fmt.Sprintf("%s/%06d.zst", stream, number) }

// damagedBackup is the Fault for a file that is not what was written.
func damagedBackup(err error) error {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "This backup is damaged or was cut, so nothing of it is restored.",
		Remedy:      "Use another copy of it, or the backup before.",
		Err:         err,
	}
}

// checkBackup reads a backup to its end and holds every part against its sum. It
// returns the manifest and the sums; the file is at its end then.
func checkBackup(r io.Reader) (m manifest, sums map[string]string, err error) {
	seen := make(map[string]string)
	archive := tar.NewReader(r)
	for {
		header, err := archive.Next()
		if err != nil { // also where the archive ends without its sums
			return m, nil, damagedBackup(fmt.Errorf("before its end: %w", err))
		}
		if _, twice := seen[header.Name]; twice {
			return m, nil, damagedBackup(fmt.Errorf("%s comes twice", header.Name))
		}
		if header.Name == sumsName {
			break
		}
		sum := sha256.New()
		var small bytes.Buffer
		into := io.Writer(sum)
		if header.Name == manifestName {
			into = io.MultiWriter(sum, &capped{&small, maxSmallBytes})
		}
		if _, err := io.Copy(into, archive); err != nil { //nolint:gosec // a tar is not compressed: no more comes out than the file is long
			return m, nil, damagedBackup(fmt.Errorf("%s: %w", header.Name, err))
		}
		seen[header.Name] = hex.EncodeToString(sum.Sum(nil))
		if header.Name == manifestName {
			if err := json.Unmarshal(small.Bytes(), &m); err != nil {
				return m, nil, damagedBackup(err)
			}
		}
	}
	text, err := readSmall(archive)
	if err != nil {
		return m, nil, damagedBackup(err)
	}
	return m, seen, compareSums(string(text), seen)
}

// capped takes so many bytes and then no more.
type capped struct {
	to   io.Writer
	left int
}

func (c *capped) Write(b []byte) (int, error) {
	if c.left -= len(b); c.left < 0 {
		return 0, errors.New("it is too long")
	}
	return c.to.Write(b)
}

func readSmall(r io.Reader) ([]byte, error) {
	var small bytes.Buffer
	_, err := io.Copy(&capped{&small, maxSmallBytes}, r)
	return small.Bytes(), err
}

func compareSums(text string, seen map[string]string) error {
	listed := 0
	for line := range strings.Lines(text) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if seen[name] != sum {
			return damagedBackup(fmt.Errorf("%s is not what was written", name))
		}
		listed++
	}
	if listed != len(seen) || listed == 0 {
		return damagedBackup(fmt.Errorf("%d parts are there, %d are listed", len(seen), listed))
	}
	return nil
}

// peekBackup reads the manifest, which comes first.
func peekBackup(r io.Reader) (m manifest, err error) {
	archive := tar.NewReader(r)
	header, err := archive.Next()
	if err != nil || header.Name != manifestName {
		return m, notABackup(err)
	}
	text, err := readSmall(archive)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil || !strings.HasPrefix(m.Format, "postroom backup ") {
		return m, notABackup(err)
	}
	if m.Format != backupFormat {
		return m, &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "This backup was made by a newer version of Postroom.",
			Remedy:      "Restore it with that version or a later one.",
			Err:         errors.New(m.Format),
		}
	}
	return m, nil
}

func notABackup(err error) error {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "This file is not a backup that “postroom backup” has made.",
		Remedy:      "Name the file that it wrote, whole and as it was.",
		Err:         err,
	}
}

// A backupReader reads the parts of a backup that has been checked.
type backupReader struct {
	tar  *tar.Reader
	sums map[string]string
	next string // the part that the archive stands at
}

func newBackupReader(r io.Reader, sums map[string]string) (*backupReader, error) {
	b := &backupReader{tar: tar.NewReader(r), sums: sums}
	return b, b.step()
}

func (b *backupReader) step() error {
	header, err := b.tar.Next()
	if err != nil {
		return damagedBackup(err)
	}
	b.next = header.Name
	return nil
}

// small returns the content of the next part, whose name must be this one.
func (b *backupReader) small(name string) ([]byte, error) {
	if b.next != name {
		return nil, damagedBackup(fmt.Errorf("%s comes where %s should", b.next, name))
	}
	text, err := readSmall(b.tar)
	if err != nil {
		return nil, damagedBackup(err)
	}
	if err := b.compare(sha256.Sum256(text)); err != nil {
		return nil, err
	}
	return text, b.step()
}

// compare holds a part against its sum once more: the disk may have changed its mind.
func (b *backupReader) compare(sum [sha256.Size]byte) error {
	if b.sums[b.next] != hex.EncodeToString(sum[:]) {
		return damagedBackup(fmt.Errorf("%s was read differently the second time", b.next))
	}
	return nil
}

// stream has take read a stream to its end.
func (b *backupReader) stream(name string, take func(io.Reader) error) error {
	parts := &partReader{from: b, stream: name}
	z, err := zstd.NewReader(parts, zstd.WithDecoderMaxWindow(8*streamWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return damagedBackup(err)
	}
	defer z.Close()
	if err := take(z); err != nil {
		return err
	}
	if rest, err := io.Copy(io.Discard, z); rest > 0 || err != nil {
		return damagedBackup(fmt.Errorf("%d bytes are left of %s: %w", rest, name, err))
	}
	return nil
}

// A partReader joins the parts of a stream.
type partReader struct {
	from   *backupReader
	stream string
	number int
	rest   []byte
}

func (p *partReader) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		if p.from.next != partName(p.stream, p.number+1) {
			return 0, io.EOF
		}
		p.number++
		var small bytes.Buffer
		small.Grow(partBytes)
		if _, err := io.Copy(&capped{&small, partBytes}, p.from.tar); err != nil {
			return 0, damagedBackup(err)
		}
		p.rest = small.Bytes()
		if err := p.from.compare(sha256.Sum256(p.rest)); err != nil {
			return 0, err
		}
		if err := p.from.step(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
