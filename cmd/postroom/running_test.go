package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"time"

	"github.com/postroom/postroom/internal/api"
)

const (
	patience = 60 * time.Second // a loaded machine is slow, not broken
	// stopLimit is what is promised: a clean stop takes no longer, whatever goes on.
	stopLimit = 10 * time.Second
)

// A running is a command of postroom in a process of its own: this test binary,
// called by that name.
type running struct {
	command  *exec.Cmd
	out, log string // files with what it has printed
	ended    chan struct{}
	err      error // how it ended, once it has
}

// launch starts “postroom args…” in dir. env is added to the environment.
func launch(dir string, env []string, args ...string) (*running, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &running{command: exec.Command(program, args...), ended: make(chan struct{})}
	r.command.Args[0] = "postroom" // testscript.Main goes by it
	r.command.Dir = dir
	r.command.Env = append(os.Environ(), env...)
	for name, into := range map[*string]func(*os.File){
		&r.out: func(f *os.File) { r.command.Stdout = f },
		&r.log: func(f *os.File) { r.command.Stderr = f },
	} {
		f, err := os.CreateTemp(dir, "printed-*.log")
		if err != nil {
			return nil, err
		}
		defer f.Close()
		into(f)
		*name = f.Name()
	}
	if err := r.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		r.err = r.command.Wait()
		close(r.ended)
	}()
	return r, nil
}

// printed is what the command has printed so far, then what it has complained of.
func (r *running) printed() string {
	out, err := os.ReadFile(r.out)
	log, logErr := os.ReadFile(r.log)
	if err := errors.Join(err, logErr); err != nil {
		return err.Error()
	}
	return string(out) + string(log)
}

// says waits until the standard output matches, and returns what the groups matched.
func (r *running) says(pattern string, limit time.Duration) ([]string, error) {
	var found []string
	err := eventually(limit, func() error {
		text, err := os.ReadFile(r.out)
		if err != nil {
			return err
		}
		if found = regexp.MustCompile(pattern).FindStringSubmatch(string(text)); found != nil {
			return nil
		}
		select {
		case <-r.ended:
			return fmt.Errorf("it has ended (%v) and said\n%s", r.err, r.printed())
		default:
			return fmt.Errorf("it does not say %q but\n%s", pattern, r.printed())
		}
	})
	return found, err
}

// stop asks the command to end and waits until it has, cleanly and in time.
func (r *running) stop(how os.Signal) error {
	begun := time.Now()
	if err := r.command.Process.Signal(how); err != nil {
		return fmt.Errorf("%v: %w", how, err)
	}
	select {
	case <-r.ended:
	case <-time.After(2 * stopLimit):
		return errors.Join(fmt.Errorf("it did not end within %v", 2*stopLimit), r.kill())
	}
	if r.err != nil {
		return fmt.Errorf("%v: it ended with %w", how, r.err)
	}
	if took := time.Since(begun); took > stopLimit {
		return fmt.Errorf("it took %v to end", took)
	}
	return nil
}

// kill ends the command at once. Killing twice is allowed.
func (r *running) kill() error {
	err := r.command.Process.Kill()
	<-r.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// eventually tries until what is tried succeeds, and returns its last error when
// the time is over.
func eventually(limit time.Duration, try func() error) error {
	over := time.After(limit)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-over:
			return fmt.Errorf("not within %v: %w", limit, err)
		case <-again.C:
		}
	}
}

// A server is “postroom serve”.
type server struct {
	*running
	url  string
	link string // for the first administrator; empty when there is one
}

// launchServer starts “postroom serve args…” on a free port and waits until it is
// ready.
func launchServer(dir string, env []string, args ...string) (*server, error) {
	r, err := launch(dir, env, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	if err != nil {
		return nil, err
	}
	s := &server{running: r}
	said, err := r.says(`(?m)^Postroom answers on (\S+)$`, patience)
	if err != nil {
		return nil, errors.Join(err, r.kill())
	}
	s.url = said[1]
	if err := eventually(patience, s.ready); err != nil {
		return nil, errors.Join(err, r.kill())
	}
	// What it greets with is printed before it answers.
	if said, err := r.says(`(?m)^(http\S+/welcome/\S+)$`, 0); err == nil {
		s.link = said[1]
	}
	return s, nil
}

func (s *server) ready() error {
	answer, err := http.Get(s.url + "/readyz")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz says %s", answer.Status)
	}
	return nil
}

// client speaks to the API with a token.
func (s *server) client(token string) *client {
	return &client{base: s.url + api.Prefix, token: token, attended: true, http: &http.Client{Timeout: patience}}
}
