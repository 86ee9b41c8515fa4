package main

import (
	"slices"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/postroom/postroom/internal/vault"
)

// A variable that somebody has set for the key, or for the token, is no flag of a command.
func TestNoFlagIsSetByAVariableThatMeansSomethingElse(t *testing.T) {
	var c commands
	parser, err := kong.New(&c, kong.DefaultEnvars("POSTROOM"))
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	err = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			flags++
			for _, variable := range []string{vault.FileVariable, tokenVariable} {
				if slices.Contains(flag.Envs, variable) {
					t.Errorf("--%s is also set by %s", flag.Name, variable)
				}
			}
		}
		return next(nil)
	})
	if err != nil || flags < 50 {
		t.Errorf("%d flags, %v", flags, err)
	}
}
