package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rosterd/rosterd/internal/api/client"
)

func (p *program) runsCommand() *cobra.Command {
	return p.group("runs", "Runs, their plans and what became of them", p.runsList(), p.runsShow(), p.runsApprove(), p.runsCancel())
}

// viewRun returns the run as the contract prints one: lists are never null, and nothing held is.
func viewRun(r client.Run) client.Run {
	actions := make([]client.Action, len(r.Actions))
	for i, a := range r.Actions {
		a.Evidence = orEmpty(a.Evidence)
		actions[i] = a
	}
	r.Actions = actions
	if len(r.Held) == 0 {
		r.Held = nil
	}
	if r.Totals == nil {
		r.Totals = map[string]int{}
	}
	return r
}

func viewRuns(runs []client.Run) client.Runs {
	view := client.Runs{Runs: make([]client.Run, len(runs))}
	for i := range runs {
		view.Runs[i] = viewRun(runs[i])
	}
	return view
}

// printRun prints one run with its plan.
func (p *program) printRun(r client.Run) error {
	if p.json {
		return p.printJSON(viewRun(r))
	}
	return p.print(plan{coloured: p.coloured()}.text(r))
}

// printRuns prints several as one document, or one below the other.
func (p *program) printRuns(runs []client.Run) error {
	if p.json {
		return p.printJSON(viewRuns(runs))
	}
	texts := make([]string, len(runs))
	for i := range runs {
		texts[i] = plan{coloured: p.coloured()}.text(runs[i])
	}
	return p.print(strings.Join(texts, "\n"))
}

func (p *program) runsList() *cobra.Command {
	var list *listFlags
	cmd := p.command("list", "List runs, the newest first", func(ctx context.Context, _ []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		runs, err := client.Collect(c.Runs(ctx, list.options()))
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(viewRuns(runs).Runs)
		}
		return p.runTable(runs)
	})
	list = bindList(cmd)
	cmd.Flags().StringVar(&list.Organisation, "org", "", "only those of this organisation")
	list.byConnection(cmd)
	list.byStatus(cmd, "queued", "running", "held", "done", "partial", "failed", "cancelled")
	return cmd
}

func (p *program) runTable(runs []client.Run) error {
	if len(runs) == 0 {
		p.note("No runs.")
		return nil
	}
	rows := make([][]string, len(runs))
	for i, r := range runs {
		rows[i] = []string{r.Run, r.Connection, r.Mode, r.State, shortTime(r.CreatedAt), foundCount(r.Totals)}
	}
	return p.printTable([]string{"RUN", "CONNECTION", "MODE", "STATE", "ASKED FOR", "FOUND"}, rows)
}

func (p *program) runsShow() *cobra.Command {
	return p.command("show ID", "Show a run with its plan", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		r, err := c.Run(ctx, args[0], true)
		if err != nil {
			return err
		}
		return p.printRun(r)
	})
}

// kinds is the closed set of drift kinds.
func kinds() []string {
	return []string{
		"missing_member", "redundant_soft_delete", "orphaned_member", "stale_member", "stale_team", "missing_team",
		"orphaned_team", "missing_membership", "extra_membership", "missing_key", "extra_key", "conflict",
	}
}

func (p *program) runsApprove() *cobra.Command {
	var only []string
	cmd := p.command("approve ID", "Apply a run's held plan, or a part of it", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		r, err := c.ApproveRun(ctx, args[0], only)
		if err != nil {
			return err
		}
		return p.answer(viewRun(r), "Approved; run %s is %s. See it with `rosterd runs show %s`.", r.Run, r.State, r.Run)
	})
	cmd.Flags().Var(&choices{&only, kinds()}, "only", "only actions of this drift kind; may be given again")
	return cmd
}

func (p *program) runsCancel() *cobra.Command {
	return p.command("cancel ID", "Stop a run, or drop its held plan", func(ctx context.Context, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		r, err := c.CancelRun(ctx, args[0])
		if err != nil {
			return err
		}
		if r.Finished() {
			return p.answer(viewRun(r), "Run %s is %s.", r.Run, r.State)
		}
		return p.answer(viewRun(r), "Run %s stops at the next safe point.", r.Run)
	})
}
