package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) connectionCommand() *cobra.Command {
	return p.group("connection", "Ties to identity providers; the configuration file declares them",
		p.connectionList(), p.connectionShow(), p.connectionDrift(), p.connectionTest(), p.connectionPreview(), p.connectionImport(), p.connectionProvision(),
		p.connectionChange("rebind NAME", "Accept a connection's new target; the next run is guarded as a first one", "Rebound", (*client.Client).RebindConnection),
		p.connectionPause(),
		p.connectionChange("resume NAME", "End a pause: runs start again", "Resumed", (*client.Client).ResumeConnection),
		p.connectionRename(),
		p.connectionChange("release NAME", "Make a detached connection's objects unclaimed, drop its links, unbind its tokens", "Released", (*client.Client).ReleaseConnection),
	)
}

func (p *program) connectionList() *cobra.Command {
	var org string
	var list *listFlags
	cmd := p.command("list", "List connections", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		return printList(p, c.Connections(ctx, org, list.options()), table[client.Connection]{
			empty: "No connections: the configuration file declares them.", header: []string{"NAME", "KIND", "STATE", "MEMBERS", "TEAMS", "REASON"},
			row: func(c client.Connection) []string {
				return []string{c.Name, c.Kind, c.State, strconv.Itoa(c.Members), strconv.Itoa(c.Teams), reasonOf(&c)}
			},
			view: func(c client.Connection) any { return c },
		})
	})
	orgFlag(cmd, &org)
	list = bindList(cmd)
	list.byStatus(cmd, "ok", "failing", "held", "paused", "detached")
	return cmd
}

func (p *program) connectionTest() *cobra.Command {
	var org string
	cmd := p.command("test NAME", "Ask the IdP whether the settings work", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		test, err := c.TestConnection(ctx, org, args[0])
		if err != nil {
			return err
		}
		if test.OK {
			return p.answer(test, "%s works: %s", test.Name, test.Message)
		}
		if err := p.answer(test, "%s does not work: %s", test.Name, test.Message); err != nil {
			return err
		}
		return exitWith(exitFailed)
	})
	orgFlag(cmd, &org)
	return cmd
}

func (p *program) connectionChange(use, short, done string, change func(*client.Client, context.Context, string, string) (client.Connection, error)) *cobra.Command {
	var org string
	cmd := p.command(use, short, func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		connection, err := change(c, ctx, org, args[0])
		if err != nil {
			return err
		}
		return p.answer(connection, "%s connection %s: now %s.", done, args[0], connection.State)
	})
	orgFlag(cmd, &org)
	return cmd
}

func (p *program) connectionRename() *cobra.Command {
	var org string
	cmd := p.command("rename OLD NEW", "Give the file's entry NEW everything of OLD", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		connection, err := c.RenameConnection(ctx, org, client.RenameConnection{Old: args[0], New: args[1]})
		if err != nil {
			return err
		}
		return p.answer(connection, "%s has everything of %s now.", connection.Name, args[0])
	})
	orgFlag(cmd, &org)
	return cmd
}
