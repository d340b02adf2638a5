package syncer_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
)

// What the simulation found, each as small as it can be told.

// unsettled has the connection believe the IdP at once, so that only stamps protect a push.
func (w *world) unsettled() {
	w.t.Helper()
	m := mapping.Entra()
	w.commit(roster.Cause{}, roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: "t1", Settings: m.Fingerprint(), Managed: m.Managed()})
}

// That somebody is in scope is as old as the list that says so, however young the page with their attributes.
func TestAPushBetweenTheListsAndTheUsersBeatsTheLists(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.baseline()
		w.unsettled()
		var p idpsim.Person
		for _, d := range w.tenant.Desired() {
			if by := w.tenant.Scope(d.ObjectID); len(by) == 1 && by[0] == d.ObjectID {
				p = d // assigned directly, and only so
			}
		}
		id := w.members()[p.UserPrincipalName].ID
		remove := w.tenant.Inject(idpsim.Fault{Path: "/servicePrincipals/*/appRoleAssignedTo", Count: 1, BeforeAnswer: func() {
			w.leave(p.ObjectID)
			w.commit(w.push(), roster.MemberEdit{ID: id, Edit: func(roster.Member) (roster.Attributes, *bool, error) {
				off := false
				return nil, &off, nil
			}})
		}})
		_, actions := w.run(roster.ModeFull)
		remove()
		if m := w.members()[p.UserPrincipalName]; m.Status != roster.Deactivated {
			w.t.Errorf("the push switched them off, and the run made them %s: %v", m.Status, lines(actions))
		}
	})
}

func TestAPushBetweenTheAssignmentsAndTheGroupBeatsTheAssignments(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.baseline()
		w.unsettled()
		g := w.tenant.DesiredTeams()[0]
		id := w.team(g.DisplayName).ID
		remove := w.tenant.Inject(idpsim.Fault{Path: "/servicePrincipals/*/appRoleAssignedTo", Count: 1, BeforeAnswer: func() {
			w.ok(w.tenant.Unassign(g.ObjectID))
			w.commit(w.push(), roster.TeamDelete{ID: id})
		}})
		defer remove()
		_, actions := w.run(roster.ModeFull)
		if _, ok := w.teams()[g.DisplayName]; ok {
			w.t.Errorf("the push deleted the team, and the run brought it back: %v", lines(actions))
		}
	})
}

func TestAUserNameSwapIsNotPartedByBatches(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.baseline()
		w.cfg.Batch = 1
		w.syncer = w.another("small batches")
		p, q := w.somebody(0), w.somebody(1)
		w.swap(p, q)
		run, actions := w.run(roster.ModeFull)
		if run.State != roster.RunDone {
			w.t.Errorf("ended %s with %v", run.State, lines(actions))
		}
		w.converged()
	})
}

func (w *world) swap(p, q idpsim.Person) {
	w.t.Helper()
	rename := func(id, to string) {
		w.ok(w.tenant.UpdateUser(id, func(u *idpsim.User) { u.UserPrincipalName = to }))
	}
	rename(p.ObjectID, "tmp@contoso.example")
	rename(q.ObjectID, p.UserPrincipalName)
	rename(p.ObjectID, q.UserPrincipalName)
}

// Who is not renamed gives no userName up: that is a conflict, and not an action that is refused by every run.
func TestAUserNameThatNobodyGivesUpIsAConflict(t *testing.T) {
	for name, off := range map[string]func(w *world, p idpsim.Person){
		"an operator switched them off": func(w *world, p idpsim.Person) {
			w.commit(operator(), roster.MemberSetStatus{ID: w.members()[p.UserPrincipalName].ID})
		},
		"they are disabled there": func(w *world, p idpsim.Person) { w.ok(w.tenant.DisableUser(p.ObjectID)) },
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, 20, 2, func(w *world) {
				w.baseline()
				p, q := w.somebody(0), w.somebody(1)
				off(w, p)
				w.swap(p, q)
				for i := range 2 {
					run, actions := w.run(roster.ModeFull)
					w.has(actions, roster.ConflictKind, q.UserPrincipalName)
					if run.State != roster.RunDone {
						w.t.Errorf("run %d ended %s with %v", i, run.State, lines(actions))
					}
				}
			})
		})
	}
}

// A group pushed onto another one's team, by its name, leaves that team its externalId behind.
func TestADeletedTeamOfAnotherGroupIsNotBroughtBack(t *testing.T) {
	eachWorld(t, 20, 3, func(w *world) {
		w.baseline()
		old := w.tenant.DesiredTeams()[0]
		team := w.team(old.DisplayName)
		g, err := w.tenant.AddGroup(idpsim.Group{DisplayName: "Another"})
		w.ok(err, w.tenant.AddToGroup(g.ObjectID, w.somebody(0).ObjectID))
		w.commit(w.push(), roster.TeamEdit{ID: team.ID, ExternalID: &g.ObjectID}, roster.TeamDelete{ID: team.ID})
		w.ok(w.tenant.Unassign(old.ObjectID), w.tenant.Assign(g.ObjectID))
		for range 3 {
			if run, _ := w.run(roster.ModeFull); run.State == roster.RunHeld {
				w.approve(run.ID)
			}
		}
		if got := w.teams()["Another"]; fmt.Sprint(got) != fmt.Sprint([]string{w.somebody(0).UserPrincipalName}) || w.team("Another").ID == team.ID {
			w.t.Errorf("the new group's team has %v and the id %s (the old one's: %s)", got, w.team("Another").ID, team.ID)
		}
	})
}

// Somebody's new mail is another one's userName; neither is linked yet. The account goes to whom it is of.
func TestAnEmailLinksNobodyWhoseUserNameIsAnothers(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		p, q := w.somebody(0), w.somebody(1)
		w.commit(w.push(), roster.MemberCreate{Attributes: roster.Attributes{"userName": q.UserPrincipalName,
			"emails": []any{map[string]any{"type": "work", "value": q.Mail}}}, Active: true})
		id := w.members()[q.UserPrincipalName].ID
		w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.Mail = q.Mail }))
		w.run(roster.ModeFull)
		here, other := w.members()[q.UserPrincipalName], w.members()[p.UserPrincipalName]
		if here.ID != id || here.DisplayName() != q.DisplayName || other.ID == "" {
			w.t.Errorf("%s is stored as %v, %s as %v", q.UserPrincipalName, here.Attributes, p.UserPrincipalName, other.Attributes)
		}
		w.run(roster.ModeFull)
		w.converged()
	})
}

// A push that says again what is so already is a push all the same.
func TestAPushThatRepeatsAMembershipBeatsTheSnapshot(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.baseline()
		w.unsettled()
		g := w.tenant.DesiredTeams()[0]
		in, out := g.Members[0], w.members()[w.stranger(g)]
		member, team := w.members()[w.upn(in)], w.team(g.DisplayName)
		w.ok(w.tenant.RemoveFromGroup(g.ObjectID, in))
		outsider := w.objectOf(out.UserName())
		w.ok(w.tenant.AddToGroup(g.ObjectID, outsider))
		remove := w.tenant.Inject(idpsim.Fault{Path: "/users", Count: 1, BeforeAnswer: func() {
			w.ok(w.tenant.AddToGroup(g.ObjectID, in), w.tenant.RemoveFromGroup(g.ObjectID, outsider))
			w.commit(w.push(), roster.TeamEdit{ID: team.ID, Add: []string{member.ID}, Remove: []string{out.ID}})
		}})
		defer remove()
		_, actions := w.run(roster.ModeFull)
		if got := w.teams()[g.DisplayName]; !slices.Contains(got, member.UserName()) || slices.Contains(got, out.UserName()) {
			w.t.Errorf("the team has %v after %v", got, lines(actions))
		}
	})
}

func (w *world) objectOf(upn string) string {
	u, ok := w.tenant.User(upn)
	if !ok {
		w.t.Fatalf("no user %s", upn)
	}
	return u.ObjectID
}

// A list that broke off does not say how long it was: an empty answer after it is still not believed at once.
func TestAnEmptyListAfterOneThatBrokeOffIsNotBelieved(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.baseline()
		before := fmt.Sprint(w.teams())
		for _, f := range []idpsim.Fault{{Status: 400, Code: "BadRequest"}, {Empty: true}} {
			f.Path = "/groups/*/members"
			remove := w.tenant.Inject(f)
			run, actions := w.run(roster.ModeFull)
			remove()
			if run.Complete || fmt.Sprint(w.teams()) != before {
				w.t.Errorf("complete %t: %v", run.Complete, lines(actions))
			}
		}
	})
}
