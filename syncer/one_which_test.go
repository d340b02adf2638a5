package syncer_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/syncer"
)

// oktaToo gives the world a second connection, to an Okta org through the real SDK.
func (w *world) oktaToo(people, groups int, suspended string) (*idpsim.OktaTenant, string) {
	w.t.Helper()
	tenant := idpsim.NewOkta(idpsim.OktaConfig{Seed: 2, Members: people, Groups: groups, AssignedGroups: -1, Outsiders: 1, Off: -1})
	srv, err := tenant.Listen("127.0.0.1:0")
	w.ok(err)
	w.t.Cleanup(func() { _ = srv.Close() })
	m := mapping.Okta()
	conn := w.commit(roster.Cause{}, roster.ConnectionSync{
		Name: "okta", Kind: roster.KindOkta, Target: "t2", Settings: m.Fingerprint(), Managed: m.Managed(), Settle: settle})[0].ID
	reader, err := okta.Open(okta.Config{
		OrgURL: srv.URL, AppID: tenant.AppID(), APIToken: tenant.APIToken(), Teams: okta.TeamsPush, Suspended: suspended,
	}, nil, slog.New(slog.DiscardHandler))
	w.ok(err)
	w.cfg.Sources = maps.Clone(w.cfg.Sources)
	w.cfg.Sources[conn] = syncer.Source{Reader: reader, Mapping: m, Evidence: "okta"}
	w.syncer = w.another("two")
	return tenant, conn
}

// full runs one connection once.
func (w *world) full(conn string) {
	w.t.Helper()
	id := w.commit(operator(), roster.RunRequest{Connection: conn, Mode: roster.ModeFull, By: "op"})[0].ID
	if run, actions := w.work(id); run.State != roster.RunDone {
		w.t.Fatalf("ended %s (%s): %v", run.State, run.Error, lines(actions))
	}
}

// askAll resyncs one person by all of some connections, and returns "connection state" of each run.
func (w *world) askAll(key string, conns ...string) ([]roster.Run, []string, error) {
	runs, err := w.syncer.One(context.Background(), roster.AskOne{Org: w.org, Key: key, Connections: conns, By: "op"})
	var out []string
	for i := range runs {
		out = append(out, runs[i].ConnectionName+" "+string(runs[i].State))
	}
	return runs, out, err
}

func (w *world) wantRuns(key string, conns []string, want ...string) []roster.Run {
	w.t.Helper()
	runs, got, err := w.askAll(key, conns...)
	if err != nil || !slices.Equal(got, want) {
		w.t.Errorf("%s: %q, %v; want %q", key, got, err, want)
	}
	return runs
}

func TestOktasPeopleAreRepairedOneByOne(t *testing.T) {
	for name, tc := range map[string]struct {
		breaks func(w *world, o *idpsim.OktaTenant, p idpsim.OktaPerson, team idpsim.Team)
		want   []string // with NAME and TEAM
		said   string
	}{
		"suspended": {func(w *world, o *idpsim.OktaTenant, p idpsim.OktaPerson, _ idpsim.Team) { w.ok(o.Suspend(p.ObjectID)) },
			[]string{"orphaned_member deactivate NAME"}, "switched off"},
		"not assigned any more": {func(w *world, o *idpsim.OktaTenant, p idpsim.OktaPerson, _ idpsim.Team) {
			w.ok(o.UnassignUser(p.ObjectID))
		},
			[]string{"orphaned_member deactivate NAME"}, "out of scope"},
		"another name in the application": {func(w *world, o *idpsim.OktaTenant, p idpsim.OktaPerson, _ idpsim.Team) {
			w.ok(o.UpdateAppProfile(p.ObjectID, func(a *idpsim.AppProfile) { a.DisplayName = "Another Name" }))
		}, []string{"stale_member update NAME"}, "updated displayName"},
		"out of a pushed group": {func(w *world, o *idpsim.OktaTenant, p idpsim.OktaPerson, team idpsim.Team) {
			w.ok(o.RemoveFromGroup(team.ObjectID, p.ObjectID))
		}, []string{"extra_membership remove NAME in TEAM"}, "took out of team"},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, 2, 1, func(w *world) {
				o, conn := w.oktaToo(12, 2, okta.SuspendedOff)
				w.full(conn)
				team := o.DesiredTeams()[0]
				var p idpsim.OktaPerson
				for _, one := range o.Desired() {
					if a, _ := o.AppUser(one.ObjectID); a.Direct && slices.Contains(team.Members, one.ObjectID) {
						p = one
					}
				}
				if p.ObjectID == "" {
					t.Fatal("nobody in the team is assigned directly")
				}
				tc.breaks(w, o, p, team)
				var wants []string
				for _, want := range tc.want {
					wants = append(wants, strings.NewReplacer("NAME", p.UserName, "TEAM", team.DisplayName).Replace(want))
				}
				runs := w.wantRuns(p.ObjectID, []string{conn}, "okta done")
				run, actions := w.show(runs[0].ID)
				w.ends(run, roster.RunDone, tc.said)
				w.wantActions(actions, wants...)
				runs = w.wantRuns(p.UserName, []string{conn}, "okta done")
				if _, actions = w.show(runs[0].ID); len(actions) != 0 {
					t.Errorf("the second time: %v", lines(actions))
				}
			})
		})
	}
}

func TestWhomTheConnectionKeepsStaysWhatTheyAreAndIsComparedAsAlways(t *testing.T) {
	eachWorld(t, 2, 1, func(w *world) {
		o, conn := w.oktaToo(12, 2, okta.SuspendedKeep)
		w.full(conn)
		team := o.DesiredTeams()[0]
		id := team.Members[0]
		app, _ := o.AppUser(id)
		m := w.members()[app.UserName]
		w.ok(o.Suspend(id), o.UpdateAppProfile(id, func(a *idpsim.AppProfile) { a.DisplayName = "Another Name" }))
		w.commit(roster.Cause{By: roster.ByPush, Connection: conn}, roster.TeamEdit{ID: w.team(team.DisplayName).ID, Remove: []string{m.ID}})
		run, actions := w.show(w.wantRuns(app.UserName, []string{conn}, "okta done")[0].ID)
		w.ends(run, roster.RunDone, "leave as it is", "updated displayName", "added to team")
		w.wantActions(actions, "stale_member update "+app.UserName, "missing_membership add "+app.UserName+" in "+team.DisplayName)
		if now := w.members()[app.UserName]; now.Status != m.Status {
			w.t.Errorf("became %s", now.Status)
		}
	})
}

func TestThoseConnectionsAreAskedThatKnowThePerson(t *testing.T) {
	eachWorld(t, 6, 1, func(w *world) {
		o, conn := w.oktaToo(6, 1, okta.SuspendedOff)
		both := []string{w.conn, conn}
		w.baseline()
		p, q := w.somebody(0), o.Desired()[0]
		w.ok(o.UpdateAppUser(o.Desired()[3].ObjectID, func(a *idpsim.AppUser) { a.UserName = p.UserPrincipalName }))
		w.wantRuns(p.UserPrincipalName, both, "entra done") // linked there, whoever has the name elsewhere
		runs := w.wantRuns(q.UserName, both, "okta done")   // unknown here, and only one finds them
		if m := w.members()[q.UserName]; m.ID != runs[0].Said.MemberID || m.Connection != conn {
			w.t.Errorf("created %+v", m)
		}
		_, _, err := w.askAll("nobody@contoso.example", both...)
		if roster.CodeOf(err) != roster.NotFound || !strings.Contains(err.Error(), "entra, okta") {
			w.t.Errorf("%v", err)
		}
		// Whom nobody finds is judged by the connection that has them or, where none has, by each.
		w.commit(w.push(), roster.MemberCreate{Attributes: roster.Attributes{"userName": "ghost@contoso.example"}, Active: true})
		w.wantRuns("ghost@contoso.example", both, "entra done")
		w.commit(operator(), roster.MemberInvite{Email: "local@acme.example", Role: roster.RoleMember})
		w.wantRuns("local@acme.example", both, "entra done", "okta done")
		// Who finds nobody is not asked on, who can't be asked leaves a failed run.
		remove := w.tenant.Inject(idpsim.Fault{Status: 401})
		w.wantRuns(o.Desired()[1].UserName, both, "entra failed", "okta done")
		w.wantRuns("nobody@contoso.example", both, "entra failed")
		remove()
		// A second link: both are asked, attributes follow the owner.
		m := w.members()[p.UserPrincipalName]
		twin := o.Desired()[2]
		w.commit(operator(), roster.LinkSet{Link: roster.Link{Org: w.org, Connection: conn, Type: roster.TypeMember, ObjectID: twin.ObjectID,
			TargetID: m.ID, State: roster.LinkOn, Rule: "operator"}, Event: "made"})
		w.wantRuns(m.ID, both, "entra done", "okta done")
		if now := w.members()[p.UserPrincipalName]; now.DisplayName() != m.DisplayName() || now.Connection != w.conn {
			w.t.Errorf("another connection's person became %+v", now)
		}
		// The owner loses them: they pass on, and nobody is deactivated.
		w.leave(p.ObjectID)
		run, actions := w.show(w.wantRuns(m.ID, []string{w.conn}, "entra done")[0].ID)
		w.ends(run, roster.RunDone, "passed ownership to connection okta")
		w.has(actions, roster.OrphanedMember, p.UserPrincipalName)
		if now := w.members()[p.UserPrincipalName]; !now.Status.Live() || now.Connection != conn {
			w.t.Errorf("passed on, they are %+v", now)
		}
	})
}

func TestAConflictIsListedWithItsWayOut(t *testing.T) {
	eachWorld(t, 6, 1, func(w *world) {
		o, conn := w.oktaToo(6, 1, okta.SuspendedOff)
		w.baseline()
		p, q := w.somebody(0), o.Desired()[0]
		w.ok(o.UpdateAppUser(q.ObjectID, func(a *idpsim.AppUser) { a.UserName = p.UserPrincipalName }))
		before := w.dump()
		run, actions := w.show(w.wantRuns(q.ObjectID, []string{conn}, "okta done")[0].ID)
		a := w.has(actions, roster.ConflictKind, p.UserPrincipalName)
		if a.Drift.Action != roster.ActNone || !strings.Contains(a.Drift.Reason, "another connection (entra) owns") || !strings.Contains(run.Said.Done, "members link") {
			w.t.Errorf("%+v; said %+v", a.Drift, run.Said)
		}
		if w.dump() != before {
			w.t.Error("something was written")
		}
	})
}
