package simulator

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// An smtpSession is one connection by SMTP.
type smtpSession struct {
	dialogue
	server *SMTPServer
	login  lineLogin
	hello  bool
	mail   *Accepted // that is being handed over; nil: none
	over   bool      // it is larger than may be
	ended  bool      // its text has come to the end
}

func (s *smtpSession) note(name, _ string) {
	s.port.count(s.userName(), func(n *Counts) { n.Commands[name]++ })
}

func say(line string) (answer, error) { return answer{line: line}, nil }

func (s *smtpSession) carryOut(name, argument string) (answer, error) {
	switch name {
	case "EHLO":
		s.hello, s.mail = true, nil
		return say(strings.Join(s.extensions(), "\r\n"))
	case "HELO":
		s.hello, s.mail = true, nil
		return say("250 pretend.example.net")
	case "STARTTLS":
		if s.server.options.TLS != postroom.TLSStart || s.isSecured() || s.faults().hides("STARTTLS") {
			return say("502 5.5.1 Command not implemented")
		}
		s.hello = false // what was said in the clear counts no more (RFC 3207 section 4.2)
		return answer{line: "220 2.0.0 Ready to start TLS", then: s.beginTLS}, nil
	case "AUTH":
		return s.auth(argument)
	case "MAIL":
		return s.from(argument)
	case "RCPT":
		return s.to(argument)
	case "DATA":
		if s.mail == nil || len(s.mail.To) == 0 {
			return say("503 5.5.1 Bad sequence of commands")
		}
		return answer{line: "354 End data with <CR><LF>.<CR><LF>", then: s.text}, nil
	case ".":
		return s.take()
	case "RSET":
		s.mail = nil
		return say("250 2.0.0 OK")
	case "NOOP":
		return say("250 2.0.0 OK")
	case "VRFY":
		return say("252 2.1.5 Cannot verify, try to send")
	case "QUIT":
		return answer{line: "221 2.0.0 Bye", quit: true}, nil
	}
	return say("502 5.5.1 Command not implemented")
}

// extensions are the lines that answer EHLO (RFC 5321 section 4.1.1.1).
func (s *smtpSession) extensions() []string {
	said := []string{"PIPELINING", fmt.Sprintf("SIZE %d", s.server.options.MaxSize), "8BITMIME", "ENHANCEDSTATUSCODES"}
	if s.server.options.TLS == postroom.TLSStart && !s.isSecured() {
		said = append(said, "STARTTLS")
	} else if offered := s.login.offered(); len(offered) > 0 {
		said = append(said, "AUTH "+strings.Join(offered, " "))
	}
	lines := []string{"pretend.example.net at your service"}
	f := s.faults()
	for _, extension := range said {
		if name, _, _ := strings.Cut(extension, " "); !f.hides(name) {
			lines = append(lines, extension)
		}
	}
	for i := range lines {
		separator := "-"
		if i == len(lines)-1 {
			separator = " "
		}
		lines[i] = "250" + separator + lines[i]
	}
	return lines
}

func (s *smtpSession) auth(argument string) (answer, error) {
	switch {
	case !s.hello || s.login.account != nil:
		return say("503 5.5.1 Bad sequence of commands")
	case s.server.options.TLS == postroom.TLSStart && !s.isSecured():
		return say("530 5.7.0 Must issue a STARTTLS command first")
	case s.faults().hides("AUTH"):
		return say("502 5.5.1 Command not implemented")
	}
	cancelled, err := s.exchange(argument, "334 ", &s.login)
	if err != nil {
		return answer{}, err
	}
	if cancelled {
		return say("501 5.5.2 Authentication cancelled, or unknown")
	}
	f := s.faults()
	if a, ok := s.login.refusal(f); ok {
		return a, nil
	}
	switch s.login.verdict {
	case wrongPassword:
		return say("535 5.7.8 Authentication credentials invalid")
	case tooManyOpen:
		return answer{line: "421 4.7.0 " + f.tooMany(), quit: true}, nil
	}
	return say("235 2.7.0 Authentication successful")
}

// path reads "FROM:<a@b> SIZE=1" or "TO:<a@b>" (RFC 5321 section 4.1.1.2).
func path(argument, before string) (address string, parameters []string, ok bool) {
	if len(argument) < len(before) || !strings.EqualFold(argument[:len(before)], before) {
		return "", nil, false
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(argument[len(before):]), "<")
	if !ok {
		return "", nil, false
	}
	address, rest, ok = strings.Cut(rest, ">")
	return address, strings.Fields(rest), ok
}

func (s *smtpSession) from(argument string) (answer, error) {
	address, parameters, ok := path(argument, "FROM:")
	switch {
	case !s.hello || s.mail != nil:
		return say("503 5.5.1 Bad sequence of commands")
	case s.login.account == nil:
		return say("530 5.7.0 Authentication required")
	case !ok:
		return say("501 5.5.4 Syntax error in parameters")
	}
	for _, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		size, err := strconv.ParseInt(value, 10, 64)
		if strings.EqualFold(name, "SIZE") && err == nil && size > s.server.options.MaxSize {
			return say("552 5.3.4 Message size exceeds fixed maximum message size")
		}
	}
	s.mail, s.over, s.ended = &Accepted{User: s.userName(), From: address}, false, false
	return say("250 2.1.0 OK")
}

func (s *smtpSession) to(argument string) (answer, error) {
	address, _, ok := path(argument, "TO:")
	switch {
	case s.mail == nil:
		return say("503 5.5.1 Bad sequence of commands")
	case !ok || address == "":
		return say("501 5.1.3 Bad recipient address syntax")
	}
	s.mail.To = append(s.mail.To, address)
	return say("250 2.1.5 OK")
}

// text reads a message up to the line with a dot alone, and has that answered.
func (s *smtpSession) text() (end bool, err error) {
	var all bytes.Buffer
	read := int64(0)
	atStart := true // of a line: only CRLF ends one (RFC 5321 section 2.3.8)
	for {
		line, err := s.in.ReadBytes('\n')
		if err != nil {
			return true, err
		}
		if atStart && bytes.Equal(line, []byte(".\r\n")) {
			break
		}
		read += int64(len(line))
		if most := s.faults().SMTP.CutInData; most > 0 && read >= most {
			return true, nil
		}
		text := line
		if atStart {
			text = bytes.TrimPrefix(line, []byte("."))
		}
		atStart = bytes.HasSuffix(line, []byte("\r\n"))
		if s.over = s.over || read > s.server.options.MaxSize; !s.over {
			all.Write(text)
		}
	}
	s.mail.Raw, s.ended = all.Bytes(), true
	s.note(".", "")
	end, err = s.obey(".", "")
	s.mail = nil
	return end, err
}

// take answers the end of a message.
func (s *smtpSession) take() (answer, error) {
	switch {
	case s.mail == nil || !s.ended:
		return say("502 5.5.1 Command not implemented")
	case s.over:
		return say("552 5.3.4 Message size exceeds fixed maximum message size")
	}
	if err := s.server.accept(*s.mail); err != nil {
		return say("451 4.3.0 " + err.Error())
	}
	return say("250 2.0.0 OK: taken")
}
