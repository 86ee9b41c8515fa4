package fetch_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/postroom/postroom"
)

// A twist changes what a server answers. It is called with one answer at a time: a
// response with its literals by IMAP, a reply with its lines by POP3.
type twist func(x *exchange)

// An exchange is one answer of a server on its way.
type exchange struct {
	connection int    // counted from 1
	answers    int    // on this connection, counted from 1
	tag        string // of the last command
	command    string // the last command, without its tag; empty: none yet
	answer     string // as it stands on the wire, line ends included
	also       string // said to the server in the client's name
	hangUp     bool   // after the answer the connection ends
}

// says tells whether the last command begins with words.
func (x *exchange) says(words string) bool { return strings.HasPrefix(x.command, words) }

// isDone says whether the answer ends an IMAP command.
func (x *exchange) isDone() bool { return x.tag != "" && strings.HasPrefix(x.answer, x.tag+" ") }

// replace changes the answer wherever it has the text.
func (x *exchange) replace(old, new string) { x.answer = strings.ReplaceAll(x.answer, old, new) }

// A crooked line stands between the fleet and a server that does everything right.
type crooked struct {
	port     int
	protocol postroom.Protocol
	server   string

	listener net.Listener
	group    sync.WaitGroup

	mu          sync.Mutex // guards what follows
	twist       twist      // nil: everything passes as it is
	preauth     string     // what is said to the server so that its client need not sign in
	connections int
	open        map[net.Conn]bool
}

func newCrooked(t testing.TB, protocol postroom.Protocol, server string) *crooked {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &crooked{port: listener.Addr().(*net.TCPAddr).Port, protocol: protocol, server: server, listener: listener, open: map[net.Conn]bool{}}
	c.group.Go(c.accept)
	t.Cleanup(func() {
		listener.Close()
		c.cut()
		c.group.Wait()
	})
	return c
}

// bend changes what is twisted from now on, on open connections too.
func (c *crooked) bend(t twist) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.twist = t
}

// cut ends all connections.
func (c *crooked) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		conn.Close()
	}
}

// knows has the server greet clients as known, after these words in their name.
func (c *crooked) knows(words string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.preauth = words
}

func (c *crooked) accept() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.server)
		if err != nil {
			client.Close()
			continue
		}
		c.mu.Lock()
		c.connections++
		x := &exchange{connection: c.connections}
		c.open[client], c.open[server] = true, true
		c.mu.Unlock()
		c.group.Go(func() { c.up(x, client, server) })
		c.group.Go(func() { c.down(x, client, server) })
	}
}

// up passes on what the client says, and notes the commands.
func (c *crooked) up(x *exchange, client, server net.Conn) {
	defer server.Close()
	for r := bufio.NewReader(client); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		c.mu.Lock()
		if text := strings.TrimRight(line, "\r\n"); c.protocol == postroom.POP3 {
			x.command = text
		} else if tag, command, ok := strings.Cut(text, " "); ok && strings.HasPrefix(tag, "P") {
			x.tag, x.command = tag, command
		}
		c.mu.Unlock()
		if _, err := io.WriteString(server, line); err != nil {
			return
		}
	}
}

// down passes on what the server answers, twisted.
func (c *crooked) down(x *exchange, client, server net.Conn) {
	defer func() {
		client.Close()
		server.Close()
		c.mu.Lock()
		delete(c.open, client)
		delete(c.open, server)
		c.mu.Unlock()
	}()
	r := bufio.NewReader(server)
	c.mu.Lock()
	preauth := c.preauth
	c.mu.Unlock()
	if preauth != "" && !signIn(preauth, r, server, client) {
		return
	}
	for {
		answer, err := c.readAnswer(r, x)
		if err != nil {
			return
		}
		c.mu.Lock()
		x.answer = answer
		x.answers++
		if c.twist != nil {
			c.twist(x)
		}
		answer, also, hangUp := x.answer, x.also, x.hangUp
		x.also = ""
		c.mu.Unlock()
		if _, err := io.WriteString(server, also); err != nil {
			return
		}
		if _, err := io.WriteString(client, answer); err != nil || hangUp {
			return
		}
	}
}

// signIn speaks for a client that is greeted as known.
func signIn(words string, r *bufio.Reader, server, client net.Conn) bool {
	if _, err := r.ReadString('\n'); err != nil {
		return false
	}
	if _, err := io.WriteString(server, words); err != nil {
		return false
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if strings.HasPrefix(line, "* ") {
			continue
		}
		_, err = io.WriteString(client, "* PREAUTH at your service\r\n")
		return err == nil
	}
}

// takesLines says whether a POP3 command is answered by several lines.
func takesLines(command string) bool {
	word, argument, _ := strings.Cut(command, " ")
	switch strings.ToUpper(word) {
	case "CAPA", "RETR", "TOP":
		return true
	case "LIST", "UIDL":
		return argument == ""
	}
	return false
}

// readAnswer reads a response and the literals in it, or a reply and its lines. By
// POP3 it is known only with the first line which command it answers.
func (c *crooked) readAnswer(r *bufio.Reader, x *exchange) (string, error) {
	var all strings.Builder
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	all.WriteString(line)
	if c.protocol == postroom.POP3 {
		c.mu.Lock()
		isLong := takesLines(x.command)
		c.mu.Unlock()
		for many := isLong && strings.HasPrefix(line, "+OK"); many; many = line != ".\r\n" {
			if line, err = r.ReadString('\n'); err != nil {
				return "", err
			}
			all.WriteString(line)
		}
		return all.String(), nil
	}
	for {
		text := strings.TrimRight(line, "\r\n")
		open := strings.LastIndexByte(text, '{')
		if open < 0 || !strings.HasSuffix(text, "}") || !strings.HasPrefix(all.String(), "*") {
			return all.String(), nil
		}
		size, err := strconv.Atoi(strings.TrimSuffix(text[open+1:], "}"))
		if err != nil {
			return all.String(), nil
		}
		literal := make([]byte, size)
		if _, err := io.ReadFull(r, literal); err != nil {
			return "", fmt.Errorf("read a literal: %w", err)
		}
		all.Write(literal)
		if line, err = r.ReadString('\n'); err != nil {
			return "", err
		}
		all.WriteString(line)
	}
}
