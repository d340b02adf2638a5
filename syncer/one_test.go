package syncer_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// askOne resyncs one person, or compares them, by the world's connection.
func (w *world) askOne(key string, dry bool) ([]roster.Run, error) {
	return w.syncer.One(context.Background(), roster.AskOne{Org: w.org, Key: key, Connections: []string{w.conn}, Dry: dry, By: "op"})
}

// one resyncs one person and returns the run as it was stored, with its actions.
func (w *world) one(key string) (roster.Run, []roster.RunAction) {
	w.t.Helper()
	return w.only(w.askOne(key, false))
}

func (w *world) only(runs []roster.Run, err error) (roster.Run, []roster.RunAction) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	if len(runs) != 1 {
		w.t.Fatalf("%d runs", len(runs))
	}
	run, actions := w.show(runs[0].ID)
	if run.State != runs[0].State || run.Said == nil || run.Said.Done != runs[0].Said.Done || run.Mode != roster.ModeOne ||
		run.RequestedBy != "op" || run.FinishedAt.IsZero() || run.Fence != 0 {
		w.t.Fatalf("stored %+v, returned %+v", run, runs[0])
	}
	n := 0
	for _, a := range actions {
		if a.Drift.Action != roster.ActNone {
			n++
		}
	}
	for _, found := range run.Totals {
		n -= found
	}
	if n != 0 {
		w.t.Errorf("totals %v of %v", run.Totals, lines(actions))
	}
	return run, actions
}

// ends holds how a run of one person ended.
func (w *world) ends(run roster.Run, state roster.RunState, said ...string) {
	w.t.Helper()
	if run.State != state {
		w.t.Errorf("ended %s (%s), want %s; said %+v", run.State, run.Error, state, run.Said)
	}
	all := run.Said.There + "\n" + run.Said.Here + "\n" + run.Said.Done + "\n" + run.Note + "\n" + run.Error
	for _, text := range said {
		if !strings.Contains(all, text) {
			w.t.Errorf("it does not say %q:\n%s", text, all)
		}
	}
}

// keys are all by which a stored person can be named.
func (w *world) keys(p idpsim.Person) map[string]string {
	m := w.members()[p.UserPrincipalName]
	return map[string]string{
		"our id": m.ID, "userName": strings.ToUpper(m.UserName()), "email": strings.ToUpper(m.Email()),
		"the IdP's id": strings.ToUpper(p.ObjectID), "externalId": m.ExternalID(),
	}
}

func (w *world) pushOff(p idpsim.Person) {
	w.t.Helper()
	off := false
	w.commit(w.push(), roster.MemberEdit{ID: w.members()[p.UserPrincipalName].ID,
		Edit: func(roster.Member) (roster.Attributes, *bool, error) { return nil, &off, nil }})
}

func (w *world) pushName(id, name string) {
	w.t.Helper()
	w.commit(w.push(), roster.MemberEdit{ID: id, Edit: func(m roster.Member) (roster.Attributes, *bool, error) {
		a := m.Attributes.Clone()
		a.Set(roster.AttrDisplayName, name)
		return a, nil, nil
	}})
}

func TestOnePersonIsRepairedWhateverNamesThem(t *testing.T) {
	for kind, tc := range map[string]struct {
		breaks func(w *world, p idpsim.Person)
		action string // but for the name
		said   string
		lost   bool // the person is not to be live afterwards
	}{
		"stale": {func(w *world, p idpsim.Person) {
			w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.DisplayName = "Renamed Person" }))
		}, "stale_member update ", "updated displayName", false},
		"redundant soft delete": {func(w *world, p idpsim.Person) { w.pushOff(p) },
			"redundant_soft_delete reactivate ", "reactivated", false},
		"deleted": {func(w *world, p idpsim.Person) {
			w.commit(w.push(), roster.MemberDelete{ID: w.members()[p.UserPrincipalName].ID})
		}, "redundant_soft_delete restore ", "restored", false},
		"disabled": {func(w *world, p idpsim.Person) { w.ok(w.tenant.DisableUser(p.ObjectID)) },
			"orphaned_member deactivate ", "switched off", true},
	} {
		t.Run(kind, func(t *testing.T) {
			eachWorld(t, 12, 2, func(w *world) {
				w.baseline()
				people := w.tenant.Desired()
				for i, by := range []string{"our id", "userName", "email", "the IdP's id", "externalId"} {
					p := people[i]
					w.commit(w.push(), roster.MemberEdit{ID: w.members()[p.UserPrincipalName].ID,
						Edit: func(m roster.Member) (roster.Attributes, *bool, error) {
							a := m.Attributes.Clone()
							a.Set(roster.AttrExternalID, "E-"+p.ObjectID)
							return a, nil, nil
						}})
					key := w.keys(p)[by]
					tc.breaks(w, p)
					run, actions := w.one(key)
					w.ends(run, roster.RunDone, tc.said)
					w.wantActions(actions, tc.action+p.UserPrincipalName)
					m := w.members()[p.UserPrincipalName]
					if m.Status.Live() == tc.lost || run.Said.MemberID != m.ID || run.Said.ObjectID != p.ObjectID {
						t.Errorf("by %s: afterwards %s; said %+v", by, m.Status, run.Said)
					}
					before := w.dump()
					again, rest := w.one(key)
					w.ends(again, roster.RunDone, "nothing: there and here agree")
					if len(rest) != 0 || w.dump() != before {
						t.Errorf("by %s, the second time: %v, or something was written", by, lines(rest))
					}
				}
				w.converged()
			})
		})
	}
}

func TestAPersonUnknownHereIsFoundThereAndCreatedWithTheirTeams(t *testing.T) {
	for _, by := range []string{"object id", "userName", "email"} {
		t.Run(by, func(t *testing.T) {
			eachWorld(t, 12, 2, func(w *world) {
				w.baseline()
				team := w.tenant.DesiredTeams()[0]
				u, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "new.joiner@contoso.example", DisplayName: "New Joiner", Mail: "nj@contoso.example"})
				w.ok(err, w.tenant.Assign(u.ObjectID), w.tenant.AddToGroup(team.ObjectID, u.ObjectID))
				run, actions := w.one(map[string]string{"object id": u.ObjectID, "userName": u.UserPrincipalName, "email": u.Mail}[by])
				w.ends(run, roster.RunDone, "in scope: assigned directly", "nobody", "created", "added to team "+team.DisplayName)
				w.wantActions(actions, "missing_member create new.joiner@contoso.example",
					"missing_membership add new.joiner@contoso.example in "+team.DisplayName)
				w.converged()
				m := w.members()["new.joiner@contoso.example"]
				if run.Said.MemberID != m.ID || m.Connection != w.conn {
					t.Errorf("said %+v of %+v", run.Said, m)
				}
				if run, more := w.run(roster.ModeFull); len(more) != 0 {
					t.Errorf("a run afterwards still has %v (%s)", lines(more), run.State)
				}
			})
		})
	}
}

func TestWhoWasRenamedThereIsFoundByTheNewName(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.UserPrincipalName = "married@contoso.example" }))
		id := w.members()[p.UserPrincipalName].ID
		run, actions := w.one("Married@Contoso.Example")
		w.ends(run, roster.RunDone, "updated userName", "userName "+p.UserPrincipalName)
		w.wantActions(actions, "stale_member update "+p.UserPrincipalName)
		if run.Said.MemberID != id || w.members()["married@contoso.example"].ID != id {
			w.t.Errorf("said %+v", run.Said)
		}
	})
}

func TestWhoIsOutOfScopeIsDeactivatedAndTakenOutOfTheirTeams(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		team := w.tenant.DesiredTeams()[0]
		p := w.tenant.DesiredTeams()[0].Members[0]
		upn := w.upn(p)
		w.leave(p)
		run, actions := w.one(upn)
		w.ends(run, roster.RunDone, "out of scope", "took out of team "+team.DisplayName, "deactivated")
		a := w.has(actions, roster.OrphanedMember, upn)
		if len(a.Drift.Evidence) == 0 || !strings.Contains(a.Drift.Evidence[0].Text, "do not put them in scope") {
			w.t.Errorf("evidence %+v", a.Drift.Evidence)
		}
		w.converged()
		events, _, err := w.db.Events(context.Background(), w.org, store.List{})
		w.ok(err)
		for _, e := range events {
			if e.Type == "member.deactivated" && (e.RunID != run.ID || e.Actor.Kind != roster.ActorRun || e.Actor.ID != run.ID || !strings.HasPrefix(e.Reason, "orphaned_member: ")) {
				w.t.Errorf("the event's cause: %+v", e)
			}
		}
	})
}

func TestWhoIsGoneThereIsDeactivated(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		w.ok(w.tenant.DeleteUser(p.ObjectID))
		run, actions := w.one(p.ObjectID)
		w.ends(run, roster.RunDone, "no such person any more", "deactivated")
		w.has(actions, roster.OrphanedMember, p.UserPrincipalName)
		w.converged()
	})
}

func TestAnOperatorsDeactivationIsListedAndNotUndoneByAResyncOfOne(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		w.commit(operator(), roster.MemberSetStatus{ID: w.members()[p.UserPrincipalName].ID})
		before := w.dump()
		run, actions := w.one(p.UserPrincipalName)
		w.ends(run, roster.RunDone, "deactivated by an operator", "left as it is")
		w.wantActions(actions, "redundant_soft_delete none "+p.UserPrincipalName)
		if w.dump() != before {
			w.t.Error("something was written")
		}
	})
}

func TestMembershipsOfOnePersonAreRepairedBothWays(t *testing.T) {
	eachWorld(t, 20, 3, func(w *world) {
		w.baseline()
		teams := w.tenant.DesiredTeams()
		id := teams[0].Members[0]
		m := w.members()[w.upn(id)]
		other := teams[1]
		if slices.Contains(other.Members, id) {
			w.ok(w.tenant.RemoveFromGroup(other.ObjectID, id))
			w.run(roster.ModeFull)
		}
		w.commit(w.push(), roster.TeamEdit{ID: w.team(teams[0].DisplayName).ID, Remove: []string{m.ID}},
			roster.TeamEdit{ID: w.team(other.DisplayName).ID, Add: []string{m.ID}})
		run, actions := w.one(m.ID)
		w.ends(run, roster.RunDone, "added to team "+teams[0].DisplayName, "took out of team "+other.DisplayName)
		w.wantActions(actions, "missing_membership add "+m.UserName()+" in "+teams[0].DisplayName,
			"extra_membership remove "+m.UserName()+" in "+other.DisplayName)
		w.converged()
	})
}

// That the person's own groups lack one is no proof: the group's list decides.
func TestAMembershipStaysWhereTheGroupsOwnListHasIt(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		team := w.tenant.DesiredTeams()[0]
		id := team.Members[0]
		w.ok(w.tenant.Assign(id), w.tenant.Unassign(team.ObjectID)) // now the IdP does not name the group as one of theirs
		run, actions := w.one(id)
		w.ends(run, roster.RunDone)
		if len(actions) != 0 {
			w.t.Errorf("%v", lines(actions))
		}
		// A list that can't be read removes nobody, and the run says so.
		w.ok(w.tenant.RemoveFromGroup(team.ObjectID, id))
		remove := w.tenant.Inject(idpsim.Fault{Path: "/groups/{id}/members", Status: 403, Code: "Authorization_RequestDenied"})
		run, actions = w.one(id)
		remove()
		w.ends(run, roster.RunDone, "memberships were left as they are", "GroupMember.Read.All")
		if run.Complete || len(actions) != 0 {
			w.t.Errorf("complete %t: %v", run.Complete, lines(actions))
		}
		run, actions = w.one(id)
		w.ends(run, roster.RunDone, "took out of team "+team.DisplayName)
		if !run.Complete {
			w.t.Errorf("not complete: %s; %v", run.Note, lines(actions))
		}
	})
}
