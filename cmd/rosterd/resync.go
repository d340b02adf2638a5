package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) resyncCommand() *cobra.Command {
	var org string
	var ask client.AskResync
	var wait bool
	cmd := p.command("resync", "Repair drift now: of one connection, of each, or of one person", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		asked, err := c.Resync(ctx, org, ask)
		if err != nil {
			return err
		}
		if ask.User != "" { // they are finished
			if err := p.printRuns(asked.Runs); err != nil {
				return err
			}
			return exitWith(resyncCode(asked.Runs))
		}
		if !wait {
			return p.printQueued(asked.Runs)
		}
		runs, waitErr := p.follow(ctx, c, asked.Runs, true)
		if waitErr != nil && ctx.Err() == nil {
			return waitErr
		}
		if err := p.printRuns(runs); err != nil {
			return err
		}
		if waitErr != nil {
			p.leave(runs)
			return exitWith(exitNotFinished)
		}
		return exitWith(resyncCode(runs))
	})
	orgFlag(cmd, &org)
	flags := cmd.Flags()
	flags.StringVar(&ask.Connection, "connection", "", "only this connection")
	flags.StringVar(&ask.User, "user", "", userUsage)
	flags.BoolVar(&ask.Full, "full", false, "read everything (every resync does, in this version)")
	flags.BoolVar(&wait, "wait", false, "wait until it is finished, with progress")
	return cmd
}

// printQueued prints what was asked for and how to see it.
func (p *program) printQueued(runs []client.Run) error {
	if p.json {
		return p.printJSON(viewRuns(runs))
	}
	if err := p.runTable(runs); err != nil {
		return err
	}
	if len(runs) > 0 {
		p.note("See one with `rosterd runs show ID`; `rosterd resync --wait` waits.")
	}
	return nil
}

// resyncCode is the worst of the runs' codes.
func resyncCode(runs []client.Run) int {
	code := exitDone
	for _, r := range runs {
		switch r.State {
		case "failed", "cancelled":
			return exitFailed
		case "held", "partial":
			code = exitNotFinished
		}
	}
	return code
}
