package syncer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// around is a window that the database's time is within, and that ends in two hours.
func (s *timed) around() string {
	s.t.Helper()
	now, err := s.db.Now(context.Background())
	s.ok(err)
	from, to := now.UTC().Add(-2*time.Hour), now.UTC().Add(2*time.Hour)
	return fmt.Sprintf("%02d:%02d-%02d:%02d", from.Hour(), from.Minute(), to.Hour(), to.Minute())
}

// Within a window nothing that is due starts; what fell due is caught up by one run at its end.
func TestABlackoutKeepsDueRunsUntilItEnds(t *testing.T) {
	eachTimed(t, func(w *timed) {
		delta := roster.Schedule{Mode: roster.ModeDelta, Cron: "* * * * *", TimeZone: "UTC", Blackout: []string{w.around()}}
		w.declare(delta)
		since := w.due(roster.ModeDelta, 3*time.Minute).Next
		w.ask()
		w.wantRuns()
		if next := w.schedule(roster.ModeDelta).Next; !next.Equal(since.Truncate(time.Microsecond)) {
			w.t.Errorf("next due %s, want %s still", next, since)
		}
		out, err := w.roster.Commit(context.Background(), w.org, roster.Cause{}, []roster.Change{
			roster.RunRequest{Connection: w.conn, Mode: roster.ModeDelta, By: roster.BySchedule, Due: w.schedule(roster.ModeDelta).Next}})
		if err != nil || out[0].Result != roster.Stale {
			w.t.Errorf("asked for all the same: %v, %v", out, err)
		}
		delta.Blackout = nil
		w.declare(delta) // as when the window has ended: the due time stands
		w.ask()
		w.ask()
		runs := w.runs()
		if len(runs) != 1 || !strings.HasPrefix(runs[0].Note, "catch-up: ") {
			w.t.Errorf("runs after the window: %+v", runs)
		}
	})
}

// An operator's run goes on within a window, and says that it is within one. A run that waits, asked for before the window
// began, waits for its end, unless an operator joins it.
func TestABlackoutLetsAnOperatorThrough(t *testing.T) {
	eachTimed(t, func(w *timed) {
		daily := roster.Schedule{Mode: roster.ModeFull, Cron: w.cron, TimeZone: "UTC"}
		w.declare(daily)
		w.due(roster.ModeFull, time.Second)
		w.ask()
		daily.Blackout = []string{w.around()}
		w.declare(daily)
		if run, err := w.db.ClaimRun(context.Background(), "another", time.Hour); err != nil || run != nil {
			w.t.Fatalf("what waits was begun within the window: %+v, %v", run, err)
		}
		outs, err := w.roster.Commit(context.Background(), w.org, roster.Cause{}, []roster.Change{
			roster.RunRequest{Connection: w.conn, Mode: roster.ModeDelta, By: roster.ByFollowUp}})
		if err != nil || roster.CodeOf(outs[0].Err) != roster.Conflict {
			w.t.Errorf("a follow-up was not refused: %+v, %v", outs, err)
		}
		w.request(roster.ModeDelta)
		runs := w.runs()
		if len(runs) != 1 || runs[0].RequestedBy != "schedule, op" || !strings.HasPrefix(runs[0].Note, "within a blackout window of its schedule, until 20") {
			w.t.Fatalf("the runs are %+v", runs)
		}
		w.claim()
	})
}

func TestAnOperatorsOwnRunWithinABlackoutSaysSo(t *testing.T) {
	eachTimed(t, func(w *timed) {
		w.declare(roster.Schedule{Mode: roster.ModeFull, Cron: w.cron, TimeZone: "UTC", Blackout: []string{w.around()}})
		run, _ := w.run(roster.ModeFull)
		if run.State != roster.RunDone || !strings.Contains(run.Note, "within a blackout window of its schedule, until 20") {
			w.t.Errorf("ended %s: %s", run.State, run.Note)
		}
	})
}

// A window is no reason to say that a run is late.
func TestARunThatABlackoutKeepsIsNotLate(t *testing.T) {
	due := time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)
	s := roster.Schedule{Mode: roster.ModeDelta, Cron: "*/30 * * * *", TimeZone: "UTC"}
	if got, want := s.LateAt(due), due.Add(time.Hour); !got.Equal(want) {
		t.Errorf("without a window it is late at %s, want %s", got, want)
	}
	s.Blackout = []string{"08:00-18:00"}
	for at, want := range map[time.Time]time.Time{
		due:                    time.Date(2026, 11, 24, 18, 10, 0, 0, time.UTC),
		due.Add(2 * time.Hour): time.Date(2026, 11, 24, 19, 0, 0, 0, time.UTC),
	} {
		if got := s.LateAt(at); !got.Equal(want) {
			t.Errorf("due at %s it is late at %s, want %s", at, got, want)
		}
	}
}
