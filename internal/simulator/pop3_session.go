package simulator

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// A popSession is one connection by POP3.
type popSession struct {
	dialogue
	server *POP3Server
	number int // of the connection
	login  lineLogin
	user   string // as USER said
	stamp  string // for APOP
	drop   *maildrop
}

const recentPrefix = "recent:" // before a user name of Gmail's: the last 30 days again

func (s *popSession) note(name, argument string) {
	c := POP3Command{Session: s.number, User: s.userName(), Name: name, Argument: argument}
	switch name {
	case "PASS", "APOP":
		c.Argument = ""
	case "AUTH":
		c.Argument, _, _ = strings.Cut(c.Argument, " ")
	}
	if s.drop != nil {
		number, _, _ := strings.Cut(c.Argument, " ")
		if l, ok := s.drop.find(number); ok {
			c.UID = l.letter.uid
		}
	}
	s.server.note(c)
}

// leave gives up what the session holds, without a QUIT.
func (s *popSession) leave() {
	if s.drop == nil || s.server.options.Shared {
		return
	}
	s.server.state.Lock()
	defer s.server.state.Unlock()
	delete(s.server.locked, s.login.account)
}

// positive and negative are the two status indicators (RFC 1939 section 3).
func positive(format string, args ...any) (answer, error) {
	return answer{line: "+OK " + fmt.Sprintf(format, args...)}, nil
}

func negative(format string, args ...any) (answer, error) {
	return answer{line: "-ERR " + fmt.Sprintf(format, args...)}, nil
}

// popNeeds names the capability without which a command does not exist.
func popNeeds(name string) string {
	switch name {
	case "PASS":
		return "USER"
	case "AUTH":
		return "SASL"
	}
	return name
}

func (s *popSession) carryOut(name, argument string) (answer, error) {
	if s.faults().hides(popNeeds(name)) {
		return negative("Unknown command")
	}
	switch name {
	case "CAPA":
		return answer{line: "+OK Capability list follows", text: []byte(strings.Join(s.capabilities(), ""))}, nil
	case "QUIT":
		return s.quit()
	}
	if s.drop == nil {
		return s.beforeLogin(name, argument)
	}
	return s.drop.carryOut(s, name, argument)
}

// capabilities are the lines that answer CAPA (RFC 2449 section 5).
func (s *popSession) capabilities() []string {
	f := s.faults()
	gmail := s.server.provider.options.Gmail
	said := []string{"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"}
	if s.mayLogIn() {
		said = append(said, "USER")
	}
	if offered := s.login.offered(); s.drop == nil && s.mayLogIn() && len(offered) > 0 {
		said = append(said, "SASL "+strings.Join(offered, " "))
	}
	if s.server.options.TLS == postroom.TLSStart && !s.isSecured() {
		said = append(said, "STLS")
	}
	expire, delay := f.POP3.Expire, f.POP3.LoginDelay
	if gmail && expire == "" {
		expire = "0" // it says so, and keeps what it likes
	}
	if gmail && delay == 0 {
		delay = 300 * time.Second // it says so, and lets anyone in sooner
	}
	if expire != "" {
		said = append(said, "EXPIRE "+expire)
	}
	if delay > 0 {
		said = append(said, fmt.Sprintf("LOGIN-DELAY %d", (delay+time.Second-1)/time.Second))
	}
	if gmail {
		said = append(said, "X-GOOGLE-RICO")
	} else {
		said = append(said, "IMPLEMENTATION Postroom simulator")
	}
	var shown []string
	for _, c := range said {
		if name, _, _ := strings.Cut(c, " "); !f.hides(name) {
			shown = append(shown, c+"\r\n")
		}
	}
	return shown
}

// mayLogIn says whether TLS is there, where it must be.
func (s *popSession) mayLogIn() bool {
	return s.server.options.TLS != postroom.TLSStart || s.isSecured()
}

func (s *popSession) beforeLogin(name, argument string) (answer, error) {
	switch name {
	case "STLS":
		if s.server.options.TLS != postroom.TLSStart || s.isSecured() {
			return negative("TLS is not for now")
		}
		return answer{line: "+OK Begin TLS negotiation", then: s.beginTLS}, nil
	case "USER", "PASS", "APOP", "AUTH":
		if !s.mayLogIn() {
			return negative("[AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.")
		}
	default:
		return negative("Unknown command")
	}
	switch {
	case name == "USER":
		if argument == "" {
			return negative("Who?")
		}
		s.user = argument
		return positive("Send the password")
	case name == "PASS" && s.user == "":
		return negative("No user name was given")
	case name == "PASS":
		_ = s.login.try(s.user, argument) // the verdict says it
	case name == "APOP":
		return s.apop(argument)
	case argument == "": // which mechanisms there are: older than CAPA, and a custom only
		return answer{line: "+OK", text: []byte(strings.Join(s.login.offered(), "\r\n") + "\r\n")}, nil
	default:
		cancelled, err := s.exchange(argument, "+ ", &s.login)
		if err != nil {
			return answer{}, err
		}
		if cancelled {
			return negative("Authentication cancelled or unknown")
		}
	}
	return s.enter()
}

// apop signs in with a digest of the timestamp and the password (RFC 1939
// section 7).
func (s *popSession) apop(argument string) (answer, error) {
	user, digest, both := strings.Cut(argument, " ")
	if s.stamp == "" || !both {
		return negative("Unknown command")
	}
	_ = s.login.judge(user, func(a *account) verdict {
		if a.google != nil || fmt.Sprintf("%x", md5.Sum([]byte(s.stamp+a.password))) != digest {
			return wrongPassword
		}
		return letIn
	})
	return s.enter()
}

// enter answers a login, and opens the maildrop after one that was let in.
func (s *popSession) enter() (answer, error) {
	f := s.faults()
	if a, ok := s.login.refusal(f); ok {
		return a, nil
	}
	switch s.login.verdict {
	case wrongPassword:
		return negative("[AUTH] Username and password not accepted.")
	case tooManyOpen:
		return negative("%s", f.tooMany())
	}
	if reason := s.server.lock(s.login.account, f); reason != "" {
		s.turnOut()
		return negative("%s", reason)
	}
	s.drop = s.server.provider.openDrop(s, f)
	return positive("%d messages", len(s.drop.slots))
}

// lock takes the account for one session. Otherwise it says why it cannot.
func (p *POP3Server) lock(a *account, f *Faults) (reason string) {
	p.state.Lock()
	defer p.state.Unlock()
	now := time.Now()
	switch last, entered := p.entered[a]; {
	case f.POP3.InUse != "":
		return "[IN-USE] " + f.POP3.InUse
	case p.locked[a] && !p.options.Shared:
		return "[IN-USE] Mailbox is locked by another POP3 session."
	case entered && now.Sub(last) < f.POP3.LoginDelay:
		return fmt.Sprintf("[LOGIN-DELAY] Logins must be at least %s apart", f.POP3.LoginDelay)
	}
	p.locked[a], p.entered[a] = true, now
	return ""
}

// quit ends the session; only here deletions take effect (RFC 1939 section 6).
func (s *popSession) quit() (answer, error) {
	if s.drop != nil {
		s.drop.update(s.faults())
	}
	s.leave()
	s.drop = nil
	return answer{line: "+OK Bye", quit: true}, nil
}

// topOf is the header of a message and the first lines of its body.
func topOf(raw []byte, lines int) []byte {
	end := 0
	body := false
	for line := range bytes.Lines(raw) {
		if body {
			if lines == 0 {
				break
			}
			lines--
		}
		end += len(line)
		body = body || len(bytes.TrimRight(line, "\r\n")) == 0
	}
	return raw[:end]
}

func atoi(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
