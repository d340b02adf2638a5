package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

type matchedTeam struct {
	found    *roster.TeamMatch
	rule     string
	conflict string
}

// matchTeam tries the first-link rules in order: externalId, then displayName. A deleted team matches by the same
// non-empty externalId only, where no active one does, and only if it could be linked.
func (r Rules) matchTeam(c *roster.TeamCandidate, there *roster.WantedTeam) matchedTeam {
	var byExternalID, deleted, byName []*roster.TeamMatch
	for i := range c.Matches {
		m := &c.Matches[i]
		if slices.Contains(c.Refused, m.Team.ID) {
			continue // an operator undid the link
		}
		sameID := m.ByExternalID && m.Team.ExternalID != ""
		switch {
		case m.Team.Status != roster.Deleted && sameID:
			byExternalID = append(byExternalID, m)
		case m.Team.Status != roster.Deleted && m.ByDisplayName && roster.Fold(there.DisplayName) != "":
			byName = append(byName, m)
		case m.Team.Status == roster.Deleted && sameID && r.unlinkableTeam(m, c.ObjectID, RuleExternalID) == "":
			deleted = append(deleted, m)
		}
	}
	if c.Here != nil {
		deleted = nil // the link's own deleted team comes back, no other
	}
	for _, set := range []struct {
		rule  string
		found []*roster.TeamMatch
	}{{RuleExternalID, byExternalID}, {RuleExternalID, deleted}, {RuleDisplayName, r.oursByName(byName)}} {
		switch len(set.found) {
		case 0:
			continue
		case 1:
			return matchedTeam{found: set.found[0], rule: set.rule,
				conflict: r.unlinkableTeam(set.found[0], c.ObjectID, set.rule)}
		}
		names := make([]string, len(set.found))
		for i, m := range set.found {
			names[i] = teamName(&m.Team)
		}
		return matchedTeam{conflict: fmt.Sprintf("several teams match by %s: %s; rename or delete all but one of them",
			set.rule, strings.Join(names, ", "))}
	}
	return matchedTeam{}
}

// oursByName narrows several teams of one name to the one that this connection's own pushes made, where all others are
// another connection's: both IdPs have a group "Engineering", and names may repeat.
func (r Rules) oursByName(found []*roster.TeamMatch) []*roster.TeamMatch {
	var ours []*roster.TeamMatch
	for _, m := range found {
		switch {
		case m.Team.Source == roster.SourceLocal || m.Team.Connection == "":
			return found
		case m.Team.Connection == r.Connection:
			ours = append(ours, m)
		}
	}
	if len(ours) == 1 {
		return ours
	}
	return found
}

// unlinkableTeam says why a match must not be linked; empty: it may.
func (r Rules) unlinkableTeam(m *roster.TeamMatch, object, rule string) string {
	switch {
	case m.LinkedObject != "" && m.LinkedObject != object:
		return fmt.Sprintf("matches by %s %s, which is linked here to another object (%s); rename one of the groups there",
			rule, teamName(&m.Team), m.LinkedObject)
	case m.Team.Source == roster.SourceLocal:
		return fmt.Sprintf("matches by %s %s, which is local and never touched by a connection; rename one of them",
			rule, teamName(&m.Team))
	case !r.mine(m.Team.Connection):
		return fmt.Sprintf("matches by %s %s, which another connection (%s) owns; rename one of them",
			rule, teamName(&m.Team), m.Team.Connection)
	}
	return ""
}

// unlinkedTeam judges a stored team without a link, as unlinkedMember does a member: There and ObjectID hold what the
// look-up by name found, Look whether it is assigned, or that nothing was found.
func (r Rules) unlinkedTeam(c *roster.TeamCandidate) Decision {
	if c.Here.Source == roster.SourceLocal || !r.mine(c.Here.Connection) || c.Here.Status == roster.Deleted {
		return Decision{}
	}
	g := group{c: c, here: c.Here, state: roster.LinkGone}
	gone := r.noSuchTeam(g)
	switch {
	case c.HeldBy != "":
		return held(gone.drifts, c.HeldBy)
	case c.Look == nil:
		return Decision{Look: true, LookReason: "stored without a link: look it up by display name",
			Drifts: listed(gone.drifts, "waits for a look-up in the IdP")}
	}
	here := stamps{c.Here.Seq, c.Here.PushedSeq, c.Here.PushedAt}
	if !c.Look.Found {
		if c.There != nil {
			return Decision{} // found by the look-up and gone a moment later
		}
		if why := r.fresh(here, c.SilenceStamp); why != "" {
			gone.drifts = listed(gone.drifts, "not found there yet, and "+why+"; left to the next run")
		}
		return gone.decision()
	}
	there := c.Look.There
	if there == nil {
		there = c.There
	}
	if there == nil || c.ObjectID == "" || c.Link != nil {
		var j judged
		g.evidence = []roster.Evidence{r.saw(c.Look.At, "found by a look-up")}
		j.add(g.drift(roster.ConflictKind, roster.ActNone,
			"several groups there have its name, or the one that has is linked to another team here; rename one of them"))
		return j.decision()
	}
	if m := r.matchTeam(teamWithSelf(c, there), there); m.conflict != "" || m.found == nil || m.found.Team.ID != c.Here.ID {
		var j judged
		why := m.conflict
		if why == "" && m.found != nil {
			why = fmt.Sprintf("the group there matches %s by %s first; rename one of them", teamName(&m.found.Team), m.rule)
		}
		if why == "" && slices.Contains(c.Refused, c.Here.ID) {
			why = "an operator undid the link to the group there that has its name; rename one of them"
		}
		if why == "" {
			return Decision{} // found by the look-up and renamed a moment later
		}
		g.evidence = []roster.Evidence{r.saw(c.Look.At, "found by a look-up")}
		j.add(g.drift(roster.ConflictKind, roster.ActNone, why))
		return j.decision()
	}
	return r.foundTeam(c, there, here)
}

// teamWithSelf is the candidate with the team that was looked up among those that share a key with the group found. A
// deleted team comes back for a group in scope only.
func teamWithSelf(c *roster.TeamCandidate, there *roster.WantedTeam) *roster.TeamCandidate {
	probe, ext := *c, c.Here.ExternalID
	if c.Look.InScope {
		probe.Here = nil
	}
	probe.Matches = append(slices.Clone(c.Matches), roster.TeamMatch{
		Team:          *c.Here,
		ByExternalID:  ext != "" && (ext == c.ObjectID || ext == there.ExternalID),
		ByDisplayName: roster.Fold(c.Here.DisplayName) == roster.Fold(there.DisplayName),
	})
	return &probe
}

func (r Rules) foundTeam(c *roster.TeamCandidate, there *roster.WantedTeam, here stamps) Decision {
	g := r.lookedAt(c)
	g.here, g.there, g.made = c.Here, there, LinkMade
	g.link = r.newLink(roster.TypeTeam, c.ObjectID, c.Here.ID, RuleDisplayName)
	g.link.Org = c.Here.Org
	if !c.Look.InScope && !r.AssignmentsWhole {
		var j judged // a second look never decides alone
		j.keepTeam(g, g.seen(true))
		return j.decision()
	}
	j := r.linkedTeam(g)
	if j.acts() && here.after(c.Look.Stamp) {
		return Decision{Drifts: listed(j.drifts, "changed by a push while it was read; left to the next run")}
	}
	return j.decision()
}

func (r Rules) noSuchTeam(g group) judged {
	var j judged
	if !r.AssignmentsWhole {
		return j
	}
	g.evidence = []roster.Evidence{r.saw(r.readAt(), "no group there has its name")}
	if g.here.Connection == "" {
		j.add(g.drift(roster.OrphanedTeam, roster.ActNone, "unclaimed: no connection links it, and no group there has its name"))
		return j
	}
	d := g.drift(roster.OrphanedTeam, roster.ActDelete, "owned, without a link, and no group there has its name")
	d.AlwaysHeld = "never linked: nothing but absence speaks against it"
	d.TeamSize = g.c.Members
	j.add(d)
	return j
}
