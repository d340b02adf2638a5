package syncer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
	"github.com/rosterd/rosterd/syncer"
)

// restarted is the world's daemon after a restart with another policy.
func (w *world) restarted(change func(*syncer.Source)) {
	w.t.Helper()
	src := w.cfg.Sources[w.conn]
	change(&src)
	w.cfg.Sources[w.conn] = src
	w.syncer = w.another("test")
}

func (w *world) excludes(typ roster.ObjectType, id string) {
	w.t.Helper()
	w.commit(operator(), roster.Exclude{Type: typ, ID: id, Until: time.Now().Add(24 * time.Hour), Reason: "on trial"})
}

// found returns the actions of one kind.
func found(actions []roster.RunAction, kind roster.Kind) []roster.RunAction {
	return slices.DeleteFunc(slices.Clone(actions), func(a roster.RunAction) bool { return a.Drift.Kind != kind })
}

func TestAPolicyReportsHoldsAndIsChangedWithoutARebaseline(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.baseline()
		people := w.tenant.Desired()
		w.leave(people[0].ObjectID)
		w.ok(w.tenant.UpdateUser(people[1].ObjectID, func(u *idpsim.User) { u.DisplayName = "Renamed" }))
		joiner := w.joins("joiner@x.example")
		group := w.tenant.DesiredTeams()[0]
		w.ok(w.tenant.AddToGroup(group.ObjectID, joiner))
		w.restarted(func(s *syncer.Source) {
			s.Policy = reconcile.Policy{
				roster.OrphanedMember: roster.TreatReport, roster.MissingMember: roster.TreatHold, roster.ExtraMembership: roster.TreatReport,
			}
		})
		held, actions := w.run(roster.ModeFull)
		run := held
		if run.State != roster.RunHeld || len(run.Held) != 1 || run.Held[0].Limit != "policy" || !strings.Contains(run.Held[0].Text, "1 missing_member") {
			w.t.Fatalf("ended %s, held %+v", run.State, run.Held)
		}
		for _, a := range found(actions, roster.OrphanedMember) {
			if a.State != roster.ActionListed || !strings.HasPrefix(a.Drift.Reason, "policy: report: ") {
				w.t.Errorf("%s: %s, %s", a.Drift.Subject.Name, a.State, a.Drift.Reason)
			}
		}
		if m := w.members()[people[0].UserPrincipalName]; !m.Status.Live() {
			w.t.Error("what is only reported was done")
		}
		for _, kind := range []roster.Kind{roster.MissingMember, roster.MissingMembership} {
			of := found(actions, kind)
			if len(of) != 1 || of[0].State != roster.ActionHeld {
				w.t.Errorf("%s: %v", kind, of)
			}
		}
		if got := w.members()[people[1].UserPrincipalName].Attributes.Get(roster.AttrDisplayName); got != "Renamed" {
			w.t.Errorf("what the policy leaves alone was not applied: %q", got)
		}
		if run, actions = w.one(people[0].UserPrincipalName); run.Applied != 0 || len(found(actions, roster.OrphanedMember)) != 1 {
			w.t.Errorf("a resync of one whose drift is only reported: %v", lines(actions))
		}
		w.commit(operator(), roster.RunCancel{ID: held.ID, By: "op"}) // what is held is left alone by runs of one person as well
		if run, _ = w.one("joiner@x.example"); run.Applied == 0 {
			w.t.Errorf("an operator who asks for one person is held by the policy: %+v", run.Said)
		}
		w.restarted(func(s *syncer.Source) { s.Policy = nil })
		run, _ = w.run(roster.ModeFull)
		if c, err := w.db.Connection(context.Background(), w.org, w.conn); err != nil || !c.Settled {
			w.t.Errorf("another policy counts as another mapping: %v", err)
		}
		if run.State == roster.RunHeld {
			w.t.Errorf("held %+v", run.Held)
		}
		w.converged()
	})
}

// A limit that is raised lets later runs through; the plan that was held under the old one stays as it is.
func TestARaisedLimitReleasesNoHeldPlan(t *testing.T) {
	eachWorld(t, 30, 1, func(w *world) {
		w.baseline()
		limits := reconcile.DefaultLimits()
		limits.Members = reconcile.Limit{Ceiling: 1, Floor: 1, Percent: 1}
		w.restarted(func(s *syncer.Source) { s.Limits = &limits })
		people := w.tenant.Desired()
		for i := range 2 {
			w.ok(w.tenant.DisableUser(people[i].ObjectID))
		}
		held, actions := w.run(roster.ModeFull)
		if held.State != roster.RunHeld || held.Held[0].Limit != "members" || held.Held[0].Ceiling != 1 {
			w.t.Fatalf("ended %s, held %+v, with %v", held.State, held.Held, lines(actions))
		}
		limits = reconcile.DefaultLimits()
		w.restarted(func(s *syncer.Source) { s.Limits = &limits })
		w.ok(w.tenant.DisableUser(people[2].ObjectID))
		run, _ := w.run(roster.ModeFull)
		if run.State != roster.RunDone || run.Applied == 0 {
			w.t.Errorf("the next run ended %s with %d applied", run.State, run.Applied)
		}
		for i, live := range []bool{true, true, false} {
			if m := w.members()[people[i].UserPrincipalName]; m.Status.Live() != live {
				w.t.Errorf("%s is %s", m.UserName(), m.Status)
			}
		}
		if held, _ = w.show(held.ID); held.State != roster.RunHeld {
			w.t.Errorf("the held plan is %s", held.State)
		}
		w.approve(held.ID)
		w.converged()
	})
}

func TestRunsOfADryRunConnectionWriteNothing(t *testing.T) {
	eachWorld(t, 10, 1, func(w *world) {
		w.restarted(func(s *syncer.Source) { s.DryRun = true })
		before := w.dump()
		for _, mode := range []roster.Mode{roster.ModeFull, roster.ModeDelta} {
			run, actions := w.run(mode)
			if run.Mode != roster.ModeDry || run.State != roster.RunDone || !strings.Contains(run.Note, "dry-run") || len(found(actions, roster.MissingMember)) == 0 {
				w.t.Errorf("%s: %s, ended %s, %q, with %d actions", mode, run.Mode, run.State, run.Note, len(actions))
			}
		}
		if run, _ := w.one(w.somebody(0).UserPrincipalName); run.Applied != 0 {
			w.t.Errorf("a resync of one: %+v", run.Said)
		}
		if w.dump() != before {
			w.t.Error("a run of a dry-run connection wrote something")
		}
		if c, err := w.db.Connection(context.Background(), w.org, w.conn); err != nil || c.Pinned != "" || c.Settled {
			w.t.Errorf("pinned %q, settled %t, %v", c.Pinned, c.Settled, err)
		}
		w.restarted(func(s *syncer.Source) { s.DryRun = false })
		w.baseline()
	})
}

func TestAnApprovedPlanIsNotAppliedOnceTheConnectionIsDryRun(t *testing.T) {
	eachWorld(t, 20, 1, func(w *world) {
		w.baseline()
		w.restarted(func(s *syncer.Source) { s.Policy = reconcile.Policy{roster.OrphanedMember: roster.TreatHold} })
		w.ok(w.tenant.DisableUser(w.somebody(0).ObjectID))
		held, _ := w.run(roster.ModeFull)
		w.restarted(func(s *syncer.Source) { s.DryRun = true })
		before := w.dump()
		if run, _ := w.approve(held.ID); run.State != roster.RunHeld || !strings.Contains(run.Error, "dry-run now") || w.dump() != before {
			w.t.Errorf("ended %s: %s", run.State, run.Error)
		}
		w.restarted(func(s *syncer.Source) { s.DryRun = false })
		w.approve(held.ID)
		w.converged()
	})
}

func TestAPausedConnectionStartsNoRunThatWrites(t *testing.T) {
	eachWorld(t, 10, 1, func(w *world) {
		w.baseline()
		w.ok(w.tenant.DisableUser(w.somebody(0).ObjectID))
		queued := w.commit(operator(), roster.RunRequest{Connection: w.conn, Mode: roster.ModeFull, By: "op"})[0].ID
		w.commit(operator(), roster.ConnectionPause{ID: w.conn, Reason: "moving"})
		if w.syncer.WorkOne(context.Background()) {
			w.t.Fatal("a run that was queued before the pause started")
		}
		if _, err := w.askOne(w.somebody(1).UserPrincipalName, false); roster.CodeOf(err) != roster.Conflict || !strings.Contains(err.Error(), "rosterd connection resume entra") {
			w.t.Errorf("a resync of one person: %v", err)
		}
		if _, err := w.askOne(w.somebody(1).UserPrincipalName, true); err != nil {
			w.t.Errorf("a comparison of one person: %v", err)
		}
		if run, actions := w.run(roster.ModeDry); run.State != roster.RunDone || len(actions) == 0 {
			w.t.Errorf("a dry run ended %s with %v", run.State, lines(actions))
		}
		w.pushed(w.push(), "pushed@x.example", "", "")
		// A pause whose time has passed holds nothing, though nobody resumed.
		w.ok(w.db.InTx(context.Background(), func(tx roster.Tx) error {
			all, err := tx.Connections(context.Background(), w.org)
			if err != nil {
				return err
			}
			all[0].Pause.Until = tx.Now().Add(-time.Second)
			return tx.Write(context.Background(), w.org, &roster.Rows{Connections: all})
		}))
		if run, _ := w.work(queued); run.Applied == 0 {
			w.t.Errorf("after the end of the pause the run ended %s", run.State)
		}
	})
}

func TestAnApprovalWaitsForTheEndOfAPause(t *testing.T) {
	eachWorld(t, 20, 1, func(w *world) {
		w.baseline()
		w.restarted(func(s *syncer.Source) { s.Policy = reconcile.Policy{roster.OrphanedMember: roster.TreatHold} })
		w.ok(w.tenant.DisableUser(w.somebody(0).ObjectID))
		held, _ := w.run(roster.ModeFull)
		w.commit(operator(), roster.ConnectionPause{ID: w.conn, Reason: "moving"})
		outs, err := w.roster.Commit(context.Background(), w.org, operator(), []roster.Change{roster.RunApprove{ID: held.ID, By: "op"}})
		if err != nil || outs[0].Err == nil || !strings.Contains(outs[0].Err.Message, "rosterd connection resume entra") {
			w.t.Errorf("approved while paused: %+v, %v", outs, err)
		}
		w.commit(operator(), roster.ConnectionResume{ID: w.conn})
		w.approve(held.ID)
		w.converged()
	})
}

func TestRunsLeaveAloneWhatIsExcludedAndRepairItAfterwards(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.baseline()
		people, group := w.tenant.Desired(), w.tenant.DesiredTeams()[0]
		off, renamed := people[0], people[1]
		w.excludes(roster.TypeMember, w.members()[off.UserPrincipalName].ID)
		w.excludes(roster.TypeMember, w.members()[renamed.UserPrincipalName].ID)
		w.excludes(roster.TypeTeam, w.team(group.DisplayName).ID)
		w.ok(w.tenant.DisableUser(off.ObjectID))
		w.ok(w.tenant.UpdateUser(renamed.ObjectID, func(u *idpsim.User) { u.DisplayName = "Renamed" }))
		w.ok(w.tenant.RenameGroup(group.ObjectID, "Another Name"))
		w.ok(w.tenant.RemoveFromGroup(group.ObjectID, group.Members[0]))
		w.ok(w.tenant.DisableUser(people[2].ObjectID))
		before := w.teams()[group.DisplayName]
		for _, mode := range []roster.Mode{roster.ModeFull, roster.ModeFull} {
			run, actions := w.run(mode)
			if run.State == roster.RunHeld {
				w.t.Fatalf("held %+v", run.Held)
			}
			listed := 0
			for _, a := range actions {
				if a.State == roster.ActionListed && strings.HasPrefix(a.Drift.Reason, "excluded until ") && strings.Contains(a.Drift.Reason, "by op (on trial)") {
					listed++
				}
			}
			if listed < 4 {
				w.t.Errorf("%d of %v say that they are excluded", listed, lines(actions))
			}
		}
		if run, actions := w.one(off.UserPrincipalName); run.Applied != 0 || len(actions) == 0 {
			w.t.Errorf("a resync of one who is excluded: %v", lines(actions))
		}
		now := w.members()
		left := func(names []string) []string { // people[2] may have been a member, and is gone
			return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == people[2].UserPrincipalName })
		}
		if !now[off.UserPrincipalName].Status.Live() || now[renamed.UserPrincipalName].Attributes.Get(roster.AttrDisplayName) == "Renamed" ||
			!slices.Equal(left(before), left(w.teams()[group.DisplayName])) {
			w.t.Error("what is excluded was changed")
		}
		if now[people[2].UserPrincipalName].Status.Live() {
			w.t.Error("what is not excluded was left alone")
		}
		w.expired(off.UserPrincipalName, renamed.UserPrincipalName)
		w.commit(operator(), roster.Include{Type: roster.TypeTeam, ID: w.team(group.DisplayName).ID})
		w.run(roster.ModeFull)
		w.converged()
	})
}

// expired ends the exclusions of members, as their time does: the rows stay, and hold no more.
func (w *world) expired(names ...string) {
	w.t.Helper()
	all, err := w.db.Exclusions(context.Background(), w.org, roster.TypeMember)
	w.ok(err)
	if len(all) != len(names) {
		w.t.Fatalf("excluded are %v", all)
	}
	w.ok(w.db.InTx(context.Background(), func(tx roster.Tx) error {
		for i := range all {
			all[i].Until = tx.Now().Add(-time.Second)
		}
		return tx.Write(context.Background(), w.org, &roster.Rows{Exclusions: all})
	}))
	if all, err = w.db.Exclusions(context.Background(), w.org, roster.TypeMember); err != nil || len(all) != 0 {
		w.t.Fatalf("still excluded are %v, %v", all, err)
	}
}

// What was planned, held and approved before somebody was excluded is not done to them either.
func TestAnApprovalSparesWhoWasExcludedMeanwhile(t *testing.T) {
	eachWorld(t, 20, 1, func(w *world) {
		w.baseline()
		w.restarted(func(s *syncer.Source) { s.Policy = reconcile.Policy{roster.OrphanedMember: roster.TreatHold} })
		people := w.tenant.Desired()
		w.ok(w.tenant.DisableUser(people[0].ObjectID), w.tenant.DisableUser(people[1].ObjectID))
		held, _ := w.run(roster.ModeFull)
		w.excludes(roster.TypeMember, w.members()[people[0].UserPrincipalName].ID)
		run, actions := w.approve(held.ID)
		for i, live := range []bool{true, false} {
			if m := w.members()[people[i].UserPrincipalName]; m.Status.Live() != live {
				w.t.Errorf("%s is %s", m.UserName(), m.Status)
			}
		}
		for _, a := range found(actions, roster.OrphanedMember) {
			if a.Drift.Subject.Name == people[0].UserPrincipalName && (a.State != roster.ActionSkipped || !strings.HasPrefix(a.Note, "excluded until")) {
				w.t.Errorf("%s: %s", a.State, a.Note)
			}
		}
		if run.State != roster.RunPartial {
			w.t.Errorf("the run ended %s", run.State)
		}
	})
}

// Who was excluded while a delta found them is looked at by the first delta after the end, though the IdP reports nothing
// new.
func TestTheNextDeltaRepairsWhoIsExcludedNoMore(t *testing.T) {
	eachWorld(t, 20, 1, func(w *world) {
		w.restarted(func(s *syncer.Source) { s.Delta = true })
		w.baseline()
		p := w.somebody(0)
		w.excludes(roster.TypeMember, w.members()[p.UserPrincipalName].ID)
		w.ok(w.tenant.DisableUser(p.ObjectID))
		for range 2 {
			run, actions := w.run(roster.ModeDelta)
			if run.Mode != roster.ModeDelta || len(found(actions, roster.OrphanedMember)) != 1 {
				w.t.Fatalf("%s (%s): %v", run.Mode, run.Note, lines(actions))
			}
		}
		if !w.members()[p.UserPrincipalName].Status.Live() {
			w.t.Fatal("a delta changed who is excluded")
		}
		w.expired(p.UserPrincipalName)
		run, actions := w.run(roster.ModeDelta)
		if run.Mode != roster.ModeDelta || w.members()[p.UserPrincipalName].Status.Live() {
			w.t.Errorf("%s: %v", run.Mode, lines(actions))
		}
		if parked, err := w.db.Parked(context.Background(), w.org, w.conn, 10); err != nil || len(parked) != 0 {
			w.t.Errorf("still parked: %+v, %v", parked, err)
		}
	})
}
