package syncer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/reconcile"
)

// worker works one run off.
type worker struct {
	*Syncer
	run    *roster.Run
	conn   roster.Connection
	source Source
	log    *slog.Logger
	budget *connectors.Budget

	mu       sync.Mutex // guards what the renewals read: the run's progress
	progress roster.Run

	rules      reconcile.Rules
	names      *strings.Replacer // connections' ids to their names
	pulled     pulled
	counts     reconcile.Counts
	next       int64                   // the last action's number
	looks      int                     // second looks made
	expected   []string                // whom looks will be asked for next, in that order
	ahead      map[string]*roster.Look // looks that were made together with another's and not asked for yet
	incomplete []string
	unapplied  int             // actions that were refused or had become stale
	cursor     *store.Cursor   // for the next delta, if the run ends well
	asked      bool            // the run was asked for as a delta
	parked     map[string]bool // a delta's: whom an earlier run could not settle, by the IdP's id
	newcomers  []string        // a delta's: who begins to count here, by the IdP's id
	tried      []store.Parked
	told       []store.Tally                // what the meter was told of the run before: of one that is approved
	job        *roster.Job                  // the IdP's own, as last read; nil: the connection has none to read
	scope      *connectors.Scope            // the rules of that job by which the run reads; nil: none, or not known
	entries    map[string][]roster.LogEntry // of a dry run: what it read of the job's log
	unsettled  map[[2]string]string         // by type and the IdP's id: what the next run must judge anew though no action says so, and why
}

// work claims the lease's upkeep around the run and writes down how it ended.
func (w *worker) work(parent context.Context) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	ctx, metered := w.metered(ctx, w.tookOver(w.run))
	w.budget, w.progress = connectors.NewBudget(w.cfg.Calls), *w.run
	var renewing sync.WaitGroup
	stop := make(chan struct{})
	renewing.Go(func() { w.renew(ctx, stop, cancel) })
	err := w.execute(connectors.WithManner(connectors.WithBudget(ctx, w.budget), w.manner()))
	close(stop)
	renewing.Wait()
	defer metered(err)
	w.conclude(parent, ctx, err)
}

// manner says how the run takes what is known of the IdP: one that a person asked for tries it anew.
func (w *worker) manner() connectors.Manner {
	if w.run.RequestedBy == roster.BySchedule || w.run.RequestedBy == roster.ByLifeline {
		return connectors.Manner{}
	}
	return connectors.Manner{Since: time.Now()}
}

// renew keeps the lease, notes progress, and ends the run's context when the lease is lost or cancelling was asked for.
func (w *worker) renew(ctx context.Context, stop <-chan struct{}, cancel context.CancelCauseFunc) {
	every := min(w.cfg.Lease/4, time.Second)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.mu.Lock()
		now := w.progress
		w.mu.Unlock()
		now.ID, now.Fence = w.run.ID, w.run.Fence
		asked, err := w.cfg.Store.RenewLease(ctx, &now, w.cfg.Lease)
		switch {
		case roster.CodeOf(err) == roster.Fenced:
			cancel(err)
			return
		case err != nil && ctx.Err() == nil:
			w.log.Warn("renew the lease", "error", err)
		case asked:
			cancel(errCancelled)
			return
		}
	}
}

// note changes what is shown of the run's progress.
func (w *worker) note(change func(r *roster.Run)) {
	w.mu.Lock()
	change(&w.progress)
	w.mu.Unlock()
}

// conclude writes a run's end: finished by execute, given back, cancelled or failed.
func (w *worker) conclude(parent, ctx context.Context, err error) {
	ending, done := context.WithTimeout(context.WithoutCancel(parent), 30*time.Second)
	defer done()
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		w.log.Info("run finished", "state", w.run.State, "complete", w.run.Complete, "applied", w.run.Applied, "calls", w.budget.Spent())
		return
	case roster.CodeOf(err) == roster.Fenced || roster.CodeOf(cause) == roster.Fenced:
		w.log.Warn("the lease passed to another holder: nothing more is done here")
		return
	case errors.Is(cause, errCancelled):
		w.run.State, w.run.Error = roster.RunCancelled, "cancelled"
		if cur, e := w.cfg.Store.Run(ending, w.run.Org, w.run.ID); e == nil && cur.Error != "" {
			w.run.Error = cur.Error
		}
		w.stoppedAt(ending)
	case parent.Err() != nil:
		if err := w.cfg.Store.ReleaseLease(ending, w.run); err != nil {
			w.log.Error("give the run back", "error", err)
		}
		w.log.Info("run stopped at a safe point: it is redone later")
		return
	default:
		w.run.State, w.run.Error, w.run.Fault = roster.RunFailed, w.words(err), string(connectors.FaultOf(err))
	}
	if err := w.finish(ending, store.Ending{}); err != nil {
		w.log.Error("write the run's end", "error", err)
	}
}

// words turns an error into what the operator reads; what is not made for a person is logged and named by the run.
func (w *worker) words(err error) string {
	var ce *connectors.Error
	var re *roster.Error
	if errors.As(err, &ce) || errors.As(err, &re) {
		w.log.Warn("run failed", "error", explain(err))
		return explain(err)
	}
	w.log.Error("run failed", "error", err)
	return "an internal error; the daemon's log has it beside run=" + w.run.ID
}

// execute is the run itself: pull, plan, guard, apply.
func (w *worker) execute(ctx context.Context) error {
	var err error
	if w.conn, err = w.cfg.Store.Connection(ctx, w.run.Org, w.run.Connection); err != nil {
		return err
	}
	src, ok := w.cfg.Sources[w.conn.ID]
	switch {
	case w.conn.State == roster.ConnectionDetached:
		return roster.Errorf(roster.Conflict, "connection %s is detached: %s", w.conn.Name, w.conn.DetachedReason)
	case !ok:
		return roster.Errorf(roster.Conflict, "connection %s has no entry in the configuration that this daemon was started with", w.conn.Name)
	case w.run.Cancel:
		return w.cancelled(ctx)
	}
	w.source = src
	if w.run.Approval {
		return w.applyApproved(ctx)
	}
	if err := w.turnDry(ctx); err != nil {
		return err
	}
	return w.reconcile(ctx)
}

// cancelled ends a run whose earlier holder died after cancelling was asked for.
func (w *worker) cancelled(ctx context.Context) error {
	w.run.State = roster.RunCancelled
	return w.finish(ctx, store.Ending{})
}

// reconcile makes the plan of a run and, unless it is dry, applies what the guard lets through.
func (w *worker) reconcile(ctx context.Context) error {
	dry := w.run.Mode == roster.ModeDry
	if !dry && w.conn.Pinned == "" {
		if err := w.cfg.Store.PinTarget(ctx, w.run, w.conn.Target); err != nil {
			return err
		}
	}
	var err error
	if w.next, err = w.cfg.Store.StartPlan(ctx, w.run); err != nil {
		return err
	}
	stage, err := w.cfg.Store.OpenStage(ctx, w.run)
	if err != nil {
		return err
	}
	defer func() {
		if err := stage.Close(context.WithoutCancel(ctx)); err != nil {
			w.log.Warn("drop the stage", "error", err)
		}
	}()
	if err := w.phase(ctx, PhasePull, func(ctx context.Context) error { return w.readAll(ctx, stage) }); err != nil {
		return err
	}
	if err := w.phase(ctx, PhasePlan, func(ctx context.Context) error { return w.judgeAll(ctx, stage) }); err != nil {
		return err
	}
	if dry {
		return w.end(ctx)
	}
	if err := w.phase(ctx, PhaseApply, func(ctx context.Context) error { return w.carryOut(ctx, stage) }); err != nil {
		return err
	}
	return w.end(ctx)
}

// end works out the state in which the run ends, and writes it.
func (w *worker) end(ctx context.Context) error {
	_, states, err := w.cfg.Store.ActionCounts(ctx, w.run.ID)
	if err != nil {
		return err
	}
	held := states[roster.ActionHeld] > 0
	dry := w.run.Mode == roster.ModeDry
	switch {
	case held && !dry:
		w.run.State = roster.RunHeld
	case w.pulled.short || w.unapplied > 0 || len(w.incomplete) > 0:
		w.run.State = roster.RunPartial
	default:
		w.run.State = roster.RunDone
	}
	if held && !dry {
		for _, h := range w.run.Held {
			w.log.Warn("the plan is held for approval", "limit", h.Limit, "text", h.Text)
		}
	}
	if dry {
		return w.finish(ctx, store.Ending{})
	}
	e := w.ending()
	e.Settled = w.run.Complete && !held && w.run.Mode == roster.ModeFull
	if e.Settled {
		if err := w.settleScope(ctx); err != nil {
			return err
		}
	}
	return w.finish(ctx, e)
}

func (w *worker) finish(ctx context.Context, e store.Ending) error {
	w.mu.Lock()
	w.run.Pages, w.run.Objects, w.run.Applied, w.run.Phase = w.progress.Pages, w.progress.Objects, w.progress.Applied, ""
	w.run.Compared = w.progress.Compared
	w.run.Expected, w.run.ExpectedEstimate = w.progress.Expected, w.progress.ExpectedEstimate
	if w.run.Complete && w.run.Mode != roster.ModeDelta { // all was read, so that is how much there was
		w.run.Expected, w.run.ExpectedEstimate = w.run.Objects, false
	}
	w.mu.Unlock()
	tallies, err := w.cfg.Store.Tallies(ctx, w.run.ID)
	if err != nil {
		return err
	}
	w.judgePushes(ctx, tallies)
	e.Tallies, w.run.Totals, w.run.Approval = tallies, map[roster.Kind]int{}, false
	for _, t := range tallies {
		if t.Action != roster.ActNone {
			w.run.Totals[t.Kind] += t.N
		}
	}
	for i, text := range w.incomplete {
		c := store.Collection{Kind: "note", ObjectID: fmt.Sprintf("%03d", i), Error: text}
		if err := w.cfg.Store.AddCollection(ctx, w.run, c); err != nil {
			return err
		}
	}
	if err := w.cfg.Store.FinishRun(ctx, w.run, e); err != nil {
		return err
	}
	w.cfg.Meter.Ended(w.run, foundSince(w.told, tallies))
	return nil
}

// guard holds the plan against the limits and marks what waits for a person.
func (w *worker) guard(ctx context.Context) error {
	w.note(func(r *roster.Run) { r.Phase = "guard" })
	facts, err := w.facts(ctx)
	if err != nil {
		return err
	}
	verdict := w.limits(&w.source).Check(&w.counts, facts)
	w.run.Held = verdict.Limits
	if len(verdict.Limits) == 0 && !w.pulled.waiting {
		return nil
	}
	var pos store.ActionPos
	for {
		page, err := w.cfg.Store.Actions(ctx, w.run.ID, pos, w.cfg.Batch, roster.ActionPlanned)
		if err != nil {
			return err
		}
		if err := w.hold(ctx, verdict, page); err != nil {
			return err
		}
		if len(page) < w.cfg.Batch {
			return nil
		}
		last := page[len(page)-1]
		pos = store.ActionPos{Phase: last.Phase, N: last.N}
	}
}

// hold marks a page of planned actions as the verdict says; an update with one mismatched attribute is parted in two.
func (w *worker) hold(ctx context.Context, verdict *reconcile.Verdict, page []roster.RunAction) error {
	var write []roster.RunAction
	for _, a := range page {
		now, held, _, note := verdict.Split(a.Drift)
		switch {
		case held == nil:
		case now == nil:
			a.State, a.Note = roster.ActionHeld, note
			write = append(write, a)
		default:
			rest := a
			rest.Drift = *now
			w.next++
			part := roster.RunAction{Run: a.Run, N: w.next, Phase: a.Phase, Drift: *held, State: roster.ActionHeld, Note: note}
			write = append(write, rest, part)
		}
	}
	return w.cfg.Store.AddActions(ctx, w.run, write)
}

// facts gathers what the guard must know beyond the plan.
func (w *worker) facts(ctx context.Context) (reconcile.Facts, error) {
	db, org, conn := w.cfg.Store, w.run.Org, w.run.Connection
	members, memberships, err := db.Owned(ctx, org, conn)
	if err != nil {
		return reconcile.Facts{}, err
	}
	linked, err := db.Linked(ctx, org, conn)
	if err != nil {
		return reconcile.Facts{}, err
	}
	now, err := db.Now(ctx)
	if err != nil {
		return reconcile.Facts{}, err
	}
	day, err := db.RemovedSince(ctx, org, conn, now.Add(-24*time.Hour))
	if err != nil {
		return reconcile.Facts{}, err
	}
	owned := reconcile.Owned{Members: members, Memberships: memberships}
	f := reconcile.Facts{
		Owned: owned, Linked: max(linked, w.pulled.linked), FirstRun: !w.conn.Settled, Mapping: w.source.Mapping.Lines(), Policy: w.source.Policy,
		TooManyDeletes: w.job.HoldsRemovals(), SettingsChanged: w.scopeChanged(),
		Day: reconcile.Day{
			Members: day[roster.GuardMember], Memberships: day[roster.GuardMembership], Reactivations: day[roster.GuardReactivate],
			// What was removed was owned when the day began.
			Began: reconcile.Owned{Members: members + day[roster.GuardMember], Memberships: memberships + day[roster.GuardMembership]},
		},
	}
	return f, nil
}
