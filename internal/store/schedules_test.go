package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
)

func schedule(mode roster.Mode, cron string) roster.Schedule {
	return roster.Schedule{Mode: mode, Cron: cron, TimeZone: "UTC", Jitter: time.Second}
}

// declare brings a connection in as the daemon does at its start.
func (f *fixture) declare(name string, schedules ...roster.Schedule) roster.Outcome {
	f.Helper()
	return f.commit(roster.Cause{}, roster.ConnectionSync{Name: name, Kind: roster.KindEntra, Target: "target of " + name, Schedules: schedules})[0]
}

// schedules returns what is stored of a connection, by mode.
func (f *fixture) schedules(connection string) map[roster.Mode]roster.Schedule {
	f.Helper()
	all, err := f.db.Schedules(context.Background(), f.org)
	f.ok(err)
	out := map[roster.Mode]roster.Schedule{}
	for _, s := range all {
		if s.Connection == connection {
			out[s.Mode] = s
		}
	}
	return out
}

// setDue puts a schedule's due time somewhere.
func (f *fixture) setDue(s roster.Schedule, due time.Time) {
	f.Helper()
	s.Next = due
	f.ok(f.db.InTx(context.Background(), func(tx roster.Tx) error {
		return tx.Write(context.Background(), f.org, &roster.Rows{Schedules: []roster.ScheduleRow{{Schedule: s}}})
	}))
}

func TestSchedulesFollowTheConfiguration(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		now, err := f.db.Now(ctx)
		f.ok(err)
		id := f.declare("one", schedule(roster.ModeDelta, "@every 10m"), schedule(roster.ModeFull, "0 3 * * *")).ID
		f.declare("two", schedule(roster.ModeFull, "0 3 * * *"))
		before := f.schedules(id)
		if d := before[roster.ModeDelta].Next.Sub(now); len(before) != 2 || d < 9*time.Minute || d > 11*time.Minute {
			f.Fatalf("stored: %+v", before)
		}
		if full := before[roster.ModeFull]; full.Next.Hour() != 3 || !full.Next.After(now) || full.Jitter != time.Second || full.TimeZone != "UTC" {
			f.Errorf("stored: %+v", full)
		}
		missed := now.Add(-48 * time.Hour).Truncate(time.Second)
		for _, s := range before {
			f.setDue(s, missed)
		}

		// As it was: what was missed stays to be seen. Another jitter is no other schedule.
		other := schedule(roster.ModeFull, "0 3 * * *")
		other.Jitter = time.Minute
		f.declare("one", schedule(roster.ModeDelta, "@every 10m"), other)
		kept := f.schedules(id)
		if !kept[roster.ModeDelta].Next.Equal(missed) || !kept[roster.ModeFull].Next.Equal(missed) || kept[roster.ModeFull].Jitter != time.Minute {
			f.Errorf("after a restart: %+v", kept)
		}
		if out := f.declare("one", schedule(roster.ModeDelta, "@every 10m"), other); out.Result != roster.Unchanged {
			f.Errorf("a restart with nothing changed is %s", out.Result)
		}

		// Another expression or zone counts from now.
		other.TimeZone = "Asia/Tokyo"
		f.declare("one", schedule(roster.ModeDelta, "@every 20m"), other)
		changed := f.schedules(id)
		if d := changed[roster.ModeDelta].Next.Sub(now); d < 19*time.Minute || d > 21*time.Minute {
			f.Errorf("after a change of the expression: %+v", changed[roster.ModeDelta])
		}
		if full := changed[roster.ModeFull]; full.Next.Hour() != 18 || !full.Next.After(now) {
			f.Errorf("after a change of the zone: %+v", full)
		}

		// What is gone from the file is gone; the other connection has kept its own.
		f.declare("one", schedule(roster.ModeDelta, "@every 20m"))
		all, err := f.db.Schedules(ctx, f.org)
		if f.ok(err); len(all) != 2 || len(f.schedules(id)) != 1 {
			f.Errorf("left: %+v", all)
		}
		f.declare("one")
		if n := len(f.schedules(id)); n != 0 {
			f.Errorf("%d left", n)
		}
	})
}

func TestSchedulesOfARenamedOrReleasedConnection(t *testing.T) {
	each(t, func(f *fixture) {
		full := schedule(roster.ModeFull, "0 3 * * *")
		old, released := f.declare("old", full).ID, f.declare("released", full).ID
		changed := f.declare("changed", full).ID
		to := f.declare("new", schedule(roster.ModeFull, "0 4 * * *")).ID
		f.commit(roster.Cause{}, roster.ConnectionDetach{ID: old, Reason: "gone"}, roster.ConnectionDetach{ID: released, Reason: "gone"})
		if len(f.schedules(old)) != 1 {
			f.Error("a detached connection lost its schedule")
		}
		f.commit(roster.Cause{}, roster.ConnectionRename{From: "old", To: "new"}, roster.ConnectionRelease{ID: released})
		if n := len(f.schedules(old)) + len(f.schedules(released)); n != 0 {
			f.Errorf("%d schedules of connections that are gone", n)
		}
		if s := f.schedules(to); len(s) != 1 || s[roster.ModeFull].Cron != "0 4 * * *" {
			f.Errorf("the renamed connection has %+v, want what the file says", s)
		}

		// One that is still in the file, with another target, is released and starts afresh: by its schedule.
		run := f.commit(roster.Cause{}, roster.RunRequest{Connection: changed, Mode: roster.ModeFull, By: "op"})[0].ID
		claimed, err := f.db.ClaimRun(context.Background(), "holder", time.Minute)
		f.ok(err)
		if claimed == nil || claimed.ID != run {
			f.Fatalf("claimed %+v", claimed)
		}
		f.ok(f.db.PinTarget(context.Background(), claimed, "target of changed"))
		f.commit(roster.Cause{}, roster.ConnectionSync{Name: "changed", Kind: roster.KindEntra, Target: "elsewhere", Schedules: []roster.Schedule{full}})
		f.commit(roster.Cause{}, roster.ConnectionRelease{ID: changed})
		if len(f.schedules(changed)) != 1 {
			f.Error("a connection that starts afresh lost its schedule")
		}
	})
}

// Replicas that start together bring the same file in.
func TestReplicasThatStartTogetherMakeEachScheduleOnce(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		t.Helper()
		dbs := []*store.DB{storetest.Open(t, d)}
		if d.URL != "" {
			dbs = append(dbs, storetest.Open(t, d), storetest.Open(t, d))
		}
		f := &fixture{TB: t, db: dbs[0], org: roster.NewID()}
		f.commit(roster.Cause{}, roster.OrgCreate{ID: f.org, Name: "acme"})
		ctx := context.Background()
		for round := range 10 {
			var wait sync.WaitGroup
			ids := make([]string, 9)
			for i := range ids {
				wait.Go(func() {
					outs, err := roster.New(dbs[i%len(dbs)]).Commit(ctx, f.org, roster.Cause{}, []roster.Change{roster.ConnectionSync{
						Name: fmt.Sprintf("c%d", round), Kind: roster.KindEntra, Target: fmt.Sprint(round),
						Schedules: []roster.Schedule{schedule(roster.ModeFull, "0 3 * * *"), schedule(roster.ModeDelta, "@every 10m")}}})
					if err != nil || outs[0].Err != nil {
						t.Errorf("replica %d: %v %v", i, outs, err)
						return
					}
					ids[i] = outs[0].ID
				})
			}
			wait.Wait()
			if n := len(f.schedules(ids[0])); n != 2 || strings.Join(ids, "") != strings.Repeat(ids[0], len(ids)) {
				t.Fatalf("%d schedules of %v, want 2 of one connection", n, ids)
			}
		}
	})
}

// A schedule that another replica has made and moved on since is not set back by one whose start takes long.
func TestAStartThatTakesLongSetsNoScheduleBack(t *testing.T) {
	d := storetest.Database{Kind: "postgres", Dir: t.TempDir(), URL: storetest.Postgres(t)}
	f := &fixture{TB: t, db: storetest.Open(t, d), org: roster.NewID()}
	f.commit(roster.Cause{}, roster.OrgCreate{ID: f.org, Name: "acme"})
	id := f.declare("one").ID
	ctx := context.Background()
	moved := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	read := false
	slow := roster.New(between{f.db, func(tx roster.Tx) roster.Tx {
		return &pausing{Tx: tx, pause: func() {
			if read {
				return
			}
			read = true
			f.setDue(f.schedules(f.declare("one", schedule(roster.ModeFull, "0 3 * * *")).ID)[roster.ModeFull], moved)
		}}
	}})
	_, err := slow.Commit(ctx, f.org, roster.Cause{}, []roster.Change{roster.ConnectionSync{Name: "one", Kind: roster.KindEntra, Target: "target of one",
		Schedules: []roster.Schedule{schedule(roster.ModeFull, "0 3 * * *")}}})
	f.ok(err)
	if got := f.schedules(id)[roster.ModeFull].Next; !read || !got.Equal(moved) {
		t.Errorf("next due %s, want %s as the other replica left it", got, moved)
	}
}

// between lets a test stand between the rules and the transaction.
type between struct {
	roster.Store
	wrap func(roster.Tx) roster.Tx
}

func (b between) InTx(ctx context.Context, fn func(roster.Tx) error) error {
	return b.Store.InTx(ctx, func(tx roster.Tx) error { return fn(b.wrap(tx)) })
}

// pausing calls pause after it has read schedules.
type pausing struct {
	roster.Tx
	pause func()
}

func (p *pausing) Schedules(ctx context.Context, org, connection string) ([]roster.Schedule, error) {
	out, err := p.Tx.Schedules(ctx, org, connection)
	p.pause()
	return out, err
}

func TestARunThatNeverBeganIsNoConnectionsLastRun(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		id := f.commit(roster.Cause{}, roster.RunRequest{Connection: f.conn, Mode: roster.ModeFull, By: "op"})[0].ID
		run, err := f.db.ClaimRun(ctx, "holder", time.Minute)
		if f.ok(err); run == nil {
			f.Fatal("no run to claim")
		}
		run.State = roster.RunDone
		f.ok(f.db.InTx(ctx, func(tx roster.Tx) error { return tx.Write(ctx, f.org, &roster.Rows{Runs: []roster.Run{*run}}) }))
		dropped := f.commit(roster.Cause{}, roster.RunRequest{Connection: f.conn, Mode: roster.ModeDelta, By: "op"})[0].ID
		f.commit(roster.Cause{}, roster.RunCancel{ID: dropped, By: "op"})
		latest, _, err := f.db.LatestRuns(ctx, f.org)
		if f.ok(err); latest[f.conn].ID != id {
			f.Errorf("the last run is %+v, want %s", latest[f.conn], id)
		}
	})
}
