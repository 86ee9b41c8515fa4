package imap

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/postroom/postroom/internal/mail"
)

// A namespace is where a server keeps a person's own folders (RFC 2342): below
// "INBOX." in the manner of Courier, or at the top.
type namespace struct {
	prefix    string // in Unicode, with the delimiter; empty: none
	delimiter string // empty: folders have no levels
}

// nameFor writes a folder as this server would call it: "A/B" with the server's
// delimiter, below the prefix.
func (n namespace) nameFor(folder string) string {
	name := n.levels(folder)
	if strings.EqualFold(name, "INBOX") || n.has(name) {
		return name
	}
	return n.prefix + name
}

// has says whether a name stands below the prefix already. The prefix is mostly
// the inbox, which is called so in any case.
func (n namespace) has(name string) bool {
	return len(name) > len(n.prefix) && strings.EqualFold(name[:len(n.prefix)], n.prefix)
}

// levels puts the server's delimiter for the slash.
func (n namespace) levels(folder string) string {
	if n.delimiter == "" || n.delimiter == "/" {
		return folder
	}
	return strings.ReplaceAll(folder, "/", n.delimiter)
}

// namespace asks where folders belong, once.
func (c *Client) namespace(ctx context.Context) (namespace, error) {
	if c.personal != nil {
		return *c.personal, nil
	}
	var n namespace
	if c.Has("NAMESPACE") {
		_, err := c.simple(ctx, mail.PhaseList, func(word keyword, _ uint64) (bool, error) {
			if word != wordNamespace {
				return false, nil
			}
			return true, c.hearNamespace(&n)
		}, "NAMESPACE")
		if err != nil && !c.Usable() {
			return n, err
		}
	}
	if n.delimiter == "" {
		// The empty name asks for the delimiter (RFC 9051 section 6.3.9).
		_, err := c.simple(ctx, mail.PhaseList, func(word keyword, _ uint64) (bool, error) {
			if word != wordList {
				return false, nil
			}
			root, _, err := c.folder()
			n.delimiter = root.Delimiter
			return true, err
		}, `LIST "" ""`)
		if err != nil && !c.Usable() {
			return n, err
		}
	}
	c.personal = &n
	return n, nil
}

// hearNamespace reads the first of the personal namespaces, which stand in front
// of those of others: (("INBOX." ".")) NIL NIL.
func (c *Client) hearNamespace(n *namespace) error {
	l := &c.lex
	for range 2 {
		if l.next() != '(' {
			return nil
		}
		l.pos++
	}
	prefix, isNil, err := l.text()
	if errors.Is(err, errNoValue) {
		return nil
	} else if err != nil {
		return err
	}
	if !isNil {
		n.prefix = string(prefix)
		if name, ok := decodeUTF7(n.prefix); ok && !c.utf8 {
			n.prefix = name
		}
	}
	delimiter, isNil, err := l.text()
	if errors.Is(err, errNoValue) || isNil {
		return nil
	} else if err != nil {
		return err
	}
	n.delimiter = string(delimiter)
	if n.prefix != "" && !strings.HasSuffix(n.prefix, n.delimiter) {
		n.prefix += n.delimiter
	}
	return nil
}

// inFolder does something with a folder by the name that was given; and where the
// server has none of that name, by the name that the server has for it.
func (c *Client) inFolder(ctx context.Context, folder string, do func(sent string) error) error {
	sent, isKnown := c.wireName(folder)
	err := do(sent)
	if isKnown || !MayLackFolder(err) || !c.Usable() {
		return err
	}
	found, ok, findErr := c.find(ctx, folder)
	if findErr != nil || !ok || found == sent {
		return err // the first refusal says more
	}
	c.remember(folder, found)
	return do(found)
}

// wireName is what a folder is called over the wire, as far as is known.
func (c *Client) wireName(folder string) (sent string, isKnown bool) {
	if strings.EqualFold(folder, "INBOX") {
		folder = "INBOX"
	}
	if sent, isKnown = c.wireNames[folder]; isKnown {
		return sent, true
	}
	return c.encodeName(folder), folder == "INBOX"
}

// remember keeps what the server calls a folder, where that is not what we would.
func (c *Client) remember(folder, sent string) {
	if c.encodeName(folder) == sent {
		return
	}
	if c.wireNames == nil {
		c.wireNames = make(map[string]string)
	}
	c.wireNames[folder] = sent
}

// MayLackFolder says whether a refusal may mean that there is no folder of the
// name that was given. Not all servers have a code for it.
func MayLackFolder(err error) bool {
	r, ok := mail.RefusalOf(err)
	return ok && slices.Contains([]string{"", "NONEXISTENT", "TRYCREATE", "CANNOT"}, r.Code)
}

// find looks for a folder among those that the server lists: by its name, with
// the server's delimiter, below the prefix.
func (c *Client) find(ctx context.Context, folder string) (sent string, ok bool, err error) {
	folders, err := c.Folders(ctx)
	if err != nil {
		return "", false, err
	}
	isThere := func(name string) bool {
		return slices.ContainsFunc(folders, func(f Folder) bool { return f.Name == name && !f.NoSelect })
	}
	names := []string{folder}
	if !isThere(folder) {
		space, err := c.namespace(ctx)
		if err != nil {
			return "", false, err
		}
		names = []string{space.levels(folder), space.nameFor(folder)}
	}
	for _, name := range names {
		if isThere(name) {
			sent, _ := c.wireName(name)
			return sent, true, nil
		}
	}
	return "", false, nil
}

// FolderFor finds the folder that serves a special use (RFC 6154), such as \Trash,
// whatever it is called. ok is false where the server names none.
func (c *Client) FolderFor(ctx context.Context, use string) (name string, ok bool, err error) {
	folders, err := c.Folders(ctx)
	for _, f := range folders {
		if strings.EqualFold(f.SpecialUse, use) && !f.NoSelect {
			return f.Name, true, nil
		}
	}
	return "", false, err
}

// Create makes a folder in the place where the server keeps a person's own, and
// subscribes to it, so that mail programs show it. Levels are given with slashes.
// A folder that is there already is a success.
func (c *Client) Create(ctx context.Context, folder string) error {
	space, err := c.namespace(ctx)
	if err != nil {
		return err
	}
	name := space.nameFor(folder)
	sent := c.encodeName(name)
	err = c.create(ctx, sent)
	if err != nil && !alreadyExists(err) && c.createAbove(ctx, space, name) {
		err = c.create(ctx, sent)
	}
	switch {
	case err == nil:
		c.remember(folder, sent)
		_, err := c.run(ctx, mail.PhaseAny, nil, arg{text: "SUBSCRIBE"}, c.astring(sent))
		if c.Usable() {
			return nil // it is there all the same
		}
		return err
	case alreadyExists(err):
		c.remember(folder, sent)
		return nil
	case !c.Usable():
		return err
	}
	if found, ok, findErr := c.find(ctx, folder); findErr == nil && ok {
		c.remember(folder, found)
		return nil
	}
	return err
}

// alreadyExists is RFC 5530 section 3; many servers say it in words only.
func alreadyExists(err error) bool {
	r, ok := mail.RefusalOf(err)
	return ok && r.Code == "ALREADYEXISTS"
}

func (c *Client) create(ctx context.Context, sent string) error {
	_, err := c.run(ctx, mail.PhaseAny, nil, arg{text: "CREATE"}, c.astring(sent))
	return err
}

// createAbove makes what is missing of the levels above a folder, which not every
// server does by itself (RFC 9051 section 6.3.4). ok is false when there are none,
// or the connection broke.
func (c *Client) createAbove(ctx context.Context, space namespace, name string) (ok bool) {
	if space.delimiter == "" {
		return false
	}
	start := 0
	if space.has(name) {
		start = len(space.prefix)
	}
	for i := start + 1; i < len(name) && c.Usable(); i++ {
		if strings.HasPrefix(name[i:], space.delimiter) {
			_ = c.create(ctx, c.encodeName(name[:i])) // most are there
			ok = true
		}
	}
	return ok && c.Usable()
}
