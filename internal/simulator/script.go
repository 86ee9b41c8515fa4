package simulator

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"
)

// A Script is a server that follows a written dialogue, for servers that are odder
// than the Server can be. It speaks IMAP, or any protocol of lines.
//
//	simulator.Script{Greeting: "* OK ready", Steps: []simulator.Step{
//		{Expect: "LOGIN", Send: []string{"* CAPABILITY IMAP4rev1 IDLE", "{tag} OK done"}},
//		{Expect: "UID FETCH", Send: []string{"* 1 FETCH (UID 7 BODY[] " + simulator.Literal(raw) + ")", "{tag} OK"}},
//		{Expect: "IDLE", Send: []string{"+ idling", "* 2 EXISTS"}},
//		{Expect: "DONE", Untagged: true, Send: []string{"{tag} OK done"}},
//	}}
//
// By POP3 or SMTP no line has a tag:
//
//	simulator.Script{Greeting: "+OK odd", Untagged: true, Otherwise: "-ERR What?", Steps: []simulator.Step{
//		{Expect: "USER", Send: []string{"+OK"}},
//		{Expect: "PASS", Send: []string{"+OK in"}},
//		{Expect: "RETR 1", Raw: "+OK\r\nhalf a mess", End: true},
//	}}
type Script struct {
	Greeting string // a line; empty: none
	// Untagged says that no line has a tag, and none a literal.
	Untagged bool
	// Otherwise answers what no step fits, "{tag}" as in Send; empty: with BAD.
	Otherwise string
	Steps     []Step // in order
	Loop      bool   // after the last step the first follows; otherwise the connection ends
	// Always are steps that may come at any time, as often as the client likes, where
	// the next step does not fit: CAPABILITY, NOOP, LOGOUT.
	Always []Step
	// Next is the script of the second connection, whose Next is that of the third,
	// and so on; the last one serves all others. nil: this one does.
	Next *Script
}

// A Step is what the client is expected to say and what it is told then.
type Step struct {
	// Expect is how the command begins, after its tag and in any case. A literal in
	// the command stands behind its line, after CRLF.
	Expect string
	// Match is a pattern for the command, instead of Expect.
	Match *regexp.Regexp
	// Untagged says that the line has no tag: DONE, or an answer to a "+".
	Untagged bool
	// Text says that the step is not a line but all lines up to one with a dot alone,
	// which Heard gives as one, as they were sent: what follows DATA of SMTP.
	Text bool
	// Repeat lets the step come again, until the step after it fits.
	Repeat bool

	// Send is lines; CRLF is added, and "{tag}" at the beginning stands for the tag of
	// the command, or of the last one if this line has none.
	Send []string
	Raw  string // sent after that as it is
	// Secure begins TLS after that: the answer was to STARTTLS or STLS. What follows
	// that answer in Raw was sent before it was safe.
	Secure bool
	End    bool // the connection ends after that
}

// Literal writes bytes as a literal (RFC 9051 section 4.3).
func Literal(b []byte) string { return fmt.Sprintf("{%d}\r\n%s", len(b), b) }

var errEnd = errors.New("the script is over")

// play follows the script on one connection.
func (s *Script) play(server *ScriptServer, connection net.Conn) {
	const patience = 5 * time.Minute // a client that says nothing for so long is forgotten
	in := bufio.NewReader(connection)
	if s.Greeting != "" && send(connection, s.Greeting+"\r\n") != nil {
		return
	}
	next, tag, repeating := 0, "", false
	for next < len(s.Steps) || s.Loop || repeating {
		_ = connection.SetReadDeadline(time.Now().Add(patience)) // of a closed connection the read tells
		line, err := s.hear(connection, in, next)
		if err != nil {
			return
		}
		step, at := s.find(line, next, repeating)
		if !s.Untagged && (step == nil || !step.Untagged && !step.Text) {
			tag, line, _ = strings.Cut(line, " ")
		}
		server.note(line, step == nil)
		if step == nil {
			step = &Step{Send: []string{s.otherwise()}}
		}
		if step.tell(connection, tag) != nil {
			return
		}
		if step.Secure {
			secured := tls.Server(connection, server.tls)
			if secured.Handshake() != nil {
				return
			}
			connection = secured // its socket is closed by our caller
			in.Reset(secured)
		}
		if at >= 0 {
			next, repeating = at+1, step.Repeat
		}
		if s.Loop && next >= len(s.Steps) && len(s.Steps) > 0 && !repeating {
			next = 0
		}
	}
}

func (s *Script) otherwise() string {
	if s.Otherwise != "" {
		return s.Otherwise
	}
	return "{tag} BAD Nothing like that is in the script"
}

// hear reads what the client says: a text where the next step is one, or else a
// line.
func (s *Script) hear(connection net.Conn, in *bufio.Reader, next int) (string, error) {
	if next < len(s.Steps) && s.Steps[next].Text {
		return hearText(in)
	}
	if s.Untagged {
		line, err := in.ReadString('\n')
		return strings.TrimRight(line, "\r\n"), err
	}
	return hear(connection, in)
}

// find returns the step that fits a line: the next one, the one before it when that
// may be repeated, or one that always may come, whose index is -1.
func (s *Script) find(line string, next int, repeating bool) (*Step, int) {
	if next >= len(s.Steps) && s.Loop && len(s.Steps) > 0 {
		if s.Steps[0].fits(line, s.Untagged) {
			return &s.Steps[0], 0
		}
	}
	if next < len(s.Steps) && (s.Steps[next].Text || s.Steps[next].fits(line, s.Untagged)) {
		return &s.Steps[next], next
	}
	if repeating && s.Steps[next-1].fits(line, s.Untagged) {
		return &s.Steps[next-1], next - 1
	}
	for i := range s.Always {
		if s.Always[i].fits(line, s.Untagged) {
			return &s.Always[i], -1
		}
	}
	return nil, -1
}

func (p *Step) fits(line string, untagged bool) bool {
	if !p.Untagged && !untagged {
		_, line, _ = strings.Cut(line, " ")
	}
	if p.Match != nil {
		return p.Match.MatchString(line)
	}
	return len(line) >= len(p.Expect) && strings.EqualFold(line[:len(p.Expect)], p.Expect)
}

func (p *Step) tell(connection net.Conn, tag string) error {
	var text strings.Builder
	for _, line := range p.Send {
		if rest, ok := strings.CutPrefix(line, "{tag}"); ok {
			line = tag + rest
		}
		text.WriteString(line + "\r\n")
	}
	text.WriteString(p.Raw)
	if err := send(connection, text.String()); err != nil {
		return err
	}
	if p.End {
		return errEnd
	}
	return nil
}

func send(connection net.Conn, text string) error {
	_, err := io.WriteString(connection, text)
	return err
}

// hearText reads lines up to one with a dot alone, which is left out.
func hearText(in *bufio.Reader) (string, error) {
	const largest = 64 << 20 // bytes
	var all strings.Builder
	for all.Len() < largest {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if strings.TrimRight(line, "\r\n") == "." {
			return all.String(), nil
		}
		all.WriteString(line)
	}
	return "", fmt.Errorf("a text of more than %d bytes", largest)
}

// hear reads a line and the literals in it, for which it asks.
func hear(connection net.Conn, in *bufio.Reader) (string, error) {
	const largest = 64 << 20 // bytes of a literal
	var all strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		line = strings.TrimRight(line, "\r\n")
		all.WriteString(line)
		size, ok := literalSize(line)
		if !ok {
			return all.String(), nil
		}
		if size > largest {
			return "", fmt.Errorf("a literal of %d bytes", size)
		}
		if !strings.HasSuffix(line, "+}") {
			if err := send(connection, "+ go on\r\n"); err != nil {
				return "", err
			}
		}
		all.WriteString("\r\n")
		if _, err := io.CopyN(&all, in, size); err != nil {
			return "", err
		}
	}
}
