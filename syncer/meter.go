package syncer

import (
	"context"
	"log/slog"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// Meter is told what runs do, for metrics and traces. Its methods may be called by several runs at once.
type Meter interface {
	// Work is told that a run begins to be worked off here, and whether another holder had begun it before. The run goes on
	// in the context that is returned, and its log lines carry the attributes; end is called when it stops here.
	Work(ctx context.Context, run *roster.Run, tookOver bool) (_ context.Context, attrs []slog.Attr, end func(error))
	// Phase is told that a phase begins; it goes on in the context that is returned, and end is called at its end.
	Phase(ctx context.Context, run *roster.Run, phase string) (_ context.Context, end func(took time.Duration, err error))
	// Ended is told of a run whose end is written, with what was found and what became of it since the run was last told of:
	// one whose held plan was approved ends once more.
	Ended(run *roster.Run, found []store.Tally)
}

// unmetered is the Meter of a Syncer that was given none.
type unmetered struct{}

func (unmetered) Work(ctx context.Context, _ *roster.Run, _ bool) (context.Context, []slog.Attr, func(error)) {
	return ctx, nil, func(error) {}
}

func (unmetered) Phase(ctx context.Context, _ *roster.Run, _ string) (context.Context, func(time.Duration, error)) {
	return ctx, func(time.Duration, error) {}
}

func (unmetered) Ended(*roster.Run, []store.Tally) {}

// metered begins what the meter is told of a run; its log lines say so too.
func (w *worker) metered(ctx context.Context, tookOver bool) (context.Context, func(error)) {
	ctx, attrs, end := w.cfg.Meter.Work(ctx, w.run, tookOver)
	if len(attrs) > 0 {
		w.log = slog.New(w.log.Handler().WithAttrs(attrs))
	}
	return ctx, end
}

// tookOver reports whether a claimed run had been begun before, by a holder that died, stopped or lost its lease: one
// that begins now is dated as its lease is.
func (s *Syncer) tookOver(run *roster.Run) bool {
	return !run.Approval && run.LeaseUntil.Add(-s.cfg.Lease).After(run.StartedAt)
}

// foundSince leaves out what was told of before.
func foundSince(before, now []store.Tally) []store.Tally {
	type what struct {
		kind   roster.Kind
		action roster.Action
		state  roster.ActionState
	}
	told := map[what]int{}
	for _, t := range before {
		told[what{t.Kind, t.Action, t.State}] = t.N
	}
	var out []store.Tally
	for _, t := range now {
		if t.N -= told[what{t.Kind, t.Action, t.State}]; t.N > 0 {
			out = append(out, t)
		}
	}
	return out
}
