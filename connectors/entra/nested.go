package entra

import (
	"context"
	"slices"

	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"github.com/rosterd/rosterd/connectors"
)

// Entra's own provisioning does not read nested groups (Entra documentation, "How Application Provisioning works in Microsoft
// Entra ID"): what follows is for connections that choose to (Config.NestedGroups). What changes in a group within an
// assigned one is told by no delta of the assigned one, so that deltas read every assigned group whole.

// membersOfGroup lists those users in a group who count as its members.
func (c *Connector) membersOfGroup(groupID string, top int32) connectors.Fetch[models.Userable] {
	if c.cfg.NestedGroups {
		return c.listReached(groupID, top)
	}
	return c.listMembers(groupID, top)
}

// listReached lists the users in a group, or in a group within it (Graph documentation, "List group transitive members").
func (c *Connector) listReached(groupID string, top int32) connectors.Fetch[models.Userable] {
	a := ask{what: "the members of group " + groupID, grant: "GroupMember.Read.All"}
	q := groups.ItemTransitiveMembersGraphUserRequestBuilderGetQueryParameters{Select: []string{"id"}, Top: &top}
	cfg := groups.ItemTransitiveMembersGraphUserRequestBuilderGetRequestConfiguration{QueryParameters: &q}
	first := c.groupBuilder().ByGroupId(groupID).TransitiveMembers().GraphUser()
	return func(ctx context.Context, link string) (connectors.Page[models.Userable], error) {
		b := first
		if link != "" {
			b = first.WithUrl(link)
		}
		return readPage(ctx, c.origin, a, func() (models.UserCollectionResponseable, error) { return b.Get(ctx, &cfg) })
	}
}

// groupsOfUser lists the groups that count a user among their members.
func (c *Connector) groupsOfUser(userID string) connectors.Fetch[models.Groupable] {
	if c.cfg.NestedGroups {
		return c.groupsReaching(userID)
	}
	return c.groupsHolding(userID)
}

// groupsReaching lists the groups that hold a user, or a group that does (Graph documentation, "List a user's memberships
// (direct and transitive)").
func (c *Connector) groupsReaching(userID string) connectors.Fetch[models.Groupable] {
	a := ask{what: "the groups of user " + userID, grant: "GroupMember.Read.All"}
	top := pageSize
	q := users.ItemTransitiveMemberOfGraphGroupRequestBuilderGetQueryParameters{Select: []string{"id"}, Top: &top}
	cfg := users.ItemTransitiveMemberOfGraphGroupRequestBuilderGetRequestConfiguration{QueryParameters: &q}
	first := c.userBuilder().ByUserId(userID).TransitiveMemberOf().GraphGroup()
	return func(ctx context.Context, link string) (connectors.Page[models.Groupable], error) {
		b := first
		if link != "" {
			b = first.WithUrl(link)
		}
		return readPage(ctx, c.origin, a, func() (models.GroupCollectionResponseable, error) { return b.Get(ctx, &cfg) })
	}
}

// grantsOf lists the assignments that a person has, by themselves or as somebody who counts as a member of a group.
func (c *Connector) grantsOf(ctx context.Context, stamp stamper, userID string) ([]grant, error) {
	found, err := c.grants(ctx, stamp, userID)
	if err != nil || !c.cfg.NestedGroups {
		return found, err
	}
	var reaching []string
	err = connectors.Walk(ctx, stamp, c.groupsReaching(userID), func(_ connectors.Stamp, items []models.Groupable) error {
		for _, item := range items {
			id, err := objectID(item)
			if err != nil {
				return err
			}
			reaching = append(reaching, id)
		}
		return nil
	})
	if err != nil || len(reaching) == 0 {
		return found, err
	}
	// Graph lists a person's assignments through the groups that hold them directly; of the others the application has to
	// be asked.
	err = connectors.Walk(ctx, stamp, c.assignedTo(pageSize), func(_ connectors.Stamp, items []models.AppRoleAssignmentable) error {
		for _, item := range items {
			id := item.GetPrincipalId()
			if id == nil || text(item.GetPrincipalType()) != "Group" || !slices.Contains(reaching, id.String()) {
				continue
			}
			g := grant{id.String(), text(item.GetPrincipalDisplayName())}
			if !slices.ContainsFunc(found, func(other grant) bool { return other.group == g.group }) {
				found = append(found, g)
			}
		}
		return nil
	})
	return found, err
}

// whyAssigned says why a person is in scope by an assignment, or "". One of their own is named before one of a group.
func (c *Connector) whyAssigned(ctx context.Context, userID string) (string, error) {
	if !c.cfg.NestedGroups {
		return c.assigned(ctx, c.userAssignments(userID))
	}
	granted, err := c.grantsOf(ctx, connectors.Unstamped, userID)
	why := ""
	for _, g := range granted {
		switch {
		case g.group == "":
			return newScope().reasons[direct], err
		case why == "":
			why = throughGroup(g.name)
		}
	}
	return why, err
}
