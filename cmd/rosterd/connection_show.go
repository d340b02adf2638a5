package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) connectionShow() *cobra.Command {
	var org string
	cmd := p.command("show NAME", "Show a connection, and the state of the identity provider's own job", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		connection, err := c.Connection(ctx, org, args[0])
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(connection)
		}
		return p.print(connectionView(&connection))
	})
	orgFlag(cmd, &org)
	return cmd
}

func connectionView(c *client.Connection) string {
	var b strings.Builder
	line := func(label, text string) { fill(&b, "  "+padded(label, 12), oneLine(text)) }
	fmt.Fprintf(&b, "%s (%s): %s\n", cut(c.Name, maxName), oneLine(c.Kind), oneLine(c.State))
	if c.Reason != "" && c.State != "paused" { // said below
		line("why", c.Reason)
	}
	line("target", c.Target)
	line("owns", fmt.Sprintf("%d members, %d teams", c.Members, c.Teams))
	pauseLine(line, c.Paused, c.Name)
	policyLines(line, c.Policy)
	quarantineLine(line, c.Quarantine)
	lifelineLine(line, c.Lifeline)
	jobLines(line, c.Job)
	blackoutLine(line, c.Blackout, true)
	lifelineHistory(line, c.Lifelines)
	return b.String()
}

// reasonOf says why a connection is not as it should be.
func reasonOf(c *client.Connection) string {
	if c.Quarantine == nil && c.Lifeline != nil {
		return cmp.Or(c.Reason, c.Lifeline.Reason)
	}
	if c.Quarantine == nil {
		return c.Reason
	}
	return cmp.Or(c.Reason, "the identity provider's own job is in quarantine: "+c.Quarantine.Reason)
}

func (p *program) connectionProvision() *cobra.Command {
	var org string
	var who client.Provision
	cmd := p.command("provision NAME", "Have the identity provider's own job send one person now", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		got, err := c.Provision(ctx, org, args[0], who)
		if err != nil {
			return err
		}
		text := got.Outcome
		if got.Action != "" && got.Action != "other" {
			text += " (" + got.Action + ")"
		}
		for _, more := range []string{got.Reason, got.Text} {
			if more != "" {
				text += ": " + more
			}
		}
		if err := p.answer(got, "%s: %s", who.User, text); err != nil {
			return err
		}
		if got.Outcome == "failed" {
			return exitWith(exitFailed)
		}
		return nil
	})
	orgFlag(cmd, &org)
	require(cmd, &who.User, "user", "the person: id, userName, email, externalId or the identity provider's id")
	return cmd
}
