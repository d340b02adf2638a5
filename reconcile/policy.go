package reconcile

import (
	"fmt"
	"slices"

	"github.com/rosterd/rosterd/internal/roster"
)

// Policy says what runs do with each kind of drift; a kind that it doesn't name is applied. The nil Policy applies all.
type Policy map[roster.Kind]roster.Treatment

// limitPolicy is the limit by which a policy's holding is known.
const limitPolicy = "policy"

func (p Policy) reports(kind roster.Kind) bool { return p[kind] == roster.TreatReport }

func (p Policy) holds(kind roster.Kind) bool { return p[kind] == roster.TreatHold }

// kindOf is the kind of drift that the class consists of.
func kindOf(class roster.Guarded) roster.Kind {
	switch class {
	case roster.GuardMember:
		return roster.OrphanedMember
	case roster.GuardMembership:
		return roster.ExtraMembership
	case roster.GuardReactivate:
		return roster.RedundantSoftDelete
	case roster.GuardTeam:
		return roster.OrphanedTeam
	case roster.GuardRename:
		return roster.StaleMember
	case roster.GuardNewMember:
		return roster.MissingMember
	case roster.GuardNewTeam:
		return roster.MissingTeam
	case roster.GuardNone:
	}
	return ""
}

// reported lists, of a decision, what the policy only reports, and what can't be done without it. What is listed so keeps
// no link, and is not looked at again by the next delta: every run that reads everything lists it anew.
func (r Rules) reported(d Decision) Decision {
	if len(r.Policy) == 0 {
		return d
	}
	d.Drifts = slices.Clone(d.Drifts)
	for i := range d.Drifts {
		x := &d.Drifts[i]
		if x.Action == roster.ActNone {
			continue
		}
		why := ""
		if r.Policy.reports(x.Kind) {
			why = "policy: report"
		}
		for _, need := range x.Needs {
			if kind := kindOf(need); why == "" && r.Policy.reports(kind) {
				why = fmt.Sprintf("policy: report, as for %s, which it needs", kind)
			}
		}
		if why != "" {
			*x = listed(d.Drifts[i:i+1], why)[0]
			x.Again = false
		}
	}
	return d
}

// checkPolicy holds the kinds of drift that the policy has wait for a person.
func (v *Verdict) checkPolicy(c *Counts, p Policy) {
	for _, kind := range roster.Treatable() {
		n := c.kinds[kind]
		if n == 0 || !p.holds(kind) {
			continue
		}
		v.kinds[kind] = true
		needing := 0
		for class, more := range c.needing {
			if kindOf(class) == kind {
				needing += more
			}
		}
		v.Limits = append(v.Limits, roster.HeldLimit{Limit: limitPolicy, Actions: n + needing, Of: n,
			Text: fmt.Sprintf("%d %s: the connection's policy holds this kind for approval", n, kind)})
	}
}
