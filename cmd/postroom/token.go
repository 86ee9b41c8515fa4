package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/access"
	"github.com/postroom/postroom/internal/store"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Create a token. It is printed on the last line, this once."`
	List   tokenListCmd   `cmd:"" help:"List the tokens that are good."`
	Revoke tokenRevokeCmd `cmd:"" help:"Make a token useless for ever."`
}

type tokenCreateCmd struct {
	dataFlags
	Name    string   `required:"" help:"The program that will use it."`
	Scope   string   `enum:"read,write,admin" default:"admin" help:"What it may do: ${enum}."`
	Mailbox []string `help:"Mailboxes, by address or id, whose mail it may see besides that for everyone." placeholder:"ADDRESS"`
	JSON    bool     `name:"json" help:"Print the result as JSON."`
}

// Run creates the token and prints it.
func (c *tokenCreateCmd) Run(ctx context.Context, t terminal) error {
	return c.atDoor(ctx, func(d *access.Door, db *store.DB) error {
		mailboxes, err := namedMailboxes(ctx, db, c.Mailbox)
		if err != nil {
			return err
		}
		token, id, err := d.CreateToken(ctx, c.Name, postroom.Scope(c.Scope), mailboxes)
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(t.Out).Encode(struct {
				ID        string   `json:"id"`
				Name      string   `json:"name"`
				Scope     string   `json:"scope"`
				Mailboxes []string `json:"mailboxes"`
				Token     string   `json:"token"`
			}{id.String(), c.Name, c.Scope, idTexts(mailboxes), token.Reveal()})
		}
		_, err = fmt.Fprintf(t.Out, "Token %s for %s (%s). It is shown this once:\n%s\n", id, c.Name, c.Scope, token.Reveal())
		return err
	})
}

// namedMailboxes finds mailboxes by what people call them: an address or an id.
func namedMailboxes(ctx context.Context, db *store.DB, names []string) ([]postroom.MailboxID, error) {
	var ids []postroom.MailboxID
	for _, name := range names {
		if strings.Contains(name, "@") {
			m, err := db.MailboxByAddress(ctx, name)
			if err != nil {
				return nil, err
			}
			ids = append(ids, m.ID)
			continue
		}
		id, err := postroom.ParseID[postroom.MailboxID](name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func idTexts(ids []postroom.MailboxID) []string {
	texts := make([]string, 0, len(ids))
	for _, id := range ids {
		texts = append(texts, id.String())
	}
	return texts
}

type tokenListCmd struct {
	dataFlags
	JSON bool `name:"json" help:"Print the list as JSON."`
}

// Run prints the tokens, the oldest first.
func (c *tokenListCmd) Run(ctx context.Context, t terminal) error {
	return c.atDoor(ctx, func(d *access.Door, _ *store.DB) error {
		tokens, err := d.Tokens(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printList(t.Out, tokens, printedToken)
		}
		w := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tNAME\tSCOPE\tMAILBOXES\tCREATED\tLAST USED")
		for _, k := range tokens {
			used := "never"
			if !k.LastUsedAt.IsZero() {
				used = k.LastUsedAt.Local().Format(time.DateTime)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Scope, strings.Join(idTexts(k.Mailboxes), ", "),
				k.CreatedAt.Local().Format(time.DateTime), used)
		}
		return w.Flush()
	})
}

// tokenJSON is a token as programs read it; what opens the API is not in it.
type tokenJSON struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scope      string     `json:"scope"`
	Mailboxes  []string   `json:"mailboxes"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

func printedToken(k access.Token) tokenJSON {
	return tokenJSON{k.ID.String(), k.Name, string(k.Scope), idTexts(k.Mailboxes), k.CreatedAt.UTC(), orNull(k.LastUsedAt)}
}

type tokenRevokeCmd struct {
	dataFlags
	ID string `arg:"" name:"id" help:"Of the token, as “postroom token list” shows it."`
}

// Run revokes the token. A running server notices within seconds.
func (c *tokenRevokeCmd) Run(ctx context.Context, t terminal) error {
	id, err := postroom.ParseID[postroom.TokenID](c.ID)
	if err != nil {
		return err
	}
	return c.atDoor(ctx, func(d *access.Door, _ *store.DB) error {
		if err := d.RevokeToken(ctx, id); err != nil {
			return err
		}
		_, err := fmt.Fprintf(t.Out, "Token %s opens nothing any more.\n", id)
		return err
	})
}
