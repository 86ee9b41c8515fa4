package mime

import (
	"strings"
	"time"
)

// TopReceived returns the instant of the topmost Received field of a header
// block (RFC 5321 section 4.4): when the last server took the message. Zero when
// there is none or its date makes no sense.
func TopReceived(header []byte) time.Time {
	h, _ := parseHeader(header)
	return h.received()
}

func (h Header) received() time.Time {
	value, ok := h.raw("Received")
	if !ok {
		return time.Time{}
	}
	value = unfold(value)
	at := strings.LastIndexByte(value, ';')
	if at < 0 {
		return time.Time{}
	}
	return ParseDate(value[at+1:])
}
