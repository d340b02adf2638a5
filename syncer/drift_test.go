package syncer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
)

// somebody returns the i-th person that the tenant wants here.
func (w *world) somebody(i int) idpsim.Person { return w.tenant.Desired()[i] }

func (w *world) ok(errs ...error) {
	w.t.Helper()
	for _, err := range errs {
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// leave takes a person out of every assignment.
func (w *world) leave(id string) {
	w.t.Helper()
	for _, by := range w.tenant.Scope(id) {
		if by == id {
			w.ok(w.tenant.Unassign(id))
			continue
		}
		w.ok(w.tenant.RemoveFromGroup(by, id))
	}
}

func TestEachKindOfDriftIsNamedAndRepaired(t *testing.T) {
	eachWorld(t, 60, 6, func(w *world) {
		w.baseline()
		people := w.tenant.Desired()
		joiner, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "new.joiner@contoso.example", DisplayName: "New Joiner"})
		w.ok(err, w.tenant.Assign(joiner.ObjectID))
		gone, off, renamed := people[0], people[1], people[2]
		w.leave(gone.ObjectID)
		w.ok(w.tenant.DisableUser(off.ObjectID))
		w.ok(w.tenant.UpdateUser(renamed.ObjectID, func(u *idpsim.User) { u.DisplayName = "Renamed Person" }))
		soft := people[3]
		w.commit(w.push(), roster.MemberEdit{ID: w.members()[soft.UserPrincipalName].ID,
			Edit: func(roster.Member) (roster.Attributes, *bool, error) { off := false; return nil, &off, nil }})
		team := w.tenant.DesiredTeams()[0]
		w.ok(w.tenant.RenameGroup(team.ObjectID, "Another Name"))

		run, actions := w.run(roster.ModeFull)
		if run.State != roster.RunDone {
			t := w.t
			t.Fatalf("ended %s (%s): %v", run.State, run.Error, lines(actions))
		}
		for kind, name := range map[roster.Kind]string{
			roster.MissingMember: "new.joiner@contoso.example", roster.StaleMember: renamed.UserPrincipalName,
			roster.RedundantSoftDelete: soft.UserPrincipalName, roster.StaleTeam: team.DisplayName,
		} {
			w.has(actions, kind, name)
		}
		w.has(actions, roster.OrphanedMember, gone.UserPrincipalName)
		w.has(actions, roster.OrphanedMember, off.UserPrincipalName)
		w.converged()
		before := w.dump()
		if _, again := w.run(roster.ModeFull); len(again) != 0 || w.dump() != before {
			w.t.Errorf("a second run still has %v, or wrote something", lines(again))
		}
	})
}

func (w *world) has(actions []roster.RunAction, kind roster.Kind, name string) roster.RunAction {
	w.t.Helper()
	for _, a := range actions {
		if a.Drift.Kind == kind && a.Drift.Subject.Name == name {
			return a
		}
	}
	w.t.Errorf("no %s for %s in %v", kind, name, lines(actions))
	return roster.RunAction{}
}

func TestMembershipsAreRepairedBothWays(t *testing.T) {
	eachWorld(t, 40, 4, func(w *world) {
		w.baseline()
		teams := w.tenant.DesiredTeams()
		team := w.team(teams[0].DisplayName)
		lost := w.members()[w.upn(teams[0].Members[0])]
		extra := w.members()[w.stranger(teams[0])]
		w.commit(w.push(), roster.TeamEdit{ID: team.ID, Remove: []string{lost.ID}, Add: []string{extra.ID}})
		_, actions := w.run(roster.ModeFull)
		w.wantActions(actions, "missing_membership add "+lost.UserName()+" in "+team.DisplayName,
			"extra_membership remove "+extra.UserName()+" in "+team.DisplayName)
		w.converged()
	})
}

func (w *world) upn(id string) string {
	u, ok := w.tenant.User(id)
	if !ok {
		w.t.Fatalf("no user %s", id)
	}
	return u.UserPrincipalName
}

// stranger returns the userName of somebody in scope who is not in the team.
func (w *world) stranger(team idpsim.Team) string {
	in := map[string]bool{}
	for _, id := range team.Members {
		in[id] = true
	}
	for _, p := range w.tenant.Desired() {
		if !in[p.ObjectID] {
			return p.UserPrincipalName
		}
	}
	w.t.Fatal("everybody is in the team")
	return ""
}

// Invariant 1.
func TestAPushWhileTheIdPIsReadBeatsTheSnapshot(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		w.ok(w.tenant.DisableUser(p.ObjectID))
		id := w.members()[p.UserPrincipalName].ID
		// While the page that says "disabled" is on its way, the person is enabled again, and the IdP pushes that.
		pushed := false
		remove := w.tenant.Inject(idpsim.Fault{Path: "/users", Count: 1, BeforeAnswer: func() {
			pushed = true
			w.ok(w.tenant.EnableUser(p.ObjectID))
			w.commit(w.push(), roster.MemberEdit{ID: id, Edit: func(m roster.Member) (roster.Attributes, *bool, error) {
				on := true
				a := m.Attributes.Clone()
				a.Set(roster.AttrDisplayName, "Pushed Name")
				return a, &on, nil
			}})
			w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.DisplayName = "Pushed Name" }))
		}})
		defer remove()
		_, actions := w.run(roster.ModeFull)
		m := w.members()[p.UserPrincipalName]
		if !pushed || !m.Status.Live() || m.DisplayName() != "Pushed Name" {
			w.t.Errorf("pushed %t, got %s %q; actions %v", pushed, m.Status, m.DisplayName(), lines(actions))
		}
	})
}

// Invariant 2.
func TestNothingIsRemovedOnSilenceInAListThatBrokeOff(t *testing.T) {
	for name, fault := range map[string]idpsim.Fault{
		"the assignments are refused":      {Path: "/servicePrincipals/{id}/appRoleAssignedTo", Status: 400, Code: "BadRequest"},
		"the list of assignments is empty": {Path: "/servicePrincipals/{id}/appRoleAssignedTo", Empty: true},
		"every group's list is empty":      {Path: "/groups/{id}/members", Empty: true},
		"one group's list is empty":        {Path: "/groups/{id}/members", Empty: true, Skip: 1, Count: 1},
		"one group's list fails":           {Path: "/groups/{id}/members", Skip: 2, Count: 1, Status: 400, Code: "BadRequest"},
		"a page of users fails":            {Path: "/users", Status: 400, Code: "BadRequest"},
		"users may not be read":            {Path: "/users", Status: 403, Code: "Authorization_RequestDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, 150, 4, func(w *world) {
				w.baseline()
				p := w.somebody(0)
				w.leave(p.ObjectID)
				before := w.live()
				remove := w.tenant.Inject(fault)
				run, actions := w.run(roster.ModeFull)
				remove()
				if run.Complete || w.live() != before {
					w.t.Errorf("complete %t, %d live of %d; ended %s with %v", run.Complete, w.live(), before, run.State, lines(actions))
				}
				if run.State != roster.RunPartial && run.State != roster.RunFailed {
					w.t.Errorf("ended %s, want partial or failed", run.State)
				}
			})
		})
	}
}

func (w *world) live() int {
	n := 0
	for _, m := range w.members() {
		if m.Status.Live() {
			n++
		}
	}
	return n
}

// Invariant 2: either look that says "in scope" keeps the person.
func TestASecondLookThatSaysInScopeKeepsThePerson(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		scope := w.tenant.Scope(p.ObjectID)
		w.leave(p.ObjectID)
		// The lists are read while the person is away; before the second look they are back.
		remove := w.tenant.Inject(idpsim.Fault{Path: "/users/{id}/appRoleAssignments", BeforeRead: func() {
			for _, by := range scope {
				if by == p.ObjectID {
					_ = w.tenant.Assign(p.ObjectID)
				} else {
					_ = w.tenant.AddToGroup(by, p.ObjectID)
				}
			}
		}})
		defer remove()
		_, actions := w.run(roster.ModeFull)
		if m := w.members()[p.UserPrincipalName]; !m.Status.Live() {
			w.t.Errorf("deactivated by %v", lines(actions))
		}
	})
}

// Invariant 3.
func TestAFirstRunThatWouldRemoveIsHeldAndAppliesTheRest(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		p, q := w.somebody(0), w.somebody(1)
		w.commit(w.push(), roster.MemberCreate{Attributes: roster.Attributes{"userName": p.UserPrincipalName}, Active: true})
		w.ok(w.tenant.DisableUser(p.ObjectID))
		run, actions := w.run(roster.ModeFull)
		if run.State != roster.RunHeld || len(run.Held) == 0 || run.Held[0].Limit != "first_run" {
			w.t.Fatalf("ended %s, held %+v", run.State, run.Held)
		}
		if a := w.has(actions, roster.OrphanedMember, p.UserPrincipalName); a.State != roster.ActionHeld {
			w.t.Errorf("the removal is %s", a.State)
		}
		if m := w.members()[q.UserPrincipalName]; !m.Status.Live() {
			w.t.Error("the rest of the plan was not applied")
		}
		if m := w.members()[p.UserPrincipalName]; !m.Status.Live() {
			w.t.Error("what is held was applied")
		}
		// A later run goes on, and lists it as held.
		next, later := w.run(roster.ModeFull)
		if a := w.has(later, roster.OrphanedMember, p.UserPrincipalName); a.Drift.Action != roster.ActNone || !strings.Contains(a.Drift.Reason, run.ID) {
			w.t.Errorf("the next run ended %s with %s: %s", next.State, a.Drift.Action, a.Drift.Reason)
		}
		done, _ := w.approve(run.ID)
		if m := w.members()[p.UserPrincipalName]; done.State != roster.RunDone || m.Status != roster.Deactivated {
			w.t.Errorf("approved: the run is %s, the member %s", done.State, m.Status)
		}
	})
}

func TestRemovalsPastFloorAndShareAreHeld(t *testing.T) {
	eachWorld(t, 60, 4, func(w *world) {
		w.baseline()
		for i := range 6 {
			w.ok(w.tenant.DisableUser(w.somebody(i * 2).ObjectID))
		}
		run, _ := w.run(roster.ModeFull)
		if run.State != roster.RunHeld || run.Held[0].Limit != "members" || run.Held[0].Actions != 6 {
			w.t.Fatalf("ended %s, held %+v", run.State, run.Held)
		}
		w.commit(operator(), roster.RunCancel{ID: run.ID, By: "op"})
		if got, _ := w.show(run.ID); got.State != roster.RunCancelled {
			w.t.Errorf("cancelled: %s", got.State)
		}
	})
}

func TestAnApprovedActionThatHoldsNoMoreIsSkipped(t *testing.T) {
	eachWorld(t, 60, 4, func(w *world) {
		w.baseline()
		var off []idpsim.Person
		for i := range 6 {
			off = append(off, w.somebody(i*2))
		}
		for _, p := range off {
			w.ok(w.tenant.DisableUser(p.ObjectID))
		}
		run, _ := w.run(roster.ModeFull)
		w.ok(w.tenant.EnableUser(off[0].ObjectID))
		done, _ := w.approve(run.ID)
		if m := w.members()[off[0].UserPrincipalName]; !m.Status.Live() || done.State != roster.RunPartial {
			w.t.Errorf("the run is %s, the member %s", done.State, m.Status)
		}
		if m := w.members()[off[1].UserPrincipalName]; m.Status != roster.Deactivated {
			w.t.Errorf("the other is %s", m.Status)
		}
	})
}

// Section 3: deactivation keeps its cause.
func TestAnOperatorsDeactivationIsReportedAndNeverUndone(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		w.commit(operator(), roster.MemberSetStatus{ID: w.members()[p.UserPrincipalName].ID})
		_, actions := w.run(roster.ModeFull)
		w.wantActions(actions, "redundant_soft_delete none "+p.UserPrincipalName)
		if m := w.members()[p.UserPrincipalName]; m.Status != roster.Deactivated {
			w.t.Errorf("got %s", m.Status)
		}
	})
}

// Section 3: match keys.
func TestAUserNameThatAPushWroteIsOverwrittenOnlyWhenTheIdPsOwnChanges(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		id := w.members()[p.UserPrincipalName].ID
		w.commit(w.push(), roster.MemberEdit{ID: id, Edit: func(m roster.Member) (roster.Attributes, *bool, error) {
			a := m.Attributes.Clone()
			a.Set(roster.AttrUserName, "mapped.otherwise@contoso.example")
			return a, nil, nil
		}})
		_, actions := w.run(roster.ModeFull)
		w.wantActions(actions, "stale_member none mapped.otherwise@contoso.example")
		w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.UserPrincipalName = "really.renamed@contoso.example" }))
		_, actions = w.run(roster.ModeFull)
		w.wantActions(actions, "stale_member update mapped.otherwise@contoso.example")
		if _, ok := w.members()["really.renamed@contoso.example"]; !ok {
			w.t.Error("the rename did not arrive")
		}
	})
}

func TestAUserNameThatPassesFromOneToAnotherIsHandledInOrder(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.baseline()
		p, q := w.somebody(0), w.somebody(1)
		pid, qid := w.members()[p.UserPrincipalName].ID, w.members()[q.UserPrincipalName].ID
		w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.UserPrincipalName = "tmp@contoso.example" }))
		w.ok(w.tenant.UpdateUser(q.ObjectID, func(u *idpsim.User) { u.UserPrincipalName = p.UserPrincipalName }))
		w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.UserPrincipalName = q.UserPrincipalName }))
		run, actions := w.run(roster.ModeFull)
		ms := w.members()
		if ms[q.UserPrincipalName].ID != pid || ms[p.UserPrincipalName].ID != qid {
			w.t.Errorf("not swapped: %s %v", run.State, lines(actions))
		}
	})
}

func TestWhoIsPushedAndNeverLinkedIsLookedUpAndHeldWhenNobodyIsFound(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.baseline()
		w.commit(w.push(), roster.MemberCreate{Attributes: roster.Attributes{"userName": "ghost@contoso.example"}, Active: true})
		w.commit(roster.Cause{By: roster.ByPush}, roster.MemberCreate{Attributes: roster.Attributes{"userName": "stray@contoso.example"}, Active: true})
		run, actions := w.run(roster.ModeFull)
		if a := w.has(actions, roster.OrphanedMember, "stray@contoso.example"); a.Drift.Action != roster.ActNone {
			w.t.Errorf("the unclaimed one: %s", a.Drift.Action)
		}
		a := w.has(actions, roster.OrphanedMember, "ghost@contoso.example")
		if w.members()["ghost@contoso.example"].Status != roster.Pending || a.State == roster.ActionApplied {
			w.t.Errorf("the owned one: run %s, action %s %s", run.State, a.Drift.Action, a.State)
		}
	})
}

// Invariant 8.
func TestAHolderWhoseLeasePassedOnIsRefused(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		id := w.commit(operator(), roster.RunRequest{Connection: w.conn, Mode: roster.ModeFull, By: "op"})[0].ID
		old, err := w.db.ClaimRun(context.Background(), "sleeper", -time.Second) // its lease is over at once
		w.ok(err)
		run, _ := w.work(id) // taken over
		if run.State != roster.RunDone {
			w.t.Fatalf("the second holder ended %s", run.State)
		}
		_, err = w.roster.Commit(context.Background(), w.org, roster.Cause{By: roster.ByRun, Connection: w.conn,
			Run: &roster.RunCause{ID: id, Fence: old.Fence}}, []roster.Change{roster.MemberCreate{Attributes: roster.Attributes{"userName": "x@y.z"}}})
		if roster.CodeOf(err) != roster.Fenced {
			w.t.Errorf("the first holder's commit: %v, want fenced", err)
		}
	})
}

func TestAnApprovalThatTheIdPCannotConfirmWaitsToBeGivenAgain(t *testing.T) {
	eachWorld(t, 60, 4, func(w *world) {
		w.baseline()
		for i := range 6 {
			w.ok(w.tenant.DisableUser(w.somebody(i * 2).ObjectID))
		}
		run, _ := w.run(roster.ModeFull)
		w.tenant.Deny(idpsim.UserReadAll)
		failed, _ := w.approve(run.ID)
		if failed.State != roster.RunHeld || failed.Error == "" {
			w.t.Fatalf("the IdP did not answer: the run is %s (%s), want held", failed.State, failed.Error)
		}
		w.tenant.Grant(idpsim.UserReadAll)
		done, actions := w.approve(run.ID)
		if done.State != roster.RunDone || done.Error != "" || done.Totals[roster.OrphanedMember] != 6 {
			w.t.Errorf("approved again: the run is %s (%s) with %v", done.State, done.Error, lines(actions))
		}
	})
}
