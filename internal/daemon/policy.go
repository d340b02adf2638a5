package daemon

import (
	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/reconcile"
)

// limits are a connection's guards as the planner takes them.
func limits(g *config.Guards) *reconcile.Limits {
	guard := func(c config.Guard) reconcile.Limit {
		return reconcile.Limit{Ceiling: c.Ceiling, Floor: c.Floor, Percent: c.Percent}
	}
	return &reconcile.Limits{
		Members: guard(g.Members), Memberships: guard(g.Memberships), Reactivations: guard(g.Reactivations),
		Renames: guard(g.Renames), Conflicts: guard(g.Conflicts),
		TeamFloor: g.Team.Floor, TeamPercent: g.Team.Percent,
		MismatchFloor: g.MappingMismatch.Floor, MismatchPercent: g.MappingMismatch.Percent,
	}
}
