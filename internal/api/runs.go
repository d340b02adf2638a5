package api

import (
	"context"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

const onePersonRefused = "resync of one person is not supported by this version yet"

// driftKinds is the closed set.
func driftKinds() []roster.Kind {
	return []roster.Kind{
		roster.MissingMember, roster.RedundantSoftDelete, roster.OrphanedMember, roster.StaleMember, roster.StaleTeam,
		roster.MissingTeam, roster.OrphanedTeam, roster.MissingMembership, roster.ExtraMembership, roster.MissingKey,
		roster.ExtraKey, roster.ConflictKind,
	}
}

type diffInput struct {
	InOrg
	Body *client.AskDiff
}

// diff asks for a dry run of a connection, which must be named where there are several.
func (a *API) diff(ctx context.Context, s scope, in *diffInput) (client.Run, error) {
	var ask client.AskDiff
	if in.Body != nil {
		ask = *in.Body
	}
	if ask.User != "" {
		return client.Run{}, roster.Errorf(roster.Invalid, onePersonRefused)
	}
	var conn roster.Connection
	if ask.Connection != "" {
		found, err := a.connection(ctx, s, ask.Connection)
		if err != nil {
			return client.Run{}, err
		}
		conn = found
	} else {
		all, err := a.allConnections(ctx, s)
		if err != nil {
			return client.Run{}, err
		}
		if len(all) > 1 {
			return client.Run{}, roster.Errorf(roster.Invalid, "organisation %s has several connections: name one of %s", s.org.Name, namesOf(all))
		}
		conn = all[0]
	}
	runs, err := a.ask(ctx, s, roster.ModeDry, conn)
	if err != nil {
		return client.Run{}, err
	}
	return runs[0], nil
}

func namesOf(all []roster.Connection) string {
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return strings.Join(names, ", ")
}

func (a *API) allConnections(ctx context.Context, s scope) ([]roster.Connection, error) {
	all, err := a.store.Connections(ctx, s.org.ID)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, roster.Errorf(roster.Conflict, "organisation %s has no connections: declare one in the configuration file", s.org.Name)
	}
	return all, nil
}

type resyncInput struct {
	InOrg
	Body *client.AskResync
}

// resync asks for a run of one connection, or of each that can run: push-only and detached ones are passed over.
func (a *API) resync(ctx context.Context, s scope, in *resyncInput) (client.Runs, error) {
	var ask client.AskResync
	if in.Body != nil {
		ask = *in.Body
	}
	if ask.User != "" {
		return client.Runs{}, roster.Errorf(roster.Invalid, onePersonRefused)
	}
	var wanted []roster.Connection
	if ask.Connection != "" {
		conn, err := a.connection(ctx, s, ask.Connection)
		if err != nil {
			return client.Runs{}, err
		}
		wanted = append(wanted, conn)
	} else {
		all, err := a.allConnections(ctx, s)
		if err != nil {
			return client.Runs{}, err
		}
		wanted = slices.DeleteFunc(slices.Clone(all), func(c roster.Connection) bool {
			return c.Kind == roster.KindSCIM || c.State == roster.ConnectionDetached
		})
		if len(wanted) == 0 {
			return client.Runs{}, roster.Errorf(roster.Conflict, "no connection of organisation %s can run: %s are detached or push only",
				s.org.Name, namesOf(all))
		}
	}
	runs, err := a.ask(ctx, s, roster.ModeFull, wanted...)
	return client.Runs{Runs: runs}, err
}

// ask queues runs, or joins those that are queued already, and wakes the worker.
func (a *API) ask(ctx context.Context, s scope, mode roster.Mode, conns ...roster.Connection) ([]client.Run, error) {
	changes := make([]roster.Change, len(conns))
	for i := range conns {
		changes[i] = roster.RunRequest{Connection: conns[i].ID, Mode: mode, By: s.Name}
	}
	outs, err := a.commit(ctx, s.caller, s.org.ID, changes...)
	if err != nil {
		return nil, err
	}
	a.wake()
	runs := make([]roster.Run, len(outs))
	for i := range outs {
		runs[i] = *outs[i].Run
	}
	return a.wireRuns(ctx, runs, map[string]string{s.org.ID: s.org.Name})
}

type listRunsInput struct {
	InPage
	Org        string `query:"org" doc:"an organisation's id or name; a key sees its own only"`
	Status     string `query:"status" enum:"queued,running,held,done,partial,failed,cancelled"`
	Connection string `query:"connection" doc:"the connection's name"`
}

func (a *API) listRuns(ctx context.Context, c caller, in *listRunsInput) (client.Page[client.Run], error) {
	none := client.Page[client.Run]{}
	l, err := in.list()
	if err != nil {
		return none, err
	}
	l.Status, l.Connection = in.Status, in.Connection
	only := c.Org
	if in.Org != "" {
		org, err := a.org(ctx, c, in.Org)
		if err != nil {
			return none, err
		}
		only = org.ID
	}
	runs, next, err := a.store.Runs(ctx, only, l)
	if err != nil {
		return none, err
	}
	orgs, err := a.orgsOf(ctx, c)
	if err != nil {
		return none, err
	}
	names := make(map[string]string, len(orgs))
	for i := range orgs {
		names[orgs[i].ID] = orgs[i].Name
	}
	items, err := a.wireRuns(ctx, runs, names)
	return client.Page[client.Run]{Items: items, Next: next}, err
}

// InRun is a part of the input of every route on one run.
type InRun struct {
	ID string `path:"id"`
}

// run finds a run that the caller may see.
func (a *API) run(ctx context.Context, c caller, id string) (roster.Run, error) {
	r, err := a.store.Run(ctx, c.Org, id)
	if err == nil && !c.sees(r.Org) {
		return roster.Run{}, roster.Errorf(roster.NotFound, "no run %q", id)
	}
	return r, err
}

type showRunInput struct {
	InRun
	Actions bool `query:"actions" doc:"whether to list the plan"`
}

func (a *API) showRun(ctx context.Context, c caller, in *showRunInput) (client.Run, error) {
	r, err := a.run(ctx, c, in.ID)
	if err != nil {
		return client.Run{}, err
	}
	return a.fullRun(ctx, &r, in.Actions)
}

type approveInput struct {
	InRun
	Body *client.Approve
}

func (a *API) approveRun(ctx context.Context, c caller, in *approveInput) (client.Run, error) {
	var only []roster.Kind
	if in.Body != nil {
		for _, k := range in.Body.Only {
			if !slices.Contains(driftKinds(), roster.Kind(k)) {
				return client.Run{}, roster.Errorf(roster.Invalid, "only: no drift kind %q; the kinds are %s", k, kindList())
			}
			only = append(only, roster.Kind(k))
		}
	}
	r, err := a.run(ctx, c, in.ID)
	if err != nil {
		return client.Run{}, err
	}
	return a.changeRun(ctx, c, &r, roster.RunApprove{ID: r.ID, Only: only, By: c.Name})
}

func kindList() string {
	all := driftKinds()
	names := make([]string, len(all))
	for i, k := range all {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

func (a *API) cancelRun(ctx context.Context, c caller, in *InRun) (client.Run, error) {
	r, err := a.run(ctx, c, in.ID)
	if err != nil {
		return client.Run{}, err
	}
	return a.changeRun(ctx, c, &r, roster.RunCancel{ID: r.ID, By: c.Name})
}

func (a *API) changeRun(ctx context.Context, c caller, r *roster.Run, change roster.Change) (client.Run, error) {
	outs, err := a.commit(ctx, c, r.Org, change)
	if err != nil {
		return client.Run{}, err
	}
	a.wake()
	return a.fullRun(ctx, outs[0].Run, false)
}
