package syncer

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/reconcile"
)

// Preview reads one person as a resync of them does, and says what the connection's mapping makes of them, who they are or
// would become here, and what a resync would do. It writes nothing, not even a run.
func (s *Syncer) Preview(ctx context.Context, org, connection, key string) (roster.Preview, error) {
	ctx, done := context.WithTimeoutCause(connectors.OnceAsked(ctx), s.cfg.One, errLate)
	defer done()
	p, err := s.preview(ctx, roster.AskOne{Org: org, Key: strings.TrimSpace(key), Connections: []string{connection}, Dry: true})
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errLate):
		return p, roster.Errorf(roster.Unavailable, "%s", errLate)
	case err != nil:
		return p, refusal(ctx, err)
	}
	return p, nil
}

func (s *Syncer) preview(ctx context.Context, ask roster.AskOne) (roster.Preview, error) {
	if uuid.Validate(ask.Key) == nil {
		ask.Key = strings.ToLower(ask.Key)
	}
	member, err := s.whom(ctx, &ask)
	if err != nil {
		return roster.Preview{}, err
	}
	ones, err := s.ones(ctx, ask, member)
	if err != nil {
		return roster.Preview{}, err
	}
	ones, places, err := locateAll(ctx, ones, member)
	if err != nil {
		return roster.Preview{}, err
	}
	o, at := ones[0], places[0]
	for first := true; ; first = false {
		p, err := o.plan(connectors.WithBudget(ctx, o.budget), at)
		if err != nil {
			return roster.Preview{}, err
		}
		if !first || !p.moved {
			return o.previewOf(ctx, p)
		}
		if at, err = o.locate(ctx); err != nil {
			return roster.Preview{}, err
		}
	}
}

// previewOf says what a plan comes to.
func (o *one) previewOf(ctx context.Context, p *onePlan) (roster.Preview, error) {
	here, err := o.sayHere(ctx, p.here)
	if err != nil {
		return roster.Preview{}, err
	}
	out := roster.Preview{
		Key: o.ask.Key, ObjectID: p.object, There: storable(o.sayThere(p)), Here: here, Teams: p.teams, Unjudged: p.unjudged,
	}
	if p.here != nil {
		out.MemberID = p.here.ID
	}
	if p.wanted != nil {
		out.Found, out.InScope, out.Enabled, out.Scope = true, p.person.InScope && p.wanted.Gone == "", p.wanted.Enabled, storable(p.wanted.Scope)
		switch {
		case out.InScope:
		case p.person.InScope:
			out.Scope = storable(p.wanted.Gone)
		default:
			out.Scope = "no assignment of theirs is to the application"
		}
		out.Read = o.source.Mapping.Read(p.person.User)
		out.Values = o.previewValues(p)
	}
	out.Link, out.Rule = p.previewLink()
	for _, v := range o.linkVerbs(p) {
		out.Would = append(out.Would, v.now)
	}
	for i := range p.drifts {
		if d := &p.drifts[i]; d.Action == roster.ActNone {
			out.Left = append(out.Left, d.Reason)
		} else {
			out.Would = append(out.Would, verbOf(d).now)
		}
	}
	if p.moved {
		out.Left = append(out.Left, "it was changed here while it was read: ask again")
	}
	return out, nil
}

// previewValues compares each mapped attribute with what is stored.
func (o *one) previewValues(p *onePlan) []roster.PreviewValue {
	var out []roster.PreviewValue
	for _, x := range o.source.Mapping.Explain(p.person.User) {
		v := roster.PreviewValue{Target: x.Target, Source: x.Source, Value: x.Value, Problem: x.Problem, State: roster.PreviewDiffers}
		if p.here != nil {
			v.Stored = storedFor(p.here, x.Target)
		}
		switch {
		case x.Problem != "":
			v.State = roster.PreviewProblem
		case x.Target == mapping.Scope:
			v.State = roster.PreviewNew
		case x.Value == "" && x.Clear && v.Stored != "":
			v.State = roster.PreviewClears
		case x.Value == "":
			v.State = roster.PreviewEmpty
		case p.here == nil:
			v.State = roster.PreviewNew
		case x.Value == v.Stored:
			v.State = roster.PreviewSame
		}
		out = append(out, v)
	}
	return out
}

// storedFor is what a member has for a line of the mapping.
func storedFor(m *roster.Member, target string) string {
	switch {
	case target == mapping.Scope:
		return ""
	case target == mapping.Active && m.Status.Live():
		return "True"
	case target == mapping.Active:
		return "False"
	}
	return m.Attributes.Get(target)
}

// previewLink says whom the person is here by the decision, and by which rule.
func (p *onePlan) previewLink() (link roster.PreviewLink, rule string) {
	if d := &p.dec; d.Link != nil {
		switch d.LinkChange {
		case reconcile.LinkMade:
			return roster.PreviewWouldLink, d.Link.Rule
		case reconcile.LinkMoved:
			return roster.PreviewWouldMove, d.Link.Rule
		case reconcile.LinkAdopted:
			return roster.PreviewAdopt, d.Link.Rule
		case reconcile.LinkNone, reconcile.LinkSeen:
		}
	}
	if p.newID != "" {
		return roster.PreviewCreate, ""
	}
	if l := p.cand.Link; l != nil && p.here != nil && l.TargetID == p.here.ID {
		return roster.PreviewLinked, l.Rule
	}
	for i := range p.drifts {
		if p.drifts[i].Kind == roster.ConflictKind {
			return roster.PreviewConflict, ""
		}
	}
	return roster.PreviewNobody, ""
}

// JobMapping reads how the IdP's own job maps people, as a mapping of the connection would have it.
func (s *Syncer) JobMapping(ctx context.Context, _ string, connection string) (roster.JobMapping, error) {
	none := roster.JobMapping{}
	src, err := s.source(connection)
	if err != nil {
		return none, err
	}
	jobs, has := src.Reader.(connectors.JobReader)
	reader, reads := src.Reader.(connectors.JobSchemaReader)
	if !has || !reads {
		return none, roster.Errorf(roster.Invalid, "this kind of connection has no provisioning job whose mapping can be read")
	}
	ctx, done := context.WithTimeout(connectors.WithBudget(connectors.OnceAsked(ctx), connectors.NewBudget(oneCalls)), s.cfg.One)
	defer done()
	job, err := jobs.Job(ctx)
	switch {
	case err != nil:
		return none, refusal(ctx, err)
	case job == nil:
		return none, roster.Errorf(roster.Conflict, "the application has no provisioning job")
	}
	schema, err := reader.JobSchema(ctx, job.ID)
	if err != nil {
		return none, refusal(ctx, err)
	}
	for i := range schema.Objects {
		if o := &schema.Objects[i]; o.Enabled && o.Kind == connectors.JobUsers {
			return src.Mapping.FromJob(o), nil
		}
	}
	return none, roster.Errorf(roster.Conflict, "the provisioning job sends no users: its mapping of them is off")
}
