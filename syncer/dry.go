package syncer

import (
	"context"

	"github.com/rosterd/rosterd/internal/roster"
)

// dryNote is what the runs of a dry-run connection say of themselves.
const dryNote = "the connection is dry-run (policy: mode: dry_run): nothing is written"

// turnDry makes of a run of a dry-run connection one that only reports, before it has read or written anything. It then is
// one in every respect: whatever asks whether a run is dry need not know of the policy.
func (w *worker) turnDry(ctx context.Context) error {
	if !w.source.DryRun || w.run.Mode == roster.ModeDry || w.run.Approval {
		return nil
	}
	w.run.Mode, w.run.Note = roster.ModeDry, dryNote
	return w.cfg.Store.BecomeDry(ctx, w.run)
}

// errDryRun is why an approved plan is not applied.
func (w *worker) errDryRun() error {
	if !w.source.DryRun {
		return nil
	}
	return roster.Errorf(roster.Conflict, "connection %s is dry-run now: take mode: dry_run out of its policy and restart, then approve again", w.conn.Name)
}
