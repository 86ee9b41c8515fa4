package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/postroom/postroom"
)

// A parrot is a mail server that refuses everybody, and repeats what it was told: in
// the refusal, and in all that it says later.
type parrot struct {
	protocol  postroom.Protocol
	mechanism string // PLAIN, LOGIN, SCRAM-SHA-256, XOAUTH2, OAUTHBEARER; by IMAP LOGIN is the command; by POP3 also USER and APOP
	port      int

	mu     sync.Mutex
	proofs []string    // digests and proofs that it was sent
	asked  map[int]int // how often it repeated something, by way
}

// ways are how a parrot repeats a text.
var ways = []struct {
	name   string
	repeat func(string) string
}{
	{"as it was sent", func(text string) string { return text }},
	{"quoted", strconv.Quote},
	{"capitals", strings.ToUpper},
	{"small letters", strings.ToLower},
	{"letter by letter", func(text string) string { return strings.Join(strings.Split(text, ""), " ") }},
	{"two lines", func(text string) string {
		letters := []rune(text)
		return string(letters[:len(letters)/2]) + "\n" + string(letters[len(letters)/2:])
	}},
	{"base64 of all", func(text string) string { return base64.StdEncoding.EncodeToString([]byte("said: " + text)) }},
	{"base64 for addresses", func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }},
	{"hexadecimal", func(text string) string { return hex.EncodeToString([]byte(text)) }},
	{"query", url.QueryEscape},
	{"path", url.PathEscape},
	{"HTML", html.EscapeString},
	{"groups", func(text string) string {
		var groups []string
		for part := range slices.Chunk([]rune(text), 4) {
			groups = append(groups, string(part))
		}
		return strings.Join(groups, "-")
	}},
}

// wayOf is the way that a user name asks for: "way3.late@example.net". late lets the
// user in, and refuses what comes after that.
func wayOf(user string) (way int, late bool) {
	number := strings.TrimPrefix(user, "recent:")
	number, rest, _ := strings.Cut(strings.TrimPrefix(number, "way"), ".")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(ways) {
		n = 0
	}
	return n, strings.HasPrefix(rest, "late")
}

// newParrot starts one, which ends with the test.
func newParrot(t *testing.T, protocol postroom.Protocol, mechanism string) *parrot {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &parrot{protocol: protocol, mechanism: mechanism, port: listener.Addr().(*net.TCPAddr).Port, asked: map[int]int{}}
	var group sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			group.Go(func() {
				defer conn.Close()
				(&chatter{parrot: p, conn: conn, in: bufio.NewReader(conn)}).talk()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		group.Wait()
	})
	return p
}

// A chatter is one connection to a parrot.
type chatter struct {
	*parrot
	conn  net.Conn
	in    *bufio.Reader
	told  string // the secret as it came, and decoded
	user  string
	enter bool // it was let in
	busy  bool // it is not let in for now
}

func (c *chatter) say(format string, args ...any) {
	fmt.Fprintf(c.conn, format+"\r\n", args...)
}

func (c *chatter) hear() (string, bool) {
	line, err := c.in.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err == nil
}

// tell notes what the client has sent to sign in, as it came and decoded, and returns
// the lines in which it is repeated. proof is what stands in place of the secret.
func (c *chatter) tell(user, sent, decoded, proof string) (lines []string) {
	way, late := wayOf(user)
	repeat := ways[way].repeat
	c.user, c.enter, c.busy = user, late, strings.Contains(user, ".busy")
	c.told = strings.ReplaceAll(repeat(sent)+" / "+repeat(decoded), "\x00", " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[way]++
	if proof != "" {
		c.proofs = append(c.proofs, proof)
	}
	return c.repeated()
}

func (c *chatter) repeated() []string { return strings.Split(c.told, "\n") }

func (c *chatter) heardBefore() string { return strings.ReplaceAll(c.told, "\n", " ") }

// exchange leads a SASL exchange, whose challenges come after prompt.
func (c *chatter) exchange(mechanism, first, prompt string) (lines []string, ok bool) {
	ask := func(challenge string) (string, bool) {
		c.say("%s%s", prompt, base64.StdEncoding.EncodeToString([]byte(challenge)))
		return c.hear()
	}
	decode := func(coded string) string {
		text, err := base64.StdEncoding.DecodeString(coded)
		if err != nil {
			return coded
		}
		return string(text)
	}
	ok = true
	switch mechanism {
	case "LOGIN":
		user, heard := ask("Username:")
		secret, both := ask("Password:")
		return c.tell(decode(user), secret, decode(secret), ""), heard && both
	case "SCRAM-SHA-256":
		if first == "" {
			first, ok = ask("")
		}
		_, fields, _ := strings.Cut(decode(first), "n=")
		user, nonce, _ := strings.Cut(fields, ",r=")
		final, heard := ask("r=" + nonce + "parrot,s=c2FsdHNhbHRzYWx0,i=4096")
		_, proof, _ := strings.Cut(decode(final), ",p=")
		return c.tell(user, final, decode(final), proof), ok && heard
	}
	if first == "" || first == "=" {
		first, ok = ask("")
	}
	if mechanism == "XOAUTH2" || mechanism == "OAUTHBEARER" {
		lines = c.tell(userOfToken(decode(first)), first, decode(first), "")
		if ok && !c.enter && !c.busy { // why it is refused, which the client confirms (RFC 7628 section 3.2.3)
			_, ok = ask(fmt.Sprintf(`{"status":"401","schemes":"bearer","scope":%q}`, c.heardBefore()))
		}
		return lines, ok
	}
	parts := strings.Split(decode(first), "\x00")
	if len(parts) < 3 {
		return []string{"what?"}, ok
	}
	return c.tell(parts[1], first, decode(first), ""), ok
}

// userOfToken is who signs in by a message of XOAUTH2 or OAUTHBEARER.
func userOfToken(message string) string {
	_, user, found := strings.Cut(message, "user=")
	if !found {
		_, user, _ = strings.Cut(message, "a=")
	}
	return user[:max(0, strings.IndexAny(user, "\x01,"))]
}

// talk speaks the parrot's protocol until the client leaves.
func (c *chatter) talk() {
	switch c.protocol {
	case postroom.IMAP:
		c.talkIMAP()
	case postroom.POP3:
		c.talkPOP3()
	case postroom.SMTP:
		c.talkSMTP()
	}
}

func (c *chatter) talkIMAP() {
	offered := "IMAP4rev1 AUTH=" + c.mechanism
	if c.mechanism == "LOGIN" {
		offered = "IMAP4rev1"
	}
	c.say("* OK [CAPABILITY %s] ready", offered)
	for line, ok := c.hear(); ok; line, ok = c.hear() {
		tag, rest, _ := strings.Cut(line, " ")
		name, argument, _ := strings.Cut(rest, " ")
		switch strings.ToUpper(name) {
		case "CAPABILITY":
			c.say("* CAPABILITY %s\r\n%s OK %s", offered, tag, c.heardBefore())
			continue
		case "LOGIN":
			for strings.HasSuffix(line, "}") { // a literal
				c.say("+ go on")
				more, heard := c.hear()
				if line += "\n" + more; !heard {
					return
				}
			}
			user, _, _ := strings.Cut(strings.TrimPrefix(argument, `"`), `"`)
			c.tell(user, strings.ReplaceAll(line, "\n", " "), argument, "")
		case "AUTHENTICATE":
			_, first, _ := strings.Cut(argument, " ")
			if _, ok := c.exchange(c.mechanism, first, "+ "); !ok {
				return
			}
		case "LOGOUT":
			c.say("* BYE %s\r\n%s OK", c.heardBefore(), tag)
			return
		}
		signsIn := name == "LOGIN" || name == "AUTHENTICATE"
		switch lines := c.repeated(); {
		case signsIn && c.busy:
			c.say("%s NO [UNAVAILABLE] try again later, you said %s", tag, c.heardBefore())
		case signsIn && c.enter, !signsIn && name != "EXAMINE" && name != "SELECT":
			c.say("%s OK done, %s", tag, c.heardBefore())
		default:
			for _, line := range lines[:len(lines)-1] {
				c.say("* NO [ALERT] you said %s", line)
			}
			c.say("%s NO [AUTHENTICATIONFAILED] you said %s, which is wrong", tag, lines[len(lines)-1])
		}
	}
}

func (c *chatter) talkPOP3() {
	stamp := ""
	if c.mechanism == "APOP" {
		stamp = " <1896.697170952@parrot.example>"
	}
	c.say("+OK ready%s", stamp)
	for line, ok := c.hear(); ok; line, ok = c.hear() {
		name, argument, _ := strings.Cut(line, " ")
		refusal := func(lines []string) {
			if c.enter {
				c.say("+OK in, %s", c.heardBefore())
				return
			}
			if c.busy {
				c.say("-ERR [SYS/TEMP] try again later, you said %s", strings.Join(lines, " "))
				return
			}
			c.say("-ERR [AUTH] you said %s, which is wrong", strings.Join(lines, " "))
		}
		switch strings.ToUpper(name) {
		case "CAPA":
			c.say("+OK %s", c.heardBefore())
			if c.mechanism != "USER" && c.mechanism != "APOP" {
				c.say("SASL %s", c.mechanism)
			} else {
				c.say("USER")
			}
			c.say(".")
		case "USER":
			c.user = argument
			c.say("+OK go on")
		case "PASS":
			refusal(c.tell(c.user, argument, line, ""))
		case "APOP":
			user, digest, _ := strings.Cut(argument, " ")
			refusal(c.tell(user, digest, line, digest))
		case "AUTH":
			_, first, _ := strings.Cut(argument, " ")
			lines, ok := c.exchange(c.mechanism, first, "+ ")
			if !ok {
				return
			}
			refusal(lines)
		case "QUIT":
			c.say("+OK %s", c.heardBefore())
			return
		default:
			c.say("-ERR [SYS/PERM] you said %s", c.heardBefore())
		}
	}
}

func (c *chatter) talkSMTP() {
	c.say("220 parrot.example ready")
	for line, ok := c.hear(); ok; line, ok = c.hear() {
		name, argument, _ := strings.Cut(line, " ")
		switch strings.ToUpper(name) {
		case "EHLO":
			c.say("250-parrot.example, %s\r\n250-AUTH %s\r\n250 8BITMIME", c.heardBefore(), c.mechanism)
		case "AUTH":
			_, first, _ := strings.Cut(argument, " ")
			lines, ok := c.exchange(c.mechanism, first, "334 ")
			if !ok {
				return
			}
			if c.enter {
				c.say("235 2.7.0 in, %s", c.heardBefore())
				continue
			}
			if c.busy {
				c.say("454 4.7.0 Temporary authentication failure, you said %s", c.heardBefore())
				continue
			}
			for _, line := range lines {
				c.say("535-5.7.8 you said %s", line)
			}
			c.say("535 5.7.8 which is wrong")
		case "QUIT":
			c.say("221 2.0.0 %s", c.heardBefore())
			return
		default:
			c.say("550 5.7.1 you said %s", c.heardBefore())
		}
	}
}
