package syncer_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// interposed does something just before a transaction begins: once for each function that is waiting.
type interposed struct {
	*store.DB
	mu      sync.Mutex
	waiting []func()
}

func (i *interposed) InTx(ctx context.Context, fn func(roster.Tx) error) error {
	i.mu.Lock()
	var do func()
	if len(i.waiting) > 0 {
		do, i.waiting = i.waiting[0], i.waiting[1:]
	}
	i.mu.Unlock()
	if do != nil {
		do()
	}
	return i.DB.InTx(ctx, fn)
}

// beforeCommits has functions run, one before each of the commits of a new syncer.
func (w *world) beforeCommits(do ...func()) {
	w.t.Helper()
	w.cfg.Roster = roster.New(&interposed{DB: w.db, waiting: do})
	w.syncer = w.another("one")
}

func TestAPushBetweenReadAndCommitWins(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		id := w.members()[p.UserPrincipalName].ID
		w.ok(w.tenant.DisableUser(p.ObjectID))
		w.beforeCommits(func() { // enabled again, and pushed, when the read has said "disabled"
			w.ok(w.tenant.EnableUser(p.ObjectID))
			w.pushName(id, p.DisplayName+" Jr")
			w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.DisplayName = p.DisplayName + " Jr" }))
		})
		run, actions := w.one(p.UserPrincipalName)
		w.ends(run, roster.RunDone, "nothing: there and here agree")
		if m := w.members()[p.UserPrincipalName]; !m.Status.Live() || m.DisplayName() != p.DisplayName+" Jr" || len(actions) != 0 {
			w.t.Errorf("%s %q after %v", m.Status, m.DisplayName(), lines(actions))
		}
	})
}

func TestPushesThatDoNotEndLeaveThePersonAndSaySo(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		p := w.somebody(0)
		id := w.members()[p.UserPrincipalName].ID
		w.ok(w.tenant.DisableUser(p.ObjectID))
		w.beforeCommits(func() { w.pushName(id, "One") }, func() { w.pushName(id, "Two") })
		run, actions := w.one(p.UserPrincipalName)
		w.ends(run, roster.RunPartial, "did not deactivate", "has changed since")
		a := w.has(actions, roster.OrphanedMember, p.UserPrincipalName)
		if m := w.members()[p.UserPrincipalName]; !m.Status.Live() || a.State != roster.ActionSkipped {
			w.t.Errorf("%s; the action is %s", m.Status, a.State)
		}
	})
}

func TestAPushWhileThePersonIsReadBeatsTheRead(t *testing.T) {
	for name, pushes := range map[string]int{"one push": 1, "a push at each read": 0} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, 12, 2, func(w *world) {
				w.baseline()
				p := w.somebody(0)
				id := w.members()[p.UserPrincipalName].ID
				w.ok(w.tenant.DisableUser(p.ObjectID))
				remove := w.tenant.Inject(idpsim.Fault{Path: "/users/{id}", Count: pushes, BeforeAnswer: func() {
					if pushes == 1 {
						w.ok(w.tenant.EnableUser(p.ObjectID))
					}
					w.pushName(id, p.DisplayName)
				}})
				defer remove()
				run, actions := w.one(id)
				state := map[bool]roster.RunState{true: roster.RunDone, false: roster.RunPartial}[pushes == 1]
				w.ends(run, state)
				if m := w.members()[p.UserPrincipalName]; !m.Status.Live() {
					w.t.Errorf("deactivated by %v", lines(actions))
				}
			})
		})
	}
}

func TestOnePersonIsResyncedBesideARunOfTheConnection(t *testing.T) {
	eachWorld(t, 20, 2, func(w *world) {
		w.baseline()
		p, q := w.somebody(0), w.somebody(1)
		for _, x := range []idpsim.Person{p, q} {
			w.ok(w.tenant.UpdateUser(x.ObjectID, func(u *idpsim.User) { u.DisplayName = "New " + x.DisplayName }))
		}
		var one roster.Run
		remove := w.tenant.Inject(idpsim.Fault{Path: "/users", Count: 1, BeforeAnswer: func() {
			one, _ = w.one(p.UserPrincipalName) // while the run reads
		}})
		defer remove()
		run, actions := w.run(roster.ModeFull)
		w.ends(one, roster.RunDone, "updated displayName")
		if run.State != roster.RunDone && run.State != roster.RunPartial {
			w.t.Errorf("the run ended %s (%s)", run.State, run.Error)
		}
		w.has(actions, roster.StaleMember, q.UserPrincipalName)
		w.converged()
	})
}

func TestTwoResyncsOfThePersonAtOnceApplyOnce(t *testing.T) {
	for name, breaks := range map[string]func(w *world) string{
		"stale": func(w *world) string {
			p := w.somebody(0)
			w.ok(w.tenant.UpdateUser(p.ObjectID, func(u *idpsim.User) { u.DisplayName = "Renamed Person" }))
			return p.UserPrincipalName
		},
		"missing": func(w *world) string {
			u, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "new.joiner@contoso.example", DisplayName: "New Joiner"})
			w.ok(err, w.tenant.Assign(u.ObjectID))
			return u.UserPrincipalName
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, 12, 2, func(w *world) {
				w.baseline()
				key := breaks(w)
				plain := w.syncer
				var inner []roster.Run
				var innerErr error
				w.beforeCommits(func() { // both have read when the first commits
					inner, innerErr = plain.One(context.Background(), roster.AskOne{Org: w.org, Key: key, Connections: []string{w.conn}, By: "op"})
				})
				second, actions := w.one(key)
				first, applied := w.only(inner, innerErr)
				if first.Applied != 1 || len(applied) != 1 || second.Applied != 0 || len(actions) != 0 {
					t.Errorf("the first applied %d of %v, the second %d of %v", first.Applied, lines(applied), second.Applied, lines(actions))
				}
				w.ends(second, roster.RunDone, "nothing: there and here agree")
				w.converged()
			})
		})
	}
}

func TestAPushOfAMembershipWhileItIsReadBeatsTheRead(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		team := w.tenant.DesiredTeams()[0]
		id := team.Members[0]
		m := w.members()[w.upn(id)]
		// The read says that they are in the group; before it is judged they are taken out of it, and that is pushed.
		remove := w.tenant.Inject(idpsim.Fault{Path: "/users/{id}/appRoleAssignments", Skip: 1, Count: 1, BeforeAnswer: func() {
			w.ok(w.tenant.RemoveFromGroup(team.ObjectID, id))
			w.commit(w.push(), roster.TeamEdit{ID: w.team(team.DisplayName).ID, Remove: []string{m.ID}})
		}})
		defer remove()
		run, actions := w.one(m.ID)
		for _, a := range actions {
			if a.Drift.Subject.Type == roster.TypeMembership {
				w.t.Errorf("%s %s is %s", a.Drift.Kind, a.Drift.Action, a.State)
			}
		}
		if run.State != roster.RunDone || slices.Contains(w.teams()[team.DisplayName], m.UserName()) {
			w.t.Errorf("ended %s; said %+v", run.State, run.Said)
		}
	})
}

func TestManyResyncsOfThePersonAtOnceApplyOnce(t *testing.T) {
	eachWorld(t, 12, 2, func(w *world) {
		w.baseline()
		u, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "new.joiner@contoso.example", DisplayName: "New Joiner"})
		w.ok(err, w.tenant.Assign(u.ObjectID))
		applied := make([]int, 6)
		errs := make([]error, len(applied))
		var all sync.WaitGroup
		for i := range applied {
			all.Go(func() {
				runs, err := w.askOne(u.UserPrincipalName, false)
				if errs[i] = err; err == nil {
					applied[i] = runs[0].Applied
				}
			})
		}
		all.Wait()
		w.ok(errs...)
		slices.Sort(applied)
		if want := []int{0, 0, 0, 0, 0, 1}; !slices.Equal(applied, want) {
			w.t.Errorf("applied %v", applied)
		}
		w.converged()
	})
}
