package roster

import (
	"context"
	"slices"
	"strings"
	"time"
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
	case !c.Due.IsZero():
		return b.requestDue(ctx, conn, c)
	case conn.Kind == KindSCIM:
		return refuse(Errorf(Invalid, "connection %s is push only: there is nothing to pull from", conn.Name))
	case conn.State == ConnectionDetached:
		return refuse(Errorf(Conflict, "connection %s is detached: %s", conn.Name, conn.DetachedReason))
	}
	if paused := conn.RefusesRuns(b.tx.Now()); paused != nil && c.Mode != ModeDry {
		return refuse(paused)
	}
	until, dark, err := b.inBlackout(ctx, conn)
	if err != nil {
		return Outcome{}, err
	}
	note := ""
	if dark {
		note = blackoutNote(until)
		if Unattended(c.By) {
			return refuse(Errorf(Conflict, "connection %s is %s", conn.Name, note))
		}
	}
	open, err := b.tx.OpenRuns(ctx, b.org, c.Connection)
	if err != nil {
		return Outcome{}, err
	}
	queued := queuedRun(open, c.Mode)
	if dark && queued != nil && c.Mode != ModeDry && Unattended(queued.RequestedBy) {
		return b.queueRun(ctx, conn, queued, c, note) // what waits for the window's end begins now
	}
	if queued != nil && !(queued.Mode == ModeDelta && c.Mode == ModeFull) {
		return Outcome{Result: Unchanged, ID: queued.ID, Run: queued}, nil
	}
	return b.queueRun(ctx, conn, queued, c, note)
}

// blackoutNote says that a run was asked for where none starts by itself.
func blackoutNote(until time.Time) string {
	if until.IsZero() {
		return "within a blackout window of its schedule that never ends"
	}
	return "within a blackout window of its schedule, until " + until.UTC().Format(time.RFC3339)
}

// queuedRun returns the queued run that a request of a mode would join: dry runs have a place of their own.
func queuedRun(open []Run, mode Mode) *Run {
	for i := range open {
		if open[i].State == RunQueued && (open[i].Mode == ModeDry) == (mode == ModeDry) {
			return &open[i]
		}
	}
	return nil
}

// queueRun queues a run, or joins the queued one: a full request makes a run of a queued delta that reads in full.
func (b *batch) queueRun(ctx context.Context, conn *Connection, queued *Run, c RunRequest, note string) (Outcome, error) {
	if queued != nil {
		r, err := b.tx.Run(ctx, b.org, queued.ID)
		if err != nil {
			return Outcome{}, err
		}
		if r.State == RunQueued { // else it was claimed in between
			if c.Mode == ModeFull {
				r.Mode = ModeFull
			}
			r.RequestedBy, r.Note = alsoBy(r.RequestedBy, c.By), strings.Trim(r.Note+"; "+note, "; ")
			b.rows.Runs = append(b.rows.Runs, r)
			return Outcome{Result: Applied, ID: r.ID, Run: &r}, nil
		}
	}
	r := Run{
		ID: NewID(), Org: b.org, Connection: conn.ID, ConnectionName: conn.Name, Mode: c.Mode, State: RunQueued,
		RequestedBy: c.By, Note: note, CreatedAt: b.tx.Now(),
	}
	b.rows.Runs = append(b.rows.Runs, r)
	return Outcome{Result: Applied, ID: r.ID, Created: true, Run: &r}, nil
}

// alsoBy adds to who asked for a run.
func alsoBy(by, also string) string {
	if slices.Contains(strings.Split(by, ", "), also) {
		return by
	}
	return by + ", " + also
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
	if conn := b.connections[r.Connection]; conn != nil && conn.RefusesRuns(b.tx.Now()) != nil {
		return refuse(Errorf(Conflict, "connection %s is %s, and what is approved would be applied: `rosterd connection resume %s` first",
			conn.Name, conn.PausedAt(b.tx.Now()), conn.Name))
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
