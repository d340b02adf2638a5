package syncer

import (
	"context"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

// excluded reads what the run is to leave alone.
func (w *worker) excluded(ctx context.Context) (reconcile.Exclusions, error) {
	all, err := w.cfg.Store.ExcludedFrom(ctx, w.run.Org, w.conn.ID)
	return reconcile.Exclusions(all), err
}

// spare takes out of a batch the actions on what was excluded since they were planned, or approved, and writes down why.
func (w *worker) spare(ctx context.Context, actions []roster.RunAction) ([]roster.RunAction, error) {
	excluded, err := w.excluded(ctx)
	if err != nil || len(excluded) == 0 {
		return actions, err
	}
	var rest, spared []roster.RunAction
	for _, a := range actions {
		e := excluded.Of(a.Drift.Subject.ID, a.Drift.MemberID, a.Drift.TeamID)
		if e == nil {
			rest = append(rest, a)
			continue
		}
		a.State, a.Note = roster.ActionSkipped, e.String()
		spared = append(spared, a)
	}
	w.unapplied += len(spared)
	return rest, w.cfg.Store.AddActions(ctx, w.run, spared)
}
