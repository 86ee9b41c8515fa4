// Command postroom connects mailboxes to a business: it reads every mail once,
// turns it into an issue, and says in plain words what to do when something
// breaks. See “postroom help”.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/postroom/postroom"
)

// commands is the command line (docs: design of the outside contract).
type commands struct {
	Config kong.ConfigFlag `help:"Read settings from this JSON file: one object, with flags as keys. The command line and the environment count more." placeholder:"FILE"`

	Demo     demoCmd     `cmd:"" help:"Show everything in one process: a pretend mail provider, two mailboxes, mail dripping in."`
	Serve    serveCmd    `cmd:"" help:"Run the server."`
	Mailbox  mailboxCmd  `cmd:"" help:"Add, list, show and prove mailboxes, and ask for the ledger."`
	OAuthApp oauthAppCmd `cmd:"" name:"oauth-app" help:"Enter, check and change the registrations at providers by which people sign in."`
	Discover discoverCmd `cmd:"" help:"Find the settings of an address, and say where each comes from. Needs no server."`
	Doctor   doctorCmd   `cmd:"" help:"Find the settings of an address and prove step by step that mail can be read and sent. Needs no server."`
	User     userCmd     `cmd:"" help:"Create people who may sign in, and set their passwords."`
	Token    tokenCmd    `cmd:"" help:"Create tokens for programs."`
	Backup   backupCmd   `cmd:"" help:"Copy everything into one file, while the server runs."`
	Restore  restoreCmd  `cmd:"" help:"Put a backup back, where nothing is yet."`
	Explain  explainCmd  `cmd:"" help:"Say how a message is understood. Needs no server."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
	Help     helpCmd     `cmd:"" help:"Explain the commands." hidden:""`
}

// terminal is where a command reads and writes.
type terminal struct {
	In       io.Reader
	Out, Err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// The exit codes of the command line.
const (
	exitGood     = 0
	exitFailed   = 1
	exitWrongUse = 2
)

// run is the program: it parses args, does what they say and returns the exit code.
func run(ctx context.Context, args []string, t terminal) int {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	var c commands
	exited, code := false, exitGood
	parser, err := kong.New(&c,
		kong.Name("postroom"),
		kong.Description("Every letter that arrives is entered in the ledger, once, before anything else happens to it."),
		kong.Configuration(readSettings),
		kong.DefaultEnvars("POSTROOM"),
		kong.UsageOnError(),
		kong.Writers(t.Out, t.Err),
		kong.Exit(func(n int) { exited, code = true, n }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(t),
	)
	if err != nil {
		fmt.Fprintln(t.Err, "postroom:", err)
		return exitFailed
	}
	kctx, err := parser.Parse(args)
	if exited {
		return code
	}
	if err != nil {
		fmt.Fprintf(t.Err, "postroom: %s.\nSee “postroom help”.\n", strings.TrimSuffix(err.Error(), "."))
		return exitWrongUse
	}
	if err := kctx.Run(); err != nil {
		return complain(t.Err, orInterrupted(ctx, err))
	}
	return exitGood
}

// wrongUse is a mistake in how a command was called.
type wrongUse struct{ message string }

func (w wrongUse) Error() string { return w.message }

// orInterrupted is err in words, where it only says that somebody pressed Ctrl-C.
func orInterrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "This was interrupted before it was done.",
		Remedy:      "What is done stays. The same command can be given again.",
		Err:         err,
	}
}

// complain says what went wrong in words for people, and returns the exit code.
func complain(w io.Writer, err error) int {
	var use wrongUse
	if errors.As(err, &use) {
		fmt.Fprintf(w, "postroom: %s\nSee “postroom help”.\n", use.message)
		return exitWrongUse
	}
	if f, ok := postroom.FaultOf(err); ok {
		fmt.Fprintln(w, f.Explanation)
		if f.Remedy != "" {
			fmt.Fprintln(w, f.Remedy)
		}
		if f.Reply != "" {
			fmt.Fprintf(w, "The server said: %s\n", f.Reply)
		}
		return exitFailed
	}
	fmt.Fprintln(w, "postroom:", err)
	return exitFailed
}

type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command to explain."`
}

// Run prints the help that “--help” prints.
func (h *helpCmd) Run(ctx context.Context, t terminal) error {
	var said strings.Builder
	if code := run(ctx, append(h.Command, "--help"), terminal{t.In, t.Out, &said}); code != exitGood {
		return wrongUse{"There is no command “" + strings.Join(h.Command, " ") + "”."}
	}
	return nil
}
