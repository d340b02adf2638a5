package syncer

import (
	"context"
	"strings"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

// readScope asks by which rules of the IdP's own job it is decided who is in scope, and says in the run's note what of them
// can't be read or judged. What the run reads follows them by itself.
func (w *worker) readScope(ctx context.Context) error {
	reader, ok := w.source.Reader.(connectors.ScopeReader)
	if !ok {
		return nil
	}
	asking := ctx
	if w.conn.Settled && w.job != nil {
		asking = connectors.WithLastScope(ctx, w.job.Scope)
	}
	is, err := reader.Scope(asking)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil { // the pull meets it as well, and says it
		w.log.Warn("read the scope of the identity provider's own job", "error", explain(err))
		return nil
	}
	w.scope, w.rules.KeepOutOfScope = &is, is.KeepOutOfScope
	for _, note := range is.Notes {
		if note = clean(note); !strings.Contains(w.run.Note, note) {
			w.run.Note = strings.TrimPrefix(w.run.Note+"; "+note, "; ")
		}
	}
	return nil
}

// scopeChanged reports whether the job's rules are others than those under which a run last read and applied everything.
func (w *worker) scopeChanged() bool {
	return w.scope != nil && w.job != nil && w.job.Scope != w.scope.Rules
}

// settleScope keeps the rules under which the run has read and applied everything.
func (w *worker) settleScope(ctx context.Context) error {
	if w.scope == nil { // of an approved plan
		if err := w.readScope(ctx); err != nil || w.scope == nil {
			return err
		}
	}
	if w.job == nil {
		job, err := w.cfg.Store.Job(ctx, w.run.Org, w.run.Connection)
		if err != nil {
			return err
		}
		if job == nil {
			job = &roster.Job{State: roster.JobNotKnown, Target: w.conn.Target}
		}
		w.job = job
	}
	if !w.scopeChanged() {
		return nil
	}
	w.job.Scope = w.scope.Rules
	return w.cfg.Store.SaveJob(ctx, w.run, *w.job)
}
