package syncer_test

import (
	"context"
	"slices"
	"testing"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
)

// What a group's delta said of somebody who could not be linked here yet is lost, and it doesn't say it again.
func TestWhoIsSettledLateIsInTheTeamsThatHoldThemByThen(t *testing.T) {
	const name = "taken@contoso.example"
	for told, blind := range map[string]bool{"by their own groups": false, "by the groups themselves, a delta later": true} {
		t.Run(told, func(t *testing.T) {
			eachWorld(t, 30, 3, func(w *world) {
				w.withCursor()
				if blind {
					w.reader(func(r wholeReader) connectors.Reader { return withoutGroups{r} })
				}
				w.commit(operator(), roster.MemberInvite{Email: name, Role: roster.RoleMember})
				id, team := w.joins(name), w.tenant.DesiredTeams()[0]
				w.ok(w.tenant.AddToGroup(team.ObjectID, id))
				w.deltaDoes("conflict none " + name)
				w.deltaDoes("conflict none " + name)
				w.commit(operator(), roster.MemberAdopt{ID: w.members()[name].ID, Connection: w.conn})
				joins := "missing_membership add " + name + " in " + team.DisplayName
				for i := range 2 {
					_, actions := w.delta()
					if got := lines(actions); slices.Contains(got, joins) != (blind == (i == 1)) {
						w.t.Errorf("delta %d did %v", i, got)
					}
				}
				w.deltaDoes()
				w.silent()
			})
		})
	}
}

// withoutGroups is a connector that can't say which groups hold a person.
type withoutGroups struct{ wholeReader }

// GroupsOf refuses.
func (withoutGroups) GroupsOf(context.Context, string) ([]string, error) {
	return nil, &connectors.Error{Fault: connectors.MissingPermission, Message: "refused"}
}

// A team that comes back has the members it had, of whom the group's list may hold fewer by then.
func TestATeamThatComesBackByADeltaKeepsNobodyWhoLeftIt(t *testing.T) {
	eachWorld(t, 30, 3, func(w *world) {
		w.withCursor()
		p := w.direct()[0]
		g, err := w.tenant.AddGroup(idpsim.Group{DisplayName: "Comes And Goes"})
		w.ok(err, w.tenant.AddToGroup(g.ObjectID, p.ObjectID, w.direct()[1].ObjectID), w.tenant.Assign(g.ObjectID))
		w.delta()
		w.ok(w.tenant.Unassign(g.ObjectID))
		if run, _ := w.delta(); run.State == roster.RunHeld {
			w.approve(run.ID)
		}
		w.ok(w.tenant.RemoveFromGroup(g.ObjectID, p.ObjectID), w.tenant.Assign(g.ObjectID))
		w.deltaDoes("missing_team restore Comes And Goes")
		w.deltaDoes("extra_membership remove " + p.UserPrincipalName + " in Comes And Goes")
		w.converged()
		w.silent()
	})
}
