package mime

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// A decoder undoes a transfer encoding (RFC 2045 section 6). It is given a body
// in pieces of lines and hands the decoded bytes on. None of them can fail: what
// is not the encoding is skipped or left as it is.
type decoder interface {
	write(piece []byte) // within a line
	lineEnd(crlf bool)
	close()
}

// newDecoder returns the decoder of a Content-Transfer-Encoding; known is false
// when the encoding is not one, and the body is then taken as it is.
func newDecoder(encoding string, out func([]byte)) (d decoder, known bool) {
	encoding = strings.ToLower(strings.Trim(encoding, " \t\"';"))
	if word, _, ok := strings.Cut(encoding, ";"); ok {
		encoding = strings.TrimSpace(word)
	}
	encoding = strings.TrimSpace(stripComments(encoding))
	switch encoding {
	case "base64", "base-64", "base 64", "x-base64", "b", "b64":
		return &base64Decoder{out: out}, true
	case "quoted-printable", "quotedprintable", "quoted_printable", "quoted printable", "qp", "x-quoted-printable", "q":
		return &quotedDecoder{out: out}, true
	case "x-uuencode", "x-uue", "uuencode", "uue", "x-uu":
		return &uuDecoder{out: out}, true
	case "", "binary", "7bit", "8bit", "7-bit", "8-bit", "7 bit", "8 bit", "7bits", "8bits", "none", "ascii":
		return &plainDecoder{out: out}, true
	}
	return &plainDecoder{out: out}, false
}

// plainDecoder hands a body on as it is.
type plainDecoder struct{ out func([]byte) }

var lf, crlf = []byte("\n"), []byte("\r\n")

func lineEndBytes(wasCRLF bool) []byte {
	if wasCRLF {
		return crlf
	}
	return lf
}

func (d *plainDecoder) write(piece []byte) { d.out(piece) }

func (d *plainDecoder) lineEnd(wasCRLF bool) { d.out(lineEndBytes(wasCRLF)) }

func (d *plainDecoder) close() {}

// base64Decoder decodes base64 (RFC 4648 section 4), skipping what is not of its
// alphabet. Padding ends a quantum and not the body: some programs encode in
// sections and write them one behind the other.
type base64Decoder struct {
	out     func([]byte)
	quantum [4]byte
	held    int
	buffer  []byte
}

func (d *base64Decoder) write(piece []byte) {
	if cap(d.buffer) < 3*(len(piece)/4+2) {
		d.buffer = make([]byte, 0, 3*(len(piece)/4+2))
	}
	decoded := d.buffer[:0]
	if d.held == 0 && len(piece)%4 == 0 {
		if n, err := base64.StdEncoding.Decode(decoded[:cap(decoded)], piece); err == nil {
			d.out(decoded[:n])
			return
		}
	}
	for _, c := range piece {
		v := base64Values[c]
		if v < 64 {
			d.quantum[d.held] = v
			d.held++
			if d.held == 4 {
				decoded = append(decoded, d.quantum[0]<<2|d.quantum[1]>>4, d.quantum[1]<<4|d.quantum[2]>>2, d.quantum[2]<<6|d.quantum[3])
				d.held = 0
			}
		} else if c == '=' {
			decoded = d.flush(decoded)
		}
	}
	d.out(decoded)
}

// flush decodes an unfinished quantum.
func (d *base64Decoder) flush(decoded []byte) []byte {
	switch d.held {
	case 2:
		decoded = append(decoded, d.quantum[0]<<2|d.quantum[1]>>4)
	case 3:
		decoded = append(decoded, d.quantum[0]<<2|d.quantum[1]>>4, d.quantum[1]<<4|d.quantum[2]>>2)
	}
	d.held = 0
	return decoded
}

func (d *base64Decoder) lineEnd(bool) {}

func (d *base64Decoder) close() {
	if d.held > 0 {
		d.out(d.flush(nil))
	}
}

var base64Values = func() (values [256]byte) {
	for i := range values {
		values[i] = 0xff
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		values[c] = byte(i)
	}
	return values
}()

// quotedDecoder decodes quoted-printable (RFC 2045 section 6.7). An "=" that
// starts no code stays; white space at the end of a line goes.
type quotedDecoder struct {
	out    func([]byte)
	held   []byte // an end of a piece whose meaning the next bytes tell
	buffer []byte
}

const maxHeld = 1024

func (d *quotedDecoder) write(piece []byte) {
	if len(d.held) > 0 {
		piece = append(d.held, piece...)
		d.held = nil
	}
	piece, tail := d.split(piece)
	decoded := d.buffer[:0]
	for len(piece) > 0 {
		i := bytes.IndexByte(piece, '=')
		if i < 0 {
			decoded = append(decoded, piece...)
			break
		}
		decoded = append(decoded, piece[:i]...)
		piece = piece[i:]
		if len(piece) >= 3 && isHex(piece[1]) && isHex(piece[2]) {
			decoded = append(decoded, unhex(piece[1])<<4|unhex(piece[2]))
			piece = piece[3:]
			continue
		}
		decoded = append(decoded, '=')
		piece = piece[1:]
	}
	d.buffer = decoded
	if len(decoded) > 0 {
		d.out(decoded)
	}
	if len(tail) > 0 {
		d.held = append([]byte(nil), tail...)
	}
}

// split cuts off what may yet be a soft line break, a code, or white space at the
// end of a line. A tail over 1 KB is none of these.
func (d *quotedDecoder) split(piece []byte) (body, tail []byte) {
	n := len(trimEnd(piece))
	switch {
	case n > 0 && piece[n-1] == '=':
		n--
	case n > 1 && n == len(piece) && piece[n-2] == '=' && isHex(piece[n-1]):
		n -= 2
	}
	if len(piece)-n > maxHeld {
		return piece, nil
	}
	return piece[:n], piece[n:]
}

func (d *quotedDecoder) lineEnd(wasCRLF bool) {
	held := d.held
	d.held = nil
	if len(held) > 0 && held[0] == '=' {
		if len(held) == 1 || !isHex(held[1]) {
			return // a soft line break
		}
		d.out(held)
	}
	d.out(lineEndBytes(wasCRLF))
}

func (d *quotedDecoder) close() {
	if len(d.held) > 1 && d.held[0] == '=' && isHex(d.held[1]) {
		d.out(d.held)
	}
	d.held = nil
}
