package syncer

import (
	"context"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// The phases of a run that are timed.
const (
	PhasePull  = "pull"
	PhasePlan  = "plan" // the guard is a part of it
	PhaseApply = "apply"
)

// phase times a part of the run. What it takes is added up, as an approved plan is applied later than the others.
func (w *worker) phase(ctx context.Context, name string, do func(context.Context) error) error {
	ctx, end := w.cfg.Meter.Phase(ctx, w.run, name)
	began := time.Now()
	err := do(ctx)
	took := time.Since(began)
	end(took, err)
	switch t := &w.run.Timings; name {
	case PhasePull:
		t.Pull += took
	case PhasePlan:
		t.Plan += took
	case PhaseApply:
		t.Apply += took
	}
	return err
}

// readAll reads the IdP: its own job first, by whose rules the people are read.
func (w *worker) readAll(ctx context.Context, stage *store.Stage) error {
	if err := w.readJob(ctx); err != nil {
		return err
	}
	if err := w.readScope(ctx); err != nil {
		return err
	}
	if err := w.read(ctx, stage); err != nil {
		return err
	}
	return stage.Analyze(ctx)
}

// judgeAll writes the plan and holds it against the limits.
func (w *worker) judgeAll(ctx context.Context, stage *store.Stage) error {
	if err := w.plan(ctx, stage); err != nil {
		return err
	}
	w.compared(w.pulled.objects)
	if err := stage.Intact(ctx); err != nil {
		return err
	}
	return w.guard(ctx)
}

// carryOut applies what the guard lets through.
func (w *worker) carryOut(ctx context.Context, stage *store.Stage) error {
	if err := w.applyLinks(ctx, stage); err != nil {
		return err
	}
	if err := w.apply(ctx, roster.ActionPlanned); err != nil {
		return err
	}
	return w.restartJob(ctx)
}
