package api

import (
	"context"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

type linkInput struct {
	InOrg
	Body client.LinkMember
}

// linkMember ties a member to an IdP object on the operator's word. An object that was linked to somebody else moves;
// a member who was linked to another object of the connection is moved only to one that is named.
func (a *API) linkMember(ctx context.Context, s scope, in *linkInput) (client.Member, error) {
	none := client.Member{}
	given := strings.TrimSpace(in.Body.ObjectID)
	if len(given) > maxKey {
		return none, roster.Errorf(roster.Invalid, "object_id: it may have up to %d bytes", maxKey)
	}
	conn, err := a.connection(ctx, s, in.Body.Connection)
	if err != nil {
		return none, err
	}
	m, err := a.member(ctx, s, in.Body.Key)
	if err != nil {
		return none, err
	}
	if m.Source == roster.SourceLocal {
		return none, roster.Errorf(roster.Conflict, "%s is a local member: hand them over first with `rosterd members adopt %s --connection %s`",
			m.UserName(), m.ID, conn.Name)
	}
	old, err := a.store.LinkedObject(ctx, s.org.ID, conn.ID, roster.TypeMember, m.ID)
	if err != nil {
		return none, err
	}
	object := given
	if object == "" {
		if object, err = a.lookUp(ctx, s, &conn, &m); err != nil {
			return none, err
		}
	}
	if object == old {
		return a.wireMember(ctx, s.org.ID, &m)
	}
	link := roster.LinkSet{
		Link: roster.Link{
			Org: s.org.ID, Connection: conn.ID, Type: roster.TypeMember, ObjectID: object, TargetID: m.ID, State: roster.LinkOn,
			Rule: "operator",
		},
		Claim: true, Event: "made", Reason: s.cause().Reason,
	}
	changes := []roster.Change{link}
	if old != "" {
		if given == "" {
			return none, roster.Errorf(roster.Conflict, "%s is linked to another object of connection %s already (%s): name the one to link instead (--object)",
				m.UserName(), conn.Name, old)
		}
		changes = []roster.Change{roster.LinkDrop{Connection: conn.ID, Type: roster.TypeMember, ObjectID: old}, link}
	}
	if _, err := a.commit(ctx, s.caller, s.org.ID, changes...); err != nil {
		return none, err
	}
	if m, err = a.member(ctx, s, m.ID); err != nil {
		return none, err
	}
	return a.wireMember(ctx, s.org.ID, &m)
}

// lookUp finds the IdP's id of the person that the connection's latest run could not settle with this member.
func (a *API) lookUp(ctx context.Context, s scope, conn *roster.Connection, m *roster.Member) (string, error) {
	conflicts, err := a.conflicts(ctx, s, conn)
	if err != nil {
		return "", err
	}
	var objects []string
	for i := range conflicts {
		d := &conflicts[i]
		about := d.Subject.ID == m.ID || slices.Contains(named(d), m.ID)
		if about && d.Subject.ObjectID != "" && !slices.Contains(objects, d.Subject.ObjectID) {
			objects = append(objects, d.Subject.ObjectID)
		}
	}
	switch len(objects) {
	case 0:
		return "", roster.Errorf(roster.Conflict, "no conflict of the latest run of connection %s names %s: give the IdP's id of the person (--object)",
			conn.Name, m.UserName())
	case 1:
		return objects[0], nil
	}
	return "", roster.Errorf(roster.Conflict, "several people of connection %s meet %s: %s; name one (--object)",
		conn.Name, m.UserName(), strings.Join(objects, ", "))
}
