package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) tokenCommand() *cobra.Command {
	return p.group("token", "SCIM bearer tokens",
		p.tokenCreate(), p.tokenList(),
		p.tokenSwitch("enable TOKEN", "Switch a token (id or name) on again", "Enabled", (*client.Client).EnableToken),
		p.tokenSwitch("disable TOKEN", "Switch a token (id or name) off", "Disabled", (*client.Client).DisableToken),
		p.tokenLimit(), p.tokenDelete(),
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
	var limits client.TokenLimits
	limitFlags(cmd, &limits)
	cmd.PreRun = func(*cobra.Command, []string) {
		token.From = limits.From
		if limits.Rate != nil {
			token.Rate = *limits.Rate
		}
	}
	return cmd
}

// limitFlags adds --from and --rate.
func limitFlags(cmd *cobra.Command, into *client.TokenLimits) {
	cmd.Flags().Var(&addresses{&into.From}, "from", "addresses, or ranges such as 10.0.0.0/8, from which alone it is taken, with commas; or any")
	cmd.Flags().Var(&perSecond{&into.Rate}, "rate", "how many requests a second each replica takes with it, 25/s or more; or off")
}

func (p *program) tokenLimit() *cobra.Command {
	var org string
	var limits client.TokenLimits
	cmd := p.command("limit TOKEN", "Change what a token (id or name) is limited to", func(ctx context.Context, args []string) error {
		if limits.From == nil && limits.Rate == nil {
			return usagef("token limit needs --from, --rate, or both")
		}
		c, err := p.client()
		if err != nil {
			return err
		}
		token, err := c.LimitToken(ctx, org, args[0], limits)
		if err != nil {
			return err
		}
		return p.answer(token, "Token %s: %s.", token.Name, tokenLimits(token))
	})
	orgFlag(cmd, &org)
	limitFlags(cmd, &limits)
	return cmd
}

// tokenLimits says what a token is limited to.
func tokenLimits(t client.Token) string {
	rate, from := "any rate", "from any address"
	if t.Rate > 0 {
		rate = fmt.Sprintf("%d/s", t.Rate)
	}
	if len(t.From) > 0 {
		from = "from " + some(t.From)
	}
	return rate + ", " + from
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
			empty: "No tokens.", header: []string{"NAME", "STATE", "CONNECTION", "EXPIRES", "LAST USED", "ID", "LIMITS"},
			row: func(t client.Token) []string {
				limits := ""
				if t.Rate > 0 || len(t.From) > 0 {
					limits = tokenLimits(t)
				}
				return []string{
					t.Name, tokenState(t), orDash(deref(t.Connection)), expiresWhen(t), optionalDay(t.LastUsedAt, "never"), t.ID, limits,
				}
			},
			view: func(t client.Token) any { return t },
		})
	})
	orgFlag(cmd, &org)
	list = bindList(cmd)
	list.byConnection(cmd)
	return cmd
}

// expiresWhen names the day, and near it how many days are left.
func expiresWhen(t client.Token) string {
	const near = 30
	switch {
	case t.DaysLeft == nil || *t.DaysLeft > near || tokenState(t) == "expired":
		return optionalDay(t.ExpiresAt, "never")
	case *t.DaysLeft == 0:
		return "within a day"
	}
	return "in " + count(*t.DaysLeft, "day", "days")
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
