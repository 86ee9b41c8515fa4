package simulator

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAServerInMemoryLivesInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Start(Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.AddAccount("anna@example.net", "secret")
		connection, err := s.Dial(t.Context(), "tcp", "imap.example.net:143")
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		in := bufio.NewReader(connection)
		until := func(prefix string) {
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					t.Fatalf("waiting for %q: %v", prefix, err)
				}
				if strings.HasPrefix(line, prefix) {
					return
				}
			}
		}
		until("* OK")
		for _, c := range [][2]string{{"1 LOGIN anna@example.net secret", "1 OK"}, {"2 SELECT INBOX", "2 OK"}, {"3 IDLE", "+ "}} {
			_, _ = io.WriteString(connection, c[0]+"\r\n")
			until(c[1])
		}
		begun := time.Now()
		time.AfterFunc(3*time.Hour, func() {
			if _, err := s.Append("anna@example.net", "INBOX", []byte("news"), time.Time{}); err != nil {
				t.Error(err)
			}
		})
		until("* 1 EXISTS")
		if waited := time.Since(begun); waited != 3*time.Hour {
			t.Errorf("IDLE told after %s, want 3 hours", waited)
		}
		s.SetFaults("", Faults{BytesPerSecond: 1})
		_, _ = io.WriteString(connection, "DONE\r\n")
		until("3 OK")
		if waited := time.Since(begun); waited < 3*time.Hour+10*time.Second {
			t.Errorf("a slow answer came after %s", waited)
		}
	})
}
