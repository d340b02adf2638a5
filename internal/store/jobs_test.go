package store_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

var logTime = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// said is an entry of a provisioning log, of so many hours after logTime.
func said(object, reason string, failed bool, hour int) roster.LogEntry {
	return roster.LogEntry{Type: roster.TypeMember, ObjectID: object, At: logTime.Add(time.Duration(hour) * time.Hour), Failed: failed,
		Reason: reason, Action: "other", Text: "so it is"}
}

func TestWhatARunReadOfTheJobIsKept(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		if j, err := f.db.Job(ctx, f.org, f.conn); err != nil || j != nil {
			f.Fatalf("before any run: %+v, %v", j, err)
		}
		run := f.claimed(roster.ModeFull)
		job := roster.Job{ID: "scim.1", State: roster.JobQuarantined, Failures: 3, ReadAt: logTime, SteadyAt: logTime, Problem: "none",
			Quarantine: &roster.Quarantine{Reason: roster.TooManyDeletes, Since: logTime}, Cycle: &roster.JobCycle{Failed: true, Error: "x"}}
		f.ok(f.db.SaveJob(ctx, run, job))
		f.ok(f.db.SaveCauses(ctx, run, nil, "here"))
		f.ok(f.db.SaveJob(ctx, run, job)) // does not touch the position
		got, err := f.db.Job(ctx, f.org, f.conn)
		f.ok(err)
		if !reflect.DeepEqual(*got, job) || !got.HoldsRemovals() {
			f.Errorf("kept %+v", got)
		}
		if all, err := f.db.Jobs(ctx, f.org); err != nil || len(all) != 1 || all[f.conn].ID != "scim.1" {
			f.Errorf("of the organisation: %+v, %v", all, err)
		}
		if all, err := f.db.Jobs(ctx, roster.NewID()); err != nil || len(all) != 0 {
			f.Errorf("of another organisation: %+v, %v", all, err)
		}
		if at, err := f.db.CausePosition(ctx, f.org, f.conn); err != nil || at != "here" {
			f.Errorf("position %q, %v", at, err)
		}
		run.Fence--
		if err := f.db.SaveJob(ctx, run, job); roster.CodeOf(err) != roster.Fenced {
			f.Errorf("a run that lost its lease: %v", err)
		}
		if err := f.db.SaveCauses(ctx, run, nil, "there"); roster.CodeOf(err) != roster.Fenced {
			f.Errorf("a run that lost its lease: %v", err)
		}
	})
}

func (f *fixture) causes(objects ...string) map[string][]string {
	f.Helper()
	all, err := f.db.CausesOf(context.Background(), f.org, f.conn, roster.TypeMember, objects)
	f.ok(err)
	out := map[string][]string{}
	for id, list := range all {
		for _, e := range list {
			out[id] = append(out[id], fmt.Sprintf("%s %t %d", e.Reason, e.Failed, int(e.At.Sub(logTime).Hours())))
		}
	}
	return out
}

func TestTheNewestEntryOfEachReasonIsKept(t *testing.T) {
	each(t, func(f *fixture) {
		run := f.claimed(roster.ModeFull)
		f.ok(f.db.SaveCauses(context.Background(), run, []roster.LogEntry{
			said("a", "Conflict", true, 1), said("a", "Conflict", true, 3), said("a", "Conflict", true, 2), said("a", "Skip", false, 4),
			said("b", "Conflict", true, 1), {Type: roster.TypeTeam, ObjectID: "a", At: logTime, Reason: "OfTheGroup"},
			said("old", "Conflict", true, -24*365),
		}, "1"))
		f.ok(f.db.SaveCauses(context.Background(), run, []roster.LogEntry{said("a", "Conflict", true, 2), said("b", "Conflict", true, 5)}, "2"))
		want := map[string][]string{"a": {"Skip false 4", "Conflict true 3"}, "b": {"Conflict true 5"}}
		if got := f.causes("a", "b", "old", "nobody"); !reflect.DeepEqual(got, want) {
			f.Errorf("kept %v", got)
		}
	})
}

// What the IdP's job failed at is read again by the next delta, and what it skipped of those who are linked; once only.
func TestObjectsOfNewEntriesAreReadAgain(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		m := f.member(roster.Attributes{"userName": "ada@x.com"})
		f.commit(roster.Cause{By: roster.ByRun, Connection: f.conn}, roster.LinkSet{Link: roster.Link{
			Connection: f.conn, Type: roster.TypeMember, ObjectID: "linked", TargetID: m, State: roster.LinkOn}})
		run := f.claimed(roster.ModeFull)
		entries := []roster.LogEntry{said("linked", "RedundantSoftDelete", false, 1), said("stranger", "NotEffectivelyEntitled", false, 1), said("failed", "Conflict", true, 1)}
		f.ok(f.db.SaveCauses(ctx, run, entries, "1"))
		both := []string{"member failed: the provisioning log says Conflict", "member linked: the provisioning log says RedundantSoftDelete"}
		f.wantParked(both...)
		run.State = roster.RunDone
		f.ok(f.db.FinishRun(ctx, run, store.Ending{Park: true, Everything: true}))
		f.wantParked()

		run = f.claimed(roster.ModeFull)
		f.ok(f.db.SaveCauses(ctx, run, entries, "2")) // the same once more, as the log is read with an overlap
		f.wantParked()
		entries[2].At = entries[2].At.Add(time.Hour)
		f.ok(f.db.SaveCauses(ctx, run, entries, "3"))
		f.wantParked(both[0])
	})
}

func TestALookAtTheLogHasNoMoreReadAgainThanARunCanBear(t *testing.T) {
	each(t, func(f *fixture) {
		run := f.claimed(roster.ModeFull)
		var entries []roster.LogEntry
		for i := range 900 {
			entries = append(entries, said(fmt.Sprint("p", i), "Conflict", true, i))
		}
		f.ok(f.db.SaveCauses(context.Background(), run, entries, "1"))
		if got := f.parked(); len(got) != 100 { // the helper reads no more
			f.Errorf("%d are parked", len(got))
		}
		all, err := f.db.Parked(context.Background(), f.org, f.conn, 1000)
		f.ok(err)
		if len(all) != 200 {
			f.Errorf("%d are parked", len(all))
		}
	})
}

func TestAConnectionTakesItsJobAlong(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		run := f.claimed(roster.ModeFull)
		f.ok(f.db.SaveJob(ctx, run, roster.Job{ID: "scim.1", State: roster.JobActive}))
		f.ok(f.db.SaveCauses(ctx, run, []roster.LogEntry{said("a", "Conflict", true, 1)}, "1"))
		run.State = roster.RunDone
		f.ok(f.db.FinishRun(ctx, run, store.Ending{}))
		f.commit(roster.Cause{}, roster.ConnectionDetach{ID: f.conn, Reason: "it left the configuration"})
		f.commit(roster.Cause{}, roster.ConnectionSync{Name: "renamed", Kind: roster.KindEntra, Target: "t", Managed: []string{roster.AttrUserName}})
		renamed := f.commit(roster.Cause{By: roster.ByOperator}, roster.ConnectionRename{From: "entra", To: "renamed"})[0].ID
		if renamed == "" {
			c, err := f.db.Connection(ctx, f.org, "renamed")
			f.ok(err)
			renamed = c.ID
		}
		f.conn = renamed
		if j, err := f.db.Job(ctx, f.org, renamed); err != nil || j == nil || j.ID != "scim.1" || len(f.causes("a")) != 1 {
			f.Fatalf("under its new name: %+v, %v", j, err)
		}
		f.commit(roster.Cause{}, roster.ConnectionDetach{ID: renamed, Reason: "it left the configuration"})
		f.commit(roster.Cause{By: roster.ByOperator}, roster.ConnectionRelease{ID: renamed})
		if j, err := f.db.Job(ctx, f.org, renamed); err != nil || j != nil || len(f.causes("a")) != 0 {
			f.Errorf("after the release: %+v, %v", j, err)
		}
	})
}
