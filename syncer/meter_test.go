package syncer_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

// meter writes down what it is told.
type meter struct {
	mu   sync.Mutex
	told []string
}

func (m *meter) tell(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, fmt.Sprintf(format, args...))
}

// heard is what was told since the last call.
func (m *meter) heard() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	told := m.told
	m.told = nil
	return told
}

type meterKey struct{}

func (m *meter) Work(ctx context.Context, run *roster.Run, tookOver bool) (context.Context, []slog.Attr, func(error)) {
	m.tell("%s begins, taken over %t", run.Mode, tookOver)
	return context.WithValue(ctx, meterKey{}, run.ID), []slog.Attr{slog.String("trace_id", "t1")}, func(err error) { m.tell("stops: %v", err) }
}

func (m *meter) Phase(ctx context.Context, run *roster.Run, phase string) (context.Context, func(time.Duration, error)) {
	if ctx.Value(meterKey{}) != run.ID {
		m.tell("the context of the run was lost")
	}
	return ctx, func(took time.Duration, err error) { m.tell("%s %t %v", phase, took > 0, err) }
}

func (m *meter) Ended(run *roster.Run, found []store.Tally) {
	text := fmt.Sprintf("%s %s", run.Mode, run.State)
	for _, t := range found {
		if t.Kind != roster.LinkKind {
			text += fmt.Sprintf(", %d %s %s %s", t.N, t.Kind, t.Action, t.State)
		}
	}
	m.tell("%s", text)
}

func (w *world) metered() *meter {
	w.t.Helper()
	m := &meter{}
	w.cfg.Meter = m
	w.syncer = w.another("metered")
	return m
}

func (w *world) told(m *meter, want ...string) {
	w.t.Helper()
	if got := m.heard(); !slices.Equal(got, want) {
		w.t.Errorf("told\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// The meter hears of each phase, of what was found and what became of it, and of what was approved once more, by itself.
func TestTheMeterHearsWhatRunsDo(t *testing.T) {
	eachWorld(t, 12, 0, func(w *world) {
		var log strings.Builder
		w.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		m := w.metered()
		run, _ := w.run(roster.ModeFull)
		w.told(m, "full begins, taken over false", "pull true <nil>", "plan true <nil>", "apply true <nil>",
			"full done, 12 missing_member create applied", "stops: <nil>")
		if took := run.Timings; took.Pull <= 0 || took.Plan <= 0 || took.Apply <= 0 || run.Queued() < 0 {
			w.t.Errorf("kept timings %+v", took)
		}
		if !strings.Contains(log.String(), "run="+run.ID) || !strings.Contains(log.String(), "trace_id=t1") {
			w.t.Errorf("the log lacks the ids: %s", log.String())
		}
		for _, u := range w.tenant.Desired()[:7] {
			if err := w.tenant.DisableUser(u.ObjectID); err != nil {
				w.t.Fatal(err)
			}
		}
		dry, _ := w.run(roster.ModeDry)
		w.told(m, "dry begins, taken over false", "pull true <nil>", "plan true <nil>", "dry done, 7 orphaned_member deactivate held", "stops: <nil>")
		if dry.Timings.Apply != 0 {
			w.t.Errorf("a dry run applied for %s", dry.Timings.Apply)
		}
		held, _ := w.run(roster.ModeFull)
		m.heard()
		approved, _ := w.approve(held.ID)
		w.told(m, "full begins, taken over false", "apply true <nil>", "full done, 7 orphaned_member deactivate applied", "stops: <nil>")
		if approved.Timings.Pull != held.Timings.Pull || approved.Timings.Apply <= held.Timings.Apply {
			w.t.Errorf("before the approval %+v, after it %+v", held.Timings, approved.Timings)
		}
		found, err := w.db.DriftOverTime(context.Background(), w.org, w.conn, time.Now().Add(-time.Hour), time.Now(), 24*time.Hour)
		if err != nil {
			w.t.Fatal(err)
		}
		sum := map[roster.Kind]store.DriftCount{}
		for _, b := range found {
			for kind, n := range b.Kinds {
				s := sum[kind]
				sum[kind] = store.DriftCount{Found: s.Found + n.Found, Applied: s.Applied + n.Applied, Held: s.Held + n.Held, Listed: max(s.Listed, n.Listed)}
			}
		}
		if sum[roster.MissingMember] != (store.DriftCount{Found: 12, Applied: 12}) || sum[roster.OrphanedMember] != (store.DriftCount{Found: 7, Applied: 7, Listed: 7}) {
			w.t.Errorf("drift over time: %+v", sum)
		}
	})
}

// A run whose holder stopped is heard of as taken over, and a resync of one person like any other run.
func TestTheMeterHearsOfTakeoversAndOfOnePerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Helper()
		w := newWorld(t, db, 3, 0)
		w.baseline()
		m := w.metered()
		id := w.commit(operator(), roster.RunRequest{Connection: w.conn, Mode: roster.ModeFull, By: "op"})[0].ID
		claimed, err := w.db.ClaimRun(context.Background(), "another", time.Minute)
		if err != nil || claimed == nil {
			t.Fatalf("%+v, %v", claimed, err)
		}
		if err := w.db.ReleaseLease(context.Background(), claimed); err != nil {
			t.Fatal(err)
		}
		w.work(id)
		if told := m.heard(); len(told) == 0 || told[0] != "full begins, taken over true" {
			t.Errorf("told %q", told)
		}
		person := w.tenant.Desired()[0]
		if err := w.tenant.DisableUser(person.ObjectID); err != nil {
			t.Fatal(err)
		}
		ask := roster.AskOne{Org: w.org, Key: person.UserPrincipalName, Connections: []string{w.conn}, By: "op"}
		if _, err := w.syncer.One(context.Background(), ask); err != nil {
			t.Fatal(err)
		}
		w.told(m, "one begins, taken over false", "one done, 1 orphaned_member deactivate applied", "stops: <nil>")
	})
}
