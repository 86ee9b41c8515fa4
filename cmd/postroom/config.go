package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// settings are what a configuration file says, by the names of flags: one JSON
// object, in which log-level may also be written log_level. One file serves all
// commands. The command line counts more than the environment, and that more than
// the file.
type settings map[string]any

func keyOf(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// readSettings reads a configuration file.
func readSettings(r io.Reader) (kong.Resolver, error) {
	name := "the configuration file"
	if f, ok := r.(*os.File); ok {
		name = f.Name()
	}
	d := json.NewDecoder(r)
	var written map[string]any
	if err := d.Decode(&written); err != nil {
		return nil, fmt.Errorf("%s cannot be read; it has to be one JSON object such as {\"listen\": \"127.0.0.1:8025\"}: %w", name, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s goes on behind its JSON object", name)
	}
	s := make(settings, len(written))
	for key, value := range written {
		s[keyOf(key)] = value
	}
	return s, nil
}

// Validate refuses a key that is no flag of any command: it is misspelt, and the
// setting that was meant would not count.
func (s settings) Validate(app *kong.Application) error {
	known := make(map[string]bool)
	var collect func(*kong.Node)
	collect = func(n *kong.Node) {
		for _, flag := range n.Flags {
			known[keyOf(flag.Name)] = true
		}
		for _, child := range n.Children {
			collect(child)
		}
	}
	collect(app.Node)
	for key, value := range s {
		if _, isObject := value.(map[string]any); isObject {
			return fmt.Errorf("the configuration file has an object under %q; every key is the name of a flag, with its value", key)
		}
		if !known[key] || key == "help" || key == "config" {
			return fmt.Errorf("the configuration file has %q, which is no setting", key)
		}
	}
	return nil
}

// Resolve is the value of a flag that neither the command line nor the environment
// gives; nil: the file does not say.
func (s settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (value any, err error) {
	inEnvironment := func(name string) bool { return os.Getenv(name) != "" }
	if !slices.ContainsFunc(flag.Envs, inEnvironment) {
		value = s[keyOf(flag.Name)]
	}
	return value, nil
}
