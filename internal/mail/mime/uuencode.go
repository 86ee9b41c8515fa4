package mime

import "bytes"

const maxUULine = 128

// uuDecoder decodes a uuencoded body, from its begin line to its end line.
type uuDecoder struct {
	out   func([]byte)
	line  []byte
	begun bool
	ended bool
}

func (d *uuDecoder) write(piece []byte) {
	if room := maxUULine + 1 - len(d.line); room > 0 {
		d.line = append(d.line, piece[:min(room, len(piece))]...)
	}
}

func (d *uuDecoder) lineEnd(bool) {
	line := d.line
	d.line = d.line[:0]
	switch {
	case d.ended:
	case !d.begun:
		_, d.begun = uuBegin(line)
	case string(trimEnd(line)) == "end":
		d.ended = true
	default:
		if decoded, ok := uuLine(line); ok {
			d.out(decoded)
		}
	}
}

func (d *uuDecoder) close() { d.lineEnd(false) }

// uuBegin reads "begin 644 name".
func uuBegin(line []byte) (name string, ok bool) {
	rest, ok := bytes.CutPrefix(trimEnd(line), []byte("begin "))
	if !ok {
		return "", false
	}
	mode, file, ok := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	if !ok || len(mode) < 3 || len(mode) > 4 || len(file) > maxLabelBytes {
		return "", false
	}
	for _, c := range mode {
		if c < '0' || c > '7' {
			return "", false
		}
	}
	return string(bytes.TrimSpace(file)), true
}

// uuLine decodes one line: a length, then four characters for each three bytes.
// A line may lack the blanks at its end, or carry a character too many.
func uuLine(line []byte) ([]byte, bool) {
	line = bytes.TrimRight(line, "\r")
	if len(line) == 0 || len(line) > maxUULine || line[0] < ' ' || line[0] > '`' {
		return nil, false
	}
	size := int(line[0]-' ') & 0x3f
	body := line[1:]
	need := (size + 2) / 3 * 4
	if len(body) > need+2 {
		return nil, false
	}
	out := make([]byte, 0, size+3)
	for i := 0; i < need; i += 4 {
		var q [4]byte
		for j := range q {
			c := byte(' ')
			if i+j < len(body) {
				c = body[i+j]
			}
			if c < ' ' || c > '`' {
				return nil, false
			}
			q[j] = (c - ' ') & 0x3f
		}
		out = append(out, q[0]<<2|q[1]>>4, q[1]<<4|q[2]>>2, q[2]<<6|q[3])
	}
	if size == 0 && len(bytes.TrimSpace(body)) > 0 {
		return nil, false
	}
	return out[:size], true
}
