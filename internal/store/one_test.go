package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

func TestPeopleAreFoundByEachKeyTheLivingFirst(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		a := roster.Attributes{"userName": "Ada@example.com", "externalId": "E-1"}
		a.Set(roster.AttrWorkEmail, "Ada.Lovelace@example.com")
		ada := f.member(a)
		f.commit(roster.Cause{}, roster.LinkSet{Link: roster.Link{Org: f.org, Connection: f.conn, Type: roster.TypeMember, ObjectID: "O-1", TargetID: ada}})
		find := func(key string) []string {
			f.Helper()
			found, err := f.db.FindPeople(ctx, f.org, key)
			f.ok(err)
			ids := []string{}
			for _, m := range found {
				ids = append(ids, m.ID)
			}
			return ids
		}
		keys := []string{ada, "ada@EXAMPLE.com", "ADA.lovelace@example.com", "E-1", "O-1"}
		for _, key := range keys {
			if got := find(key); !slices.Equal(got, []string{ada}) {
				t.Errorf("%s: %v", key, got)
			}
		}
		for _, key := range []string{"e-1", "o-1", "ada", "bob@example.com"} {
			if got := find(key); len(got) != 0 {
				t.Errorf("%s: %v", key, got)
			}
		}
		if found, err := f.db.FindPeople(ctx, roster.NewID(), ada); err != nil || len(found) != 0 {
			t.Errorf("another organisation finds %v, %v", found, err)
		}
		f.commit(push(f.conn), roster.MemberDelete{ID: ada})
		for _, key := range keys {
			if got := find(key); !slices.Equal(got, []string{ada}) {
				t.Errorf("deleted, %s: %v", key, got)
			}
		}
		again := f.member(roster.Attributes{"userName": "ada@example.com"})
		if got := find("ada@example.com"); !slices.Equal(got, []string{again}) {
			t.Errorf("a living one beside a deleted: %v", got)
		}
		if found, err := f.db.FindMembers(ctx, f.org, "E-1"); err != nil || len(found) != 0 {
			t.Errorf("a deleted one is found as a member: %v, %v", found, err)
		}
	})
}

// What guards count for the day of a run without a lease: nothing of one that an operator asked for.
func TestARunWithoutALeaseIsWrittenFinishedWithItsActions(t *testing.T) {
	each(t, func(f *fixture) {
		ctx := context.Background()
		for _, counted := range []bool{false, true} { // in this order: what is counted stays
			want := map[bool]int{true: 1}[counted]
			run := roster.Run{ID: roster.NewID(), Org: f.org, Connection: f.conn, Mode: roster.ModeOne, State: roster.RunDone, Said: &roster.Said{Key: "k"}}
			id := f.member(roster.Attributes{"userName": run.ID})
			actions := []roster.RunAction{
				{N: 1, Phase: 2, State: roster.ActionApplied, Drift: roster.Drift{Kind: roster.OrphanedMember, Action: roster.ActDeactivate}},
				{N: 2, Phase: 9, State: roster.ActionListed, Drift: roster.Drift{Kind: roster.ConflictKind, Action: roster.ActNone}},
			}
			f.commit(roster.Cause{By: roster.ByRun, Connection: f.conn, Run: &roster.RunCause{
				ID: run.ID, Actions: []int64{1}, Reasons: []string{"gone"}, One: &roster.OneRun{Connection: f.conn, Counted: counted, Pin: "t",
					Finish: func(outs []roster.Outcome, now time.Time) (roster.Run, []roster.RunAction) {
						run.CreatedAt, run.FinishedAt = now, now
						if state, note := outs[0].Fate(); state != roster.ActionApplied || note != "" {
							t.Errorf("the outcome is %s %s", state, note)
						}
						return run, actions
					}},
			}}, roster.MemberPatch{ID: id, Version: f.asOf(id), Status: roster.ActDeactivate})
			got, err := f.db.Run(ctx, f.org, run.ID)
			if f.ok(err); got.State != roster.RunDone || got.Said == nil || got.Said.Key != "k" || got.FinishedAt.IsZero() {
				t.Errorf("the row %+v", got)
			}
			_, states, err := f.db.ActionCounts(ctx, run.ID)
			if f.ok(err); states[roster.ActionApplied] != 1 {
				t.Errorf("actions %v", states)
			}
			day, err := f.db.RemovedSince(ctx, f.org, f.conn, time.Now().Add(-time.Hour))
			if f.ok(err); day[roster.GuardMember] != want {
				t.Errorf("counted %t: %v removed, want %d", counted, day, want)
			}
			conn, err := f.db.Connection(ctx, f.org, f.conn)
			if f.ok(err); conn.Pinned != "t" {
				t.Errorf("pinned %q", conn.Pinned)
			}
		}
	})
}

func (f *fixture) asOf(id string) int64 {
	f.Helper()
	m, err := f.db.Member(context.Background(), f.org, id)
	if f.ok(err); m == nil {
		f.Fatalf("no member %s", id)
	}
	return m.AsOf()
}
