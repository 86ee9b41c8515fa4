package smtp

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// The bounds of an answer. What is longer is cut; a server that does not come to
// an end is given up.
const (
	maxReplyLines = 1000
	keptLines     = 100
	keptLineBytes = 1000
	maxBlankLines = 20
)

// A reply is the whole answer to a command (RFC 5321 section 4.2).
type reply struct {
	code     int
	enhanced string   // RFC 3463: "5.7.8"; empty: there is none
	words    string   // all lines with their codes, one blank between
	texts    []string // the lines without their codes
}

func (r reply) isPositive() bool { return r.code >= 200 && r.code < 300 }

// isRefusal says whether the server will not do it; anything that is neither yes
// nor "go on" is taken for that.
func (r reply) isRefusal() bool { return r.code < 200 || r.code >= 400 }

// isTemporary says whether the same may be taken another time.
func (r reply) isTemporary() bool { return r.code >= 400 && r.code < 500 }

// text is what stands behind the code of the first line.
func (r reply) text() string {
	if len(r.texts) == 0 {
		return ""
	}
	return r.texts[0]
}

// notSMTP is a line that cannot belong to an answer: another protocol speaks.
type notSMTP struct{ line string }

func (n *notSMTP) Error() string { return "not an answer of SMTP: " + n.line }

var errEndlessReply = errors.New("the server's answer does not end")

// hear reads one answer. Empty lines before it are passed over, LF alone ends a
// line, and a line without a code belongs to the answer that has begun. When the
// connection ends within an answer, what was heard is returned with the error.
func (c *Client) hear() (r reply, err error) {
	blanks := 0
	for n := 0; n < maxReplyLines; n++ {
		line, err := c.line()
		if err != nil {
			return r, err
		}
		if strings.TrimSpace(line) == "" && r.code == 0 {
			if blanks++; blanks > maxBlankLines {
				return r, &notSMTP{}
			}
			continue
		}
		c.transcript('S', line)
		code, last, text, ok := parseLine(line)
		switch {
		case !ok && r.code == 0:
			return r, &notSMTP{strings.ToValidUTF8(line[:min(len(line), 500)], "�")}
		case !ok:
			text, last = line, false
		default:
			r.code = code // of differing codes the last one counts
		}
		if len(r.texts) < keptLines {
			r.texts = append(r.texts, text)
			r.words = strings.TrimSpace(r.words + " " + line)
		}
		if r.enhanced == "" {
			r.enhanced = enhancedCode(r.code, text)
		}
		if last {
			return r, nil
		}
	}
	return r, errEndlessReply
}

// line reads one line and keeps its beginning.
func (c *Client) line() (string, error) {
	var kept []byte
	for {
		part, err := c.in.ReadSlice('\n')
		kept = append(kept, part[:min(len(part), keptLineBytes-len(kept))]...)
		switch {
		case err == nil:
			return strings.TrimRight(string(kept), "\r\n"), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return "", io.ErrUnexpectedEOF
		default:
			return "", err
		}
	}
}

// parseLine reads "250-text", "250 text" and "250".
func parseLine(line string) (code int, last bool, text string, ok bool) {
	if len(line) < 3 || line[0] < '1' || line[0] > '5' {
		return 0, false, "", false
	}
	for _, digit := range []byte(line[:3]) {
		if digit < '0' || digit > '9' {
			return 0, false, "", false
		}
		code = code*10 + int(digit-'0')
	}
	if len(line) == 3 {
		return code, true, "", true
	}
	if line[3] != ' ' && line[3] != '-' && line[3] != '\t' {
		return 0, false, "", false
	}
	return code, line[3] != '-', line[4:], true
}

// enhancedCode is the status code that begins a text (RFC 2034 section 4); its
// class is that of the reply.
func enhancedCode(code int, text string) string {
	word, _, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || len(word) > len("5.999.999") || len(parts[0]) != 1 || int(parts[0][0]-'0') != code/100 {
		return ""
	}
	for _, part := range parts {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			return ""
		}
	}
	return word
}
