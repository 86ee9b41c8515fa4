package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

func TestOnlyAClearYesIsAYes(t *testing.T) {
	for typed, want := range map[string]bool{"y\n": true, " YES \n": true, "\n": false, "no\n": false, "yesterday\n": false, "y": false, "": false} {
		var asked bytes.Buffer
		got, err := terminal{In: strings.NewReader(typed), Err: &asked}.confirmed(t.Context(), "Do this?")
		if err != nil || got != want || asked.String() != "Do this? [y/N] " {
			t.Errorf("confirmed by %q = %v, %v after %q, want %v", typed, got, err, asked.String(), want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	silent, writer := io.Pipe()
	defer writer.Close()
	if sure, err := (terminal{In: silent, Err: io.Discard}).confirmed(ctx, "Do this?"); sure || err == nil {
		t.Errorf("confirmed by a stop: %v, %v", sure, err)
	}
}
