package simulator

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
)

// A dialogue is a call in a protocol of lines, POP3 or SMTP: the client says one,
// and is answered.
type dialogue struct {
	*call
	in *bufio.Reader
	// carryOut does what a command says. An error ends the connection.
	carryOut func(name, argument string) (answer, error)
	note     func(name, argument string)
}

// An answer is what a command is told.
type answer struct {
	line string
	// text follows the line of a POP3 answer, up to a line with a dot alone (RFC 1939
	// section 3); nil: there is none.
	text []byte
	// isMail says that text is a message, which faults of messages reach.
	isMail bool
	quit   bool // the connection ends after that
	// then follows an answer that was told; nil: nothing does.
	then func() (end bool, err error)
}

const longestCommand = 64 << 10 // bytes that a client may send in one line

var errLongLine = errors.New("a line is too long")

// hear reads one line, without its end.
func (d *dialogue) hear() (string, error) {
	var line []byte
	for {
		part, err := d.in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > longestCommand {
			return "", errLongLine
		}
		if err == nil {
			return strings.TrimRight(string(line), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
}

// run greets and answers until either side ends the dialogue.
func (d *dialogue) run(greeting, busy, bye string) {
	if !d.greet(greeting, busy, bye) {
		return
	}
	for {
		line, err := d.hear()
		if err != nil {
			return
		}
		name, argument, _ := strings.Cut(line, " ")
		name = strings.ToUpper(name)
		if name != "PASS" { // a password may begin and end with blanks (RFC 1939 section 7)
			argument = strings.TrimSpace(argument)
		}
		d.note(name, argument)
		end, err := d.obey(name, argument)
		if err != nil || end {
			return
		}
	}
}

// greet says the greeting, busy to a connection too many, or bye where a fault is
// for one. It returns false when the dialogue is over.
func (d *dialogue) greet(greeting, busy, bye string) (goOn bool) {
	f := d.faults()
	switch {
	case names(f.CutBefore, "GREETING"), d.wait(f.Pause["GREETING"]) != nil:
		return false
	case d.turnedAway:
		_ = d.tell(answer{line: busy}) // it ends anyway
		return false
	case f.ByeAtGreeting != "":
		_ = d.tell(answer{line: bye})
		return false
	case names(f.Ignore, "GREETING"):
		return true
	}
	a := answer{line: greeting}
	if said, replaced := f.reply("GREETING", ""); replaced {
		a = said
	}
	return d.tell(a) == nil && !a.quit && !names(f.EndAfter, "GREETING")
}

// obey carries one command out and answers, as the faults of the moment have it.
func (d *dialogue) obey(name, argument string) (end bool, err error) {
	f := d.faults()
	if names(f.CutBefore, name) {
		return true, nil
	}
	if err := d.wait(f.Pause[name]); err != nil {
		return true, err
	}
	if names(f.Ignore, name) {
		return false, nil
	}
	a, replaced := f.reply(name, argument)
	if !replaced {
		if a, err = d.carryOut(name, argument); err != nil {
			return true, err
		}
	}
	if names(f.CutAfter, name) {
		return true, nil
	}
	if err := d.tell(a); err != nil {
		return true, err
	}
	if names(f.EndAfter, name) {
		return true, nil
	}
	if a.then != nil {
		return a.then()
	}
	return a.quit, nil
}

// beginTLS follows the answer to STLS or STARTTLS. What was sent ahead in the clear
// is dropped (RFC 2595 section 4, RFC 3207 section 4.2).
func (d *dialogue) beginTLS() (end bool, err error) {
	if err := d.secure(); err != nil {
		return true, err
	}
	d.in.Reset(d.connection())
	return false, nil
}

// reply is what a fault answers in place of a command.
func (f *Faults) reply(name, argument string) (answer, bool) {
	for _, key := range []string{name + " " + argument, name} {
		if line, ok := f.Replies[key]; ok {
			return answer{line: crlf(line), quit: isFarewell(line)}, true
		}
	}
	return answer{}, false
}

// isFarewell says whether a server of SMTP ends the connection with a reply (RFC 5321
// section 3.8).
func isFarewell(reply string) bool { return strings.HasPrefix(reply, "421") }

// crlf ends the lines of a reply as the protocols want it.
func crlf(reply string) string {
	return strings.ReplaceAll(strings.ReplaceAll(reply, "\r\n", "\n"), "\n", "\r\n")
}

// tell sends an answer.
func (d *dialogue) tell(a answer) error {
	d.out.mu.Lock()
	defer d.out.mu.Unlock()
	f := d.out.faults()
	var cutAt = -1
	if a.isMail {
		d.out.texts++
		switch d.out.texts {
		case f.CutAtFetch:
			return errCut
		case f.CutInLiteral:
			cutAt = len(a.text) / 2
		}
	}
	w := bufio.NewWriterSize(outWriter{&d.out}, 4<<10)
	_, _ = w.WriteString(a.line + "\r\n") // errors stay until Flush
	if a.text == nil {
		return w.Flush()
	}
	if cutAt >= 0 {
		stuff(w, a.text[:cutAt])
		return errors.Join(w.Flush(), errCut)
	}
	stuff(w, a.text)
	if len(a.text) > 0 && !bytes.HasSuffix(a.text, []byte("\r\n")) {
		_, _ = w.WriteString("\r\n")
	}
	_, _ = w.WriteString(".\r\n")
	return w.Flush()
}

// stuff writes lines with a dot before those that begin with one (RFC 1939
// section 3).
func stuff(w *bufio.Writer, text []byte) {
	for line := range bytes.Lines(text) {
		if line[0] == '.' {
			_ = w.WriteByte('.')
		}
		_, _ = w.Write(line)
	}
}

// outWriter writes as the faults have it; its owner holds the lock.
type outWriter struct{ out *outgoing }

func (w outWriter) Write(b []byte) (int, error) {
	if err := w.out.write(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// exchange leads one SASL dialogue (RFC 4422), whose challenges come after prompt:
// "+ " by POP3 (RFC 5034), "334 " by SMTP (RFC 4954). cancelled says that the
// client gave up or wrote no base64.
func (d *dialogue) exchange(argument, prompt string, session *lineLogin) (cancelled bool, err error) {
	session.verdict = wrongPassword // unless something better is said
	mechanism, initial, hasInitial := strings.Cut(argument, " ")
	server, ok := session.mechanism(strings.ToUpper(mechanism))
	if !ok {
		return true, nil
	}
	var response []byte // nil: none yet
	if hasInitial {
		if response, err = fromBase64(initial); err != nil {
			return true, nil // the client is told, the connection goes on
		}
	}
	for {
		challenge, done, err := server.Next(response)
		if done || err != nil {
			return false, nil // session knows the verdict
		}
		if err := d.tell(answer{line: prompt + toBase64(challenge)}); err != nil {
			return false, err
		}
		line, err := d.hear()
		if err != nil {
			return false, err
		}
		if line == "*" {
			return true, nil
		}
		if response, err = fromBase64(line); err != nil {
			return true, nil // as above
		}
	}
}
