package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A leash is a server process that cannot outlive the test process: a shell
// between the two reads a pipe that only the test process holds open. When the
// pipe closes, by choice or because the test process was killed, the shell stops
// the server; and it removes the directory, unless the word "keep" was said.
type leash struct {
	shell *exec.Cmd
	pipe  io.WriteCloser
	ended string // a file that exists once the server has ended
}

// leashScript asks the server to stop until it does, because a signal that comes
// before it is ready for signals is lost, and after ten seconds it insists. What
// the server leaves running then follows: Dovecot lets its connections live on.
// Cyrus asks its whole process group to end, which is ours too; that ends no wait.
const leashScript = `
signal=$1; dir=$2; shift 2
ulimit -n "$(ulimit -H -n)" 2>/dev/null
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
trap : TERM
(
	trap : TERM
	read -r word <&3
	[ "$word" = keep ] && : >"$dir/keep"
	tries=0
	while kill -s "$signal" "$server" 2>/dev/null; do
		tries=$((tries+1))
		[ $tries -eq 50 ] && signal=KILL
		sleep 0.2
	done
) &
watcher=$!
while kill -s 0 "$server" 2>/dev/null; do wait "$server"; done
: >"$dir/ended"
while kill -s 0 "$watcher" 2>/dev/null; do wait "$watcher"; done
trap '' TERM
kill -s TERM 0
[ -e "$dir/keep" ] || rm -rf "$dir"
`

// start runs a server as account in dir, its output going to a file there. stop is
// the name of the signal that stops it.
func start(account *account, dir, stop string, command ...string) (*leash, error) {
	ended := filepath.Join(dir, "ended")
	for _, old := range []string{ended, filepath.Join(dir, "keep")} {
		if err := os.RemoveAll(old); err != nil {
			return nil, fmt.Errorf("tidy up before %s starts: %w", command[0], err)
		}
	}
	output, err := os.OpenFile(filepath.Join(dir, "output.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("keep the output of %s: %w", command[0], err)
	}
	defer output.Close()
	shell := exec.Command("sh", append([]string{"-c", leashScript, "leash", stop, dir}, command...)...)
	shell.Dir, shell.Stdout, shell.Stderr = dir, output, output
	account.own(shell)
	pipe, err := shell.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make the leash of %s: %w", command[0], err)
	}
	if err := shell.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	return &leash{shell: shell, pipe: pipe, ended: ended}, nil
}

// stop stops the server and waits for its end. The directory stays.
func (l *leash) stop() {
	_, _ = io.WriteString(l.pipe, "keep\n") // a shell that is gone has nothing left to stop
	_ = l.pipe.Close()
	_ = l.shell.Wait() // how it ended is in its log
	_ = killGroup(l.shell.Process.Pid)
}

// hasEnded says whether the server has ended by itself.
func (l *leash) hasEnded() bool {
	_, err := os.Stat(l.ended)
	return err == nil
}

// An account is the user that servers run as: a user without rights when we are
// root, otherwise ourselves. PostgreSQL and Dovecot refuse to work for root.
type account struct {
	name, group string
	uid, gid    int
	other       bool // it is not us
}

func serverAccount(candidates ...string) (*account, error) {
	found, err := user.Current()
	other := os.Getuid() == 0
	if other {
		err = errors.New("nobody was asked for")
		for _, name := range append(candidates, "nobody") {
			if found, err = user.Lookup(name); err == nil {
				break
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find a user to run a server as: %w", err)
	}
	a := &account{name: found.Username, other: other}
	if a.uid, err = strconv.Atoi(found.Uid); err != nil {
		return nil, fmt.Errorf("user %s has no numeric id: %w", a.name, err)
	}
	if a.gid, err = strconv.Atoi(found.Gid); err != nil {
		return nil, fmt.Errorf("user %s has no numeric group: %w", a.name, err)
	}
	a.group = found.Gid
	if group, err := user.LookupGroupId(found.Gid); err == nil {
		a.group = group.Name
	}
	return a, nil
}

// give hands files over to the account.
func (a *account) give(paths ...string) error {
	if !a.other {
		return nil
	}
	for _, path := range paths {
		if err := os.Lchown(path, a.uid, a.gid); err != nil {
			return fmt.Errorf("hand a file over to %s: %w", a.name, err)
		}
	}
	return nil
}

// workplace makes a directory that the account can reach. The path is short,
// because that of a socket in it may have no more than about 100 bytes.
func (a *account) workplace(pattern string) (string, error) {
	place := "/tmp"
	if _, err := os.Stat(place); err != nil {
		place = ""
	}
	dir, err := os.MkdirTemp(place, pattern)
	if err != nil {
		return "", fmt.Errorf("make a place for a server: %w", err)
	}
	return dir, a.give(dir)
}

// run runs a command as the account and returns what it printed.
func (a *account) run(dir, program string, args ...string) (string, error) {
	command := exec.Command(program, args...)
	command.Dir = dir
	a.own(command)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, output.Bytes())
	}
	return output.String(), nil
}

// freePorts returns n loopback ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // only now, so that all are different
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// isRunning says whether a process exists.
func isRunning(pid int) bool {
	process, err := os.FindProcess(pid)
	return err == nil && process.Signal(syscall.Signal(0)) == nil
}

// printLogs shows the last lines of files when a test has failed.
func printLogs(t testing.TB, paths ...string) {
	if !t.Failed() {
		return
	}
	const last = 20_000 // bytes
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil || len(text) == 0 {
			continue
		}
		t.Logf("%s:\n%s", filepath.Base(path), text[max(0, len(text)-last):])
	}
}
