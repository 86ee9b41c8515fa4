package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// isTyped says whether somebody sits at a keyboard.
func (t terminal) isTyped() bool {
	file, ok := t.In.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// confirmed asks a question that is answered by yes or no.
func (t terminal) confirmed(ctx context.Context, question string) (bool, error) {
	fmt.Fprintf(t.Err, "%s [y/N] ", question)
	answered := make(chan string, 1)
	// Nothing can end a read from a terminal. When Ctrl-C comes first, the process
	// ends and the read with it.
	go func() {
		line, err := bufio.NewReader(t.In).ReadString('\n')
		if err != nil {
			line = ""
		}
		answered <- line
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(t.Err)
		return false, errors.New("stopped, nothing was changed")
	case line := <-answered:
		line = strings.ToLower(strings.TrimSpace(line))
		return line == "y" || line == "yes", nil
	}
}
