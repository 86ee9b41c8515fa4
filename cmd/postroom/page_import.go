package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/web"
)

// importReader reads the lists that people hand in on the pages as “postroom mailbox
// import” does.
func importReader(programs *api.Server) func(context.Context, []byte) ([]web.ImportLine, error) {
	return func(ctx context.Context, text []byte) ([]web.ImportLine, error) {
		rows, err := readRows(text)
		if err != nil {
			return nil, err
		}
		lines := make([]web.ImportLine, 0, len(rows))
		for _, r := range rows {
			line := web.ImportLine{Number: r.line}
			if r.wrong != nil {
				line.Line = mailbox.Line{Address: r.address(), Err: &postroom.Fault{
					Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Explanation: r.wrong.Explanation, Remedy: r.wrong.Remedy,
				}}
			} else if line.Line, err = r.read(ctx, programs); err != nil {
				return nil, err
			}
			lines = append(lines, line)
		}
		return lines, nil
	}
}

// read reads a row as the API does.
func (r row) read(ctx context.Context, programs *api.Server) (mailbox.Line, error) {
	text, err := json.Marshal(r.mailbox)
	if err != nil {
		return mailbox.Line{}, fmt.Errorf("line %d of the list: %w", r.line, err)
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return mailbox.Line{}, fmt.Errorf("line %d of the list: %w", r.line, err)
	}
	return programs.Line(ctx, members), nil
}
