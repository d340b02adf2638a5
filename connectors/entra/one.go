package entra

import (
	"context"
	"slices"

	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/rosterd/rosterd/connectors"
)

// foundTop is the page size for look-ups, which find one or a few.
const foundTop = int32(100)

// Person reads one user, and whether an assignment of theirs, or of a group that they are a direct member of, is to this
// application. It needs Directory.Read.All.
func (c *Connector) Person(ctx context.Context, id string) (connectors.Person, error) {
	if _, err := parseID(id); err != nil {
		return connectors.Person{}, err
	}
	ctx = c.budgeted(ctx)
	r, err := c.rules(ctx)
	if err != nil {
		return connectors.Person{}, err
	}
	found, err := c.getUser(ctx, r, id)
	if connectors.FaultOf(err) == connectors.NotFound {
		return c.unknown(ctx, id)
	}
	if err != nil {
		return connectors.Person{}, err
	}
	u, err := c.user(found)
	if err != nil {
		return connectors.Person{}, err
	}
	if r.all {
		return r.person(found, u, everybody), nil
	}
	why, err := c.whyAssigned(ctx, id)
	if connectors.FaultOf(err) == connectors.NotFound { // deleted between the two requests
		return c.unknown(ctx, id)
	}
	if err != nil {
		return connectors.Person{}, err
	}
	return r.person(found, u, why), nil
}

// unknown is somebody whom Graph does not know (any more).
func (c *Connector) unknown(ctx context.Context, id string) (connectors.Person, error) {
	why, err := c.deletion(ctx, id)
	return connectors.Person{Why: why}, err
}

// Team reads one group, and whether it is assigned to this application. It needs Directory.Read.All.
func (c *Connector) Team(ctx context.Context, id string) (connectors.Team, error) {
	if _, err := parseID(id); err != nil {
		return connectors.Team{}, err
	}
	ctx = c.budgeted(ctx)
	r, err := c.rules(ctx)
	if err != nil {
		return connectors.Team{}, err
	}
	found, err := c.getGroup(ctx, r, id)
	if connectors.FaultOf(err) == connectors.NotFound {
		return connectors.Team{}, nil
	}
	if err != nil {
		return connectors.Team{}, err
	}
	g, err := group(found)
	if err != nil {
		return connectors.Team{}, err
	}
	sends := r.group(found) != keptOut
	if r.all || !sends {
		return connectors.Team{Group: &g, InScope: sends}, nil
	}
	why, err := c.assigned(ctx, c.groupAssignments(id))
	if connectors.FaultOf(err) == connectors.NotFound {
		return connectors.Team{}, nil
	}
	if err != nil {
		return connectors.Team{}, err
	}
	return connectors.Team{Group: &g, InScope: why != "" || r.unread != nil}, nil
}

// grant is one assignment to the application that a person has: their own, or that of a group.
type grant struct{ group, name string }

// grants lists the assignments that a person has, by themselves or as a direct member of a group.
func (c *Connector) grants(ctx context.Context, stamp func(context.Context) (connectors.Stamp, error), userID string) ([]grant, error) {
	var found []grant
	err := connectors.Walk(ctx, stamp, c.userAssignments(userID), func(_ connectors.Stamp, items []models.AppRoleAssignmentable) error {
		for _, item := range items {
			to, principal := item.GetResourceId(), item.GetPrincipalId()
			if to == nil || *to != c.sp || principal == nil {
				continue
			}
			switch text(item.GetPrincipalType()) {
			case "User":
				found = append(found, grant{})
			case "Group":
				found = append(found, grant{principal.String(), text(item.GetPrincipalDisplayName())})
			}
		}
		return nil
	})
	return found, err
}

// GroupsOf reads which groups that are assigned to this application hold a user directly; of others Graph's list of a
// user's assignments says nothing. Where the job sends all groups, it reads which hold them at all. It needs
// Directory.Read.All.
func (c *Connector) GroupsOf(ctx context.Context, id string) ([]string, error) {
	if _, err := parseID(id); err != nil {
		return nil, err
	}
	ctx = c.budgeted(ctx)
	r, err := c.rules(ctx)
	if err != nil {
		return nil, err
	}
	if r.all {
		return c.allGroupsOf(ctx, id)
	}
	granted, err := c.grantsOf(ctx, connectors.Unstamped, id)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, g := range granted {
		if g.group != "" {
			ids = append(ids, g.group)
		}
	}
	return distinct(ids), nil
}

func (c *Connector) allGroupsOf(ctx context.Context, id string) ([]string, error) {
	var ids []string
	err := connectors.Walk(ctx, connectors.Unstamped, c.groupsOfUser(id), func(_ connectors.Stamp, items []models.Groupable) error {
		for _, item := range items {
			group, err := objectID(item)
			if err != nil {
				return err
			}
			ids = append(ids, group)
		}
		return nil
	})
	return distinct(ids), err
}

// assigned reads an object's assignments and says why it is in scope, or "". One made directly is named before one
// through a group.
func (c *Connector) assigned(ctx context.Context, read connectors.Fetch[models.AppRoleAssignmentable]) (why string, err error) {
	reasons := newScope().reasons
	err = connectors.Walk(ctx, connectors.Unstamped, read, func(_ connectors.Stamp, items []models.AppRoleAssignmentable) error {
		for _, item := range items {
			if to := item.GetResourceId(); to == nil || *to != c.sp {
				continue
			}
			if text(item.GetPrincipalType()) == "User" {
				why = reasons[direct]
			} else if why == "" {
				why = throughGroup(text(item.GetPrincipalDisplayName()))
			}
		}
		return nil
	})
	return why, err
}

// GroupMembers reads the object ids of a group's direct members that are users.
func (c *Connector) GroupMembers(ctx context.Context, groupID string) ([]string, error) {
	if _, err := parseID(groupID); err != nil {
		return nil, err
	}
	ctx = c.budgeted(ctx)
	var all []string
	err := connectors.Walk(ctx, connectors.Unstamped, c.membersOfGroup(groupID, pageSize), func(_ connectors.Stamp, items []models.Userable) error {
		ids, _, err := membersOf(items)
		all = append(all, ids...)
		return err
	})
	if err != nil || len(all) > 0 {
		return distinct(all), err
	}
	g, err := c.getGroup(ctx, nil, groupID)
	if err != nil {
		return nil, err
	}
	if hidden(g) {
		return nil, hiddenMembers(text(g.GetDisplayName()))
	}
	return nil, nil
}

// FindUsers looks for users by userPrincipalName and by mail. Their Scope is not read.
func (c *Connector) FindUsers(ctx context.Context, userName, email string) ([]connectors.User, error) {
	ctx = c.budgeted(ctx)
	var found []connectors.User
	for _, by := range []struct{ property, value string }{{"userPrincipalName", userName}, {"mail", email}} {
		if by.value == "" {
			continue
		}
		read := c.listUsers(nil, equals(by.property, by.value), foundTop)
		err := connectors.Walk(ctx, connectors.Unstamped, read, func(_ connectors.Stamp, items []models.Userable) error {
			for _, item := range items {
				u, err := c.user(item)
				if err != nil {
					return err
				}
				if !slices.ContainsFunc(found, func(other connectors.User) bool { return other.ObjectID == u.ObjectID }) {
					found = append(found, u)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// FindGroups looks for groups by displayName.
func (c *Connector) FindGroups(ctx context.Context, displayName string) ([]connectors.Group, error) {
	if displayName == "" {
		return nil, nil
	}
	var found []connectors.Group
	read := c.listGroups(nil, equals("displayName", displayName), foundTop)
	err := connectors.Walk(c.budgeted(ctx), connectors.Unstamped, read, func(_ connectors.Stamp, items []models.Groupable) error {
		for _, item := range items {
			g, err := group(item)
			if err != nil {
				return err
			}
			found = append(found, g)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func distinct(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}
