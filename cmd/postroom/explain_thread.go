package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/postroom/postroom/internal/intake"
)

// threadsOf reads the headers of all messages among files and says which of
// them belong together. A file that cannot be read belongs to nothing.
func threadsOf(files []string) *intake.Threads {
	threads := &intake.Threads{}
	for _, file := range files {
		if isMessage(file) {
			addToThreads(threads, file)
		}
	}
	return threads
}

func addToThreads(threads *intake.Threads, file string) {
	f, err := os.Open(file)
	if err != nil {
		return
	}
	defer f.Close()
	if u, err := intake.Understand(headerOf(f)); err == nil {
		threads.Add(file, u.Mail)
	}
}

const maxThreadHeader = 1 << 20

// headerOf is the beginning of a message up to its first empty line.
func headerOf(r io.Reader) io.Reader {
	lines := bufio.NewReader(io.LimitReader(r, maxThreadHeader))
	var header bytes.Buffer
	for {
		line, err := lines.ReadSlice('\n')
		header.Write(line)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) || header.Len() > 4 && len(bytes.TrimRight(line, "\r\n")) == 0 {
			return &header
		}
	}
}
