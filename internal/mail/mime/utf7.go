package mime

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
)

// decodeUTF7 reads UTF-7 (RFC 2152). What is not UTF-7 stays as it is.
func decodeUTF7(raw string) string {
	var out strings.Builder
	for {
		plus := strings.IndexByte(raw, '+')
		if plus < 0 {
			out.WriteString(raw)
			return out.String()
		}
		out.WriteString(raw[:plus])
		raw = raw[plus+1:]
		end := 0
		for end < len(raw) && isBase64(raw[end]) {
			end++
		}
		run := raw[:end]
		raw = raw[end:]
		closed := strings.HasPrefix(raw, "-")
		switch {
		case run == "":
			out.WriteByte('+')
		default:
			out.WriteString(utf16Base64(run))
		}
		if closed {
			raw = raw[1:]
		}
	}
}

func utf16Base64(run string) string {
	if len(run)%4 == 1 {
		run = run[:len(run)-1]
	}
	bytes, err := base64.RawStdEncoding.DecodeString(run)
	if err != nil {
		return "+" + run
	}
	units := make([]uint16, len(bytes)/2)
	for i := range units {
		units[i] = uint16(bytes[2*i])<<8 | uint16(bytes[2*i+1])
	}
	return string(utf16.Decode(units))
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}
