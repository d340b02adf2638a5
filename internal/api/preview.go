package api

import (
	"context"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// Previewer says what a connection makes of one person, and writes nothing; a Runner may be one.
type Previewer interface {
	Preview(ctx context.Context, org, connectionID, key string) (roster.Preview, error)
}

type previewInput struct {
	InOrg
	Name string `path:"name" doc:"name or id"`
	Body client.AskPreview
}

func (a *API) previewConnection(ctx context.Context, s scope, in *previewInput) (client.Preview, error) {
	none := client.Preview{}
	c, err := a.connection(ctx, s, in.Name)
	previewer, able := a.runs.(Previewer)
	switch {
	case err != nil:
		return none, err
	case !able:
		return none, roster.Errorf(roster.Unavailable, "this daemon reaches no identity provider")
	}
	p, err := previewer.Preview(ctx, s.org.ID, c.ID, in.Body.User)
	if err != nil {
		return none, err
	}
	out := client.Preview{
		Organisation: s.org.Name, Connection: c.Name, Key: p.Key, ObjectID: p.ObjectID, Found: p.Found, InScope: p.InScope, Enabled: p.Enabled,
		Scope: p.Scope, Read: p.Read, Attributes: make([]client.PreviewAttribute, len(p.Values)), There: p.There, Here: p.Here,
		MemberID: optional(p.MemberID), Link: string(p.Link), Rule: p.Rule,
		Teams: orEmpty(p.Teams), Would: orEmpty(p.Would), Left: orEmpty(p.Left), Unjudged: orEmpty(p.Unjudged),
	}
	if out.Read == nil {
		out.Read = map[string]string{}
	}
	for i, v := range p.Values {
		out.Attributes[i] = client.PreviewAttribute{
			Target: v.Target, Source: v.Source, Value: v.Value, Stored: v.Stored, State: string(v.State), Problem: v.Problem,
		}
	}
	return out, nil
}

// JobMapper reads how the IdP's own job maps people; a Runner may be one.
type JobMapper interface {
	JobMapping(ctx context.Context, org, connectionID string) (roster.JobMapping, error)
}

func (a *API) jobMapping(ctx context.Context, s scope, in *connectionInput) (client.JobMapping, error) {
	none := client.JobMapping{}
	c, err := a.connection(ctx, s, in.Name)
	mapper, able := a.runs.(JobMapper)
	switch {
	case err != nil:
		return none, err
	case c.Kind != roster.KindEntra:
		return none, roster.Errorf(roster.Invalid, "connection %s is of kind %s: only Entra's provisioning job has a mapping that can be read", c.Name, c.Kind)
	case !able:
		return none, roster.Errorf(roster.Unavailable, "this daemon reaches no identity provider")
	}
	m, err := mapper.JobMapping(ctx, s.org.ID, c.ID)
	if err != nil {
		return none, err
	}
	out := client.JobMapping{Organisation: s.org.Name, Connection: c.Name, Mapping: []client.MappingLine{}, Left: []client.MappingLeft{}}
	for _, l := range m.Lines {
		out.Mapping = append(out.Mapping, client.MappingLine{Target: l.Target, Source: l.Source, From: l.From, Unsent: l.Unsent})
	}
	for _, l := range m.Left {
		out.Left = append(out.Left, client.MappingLeft{Target: l.Target, From: l.From, Why: l.Why})
	}
	return out, nil
}
