package reconcile

import (
	"fmt"
	"slices"

	"github.com/rosterd/rosterd/internal/roster"
)

// person is one person in the course of being judged by one read.
type person struct {
	c         *roster.MemberCandidate
	here      *roster.Member
	link      roster.Link // as it is, or as it is made by this decision
	made      LinkChange  // how this decision makes the link; LinkNone: it was there
	protected bool
	sight
}

// Member judges one person.
//
//	| there       | link | here            | then                                                                 |
//	|-------------|------|-----------------|----------------------------------------------------------------------|
//	| on          | no   | no match        | missing_member: create                                               |
//	| off, silent | no   | no match        | nothing                                                              |
//	| on, off     | no   | one match       | link, then as linked                                                 |
//	| on          | no   | no safe match   | conflict                                                             |
//	| off         | no   | several match   | conflict; with one that is not ours, nothing                         |
//	| any         | yes  | another's       | nothing but the link's state                                         |
//	| on          | yes  | live            | stale_member: update, none (a push's match key), conflict (a clash)  |
//	| on          | yes  | deactivated     | redundant_soft_delete: reactivate, then update; none if an operator's|
//	| on          | yes  | deleted         | the link moves to a match; else restore, then update; none if an     |
//	|             |      |                 | operator's; conflict if its userName is taken                        |
//	| off, gone   | yes  | live            | orphaned_member: deactivate; conflict if it is the last owner; none  |
//	|             |      |                 | if ownership passes to another connection                            |
//	| silent      | yes  | live            | the same, but only if all lists are whole and a look agrees          |
//	| left        | yes  | live            | the same, but none where the IdP's job keeps who goes out of scope   |
//	| off, silent | yes  | off             | nothing but the link's state                                         |
//	| kept        | no   | no match, off   | nothing                                                              |
//	| kept        | no   | one live match  | link, then as linked                                                 |
//	| kept        | yes  | live            | as one who is on                                                     |
//	| kept        | yes  | off             | nothing; a link to one who is deleted moves to a live match          |
//	| not looked  | no   | live, unlinked  | ask for a look-up by match keys                                      |
//	| looked up   | no   | live, unlinked  | link, then as linked                                                 |
//	| not found   | no   | owned           | orphaned_member, always held, if all lists are whole                 |
//	| not found   | no   | unclaimed       | listed, if all lists are whole                                       |
//
// Of whom an identity provider said that they left ("gone"), nothing else counts. A delta that knows of nothing that puts
// somebody in scope is silent of them; it links nobody by email alone. A person whom an open held plan covers is judged by the snapshot alone and listed. What a fresh push meets, settle says.
// Who is excluded is judged like that too, and nothing is linked.
func (r Rules) Member(c roster.MemberCandidate) Decision {
	return r.reported(r.judgeMember(c))
}

func (r Rules) judgeMember(c roster.MemberCandidate) Decision {
	var excluded *roster.Exclusion
	if c.Here != nil {
		excluded = r.Excluded.Of(c.Here.ID)
	}
	switch {
	case unlinked(&c) && excluded != nil:
		return Decision{} // not even looked up
	case unlinked(&c):
		return r.unlinkedMember(&c)
	}
	f := first{judged: r.judge(&c, r.snapshot(&c))}
	if excluded != nil {
		return leftAlone(f.judged, excluded)
	}
	f.silent = c.There == nil
	f.stamp = c.SilenceStamp
	if c.There != nil {
		f.stamp = c.There.Stamp
	}
	if c.HeldBy != "" {
		return held(f.drifts, c.HeldBy)
	}
	var look *int64
	if c.Look != nil {
		look = &c.Look.Stamp
	}
	d := r.settle(f, look, func() judged { return r.judge(&c, r.second(c.Look)) })
	if there := c.There; there != nil && there.Problem != "" && (there.Enabled || there.Keep) && !d.Look {
		p := person{c: &c, here: c.Here, sight: r.snapshot(&c)}
		d.Drifts = append(d.Drifts, p.drift(roster.ConflictKind, roster.ActNone,
			"the connection's mapping can't be worked out for this person, and what it concerns stays as it is: "+there.Problem))
	}
	return d
}

// judge says what one read comes to.
func (r Rules) judge(c *roster.MemberCandidate, s sight) judged {
	p := person{c: c, here: c.Here, sight: s, protected: c.Protected}
	if c.Link != nil {
		p.link = *c.Link
	}
	if c.Here == nil || c.Here.Status == roster.Deleted && s.state == roster.LinkOn {
		return r.firstLink(p)
	}
	return r.linked(p)
}

// firstLink finds whom to link, or makes somebody new. A link to a deleted member moves to one that the rules find.
func (r Rules) firstLink(p person) judged {
	if p.there == nil {
		return judged{}
	}
	m := r.match(p.c, p.there)
	on := p.state == roster.LinkOn && !p.kept
	switch {
	case m.conflict != "" && (on || m.several):
		j := judged{}
		j.add(p.drift(roster.ConflictKind, roster.ActNone, m.conflict))
		return j
	case m.conflict != "", m.found != nil && p.kept && !m.found.Member.Status.Live():
		return judged{}
	case m.found != nil && r.Excluded.Of(m.found.Member.ID) != nil:
		return p.matchesExcluded(m, r.Excluded.Of(m.found.Member.ID), on)
	case m.found != nil && m.rule == RuleEmail && r.Delta:
		return r.notByEmail(p, m, on)
	case m.found != nil:
		return r.linked(r.linkTo(p, m))
	case p.here != nil:
		return r.linked(p)
	case on:
		return r.create(p)
	}
	return judged{}
}

// notByEmail leaves a link by email to a run that reads everybody: only that knows whose userName the member has.
func (r Rules) notByEmail(p person, m matched, on bool) judged {
	var j judged
	if on {
		d := p.drift(roster.MissingMember, roster.ActNone, fmt.Sprintf("in scope and enabled there, and has the email of %s: "+
			"a link by email waits for a full run", who(&m.found.Member)))
		d.Again = true
		j.add(d)
	}
	return j
}

// linkTo links the person to the member that a rule found.
func (r Rules) linkTo(p person, m matched) person {
	p.made = LinkMade
	if p.c.Link != nil {
		p.made = LinkMoved
	}
	if m.found.Member.Source == roster.SourceLocal {
		p.made = LinkAdopted
	}
	p.here, p.protected = &m.found.Member, m.found.Protected
	p.link = r.newLink(roster.TypeMember, p.c.ObjectID, p.here.ID, m.rule)
	p.link.Org = p.here.Org
	return p
}

func (r Rules) newLink(t roster.ObjectType, object, target, rule string) roster.Link {
	return roster.Link{Connection: r.Connection, Type: t, ObjectID: object, TargetID: target, Rule: rule, CreatedAt: r.Now}
}

func (r Rules) create(p person) judged {
	var j judged
	values := map[string]string{}
	for _, path := range r.managed(p.there.Values) {
		if v := p.there.Values[path]; v != "" {
			values[path] = v
		}
	}
	if values[roster.AttrUserName] == "" {
		j.add(p.drift(roster.MissingMember, roster.ActNone, "in scope and enabled there, unknown here, but without a userName"))
		return j
	}
	if m := r.holder(p.c, values[roster.AttrUserName], ""); m != nil { // the rules would have found them, had nobody switched one off
		why := "the connection doesn't match by userName, which %s has; settle it with: %s"
		if slices.Contains(p.c.Refused, m.Member.ID) {
			why = "an operator undid the link to %s, who has the userName; settle it with: %s"
		}
		j.add(p.drift(roster.ConflictKind, roster.ActNone, fmt.Sprintf(why, who(&m.Member), r.linkCommand(m.Member.ID, p.c.ObjectID))))
		return j
	}
	d := p.drift(roster.MissingMember, roster.ActCreate, "in scope and enabled there, unknown here")
	d.Values = values
	if r.givenUp(p.c, values[roster.AttrUserName], "") {
		d.Needs = []roster.Guarded{roster.GuardRename}
	}
	l := r.newLink(roster.TypeMember, p.c.ObjectID, "", "")
	l.State, l.Seen = roster.LinkOn, roster.Fingerprint(p.there.Values)
	l.SeenUserName, l.SeenExternalID = p.there.UserName(), p.there.Values[roster.AttrExternalID]
	d.Link = &l
	j.add(d)
	return j
}

// linked judges a person who has a link, or is given one by this decision.
func (r Rules) linked(p person) judged {
	j := judged{here: stamps{p.here.Seq, p.here.PushedSeq, p.here.PushedAt}}
	switch {
	case p.made == LinkAdopted:
		j.keep(p, p.seen(false)) // adopting changes them; the next run judges what they are then
	case p.here.Source == roster.SourceLocal || !r.mine(p.here.Connection):
		j.keep(p, p.seen(true))
		j.claim = false
	case p.silent && !r.AllWhole && !p.c.Ungranted:
	case p.kept && !p.here.Status.Live():
		j.keep(p, p.seen(true))
	case p.state == roster.LinkOn && p.here.Status.Live():
		r.stale(&j, p, nil)
	case p.state == roster.LinkOn:
		r.comeBack(&j, p)
	case p.here.Status.Live():
		r.orphan(&j, p)
	default:
		j.keep(p, p.seen(true))
	}
	return j
}

// comeBack gives back what was taken from somebody who is in scope and enabled.
func (r Rules) comeBack(j *judged, p person) {
	action, was := roster.ActReactivate, "deactivated"
	if p.here.Status == roster.Deleted {
		action, was = roster.ActRestore, "deleted"
	}
	j.keep(p, p.seen(false))
	if p.here.OffBy == roster.ByOperator {
		j.add(p.drift(roster.RedundantSoftDelete, roster.ActNone,
			fmt.Sprintf("in scope and enabled there, but an operator %s them here; no run undoes that", was)))
		return
	}
	d := p.drift(roster.RedundantSoftDelete, action, fmt.Sprintf("in scope and enabled there, %s here", was))
	if action == roster.ActRestore {
		name := p.here.UserName()
		if m := r.holder(p.c, name, p.here.ID); m != nil {
			d.Kind, d.Action = roster.ConflictKind, roster.ActNone
			d.Reason = fmt.Sprintf("deleted here, in scope and enabled there, but the userName is now held by %s; "+
				"rename one of them, or settle it with: %s", who(&m.Member), r.linkCommand(m.Member.ID, p.c.ObjectID))
			j.add(d)
			return
		}
		if r.givenUp(p.c, name, p.here.ID) {
			d.Needs = []roster.Guarded{roster.GuardRename}
		}
	}
	var rest judged
	r.stale(&rest, p, []roster.Guarded{roster.GuardReactivate})
	l := p.seen(len(rest.drifts) == 0)
	d.Link = &l
	j.add(d)
	j.drifts = append(j.drifts, rest.drifts...)
}

// leftOut reports whether it is the connection's own scope that leaves the person out, of whom the IdP knows still.
func (p *person) leftOut() bool {
	there := p.c.There
	if there == nil && p.c.Look != nil {
		there = p.c.Look.There
	}
	return there != nil && there.Gone != "" && there.Off != ""
}

// orphan takes the access of somebody who lost it there.
func (r Rules) orphan(j *judged, p person) {
	l := p.seen(true)
	why := map[bool]string{true: "gone there", false: "disabled or out of scope there"}[p.state == roster.LinkGone && !p.leftOut()]
	switch {
	case p.protected:
		j.keep(p, l)
		j.add(p.drift(roster.ConflictKind, roster.ActNone,
			why+", but a protected owner: the last one who is not deactivated. Make somebody else an owner first"))
	case p.c.PassTo != "":
		j.keep(p, l)
		j.pass = p.c.PassTo
		j.add(p.drift(roster.OrphanedMember, roster.ActNone,
			why+", but in scope for connection "+p.c.PassTo+": ownership passes to it, nobody is deactivated"))
	case p.left && r.KeepOutOfScope != "":
		j.keep(p, l)
		j.add(p.drift(roster.OrphanedMember, roster.ActNone, "out of scope there, "+string(p.here.Status)+" here: "+r.KeepOutOfScope))
	default:
		j.keep(p, l)
		d := p.drift(roster.OrphanedMember, roster.ActDeactivate, why+", "+string(p.here.Status)+" here")
		d.Link = &l
		j.add(d)
	}
}

// drift starts a drift about the person, with what was seen of them.
func (p *person) drift(kind roster.Kind, action roster.Action, reason string) roster.Drift {
	d := roster.Drift{Kind: kind, Action: action, Reason: reason, Evidence: append([]roster.Evidence(nil), p.evidence...),
		Subject: roster.Subject{Type: roster.TypeMember, ObjectID: p.c.ObjectID}}
	if p.here != nil {
		d.Subject.ID, d.Subject.Name, d.Version = p.here.ID, p.here.UserName(), p.here.AsOf()
		d.Evidence = append(d.Evidence, pushed(p.here)...)
	}
	if d.Subject.Name == "" && p.there != nil {
		d.Subject.Name = p.there.UserName()
	}
	return d
}
