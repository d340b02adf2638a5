package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

// userUsage says what --user takes.
const userUsage = "only this person, at once: id, userName, email, externalId or the identity provider's id"

func (p *program) diffCommand() *cobra.Command {
	var org string
	var ask client.AskDiff
	cmd := p.command("diff", "Show what differs and what a run would do, without doing it", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		asked, err := c.Diff(ctx, org, ask)
		if err != nil {
			return err
		}
		if ask.User != "" { // it is finished
			if err := p.printRun(asked); err != nil {
				return err
			}
			return exitWith(diffCode(asked))
		}
		runs, waitErr := p.follow(ctx, c, []client.Run{asked}, false)
		if waitErr != nil && ctx.Err() == nil {
			return waitErr
		}
		if err := p.printRun(runs[0]); err != nil {
			return err
		}
		if waitErr != nil {
			p.leave(runs)
			return exitWith(exitNotFinished)
		}
		return exitWith(diffCode(runs[0]))
	})
	orgFlag(cmd, &org)
	cmd.Flags().StringVar(&ask.Connection, "connection", "", "the connection (needed where the organisation has several)")
	cmd.Flags().StringVar(&ask.User, "user", "", userUsage)
	return cmd
}

// diffCode is drift found before anything else, since partial drift is drift.
func diffCode(r client.Run) int {
	switch {
	case r.State == "failed" || r.State == "cancelled":
		return exitFailed
	case driftOf(r) > 0:
		return exitDrift
	case r.State == "partial" || r.State == "held":
		return exitNotFinished
	}
	return exitDone
}

// driftOf counts the run's actions other than none.
func driftOf(r client.Run) int {
	n := 0
	for _, count := range r.Totals {
		n += count
	}
	return n
}
