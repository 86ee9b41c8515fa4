package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/testbed"
)

// A spoken is what a command said, and how it ended.
type spoken struct {
	out, err string
	code     int
}

// say runs the command line with text on standard input.
func say(t *testing.T, input string, args ...string) spoken {
	t.Helper()
	var out, complaints bytes.Buffer
	code := run(t.Context(), args, terminal{strings.NewReader(input), &out, &complaints})
	return spoken{out.String(), complaints.String(), code}
}

// mustSay runs a command that succeeds and returns what it printed.
func mustSay(t *testing.T, input string, args ...string) string {
	t.Helper()
	s := say(t, input, args...)
	if s.code != exitGood {
		t.Fatalf("postroom %s: exit %d: %s", strings.Join(args, " "), s.code, s.err)
	}
	return s.out
}

const aPassword = "correct horse battery\n"

func TestUserCommandsOnEachDatabase(t *testing.T) {
	for name, database := range map[string]func(*testing.T) []string{
		"sqlite":   func(*testing.T) []string { return nil },
		"postgres": func(t *testing.T) []string { return []string{"--database", testbed.Postgres(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			data := append([]string{"--data", t.TempDir()}, database(t)...)
			with := func(args ...string) []string { return append(args, data...) }

			mustSay(t, aPassword, with("user", "create", "--email", "Ada@Example.net", "--admin", "--password-stdin")...)
			var zoe userJSON
			printed := mustSay(t, "correct horse battery\r\n", with("user", "create", "--email", "zoe@example.net", "--name", "Zoe", "--password-stdin", "--json")...)
			if err := json.Unmarshal([]byte(printed), &zoe); err != nil {
				t.Fatal(err)
			}
			if zoe.Email != "zoe@example.net" || zoe.Name != "Zoe" || zoe.Role != "agent" || zoe.ID == "" || time.Since(zoe.CreatedAt) > time.Hour {
				t.Errorf("created %+v", zoe)
			}
			s := say(t, aPassword, with("user", "create", "--email", "ada@example.net", "--password-stdin")...)
			if s.code != exitFailed || !strings.Contains(s.err, "already") || !strings.Contains(s.err, "postroom user password") {
				t.Errorf("the same address again: %+v", s)
			}
			mustSay(t, "another good one\n", with("user", "password", "--email", "ada@example.net", "--password-stdin")...)
			list := mustSay(t, "", with("user", "list")...)
			for _, want := range []string{"ada@example.net", "admin", "zoe@example.net", "Zoe", "agent"} {
				if !strings.Contains(list, want) {
					t.Errorf("the list lacks %q:\n%s", want, list)
				}
			}
			var items struct {
				Items      []userJSON
				NextCursor *string `json:"next_cursor"`
			}
			if err := json.Unmarshal([]byte(mustSay(t, "", with("user", "list", "--json")...)), &items); err != nil || len(items.Items) != 2 {
				t.Errorf("the list as JSON: %v, %+v", err, items)
			}
		})
	}
}

func TestUserCommandsSayWhatIsWrong(t *testing.T) {
	data := t.TempDir()
	tests := map[string]struct {
		input string
		args  []string
		code  int
		words string
	}{
		"no password piped in":  {"", []string{"user", "create", "--email", "a@example.net", "--password-stdin"}, exitWrongUse, "no password on standard input"},
		"no terminal to ask on": {"", []string{"user", "create", "--email", "a@example.net"}, exitWrongUse, "--password-stdin"},
		"no address":            {aPassword, []string{"user", "create", "--password-stdin"}, exitWrongUse, "--email"},
		"a bad address":         {aPassword, []string{"user", "create", "--email", "a", "--password-stdin"}, exitFailed, "not a mail address"},
		"a short password":      {"short\n", []string{"user", "create", "--email", "a@example.net", "--password-stdin"}, exitFailed, "too short"},
		"nobody's password":     {aPassword, []string{"user", "password", "--email", "a@example.net", "--password-stdin"}, exitFailed, "postroom user list"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := say(t, tt.input, append(tt.args, "--data", data)...)
			if s.code != tt.code || !strings.Contains(s.err, tt.words) || s.out != "" {
				t.Errorf("it said %+v, want exit %d and %q", s, tt.code, tt.words)
			}
			if secret := strings.TrimSpace(tt.input); secret != "" && strings.Contains(s.err, "“"+secret+"”") {
				t.Error("the password is printed")
			}
		})
	}
}
