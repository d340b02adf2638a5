package reconcile

import (
	"github.com/rosterd/rosterd/internal/roster"
)

// Membership judges one membership that exists on one side only. A run changes those of teams that its connection owns,
// or comes to own in this run: then the team has no owner yet and TeamPlan is what the run plans for it, of LinkKind
// where it only links it.
//
//	| list   | here    | person                                        | then                                          |
//	|--------|---------|-----------------------------------------------|-----------------------------------------------|
//	| holds  | absent  | out of scope or disabled there                | nothing                                       |
//	| holds  | absent  | live here, or made so by this run's plan      | missing_membership: add                       |
//	| holds  | absent  | anything else (suspended, in conflict)        | nothing                                       |
//	| lacks  | present | the list is not whole, and nobody said that   | nothing                                       |
//	|        |         | they left the group                           |                                               |
//	| lacks  | present | linked to this connection, suspended or not   | extra_membership: remove                      |
//	| lacks  | present | not linked to this connection                 | extra_membership: none                        |
//	| lacks  | present | any, and the team is another's                | extra_membership: none                        |
//	| any    | any     | the team is deleted by this run               | nothing: its memberships are kept             |
//	| lacks  | present | the team is deleted here                      | nothing, also in the run that restores it     |
//
// Where the membership changed after the list was read, or a push spoke of it within settle, the list is read again and
// must agree. What depends on an action that is held waits with it.
func (r Rules) Membership(c roster.MembershipCandidate) Decision {
	return r.reported(r.judgeMembership(c))
}

func (r Rules) judgeMembership(c roster.MembershipCandidate) Decision {
	d, ok := r.membership(&c)
	excluded := r.Excluded.Of(c.MemberID, c.TeamID)
	switch {
	case !ok:
		return Decision{}
	case excluded != nil:
		return Decision{Drifts: listed([]roster.Drift{d}, excluded.String())}
	case c.HeldBy != "":
		return held([]roster.Drift{d}, c.HeldBy)
	case d.Action == roster.ActNone || c.Row == nil:
		return Decision{Drifts: []roster.Drift{d}}
	}
	here := stamps{seq: c.Row.Seq, pushedAt: c.Row.PushedAt}
	why := r.fresh(here, c.Stamp)
	switch {
	case why == "":
		return Decision{Drifts: []roster.Drift{d}}
	case c.Look == nil:
		return Decision{Look: true, LookReason: why,
			Drifts: listed([]roster.Drift{d}, "waits for a second look, as it is "+why)}
	case *c.Look != c.There:
		return Decision{Again: "the group's list, read again, says otherwise"} // it is in line with what is here
	case here.after(c.LookStamp):
		return Decision{Drifts: listed([]roster.Drift{d}, "changed by a push while it was read; left to the next run")}
	}
	d.Evidence = append(d.Evidence, r.saw(c.LookAt, "the group's list, read again, says the same"))
	return Decision{Drifts: []roster.Drift{d}}
}

func (r Rules) membership(c *roster.MembershipCandidate) (roster.Drift, bool) {
	present := c.Row != nil && c.Row.Present
	switch {
	case c.There == present, planned(c.TeamPlan, roster.OrphanedTeam, roster.ActDelete):
		return roster.Drift{}, false
	case c.There:
		return r.missing(c)
	case !c.ListWhole && !c.Left || c.TeamStatus == roster.Deleted:
		return roster.Drift{}, false
	}
	return r.extra(c)
}

func (r Rules) missing(c *roster.MembershipCandidate) (roster.Drift, bool) {
	comesBack := comesLive(c.MemberPlan)
	live := c.MemberStatus.Live() && !planned(c.MemberPlan, roster.OrphanedMember, roster.ActDeactivate)
	made := c.MemberStatus == "" && planned(c.MemberPlan, roster.MissingMember, roster.ActCreate)
	if !c.Enabled || !r.takes(c) || !live && !made && !comesBack {
		return roster.Drift{}, false
	}
	d := r.membershipDrift(c, roster.MissingMembership, roster.ActAdd, "in the group there, not in the team here",
		"the group's list holds them")
	switch {
	case comesBack:
		d.Needs = []roster.Guarded{roster.GuardReactivate}
	case made:
		d.Needs = []roster.Guarded{roster.GuardNewMember}
	}
	if c.TeamStatus != roster.Active {
		d.Needs = append(d.Needs, roster.GuardNewTeam)
	}
	switch {
	case c.MemberPlan != nil && c.MemberPlan.Held:
		d.Waits = "waits for the member, whose " + string(c.MemberPlan.Kind) + " is held"
	case c.TeamPlan != nil && c.TeamPlan.Held && c.TeamStatus != roster.Active:
		d.Waits = "waits for the team, whose " + string(c.TeamPlan.Kind) + " is held"
	}
	return d, true
}

func (r Rules) extra(c *roster.MembershipCandidate) (roster.Drift, bool) {
	seen := "the group's list, read whole, does not hold them"
	if !c.ListWhole {
		seen = "taken out of the group, by its changes"
	}
	switch {
	case c.TeamOwner != "" && c.TeamOwner != r.Connection:
		return r.membershipDrift(c, roster.ExtraMembership, roster.ActNone,
			"not in the group there, but another connection ("+c.TeamOwner+") owns the team", seen), true
	case !r.owns(c):
		return r.membershipDrift(c, roster.ExtraMembership, roster.ActNone,
			"not in the group there, but no connection owns the team", seen), true
	case !c.MemberLinked:
		return r.membershipDrift(c, roster.ExtraMembership, roster.ActNone,
			"not in the group there, but the member is not linked to this connection", seen), true
	}
	d := r.membershipDrift(c, roster.ExtraMembership, roster.ActRemove, "in the team here, not in the group there", seen)
	d.TeamSize = c.TeamMembers
	switch {
	case planned(c.MemberPlan, roster.OrphanedMember, roster.ActDeactivate):
		// It goes because its member does: no limit counts it, and it goes only if they do.
		d.Uncounted, d.Needs = true, []roster.Guarded{roster.GuardMember}
		if c.MemberPlan.Held {
			d.Waits = "waits for the member, whose deactivation is held"
		}
	case c.MemberStatus == roster.Deactivated || c.MemberStatus == roster.Deleted:
		d.Uncounted = !comesLive(c.MemberPlan)
	}
	return d, true
}

// takes reports whether the team is there to take somebody, or will be by this run.
func (r Rules) takes(c *roster.MembershipCandidate) bool {
	switch c.TeamStatus {
	case roster.Active:
		return r.owns(c)
	case roster.Deleted:
		return r.owns(c) && planned(c.TeamPlan, roster.MissingTeam, roster.ActRestore)
	}
	return planned(c.TeamPlan, roster.MissingTeam, roster.ActCreate)
}

// owns reports whether the run's connection owns the team, or claims it in this run by linking it.
func (r Rules) owns(c *roster.MembershipCandidate) bool {
	if c.TeamOwner != "" {
		return c.TeamOwner == r.Connection
	}
	return c.TeamPlan != nil && c.TeamPlan.Kind != roster.ConflictKind && c.TeamPlan.Kind != roster.OrphanedTeam
}

func planned(p *roster.PlannedFor, kind roster.Kind, action roster.Action) bool {
	return p != nil && p.Kind == kind && p.Action == action
}

func comesLive(p *roster.PlannedFor) bool {
	return planned(p, roster.RedundantSoftDelete, roster.ActReactivate) ||
		planned(p, roster.RedundantSoftDelete, roster.ActRestore)
}

func (r Rules) membershipDrift(
	c *roster.MembershipCandidate, kind roster.Kind, action roster.Action, reason, seen string,
) roster.Drift {
	d := roster.Drift{Kind: kind, Action: action, Reason: reason,
		TeamObject: c.TeamObject, MemberObject: c.MemberObject, TeamID: c.TeamID, MemberID: c.MemberID,
		TeamName: c.TeamName,
		Evidence: []roster.Evidence{r.saw(r.readAt(), seen)},
		Subject:  roster.Subject{Type: roster.TypeMembership, Name: c.UserName + " in " + c.TeamName}}
	if c.TeamObject != "" && c.MemberObject != "" {
		d.Subject.ObjectID = c.TeamObject + "/" + c.MemberObject
	}
	if c.Row != nil {
		d.Version = c.Row.Version
		d.Evidence = append(d.Evidence, pushedAt(c.Row.PushedAt)...)
		if c.Row.Present {
			d.Subject.ID = c.TeamID + "/" + c.MemberID
		}
	}
	return d
}
