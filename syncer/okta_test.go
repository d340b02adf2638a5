package syncer_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/store/storetest"
	"github.com/rosterd/rosterd/reconcile"
	"github.com/rosterd/rosterd/syncer"
)

// oktaWorld is a world whose tenant is Okta's.
type oktaWorld struct {
	*world
	okta *idpsim.OktaTenant
	url  string
}

func eachOktaWorld(t *testing.T, people, groups int, test func(w *oktaWorld)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		t.Helper()
		w := &oktaWorld{world: &world{t: t, db: db, roster: roster.New(db), org: roster.NewID()}}
		w.okta = idpsim.NewOkta(idpsim.OktaConfig{Seed: 1, Members: people, Groups: groups, PageSize: 10})
		srv, err := w.okta.Listen("127.0.0.1:0")
		w.ok(err)
		t.Cleanup(func() { _ = srv.Close() })
		w.url = srv.URL
		w.commit(roster.Cause{}, roster.OrgCreate{ID: w.org, Name: "acme", SCIM: true})
		m := mapping.Okta()
		w.conn = w.commit(roster.Cause{}, roster.ConnectionSync{Name: "okta", Kind: roster.KindOkta, Target: "o1", Settings: m.Fingerprint(), Managed: m.Managed()})[0].ID
		w.reads(okta.Config{})
		test(w)
	})
}

// reads has the connection read by another configuration.
func (w *oktaWorld) reads(cfg okta.Config) {
	w.t.Helper()
	cfg.OrgURL, cfg.AppID, cfg.APIToken = w.url, w.okta.AppID(), w.okta.APIToken()
	reader, err := okta.Open(cfg, nil, slog.New(slog.DiscardHandler))
	w.ok(err)
	w.cfg = syncer.Config{
		Store: w.db, Roster: w.roster, Holder: "test", Log: slog.New(slog.DiscardHandler), Lease: time.Minute,
		Sources: map[string]syncer.Source{w.conn: {Reader: reader, Mapping: mapping.Okta(), Evidence: "okta", Delta: true}},
	}
	w.syncer = w.another("test")
}

func (w *oktaWorld) converged() {
	w.t.Helper()
	here, byID := w.members(), map[string]string{}
	live := 0
	for _, m := range here {
		if m.Status.Live() && m.Source == roster.SourceSCIM {
			live++
		}
	}
	for _, p := range w.okta.Desired() {
		byID[p.ObjectID] = p.UserName
		if m := here[p.UserName]; !m.Status.Live() || m.Attributes.Get(roster.AttrDisplayName) != p.DisplayName {
			w.t.Errorf("%s is stored as %s %v", p.UserName, m.Status, m.Attributes)
		}
	}
	if live != len(byID) {
		w.t.Errorf("%d are live, want %d", live, len(byID))
	}
	want := map[string][]string{}
	for _, t := range w.okta.DesiredTeams() {
		names := make([]string, 0, len(t.Members))
		for _, id := range t.Members {
			names = append(names, byID[id])
		}
		sort.Strings(names)
		want[t.DisplayName] = names
	}
	if got := w.teams(); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("the teams are\n%v, want\n%v", got, want)
	}
}

func (w *oktaWorld) person(i int) idpsim.OktaPerson { return w.okta.Desired()[i] }

func (w *oktaWorld) statusOf(name string) roster.Status { return w.members()[name].Status }

// unassigned takes somebody's assignment away, who is assigned themselves.
func (w *oktaWorld) unassigned() idpsim.OktaPerson {
	w.t.Helper()
	for _, p := range w.okta.Desired() {
		if w.okta.UnassignUser(p.ObjectID) == nil {
			if _, still := w.okta.AppUser(p.ObjectID); !still {
				return p
			}
		}
	}
	w.t.Fatal("everybody is assigned through a group")
	return idpsim.OktaPerson{}
}

func TestAnOktaTenantIsReadInFullAndByDeltas(t *testing.T) {
	eachOktaWorld(t, 40, 5, func(w *oktaWorld) {
		w.baseline()
		w.converged()
		w.silent()
		w.deltaDoes()
		p, team := w.unassigned(), w.okta.DesiredTeams()[0]
		joiner, err := w.okta.AddUser(idpsim.OktaUser{Profile: idpsim.OktaProfile{Login: "joiner@initech.example", FirstName: "New", LastName: "Joiner"}})
		w.ok(err, w.okta.AssignUser(joiner.ID), w.okta.AddToGroup(team.ObjectID, joiner.ID))
		in := w.okta.DesiredTeams()[1].Members[0]
		w.ok(w.okta.RemoveFromGroup(w.okta.DesiredTeams()[1].ObjectID, in), w.okta.RenameGroup(team.ObjectID, "Renamed"),
			w.okta.Deactivate(w.person(3).ObjectID), w.okta.UpdateAppProfile(w.person(5).ObjectID, func(a *idpsim.AppProfile) { a.DisplayName = "New Name" }))
		fresh, err := w.okta.AddGroup(idpsim.OktaGroup{Name: "Fresh"})
		w.ok(err, w.okta.AddToGroup(fresh.ID, w.person(6).ObjectID, joiner.ID), w.okta.PushGroup(fresh.ID))
		run, actions := w.delta()
		if run.State != roster.RunDone {
			w.t.Errorf("the delta ended %s (%s) with %v: %v", run.State, run.Error, lines(actions), w.broken(run))
		}
		if w.statusOf(p.UserName) != roster.Deactivated {
			w.t.Errorf("unassigned, and %s", w.statusOf(p.UserName))
		}
		w.converged()
		w.silent()
		small := w.smallest()
		w.ok(w.okta.UnpushGroup(small.ObjectID))
		w.deltaDoes("orphaned_team delete " + small.DisplayName)
		w.converged()
		w.silent()
	})
}

func (w *oktaWorld) smallest() idpsim.Team {
	return slices.MinFunc(w.okta.DesiredTeams(), func(a, b idpsim.Team) int { return len(a.Members) - len(b.Members) })
}

// Invariant 2, Okta: groups put nobody in scope, so a group's list that broke off says nothing of people.
func TestOktaPeopleAreSilentByTheListOfUsersAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		fault        func(w *oktaWorld) (remove func())
		person, team bool // who counts as gone
	}{
		"a group's members break off": {func(w *oktaWorld) func() {
			return w.okta.Inject(idpsim.Fault{Path: "/groups/*/users", Skip: 1, Count: 1, Status: 400})
		}, true, true},
		"the push mappings break off": {func(w *oktaWorld) func() {
			return w.okta.Inject(idpsim.Fault{Path: "/apps/*/group-push/mappings", Count: 1, Status: 400})
		}, true, false},
		"the users break off": {func(w *oktaWorld) func() {
			return w.okta.Inject(idpsim.Fault{Path: "/apps/*/users", Count: 1, DropNextLink: true})
		}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			eachOktaWorld(t, 30, 4, func(w *oktaWorld) {
				w.baseline()
				p, team := w.unassigned(), w.smallest()
				w.ok(w.okta.UnpushGroup(team.ObjectID))
				remove := tc.fault(w)
				run, actions := w.run(roster.ModeFull)
				remove()
				if run.State != roster.RunPartial || run.Complete {
					w.t.Errorf("ended %s, complete %t: %v", run.State, run.Complete, w.broken(run))
				}
				if gone := w.statusOf(p.UserName) == roster.Deactivated; gone != tc.person {
					w.t.Errorf("the person who left is %s: %v", w.statusOf(p.UserName), lines(actions))
				}
				if _, here := w.teams()[team.DisplayName]; here == tc.team {
					w.t.Errorf("the team that is pushed no more is here: %t: %v", here, lines(actions))
				}
			})
		})
	}
}

func TestEvidenceOfOktaIsInItsWords(t *testing.T) {
	eachOktaWorld(t, 30, 4, func(w *oktaWorld) {
		w.baseline()
		p, team := w.unassigned(), w.smallest()
		w.ok(w.okta.UnpushGroup(team.ObjectID))
		_, actions := w.run(roster.ModeFull)
		for a, want := range map[*roster.RunAction][]string{
			ptr(w.has(actions, roster.OrphanedMember, p.UserName)): {"absent from the list of the application's users, which was read whole",
				"no user of the application, by a second look"},
			ptr(w.has(actions, roster.OrphanedTeam, team.DisplayName)): {"absent from the list of push mappings, which was read whole",
				"no active push mapping found by a second look"},
		} {
			var got []string
			for _, e := range a.Drift.Evidence {
				got = append(got, e.Text)
			}
			if !slices.Equal(got, want) {
				w.t.Errorf("evidence %q, want %q", got, want)
			}
		}
	})
}

func ptr[T any](v T) *T { return &v }

// Where Okta refuses the push mappings for good, no team is ever taken for gone, and the run is complete all the same.
func TestOktaWithoutPushMappings(t *testing.T) {
	for _, teams := range []string{okta.TeamsAssigned, okta.TeamsLinked} {
		t.Run(teams, func(t *testing.T) {
			eachOktaWorld(t, 30, 5, func(w *oktaWorld) {
				w.baseline()
				pushed := w.teams()
				w.okta.RefusePushMappings(403)
				w.reads(okta.Config{Teams: teams})
				p := w.unassigned()
				local := w.commit(w.push(), roster.TeamCreate{DisplayName: "Pushed by hand"})[0].ID
				w.okta.ResetRequests()
				run, actions := w.run(roster.ModeFull)
				if run.State != roster.RunDone || !run.Complete || w.statusOf(p.UserName) != roster.Deactivated {
					w.t.Errorf("ended %s, complete %t, they are %s, with %v: %v", run.State, run.Complete, w.statusOf(p.UserName), lines(actions), w.broken(run))
				}
				here := w.teams()
				for name := range pushed {
					if _, ok := here[name]; !ok {
						w.t.Errorf("team %s is gone", name)
					}
				}
				asked := w.okta.Requests()["GET /groups"]
				if _, ok := here["Pushed by hand"]; !ok || (asked > 0) != (teams == okta.TeamsAssigned) {
					w.t.Errorf("team %s without a link: here %t, looked up %d times", local, ok, asked)
				}
				if teams == okta.TeamsLinked && w.okta.Requests()["GET /groups/{id}"] > 0 {
					w.t.Error("a group was read")
				}
				w.deltaDoes()
				w.ok(w.okta.UpdateAppProfile(w.person(0).ObjectID, func(a *idpsim.AppProfile) { a.DisplayName = "New Name" }))
				before := w.cursor().Run
				w.deltaDoes("stale_member update " + w.person(0).UserName)
				if w.cursor().Run == before {
					w.t.Error("the cursor waits for a list that is never given")
				}
			})
		})
	}
}

// okta.suspended: keep.
func TestWhoIsSuspendedInOktaStaysWhatTheyAre(t *testing.T) {
	eachOktaWorld(t, 30, 4, func(w *oktaWorld) {
		w.reads(okta.Config{Suspended: okta.SuspendedKeep})
		team := w.smallest()
		live, off, unknown := w.person(0), w.person(1), w.person(2)
		w.ok(w.okta.Suspend(unknown.ObjectID))
		w.baseline()
		if _, here := w.members()[unknown.UserName]; here {
			w.t.Error("who was suspended before the first run was made")
		}
		w.ok(w.okta.Suspend(live.ObjectID), w.okta.Suspend(off.ObjectID),
			w.okta.UpdateAppProfile(live.ObjectID, func(a *idpsim.AppProfile) { a.DisplayName = "New Name" }),
			w.okta.AddToGroup(team.ObjectID, live.ObjectID, off.ObjectID, unknown.ObjectID))
		w.commit(w.push(), roster.MemberEdit{ID: w.members()[off.UserName].ID, Edit: func(roster.Member) (roster.Attributes, *bool, error) {
			no := false
			return nil, &no, nil
		}})
		for _, mode := range []roster.Mode{roster.ModeDelta, roster.ModeFull} {
			run, actions := w.run(mode)
			if run.State != roster.RunDone || mode == roster.ModeFull && len(actions) > 0 {
				w.t.Errorf("%s ended %s with %v", run.Mode, run.State, lines(actions))
			}
			if m := w.members()[live.UserName]; !m.Status.Live() || m.DisplayName() != "New Name" || !slices.Contains(w.teams()[team.DisplayName], live.UserName) {
				w.t.Errorf("%s: who is live is %s %q, the team has %v", mode, m.Status, m.DisplayName(), w.teams()[team.DisplayName])
			}
			if _, here := w.members()[unknown.UserName]; here || w.statusOf(off.UserName) != roster.Deactivated {
				w.t.Errorf("%s: made %t, who is off is %s", mode, here, w.statusOf(off.UserName))
			}
		}
		w.ok(w.okta.Unsuspend(live.ObjectID), w.okta.Unsuspend(off.ObjectID), w.okta.Unsuspend(unknown.ObjectID))
		w.delta()
		w.converged()
		w.silent()
		// Suspended and unassigned is unassigned.
		w.ok(w.okta.AssignUser(live.ObjectID), w.okta.Suspend(live.ObjectID))
		for _, g := range w.okta.AssignedGroups() {
			_ = w.okta.RemoveFromGroup(g.GroupID, live.ObjectID)
		}
		w.ok(w.okta.UnassignUser(live.ObjectID))
		w.delta()
		if w.statusOf(live.UserName) != roster.Deactivated {
			w.t.Errorf("suspended and unassigned: %s", w.statusOf(live.UserName))
		}
	})
}

// Section 3, first link: what our server answered Okta's create with comes before every other key.
func TestOktasOwnRecordOfOurIdLinksFirst(t *testing.T) {
	eachOktaWorld(t, 20, 2, func(w *oktaWorld) {
		p, q := w.person(0), w.person(1)
		w.pushed(w.push(), "mapped.otherwise@initech.example", "", "")
		w.pushed(w.push(), p.UserName, "", "")
		id := w.members()["mapped.otherwise@initech.example"].ID
		w.okta.SetExternalID(p.ObjectID, id)
		w.okta.SetExternalID(q.ObjectID, "an id of nobody")
		_, actions := w.run(roster.ModeFull)
		links, err := w.db.LinksTo(w.t.Context(), w.org, roster.TypeMember, id)
		w.ok(err)
		if len(links) != 1 || links[0].ObjectID != p.ObjectID || links[0].Rule != "id" {
			w.t.Errorf("linked %+v, with %v", links, lines(actions))
		}
		if a := w.has(actions, roster.MissingMember, q.UserName); a.State != roster.ActionApplied {
			w.t.Errorf("the other one: %+v", a)
		}
	})
}

// A look-up of a stored member without a link finds the person also by the externalId that Okta pushes.
func TestAMemberIsLookedUpByOktasId(t *testing.T) {
	eachOktaWorld(t, 20, 2, func(w *oktaWorld) {
		w.baseline()
		u, err := w.okta.AddUser(idpsim.OktaUser{Profile: idpsim.OktaProfile{Login: "another@initech.example"}})
		w.ok(err)
		w.pushed(roster.Cause{By: roster.ByPush}, "pushed.otherwise@initech.example", u.ID, "")
		_, actions := w.run(roster.ModeFull)
		if a := w.has(actions, roster.OrphanedMember, "pushed.otherwise@initech.example"); a.Drift.AlwaysHeld != "" || !strings.Contains(a.Drift.Reason, "out of scope there") {
			w.t.Errorf("got %s", a.Drift.Reason)
		}
	})
}

// What Okta's log says of a push that failed stands beside what a run finds of that person or group, dry or not.
func TestOktasLogStandsBesideADrift(t *testing.T) {
	eachOktaWorld(t, 15, 2, func(o *oktaWorld) {
		o.baseline()
		p := o.person(0)
		m := o.members()[p.UserName]
		o.commit(o.push(), roster.MemberEdit{ID: m.ID, Edit: func(m roster.Member) (roster.Attributes, *bool, error) {
			off := false
			return m.Attributes, &off, nil
		}})
		o.okta.LogEvent("application.provision.user.push", "Automatic provisioning failed: 503 upstream", p.ObjectID, o.okta.AppID())
		for _, mode := range []roster.Mode{roster.ModeDry, roster.ModeFull} {
			_, actions := o.run(mode)
			a := o.has(actions, roster.RedundantSoftDelete, p.UserName)
			if !slices.ContainsFunc(a.Drift.Evidence, func(e roster.Evidence) bool {
				return e.Source == reconcile.SourceLog && strings.Contains(e.Text, "503 upstream") && !e.Time.IsZero()
			}) {
				o.t.Errorf("%s: the evidence does not name the log's entry: %+v", mode, a.Drift.Evidence)
			}
		}
	})
}
