package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// unlinked reports whether the candidate is a stored member that has no link: one that has to be looked up.
func unlinked(c *roster.MemberCandidate) bool {
	return c.Here != nil && (c.Link == nil || c.Link.TargetID != "" && c.Link.TargetID != c.Here.ID)
}

// unlinkedMember judges a stored member without a link. What the look-up found is in There and ObjectID, and Look says
// whether they are in scope; a Look that found nobody says that nobody was found by any match key, one that found
// somebody without saying whom, that several were; Matches are the other members that share a key with who was found.
func (r Rules) unlinkedMember(c *roster.MemberCandidate) Decision {
	if c.Here.Source == roster.SourceLocal || !r.mine(c.Here.Connection) || !c.Here.Status.Live() {
		return Decision{}
	}
	p := person{c: c, here: c.Here, protected: c.Protected, sight: r.snapshot(c)}
	gone := r.notFound(p)
	switch {
	case c.HeldBy != "":
		return held(gone.drifts, c.HeldBy)
	case c.Look == nil:
		return Decision{Look: true, LookReason: "stored without a link: look it up by userName and work email",
			Drifts: listed(gone.drifts, "waits for a look-up in the IdP")}
	}
	here := stamps{c.Here.Seq, c.Here.PushedSeq, c.Here.PushedAt}
	there := c.Look.There
	if there == nil && c.Look.Found {
		there = c.There
	}
	if !c.Look.Found {
		if c.There != nil {
			return Decision{} // found by the look-up and gone a moment later
		}
		if why := r.fresh(here, c.SilenceStamp); why != "" {
			gone.drifts = listed(gone.drifts, "not found there yet, and "+why+"; left to the next run")
		}
		return gone.decision()
	}
	if there == nil || c.ObjectID == "" {
		return r.unsettled(p, "several people there match its userName or work email; settle it with: "+
			r.linkCommand(c.Here.ID, ""))
	}
	if c.Link != nil {
		return r.unsettled(p, "the person there is linked to another member here; settle it with: "+
			r.linkCommand(c.Here.ID, c.ObjectID))
	}
	return r.foundMember(p, there, here)
}

// foundMember links a stored member to the one person whom the look-up found, and judges them. The first-link rules
// decide as they do the other way round: nobody is linked whom they would not choose for that person.
func (r Rules) foundMember(p person, there *roster.WantedMember, here stamps) Decision {
	if there.Gone != "" && p.here.Connection == "" {
		var j judged
		p.evidence = []roster.Evidence{r.saw(p.c.Look.At, there.Gone)}
		j.add(p.drift(roster.OrphanedMember, roster.ActNone, "unclaimed: no connection links it, and this one leaves the person there out"))
		return j.decision()
	}
	m := r.match(withSelf(p, there), there)
	switch {
	case m.conflict != "":
		return r.unsettled(p, m.conflict)
	case m.found == nil && slices.Contains(p.c.Refused, p.here.ID):
		return r.unsettled(p, "an operator undid the link to the person there who matches; settle it with: "+
			r.linkCommand(p.here.ID, p.c.ObjectID))
	case m.found == nil && len(r.Match) > 0:
		return r.unsettled(p, "somebody there has its match keys, but the connection matches by "+strings.Join(r.Match, " and ")+
			" only; settle it with: "+r.linkCommand(p.here.ID, p.c.ObjectID))
	case m.found == nil:
		return Decision{} // found by the look-up and changed a moment later
	case m.found.Member.ID != p.here.ID:
		return r.unsettled(p, fmt.Sprintf("the person there matches %s by %s first; settle it with: %s",
			who(&m.found.Member), m.rule, r.linkCommand(p.here.ID, p.c.ObjectID)))
	}
	look := *p.c.Look
	look.There = there
	p.sight = r.second(&look)
	p.made = LinkMade
	p.link = r.newLink(roster.TypeMember, p.c.ObjectID, p.here.ID, m.rule)
	p.link.Org = p.here.Org
	if (there.Enabled || there.Keep) && !look.InScope && !r.AllWhole {
		j := judged{here: here} // a second look never decides alone
		j.keep(p, p.seen(true))
		return j.decision()
	}
	j := r.linked(p)
	if j.acts() && here.after(look.Stamp) {
		return Decision{Drifts: listed(j.drifts, "changed by a push while it was read; left to the next run")}
	}
	return j.decision()
}

// withSelf is the candidate with the member that was looked up among those that share a key with the person found.
func withSelf(p person, there *roster.WantedMember) *roster.MemberCandidate {
	c := *p.c
	same := func(a, b string) bool { return a != "" && a == b }
	c.Matches = append(slices.Clone(c.Matches), roster.Match{
		Member:       *p.here,
		ByID:         same(p.here.ID, there.MemberID),
		ByExternalID: same(p.here.ExternalID(), p.c.ObjectID),
		ByUserName:   same(roster.Fold(p.here.UserName()), roster.Fold(there.UserName())),
		ByEmail:      same(roster.Fold(p.here.Email()), roster.Fold(there.Values[roster.AttrWorkEmail])),
	})
	return &c
}

// notFound is what it comes to when nobody there has the member's match keys.
func (r Rules) notFound(p person) judged {
	var j judged
	if !r.AllWhole {
		return j
	}
	p.evidence = []roster.Evidence{r.saw(r.readAt(), "nobody there has its userName or work email")}
	switch {
	case p.here.Connection == "":
		j.add(p.drift(roster.OrphanedMember, roster.ActNone, "unclaimed: no connection links it, and nobody there has its match keys"))
	default:
		p.sight.state, p.sight.there = roster.LinkGone, nil
		r.orphan(&j, p)
		j.link, j.change = nil, LinkNone
		for i := range j.drifts {
			d := &j.drifts[i]
			d.Link = nil
			if d.Action != roster.ActNone {
				d.Reason = "owned, without a link, and nobody there has its match keys"
				d.AlwaysHeld = "never linked: nothing but absence speaks against it"
			}
		}
	}
	return j
}

func (r Rules) unsettled(p person, why string) Decision {
	var j judged
	p.evidence = []roster.Evidence{r.saw(p.c.Look.At, "found by a look-up")}
	j.add(p.drift(roster.ConflictKind, roster.ActNone, why))
	return j.decision()
}
