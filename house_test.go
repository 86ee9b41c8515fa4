package postroom_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/postroom/postroom"

// A floor of the house. Imports go down only.
type floor int

const (
	ground   floor = iota // the words: the standard library only
	tool                  // knows how, never why: imports the ground
	room                  // one thing the product does: imports tools and the ground
	edge                  // where requests come in: imports rooms, tools and the ground
	roof                  // knows everything, and nothing knows it
	workshop              // builds and checks the product, and is no part of it
)

// house says on which floor a package lives, by its path below the module.
var house = map[string]floor{
	"": ground,

	"internal/mail":      tool,
	"internal/mail/imap": tool,
	"internal/mail/pop3": tool,
	"internal/mail/smtp": tool,
	"internal/mail/mime": tool,
	"internal/oauth":     tool,
	"internal/provider":  tool,
	"internal/diagnose":  tool,
	"internal/store":     tool,
	"internal/vault":     tool,
	"internal/work":      tool,
	"internal/simulator": tool,
	"internal/testbed":   tool,

	"internal/access":     room,
	"internal/credential": room,
	"internal/mailbox":    room,
	"internal/fetch":      room,
	"internal/intake":     room,
	"internal/issue":      room,
	"internal/outbox":     room,
	"internal/webhook":    room,
	"internal/alert":      room,

	"internal/web": edge,
	"internal/api": edge,

	"cmd/postroom": roof,

	"scripts/testreport": workshop,
}

// refusal says why the package from must not import the package to, both paths
// below the module, or nothing if it may.
func refusal(from, to string) string {
	for _, name := range []string{from, to} {
		if _, known := house[name]; !known {
			return fmt.Sprintf("package %q is not in the table of house_test.go: add it to the floor where it lives", name)
		}
	}
	switch {
	case house[from] == workshop || house[to] == workshop:
		return "what builds the product and the product do not import one another"
	case house[to] == roof:
		return "nobody imports the roof"
	case to == "internal/testbed":
		return "only tests use the test bed"
	case to == "internal/simulator" && from != "cmd/postroom" && from != "internal/testbed":
		return "only the demo, the test bed and tests use the simulator"
	case house[from] > house[to]:
		return ""
	case to == "internal/mail" && strings.HasPrefix(from, "internal/mail/"):
		return ""
	case from == "internal/testbed" && to == "internal/simulator":
		return ""
	case house[from] == house[to]:
		return "packages on one floor do not import one another"
	}
	return "imports go down only"
}

func TestImportsGoDownOnly(t *testing.T) {
	for _, file := range productFiles(t) {
		from := filepath.ToSlash(filepath.Dir(file.path))
		if from == "." {
			from = ""
		}
		if _, known := house[from]; !known {
			t.Errorf("%s: package %q is not in the table of house_test.go: add it to the floor where it lives", file.path, from)
			continue
		}
		for _, spec := range file.syntax.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatalf("%s: import %s: %v", file.path, spec.Path.Value, err)
			}
			to, ours := strings.CutPrefix(path+"/", module+"/")
			domain, _, _ := strings.Cut(path, "/")
			switch {
			case ours:
				if why := refusal(from, strings.TrimSuffix(to, "/")); why != "" {
					t.Errorf("%s imports %s: %s", file.path, path, why)
				}
			case strings.Contains(domain, ".") && (house[from] == ground || house[from] == workshop):
				t.Errorf("%s imports %s: it lives on the standard library alone", file.path, path)
			}
		}
	}
}

func TestTheHouseRulesRefuse(t *testing.T) {
	tests := map[string]struct {
		from, to string
		allowed  bool
	}{
		"a tool uses the words":                     {"internal/store", "", true},
		"a tool does not use another":               {"internal/store", "internal/work", false},
		"a protocol uses mail":                      {"internal/mail/imap", "internal/mail", true},
		"mail does not use a protocol":              {"internal/mail", "internal/mail/imap", false},
		"a protocol does not use another":           {"internal/mail/imap", "internal/mail/mime", false},
		"the test bed uses the simulator":           {"internal/testbed", "internal/simulator", true},
		"a room uses a tool":                        {"internal/fetch", "internal/mail/imap", true},
		"a room does not use another":               {"internal/fetch", "internal/intake", false},
		"a room does not use the edge":              {"internal/fetch", "internal/web", false},
		"a room does not use the simulator":         {"internal/fetch", "internal/simulator", false},
		"a tool does not use a room":                {"internal/store", "internal/issue", false},
		"the edge uses a room":                      {"internal/web", "internal/issue", true},
		"the edge uses a tool":                      {"internal/api", "internal/store", true},
		"pages do not use the API":                  {"internal/web", "internal/api", false},
		"the roof uses everything":                  {"cmd/postroom", "internal/web", true},
		"the demo uses the simulator":               {"cmd/postroom", "internal/simulator", true},
		"the product does not use the test bed":     {"cmd/postroom", "internal/testbed", false},
		"nobody uses the roof":                      {"internal/web", "cmd/postroom", false},
		"the words use nothing":                     {"", "internal/work", false},
		"a package that nobody knows is not let in": {"internal/web", "internal/helpers", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if why := refusal(test.from, test.to); (why == "") != test.allowed {
				t.Errorf("refusal(%q, %q) = %q, want allowed: %t", test.from, test.to, why, test.allowed)
			}
		})
	}
}

// A tagged domain type is how a password reaches an API response.
func TestTheWordsCarryNoTags(t *testing.T) {
	for _, file := range productFiles(t) {
		if filepath.Dir(file.path) != "." {
			continue
		}
		ast.Inspect(file.syntax, func(n ast.Node) bool {
			if field, ok := n.(*ast.Field); ok && field.Tag != nil {
				t.Errorf("%s: a field carries the tag %s", file.set.Position(field.Pos()), field.Tag.Value)
			}
			return true
		})
	}
}

// A productFile is a Go file that is no test.
type productFile struct {
	path   string // below the root of the module
	set    *token.FileSet
	syntax *ast.File
}

// productFiles reads every Go file of the module but the tests, whatever system
// it is for; go list would leave out those of other systems.
func productFiles(t *testing.T) []productFile {
	t.Helper()
	set := token.NewFileSet()
	var files []productFile
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")):
			return fs.SkipDir // as the go command does
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		syntax, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, productFile{path, set, syntax})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("there is no Go file here")
	}
	return files
}
