package mime

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// hostileShapes are messages made to exhaust a reader, each as a stream.
func hostileShapes() map[string]func() io.Reader {
	repeated := func(head string, n int, line func(i int) string, tail string) func() io.Reader {
		return func() io.Reader {
			return &shape{head: head, n: n, line: line, tail: tail}
		}
	}
	same := func(s string) func(int) string { return func(int) string { return s } }
	const mixed = "From: a@b\nContent-Type: multipart/mixed; boundary=x\n\n"
	return map[string]func() io.Reader{
		"100,000 nested parts": repeated("From: a@b\nContent-Type: multipart/mixed; boundary=b0\n\n", 100_000,
			func(i int) string {
				return fmt.Sprintf("--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i, i+1)
			}, ""),
		"100,000 nested parts, one boundary": repeated(mixed, 100_000, same("--x\nContent-Type: multipart/mixed; boundary=x\n\n"), ""),
		"100,000 nested messages":            repeated("", 100_000, same("From: a@b\nContent-Type: message/rfc822\n\n"), ""),
		"100,000 continuations": repeated("From: a@b\nContent-Disposition: attachment", 100_000,
			func(i int) string { return fmt.Sprintf(";\n filename*%d*=a", i) }, "\n\ntext\n"),
		"100,000 continuations, backwards": repeated("From: a@b\nContent-Disposition: attachment", 100_000,
			func(i int) string { return fmt.Sprintf(";\n filename*%d=a", 100_000-i) }, "\n\ntext\n"),
		"100,000 empty parts":          repeated(mixed, 100_000, same("--x\n\n"), "--x--\n"),
		"100,000 parts with files":     repeated(mixed, 100_000, same("--x\nContent-Type: image/png; name="+strings.Repeat("n", 900)+"\n\na\n"), "--x--\n"),
		"100,000 reports":              repeated(mixed, 100_000, same("--x\nContent-Type: message/delivery-status\n\nAction: failed\nFinal-Recipient: rfc822; a@b\n\n"), "--x--\n"),
		"50 MB in one line":            repeated("From: a@b\n\n", 50, same(strings.Repeat("x", 1<<20)), ""),
		"50 MB in one line of base64":  repeated("From: a@b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n", 50, same(strings.Repeat("A", 1<<20)), ""),
		"50 MB in one line of QP":      repeated("From: a@b\nContent-Transfer-Encoding: quoted-printable\n\n", 50, same(strings.Repeat("= =A\t", 200<<10)), ""),
		"50 MB of blanks in QP":        repeated("From: a@b\nContent-Transfer-Encoding: quoted-printable\n\n", 50, same(strings.Repeat(" ", 1<<20)), ""),
		"50 MB of text":                repeated("From: a@b\n\n", 500_000, same(strings.Repeat("y", 99)+"\n"), ""),
		"50 MB of HTML in UTF-16":      repeated("From: a@b\nContent-Type: text/html; charset=utf-16\n\n", 50, same(strings.Repeat("z\x00", 512<<10)), ""),
		"50 MB of CR":                  repeated("From: a@b\n\n", 50, same(strings.Repeat("\r", 1<<20)), ""),
		"50 MB in one header line":     repeated("Subject: ", 50, same(strings.Repeat("x", 1<<20)), "\n\n"),
		"50 MB of CR only":             repeated("", 5_000_000, same("X: 345678\r"), "\r\rtext\r"),
		"1,000,000 header lines":       repeated("From: a@b\n", 1_000_000, same("X-Header: value\n"), "\ntext\n"),
		"1,000,000 short header lines": repeated("From: a@b\n", 1_000_000, same("a:\n"), "\ntext\n"),
		"1,000,000 junk header lines":  repeated("From: a@b\n", 1_000_000, same("junk\n"), "\ntext\n"),
		"1,000,000 parameters alone":   repeated("From: a@b\nContent-Type: text/plain;\n", 1_000_000, same("a=b;\n"), "\ntext\n"),
		"100,000 addresses":            repeated("To: a@b", 100_000, same(",\n c@d"), "\n\ntext\n"),
		"1 MB of (":                    repeated("To: ", 1_000_000, same("("), "\n\ntext\n"),
		"1 MB of <":                    repeated("To: ", 1_000_000, same("<"), "\n\ntext\n"),
		"1 MB of \\\"":                 repeated("To: ", 500_000, same("\\\""), "\n\ntext\n"),
		"1 MB of \"":                   repeated("To: ", 1_000_000, same("\""), "\n\ntext\n"),
		"1 MB of a(b)":                 repeated("To: ", 250_000, same("a(b)"), "\n\ntext\n"),
		"1 MB of a:":                   repeated("To: ", 500_000, same("a:"), "\n\ntext\n"),
		"1 MB of <a@b,":                repeated("To: ", 200_000, same("<@a,"), "\n\ntext\n"),
		"1 MB of words in addresses":   repeated("To: ", 100_000, same("=?a?q?b,"), "\n\ntext\n"),
		"1 MB of word beginnings":      repeated("Subject: ", 150_000, same("=?a?q?"), "\n\ntext\n"),
		"1 MB of words":                repeated("Subject: ", 60_000, same("=?utf-8?q?a?= "), "\n\ntext\n"),
		"1 MB of words as parameters":  repeated("Content-Type: text/plain", 100_000, same(";a==?x?q?"), "\n\ntext\n"),
		"1 MB of open quotes":          repeated("Content-Type: text/plain", 200_000, same(";a=\"\\"), "\n\ntext\n"),
		"1 MB of open comments":        repeated("Content-Type: text/plain", 300_000, same(";(a"), "\n\ntext\n"),
		"1 MB of ids":                  repeated("References: ", 250_000, same("<a> "), "\n\ntext\n"),
		"200,000 distinct ids": repeated("From: a@b\n", 50_000,
			func(i int) string { return fmt.Sprintf("References: <%d@b>\n", i) }, "\ntext\n"),
		"1 MB of date comments":   repeated("Date: ", 500_000, same("()"), "\n\ntext\n"),
		"uuencode begun often":    repeated("From: a@b\n\n", 200_000, same("begin 644 a\n#86)C\n"), ""),
		"uuencode never going on": repeated("From: a@b\n\n", 1_000_000, same("begin 644 a\n"), ""),
		"delimiters of 100 levels": func() io.Reader {
			var deep strings.Builder
			deep.WriteString("Content-Type: multipart/mixed; boundary=" + strings.Repeat("q", 60) + "00\n\n")
			for i := range 99 {
				fmt.Fprintf(&deep, "--%s%02d\nContent-Type: multipart/mixed; boundary=%s%02d\n\n", strings.Repeat("q", 60), i, strings.Repeat("q", 60), i+1)
			}
			return &shape{head: deep.String(), n: 500_000, line: same("--" + strings.Repeat("q", 60) + "zz\n")}
		},
	}
}

// A shape is a stream of a head, n lines and a tail.
type shape struct {
	head, tail string
	n, i       int
	line       func(int) string
	rest       string
	state      int
}

func (s *shape) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if s.rest == "" {
			switch {
			case s.state == 0:
				s.rest, s.state = s.head, 1
			case s.i < s.n:
				s.rest = s.line(s.i)
				s.i++
			case s.state == 1:
				s.rest, s.state = s.tail, 2
			default:
				if n == 0 {
					return 0, io.EOF
				}
				return n, nil
			}
			continue
		}
		k := copy(p[n:], s.rest)
		s.rest = s.rest[k:]
		n += k
	}
	return n, nil
}

// Every hostile shape is read in under 5 s and 64 MB.
func TestHostileShapes(t *testing.T) {
	for name, open := range hostileShapes() {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			peak := peakHeap(func() {
				m, err := Read(open(), Options{})
				if err != nil {
					t.Error(err)
				}
				runtime.KeepAlive(m)
			})
			took := time.Since(begun)
			if took > 5*time.Second {
				t.Errorf("it took %v, want under 5 s", took)
			}
			if peak > 64<<20 {
				t.Errorf("it took %d MB, want under 64 MB", peak>>20)
			}
			if testing.Verbose() {
				t.Logf("%v, %.1f MB", took.Round(time.Millisecond), float64(peak)/(1<<20))
			}
		})
	}
}

// peakHeap is how much the heap grows while f runs, in bytes, sampled. The collector
// runs often meanwhile: on a busy machine the garbage that waits for it would count.
func peakHeap(f func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		ticks := time.NewTicker(2 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			case <-done:
				runtime.ReadMemStats(&now)
				peak <- max(most, now.HeapAlloc)
				return
			}
		}
	}()
	f()
	close(done)
	most := <-peak
	if most < before.HeapAlloc {
		return 0
	}
	return most - before.HeapAlloc
}

func TestCapsAreNamed(t *testing.T) {
	shapes := hostileShapes()
	tests := map[string]string{
		"100,000 nested parts":   "100 levels",
		"100,000 empty parts":    "10,000 parts",
		"1,000,000 header lines": "1 MB",
		"50 MB of text":          "longer than 4 MB",
	}
	for name, want := range tests {
		m, err := Read(shapes[name](), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(m.Notes, " "); !strings.Contains(notes, want) {
			t.Errorf("%s: the notes are %q, want one that says %q", name, notes, want)
		}
	}
}

// An attachment is never held: 150 MB cost no more than the buffers.
func TestBigAttachmentStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 200 MB")
	}
	line := strings.Repeat("QUJD", 18) + "\n"
	open := func() io.Reader {
		return &shape{head: "Content-Type: multipart/mixed; boundary=x\n\n--x\n\ntext\n--x\nContent-Type: video/mp4\nContent-Transfer-Encoding: base64\n\n",
			n: 200 << 20 / len(line), line: func(int) string { return line }, tail: "--x--\n"}
	}
	peak := peakHeap(func() {
		m, err := Read(open(), Options{})
		if err != nil || len(m.Attachments) != 1 || m.Attachments[0].SizeBytes < 140<<20 {
			t.Errorf("Read = %+v, %v", m.Attachments, err)
		}
		a, err := Attachment(open(), 0, io.Discard)
		if err != nil || a.SHA256 != m.Attachments[0].SHA256 {
			t.Errorf("Attachment = %+v, %v", a, err)
		}
	})
	if peak > 8<<20 {
		t.Errorf("it took %d MB, want under 8", peak>>20)
	}
}

func TestErrorsOfTheStreamAreReturned(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("Subject: half\n\nsome te"), failing{})
	m, err := Read(broken, Options{})
	if err != io.ErrUnexpectedEOF {
		t.Errorf("the error is %v, want that of the stream", err)
	}
	if m.Subject != "half" || m.Text != "some te" {
		t.Errorf("Read keeps %q and %q of what there was", m.Subject, m.Text)
	}
	if _, err := Attachment(bytes.NewReader(nil), 0, io.Discard); err == nil {
		t.Error("an attachment of an empty message was found")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
