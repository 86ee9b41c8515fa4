package simulator

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/postroom/postroom"
)

// A wire stands between a client and package imapserver: it understands enough of
// both directions to let things go wrong at a chosen place, and answers what that
// package does not know. STARTTLS is its own, so that it always sees plain text.
type wire struct {
	*call  // its lock guards the second half too
	server *Server
	back   net.Conn // our end of the pipe to package imapserver
	// greeted is closed when the greeting is out: a client may talk before it, but
	// our own answers must not.
	greeted chan struct{}

	said       map[string]command
	login      string // the tag of a LOGIN or AUTHENTICATE that was not answered yet
	verdict    verdict
	idle       string // the tag of an IDLE that the client has not ended
	idling     bool   // and the client was told to go on
	refused    bool   // a message was left out of the answer of this command
	session    *session
	introduced bool // it has sent ID
}

// A command is one command of a client, without its literals.
type command struct{ tag, name, rest string }

func newWire(s *Server, c *call) *wire {
	w := &wire{call: c, server: s, greeted: make(chan struct{}), said: map[string]command{}}
	c.mu.Lock()
	c.woken = w.faultsChanged
	c.mu.Unlock()
	return w
}

// run serves the connection until either side ends it.
func (w *wire) run() {
	if w.server.options.TLS == postroom.TLSImplicit {
		if err := w.secure(); err != nil {
			return
		}
	}
	back, theirs := net.Pipe()
	w.back = back
	select {
	case w.server.hatch.connections <- &pipeEnd{Conn: theirs, wire: w}:
	case <-w.stop:
		return
	case <-w.server.hatch.closed:
		return
	}
	defer back.Close()
	defer theirs.Close()
	var both sync.WaitGroup
	both.Go(func() {
		defer back.Close() // or a command that nobody takes any more would wait for ever
		defer w.cut()
		w.responses(bufio.NewReaderSize(back, 1<<10)) // small, for there may be thousands that wait
	})
	w.commands()
	w.cut()
	_ = back.Close() // which ends responses
	both.Wait()
}

// faultsChanged does at once what does not wait for a next step.
func (w *wire) faultsChanged() {
	w.mu.Lock()
	idling := w.idling
	w.mu.Unlock()
	if reason := w.faults().ByeInIdle; reason != "" && idling {
		w.bye(reason)
	}
}

func (w *wire) bye(reason string) {
	w.out.say("* BYE " + reason)
	w.cut()
}

// commands reads what the client sends, until there is no more.
func (w *wire) commands() {
	in := bufio.NewReaderSize(w.connection(), 512)
	select {
	case <-w.greeted:
	case <-w.stop:
		return
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		c, isCommand := w.parse(line)
		if isCommand {
			w.port.count(w.userName(), func(n *Counts) { n.Commands[c.name]++ })
			answered, err := w.answer(c)
			if err != nil {
				return
			}
			if answered && c.name == "STARTTLS" {
				in.Reset(w.connection()) // what was sent ahead in the clear is dropped (RFC 9051 section 6.2.1)
			}
			if answered {
				if err := swallow(in, line); err != nil {
					return
				}
				continue
			}
			line = w.forward(c, line)
		}
		if err := w.relay(in, line); err != nil {
			return
		}
	}
}

// relay passes a line on, with the literals and the lines that belong to it.
func (w *wire) relay(in *bufio.Reader, line string) error {
	for {
		if _, err := io.WriteString(w.back, line); err != nil {
			return err
		}
		size, ok := literalSize(line)
		if !ok {
			return nil
		}
		if _, err := io.CopyN(w.back, in, size); err != nil {
			return err
		}
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			return err
		}
	}
}

// parse splits a line into a command. DONE, and the lines of an exchange that
// AUTHENTICATE has begun, are none.
func (w *wire) parse(line string) (c command, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.idle != "" {
		w.idle, w.idling = "", false
		return c, false
	}
	if w.login != "" && w.said[w.login].name == "AUTHENTICATE" {
		return c, false
	}
	var name string
	c.tag, name, _ = strings.Cut(strings.TrimRight(line, "\r\n"), " ")
	name, c.rest, _ = strings.Cut(name, " ")
	c.name = strings.ToUpper(name)
	if c.name == "UID" {
		name, c.rest, _ = strings.Cut(c.rest, " ")
		c.name = "UID " + strings.ToUpper(name)
	}
	return c, c.name != ""
}

// forward notes a command that package imapserver will answer, and returns its
// line as that package understands it.
func (w *wire) forward(c command, line string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said[c.tag] = c
	switch c.name {
	case "LOGIN", "AUTHENTICATE":
		w.login = c.tag
	case "IDLE":
		w.idle = c.tag
	}
	if w.server.options.Gmail && strings.HasSuffix(c.name, "FETCH") {
		line = strings.ReplaceAll(line, "X-GM-MSGID", "UID") // the answer is put in on the way back
	}
	return line
}

// answer answers what package imapserver does not know or shall not see.
func (w *wire) answer(c command) (answered bool, err error) {
	f := w.faults()
	o := w.server.options
	w.mu.Lock()
	secured, known := w.secured, w.introduced
	w.introduced = known || c.name == "ID"
	w.mu.Unlock()
	if names(f.CutBefore, c.name) {
		return true, errCut
	}
	if err := w.wait(f.Pause[c.name]); err != nil {
		return true, err
	}
	reply, replied := f.Replies[c.name]
	switch {
	case names(f.Ignore, c.name):
		return true, nil
	case replied:
		line, ends := withTag(c.tag, reply)
		w.out.say(line)
		if ends || names(f.EndAfter, c.name) {
			return true, errCut
		}
		return true, nil
	case f.refuses(c):
		reply = "BAD Unknown command"
	case c.name == "STARTTLS" && o.TLS == postroom.TLSStart && !secured:
		w.out.say(c.tag + " OK Begin TLS negotiation now")
		return true, w.secure()
	case c.name == "ID":
		w.out.say(`* ID ("name" "Postroom simulator")`)
		reply = "OK ID completed"
	case (c.name == "LOGIN" || c.name == "AUTHENTICATE") && o.TLS == postroom.TLSStart && !secured:
		reply = "NO [PRIVACYREQUIRED] TLS is required to sign in"
	case (c.name == "SELECT" || c.name == "EXAMINE") && o.RequireID && !known:
		reply = "NO " + c.name + " Unsafe Login. Please contact kefu@188.com for help"
	default:
		return false, nil
	}
	w.out.say(c.tag + " " + reply)
	return true, nil
}

// withTag puts the tag before the last line of a reply, unless that is untagged. ends
// says that it is a BYE.
func withTag(tag, reply string) (lines string, ends bool) {
	reply = crlf(reply)
	last := reply[strings.LastIndexByte(reply, '\n')+1:]
	if !strings.HasPrefix(last, "*") {
		return strings.TrimSuffix(reply, last) + tag + " " + last, false
	}
	return reply, strings.HasPrefix(last, "* BYE")
}

// swallow reads the rest of a command that package imapserver shall not see: what a
// client sends without being asked to go on (RFC 7888).
func swallow(in *bufio.Reader, line string) error {
	for {
		size, ok := literalSize(line)
		if !ok || !strings.HasSuffix(strings.TrimRight(line, "\r\n"), "+}") {
			return nil
		}
		if _, err := io.CopyN(io.Discard, in, size); err != nil {
			return err
		}
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			return err
		}
	}
}

// literalSize reads the size of a literal from the end of a line: {5}, {5+} or
// ~{5} (RFC 9051 section 4.3, RFC 3516 section 4.2).
func literalSize(line string) (size int64, ok bool) {
	text, ok := strings.CutSuffix(strings.TrimRight(line, "\r\n"), "}")
	open := strings.LastIndexByte(text, '{')
	if !ok || open < 0 {
		return 0, false
	}
	size, err := strconv.ParseInt(strings.TrimSuffix(text[open+1:], "+"), 10, 64)
	return size, err == nil
}
