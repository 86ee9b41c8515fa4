package pop3

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// dripping is a client of a server that answers its first command with first, and
// goes on with again after every pause: so many times and then with last, or as
// long as somebody listens. Time is that of synctest.
func dripping(t *testing.T, first, again string, pause time.Duration, times int, last string) *Client {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		_, err := bufio.NewReader(theirs).ReadString('\n')
		if err == nil {
			_, err = io.WriteString(theirs, first)
		}
		for n := 0; err == nil && (times == 0 || n < times); n++ {
			time.Sleep(pause)
			_, err = io.WriteString(theirs, again)
		}
		if err == nil {
			_, _ = io.WriteString(theirs, last)
		}
	}()
	t.Cleanup(func() { ours.Close(); <-done })
	return newClient(ours, Options{})
}

// No silence is ever long enough to be one; still each of these ends.
func TestServersThatDripDoNotHoldAMailboxForEver(t *testing.T) {
	for name, test := range map[string]struct {
		retrieves    bool
		first, again string
	}{
		"an answer of one endless line":      {false, "+", "x"},
		"a list with a byte now and then":    {false, "+OK\r\n", "1"},
		"a message with a byte now and then": {true, "+OK\r\n", "x"},
		"a last dot that does not come":      {true, "+OK\r\n.", "."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := dripping(t, test.first, test.again, 25*time.Second, 0, "")
				began := time.Now()
				var err error
				if test.retrieves {
					_, err = retrieve(t, c, 1)
				} else {
					_, _, err = c.List(t.Context())
				}
				if r := refusalOf(t, err); r.Err == nil || !strings.Contains(r.Error(), "timeout") || c.Usable() {
					t.Errorf("err = %v", err)
				}
				if took := time.Since(began); took > 25*time.Minute {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// What is slow, but fast enough, arrives, however long it takes.
func TestSlowMessagesArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const chunks = 10_000
		c := dripping(t, "+OK\r\n", strings.Repeat("x", 25<<10)+"\r\n", 25*time.Second, chunks, ".\r\n")
		began := time.Now()
		var got int64
		err := c.Retrieve(t.Context(), 1, func(r io.Reader) (err error) {
			got, err = io.Copy(io.Discard, r)
			return err
		})
		if err != nil || got != chunks*(25<<10+2) {
			t.Errorf("%d bytes, %v after %v", got, err, time.Since(began))
		}
		if took := time.Since(began); took < 2*24*time.Hour {
			t.Errorf("it took %v only", took)
		}
	})
}
