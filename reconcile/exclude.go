package reconcile

import (
	"fmt"

	"github.com/rosterd/rosterd/internal/roster"
)

// Exclusions are the members and teams that the run leaves as they are, by our id.
type Exclusions map[string]roster.Exclusion

// Of returns the exclusion of the first of these ids that has one.
func (x Exclusions) Of(ids ...string) *roster.Exclusion {
	for _, id := range ids {
		if e, ok := x[id]; ok && id != "" {
			return &e
		}
	}
	return nil
}

// leftAlone lists what differs of an excluded object. Nothing is linked, and the next run judges it anew, also one that
// reads only what has changed: so it is repaired soon after the exclusion has ended.
func leftAlone(j judged, e *roster.Exclusion) Decision {
	if j.pass != "" {
		for i := range j.drifts {
			j.drifts[i].Reason = e.String() + ", and ownership stays until then: " + j.drifts[i].Reason
			j.drifts[i].Again = true
		}
	}
	return Decision{Drifts: listed(j.drifts, e.String())}
}

// matchesExcluded lists a person whom a first-link rule ties to somebody excluded: linking would change them.
func (p *person) matchesExcluded(m matched, e *roster.Exclusion, on bool) judged {
	var j judged
	if on {
		d := p.drift(roster.MissingMember, roster.ActNone, fmt.Sprintf("in scope and enabled there, and matches by %s %s, who is %s: "+
			"linked once that has ended", m.rule, who(&m.found.Member), e))
		d.Again = true
		j.add(d)
	}
	return j
}

// matchesExcluded is the same for a group and a team.
func (g *group) matchesExcluded(m matchedTeam, e *roster.Exclusion) judged {
	var j judged
	d := g.drift(roster.MissingTeam, roster.ActNone, fmt.Sprintf("in scope there, and matches by %s %s, which is %s: linked once that has ended",
		m.rule, teamName(&m.found.Team), e))
	d.Again = true
	j.add(d)
	return j
}
