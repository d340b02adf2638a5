package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
	"github.com/rosterd/rosterd/syncer"
)

// timed is a world whose connection has both schedules, daily and due half a day from now, without jitter.
type timed struct {
	*world
	cron string
	now  time.Time
}

func eachTimed(t *testing.T, test func(w *timed)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Helper()
		test(newTimed(newWorld(t, db, 5, 1)))
	})
}

func newTimed(w *world) *timed {
	w.t.Helper()
	now, err := w.db.Now(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	s := &timed{world: w, now: now, cron: fmt.Sprintf("%d %d * * *", now.Minute(), (now.Hour()+12)%24)}
	s.declare(roster.Schedule{Mode: roster.ModeDelta, Cron: s.cron, TimeZone: "UTC"}, roster.Schedule{Mode: roster.ModeFull, Cron: s.cron, TimeZone: "UTC"})
	return s
}

// declare brings the connection in as the daemon does at its start.
func (s *timed) declare(schedules ...roster.Schedule) {
	s.t.Helper()
	m := mapping.Entra()
	s.commit(roster.Cause{}, roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: "t1", Settings: m.Fingerprint(),
		Managed: m.Managed(), Settle: settle, Schedules: schedules})
}

func (s *timed) schedule(mode roster.Mode) roster.Schedule {
	s.t.Helper()
	all, err := s.db.Schedules(context.Background(), s.org)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, one := range all {
		if one.Mode == mode {
			return one
		}
	}
	s.t.Fatalf("no %s schedule in %+v", mode, all)
	return roster.Schedule{}
}

// due sets a schedule's due time back, as if no daemon had run since.
func (s *timed) due(mode roster.Mode, ago time.Duration) roster.Schedule {
	s.t.Helper()
	now, err := s.db.Now(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	one := s.schedule(mode)
	one.Next = now.Add(-ago)
	s.write(one)
	return one
}

func (s *timed) write(one roster.Schedule) {
	s.t.Helper()
	err := s.db.InTx(context.Background(), func(tx roster.Tx) error {
		return tx.Write(context.Background(), s.org, &roster.Rows{Schedules: []roster.ScheduleRow{{Schedule: one}}})
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// runs are all runs, the oldest first.
func (s *timed) runs() []roster.Run {
	s.t.Helper()
	newest, _, err := s.db.Runs(context.Background(), s.org, store.List{})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []roster.Run
	for i := range newest {
		out = append(out, newest[len(newest)-1-i])
	}
	return out
}

// wantRuns holds what the runs are, the oldest first, as "mode state by: note". A run's id reads as its place: #0.
func (s *timed) wantRuns(want ...string) {
	s.t.Helper()
	runs := s.runs()
	var got, ids []string
	for i := range runs {
		ids = append(ids, runs[i].ID, fmt.Sprintf("#%d", i))
	}
	for i := range runs {
		r := &runs[i]
		got = append(got, strings.NewReplacer(ids...).Replace(fmt.Sprintf("%s %s %s: %s", r.Mode, r.State, r.RequestedBy, r.Note)))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("runs:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func (s *timed) ask() time.Duration { return s.syncer.AskDue(context.Background()) }

// claim makes the oldest queued run a running one.
func (s *timed) claim() {
	s.t.Helper()
	if run, err := s.db.ClaimRun(context.Background(), "another", time.Hour); err != nil || run == nil {
		s.t.Fatalf("claim a run: %v, %v", run, err)
	}
}

func (s *timed) request(mode roster.Mode) {
	s.t.Helper()
	s.commit(operator(), roster.RunRequest{Connection: s.conn, Mode: mode, By: "op"})
}

const day = 24 * time.Hour

func TestADueRunIsAskedForOnceAndTheScheduleMovesOn(t *testing.T) {
	eachTimed(t, func(w *timed) {
		w.ask()
		w.wantRuns()
		w.due(roster.ModeDelta, time.Second)
		w.ask()
		w.ask()
		w.wantRuns("delta queued schedule: ")
		if next := w.schedule(roster.ModeDelta).Next; !next.After(w.now) || next.After(w.now.Add(day)) {
			w.t.Errorf("next due %s, now %s", next, w.now)
		}
	})
}

// However many due times have passed while no daemon ran, one run catches up, and says so.
func TestMissedDueTimesAreCaughtUpOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		ago  time.Duration
		note string // SINCE stands for the first due time
	}{
		"in time":                    {30 * time.Second, ""},
		"one, by more than a minute": {2 * time.Minute, "catch-up: it was due at SINCE"},
		"three":                      {2*day + time.Second, "catch-up: 3 due times since SINCE had passed"},
	} {
		t.Run(name, func(t *testing.T) {
			eachTimed(t, func(w *timed) {
				since := w.due(roster.ModeFull, tc.ago).Next.Format(time.RFC3339)
				w.ask()
				w.ask()
				w.wantRuns("full queued schedule: " + strings.ReplaceAll(tc.note, "SINCE", since))
			})
		})
	}
}

func TestSoManyMissedDueTimesAreNotCountedOut(t *testing.T) {
	eachTimed(t, func(w *timed) {
		w.declare(roster.Schedule{Mode: roster.ModeDelta, Cron: "* * * * *", TimeZone: "UTC"})
		since := w.due(roster.ModeDelta, 365*day).Next.Format(time.RFC3339)
		w.ask()
		w.wantRuns("delta queued schedule: catch-up: 10000 or more due times since " + since + " had passed")
		if next := w.schedule(roster.ModeDelta).Next; !next.After(w.now) || next.After(w.now.Add(2*time.Minute)) {
			w.t.Errorf("next due %s, now %s", next, w.now)
		}
	})
}

// What came due keeps its phase: a run that is asked for late moves no later one.
func TestEveryKeepsItsPhase(t *testing.T) {
	eachTimed(t, func(w *timed) {
		w.declare(roster.Schedule{Mode: roster.ModeDelta, Cron: "@every 10m", TimeZone: "UTC"})
		was := w.due(roster.ModeDelta, 25*time.Minute).Next.Truncate(time.Second)
		w.ask()
		if next := w.schedule(roster.ModeDelta).Next; !next.Equal(was.Add(30 * time.Minute)) {
			w.t.Errorf("next due %s, want 30 minutes after %s", next, was)
		}
	})
}

// In time, a due run is skipped where one is queued or running that sees as much.
func TestOverlap(t *testing.T) {
	const running = "skipped: run #0 was still running when it was due"
	for name, tc := range map[string]struct {
		before  func(w *timed)
		mode    roster.Mode
		want    []string
		skipped bool
	}{
		"a delta while a delta is queued": {func(w *timed) { w.request(roster.ModeDelta) }, roster.ModeDelta,
			[]string{"delta queued op: ", "delta cancelled schedule: skipped: run #0 was still queued when it was due"}, true},
		"a delta while a full is running": {func(w *timed) { w.request(roster.ModeFull); w.claim() }, roster.ModeDelta,
			[]string{"full running op: ", "delta cancelled schedule: " + running}, true},
		"a full while a full is running": {func(w *timed) { w.request(roster.ModeFull); w.claim() }, roster.ModeFull,
			[]string{"full running op: ", "full cancelled schedule: " + running}, true},
		"a full while a full is queued": {func(w *timed) { w.request(roster.ModeFull) }, roster.ModeFull,
			[]string{"full queued op: ", "full cancelled schedule: skipped: run #0 was still queued when it was due"}, true},
		"a full while a delta is queued": {func(w *timed) { w.request(roster.ModeDelta) }, roster.ModeFull,
			[]string{"full queued op, schedule: "}, false},
		"a full while a delta is running": {func(w *timed) { w.request(roster.ModeDelta); w.claim() }, roster.ModeFull,
			[]string{"delta running op: ", "full queued schedule: "}, false},
		"a full while a full runs and a delta is queued": {func(w *timed) { w.request(roster.ModeFull); w.claim(); w.request(roster.ModeDelta) }, roster.ModeFull,
			[]string{"full running op: ", "delta queued op: ", "full cancelled schedule: " + running}, true},
		"a delta while a dry run is running": {func(w *timed) { w.request(roster.ModeDry); w.claim() }, roster.ModeDelta,
			[]string{"dry running op: ", "delta queued schedule: "}, false},
		"a full while what was approved is applied": {func(w *timed) { w.approving() }, roster.ModeFull,
			[]string{"full running op: ", "full queued schedule: "}, false},
	} {
		t.Run(name, func(t *testing.T) {
			eachTimed(t, func(w *timed) {
				tc.before(w)
				w.due(tc.mode, time.Second)
				w.ask()
				w.wantRuns(tc.want...)
				if next := w.schedule(tc.mode).Next; !next.After(w.now) {
					w.t.Errorf("next due %s, now %s", next, w.now)
				}
				if !tc.skipped {
					return
				}
				// Again and again, for the same run, in the same row.
				for range 2 {
					w.due(tc.mode, time.Second)
					w.ask()
				}
				last := len(tc.want) - 1
				tc.want[last] += "; 3 due times skipped"
				w.wantRuns(tc.want...)
				tc.want[last] = strings.TrimSuffix(tc.want[last], "; 3 due times skipped")
				if latest, _, err := w.db.LatestRuns(context.Background(), w.org); err != nil || len(latest) != 0 {
					w.t.Errorf("what was skipped counts as the last run: %+v, %v", latest, err)
				}
			})
		})
	}
}

// approving leaves a run that applies what was approved.
func (s *timed) approving() {
	s.t.Helper()
	s.request(roster.ModeFull)
	s.claim()
	run := s.runs()[0]
	run.Approval = true
	err := s.db.InTx(context.Background(), func(tx roster.Tx) error {
		return tx.Write(context.Background(), s.org, &roster.Rows{Runs: []roster.Run{run}})
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestSkipsForAnotherRunHaveARowOfTheirOwn(t *testing.T) {
	eachTimed(t, func(w *timed) {
		for range 2 {
			w.request(roster.ModeFull)
			w.due(roster.ModeDelta, time.Second)
			w.ask()
			w.commit(operator(), roster.RunCancel{ID: w.open(), By: "op"})
		}
		w.wantRuns("full cancelled op: ", "delta cancelled schedule: skipped: run #0 was still queued when it was due",
			"full cancelled op: ", "delta cancelled schedule: skipped: run #2 was still queued when it was due")
	})
}

func (s *timed) open() string {
	s.t.Helper()
	for _, r := range s.runs() {
		if r.State == roster.RunQueued {
			return r.ID
		}
	}
	s.t.Fatal("no run is queued")
	return ""
}

// A run that goes on after a restart may have read before the due times passed: what was missed is not skipped for it.
func TestACatchUpIsNeverSkipped(t *testing.T) {
	eachTimed(t, func(w *timed) {
		w.request(roster.ModeFull)
		w.claim()
		full := w.due(roster.ModeFull, 2*day+time.Second).Next.Format(time.RFC3339)
		note := "catch-up: 3 due times since " + full + " had passed"
		w.ask()
		w.wantRuns("full running op: ", "full queued schedule: "+note)

		// Where one is queued, that one catches up.
		delta := w.due(roster.ModeDelta, day+time.Second).Next.Format(time.RFC3339)
		w.ask()
		w.wantRuns("full running op: ", "full queued schedule: "+note+"; catch-up: 2 due times since "+delta+" had passed")
	})
}

// The full run sees what the delta would: one run comes of both.
func TestAFullRunTakesADeltaAlongThatIsDueWithIt(t *testing.T) {
	eachTimed(t, func(w *timed) {
		w.due(roster.ModeDelta, day+time.Second)
		since := w.due(roster.ModeFull, 2*day+time.Second).Next.Format(time.RFC3339)
		w.ask()
		w.ask()
		w.wantRuns("full queued schedule: catch-up: 3 due times since " + since + " had passed")
		if next := w.schedule(roster.ModeDelta).Next; !next.After(w.now) {
			w.t.Errorf("the delta is next due %s, now %s", next, w.now)
		}
	})
}

func TestAnOperatorsFullRequestMakesAQueuedDeltaFull(t *testing.T) {
	eachTimed(t, func(w *timed) {
		w.due(roster.ModeDelta, time.Second)
		w.ask()
		w.request(roster.ModeFull)
		w.wantRuns("full queued schedule, op: ")
		w.request(roster.ModeDelta)
		w.wantRuns("full queued schedule, op: ")
	})
}

func TestADetachedConnectionStartsNothingAndItsSchedulesMoveOn(t *testing.T) {
	eachTimed(t, func(w *timed) {
		w.commit(roster.Cause{}, roster.ConnectionDetach{ID: w.conn, Reason: "it left the configuration"})
		w.due(roster.ModeDelta, 2*day+time.Second)
		w.due(roster.ModeFull, 2*day+time.Second)
		w.ask()
		w.wantRuns()
		for _, mode := range []roster.Mode{roster.ModeDelta, roster.ModeFull} {
			if next := w.schedule(mode).Next; !next.After(w.now) {
				w.t.Errorf("%s is next due %s, now %s", mode, next, w.now)
			}
		}
		w.declare(roster.Schedule{Mode: roster.ModeDelta, Cron: w.cron, TimeZone: "UTC"}, roster.Schedule{Mode: roster.ModeFull, Cron: w.cron, TimeZone: "UTC"})
		w.ask()
		w.wantRuns()
	})
}

func TestARunIsAskedForAfterItsDelay(t *testing.T) {
	eachTimed(t, func(w *timed) {
		w.cfg.Poll = time.Hour
		w.syncer = w.another("patient")
		w.declare(roster.Schedule{Mode: roster.ModeFull, Cron: w.cron, TimeZone: "UTC", Jitter: time.Hour})
		one := w.schedule(roster.ModeFull)
		for one.Next = w.now; one.Delay() < 10*time.Minute; one.Next = one.Next.Add(time.Microsecond) {
			continue
		}
		delay := one.Delay()
		w.write(one)
		if wait := w.ask(); wait > delay || wait < delay-5*time.Minute {
			w.t.Errorf("looks again in %s, want in %s", wait, delay)
		}
		w.wantRuns()
		for one.Next = w.now.Add(-delay); one.Delay() > delay || one.Delay() < delay-30*time.Second; one.Next = one.Next.Add(-time.Microsecond) {
			continue
		}
		w.write(one)
		if wait := w.ask(); wait != time.Hour {
			w.t.Errorf("looks again in %s", wait)
		}
		w.wantRuns("full queued schedule: ")
	})
}

// Replicas share one database: of those that see a schedule due, one asks for the run.
func TestReplicasAskForADueRunOnce(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		t.Helper()
		w := newTimed(newWorld(t, storetest.Open(t, d), 5, 1))
		replicas := []*syncer.Syncer{w.syncer}
		if d.URL != "" {
			other := *w.world
			other.cfg.Store = storetest.Open(t, d)
			other.cfg.Roster = roster.New(other.cfg.Store)
			replicas = append(replicas, other.another("other"))
		}
		for round := range 10 {
			w.due(roster.ModeDelta, 2*day+time.Second)
			if round%2 == 0 {
				w.due(roster.ModeFull, 2*day+time.Second)
			}
			var wait sync.WaitGroup
			for i := range 12 {
				wait.Go(func() { replicas[i%len(replicas)].AskDue(context.Background()) })
			}
			wait.Wait()
			runs := w.runs()
			if len(runs) != round+1 || runs[round].State != roster.RunQueued || strings.Count(runs[round].Note, "catch-up") != 1 {
				t.Fatalf("after round %d: %d runs, the last %+v", round, len(runs), runs[len(runs)-1])
			}
			w.commit(operator(), roster.RunCancel{ID: runs[round].ID, By: "op"})
		}
	})
}

// failing is a store whose transactions fail as a crash would, just before they commit or just after.
type failing struct {
	*store.DB
	before, after atomic.Bool
}

var errCrash = errors.New("crash")

func (f *failing) InTx(ctx context.Context, fn func(roster.Tx) error) error {
	err := f.DB.InTx(ctx, func(tx roster.Tx) error {
		if err := fn(tx); err != nil || !f.before.Load() {
			return err
		}
		return errCrash
	})
	if err == nil && f.after.Load() {
		return errCrash
	}
	return err
}

func TestACrashNeitherLosesNorDoublesADueRun(t *testing.T) {
	eachTimed(t, func(w *timed) {
		crashing := &failing{DB: w.db}
		w.cfg.Roster = roster.New(crashing)
		w.syncer = w.another("crashing")
		was := w.due(roster.ModeFull, time.Second)

		crashing.before.Store(true)
		w.ask()
		w.wantRuns()
		if next := w.schedule(roster.ModeFull).Next; !next.Equal(was.Next.Truncate(time.Microsecond)) {
			w.t.Errorf("the due time was lost: next %s", next)
		}
		crashing.before.Store(false)
		crashing.after.Store(true)
		w.ask()
		crashing.after.Store(false)
		w.ask()
		w.wantRuns("full queued schedule: ")
	})
}

func TestTheSchedulerWorksByItself(t *testing.T) {
	eachTimed(t, func(w *timed) {
		w.cfg.Poll = 10 * time.Millisecond
		s := w.another("daemon")
		s.Start(context.Background())
		defer s.Stop()
		w.due(roster.ModeFull, time.Second)
		deadline := time.Now().Add(time.Minute)
		for {
			runs := w.runs()
			if len(runs) == 1 && runs[0].State == roster.RunDone {
				break
			}
			if time.Now().After(deadline) {
				w.t.Fatalf("waited in vain: %+v", runs)
			}
			<-time.After(10 * time.Millisecond)
		}
		w.converged()
	})
}

// Start and Stop may come in any order, twice, and at once.
func TestStartAndStopInAnyOrder(t *testing.T) {
	eachTimed(t, func(w *timed) {
		w.cfg.Poll = time.Millisecond
		for round := range 30 {
			s := w.another("daemon")
			w.due(roster.ModeDelta, time.Second)
			var wait sync.WaitGroup
			for i := range 4 {
				wait.Go(func() {
					if (round+i)%2 == 0 {
						s.Start(context.Background())
					} else {
						s.Stop()
					}
				})
			}
			wait.Wait()
			s.Stop()
			s.Start(context.Background())
			s.Stop()
		}
	})
}
