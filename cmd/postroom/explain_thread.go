package main

import (
	"bufio"
	"bytes"
	"io"
	"os"

	"github.com/postroom/postroom/internal/intake"
)

// threads says which of the messages that are explained together belong
// together: those that would meet in one issue.
type threads struct {
	parent map[string]string // union by id: a Message-ID, or "file:" and a path
	mails  []threadedMail
	known  map[string]bool // Message-IDs of the messages at hand
	joined bool
}

type threadedMail struct {
	key       string
	ancestors []string
}

func newThreads() *threads {
	return &threads{parent: map[string]string{}, known: map[string]bool{}}
}

const maxThreadHeader = 1 << 20

// add reads the header of a message. A file that cannot be read belongs to nothing.
func (t *threads) add(file string) {
	f, err := os.Open(file)
	if err != nil {
		return
	}
	defer f.Close()
	u, err := intake.Understand(headerOf(f))
	if err != nil {
		return
	}
	key := "file:" + file
	if u.MessageID != "" {
		t.known[u.MessageID] = true
		t.union(key, u.MessageID)
	}
	t.mails = append(t.mails, threadedMail{key, intake.Ancestors(u.Mail)})
}

// headerOf is the beginning of a message up to its first empty line.
func headerOf(r io.Reader) io.Reader {
	lines := bufio.NewReader(io.LimitReader(r, maxThreadHeader))
	var header bytes.Buffer
	for {
		line, err := lines.ReadSlice('\n')
		header.Write(line)
		if err != nil && err != bufio.ErrBufferFull || header.Len() > 4 && len(bytes.TrimRight(line, "\r\n")) == 0 {
			return &header
		}
	}
}

// of names the thread of a file; empty when it is no message.
func (t *threads) of(file string) string {
	if !t.joined {
		t.joined = true
		for _, m := range t.mails {
			t.join(m)
		}
	}
	if key := "file:" + file; t.parent[key] != "" || isMessage(file) {
		return t.root(key)
	}
	return ""
}

// join puts a mail with its nearest ancestor that is here. Where none is, all
// mails that name the same absent one belong together.
func (t *threads) join(m threadedMail) {
	for _, id := range m.ancestors {
		if t.known[id] {
			t.union(m.key, id)
			return
		}
	}
	for _, id := range m.ancestors {
		t.union(m.key, id)
	}
}

func (t *threads) root(key string) string {
	for t.parent[key] != "" && t.parent[key] != key {
		next := t.parent[key]
		if t.parent[next] != "" {
			t.parent[key] = t.parent[next]
		}
		key = next
	}
	return key
}

func (t *threads) union(a, b string) {
	a, b = t.root(a), t.root(b)
	if a == b {
		return
	}
	if b < a {
		a, b = b, a
	}
	t.parent[b] = a
}
