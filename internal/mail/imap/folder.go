package imap

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/postroom/postroom/internal/mail"
)

// A Folder is a mailbox in the words of IMAP (RFC 9051 section 7.3.1).
type Folder struct {
	Name       string   // in Unicode; what is no valid name in any encoding stays as the server sent it
	Delimiter  string   // between the levels of Name; empty: there are none
	Flags      []string // as the server wrote them
	SpecialUse string   // \All, \Archive, \Drafts, \Flagged, \Junk, \Sent or \Trash (RFC 6154); empty: none
	NoSelect   bool     // it holds other folders only, or is not there
}

// Folders lists every folder.
func (c *Client) Folders(ctx context.Context) ([]Folder, error) {
	if c.Has("SPECIAL-USE") && c.Has("LIST-EXTENDED") {
		folders, err := c.list(ctx, `LIST "" "*" RETURN (SPECIAL-USE)`)
		if err == nil || !c.Usable() {
			return folders, err
		}
	}
	return c.list(ctx, `LIST "" "*"`)
}

func (c *Client) list(ctx context.Context, command string) ([]Folder, error) {
	var folders []Folder
	_, err := c.simple(ctx, mail.PhaseList, func(word keyword, _ uint64) (bool, error) {
		if word != wordList {
			return false, nil
		}
		f, ok, err := c.folder()
		if ok {
			folders = append(folders, f)
		}
		return true, err
	}, command)
	return folders, err
}

// folder reads what follows LIST. ok is false when there is no name in it.
func (c *Client) folder() (f Folder, ok bool, err error) {
	l := &c.lex
	if err := l.flags(&f.Flags); err != nil && !errors.Is(err, errNoValue) {
		return f, false, err
	}
	value, isNil, err := l.text()
	if errors.Is(err, errNoValue) {
		return f, false, nil
	} else if err != nil {
		return f, false, err
	}
	if !isNil {
		f.Delimiter = string(value)
	}
	value, _, err = l.text() // a folder may well be named NIL
	if errors.Is(err, errNoValue) || err == nil && (l.isCut || len(value) == 0) {
		return f, false, nil
	} else if err != nil {
		return f, false, err
	}
	sent := string(value)
	f.Name = c.decodeName(sent)
	c.remember(f.Name, sent)
	for _, flag := range f.Flags {
		switch strings.ToLower(flag) {
		case `\noselect`, `\nonexistent`:
			f.NoSelect = true
		case `\all`, `\archive`, `\drafts`, `\flagged`, `\junk`, `\sent`, `\trash`:
			f.SpecialUse = flag
		}
	}
	return f, true, nil
}

// decodeName reads a name as it goes over the wire: in UTF-8 where that has been
// agreed, otherwise in modified UTF-7 (RFC 3501 section 5.1.3). Servers do either
// where the other was due, and get their names back as they sent them.
func (c *Client) decodeName(sent string) string {
	if strings.EqualFold(sent, "INBOX") {
		return "INBOX"
	}
	name, ok := decodeUTF7(sent)
	if !ok || c.utf8 && isASCII(name) {
		return sent
	}
	return name
}

// encodeName is the way back. A name whose server spells it another way is in
// wireNames.
func (c *Client) encodeName(name string) string {
	if c.utf8 {
		return name
	}
	return encodeUTF7(name)
}

// base64UTF7 is base64 with a comma for the slash, and without padding.
var base64UTF7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// decodeUTF7 reads modified UTF-7; ok is false when text is none.
func decodeUTF7(text string) (decoded string, ok bool) {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '&')
		if i < 0 {
			b.WriteString(text)
			return b.String(), utf8.ValidString(b.String())
		}
		b.WriteString(text[:i])
		text = text[i+1:]
		end := strings.IndexByte(text, '-')
		if end < 0 {
			return "", false
		}
		shifted := text[:end]
		text = text[end+1:]
		if shifted == "" {
			b.WriteByte('&')
			continue
		}
		raw, err := base64UTF7.DecodeString(shifted)
		if err != nil || len(raw)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
		}
		b.WriteString(string(utf16.Decode(units)))
	}
}

// encodeUTF7 writes modified UTF-7.
func encodeUTF7(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return r == '&' || r < ' ' || r > '~' }) {
		return name
	}
	var b strings.Builder
	var shifted []byte
	flush := func() {
		if len(shifted) > 0 {
			b.WriteString("&" + base64UTF7.EncodeToString(shifted) + "-")
			shifted = shifted[:0]
		}
	}
	for _, r := range name {
		if r >= ' ' && r <= '~' {
			flush()
			b.WriteRune(r)
			if r == '&' {
				b.WriteByte('-')
			}
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			shifted = append(shifted, byte(unit>>8), byte(unit))
		}
	}
	flush()
	return b.String()
}
