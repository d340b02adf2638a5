package reconcile

import (
	"fmt"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// group is one group in the course of being judged by one read.
type group struct {
	c        *roster.TeamCandidate
	here     *roster.Team
	link     roster.Link
	made     LinkChange
	state    roster.LinkState
	silent   bool
	there    *roster.WantedTeam
	evidence []roster.Evidence
}

// Team judges one group.
//
//	| there      | link | here           | then                                                                  |
//	|------------|------|----------------|-----------------------------------------------------------------------|
//	| in scope   | no   | no match       | missing_team: create                                                  |
//	| in scope   | no   | one active     | link, then as linked                                                  |
//	| in scope   | no   | one deleted    | the same externalId only: link, missing_team: restore                 |
//	| in scope   | no   | no safe match  | conflict                                                              |
//	| any        | yes  | another's      | nothing but the link's state                                          |
//	| in scope   | yes  | active         | stale_team: update, none (an externalId that a push wrote)            |
//	| in scope   | yes  | deleted        | the link moves to an active match; else missing_team: restore, update |
//	| silent     | yes  | active         | orphaned_team: delete, if the list is whole and a look agrees         |
//	| silent     | yes  | deleted        | nothing                                                               |
//	| not looked | no   | active         | ask for a look-up by name                                             |
//	| looked up  | no   | active         | link, then as linked                                                  |
//	| not found  | no   | owned          | orphaned_team, always held, if the list is whole                      |
//	| not found  | no   | unclaimed      | listed, if the list is whole                                          |
func (r Rules) Team(c roster.TeamCandidate) Decision {
	return r.reported(r.judgeGroup(c))
}

func (r Rules) judgeGroup(c roster.TeamCandidate) Decision {
	var excluded *roster.Exclusion
	if c.Here != nil {
		excluded = r.Excluded.Of(c.Here.ID)
	}
	switch unlinked := c.Here != nil && (c.Link == nil || c.Link.TargetID != "" && c.Link.TargetID != c.Here.ID); {
	case unlinked && excluded != nil:
		return Decision{} // not even looked up
	case unlinked:
		return r.unlinkedTeam(&c)
	}
	g := group{c: &c, silent: c.There == nil, there: c.There, state: roster.LinkGone}
	f := first{silent: g.silent, stamp: c.SilenceStamp}
	text := r.words().absentTeam
	if c.There != nil {
		f.stamp, g.state, text = c.There.Stamp, roster.LinkOn, "in scope"
	}
	g.evidence = []roster.Evidence{r.saw(r.readAt(), text)}
	f.judged = r.judgeTeam(g)
	switch {
	case excluded != nil:
		return leftAlone(f.judged, excluded)
	case c.HeldBy != "":
		return held(f.drifts, c.HeldBy)
	}
	var look *int64
	if c.Look != nil {
		look = &c.Look.Stamp
	}
	return r.settle(f, look, func() judged { return r.judgeTeam(r.lookedAt(&c)) })
}

// lookedAt is the group as a second look says it is.
func (r Rules) lookedAt(c *roster.TeamCandidate) group {
	g := group{c: c, there: c.Look.There}
	text := ""
	switch {
	case !c.Look.Found:
		g.state, g.there, text = roster.LinkGone, nil, "no such group found by a second look"
	case !c.Look.InScope:
		g.state, text = roster.LinkOff, r.words().unassignedTeam
	default:
		g.state, text = roster.LinkOn, "in scope, by a second look"
	}
	g.evidence = []roster.Evidence{r.saw(c.Look.At, text)}
	return g
}

func (r Rules) judgeTeam(g group) judged {
	g.here = g.c.Here
	if g.c.Link != nil {
		g.link = *g.c.Link
	}
	if g.here != nil && (g.here.Status != roster.Deleted || g.state != roster.LinkOn) {
		return r.linkedTeam(g)
	}
	if g.there == nil || g.state != roster.LinkOn {
		return judged{}
	}
	m := r.matchTeam(g.c, g.there)
	switch {
	case m.conflict != "":
		var j judged
		j.add(g.drift(roster.ConflictKind, roster.ActNone, m.conflict))
		return j
	case m.found != nil && r.Excluded.Of(m.found.Team.ID) != nil:
		return g.matchesExcluded(m, r.Excluded.Of(m.found.Team.ID))
	case m.found != nil:
		g.made = LinkMade
		if g.c.Link != nil {
			g.made = LinkMoved
		}
		g.here = &m.found.Team
		g.link = r.newLink(roster.TypeTeam, g.c.ObjectID, g.here.ID, m.rule)
		g.link.Org = g.here.Org
		return r.linkedTeam(g)
	case g.here != nil:
		return r.linkedTeam(g)
	}
	return r.createTeam(g)
}

func (r Rules) createTeam(g group) judged {
	var j judged
	if g.there.DisplayName == "" {
		j.add(g.drift(roster.MissingTeam, roster.ActNone, "in scope there, unknown here, but without a displayName"))
		return j
	}
	d := g.drift(roster.MissingTeam, roster.ActCreate, "in scope there, unknown here")
	d.Values = map[string]string{roster.AttrDisplayName: g.there.DisplayName}
	if g.there.ExternalID != "" {
		d.Values[roster.AttrExternalID] = g.there.ExternalID
	}
	l := r.newLink(roster.TypeTeam, g.c.ObjectID, "", "")
	l.State, l.SeenExternalID, l.Seen = roster.LinkOn, g.there.ExternalID, teamPrint(g.there)
	d.Link = &l
	j.add(d)
	return j
}

// linkedTeam judges a group that has a link, or is given one by this decision.
func (r Rules) linkedTeam(g group) judged {
	j := judged{here: stamps{g.here.Seq, g.here.PushedSeq, g.here.PushedAt}}
	active := g.here.Status != roster.Deleted
	switch {
	case g.here.Source == roster.SourceLocal || !r.mine(g.here.Connection):
		j.keepTeam(g, g.seen(true))
		j.claim = false
	case g.silent && !r.AssignmentsWhole:
	case g.state == roster.LinkOn && active:
		r.staleTeam(&j, g, true)
	case g.state == roster.LinkOn:
		j.keepTeam(g, g.seen(false))
		d := g.drift(roster.MissingTeam, roster.ActRestore, "in scope there, deleted here")
		var rest judged
		r.staleTeam(&rest, g, false)
		for i := range rest.drifts {
			rest.drifts[i].Needs = []roster.Guarded{roster.GuardNewTeam}
		}
		l := g.seen(len(rest.drifts) == 0)
		d.Link = &l
		j.add(d)
		j.drifts = append(j.drifts, rest.drifts...)
	case active:
		l := g.seen(true)
		j.keepTeam(g, l)
		d := g.drift(roster.OrphanedTeam, roster.ActDelete, "out of scope or gone there")
		d.TeamSize, d.Link = g.c.Members, &l
		j.add(d)
	default:
		j.keepTeam(g, g.seen(true))
	}
	return j
}

// staleTeam compares the names, as Rules.stale does for a member.
func (r Rules) staleTeam(j *judged, g group, keep bool) {
	update, before := map[string]string{}, map[string]string{}
	var rest []roster.Drift
	if g.there != nil && g.there.DisplayName != "" && g.there.DisplayName != g.here.DisplayName {
		update[roster.AttrDisplayName], before[roster.AttrDisplayName] = g.there.DisplayName, g.here.DisplayName
	}
	if g.there != nil && g.there.ExternalID != "" && g.there.ExternalID != g.here.ExternalID {
		if kept(&g.link, g.here.ExternalIDBy, g.link.SeenExternalID, g.there.ExternalID) {
			d := g.drift(roster.StaleTeam, roster.ActNone, keptReason(roster.AttrExternalID))
			d.Values = map[string]string{roster.AttrExternalID: g.there.ExternalID}
			d.Before = map[string]string{roster.AttrExternalID: g.here.ExternalID}
			rest = append(rest, d)
		} else {
			update[roster.AttrExternalID], before[roster.AttrExternalID] = g.there.ExternalID, g.here.ExternalID
		}
	}
	inLine := len(rest) == 0
	if len(update) > 0 {
		d := g.drift(roster.StaleTeam, roster.ActUpdate, differs(before, update))
		d.Values, d.Before = update, before
		l := g.seen(inLine)
		if v, ok := update[roster.AttrExternalID]; ok {
			l.SeenExternalID = v
		}
		d.Link = &l
		j.add(d)
	}
	j.drifts = append(j.drifts, rest...)
	if keep {
		j.keepTeam(g, g.seen(inLine && len(update) == 0))
	}
}

// seen returns the link as this read leaves it, before any action.
func (g *group) seen(inLine bool) roster.Link {
	l := g.link
	if g.silent {
		return l
	}
	l.State = g.state
	if g.there != nil {
		l.SeenExternalID = seenKey(&g.link, l.SeenExternalID, g.there.ExternalID, g.here.ExternalID)
		if inLine {
			l.Seen = teamPrint(g.there)
		}
	}
	return l
}

func (j *judged) keepTeam(g group, l roster.Link) {
	j.claim = g.here.Connection == ""
	switch {
	case g.made != LinkNone:
		j.link, j.change = &l, g.made
		j.reason = fmt.Sprintf("%s to %s, by %s", g.made, teamName(g.here), l.Rule)
	case g.c.Link != nil && (j.claim || !sameSeen(g.c.Link, &l)):
		j.link, j.change = &l, LinkSeen
	}
}

func (g *group) drift(kind roster.Kind, action roster.Action, reason string) roster.Drift {
	d := roster.Drift{Kind: kind, Action: action, Reason: reason, TeamObject: g.c.ObjectID,
		Subject: roster.Subject{Type: roster.TypeTeam, ObjectID: g.c.ObjectID}}
	d.Evidence = append(d.Evidence, g.evidence...)
	var at time.Time
	if g.here != nil {
		d.Subject.ID, d.Subject.Name, d.Version, d.TeamID = g.here.ID, g.here.DisplayName, g.here.AsOf(), g.here.ID
		at = g.here.PushedAt
	}
	if d.Subject.Name == "" && g.there != nil {
		d.Subject.Name = g.there.DisplayName
	}
	d.Evidence = append(d.Evidence, pushedAt(at)...)
	return d
}

// teamPrint is the fingerprint of a wanted team, over the paths of roster.Team.Values.
func teamPrint(t *roster.WantedTeam) []byte {
	return roster.Fingerprint(map[string]string{roster.AttrDisplayName: t.DisplayName, roster.AttrExternalID: t.ExternalID})
}

func teamName(t *roster.Team) string { return fmt.Sprintf("%q (%s)", t.DisplayName, t.ID) }
