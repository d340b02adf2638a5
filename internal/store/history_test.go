package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

func action(n int64, kind roster.Kind, act roster.Action, state roster.ActionState) roster.RunAction {
	return roster.RunAction{N: n, Drift: roster.Drift{Kind: kind, Action: act, Subject: roster.Subject{Type: roster.TypeMember, ObjectID: fmt.Sprint("o", n)}}, State: state}
}

// ran has a run ended with a plan, as if it had begun so long ago.
func (f *fixture) ran(mode roster.Mode, state roster.RunState, ago time.Duration, actions ...roster.RunAction) roster.Run {
	f.Helper()
	ctx := context.Background()
	run := f.claimed(mode)
	f.ok(f.db.AddActions(ctx, run, actions))
	f.ok(f.db.AddCollection(ctx, run, store.Collection{Kind: "users", Whole: true, Objects: 3}))
	run.State, run.Complete, run.Totals = state, true, map[roster.Kind]int{roster.StaleMember: len(actions)}
	run.Timings = roster.Timings{Pull: time.Second, Plan: 2 * time.Second}
	run.StartedAt = run.StartedAt.Add(-ago)
	tallies, err := f.db.Tallies(ctx, run.ID)
	f.ok(err)
	f.ok(f.db.FinishRun(ctx, run, store.Ending{Tallies: tallies}))
	return *run
}

func (f *fixture) kept(runs ...roster.Run) string {
	f.Helper()
	var out []string
	for i := range runs {
		r, err := f.db.Run(context.Background(), f.org, runs[i].ID)
		if roster.CodeOf(err) == roster.NotFound {
			out = append(out, "gone")
			continue
		}
		f.ok(err)
		actions, err := f.db.Actions(context.Background(), r.ID, store.ActionPos{}, 10)
		f.ok(err)
		lists, err := f.db.Collections(context.Background(), r.ID, false)
		f.ok(err)
		switch {
		case r.PlanDropped && len(actions)+len(lists) == 0:
			out = append(out, "row")
		case !r.PlanDropped && len(actions)+len(lists) > 0:
			out = append(out, "whole")
		default:
			out = append(out, fmt.Sprintf("dropped %t with %d actions, %d lists", r.PlanDropped, len(actions), len(lists)))
		}
	}
	return strings.Join(out, " ")
}

// What is too old goes, but never the newest, what a held plan waits with, or the last full run that read everything.
func TestOldPlansGoThenOldRuns(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		one := action(1, roster.StaleMember, roster.ActUpdate, roster.ActionApplied)
		first := f.ran(roster.ModeFull, roster.RunDone, 0, one)
		full := f.ran(roster.ModeFull, roster.RunDone, 0, one)
		held := f.ran(roster.ModeDelta, roster.RunHeld, 0, action(1, roster.OrphanedMember, roster.ActDeactivate, roster.ActionHeld))
		failed := f.ran(roster.ModeFull, roster.RunFailed, 0, one)
		delta := f.ran(roster.ModeDelta, roster.RunDone, 0, one)
		newest := f.ran(roster.ModeDelta, roster.RunDone, 0, one)
		all := []roster.Run{first, full, held, failed, delta, newest}
		now, err := f.db.Now(ctx)
		f.ok(err)
		later := now.Add(time.Hour)
		for _, step := range []struct {
			h    store.History
			want string
		}{
			{store.History{Runs: now.Add(-time.Hour), Actions: now.Add(-time.Hour), Least: 1}, "whole whole whole whole whole whole"},
			{store.History{Runs: now.Add(-time.Hour), Actions: later, Least: 3}, "row whole whole whole whole whole"},
			{store.History{Runs: now.Add(-time.Hour), Actions: later, Least: 1}, "row whole whole row row whole"},
			{store.History{Runs: later, Actions: later, Least: 2}, "gone whole whole gone row whole"},
			{store.History{Runs: later, Actions: later, Least: 1}, "gone whole whole gone gone whole"},
		} {
			if _, err := f.db.DropHistory(ctx, f.org, step.h, 1000); err != nil {
				f.Fatal(err)
			}
			if got := f.kept(all...); got != step.want {
				f.Errorf("the newest %d stay: %s\nwant %s", step.h.Least, got, step.want)
			}
		}
		if other, err := f.db.DropHistory(ctx, roster.NewID(), store.History{Runs: later, Actions: later, Least: 1}, 1000); err != nil || other != 0 {
			f.Errorf("of another organisation: %d, %v", other, err)
		}
		if r, err := f.db.Run(ctx, f.org, newest.ID); err != nil || r.Timings != (roster.Timings{Pull: time.Second, Plan: 2 * time.Second}) {
			f.Errorf("kept %+v, %v", r.Timings, err)
		}
		old := "01900000-0000-7000-8000-000000000001"
		if _, err := f.db.Run(ctx, f.org, old); err == nil || !strings.Contains(err.Error(), "older than the runs that are kept") {
			f.Errorf("a run of long ago: %v", err)
		}
	})
}

func (f *fixture) drift(since, until time.Time, span time.Duration) []string {
	f.Helper()
	buckets, err := f.db.DriftOverTime(context.Background(), f.org, f.conn, since, until, span)
	f.ok(err)
	var out []string
	for i, b := range buckets {
		for kind, n := range b.Kinds {
			out = append(out, fmt.Sprintf("%d/%d %s %d %d %d %d", i+1, len(buckets), kind, n.Found, n.Applied, n.Held, n.Listed))
		}
	}
	slices.Sort(out)
	return out
}

// What runs found is told for longer than the runs are kept, and the same.
func TestDriftOverTimeOutlivesItsRuns(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		const day = 24 * time.Hour
		stale := func(n int64, state roster.ActionState) roster.RunAction {
			return action(n, roster.StaleMember, roster.ActUpdate, state)
		}
		conflict := func(n int64) roster.RunAction {
			return action(n, roster.ConflictKind, roster.ActNone, roster.ActionListed)
		}
		link := action(9, roster.LinkKind, roster.ActUpdate, roster.ActionApplied)
		f.ran(roster.ModeFull, roster.RunDone, 2*day, stale(1, roster.ActionApplied), stale(2, roster.ActionRefused), conflict(3), link)
		f.ran(roster.ModeDelta, roster.RunDone, 2*day, stale(1, roster.ActionApplied), conflict(2), conflict(3))
		f.ran(roster.ModeDelta, roster.RunCancelled, 0, stale(1, roster.ActionApplied), stale(2, roster.ActionPlanned))
		f.ran(roster.ModeDry, roster.RunDone, 0, stale(1, roster.ActionPlanned), stale(2, roster.ActionPlanned))
		held := f.ran(roster.ModeFull, roster.RunHeld, 0, stale(1, roster.ActionHeld))
		now, err := f.db.Now(ctx)
		f.ok(err)
		want := []string{"2/4 conflict 0 0 0 2", "2/4 stale_member 3 2 0 0", "4/4 stale_member 2 1 1 2"}
		check := func(when string) {
			f.Helper()
			if got := f.drift(now.Add(-3*day), now, day); !slices.Equal(got, want) {
				f.Errorf("%s: %q\nwant %q", when, got, want)
			}
		}
		check("at first")
		// The held plan is approved: the run ends once more.
		f.ok(f.db.InTx(ctx, func(tx roster.Tx) error {
			held.State = roster.RunRunning
			return tx.Write(ctx, f.org, &roster.Rows{Runs: []roster.Run{held}})
		}))
		held.State = roster.RunDone
		f.ok(f.db.FinishRun(ctx, &held, store.Ending{Tallies: []store.Tally{{Kind: roster.StaleMember, Action: roster.ActUpdate, State: roster.ActionApplied, N: 1}}}))
		want[2] = "4/4 stale_member 2 2 0 2"
		check("once approved")
		for range 2 { // a second time, there is nothing to sum up
			_, err := f.db.DropHistory(ctx, f.org, store.History{Runs: now.Add(2 * day), Actions: now.Add(2 * day), Least: 1}, 1000)
			f.ok(err)
			check("when the runs are gone")
		}
		if b, err := f.db.DriftOverTime(ctx, roster.NewID(), f.conn, now.Add(-3*day), now, day); err != nil || len(b) != 4 || len(b[1].Kinds) != 0 {
			f.Errorf("of another organisation: %+v, %v", b, err)
		}
	})
}

// The gauges say how each connection that pulls stands, by what the last runs left.
func TestGaugesOfAConnection(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		gauges := func() store.ConnectionGauges {
			f.Helper()
			all, err := f.db.Gauges(ctx, 10)
			if err != nil || len(all) != 1 {
				f.Fatalf("%+v, %v", all, err)
			}
			return all[0]
		}
		if g := gauges(); g.Organisation != "acme" || g.Connection == "" || g.Queued+g.Running+g.Held+g.Parked != 0 || !g.LastRun.IsZero() || g.LastFull != nil {
			f.Errorf("before any run: %+v", g)
		}
		full := f.ran(roster.ModeFull, roster.RunHeld, 0, action(1, roster.StaleMember, roster.ActUpdate, roster.ActionHeld))
		f.ran(roster.ModeFull, roster.RunFailed, 0)
		asked := f.commit(roster.Cause{}, roster.RunRequest{Connection: f.conn, Mode: roster.ModeFull, By: "op"})[0].ID
		queued, err := f.db.Run(ctx, f.org, asked)
		f.ok(err)
		g := gauges()
		if g.Queued != 1 || !g.QueuedSince.Equal(queued.CreatedAt) || g.Running != 0 || g.Held != 1 || !g.HeldSince.Equal(full.FinishedAt) ||
			!g.LastRun.Equal(full.FinishedAt) || !g.LastComplete.Equal(full.FinishedAt) || g.LastFull[roster.StaleMember] != 1 {
			f.Errorf("%+v", g)
		}
		if n, err := f.db.Size(ctx); err != nil || n < 10_000 {
			f.Errorf("size %d, %v", n, err)
		}
		if n, err := f.db.EventsWaiting(ctx); err != nil || n == 0 {
			f.Errorf("%d events wait, %v", n, err)
		}
	})
}
