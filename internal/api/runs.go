package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

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

// diff asks for a dry run of a connection, which must be named where there are several; of one person it is made at once.
func (a *API) diff(ctx context.Context, s scope, in *diffInput) (client.Run, error) {
	var ask client.AskDiff
	if in.Body != nil {
		ask = *in.Body
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
	var runs []client.Run
	var err error
	if ask.User != "" {
		runs, err = a.one(ctx, s, roster.AskOne{Key: ask.User, Dry: true}, conn)
	} else {
		runs, err = a.ask(ctx, s, roster.ModeDry, conn)
	}
	if err != nil {
		return client.Run{}, err
	}
	return runs[0], nil
}

// one has one person resynced, or compared, by those of some connections that know or find them.
func (a *API) one(ctx context.Context, s scope, ask roster.AskOne, conns ...roster.Connection) ([]client.Run, error) {
	switch {
	case a.runs == nil:
		return nil, roster.Errorf(roster.Unavailable, "this daemon reaches no identity provider")
	case len(ask.Key) > maxKey:
		return nil, roster.Errorf(roster.Invalid, "user: it may have up to %d bytes", maxKey)
	}
	ask.Org, ask.By = s.org.ID, s.Name
	for i := range conns {
		ask.Connections = append(ask.Connections, conns[i].ID)
	}
	runs, err := a.runs.One(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := make([]client.Run, len(runs))
	for i := range runs {
		if out[i], err = a.fullRun(ctx, &runs[i], true); err != nil {
			return nil, err
		}
	}
	return out, nil
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

// resync asks for a run of one connection, or of each that can run: push-only, detached and paused ones are passed over. One person
// is resynced at once.
func (a *API) resync(ctx context.Context, s scope, in *resyncInput) (client.Runs, error) {
	var ask client.AskResync
	if in.Body != nil {
		ask = *in.Body
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
		wanted = a.notPaused(wanted)
	}
	if ask.User != "" {
		runs, err := a.one(ctx, s, roster.AskOne{Key: ask.User}, wanted...)
		return client.Runs{Runs: runs}, err
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

type listActionsInput struct {
	InRun
	InPage
}

// listActions is a run's plan in the order of apply, page by page.
func (a *API) listActions(ctx context.Context, c caller, in *listActionsInput) (client.Page[client.Action], error) {
	none := client.Page[client.Action]{}
	after, err := in.position()
	if err != nil {
		return none, err
	}
	r, err := a.run(ctx, c, in.ID)
	if err != nil {
		return none, err
	}
	items, next, err := a.actionPage(ctx, r.ID, after, in.Limit)
	if err != nil {
		return none, err
	}
	page := client.Page[client.Action]{Items: items}
	if next != nil {
		page.Next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d\x00%d", next.Phase, next.N))
	}
	return page, nil
}

// position is the place in a run's plan that a cursor stands for.
func (p InPage) position() (store.ActionPos, error) {
	if p.After == "" {
		return store.ActionPos{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.After)
	phase, n, _ := strings.Cut(string(raw), "\x00")
	var pos store.ActionPos
	if err == nil {
		pos.Phase, err = strconv.Atoi(phase)
	}
	if err == nil {
		pos.N, err = strconv.ParseInt(n, 10, 64)
	}
	if err != nil {
		return store.ActionPos{}, roster.Errorf(roster.Invalid, "after: not a cursor that a list gave out")
	}
	return pos, nil
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
