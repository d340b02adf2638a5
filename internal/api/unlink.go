package api

import (
	"context"
	"fmt"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// linksOf reads what ties one of our objects to IdPs, and what did and was undone.
func (a *API) linksOf(ctx context.Context, org string, typ roster.ObjectType, id string) (client.Links, error) {
	out := client.Links{Links: []client.Link{}, Undone: []client.UndoneLink{}}
	names, err := a.connectionNames(ctx, org)
	if err != nil {
		return out, err
	}
	links, err := a.store.LinksTo(ctx, org, typ, id)
	if err != nil {
		return out, err
	}
	for i := range links {
		l := &links[i]
		out.Links = append(out.Links, client.Link{
			Connection: orEmptyText(names.of(l.Connection)), ObjectID: l.ObjectID, State: string(l.State), Rule: l.Rule, Since: l.CreatedAt,
		})
	}
	undone, err := a.store.Refusals(ctx, org, typ, id)
	if err != nil {
		return out, err
	}
	for _, r := range undone {
		out.Undone = append(out.Undone, client.UndoneLink{Connection: orEmptyText(names.of(r.Connection)), ObjectID: r.ObjectID})
	}
	return out, nil
}

func orEmptyText(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (a *API) showMember(ctx context.Context, s scope, in *memberInput) (client.MemberDetail, error) {
	m, err := a.member(ctx, s, in.Key)
	if err != nil {
		return client.MemberDetail{}, err
	}
	return a.memberDetail(ctx, s.org.ID, &m)
}

func (a *API) memberDetail(ctx context.Context, org string, m *roster.Member) (client.MemberDetail, error) {
	wire, err := a.wireMember(ctx, org, m)
	if err != nil {
		return client.MemberDetail{}, err
	}
	out := client.MemberDetail{Member: wire}
	if m.Status == roster.Deactivated {
		out.OffBy = string(m.OffBy)
	}
	out.Links, err = a.linksOf(ctx, org, roster.TypeMember, m.ID)
	return out, err
}

func (a *API) teamDetail(ctx context.Context, org string, t *roster.Team) (client.TeamDetail, error) {
	wire, err := a.wireTeams(ctx, org, []roster.Team{*t})
	if err != nil {
		return client.TeamDetail{}, err
	}
	links, err := a.linksOf(ctx, org, roster.TypeTeam, t.ID)
	return client.TeamDetail{Team: wire[0], Links: links}, err
}

type unlinkInput struct {
	InOrg
	Body client.Unlink
}

// unlinkMember undoes a link on the operator's word that the two are not the same. The member stays as it is.
func (a *API) unlinkMember(ctx context.Context, s scope, in *unlinkInput) (client.MemberDetail, error) {
	m, err := a.member(ctx, s, in.Body.Key)
	if err != nil {
		return client.MemberDetail{}, err
	}
	if err := a.unlink(ctx, s, in.Body.Connection, roster.TypeMember, m.ID, m.UserName()); err != nil {
		return client.MemberDetail{}, err
	}
	return a.memberDetail(ctx, s.org.ID, &m)
}

func (a *API) unlinkTeam(ctx context.Context, s scope, in *unlinkInput) (client.TeamDetail, error) {
	t, err := a.team(ctx, s, in.Body.Key)
	if err != nil {
		return client.TeamDetail{}, err
	}
	if err := a.unlink(ctx, s, in.Body.Connection, roster.TypeTeam, t.ID, t.DisplayName); err != nil {
		return client.TeamDetail{}, err
	}
	return a.teamDetail(ctx, s.org.ID, &t)
}

func (a *API) unlink(ctx context.Context, s scope, connection string, typ roster.ObjectType, id, name string) error {
	conn, err := a.connection(ctx, s, connection)
	if err != nil {
		return err
	}
	object, err := a.store.LinkedObject(ctx, s.org.ID, conn.ID, typ, id)
	if err != nil {
		return err
	}
	if object == "" {
		return roster.Errorf(roster.NotFound, "%s is not linked to connection %s: `rosterd %ss show %s` lists the links", name, conn.Name, typ, id)
	}
	_, err = a.commit(ctx, s.caller, s.org.ID, roster.LinkDrop{Connection: conn.ID, Type: typ, ObjectID: object, Refuse: true})
	if err != nil {
		return fmt.Errorf("undo the link of %s: %w", name, err)
	}
	return nil
}
