package simulator

import (
	"bufio"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// responses passes on what package imapserver answers, until either side ends.
func (w *wire) responses(in *bufio.Reader) {
	greeting := true
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		bye, err := w.respond(in, line, greeting)
		if err != nil {
			return
		}
		if bye != "" {
			w.bye(bye)
			return
		}
		if greeting {
			greeting = false
			close(w.greeted)
		}
	}
}

// respond passes one response on, of which line is the first line. It returns the
// reason for a BYE that has to follow.
func (w *wire) respond(in *bufio.Reader, line string, greeting bool) (bye string, err error) {
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	f := w.out.faults()
	if greeting && w.turnedAway {
		return f.tooMany(), nil
	}
	if greeting && f.ByeAtGreeting != "" {
		return f.ByeAtGreeting, nil
	}
	if greeting && names(f.Ignore, "GREETING") {
		return "", nil
	}
	if said, replaced := f.Replies["GREETING"]; greeting && replaced {
		if err := w.out.write([]byte(crlf(said) + "\r\n")); err != nil || names(f.EndAfter, "GREETING") || !strings.HasPrefix(said, "* OK") {
			return "", errors.Join(err, errCut)
		}
		return "", nil
	}
	line = withoutCopyUID(f, w.announce(f, line))
	tag, _, _ := strings.Cut(line, " ")
	switch tag {
	case "*":
		return "", w.untagged(f, in, line)
	case "+":
		bye = w.goAhead(f)
		if err := w.out.write([]byte(line)); err != nil {
			return "", err
		}
		return bye, nil
	}
	return w.tagged(f, tag, line)
}

// goAhead notes that the client may go on with IDLE, and returns the BYE for that.
func (w *wire) goAhead(f *Faults) (bye string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.idle == "" {
		return ""
	}
	w.idling = true
	return f.ByeInIdle
}

// tagged passes the end of a command on.
func (w *wire) tagged(f *Faults, tag, line string) (bye string, err error) {
	w.mu.Lock()
	c := w.said[tag]
	delete(w.said, tag)
	login := tag == w.login && tag != ""
	if login {
		w.login = ""
	}
	refused := w.refused
	w.refused = false
	verdict := w.verdict
	w.mu.Unlock()
	accepted, ends := strings.HasPrefix(line, tag+" OK"), names(f.EndAfter, c.name)
	refusal := ""
	if login && !accepted {
		refusal = w.refusal(f, verdict)
	}
	switch {
	case names(f.CutAfter, c.name):
		return "", errCut
	case refusal != "":
		said, isBye := withTag(tag, refusal)
		line, ends = said+"\r\n", ends || isBye
	case login && accepted:
		bye = f.ByeAfterLogin
	case refused && accepted:
		line = tag + " NO [SERVERBUG] " + c.name + " has failed for some messages\r\n"
	}
	if err := w.noise(f); err != nil {
		return "", err
	}
	err = w.out.write([]byte(line))
	if ends {
		err = errors.Join(err, errCut)
	}
	return bye, err
}

// refusal is what a login is answered that was not let in; empty: as package
// imapserver says it.
func (w *wire) refusal(f *Faults, v verdict) string {
	switch {
	case v == tooManyOpen:
		return "NO " + f.tooMany()
	case v == refusedByFault, f.RefuseLogin != "":
		return f.RefuseLogin
	case v == refusedToken:
		return microsoftSays(postroom.IMAP)
	case w.server.options.Gmail:
		return googleSays(postroom.IMAP, v)
	}
	return ""
}

func (w *wire) noise(f *Faults) error {
	for _, line := range f.Noise {
		if err := w.out.write([]byte(line + "\r\n")); err != nil {
			return err
		}
	}
	return nil
}

var uidItem = regexp.MustCompile(`^\* \d+ FETCH \((?:.* )?UID (\d+)`)

// untagged passes an untagged response on, with its literals.
func (w *wire) untagged(f *Faults, in *bufio.Reader, line string) error {
	uid := uint64(0)
	if found := uidItem.FindStringSubmatch(line); found != nil {
		uid, _ = strconv.ParseUint(found[1], 10, 32) // digits; 0 is no UID
	}
	size, isText := literalSize(line)
	isText = isText && uid != 0
	if isText {
		if err := w.noise(f); err != nil {
			return err
		}
		w.out.texts++
		if w.out.texts == f.CutAtFetch {
			return errCut
		}
	}
	refused := slices.Contains(f.RefuseUIDs, uint32(uid))
	if isText && (refused || slices.Contains(f.OmitUIDs, uint32(uid))) {
		w.mu.Lock()
		w.refused = w.refused || refused
		w.mu.Unlock()
		return skip(in, line)
	}
	if isText && w.out.texts == f.CutInLiteral {
		if err := w.out.write([]byte(w.withGmailID(line, uint32(uid)))); err != nil {
			return err
		}
		if err := w.out.copy(in, size/2); err != nil {
			return err
		}
		return errCut
	}
	return w.passOn(in, w.withGmailID(line, uint32(uid)))
}

// passOn sends a response whose first line is known.
func (w *wire) passOn(in *bufio.Reader, line string) error {
	for {
		if err := w.out.write([]byte(line)); err != nil {
			return err
		}
		size, ok := literalSize(line)
		if !ok {
			return nil
		}
		if err := w.out.copy(in, size); err != nil {
			return err
		}
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			return err
		}
	}
}

// skip reads the rest of a response that nobody shall see.
func skip(in *bufio.Reader, line string) error {
	for {
		size, ok := literalSize(line)
		if !ok {
			return nil
		}
		if _, err := io.CopyN(io.Discard, in, size); err != nil {
			return err
		}
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			return err
		}
	}
}

var capabilityList = regexp.MustCompile(`^(\* CAPABILITY |\S+ OK \[CAPABILITY )([^\]\r\n]*)`)

// announce changes what package imapserver says of the capabilities.
func (w *wire) announce(f *Faults, line string) string {
	found := capabilityList.FindStringSubmatchIndex(line)
	if found == nil {
		return line
	}
	w.mu.Lock()
	open := w.server.options.TLS == postroom.TLSStart && !w.secured
	w.mu.Unlock()
	var said []string
	for _, c := range strings.Fields(line[found[4]:found[5]]) {
		if !open || !strings.HasPrefix(c, "AUTH=") {
			said = append(said, c)
		}
	}
	if open {
		said = append(said, "STARTTLS", "LOGINDISABLED")
	}
	said = append(said, "ID")
	if w.server.options.Gmail {
		said = append(said, "X-GM-EXT-1")
	}
	said = slices.DeleteFunc(said, f.hides)
	return line[:found[4]] + strings.Join(said, " ") + line[found[5]:]
}

// withGmailID adds the X-GM-MSGID to a FETCH response, where one is kept and the
// message is known.
func (w *wire) withGmailID(line string, uid uint32) string {
	if !w.server.options.Gmail || uid == 0 {
		return line
	}
	w.mu.Lock()
	s := w.session
	w.mu.Unlock()
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if s.view == nil {
		return line
	}
	l, ok := s.view.folder.find(uid)
	if !ok {
		return line
	}
	said := "UID " + strconv.FormatUint(uint64(uid), 10)
	return strings.Replace(line, said, said+" X-GM-MSGID "+strconv.FormatUint(l.mail, 10), 1)
}

var copyUID = regexp.MustCompile(`\[(?:COPYUID|APPENDUID) [^\]]*\] `)

// withoutCopyUID takes away what only UIDPLUS says.
func withoutCopyUID(f *Faults, line string) string {
	if !f.hides("UIDPLUS") {
		return line
	}
	return copyUID.ReplaceAllString(line, "")
}
