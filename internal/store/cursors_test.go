package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// act is an action of a run on an object of the IdP.
func act(n int64, typ roster.ObjectType, object string, state roster.ActionState, note string) roster.RunAction {
	a := roster.RunAction{N: n, State: state, Note: note, Drift: roster.Drift{Kind: roster.StaleMember, Action: roster.ActUpdate,
		Reason: "differs: " + object, Subject: roster.Subject{Type: typ, ObjectID: object}}}
	if typ == roster.TypeMembership {
		a.Drift.TeamObject, a.Drift.MemberObject = object, "p"
		a.Drift.Subject.ObjectID = store.MembershipKey(object, "p")
	}
	return a
}

// ended works a run off: it has these actions, and ends so.
func (f *fixture) ended(mode roster.Mode, state roster.RunState, e store.Ending, actions ...roster.RunAction) *roster.Run {
	f.Helper()
	run := f.claimed(mode)
	f.ok(f.db.AddActions(context.Background(), run, actions))
	run.State = state
	f.ok(f.db.FinishRun(context.Background(), run, e))
	return run
}

// parked lists what is parked, as "type object: reason".
func (f *fixture) parked() []string {
	f.Helper()
	all, err := f.db.Parked(context.Background(), f.org, f.conn, 100)
	f.ok(err)
	out := make([]string, len(all))
	for i, p := range all {
		out[i] = fmt.Sprintf("%s %s: %s", p.Type, p.Object, p.Reason)
	}
	slices.Sort(out)
	return out
}

func (f *fixture) wantParked(want ...string) {
	f.Helper()
	if got := f.parked(); !slices.Equal(got, want) {
		f.Errorf("parked %q, want %q", got, want)
	}
}

// Invariant 7: what a run did not settle is parked with its end.
func TestWhatARunDidNotSettleIsParked(t *testing.T) {
	member, team, membership := roster.TypeMember, roster.TypeTeam, roster.TypeMembership
	each(t, func(f *fixture) {
		f.ended(roster.ModeFull, roster.RunPartial, store.Ending{Park: true, Unsettled: []store.Parked{{Type: team, Object: "unsaid", Reason: "two reads"}}},
			act(1, member, "refused", roster.ActionRefused, "taken"),
			act(2, member, "stale", roster.ActionSkipped, "the member has changed since"),
			act(3, member, "so", roster.ActionSkipped, "it was so already"),
			act(4, member, "deferred", roster.ActionListed, store.NoteAgain),
			act(5, member, "half", roster.ActionApplied, store.NoteAgain),
			act(6, member, "listed", roster.ActionListed, ""),
			act(7, member, "applied", roster.ActionApplied, ""),
			act(8, member, "held", roster.ActionHeld, "a limit"),
			act(9, membership, "g", roster.ActionRefused, "no team"),
			act(10, membership, "g", roster.ActionRefused, "no member"),
			act(11, member, "", roster.ActionListed, store.NoteAgain),
			act(12, roster.TypeKey, "k", roster.ActionRefused, "no key"))
		f.wantParked("member deferred: differs: deferred", "member half: differs: half", "member refused: taken",
			"member stale: the member has changed since", "team g: no member", "team unsaid: two reads")
	})
}

func TestARunThatDidNotEndWellParksNothingAndDropsNothing(t *testing.T) {
	refused := act(1, roster.TypeMember, "a", roster.ActionRefused, "taken")
	each(t, func(f *fixture) {
		f.ended(roster.ModeFull, roster.RunDone, store.Ending{Park: true}, refused)
		f.ended(roster.ModeFull, roster.RunFailed, store.Ending{}, act(1, roster.TypeMember, "b", roster.ActionRefused, "taken"))
		f.wantParked("member a: taken")
	})
}

// What a run read again and did not park anew is settled; what it didn't read stays.
func TestWhatIsSettledIsNotParkedAnyMore(t *testing.T) {
	ctx := context.Background()
	member := func(id string) store.Parked { return store.Parked{Type: roster.TypeMember, Object: id} }
	for name, tc := range map[string]struct {
		e    store.Ending
		want []string
	}{
		"a run that read everything":  {store.Ending{Park: true, Everything: true}, []string{"member b: again"}},
		"one that read some":          {store.Ending{Park: true, Tried: []store.Parked{member("a"), member("b")}}, []string{"member b: again", "member c: taken", "team a: taken"}},
		"one that was cut off":        {store.Ending{Park: true}, []string{"member a: taken", "member b: again", "member c: taken", "team a: taken"}},
		"one that ended in a failure": {store.Ending{Everything: true}, []string{"member a: taken", "member b: taken", "member c: taken", "team a: taken"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(f *fixture) {
				other := f.commit(roster.Cause{}, roster.ConnectionSync{Name: "other", Kind: roster.KindOkta, Target: "o"})[0].ID
				mine := f.conn
				f.conn = other
				f.ended(roster.ModeFull, roster.RunDone, store.Ending{Park: true}, act(1, roster.TypeMember, "a", roster.ActionRefused, "another's"))
				f.conn = mine
				first := f.ended(roster.ModeFull, roster.RunDone, store.Ending{Park: true},
					act(1, roster.TypeMember, "a", roster.ActionRefused, "taken"), act(2, roster.TypeMember, "b", roster.ActionRefused, "taken"),
					act(3, roster.TypeMember, "c", roster.ActionRefused, "taken"), act(4, roster.TypeTeam, "a", roster.ActionRefused, "taken"))
				before, err := f.db.Parked(ctx, f.org, f.conn, 100)
				f.ok(err)
				tc.e.Unsettled = []store.Parked{{Type: roster.TypeMember, Object: "b", Reason: "again"}}
				f.ended(roster.ModeDelta, roster.RunDone, tc.e, act(1, roster.TypeMember, "b", roster.ActionRefused, "again"))
				f.wantParked(tc.want...)
				after, err := f.db.Parked(ctx, f.org, f.conn, 100)
				f.ok(err)
				if last := after[len(after)-1]; tc.e.Park && (last.Object != "b" || last.Since != before[0].Since || last.Run == first.ID) {
					f.Errorf("tried last: %+v, parked first: %+v", last, before[0])
				}
				f.conn = other
				f.wantParked("member a: another's")
			})
		})
	}
}

// While a plan is held its objects are left alone, whatever the IdP says of them; once it is decided they are read again.
func TestWhatAPlanHeldIsReadAgainOnceItIsDecided(t *testing.T) {
	ctx := context.Background()
	held := []roster.RunAction{act(1, roster.TypeMember, "a", roster.ActionHeld, "a limit"), act(2, roster.TypeMember, "b", roster.ActionPlanned, "")}
	for name, decide := range map[string]func(f *fixture, run *roster.Run){
		"cancelled": func(f *fixture, run *roster.Run) { f.commit(operator(), roster.RunCancel{ID: run.ID, By: "op"}) },
		"expired":   func(f *fixture, _ *roster.Run) { f.ok(f.db.ExpireHeld(ctx, time.Now().Add(time.Hour))) },
		"approved": func(f *fixture, run *roster.Run) {
			f.commit(operator(), roster.RunApprove{ID: run.ID, By: "op"})
			again, err := f.db.ClaimRun(ctx, "test", time.Minute)
			f.ok(err)
			f.commit(roster.Cause{By: roster.ByRun, Connection: f.conn, Run: &roster.RunCause{ID: again.ID, Fence: again.Fence, Actions: []int64{1}}},
				roster.MemberInvite{Email: "anybody@x", Role: roster.RoleMember})
			again.State = roster.RunDone
			f.ok(f.db.FinishRun(ctx, again, store.Ending{Park: true}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(f *fixture) {
				run := f.ended(roster.ModeDelta, roster.RunHeld, store.Ending{Park: true}, held...)
				f.wantParked()
				decide(f, run)
				f.wantParked("member a: differs: a")
			})
		})
	}
}

func operator() roster.Cause { return roster.Cause{By: roster.ByOperator} }

// Invariant 7: the cursor commits with the run's end, under its lease, or not at all.
func TestTheCursorCommitsWithTheRunsEnd(t *testing.T) {
	ctx := context.Background()
	each(t, func(f *fixture) {
		at := time.Now().Truncate(time.Second).UTC()
		cursor := func(position string) *store.Cursor {
			return &store.Cursor{Position: position, Settings: "s", Groups: []string{"g1", "g2"}, TakenAt: at}
		}
		want := func(position string) {
			f.Helper()
			c, err := f.db.Cursor(ctx, f.org, f.conn)
			f.ok(err)
			if position == "" && c == nil {
				return
			}
			if c == nil || c.Position != position || c.Settings != "s" || !slices.Equal(c.Groups, []string{"g1", "g2"}) || !c.TakenAt.Equal(at) {
				f.Errorf("got %+v, want %q", c, position)
			}
		}
		want("")
		f.ended(roster.ModeFull, roster.RunDone, store.Ending{Cursor: cursor("one")})
		want("one")
		f.ended(roster.ModeFull, roster.RunFailed, store.Ending{})
		want("one")
		sleeper := f.claimed(roster.ModeDelta)
		f.ok(f.db.ReleaseLease(ctx, sleeper))
		next, err := f.db.ClaimRun(ctx, "second", time.Minute)
		f.ok(err)
		sleeper.State = roster.RunDone
		if err := f.db.FinishRun(ctx, sleeper, store.Ending{Cursor: cursor("late")}); roster.CodeOf(err) != roster.Fenced {
			f.Errorf("an earlier holder: %v", err)
		}
		if err := f.db.BecomeFull(ctx, sleeper); roster.CodeOf(err) != roster.Fenced {
			f.Errorf("an earlier holder: %v", err)
		}
		want("one")
		next.Note = "no cursor yet: read in full"
		f.ok(f.db.BecomeFull(ctx, next))
		if got, err := f.db.Run(ctx, f.org, next.ID); err != nil || got.Mode != roster.ModeFull || got.Note != next.Note {
			f.Errorf("got %+v, %v", got, err)
		}
		next.State = roster.RunDone
		f.ok(f.db.FinishRun(ctx, next, store.Ending{Cursor: cursor("two")}))
		want("two")
	})
}

// A renamed connection goes on where it was; a released one begins anew.
func TestTheCursorGoesWithTheConnection(t *testing.T) {
	ctx := context.Background()
	for name, kept := range map[string]bool{"renamed": true, "released": false} {
		t.Run(name, func(t *testing.T) {
			each(t, func(f *fixture) {
				leave := func(position string) {
					f.ended(roster.ModeFull, roster.RunDone, store.Ending{Park: true, Cursor: &store.Cursor{Position: position}},
						act(1, roster.TypeMember, position, roster.ActionRefused, "taken"))
				}
				leave("mine")
				old := f.conn
				f.commit(roster.Cause{}, roster.ConnectionDetach{ID: f.conn, Reason: "it left"})
				if kept {
					f.conn = f.commit(roster.Cause{}, roster.ConnectionSync{Name: "azure", Kind: roster.KindEntra, Target: "t"})[0].ID
					leave("found nothing to own")
					f.commit(operator(), roster.ConnectionRename{From: "entra", To: "azure"})
				} else {
					f.commit(operator(), roster.ConnectionRelease{ID: f.conn})
				}
				c, err := f.db.Cursor(ctx, f.org, f.conn)
				f.ok(err)
				if kept != (c != nil && c.Position == "mine") {
					f.Errorf("got %+v", c)
				}
				if f.wantParked(map[bool][]string{true: {"member mine: taken"}}[kept]...); kept {
					f.conn = old
					f.wantParked()
				}
			})
		})
	}
}
