package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) tokenCommand() *cobra.Command {
	return p.group("token", "SCIM bearer tokens",
		p.tokenCreate(), p.tokenList(),
		p.tokenSwitch("enable TOKEN", "Switch a token (id or name) on again", "Enabled", (*client.Client).EnableToken),
		p.tokenSwitch("disable TOKEN", "Switch a token (id or name) off", "Disabled", (*client.Client).DisableToken),
		p.tokenDelete(),
	)
}

// createdToken is what `token create` prints: the contract's five keys.
type createdToken struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Token      string     `json:"token"`
	Connection *string    `json:"connection"`
	ExpiresAt  *time.Time `json:"expires_at"`
}

// deleted is what a deletion prints.
type deleted struct {
	Deleted string `json:"deleted"`
}

func (p *program) tokenCreate() *cobra.Command {
	var org string
	var token client.NewToken
	cmd := p.command("create", "Make a token and print it, once", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		made, err := c.CreateToken(ctx, org, token)
		if err != nil {
			return err
		}
		if !p.json {
			p.note("Token %s, connection %s, expires %s. It is shown only now:",
				made.Name, orDash(deref(made.Connection)), optionalTime(made.ExpiresAt, "never"))
		}
		return p.answer(createdToken{made.ID, made.Name, made.Token, made.Connection, made.ExpiresAt}, "%s", made.Token)
	})
	orgFlag(cmd, &org)
	require(cmd, &token.Name, "name", "what to call it")
	expiresFlag(cmd, &token.Expires)
	cmd.Flags().StringVar(&token.Connection, "connection", "", "the connection to bind it to (default: the organisation's only one)")
	return cmd
}

func (p *program) tokenList() *cobra.Command {
	var org string
	var list *listFlags
	cmd := p.command("list", "List tokens", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		return printList(p, c.Tokens(ctx, org, list.options()), table[client.Token]{
			empty: "No tokens.", header: []string{"NAME", "STATE", "CONNECTION", "EXPIRES", "LAST USED", "ID"},
			row: func(t client.Token) []string {
				return []string{t.Name, tokenState(t), orDash(deref(t.Connection)), optionalDay(t.ExpiresAt, "never"), optionalDay(t.LastUsedAt, "never"), t.ID}
			},
			view: func(t client.Token) any { return t },
		})
	})
	orgFlag(cmd, &org)
	list = bindList(cmd)
	list.byConnection(cmd)
	return cmd
}

func tokenState(t client.Token) string {
	switch {
	case t.Disabled:
		return "disabled"
	case t.ExpiresAt != nil && t.ExpiresAt.Before(time.Now()):
		return "expired"
	}
	return "enabled"
}

func (p *program) tokenSwitch(use, short, done string, change func(*client.Client, context.Context, string, string) (client.Token, error)) *cobra.Command {
	var org string
	cmd := p.command(use, short, func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		token, err := change(c, ctx, org, args[0])
		if err != nil {
			return err
		}
		return p.answer(token, "%s token %s.", done, token.Name)
	})
	orgFlag(cmd, &org)
	return cmd
}

func (p *program) tokenDelete() *cobra.Command {
	var org string
	cmd := p.command("delete TOKEN", "Delete a token (id or name)", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		if err := c.DeleteToken(ctx, org, args[0]); err != nil {
			return err
		}
		return p.answer(deleted{args[0]}, "Deleted token %s.", args[0])
	})
	orgFlag(cmd, &org)
	return cmd
}
