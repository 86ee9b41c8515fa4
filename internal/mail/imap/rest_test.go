package imap

import (
	"context"
	"testing"
	"time"
)

// observed is a connection whose server says one thing with each read; seen is
// called in front of it with how many bytes are wanted.
type observed struct {
	canned
	say  []string
	seen func(wanted int)
	read int
}

func (o *observed) Read(p []byte) (int, error) {
	o.seen(len(p))
	n := copy(p, o.say[o.read])
	o.say[o.read] = o.say[o.read][n:]
	if o.say[o.read] == "" {
		o.read++
	}
	return n, nil
}

// Ten thousand connections wait at the same time. What one word of a server leaves
// behind must not keep a buffer of 64 KB from going back.
func TestNoMemoryIsHeldWhileNothingComes(t *testing.T) {
	conn := &observed{say: []string{"+ idling\r\n", "* OK Still here\r\n", "* LIST \"a\\\"b\" {1}\r\nx\r\n", "* ", "6 EXISTS\r\n", "P1 OK done\r\n"}}
	c := newClient(conn, Options{})
	c.setCapabilities("IDLE")
	waited := 0
	conn.seen = func(wanted int) {
		if wanted > 1 {
			return // it has begun to speak
		}
		waited++
		if c.lex.line != nil || c.lex.long != nil || c.lex.value != nil || c.lex.buf != nil {
			t.Errorf("wait %d: a buffer is held", waited)
		}
	}
	if news, err := c.Idle(context.Background(), time.Minute); !news || err != nil {
		t.Errorf("Idle = %v, %v, want news", news, err)
	}
	if waited != 3 {
		t.Errorf("it waited %d times", waited)
	}
	if c.lex.line != nil || c.lex.buf != nil {
		t.Error("a buffer is held afterwards")
	}
}
