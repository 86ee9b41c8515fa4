package pop3

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postroom/postroom/internal/mail"
)

func TestListsInEveryForm(t *testing.T) {
	long := strings.Repeat("n", 300)
	tests := map[string]struct {
		server string
		want   []Message
		noUIDL bool
	}{
		"as it should be": {`
			C: LIST
			R: "+OK 2 messages (320 octets)\r\n1 120\r\n2 200\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n1 whqtswO00WBw418f9t5JxYwZ\r\n2 QhdPYR:00WBw1Ph7x7\r\n.\r\n"`,
			[]Message{{1, 120, "whqtswO00WBw418f9t5JxYwZ"}, {2, 200, "QhdPYR:00WBw1Ph7x7"}}, false},
		"nothing there": {`
			C: LIST
			R: "+OK\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n.\r\n"
			C: STAT
			S: +OK 0 0`, nil, false},
		"nothing there, and it will not say so": {`
			C: LIST
			S: -ERR no messages
			C: UIDL
			S: -ERR no messages
			C: STAT
			S: +OK 0 0`, nil, true},
		"one byte a packet": {`
			C: LIST
			D: "+OK\r\n1 120\r\n.\r\n"
			C: UIDL
			D: "+OK\r\n1 a\r\n.\r\n"`, []Message{{1, 120, "a"}}, false},
		"LF only, extra blanks, empty lines, a dot with blanks": {`
			C: LIST
			R: "\n+OK\n  1   120 \n\n\t2\t200\n . \n"
			C: UIDL
			R: "+OK\n 1  a \n\n2\tb\n.\n\n"`, []Message{{1, 120, "a"}, {2, 200, "b"}}, false},
		"out of order, and twice": {`
			C: LIST
			R: "+OK\r\n3 30\r\n1 10\r\n2 20\r\n1 11\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n2 b\r\n3 c\r\n2 x\r\n1 a\r\n.\r\n"`, []Message{{1, 10, "a"}, {2, 20, "b"}, {3, 30, "c"}}, false},
		"each list knows what the other does not": {`
			C: LIST
			R: "+OK\r\n1 10\r\n3 30\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n1 a\r\n2 b\r\n9 i\r\n.\r\n"
			C: UIDL 3
			S: +OK 3 c`, []Message{{1, 10, "a"}, {2, 0, "b"}, {3, 30, "c"}, {9, 0, "i"}}, false},
		"a name that is asked for and not given": {`
			C: LIST
			R: "+OK\r\n1 10\r\n2 20\r\n3 30\r\n4 40\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n1 a\r\n2\r\n.\r\n"
			C: UIDL 2
			S: -ERR no such message
			C: UIDL 3
			S: +OK 4 d
			C: UIDL 4
			S: +OK`, []Message{{1, 10, "a"}, {2, 20, ""}, {3, 30, ""}, {4, 40, ""}}, false},
		"sizes of every kind": {`
			C: LIST
			R: "+OK\r\n1 5000000000\r\n2 -1\r\n3\r\n4 many\r\n5 99999999999999999999\r\n6 60 octets\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n1 a\r\n2 b\r\n3 c\r\n4 d\r\n5 e\r\n6 f\r\n.\r\n"`,
			[]Message{{1, 5_000_000_000, "a"}, {2, 0, "b"}, {3, 0, "c"}, {4, 0, "d"}, {5, 0, "e"}, {6, 60, "f"}}, false},
		"numbers that are none": {`
			C: LIST
			R: "+OK\r\n0 10\r\n-1 10\r\n99999999999 10\r\nx 10\r\n1 10\r\n..2 10\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n0 z\r\n1 a\r\n4294967297 y\r\nx\r\n.\r\n"`, []Message{{1, 10, "a"}}, false},
		"names of every kind": {`
			C: LIST
			R: "+OK\r\n1 1\r\n2 1\r\n3 1\r\n4 1\r\n5 1\r\n6 1\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n1 a b\r\n2 \xff\xfe\r\n3 ü\r\n4 ` + long + `\r\n5 <a@b>\r\n6 x\x00y\r\n.\r\n"`,
			[]Message{{1, 1, "a b"}, {2, 1, storable([]byte("\xff\xfe"))}, {3, 1, storable([]byte("ü"))},
				{4, 1, storable([]byte(long))}, {5, 1, "<a@b>"}, {6, 1, storable([]byte("x\x00y"))}}, false},
		"a line of 100 KB": {`
			C: LIST
			R: "+OK\r\n1 1\r\n2 1\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n1 a\r\n2 ` + strings.Repeat("x", 100_000) + `\r\n.\r\n"
			C: UIDL 2
			S: -ERR no`, []Message{{1, 1, "a"}, {2, 1, ""}}, false},
		"two messages of one name": {`
			C: LIST
			R: "+OK\r\n1 10\r\n2 10\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n1 a\r\n2 a\r\n.\r\n"`, []Message{{1, 10, "a"}, {2, 10, "a"}}, false},
		"one name for all": {`
			C: LIST
			R: "+OK\r\n1 10\r\n2 10\r\n3 10\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n1 a\r\n2 a\r\n3 a\r\n.\r\n"`, []Message{{1, 10, ""}, {2, 10, ""}, {3, 10, ""}}, true},
		"no UIDL": {`
			C: LIST
			R: "+OK\r\n1 10\r\n.\r\n"
			C: UIDL
			S: -ERR unknown command`, []Message{{1, 10, ""}}, true},
		"UIDL that says nothing": {`
			C: LIST
			R: "+OK\r\n1 10\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n.\r\n"`, []Message{{1, 10, ""}}, true},
		"no LIST": {`
			C: LIST
			S: -ERR not here
			C: UIDL
			R: "+OK\r\n1 a\r\n.\r\n"`, []Message{{1, 0, "a"}}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := maildrop(t, strings.TrimPrefix(test.server, "\n")+"\nC: NOOP\nS: +OK\nhang")
			got, hasUIDL, err := c.List(t.Context())
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil || hasUIDL == test.noUIDL {
				t.Errorf("List: %v, %v (-want +got):\n%s", hasUIDL, err, diff)
			}
			if err := c.Noop(t.Context()); err != nil {
				t.Errorf("Noop: %v", err)
			}
		})
	}
}

func TestListsThatCannotBeBelieved(t *testing.T) {
	tests := map[string]struct {
		server   string
		want     mail.Refusal // without Err, but see cause
		cause    string
		isUsable bool
	}{
		"no dot": {`
			C: LIST
			R: "+OK\r\n1 10\r\n"
			hang`, mail.Refusal{Phase: mail.PhaseList}, "i/o timeout", false},
		"cut off": {`
			C: LIST
			R: "+OK\r\n1 10\r\n2 2"
			cut`, mail.Refusal{Phase: mail.PhaseList}, "unexpected EOF", false},
		"garbage for an answer": {`
			C: LIST
			S: 1 10
			hang`, mail.Refusal{Phase: mail.PhaseList, Reply: "1 10"}, "not an answer", false},
		"more than was asked": {`
			C: LIST
			R: "+OK\r\n1 10\r\n.\r\n+OK\r\n1 a\r\n.\r\n"
			hang`, mail.Refusal{Phase: mail.PhaseList}, "more than it was asked", false},
		"UIDL refused for now": {`
			C: LIST
			R: "+OK\r\n1 10\r\n.\r\n"
			C: UIDL
			S: -ERR [SYS/TEMP] index is being made
			C: NOOP
			S: +OK
			hang`, mail.Refusal{Phase: mail.PhaseList, Reply: "-ERR [SYS/TEMP] index is being made", Code: "SYS/TEMP"}, "", true},
		"LIST refused": {`
			C: LIST
			S: -ERR [SYS/PERM] broken
			C: UIDL
			S: -ERR [SYS/PERM] broken
			C: STAT
			S: +OK 3 300
			C: NOOP
			S: +OK
			hang`, mail.Refusal{Phase: mail.PhaseList, Reply: "-ERR [SYS/PERM] broken", Code: "SYS/PERM"}, "", true},
		"nothing listed of what is there": {`
			C: LIST
			R: "+OK\r\n?\r\n.\r\n"
			C: UIDL
			R: "+OK\r\n.\r\n"
			C: STAT
			S: +OK 3 300
			C: NOOP
			S: +OK
			hang`, mail.Refusal{Phase: mail.PhaseList, Reply: "+OK 3 300"}, "", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, welcome()+strings.TrimPrefix(test.server, "\n")))
			o.CommandTimeout = 200 * time.Millisecond
			c := open(t, o)
			messages, _, err := c.List(t.Context())
			got := refusalOf(t, err)
			if messages != nil {
				t.Errorf("messages = %v", messages)
			}
			cause := got.Err
			got.Err, test.want.Protocol = nil, "pop3"
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(mail.Refusal{}, "Heard")); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if test.cause == "" && cause != nil || test.cause != "" && (cause == nil || !strings.Contains(cause.Error(), test.cause)) {
				t.Errorf("cause = %v, want %q", cause, test.cause)
			}
			if err := c.Noop(t.Context()); (err == nil) != test.isUsable || c.Usable() != test.isUsable {
				t.Errorf("Noop: %v", err)
			}
		})
	}
}

// A server that lists more than anybody keeps is not believed, and does not fill
// the memory.
func TestListsHaveALimit(t *testing.T) {
	for lines, isTooMany := range map[int]bool{maxMessages: false, maxMessages + 1: true} {
		addr := serve(t, func(conn net.Conn) {
			play(t, conn, welcome()+"C: LIST\nS: +OK")
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			var batch []byte
			for n := range lines {
				if batch = fmt.Appendf(batch, "%d 1\r\n", n+1); len(batch) > 1<<16 || n == lines-1 {
					conn.Write(batch)
					batch = batch[:0]
				}
			}
			if !isTooMany {
				play(t, conn, "S: .\nC: UIDL\nS: -ERR no\nhang")
			}
		})
		c := open(t, optionsFor(addr))
		messages, _, err := c.List(t.Context())
		if isTooMany && (err == nil || !strings.Contains(err.Error(), "more than 1000000 lines") || c.Usable()) {
			t.Errorf("List of %d = %d, %v", lines, len(messages), err)
		}
		if !isTooMany && (err != nil || len(messages) != lines) {
			t.Errorf("List of %d = %d, %v", lines, len(messages), err)
		}
	}
}
