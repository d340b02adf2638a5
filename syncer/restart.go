package syncer

import (
	"context"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

// restartJob restarts the IdP's own job where it is in quarantine, the policy allows it, and the cause is gone:
//
//	| the job is in quarantine                 | it is restarted                                                 |
//	|------------------------------------------|-----------------------------------------------------------------|
//	| for TooManyDeletes                       | never: a person decides                                         |
//	| and this run left something undone       | not yet                                                         |
//	| and its own credentials don't work       | not yet                                                         |
//	| and was restarted within the set time    | not yet                                                         |
//	| for anything else                        | once; the time is kept first, so that a crash asks no second    |
//
// That it can't be restarted is kept and shown, and does not fail the run.
func (w *worker) restartJob(ctx context.Context) error {
	j := w.job
	if w.source.RestartJob <= 0 || j == nil || j.Quarantine == nil || j.Problem != "" || j.HoldsRemovals() || w.run.Mode == roster.ModeDry {
		return nil
	}
	control, ok := w.source.Reader.(connectors.JobController)
	if !ok {
		return nil
	}
	now, err := w.cfg.Store.Now(ctx)
	if err != nil || !j.RestartedAt.IsZero() && now.Sub(j.RestartedAt) < w.source.RestartJob {
		return err
	}
	well, err := w.allDone(ctx)
	if err != nil || !well {
		return err
	}
	asking, done := context.WithTimeout(ctx, jobTime)
	defer done()
	if err := control.CheckJob(asking, j.ID); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		j.RestartProblem = "not restarted yet, as its cause is not gone: " + explain(err)
		return w.cfg.Store.SaveJob(ctx, w.run, *j)
	}
	j.RestartedAt, j.RestartProblem = now, ""
	if err := w.cfg.Store.SaveJob(ctx, w.run, *j); err != nil {
		return err
	}
	if err := control.RestartJob(asking, j.ID); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		j.RestartProblem = explain(err)
		w.log.Warn("restart the identity provider's own job", "reason", j.Quarantine.Reason, "error", j.RestartProblem)
		return w.cfg.Store.SaveJob(ctx, w.run, *j)
	}
	w.log.Info("the identity provider's own job was restarted, as the policy says", "job", j.ID, "reason", j.Quarantine.Reason)
	return nil
}

// allDone reports whether the run read what it was to, and left nothing that the job would fail at again.
func (w *worker) allDone(ctx context.Context) (bool, error) {
	if w.pulled.short || w.unapplied > 0 || len(w.incomplete) > 0 {
		return false, nil
	}
	_, states, err := w.cfg.Store.ActionCounts(ctx, w.run.ID)
	return states[roster.ActionHeld] == 0, err
}
