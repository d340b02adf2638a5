package roster

import (
	"context"
)

// changeRun asks for, cancels or approves a run. One run of a connection may be running and one queued, and beside it
// one queued dry run; who asks for another joins the queued one.
func (b *batch) changeRun(ctx context.Context, c Change) (Outcome, error) {
	switch c := c.(type) {
	case RunRequest:
		return b.requestRun(ctx, c)
	case RunCancel:
		return b.cancelRun(ctx, c)
	case RunApprove:
		return b.approveRun(ctx, c)
	}
	return Outcome{}, Errorf(Internal, "unknown change %T", c)
}

func (b *batch) requestRun(ctx context.Context, c RunRequest) (Outcome, error) {
	conn := b.connections[c.Connection]
	switch {
	case conn == nil:
		return refuse(Errorf(NotFound, "no such connection"))
	case conn.Kind == KindSCIM:
		return refuse(Errorf(Invalid, "connection %s is push only: there is nothing to pull from", conn.Name))
	case conn.State == ConnectionDetached:
		return refuse(Errorf(Conflict, "connection %s is detached: %s", conn.Name, conn.DetachedReason))
	}
	open, err := b.tx.OpenRuns(ctx, b.org, c.Connection)
	if err != nil {
		return Outcome{}, err
	}
	for i := range open {
		if open[i].State == RunQueued && (open[i].Mode == ModeDry) == (c.Mode == ModeDry) {
			return Outcome{Result: Unchanged, ID: open[i].ID, Run: &open[i]}, nil
		}
	}
	r := Run{
		ID: NewID(), Org: b.org, Connection: c.Connection, ConnectionName: conn.Name, Mode: c.Mode, State: RunQueued,
		RequestedBy: c.By, CreatedAt: b.tx.Now(),
	}
	b.rows.Runs = append(b.rows.Runs, r)
	return Outcome{Result: Applied, ID: r.ID, Created: true, Run: &r}, nil
}

func (b *batch) cancelRun(ctx context.Context, c RunCancel) (Outcome, error) {
	r, err := b.tx.Run(ctx, b.org, c.ID)
	if err != nil {
		return Outcome{}, err
	}
	switch r.State {
	case RunQueued, RunHeld:
		if _, err := b.tx.MoveActions(ctx, r.ID, ActionHeld, ActionSkipped, nil); err != nil {
			return Outcome{}, err
		}
		if _, err := b.tx.MoveActions(ctx, r.ID, ActionApproved, ActionSkipped, nil); err != nil {
			return Outcome{}, err
		}
		r.State, r.FinishedAt, r.Approval = RunCancelled, b.tx.Now(), false
	case RunRunning:
		r.Cancel = true
	default:
		return refuse(Errorf(Conflict, "run %s is %s: there is nothing to cancel", r.ID, r.State))
	}
	r.Error = "cancelled by " + c.By
	b.rows.Runs = append(b.rows.Runs, r)
	return Outcome{Result: Applied, ID: r.ID, Run: &r}, nil
}

func (b *batch) approveRun(ctx context.Context, c RunApprove) (Outcome, error) {
	r, err := b.tx.Run(ctx, b.org, c.ID)
	if err != nil {
		return Outcome{}, err
	}
	if r.Mode == ModeDry {
		return refuse(Errorf(Conflict, "run %s was a dry run: run `rosterd resync` to have its plan made and held for real", r.ID))
	}
	if r.State != RunHeld {
		return refuse(Errorf(Conflict, "run %s is %s, not held: there is nothing to approve", r.ID, r.State))
	}
	n, err := b.tx.MoveActions(ctx, r.ID, ActionHeld, ActionApproved, c.Only)
	if err != nil {
		return Outcome{}, err
	}
	if n == 0 {
		return refuse(Errorf(Invalid, "run %s holds no action of that kind", r.ID))
	}
	r.Approval, r.Approver = true, c.By
	b.rows.Runs = append(b.rows.Runs, r)
	return Outcome{Result: Applied, ID: r.ID, Run: &r}, nil
}
