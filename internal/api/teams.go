package api

import (
	"context"
	"fmt"
	"strings"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

type listTeamsInput struct {
	InOrg
	InPage
	InSearch
	Status     string `query:"status" enum:"active,deleted" doc:"left out: the active ones"`
	Connection string `query:"connection" doc:"the name of the owning connection"`
}

func (a *API) listTeams(ctx context.Context, s scope, in *listTeamsInput) (client.Page[client.Team], error) {
	none := client.Page[client.Team]{}
	l, err := in.list()
	if err != nil {
		return none, err
	}
	l.Search, l.Status = in.Search, in.Status
	if l.Connection, err = a.filterConnection(ctx, s, in.Connection); err != nil {
		return none, err
	}
	teams, next, err := a.store.Teams(ctx, s.org.ID, l)
	if err != nil {
		return none, err
	}
	items, err := a.wireTeams(ctx, s.org.ID, teams)
	return client.Page[client.Team]{Items: items, Next: next}, err
}

// wireTeams adds to teams the names of their connections and members.
func (a *API) wireTeams(ctx context.Context, org string, teams []roster.Team) ([]client.Team, error) {
	names, err := a.connectionNames(ctx, org)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(teams))
	for i := range teams {
		ids[i] = teams[i].ID
	}
	members, err := a.store.MemberNames(ctx, org, ids)
	if err != nil {
		return nil, err
	}
	out := make([]client.Team, len(teams))
	for i := range teams {
		t := &teams[i]
		out[i] = client.Team{
			ID: t.ID, DisplayName: t.DisplayName, ExternalID: t.ExternalID, Managed: t.Managed(), Status: string(t.Status),
			Connection: names.of(t.Connection), Members: orEmpty(members[t.ID]),
		}
		if t.Status == roster.Active { // who is awaited in a deleted one waits with it
			out[i].Awaited = int(t.Pending)
		}
	}
	return out, nil
}

// InTeam is a part of the input of the routes about one team.
type InTeam struct {
	Team string `path:"team" maxLength:"1024" doc:"id, displayName, externalId or the IdP's id"`
}

// team finds the one team that a key names: an id, or else a displayName, externalId or the IdP's id.
func (a *API) team(ctx context.Context, s scope, key string) (roster.Team, error) {
	found, err := a.store.FindTeams(ctx, s.org.ID, key)
	if err != nil {
		return roster.Team{}, err
	}
	names := make([]string, len(found))
	for i := range found {
		if found[i].ID == key {
			return found[i], nil
		}
		names[i] = fmt.Sprintf("%s (%s)", found[i].DisplayName, found[i].ID)
	}
	switch len(found) {
	case 0:
		return roster.Team{}, roster.Errorf(roster.NotFound, "no team %q", key)
	case 1:
		return found[0], nil
	}
	return roster.Team{}, roster.Errorf(roster.Conflict, "several teams match %q: %s; give the id of one", key, strings.Join(names, ", "))
}

type teamInput struct {
	InOrg
	InTeam
}

func (a *API) showTeam(ctx context.Context, s scope, in *teamInput) (client.TeamDetail, error) {
	t, err := a.team(ctx, s, in.Team)
	if err != nil {
		return client.TeamDetail{}, err
	}
	return a.teamDetail(ctx, s.org.ID, &t)
}

type listAwaitedInput struct {
	InOrg
	InTeam
	InPage
}

// listAwaited lists whom pushes named as members of a team and who are not here.
func (a *API) listAwaited(ctx context.Context, s scope, in *listAwaitedInput) (client.Page[client.Awaited], error) {
	none := client.Page[client.Awaited]{}
	l, err := in.list()
	if err != nil {
		return none, err
	}
	t, err := a.team(ctx, s, in.Team)
	if err != nil {
		return none, err
	}
	l.Team = t.ID
	refs, next, err := a.store.PendingReferences(ctx, s.org.ID, l)
	return mapped(refs, next, func(r *roster.Reference) client.Awaited {
		return client.Awaited{Value: r.Value, Since: r.Since, Token: r.TokenName, Request: r.RequestID}
	}), err
}
