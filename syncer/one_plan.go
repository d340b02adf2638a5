package syncer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/reconcile"
)

// onePlan is what one read of one person comes to.
type onePlan struct {
	place
	person   connectors.Person
	wanted   *roster.WantedMember // as the mapping has them; nil: the IdP has no such person
	groups   []string             // that hold the person
	unjudged []string             // why memberships were left alone
	rules    reconcile.Rules
	cand     roster.MemberCandidate
	dec      reconcile.Decision
	here     *roster.Member // whom the person is here, as stored; nil: nobody, or nobody yet
	newID    string         // our id of whom this creates
	teams    []string       // names of linked teams whose groups hold the person
	drifts   []roster.Drift // the member's before the memberships'
	moved    bool           // what is stored changed after the IdP was asked
}

// plan reads the person and judges them. The one read is made for the purpose, so that it is a run's snapshot and its
// second look in one: the time for which a push is trusted doesn't matter, only whether it came after the read.
func (o *one) plan(ctx context.Context, at place) (*onePlan, error) {
	p := &onePlan{place: at}
	if p.err != nil {
		return nil, p.err
	}
	if err := o.readScope(ctx); err != nil {
		return nil, err
	}
	if err := o.read(ctx, p); err != nil {
		return nil, err
	}
	now, err := o.cfg.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	p.rules = reconcile.Rules{
		Connection: o.conn.ID, Name: o.conn.Name, Source: o.source.Evidence, Now: now, ReadAt: p.at,
		Managed: o.conn.Managed, AdoptLocal: o.conn.AdoptLocal, Match: o.source.Match, Policy: o.source.Policy,
		KeepOutOfScope: o.rules.KeepOutOfScope,
		AllWhole:       true, AssignmentsWhole: true, // nobody is judged by a list: their own assignments were read
	}
	if p.rules.Excluded, err = o.excluded(ctx); err != nil {
		return nil, err
	}
	stage := o.cfg.Store.Around(o.run)
	if err := o.judge(ctx, stage, p); err != nil {
		return nil, err
	}
	if err := o.judgeMemberships(ctx, stage, p); err != nil {
		return nil, err
	}
	return p, o.explainBy(ctx, p)
}

// read reads the person and their groups.
func (o *one) read(ctx context.Context, p *onePlan) error {
	if p.object == "" {
		return nil
	}
	var err error
	if p.person, err = o.reader.Person(ctx, p.object); err != nil || p.person.User == nil {
		return err
	}
	wanted := o.source.Mapping.ToMember(p.person.User, connectors.Stamp(p.stamp))
	p.wanted = &wanted
	reader, ok := o.source.Reader.(connectors.GroupsReader)
	if !ok {
		p.unjudged = append(p.unjudged, "this kind of connection can't read the groups of one person")
		return nil
	}
	p.groups, err = reader.GroupsOf(ctx, p.object)
	return o.leave(ctx, p, err)
}

// leave notes why memberships are left alone. Only what ends the request is an error.
func (o *one) leave(ctx context.Context, p *onePlan, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil || connectors.FaultOf(err) == "" {
		return err
	}
	if text := explain(err); !slices.Contains(p.unjudged, text) {
		p.unjudged = append(p.unjudged, text)
	}
	return nil
}

// judge has the planner judge the person: a live member of the connection without a link as a run's look-up does, anybody
// else from the IdP's side.
func (o *one) judge(ctx context.Context, stage *store.Stage, p *onePlan) error {
	var stored *roster.Member
	if o.member != "" {
		var err error
		if stored, err = o.cfg.Store.Member(ctx, o.ask.Org, o.member); err != nil {
			return err
		}
	}
	p.here = stored
	missing := o.missing(stored)
	look := &roster.Look{Stamp: p.stamp, At: p.at, Found: p.wanted != nil || len(p.several) > 0, InScope: p.person.InScope, There: p.wanted}
	switch {
	case missing:
		if err := o.fromHere(ctx, stage, p, stored); err != nil {
			return err
		}
	case p.object != "":
		if err := o.fromThere(ctx, stage, p); err != nil {
			return err
		}
	default:
		return nil // not there, and not the connection's here
	}
	p.cand.SilenceStamp, p.cand.Look = p.stamp, look
	p.moved = p.cand.Here != nil && p.cand.Here.AsOf() > p.stamp
	p.dec = p.rules.Member(p.cand)
	if !missing {
		o.sayScope(p)
	}
	o.whoItIs(p)
	o.take(p, p.dec)
	return nil
}

// fromHere makes the candidate of a member without a link, of whom the look-up found somebody, several or nobody.
func (o *one) fromHere(ctx context.Context, stage *store.Stage, p *onePlan, m *roster.Member) error {
	cands := []roster.MemberCandidate{{Here: m}}
	if err := stage.FillMembers(ctx, cands); err != nil {
		return err
	}
	c := &cands[0]
	if p.object != "" {
		links, err := stage.LinksOf(ctx, roster.TypeMember, []string{p.object})
		if err != nil {
			return err
		}
		c.ObjectID, c.There, c.Link = p.object, p.wanted, links[p.object]
		if err := stage.FillMatches(ctx, c); err != nil {
			return err
		}
	}
	p.cand = *c
	return nil
}

// fromThere makes the candidate of a person whom the IdP has, or had. Out of scope is who has no assignment of their own.
func (o *one) fromThere(ctx context.Context, stage *store.Stage, p *onePlan) error {
	there := &roster.WantedMember{ObjectID: p.object, Stamp: p.stamp, Gone: cmp.Or(p.person.Why, "no such person there any more")}
	if p.wanted != nil {
		w := *p.wanted
		w.OutOfScope = w.OutOfScope || w.Gone == "" && w.Enabled && !p.person.InScope
		w.Enabled, w.Keep = w.Enabled && p.person.InScope, w.Keep && p.person.InScope
		there = &w
	}
	cands := []roster.MemberCandidate{{ObjectID: p.object, There: there}}
	if err := stage.FillMembers(ctx, cands); err != nil {
		return err
	}
	p.cand = cands[0]
	return o.namesakes(ctx, &p.cand)
}

// sayScope says of whom no assignment puts in scope that it is that, not an account switched off.
func (o *one) sayScope(p *onePlan) {
	if p.wanted == nil || p.person.InScope {
		return
	}
	for i := range p.dec.Drifts {
		for j := range p.dec.Drifts[i].Evidence {
			if e := &p.dec.Drifts[i].Evidence[j]; e.Source == o.source.Evidence {
				e.Text = cmp.Or(p.person.Why, "their own assignments, read for this person, do not put them in scope")
				break
			}
		}
	}
}

// whoItIs finds whom the person is here by the decision.
func (o *one) whoItIs(p *onePlan) {
	c := &p.cand
	switch {
	case p.dec.Link != nil:
		for i := range c.Matches {
			if c.Matches[i].Member.ID == p.dec.Link.TargetID {
				p.here = &c.Matches[i].Member
			}
		}
		if c.Here != nil && c.Here.ID == p.dec.Link.TargetID {
			p.here = c.Here
		}
	case c.Here != nil:
		p.here = c.Here
	}
	for i := range p.dec.Drifts {
		if p.dec.Drifts[i].Action == roster.ActCreate {
			p.newID = roster.NewID()
		}
	}
}

// take adds a decision to the plan. What a run would hold for a person to approve, this only lists: it has no held plan.
func (o *one) take(p *onePlan, d reconcile.Decision) {
	for _, drift := range d.Drifts {
		drift.Reason = o.names.Replace(drift.Reason)
		if why := drift.AlwaysHeld + drift.Waits; drift.Action != roster.ActNone && why != "" {
			drift.Action, drift.AlwaysHeld, drift.Waits, drift.Link = roster.ActNone, "", "", nil
			drift.Reason += fmt.Sprintf("; %s: a whole run (`rosterd resync --connection %s`) holds it for approval", why, o.conn.Name)
		}
		p.drifts = append(p.drifts, drift)
	}
}

// judgeMemberships compares the groups that hold the person with the teams that they are in here.
func (o *one) judgeMemberships(ctx context.Context, stage *store.Stage, p *onePlan) error {
	linked := p.dec.Link != nil || p.cand.Link != nil && p.here != nil && p.cand.Link.TargetID == p.here.ID
	if p.object == "" || len(p.unjudged) > 0 || !linked && p.newID == "" {
		return nil
	}
	member, status, name := p.newID, roster.Status(""), ""
	if p.newID == "" {
		member, status, name = p.here.ID, p.here.Status, p.here.UserName()
	} else {
		name = p.wanted.UserName()
	}
	cands, err := stage.MembershipsOf(ctx, p.object, member, p.groups)
	if err != nil {
		return err
	}
	for i := range cands {
		c := &cands[i]
		c.There = slices.Contains(p.groups, c.TeamObject)
		c.MemberStatus, c.UserName, c.MemberLinked = status, name, true
		c.Enabled = p.wanted != nil && (p.wanted.Enabled || p.wanted.Keep) && p.person.InScope
		c.Stamp, c.LookStamp, c.LookAt, c.MemberPlan = p.stamp, p.stamp, p.at, p.planned()
		if c.There {
			p.teams = append(p.teams, c.TeamName)
		}
		if err := o.judgeOneMembership(ctx, p, c); err != nil {
			return err
		}
	}
	return nil
}

// planned is what the plan does to the member themselves.
func (p *onePlan) planned() *roster.PlannedFor {
	for i := range p.dec.Drifts {
		if d := &p.dec.Drifts[i]; d.Kind != roster.StaleMember {
			return &roster.PlannedFor{Kind: d.Kind, Action: d.Action}
		}
	}
	if p.dec.Link != nil {
		return &roster.PlannedFor{Kind: roster.LinkKind}
	}
	return nil
}

// judgeOneMembership judges one membership. That a group is not among those of the person removes nobody: its own list,
// read whole, has to say the same.
func (o *one) judgeOneMembership(ctx context.Context, p *onePlan, c *roster.MembershipCandidate) error {
	holds := c.There
	if present := c.Row != nil && c.Row.Present; present && !c.There {
		var err error
		if c.LookStamp, c.LookAt, err = o.stamp(ctx); err != nil {
			return err
		}
		c.Stamp = c.LookStamp
		list, err := o.reader.GroupMembers(ctx, c.TeamObject)
		if err != nil {
			return o.leave(ctx, p, err)
		}
		holds = slices.ContainsFunc(list, func(id string) bool { return strings.EqualFold(id, c.MemberObject) })
		if holds {
			return nil
		}
		c.ListWhole = true
	}
	c.Look = &holds
	p.moved = p.moved || c.Row != nil && c.Row.Seq > c.LookStamp
	d := p.rules.Membership(*c)
	for i := range d.Drifts {
		if c.There && len(d.Drifts[i].Evidence) > 0 { // it was the person who was asked, not the group
			d.Drifts[i].Evidence[0].Text = "the person's own groups, read for this person, have this one"
		}
	}
	o.take(p, d)
	return nil
}
