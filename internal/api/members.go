package api

import (
	"context"
	"fmt"
	"strings"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// wireMembers adds to members the names of their connections and teams.
func (a *API) wireMembers(ctx context.Context, org string, members []roster.Member) ([]client.Member, error) {
	names, err := a.connectionNames(ctx, org)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(members))
	for i := range members {
		ids[i] = members[i].ID
	}
	teams, err := a.store.TeamNames(ctx, org, ids)
	if err != nil {
		return nil, err
	}
	out := make([]client.Member, len(members))
	for i := range members {
		m := &members[i]
		out[i] = client.Member{
			ID: m.ID, UserName: m.UserName(), ExternalID: m.ExternalID(), DisplayName: m.DisplayName(), Email: m.Email(),
			Status: string(m.Status), Source: string(m.Source), Role: string(m.Role), Connection: names.of(m.Connection),
			Teams: orEmpty(teams[m.ID]),
		}
	}
	return out, nil
}

func (a *API) wireMember(ctx context.Context, org string, m *roster.Member) (client.Member, error) {
	out, err := a.wireMembers(ctx, org, []roster.Member{*m})
	if err != nil {
		return client.Member{}, err
	}
	return out[0], nil
}

// InSearch is a part of the input of the lists that the store searches.
type InSearch struct {
	Search string `query:"search" maxLength:"200" doc:"a part of a name, whatever the case"`
}

type listMembersInput struct {
	InOrg
	InPage
	InSearch
	Status     string `query:"status" enum:"pending,active,deactivated,deleted" doc:"left out: all but the deleted"`
	Connection string `query:"connection" doc:"the name of the owning connection"`
}

func (a *API) listMembers(ctx context.Context, s scope, in *listMembersInput) (client.Page[client.Member], error) {
	none := client.Page[client.Member]{}
	l, err := in.list()
	if err != nil {
		return none, err
	}
	l.Search, l.Status = in.Search, in.Status
	if l.Connection, err = a.filterConnection(ctx, s, in.Connection); err != nil {
		return none, err
	}
	members, next, err := a.store.Members(ctx, s.org.ID, l)
	if err != nil {
		return none, err
	}
	items, err := a.wireMembers(ctx, s.org.ID, members)
	return client.Page[client.Member]{Items: items, Next: next}, err
}

type inviteInput struct {
	InOrg
	Body client.NewMember
}

func (a *API) inviteMember(ctx context.Context, s scope, in *inviteInput) (client.Member, error) {
	address, err := email(in.Body.Email)
	if err != nil {
		return client.Member{}, err
	}
	role := roster.RoleMember
	if in.Body.Role != "" {
		role = roster.Role(in.Body.Role)
	}
	if err := s.mayGrant(role); err != nil {
		return client.Member{}, err
	}
	outs, err := a.commit(ctx, s.caller, s.org.ID, roster.MemberInvite{Email: address, Role: role})
	if err != nil {
		return client.Member{}, err
	}
	return a.wireMember(ctx, s.org.ID, outs[0].Member)
}

// member finds the one member that a key names: an id, or else a userName, email, externalId or the IdP's id.
func (a *API) member(ctx context.Context, s scope, key string) (roster.Member, error) {
	found, err := a.store.FindMembers(ctx, s.org.ID, key)
	if err != nil {
		return roster.Member{}, err
	}
	names := make([]string, len(found))
	for i := range found {
		if found[i].ID == key {
			return found[i], nil
		}
		names[i] = fmt.Sprintf("%s (%s)", found[i].UserName(), found[i].ID)
	}
	switch len(found) {
	case 0:
		return roster.Member{}, roster.Errorf(roster.NotFound, "no member %q", key)
	case 1:
		return found[0], nil
	}
	return roster.Member{}, roster.Errorf(roster.Conflict, "several members match %q: %s; give the id of one", key, strings.Join(names, ", "))
}

type memberInput struct {
	InOrg
	Key string `path:"key" doc:"id, userName, email, externalId or the IdP's id"`
}

func (a *API) switchMember(on bool) func(context.Context, scope, *memberInput) (client.Member, error) {
	return func(ctx context.Context, s scope, in *memberInput) (client.Member, error) {
		m, err := a.member(ctx, s, in.Key)
		if err != nil {
			return client.Member{}, err
		}
		outs, err := a.commit(ctx, s.caller, s.org.ID, roster.MemberSetStatus{ID: m.ID, Active: on})
		if err != nil {
			return client.Member{}, err
		}
		return a.wireMember(ctx, s.org.ID, outs[0].Member)
	}
}
