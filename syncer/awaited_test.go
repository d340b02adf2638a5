package syncer_test

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
)

// A member whom a push named and who isn't here is listed as drift, with nothing to do, until they come.
func TestAwaitedMembersAreListed(t *testing.T) {
	eachWorld(t, 30, 2, func(w *world) {
		w.baseline()
		g := w.tenant.DesiredTeams()[0]
		team := w.team(g.DisplayName)
		w.commit(w.push(), roster.TeamEdit{ID: team.ID, Add: []string{"ghost"}})
		listed := "missing_membership none ghost in " + g.DisplayName
		for _, mode := range []roster.Mode{roster.ModeDry, roster.ModeFull, roster.ModeFull} {
			before := w.dump()
			run, actions := w.run(mode)
			w.wantActions(actions, listed)
			a := actions[0]
			if run.State != roster.RunDone || len(run.Held) != 0 || a.State != roster.ActionListed || w.dump() != before {
				w.t.Errorf("%s ended %s, held %+v, the action is %s", mode, run.State, run.Held, a.State)
			}
			if !strings.Contains(a.Drift.Reason, "ghost, who is not here yet") || len(a.Drift.Evidence) != 1 || a.Drift.Evidence[0].Source != "push" {
				w.t.Errorf("%s: %+v", a.Drift.Reason, a.Drift.Evidence)
			}
		}
		w.commit(w.push(), roster.MemberCreate{Attributes: roster.Attributes{"userName": "ghost@contoso.example", "externalId": "ghost"}, Active: true})
		if _, actions := w.run(roster.ModeDry); strings.Contains(strings.Join(lines(actions), "\n"), listed) {
			w.t.Errorf("once they came: %v", lines(actions))
		}
	})
}

// Whom the run itself puts into the group is not listed beside it, by whichever of their ids the push named them.
func TestWhoComesByTheRunIsNotListedAsAwaited(t *testing.T) {
	eachWorld(t, 30, 2, func(w *world) {
		w.baseline()
		g := w.tenant.DesiredTeams()[0]
		team := w.team(g.DisplayName)
		p, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "new.joiner@contoso.example", DisplayName: "New Joiner"})
		w.ok(err, w.tenant.AddToGroup(g.ObjectID, p.ObjectID))
		w.commit(w.push(), roster.TeamEdit{ID: team.ID, Add: []string{p.ObjectID}})
		_, actions := w.run(roster.ModeFull)
		w.wantActions(actions, "missing_member create "+p.UserPrincipalName,
			"missing_membership add "+p.UserPrincipalName+" in "+g.DisplayName)
		w.converged()
		w.silent()
	})
}
