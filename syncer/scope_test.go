package syncer_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
)

// filters sets the scoping filter of users: those in one of the departments.
func (w *world) filters(departments ...string) {
	w.tenant.EditSchema(func(s *idpsim.Schema) {
		s.Users.Scope = nil
		for _, d := range departments {
			s.Users.Scope = append(s.Users.Scope, idpsim.ScopeGroup{Name: "only " + d, Clauses: []idpsim.ScopeClause{
				{Attribute: "department", Operator: "EQUALS", Values: []string{d}},
			}})
		}
	})
}

// department puts people into a department.
func (w *world) department(name string, people ...idpsim.Person) {
	w.t.Helper()
	for _, p := range people {
		w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.Department = name }))
	}
}

// says holds that the evidence of an action has these words.
func (w *world) says(a roster.RunAction, words string) {
	w.t.Helper()
	if !slices.ContainsFunc(a.Drift.Evidence, func(e roster.Evidence) bool { return strings.Contains(e.Text, words) }) {
		w.t.Errorf("the evidence of %s does not say %q: %+v", a.Drift.Kind, words, a.Drift.Evidence)
	}
}

// Full runs, deltas and resyncs of one person follow the job's scoping filters, and come to what its pushes would.
func TestRunsFollowTheJobsScopingFilters(t *testing.T) {
	eachWorld(t, 24, 3, func(w *world) {
		people := w.tenant.Desired()
		for i, p := range people {
			w.department([]string{"Sales", "Legal"}[i%2], p)
		}
		w.filters("Sales")
		w.withCursor()
		w.converged()
		if len(w.tenant.Desired()) == len(people) || w.live() != len(w.tenant.Desired()) {
			w.t.Fatalf("%d live of %d in the filter", w.live(), len(w.tenant.Desired()))
		}
		out, in := people[0], people[1]
		w.department("Legal", out)
		w.department("Sales", in)
		_, actions := w.delta()
		w.says(w.has(actions, roster.OrphanedMember, out.UserPrincipalName), `department EQUALS "Sales"`)
		w.has(actions, roster.MissingMember, in.UserPrincipalName)
		w.converged()
		w.deltaDoes()

		w.department("Sales", out)
		if _, actions := w.one(out.UserPrincipalName); w.has(actions, roster.RedundantSoftDelete, out.UserPrincipalName).State != roster.ActionApplied {
			w.t.Error("they are in the filter again, and stay off")
		}
		w.department("Legal", out)
		run, actions := w.one(out.UserPrincipalName)
		w.says(w.has(actions, roster.OrphanedMember, out.UserPrincipalName), `department EQUALS "Sales"`)
		if !strings.Contains(run.Said.There, "scope") {
			w.t.Errorf("it says %q", run.Said.There)
		}
		if run, actions := w.run(roster.ModeFull); run.State != roster.RunDone || len(actions) != 0 {
			w.t.Errorf("a full run after it: %s, %v", run.State, lines(actions))
		}
		w.converged()
	})
}

// A filter that is changed on Entra's side makes the next run read everything, and holds its removals like a changed scope;
// so does "Sync all users and groups" when it is taken away.
func TestAChangedRuleOfTheJobIsGuarded(t *testing.T) {
	eachWorld(t, 24, 3, func(w *world) {
		people := w.tenant.Desired()
		w.department("Sales", people...)
		w.filters("Sales", "Legal")
		w.withCursor()
		w.department("Legal", people[0])
		w.delta()
		w.filters("Sales")
		run, actions := w.run(roster.ModeDelta)
		orphan := w.has(actions, roster.OrphanedMember, people[0].UserPrincipalName)
		if run.Mode != roster.ModeFull || run.State != roster.RunHeld || orphan.State != roster.ActionHeld || run.Held[0].Limit != "settings" {
			w.t.Fatalf("%s %s, %s, held by %+v", run.Mode, run.State, orphan.State, run.Held)
		}
		w.approve(run.ID)
		w.converged()
		if run, actions := w.run(roster.ModeFull); run.State != roster.RunDone || len(actions) != 0 {
			w.t.Errorf("after it was approved: %s, %v, %+v", run.State, lines(actions), run.Held)
		}
		w.department("Legal", people[1])
		if run, _ := w.delta(); run.State != roster.RunDone {
			w.t.Errorf("the next removal is %s, %+v", run.State, run.Held)
		}
		w.converged()
	})
}

// "Sync all users and groups": everybody in the tenant is in scope, by full runs and deltas, and whoever is deleted is not.
func TestRunsBringEverybodyWhereTheJobSyncsAll(t *testing.T) {
	eachWorld(t, 24, 3, func(w *world) {
		w.tenant.SyncAll(true)
		outsider, err := w.tenant.AddGroup(idpsim.Group{DisplayName: "Not assigned"})
		w.ok(err)
		w.ok(w.tenant.AddToGroup(outsider.ObjectID, w.somebody(0).ObjectID))
		w.withCursor()
		w.converged()
		if w.live() != len(w.tenant.Desired()) || !slices.Contains(w.teams()["Not assigned"], w.somebody(0).UserPrincipalName) {
			w.t.Fatalf("%d live of %d, teams %v", w.live(), len(w.tenant.Desired()), w.teams())
		}
		gone := w.direct()[0]
		w.leave(gone.ObjectID) // the assignment decides nothing
		w.deltaDoes()
		added, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "nobody.assigned@contoso.example"})
		w.ok(err, w.tenant.AddToGroup(outsider.ObjectID, added.ObjectID), w.tenant.DeleteUser(gone.ObjectID))
		w.delta()
		w.converged()
		w.deltaDoes()
		if run, actions := w.run(roster.ModeFull); run.State != roster.RunDone || len(actions) != 0 {
			w.t.Errorf("a full run after the delta: %s, %v", run.State, lines(actions))
		}
		w.ok(w.tenant.DeleteGroup(outsider.ObjectID))
		w.run(roster.ModeFull)
		w.converged()

		w.tenant.Deny(idpsim.SynchronizationReadAll) // assignments decide again, and that takes nobody away unasked
		run, _ := w.run(roster.ModeFull)
		if run.State != roster.RunHeld || w.live() != len(w.tenant.Desired()) || !strings.Contains(run.Note, "Synchronization.Read.All") {
			w.t.Errorf("without the permission: %s, %d live, %q", run.State, w.live(), run.Note)
		}
	})
}

// SkipOutOfScopeDeletions: who merely goes out of scope is listed and stays; who is switched off or deleted does not.
func TestWhoMerelyGoesOutOfScopeKeepsTheirAccountWhereTheJobSaysSo(t *testing.T) {
	eachWorld(t, 24, 3, func(w *world) {
		w.tenant.SkipOutOfScopeDeletions(true)
		w.filters()
		w.withCursor()
		leaver, off, deleted := w.direct()[0], w.direct()[1], w.direct()[2]
		w.leave(leaver.ObjectID)
		w.leave(off.ObjectID)
		w.ok(w.tenant.DisableUser(off.ObjectID), w.tenant.DeleteUser(deleted.ObjectID))
		for _, run := range []func() []roster.RunAction{
			func() []roster.RunAction { _, a := w.run(roster.ModeDry); return a },
			func() []roster.RunAction { _, a := w.one(leaver.UserPrincipalName); return a },
		} {
			a := w.has(run(), roster.OrphanedMember, leaver.UserPrincipalName)
			if a.Drift.Action != roster.ActNone || !strings.Contains(a.Drift.Reason, "SkipOutOfScopeDeletions") {
				w.t.Errorf("%s: %s", a.Drift.Action, a.Drift.Reason)
			}
		}
		w.delta()
		if w.statusOf(off) != roster.Deactivated || w.statusOf(deleted) != roster.Deactivated || w.statusOf(leaver) == roster.Deactivated {
			w.t.Errorf("after a delta: off %s, deleted %s, left %s", w.statusOf(off), w.statusOf(deleted), w.statusOf(leaver))
		}
		w.deltaDoes()
		next := w.direct()[3]
		w.leave(next.ObjectID)
		w.ok(w.tenant.DeleteUser(next.ObjectID))
		run, actions := w.run(roster.ModeFull)
		w.wantActions(actions, "orphaned_member none "+leaver.UserPrincipalName, "orphaned_member deactivate "+next.UserPrincipalName)
		if run.State != roster.RunDone {
			w.t.Errorf("ended %s", run.State)
		}
		w.says(w.has(actions, roster.OrphanedMember, next.UserPrincipalName), "soft-deleted in Entra since")
		w.tenant.SkipOutOfScopeDeletions(false)
		run, actions = w.run(roster.ModeFull)
		if a := w.has(actions, roster.OrphanedMember, leaver.UserPrincipalName); a.State != roster.ActionHeld || run.Held[0].Limit != "settings" {
			w.t.Errorf("the setting is off again: %s, %+v", a.State, run.Held)
		}
		w.approve(run.ID)
		w.converged()
	})
}

// Who was soft-deleted and is restored comes back, whatever read saw the deletion.
func TestWhoIsRestoredInEntraComesBack(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.withCursor()
		p := w.direct()[0]
		w.ok(w.tenant.DeleteUser(p.ObjectID))
		_, actions := w.run(roster.ModeFull)
		w.says(w.has(actions, roster.OrphanedMember, p.UserPrincipalName), "restorable until")
		w.ok(w.tenant.RestoreUser(p.ObjectID))
		_, actions = w.delta()
		w.has(actions, roster.RedundantSoftDelete, p.UserPrincipalName)
		w.converged()
	})
}

// Until the job's rules were read once, nobody is added or removed, and the run says why.
func TestWithoutTheJobsRulesNobodyIsAddedOrRemoved(t *testing.T) {
	eachWorld(t, 24, 3, func(w *world) {
		mend := w.tenant.Inject(idpsim.Fault{Path: atJobs, Status: http.StatusInternalServerError})
		run, actions := w.run(roster.ModeFull)
		if run.State != roster.RunPartial || w.live() != 0 || !strings.Contains(run.Note, "can't be told") {
			w.t.Errorf("ended %s, %d live, %v, %q", run.State, w.live(), lines(actions), run.Note)
		}
		mend()
		w.withCursor()
		w.converged()
		gaps, err := w.syncer.Test(context.Background(), w.org, w.conn)
		if err != nil || strings.Contains(gaps, "scope") {
			w.t.Errorf("%q, %v", gaps, err)
		}
		w.tenant.EditSchema(func(s *idpsim.Schema) {
			s.Users.Scope = []idpsim.ScopeGroup{{Clauses: []idpsim.ScopeClause{{Attribute: "manager", Operator: "IS NOT NULL"}}}}
		})
		w.joins("new.joiner@contoso.example")
		run, actions = w.run(roster.ModeFull)
		if _, ok := w.members()["new.joiner@contoso.example"]; ok || !strings.Contains(run.Note, "manager IS NOT NULL") {
			w.t.Errorf("a clause that can't be judged let them in; noted %q, %v", run.Note, lines(actions))
		}
		if gaps, err = w.syncer.Test(context.Background(), w.org, w.conn); err != nil || !strings.Contains(gaps, "manager IS NOT NULL") {
			w.t.Errorf("%q, %v", gaps, err)
		}
	})
}

// What a complete run found of the job's rules stands while they can't be read, also after a restart: where assignments
// alone decided they still do, and where a filter did nobody is added or removed.
func TestWhileTheJobCannotBeReadItsRulesAsOfTheLastCompleteRunStand(t *testing.T) {
	for name, filtered := range map[string]bool{"assignments alone": false, "a filter": true} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, 24, 3, func(w *world) {
				if filtered {
					w.tenant.EditSchema(func(s *idpsim.Schema) {
						s.Users.Scope = []idpsim.ScopeGroup{{Clauses: []idpsim.ScopeClause{{Attribute: "userPrincipalName", Operator: "IS NOT NULL"}}}}
					})
				}
				w.baseline()
				w.reopen()
				defer w.tenant.Inject(idpsim.Fault{Path: atJobs, Status: http.StatusInternalServerError})()
				w.joins("new.joiner@contoso.example")
				run, actions := w.run(roster.ModeFull)
				if _, added := w.members()["new.joiner@contoso.example"]; added == filtered {
					w.t.Errorf("somebody new was added: %t, by a run that ended %s (%s) with %v", added, run.State, run.Note, lines(actions))
				}
				if !strings.Contains(run.Note, "can't be read") {
					w.t.Errorf("the run's note is %q", run.Note)
				}
			})
		})
	}
}
