package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/access"
	"github.com/postroom/postroom/internal/store"
)

type userCmd struct {
	Create   userCreateCmd   `cmd:"" help:"Create somebody who may sign in."`
	Password userPasswordCmd `cmd:"" help:"Set somebody's password. It ends all places where they are signed in."`
	List     userListCmd     `cmd:"" help:"List everybody."`
}

type userCreateCmd struct {
	dataFlags
	Email         string `required:"" help:"The address to sign in with." placeholder:"ADDRESS"`
	Name          string `help:"What people call them; the address when empty."`
	Admin         bool   `help:"May see and change settings. Without it they work on issues."`
	PasswordStdin bool   `help:"Read the password from standard input instead of asking for it."`
	JSON          bool   `name:"json" help:"Print the result as JSON."`
}

// Run asks for the password and creates the user.
func (c *userCreateCmd) Run(ctx context.Context, t terminal) error {
	password, err := t.newPassword(ctx, c.PasswordStdin)
	if err != nil {
		return err
	}
	role := postroom.RoleAgent
	if c.Admin {
		role = postroom.RoleAdmin
	}
	return c.atDoor(ctx, func(d *access.Door, _ *store.DB) error {
		u, err := d.CreateUser(ctx, c.Email, c.Name, role, password)
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(t.Out).Encode(printedUser(u))
		}
		_, err = fmt.Fprintf(t.Out, "%s may sign in now (%s).\n", u.Email, u.Role)
		return err
	})
}

type userPasswordCmd struct {
	dataFlags
	Email         string `required:"" help:"Whose password." placeholder:"ADDRESS"`
	PasswordStdin bool   `help:"Read the password from standard input instead of asking for it."`
}

// Run asks for the password and sets it.
func (c *userPasswordCmd) Run(ctx context.Context, t terminal) error {
	password, err := t.newPassword(ctx, c.PasswordStdin)
	if err != nil {
		return err
	}
	return c.atDoor(ctx, func(d *access.Door, _ *store.DB) error {
		if err := d.SetPassword(ctx, c.Email, password); err != nil {
			return err
		}
		_, err := fmt.Fprintln(t.Out, "The password is set. Where they were signed in, they have to sign in again.")
		return err
	})
}

type userListCmd struct {
	dataFlags
	JSON bool `name:"json" help:"Print the list as JSON."`
}

// Run prints everybody, by name.
func (c *userListCmd) Run(ctx context.Context, t terminal) error {
	return c.atDoor(ctx, func(d *access.Door, _ *store.DB) error {
		users, err := d.Users(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printList(t.Out, users, printedUser)
		}
		w := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tADDRESS\tNAME\tROLE\tCREATED\tMAY SIGN IN")
		for _, u := range users {
			mayEnter := "yes"
			if !u.DisabledAt.IsZero() {
				mayEnter = "no, since " + u.DisabledAt.Local().Format(time.DateTime)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", u.ID, u.Email, u.Name, u.Role, u.CreatedAt.Local().Format(time.DateTime), mayEnter)
		}
		return w.Flush()
	})
}

// userJSON is a user as programs read it.
type userJSON struct {
	ID         string     `json:"id"`
	Email      string     `json:"email"`
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	CreatedAt  time.Time  `json:"created_at"`
	DisabledAt *time.Time `json:"disabled_at"`
}

func printedUser(u postroom.User) userJSON {
	return userJSON{u.ID.String(), u.Email, u.Name, string(u.Role), u.CreatedAt.UTC(), orNull(u.DisabledAt)}
}

// orNull is a time for JSON: the zero time is null.
func orNull(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

// printList prints things as the API lists them.
func printList[T, J any](w io.Writer, things []T, printed func(T) J) error {
	list := struct {
		Items      []J     `json:"items"`
		NextCursor *string `json:"next_cursor"`
	}{Items: make([]J, 0, len(things))}
	for _, thing := range things {
		list.Items = append(list.Items, printed(thing))
	}
	return json.NewEncoder(w).Encode(list)
}

// atDoor opens the data, does something with users and tokens, and closes it.
func (f dataFlags) atDoor(ctx context.Context, do func(*access.Door, *store.DB) error) (err error) {
	in, err := f.open(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	return do(&access.Door{Store: in.DB}, in.DB)
}

// maxPiped is how much of standard input is read for a password, in bytes.
const maxPiped = 64 << 10

// newPassword asks for a password twice, or reads it from standard input.
func (t terminal) newPassword(ctx context.Context, piped bool) (postroom.Secret, error) {
	if piped {
		return t.pipedSecret()
	}
	first, err := t.typedSecret(ctx, "New password: ")
	if err != nil {
		return postroom.Secret{}, err
	}
	second, err := t.typedSecret(ctx, "Once more: ")
	if err != nil {
		return postroom.Secret{}, err
	}
	if first.Reveal() != second.Reveal() {
		return postroom.Secret{}, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "The two passwords are not the same.",
			Remedy:      "Begin again, and type the same one twice.",
		}
	}
	return first, nil
}

// pipedSecret reads the first line of standard input.
func (t terminal) pipedSecret() (postroom.Secret, error) {
	line, err := bufio.NewReader(io.LimitReader(t.In, maxPiped)).ReadString('\n')
	if err != nil && err != io.EOF {
		return postroom.Secret{}, fmt.Errorf("read the password: %w", err)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		return postroom.Secret{}, wrongUse{"There is no password on standard input."}
	}
	return postroom.Hide(line), nil
}

// typedSecret asks for a line that the terminal does not show.
func (t terminal) typedSecret(ctx context.Context, question string) (postroom.Secret, error) {
	file, ok := t.In.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return postroom.Secret{}, wrongUse{"There is no terminal to ask for the password on. Add --password-stdin and pipe it in."}
	}
	before, err := term.GetState(int(file.Fd()))
	if err != nil {
		return postroom.Secret{}, fmt.Errorf("ask for the password: %w", err)
	}
	fmt.Fprint(t.Err, question)
	type answer struct {
		line []byte
		err  error
	}
	answered := make(chan answer, 1)
	// Nothing can end a read from a terminal. When Ctrl-C comes first, the process
	// ends and the read with it.
	go func() {
		line, err := term.ReadPassword(int(file.Fd()))
		answered <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(t.Err)
		if err := term.Restore(int(file.Fd()), before); err != nil {
			return postroom.Secret{}, fmt.Errorf("show again what is typed: %w", err)
		}
		return postroom.Secret{}, errors.New("stopped, nothing was changed")
	case a := <-answered:
		fmt.Fprintln(t.Err)
		if a.err != nil {
			return postroom.Secret{}, fmt.Errorf("ask for the password: %w", a.err)
		}
		return postroom.Hide(string(a.line)), nil
	}
}
