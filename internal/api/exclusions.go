package api

import (
	"context"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

func wireExclusion(e *roster.Exclusion) client.Exclusion {
	return client.Exclusion{
		Type: string(e.Type), ID: e.TargetID, Name: e.Name, Connection: optional(e.ConnectionName), Until: e.Until,
		Reason: e.Reason, By: e.By, CreatedAt: e.CreatedAt,
	}
}

type exclusionsInput struct {
	InOrg
	InPage
}

// listExclusions lists what holds now; what has ended is gone.
func (a *API) listExclusions(typ roster.ObjectType) func(context.Context, scope, *exclusionsInput) (client.Page[client.Exclusion], error) {
	return func(ctx context.Context, s scope, in *exclusionsInput) (client.Page[client.Exclusion], error) {
		none := client.Page[client.Exclusion]{}
		all, err := a.store.Exclusions(ctx, s.org.ID, typ)
		if err != nil {
			return none, err
		}
		items, next, err := pageOf(in.InPage, all, func(e *roster.Exclusion) string { return e.TargetID + " " + e.Connection })
		if err != nil {
			return none, err
		}
		return mapped(items, next, wireExclusion), nil
	}
}

// target is our id of the member or team that a key names.
func (a *API) target(ctx context.Context, s scope, typ roster.ObjectType, key string) (string, error) {
	if key == "" || len(key) > maxKey {
		return "", roster.Errorf(roster.Invalid, "key: name the %s in 1 to %d bytes", typ, maxKey)
	}
	if typ == roster.TypeTeam {
		t, err := a.team(ctx, s, key)
		return t.ID, err
	}
	m, err := a.member(ctx, s, key)
	return m.ID, err
}

type excludeInput struct {
	InOrg
	Body client.Exclude
}

func (a *API) exclude(typ roster.ObjectType) func(context.Context, scope, *excludeInput) (client.Exclusion, error) {
	return func(ctx context.Context, s scope, in *excludeInput) (client.Exclusion, error) {
		none := client.Exclusion{}
		why, err := reason(in.Body.Reason)
		if err != nil {
			return none, err
		}
		until, err := a.end(in.Body.Until, in.Body.For)
		if err != nil {
			return none, err
		}
		if until.IsZero() {
			return none, roster.Errorf(roster.Invalid, "until: say when it ends, by a date such as 2026-12-01, or for how long, such as 3d")
		}
		change := roster.Exclude{Type: typ, Until: until, Reason: why}
		if change.ID, err = a.target(ctx, s, typ, in.Body.Key); err != nil {
			return none, err
		}
		if change.Connection, err = a.filterConnection(ctx, s, in.Body.Connection); err != nil {
			return none, err
		}
		return a.changeExclusion(ctx, s, change)
	}
}

type includeInput struct {
	InOrg
	Body client.Include
}

func (a *API) include(typ roster.ObjectType) func(context.Context, scope, *includeInput) (client.Exclusion, error) {
	return func(ctx context.Context, s scope, in *includeInput) (client.Exclusion, error) {
		none := client.Exclusion{}
		change := roster.Include{Type: typ}
		var err error
		if change.ID, err = a.target(ctx, s, typ, in.Body.Key); err != nil {
			return none, err
		}
		if change.Connection, err = a.filterConnection(ctx, s, in.Body.Connection); err != nil {
			return none, err
		}
		return a.changeExclusion(ctx, s, change)
	}
}

func (a *API) changeExclusion(ctx context.Context, s scope, change roster.Change) (client.Exclusion, error) {
	outs, err := a.commit(ctx, s.caller, s.org.ID, change)
	if err != nil {
		return client.Exclusion{}, err
	}
	return wireExclusion(&outs[0].Exclusions[0]), nil
}
