package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) apikeyCommand() *cobra.Command {
	return p.group("apikey", "Keys for the management API", p.apikeyCreate(), p.apikeyList(), p.apikeyDelete())
}

// createdKey is what `apikey create` prints.
type createdKey struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	Key       string     `json:"key"`
	ExpiresAt *time.Time `json:"expires_at"`
}

func (p *program) apikeyCreate() *cobra.Command {
	var org string
	var key client.NewAPIKey
	cmd := p.command("create", "Make a key and print it, once", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		made, err := c.CreateAPIKey(ctx, org, key)
		if err != nil {
			return err
		}
		if !p.json {
			p.note("API key %s, role %s, expires %s. It is shown only now:", made.Name, made.Role, optionalTime(made.ExpiresAt, "never"))
		}
		return p.answer(createdKey{made.ID, made.Name, made.Role, made.Key, made.ExpiresAt}, "%s", made.Key)
	})
	orgFlag(cmd, &org)
	require(cmd, &key.Name, "name", "what to call it")
	cmd.Flags().Var(&choice{&key.Role, []string{"owner", "admin", "viewer"}}, "role", "owner, admin or viewer")
	_ = cmd.MarkFlagRequired("role") // fails only for a flag that isn't there
	expiresFlag(cmd, &key.Expires)
	return cmd
}

func (p *program) apikeyList() *cobra.Command {
	var org string
	var list *listFlags
	cmd := p.command("list", "List keys", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		return printList(p, c.APIKeys(ctx, org, list.options()), table[client.APIKey]{
			empty: "No API keys.", header: []string{"NAME", "ROLE", "EXPIRES", "CREATED", "ID"},
			row: func(k client.APIKey) []string {
				return []string{k.Name, k.Role, optionalDay(k.ExpiresAt, "never"), optionalDay(&k.CreatedAt, ""), k.ID}
			},
			view: func(k client.APIKey) any { return k },
		})
	})
	orgFlag(cmd, &org)
	list = bindList(cmd)
	return cmd
}

func (p *program) apikeyDelete() *cobra.Command {
	var org string
	cmd := p.command("delete KEY", "Delete a key (id or name)", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		if err := c.DeleteAPIKey(ctx, org, args[0]); err != nil {
			return err
		}
		return p.answer(deleted{args[0]}, "Deleted API key %s.", args[0])
	})
	orgFlag(cmd, &org)
	return cmd
}
