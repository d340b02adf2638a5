package entra

import (
	"context"
	"fmt"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"github.com/rosterd/rosterd/connectors"
)

// pageSize is the largest that Graph allows for directory objects (Graph documentation, "List users").
const pageSize = int32(999)

// listing is what the SDK's collection responses have in common.
type listing[T any] interface {
	GetValue() []T
	GetOdataNextLink() *string
}

// readPage runs one SDK call for a list. An answer without a value member is no empty list.
func readPage[T any, L listing[T]](ctx context.Context, at origin, a ask, send func() (L, error)) (connectors.Page[T], error) {
	return call(ctx, a, func() (connectors.Page[T], error) {
		res, err := send()
		if err != nil {
			return connectors.Page[T]{}, err
		}
		if any(res) == nil || res.GetValue() == nil {
			return connectors.Page[T]{}, a.broken("an answer that holds no list")
		}
		p := connectors.Page[T]{Items: res.GetValue()}
		if link := res.GetOdataNextLink(); link != nil {
			if err := at.Follow(*link); err != nil {
				return connectors.Page[T]{}, err
			}
			p.Next = *link
		}
		return p, nil
	})
}

// readOne runs one SDK call for a single object.
func readOne[T any](ctx context.Context, a ask, send func() (T, error)) (T, error) {
	return call(ctx, a, func() (T, error) {
		res, err := send()
		if err == nil && any(res) == nil {
			err = a.broken("no answer")
		}
		return res, err
	})
}

func (c *Connector) userBuilder() *users.UsersRequestBuilder {
	return users.NewUsersRequestBuilderInternal(map[string]string{}, c.adapter)
}

func (c *Connector) groupBuilder() *groups.GroupsRequestBuilder {
	return groups.NewGroupsRequestBuilderInternal(map[string]string{}, c.adapter)
}

// assignedTo lists who is assigned to the enterprise application (Graph documentation, "List appRoleAssignments granted
// for a service principal"). Groups are not expanded.
func (c *Connector) assignedTo(top int32) connectors.Fetch[models.AppRoleAssignmentable] {
	a := ask{
		what: "the application's assignments", grant: "Application.Read.All",
		missing: "Check service_principal_id: it is the object id of the enterprise application, not the client id.",
	}
	q := serviceprincipals.ItemAppRoleAssignedToRequestBuilderGetQueryParameters{Top: &top}
	cfg := serviceprincipals.ItemAppRoleAssignedToRequestBuilderGetRequestConfiguration{QueryParameters: &q}
	first := serviceprincipals.NewServicePrincipalsRequestBuilderInternal(map[string]string{}, c.adapter).
		ByServicePrincipalId(c.sp.String()).AppRoleAssignedTo()
	return func(ctx context.Context, link string) (connectors.Page[models.AppRoleAssignmentable], error) {
		b := first
		if link != "" {
			b = first.WithUrl(link)
		}
		return readPage(ctx, c.origin, a, func() (models.AppRoleAssignmentCollectionResponseable, error) { return b.Get(ctx, &cfg) })
	}
}

// listUsers lists the tenant's users, or those that the filter names (Graph documentation, "List users").
func (c *Connector) listUsers(r *rules, filter string, top int32) connectors.Fetch[models.Userable] {
	a := ask{what: "users", grant: "User.Read.All"}
	q := users.UsersRequestBuilderGetQueryParameters{Select: c.userSelect(r), Top: &top}
	if filter != "" {
		q.Filter = &filter
	}
	cfg := users.UsersRequestBuilderGetRequestConfiguration{QueryParameters: &q}
	return func(ctx context.Context, link string) (connectors.Page[models.Userable], error) {
		b := c.userBuilder()
		if link != "" {
			b = b.WithUrl(link)
		}
		return readPage(ctx, c.origin, a, func() (models.UserCollectionResponseable, error) { return b.Get(ctx, &cfg) })
	}
}

// listGroups lists groups (Graph documentation, "List groups").
func (c *Connector) listGroups(r *rules, filter string, top int32) connectors.Fetch[models.Groupable] {
	a := ask{what: "groups", grant: "GroupMember.Read.All"}
	q := groups.GroupsRequestBuilderGetQueryParameters{Select: groupSelect(r), Top: &top}
	if filter != "" {
		q.Filter = &filter
	}
	cfg := groups.GroupsRequestBuilderGetRequestConfiguration{QueryParameters: &q}
	return func(ctx context.Context, link string) (connectors.Page[models.Groupable], error) {
		b := c.groupBuilder()
		if link != "" {
			b = b.WithUrl(link)
		}
		return readPage(ctx, c.origin, a, func() (models.GroupCollectionResponseable, error) { return b.Get(ctx, &cfg) })
	}
}

// listMembers lists a group's direct members that are users (Graph documentation, "List group members").
func (c *Connector) listMembers(groupID string, top int32) connectors.Fetch[models.Userable] {
	a := ask{what: "the members of group " + groupID, grant: "GroupMember.Read.All"}
	q := groups.ItemMembersGraphUserRequestBuilderGetQueryParameters{Select: []string{"id"}, Top: &top}
	cfg := groups.ItemMembersGraphUserRequestBuilderGetRequestConfiguration{QueryParameters: &q}
	first := c.groupBuilder().ByGroupId(groupID).Members().GraphUser()
	return func(ctx context.Context, link string) (connectors.Page[models.Userable], error) {
		b := first
		if link != "" {
			b = first.WithUrl(link)
		}
		return readPage(ctx, c.origin, a, func() (models.UserCollectionResponseable, error) { return b.Get(ctx, &cfg) })
	}
}

// eventual asks for complete results on objects with many indirect assignments (Graph documentation, "List
// appRoleAssignments granted to a user"). Every page of the list needs it.
func eventual() *abs.RequestHeaders {
	h := abs.NewRequestHeaders()
	h.Add("ConsistencyLevel", "eventual")
	return h
}

func (c *Connector) ofThisApplication() *string {
	filter := "resourceId eq " + c.sp.String()
	return &filter
}

// userAssignments lists a user's assignments to this application, also those of groups that they are a direct member of.
func (c *Connector) userAssignments(userID string) connectors.Fetch[models.AppRoleAssignmentable] {
	a, cfg := askAssignments(userID), c.assignmentsQuery()
	first := c.userBuilder().ByUserId(userID).AppRoleAssignments()
	return func(ctx context.Context, link string) (connectors.Page[models.AppRoleAssignmentable], error) {
		b := first
		if link != "" {
			b = first.WithUrl(link)
		}
		return readPage(ctx, c.origin, a, func() (models.AppRoleAssignmentCollectionResponseable, error) { return b.Get(ctx, cfg) })
	}
}

func askAssignments(userID string) ask {
	return ask{what: "the assignments of user " + userID, grant: "Directory.Read.All"}
}

func (c *Connector) assignmentsQuery() *users.ItemAppRoleAssignmentsRequestBuilderGetRequestConfiguration {
	count := true
	q := users.ItemAppRoleAssignmentsRequestBuilderGetQueryParameters{Filter: c.ofThisApplication(), Count: &count}
	return &users.ItemAppRoleAssignmentsRequestBuilderGetRequestConfiguration{QueryParameters: &q, Headers: eventual()}
}

// groupAssignments lists a group's assignments to this application.
func (c *Connector) groupAssignments(groupID string) connectors.Fetch[models.AppRoleAssignmentable] {
	a := ask{what: "the assignments of group " + groupID, grant: "Directory.Read.All"}
	count := true
	q := groups.ItemAppRoleAssignmentsRequestBuilderGetQueryParameters{Filter: c.ofThisApplication(), Count: &count}
	cfg := groups.ItemAppRoleAssignmentsRequestBuilderGetRequestConfiguration{QueryParameters: &q, Headers: eventual()}
	first := c.groupBuilder().ByGroupId(groupID).AppRoleAssignments()
	return func(ctx context.Context, link string) (connectors.Page[models.AppRoleAssignmentable], error) {
		b := first
		if link != "" {
			b = first.WithUrl(link)
		}
		return readPage(ctx, c.origin, a, func() (models.AppRoleAssignmentCollectionResponseable, error) { return b.Get(ctx, &cfg) })
	}
}

// getUser reads one user (Graph documentation, "Get a user").
func (c *Connector) getUser(ctx context.Context, r *rules, id string) (models.Userable, error) {
	return readOne(ctx, askUser(id), func() (models.Userable, error) {
		return c.userBuilder().ByUserId(id).Get(ctx, c.userQuery(r))
	})
}

func askUser(id string) ask { return ask{what: "user " + id, grant: "User.Read.All"} }

func (c *Connector) userQuery(r *rules) *users.UserItemRequestBuilderGetRequestConfiguration {
	q := users.UserItemRequestBuilderGetQueryParameters{Select: c.userSelect(r)}
	return &users.UserItemRequestBuilderGetRequestConfiguration{QueryParameters: &q}
}

// getGroup reads one group (Graph documentation, "Get group").
func (c *Connector) getGroup(ctx context.Context, r *rules, id string) (models.Groupable, error) {
	q := groups.GroupItemRequestBuilderGetQueryParameters{Select: groupSelect(r)}
	cfg := groups.GroupItemRequestBuilderGetRequestConfiguration{QueryParameters: &q}
	return readOne(ctx, ask{what: "group " + id, grant: "GroupMember.Read.All"}, func() (models.Groupable, error) {
		return c.groupBuilder().ByGroupId(id).Get(ctx, &cfg)
	})
}

// groupsHolding lists the groups that hold a user directly (Graph documentation, "List a user's direct memberships").
func (c *Connector) groupsHolding(userID string) connectors.Fetch[models.Groupable] {
	a := ask{what: "the groups of user " + userID, grant: "GroupMember.Read.All"}
	top := pageSize
	q := users.ItemMemberOfGraphGroupRequestBuilderGetQueryParameters{Select: []string{"id"}, Top: &top}
	cfg := users.ItemMemberOfGraphGroupRequestBuilderGetRequestConfiguration{QueryParameters: &q}
	first := c.userBuilder().ByUserId(userID).MemberOf().GraphGroup()
	return func(ctx context.Context, link string) (connectors.Page[models.Groupable], error) {
		b := first
		if link != "" {
			b = first.WithUrl(link)
		}
		return readPage(ctx, c.origin, a, func() (models.GroupCollectionResponseable, error) { return b.Get(ctx, &cfg) })
	}
}

// equals is an OData comparison with a text, in which quotes are doubled (OData URL conventions, "Primitive literals").
func equals(property, value string) string {
	return fmt.Sprintf("%s eq '%s'", property, strings.ReplaceAll(value, "'", "''"))
}
