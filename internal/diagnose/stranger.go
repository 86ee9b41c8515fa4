package diagnose

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/postroom/postroom"
)

// A stranger is a server that speaks another protocol than was expected.
type stranger struct {
	kind string
	// protocol is by which mailboxes are read or mail is sent there; empty: neither.
	protocol postroom.Protocol
}

// strangerBy recognises a server by how it begins to speak; its kind is empty when it
// cannot be told.
func strangerBy(line string) stranger {
	upper := strings.ToUpper(line)
	for _, known := range [...]struct {
		beginning string
		stranger
	}{
		{"* OK", stranger{anIMAPServer, postroom.IMAP}}, {"* PREAUTH", stranger{anIMAPServer, postroom.IMAP}},
		{"* BYE", stranger{anIMAPServer, postroom.IMAP}}, {"+OK", stranger{aPOP3Server, postroom.POP3}}, {"-ERR", stranger{aPOP3Server, postroom.POP3}},
		{"220 ", stranger{anSMTPServer, postroom.SMTP}}, {"220-", stranger{anSMTPServer, postroom.SMTP}},
		{"421 ", stranger{anSMTPServer, postroom.SMTP}}, {"421-", stranger{anSMTPServer, postroom.SMTP}},
		{"554 ", stranger{anSMTPServer, postroom.SMTP}}, {"554-", stranger{anSMTPServer, postroom.SMTP}},
		{"HTTP/", stranger{aWebServer, ""}}, {"<!DOCTYPE", stranger{aWebServer, ""}}, {"<HTML", stranger{aWebServer, ""}},
		{"SSH-", stranger{anSSHServer, ""}}, {"RFB ", stranger{aScreenServer, ""}},
	} {
		if strings.HasPrefix(upper, known.beginning) {
			return known.stranger
		}
	}
	return stranger{}
}

// strange is the cause where somebody else answers at the port: in clear, as what it
// greets with, or instead of beginning encryption.
func (c *Catalogue) strange(f *Failure, reply string) (_ cause, ok bool) {
	var plain tls.RecordHeaderError
	who := stranger{}
	switch {
	case errors.As(f.Err, &plain):
		who = strangerByStart(plain.RecordHeader)
	case f.Phase == "greeting" && reply != "":
		who = strangerBy(reply)
	case f.Phase == "greeting" && f.Err != nil:
		_, line, _ := strings.Cut(f.Err.Error(), "not an answer of SMTP: ")
		who = strangerBy(line)
	}
	protocol := f.Protocol
	if protocol == "" {
		protocol = postroom.IMAP
	}
	if who.kind == "" || who.protocol == protocol {
		return cause{}, false
	}
	found := cause{entry: c.find("tls", "tls-plaintext-on-tls-port")}
	if e, _ := c.match(string(protocol), reply); reply != "" && e != nil && e.Class == postroom.ProtocolMismatch {
		found.entry = e
	}
	found.explanation = fmt.Sprintf(whoAnswers, f.host(), f.Port, who.kind)
	found.remedy = remedyStranger
	found.field = f.setting("port")
	switch {
	case who.kind == aWebServer:
		found.remedy = remedyWebServer
		found.others = []string{otherPortal, otherProxy}
	case who.protocol == postroom.SMTP:
		found.remedy = remedySendingServer
	case !f.isIncoming():
		found.remedy = remedyReadingServer
	case who.protocol != "":
		found.remedy = remedyOtherProtocol
		found.field = f.setting("protocol")
	}
	return found, true
}

// strangerByStart recognises a server by the five bytes with which it began where TLS
// was expected.
func strangerByStart(header [5]byte) stranger {
	start := string(header[:])
	if who := strangerBy(start); who.kind != "" {
		return who
	}
	switch strings.ToUpper(start) {
	case "<!DOC", "<HTML":
		return stranger{aWebServer, ""}
	}
	if strings.HasPrefix(start, "* ") {
		return stranger{anIMAPServer, postroom.IMAP}
	}
	return stranger{}
}
