package api

import (
	"context"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// connection finds one of the organisation's connections by name or id.
func (a *API) connection(ctx context.Context, s scope, key string) (roster.Connection, error) {
	all, err := a.store.Connections(ctx, s.org.ID)
	if err != nil {
		return roster.Connection{}, err
	}
	names := make([]string, len(all))
	for i := range all {
		if all[i].Name == key || all[i].ID == key {
			return all[i], nil
		}
		names[i] = all[i].Name
	}
	if len(all) == 0 {
		return roster.Connection{}, roster.Errorf(roster.NotFound, "no connection %q: organisation %s has none; declare one in the configuration file",
			key, s.org.Name)
	}
	return roster.Connection{}, roster.Errorf(roster.NotFound, "no connection %q; there are: %s", key, strings.Join(names, ", "))
}

// filterConnection is the id of the connection that a list is narrowed to; empty: it isn't.
func (a *API) filterConnection(ctx context.Context, s scope, key string) (string, error) {
	if key == "" {
		return "", nil
	}
	c, err := a.connection(ctx, s, key)
	return c.ID, err
}

// connectionNames gives connections their names by id.
type connectionNames map[string]string

// of is a connection's name; nil for none.
func (n connectionNames) of(id string) *string {
	if called, ok := n[id]; ok {
		return &called
	}
	return optional(id)
}

func (a *API) connectionNames(ctx context.Context, org string) (connectionNames, error) {
	all, err := a.store.Connections(ctx, org)
	if err != nil {
		return nil, err
	}
	names := make(connectionNames, len(all))
	for i := range all {
		names[all[i].ID] = all[i].Name
	}
	return names, nil
}

// health is how an organisation's connections fare, by connection id.
type health struct {
	latest map[string]roster.Run
	held   map[string]bool
	jobs   map[string]roster.Job
	now    time.Time

	lifelines map[string]roster.Lifeline
	schedules []roster.Schedule
}

func (a *API) health(ctx context.Context, org string) (health, error) {
	latest, held, err := a.store.LatestRuns(ctx, org)
	if err != nil {
		return health{}, err
	}
	jobs, err := a.store.Jobs(ctx, org)
	if err != nil {
		return health{}, err
	}
	lifelines, err := a.store.Lifelines(ctx, org)
	if err != nil {
		return health{}, err
	}
	schedules, err := a.store.Schedules(ctx, org)
	return health{latest, held, jobs, a.now(), lifelines, schedules}, err
}

// state says how one connection fares, and why where that needs a word.
func (h health) state(c *roster.Connection) (state, reason string) {
	latest := h.latest[c.ID]
	switch {
	case c.State == roster.ConnectionDetached:
		return "detached", c.DetachedReason
	case c.PausedAt(h.now) != nil:
		return "paused", c.PausedAt(h.now).String()
	case h.held[c.ID]:
		return "held", "a run's plan waits for approval: `rosterd runs list --status held`"
	case latest.State == roster.RunFailed:
		return "failing", latest.Error
	}
	return "ok", ""
}

func (a *API) listConnections(ctx context.Context, s scope, in *orgListInput) (client.Page[client.Connection], error) {
	none := client.Page[client.Connection]{}
	all, err := a.store.Connections(ctx, s.org.ID)
	if err != nil {
		return none, err
	}
	items, next, err := pageOf(in.InPage, all, func(c *roster.Connection) string { return c.Name })
	if err != nil {
		return none, err
	}
	h, err := a.health(ctx, s.org.ID)
	if err != nil {
		return none, err
	}
	out := client.Page[client.Connection]{Items: []client.Connection{}, Next: next}
	for i := range items {
		c, err := a.wireConnection(ctx, &items[i], h)
		if err != nil {
			return none, err
		}
		out.Items = append(out.Items, c)
	}
	return out, nil
}

func (a *API) wireConnection(ctx context.Context, c *roster.Connection, h health) (client.Connection, error) {
	members, teams, err := a.store.Counts(ctx, c.Org, c.ID)
	if err != nil {
		return client.Connection{}, err
	}
	out := client.Connection{Name: c.Name, Kind: string(c.Kind), Target: c.Target, Members: members, Teams: teams}
	if out.Target == "" {
		out.Target = c.Pinned
	}
	out.State, out.Reason = h.state(c)
	out.Job, out.Quarantine = h.job(c)
	out.Paused, out.Policy = wirePause(c.PausedAt(h.now)), a.wirePolicy(c)
	out.Lifeline, out.Blackout = h.lifeline(c), h.blackout(c)
	return out, nil
}

type connectionInput struct {
	InOrg
	Name string `path:"name" doc:"name or id"`
}

func (a *API) testConnection(ctx context.Context, s scope, in *connectionInput) (client.ConnectionTest, error) {
	none := client.ConnectionTest{}
	c, err := a.connection(ctx, s, in.Name)
	switch {
	case err != nil:
		return none, err
	case c.Kind == roster.KindSCIM:
		return none, roster.Errorf(roster.Invalid, "connection %s is push only: there is nothing to test", c.Name)
	case a.runs == nil:
		return none, roster.Errorf(roster.Unavailable, "this daemon reaches no identity provider")
	}
	message, err := a.runs.Test(ctx, s.org.ID, c.ID)
	if err != nil {
		if ctx.Err() != nil {
			return none, err
		}
		return client.ConnectionTest{Name: c.Name, Message: err.Error()}, nil
	}
	return client.ConnectionTest{Name: c.Name, OK: true, Message: message}, nil
}

func (a *API) rebindConnection(ctx context.Context, s scope, in *connectionInput) (client.Connection, error) {
	c, err := a.connection(ctx, s, in.Name)
	if err != nil {
		return client.Connection{}, err
	}
	return a.changeConnection(ctx, s, roster.ConnectionRebind{ID: c.ID})
}

func (a *API) releaseConnection(ctx context.Context, s scope, in *connectionInput) (client.Connection, error) {
	c, err := a.connection(ctx, s, in.Name)
	if err != nil {
		return client.Connection{}, err
	}
	return a.changeConnection(ctx, s, roster.ConnectionRelease{ID: c.ID})
}

type renameInput struct {
	InOrg
	Body client.RenameConnection
}

func (a *API) renameConnection(ctx context.Context, s scope, in *renameInput) (client.Connection, error) {
	return a.changeConnection(ctx, s, roster.ConnectionRename{From: in.Body.Old, To: in.Body.New})
}

func (a *API) changeConnection(ctx context.Context, s scope, change roster.Change) (client.Connection, error) {
	outs, err := a.commit(ctx, s.caller, s.org.ID, change)
	if err != nil {
		return client.Connection{}, err
	}
	h, err := a.health(ctx, s.org.ID)
	if err != nil {
		return client.Connection{}, err
	}
	return a.wireConnection(ctx, outs[0].Connection, h)
}

// connectionStatus is the part of the daemon's status that speaks of one organisation.
func (a *API) connectionStatus(ctx context.Context, org *roster.Organisation) ([]client.ConnectionStatus, error) {
	all, err := a.store.Connections(ctx, org.ID)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	h, err := a.health(ctx, org.ID)
	if err != nil {
		return nil, err
	}
	var latest []roster.Run
	for _, r := range h.latest {
		latest = append(latest, r)
	}
	totals, err := a.totals(ctx, latest)
	if err != nil {
		return nil, err
	}
	due := h.dueTimes()
	out := make([]client.ConnectionStatus, len(all))
	for i := range all {
		c := &all[i]
		out[i] = client.ConnectionStatus{Organisation: org.Name, Name: c.Name, Kind: string(c.Kind), Drift: map[string]int{}}
		out[i].State, _ = h.state(c)
		out[i].Job, out[i].Quarantine = h.job(c)
		out[i].Paused = wirePause(c.PausedAt(h.now))
		out[i].Lifeline, out[i].Blackout = h.lifeline(c), h.blackout(c)
		if p, ok := a.policy(c); ok {
			out[i].DryRun = p.DryRun
		}
		if r, ok := h.latest[c.ID]; ok {
			out[i].LastRun = &client.RunRef{Run: r.ID, Mode: string(r.Mode), State: string(r.State), FinishedAt: optionalTime(r.FinishedAt)}
			out[i].Drift = totals.of(r.ID)
		}
		if c.State != roster.ConnectionDetached {
			out[i].NextDelta = optionalTime(due[c.ID][roster.ModeDelta])
			out[i].NextFull = optionalTime(due[c.ID][roster.ModeFull])
		}
	}
	return out, nil
}

// dueTimes says when the connections of an organisation run next by their schedules.
func (h health) dueTimes() map[string]map[roster.Mode]time.Time {
	out := map[string]map[roster.Mode]time.Time{}
	for i := range h.schedules {
		s := &h.schedules[i]
		if out[s.Connection] == nil {
			out[s.Connection] = map[roster.Mode]time.Time{}
		}
		out[s.Connection][s.Mode] = starts(s)
	}
	return out
}
