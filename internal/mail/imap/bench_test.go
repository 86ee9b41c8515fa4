package imap

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

const (
	benchMessages = 500
	benchBytes    = 22 << 10
)

// firehose answers every UID FETCH with the same responses, as fast as it can.
func firehose(b *testing.B) *net.TCPAddr {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var answer bytes.Buffer
	body := strings.Repeat("All work and no play makes Jack a dull boy.\r\n", benchBytes/45)
	for i := range benchMessages {
		fmt.Fprintf(&answer, "* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE \" 1-Jan-2024 10:00:00 +0100\" RFC822.SIZE %d BODY[] {%d}\r\n%s)\r\n",
			i+1, i+1, len(body), len(body), body)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "* PREAUTH [CAPABILITY IMAP4rev1] hello\r\n")
			for r := bufio.NewReader(conn); ; {
				line, err := r.ReadString('\n')
				if err != nil {
					break
				}
				tag, _, _ := strings.Cut(line, " ")
				if strings.Contains(line, "FETCH") {
					conn.Write(answer.Bytes())
				}
				io.WriteString(conn, tag+" OK done\r\n")
			}
			conn.Close()
		}
	}()
	b.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().(*net.TCPAddr)
}

func benchUIDs() []uint32 {
	uids := make([]uint32, benchMessages)
	for i := range uids {
		uids[i] = uint32(i + 1)
	}
	return uids
}

// BenchmarkBodies reads messages of 22 KB; BenchmarkRawSocket reads the same bytes
// and understands none of them.
func BenchmarkBodies(b *testing.B) {
	addr := firehose(b)
	c, err := Open(b.Context(), Options{Endpoint: mail.Endpoint{Host: addr.IP.String(), Port: addr.Port, TLS: postroom.TLSNone}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	uids := benchUIDs()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		err := c.Bodies(b.Context(), uids, func(_ Fact, r io.Reader) error {
			n++
			_, err := io.Copy(io.Discard, r)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
}

func BenchmarkRawSocket(b *testing.B) {
	addr := firehose(b)
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, bufferBytes)
	for b.Loop() {
		io.WriteString(conn, "P1 UID FETCH\r\n")
		for last := []byte(nil); !bytes.HasPrefix(last, []byte("P1 OK")); {
			if last, err = r.ReadSlice('\n'); err != nil {
				b.Fatal(err)
			}
			if bytes.HasPrefix(last, []byte("* ")) && bytes.HasSuffix(last, []byte("}\r\n")) {
				r.Discard(benchBytes / 45 * 45)
			}
		}
	}
	b.ReportMetric(float64(benchMessages*b.N)/b.Elapsed().Seconds(), "messages/s")
}
