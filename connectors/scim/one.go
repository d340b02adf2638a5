package scim

import (
	"context"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/connectors"
)

// Person reads one user, and whether the configured filter finds them.
func (c *Connector) Person(ctx context.Context, id string) (connectors.Person, error) {
	if err := checkID(id); err != nil {
		return connectors.Person{}, err
	}
	ctx = c.budgeted(ctx)
	found, err := c.user(ctx, id)
	if connectors.FaultOf(err) == connectors.NotFound {
		return connectors.Person{}, c.isServer(ctx)
	}
	if err != nil {
		return connectors.Person{}, err
	}
	inScope, err := c.finds(ctx, c.users, c.cfg.UsersFilter, id)
	if err != nil {
		return connectors.Person{}, err
	}
	scope := ""
	if inScope {
		scope = c.scope()
	}
	u, err := found.user(scope)
	if err != nil {
		return connectors.Person{}, err
	}
	return connectors.Person{User: &u, InScope: inScope}, nil
}

// isServer makes sure, after a 404 for one object, that a SCIM server answers there at all: nobody is gone because url is
// wrong.
func (c *Connector) isServer(ctx context.Context) error {
	_, err := c.users("", false).fetch(ctx, "")
	return err
}

// finds reports whether a filter finds an object that is there. No filter finds everything.
func (c *Connector) finds(ctx context.Context, of func(string, bool) *list, filter, id string) (bool, error) {
	if filter == "" {
		return true, nil
	}
	found, err := all(ctx, of("id eq "+quoted(id)+" and ("+filter+")", false))
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(found, func(r resource) bool { return r.text("id") == id }), nil
}

// Team reads one group, and whether the configured filter finds it.
func (c *Connector) Team(ctx context.Context, id string) (connectors.Team, error) {
	if err := checkID(id); err != nil {
		return connectors.Team{}, err
	}
	ctx = c.budgeted(ctx)
	found, err := c.group(ctx, id)
	if connectors.FaultOf(err) == connectors.NotFound {
		return connectors.Team{}, c.isServer(ctx)
	}
	if err != nil {
		return connectors.Team{}, err
	}
	inScope, err := c.finds(ctx, c.groups, c.cfg.GroupsFilter, id)
	if err != nil {
		return connectors.Team{}, err
	}
	g, err := found.group()
	if err != nil {
		return connectors.Team{}, err
	}
	return connectors.Team{Group: &g, InScope: inScope}, nil
}

// GroupMembers reads the ids of a group's users.
func (c *Connector) GroupMembers(ctx context.Context, groupID string) ([]string, error) {
	if err := checkID(groupID); err != nil {
		return nil, err
	}
	ids, err := c.members(c.budgeted(ctx), groupID)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// GroupsOf reads the ids of the groups that hold a person directly.
func (c *Connector) GroupsOf(ctx context.Context, id string) ([]string, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	found, err := all(c.budgeted(ctx), c.groups("members.value eq "+quoted(id), false))
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(found))
	for _, r := range found {
		g, err := r.group()
		if err != nil {
			return nil, err
		}
		ids = append(ids, g.ObjectID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// FindUsers looks for people by userName and by email, in scope or not.
func (c *Connector) FindUsers(ctx context.Context, userName, email string) ([]connectors.User, error) {
	ctx = c.budgeted(ctx)
	var found []connectors.User
	for _, by := range []struct{ filter, attribute, value string }{
		{"userName eq ", attrUserName, userName},
		{"emails.value eq ", attrEmail, email},
	} {
		if by.value == "" {
			continue
		}
		items, err := all(ctx, c.users(by.filter+quoted(by.value), false))
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			u, err := item.user("")
			if err != nil {
				return nil, err
			}
			known := slices.ContainsFunc(found, func(f connectors.User) bool { return f.ObjectID == u.ObjectID })
			if !known && strings.EqualFold(u.Attributes[by.attribute], by.value) {
				found = append(found, u)
			}
		}
	}
	return found, nil
}

// FindGroups looks for groups by displayName.
func (c *Connector) FindGroups(ctx context.Context, displayName string) ([]connectors.Group, error) {
	if displayName == "" {
		return nil, nil
	}
	items, err := all(c.budgeted(ctx), c.groups("displayName eq "+quoted(displayName), false))
	if err != nil {
		return nil, err
	}
	var found []connectors.Group
	for _, item := range items {
		g, err := item.group()
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(g.Attributes["displayName"], displayName) {
			found = append(found, g)
		}
	}
	return found, nil
}

// all reads a list to its end.
func all(ctx context.Context, l *list) (items []resource, err error) {
	err = connectors.Walk(ctx, connectors.Unstamped, l.fetch, func(_ connectors.Stamp, page []resource) error {
		items = append(items, page...)
		return nil
	})
	return items, err
}

// Test reads a page of users, one of groups, and the members of one group. Its error names everything that is to be granted.
func (c *Connector) Test(ctx context.Context) error {
	return connectors.Probe(c.budgeted(ctx), c.probeUsers, c.probeGroups)
}

func (c *Connector) probeUsers(ctx context.Context) error {
	_, err := c.users(c.cfg.UsersFilter, false).fetch(ctx, "")
	return err
}

func (c *Connector) probeGroups(ctx context.Context) error {
	page, err := c.groups(c.cfg.GroupsFilter, false).fetch(ctx, "")
	if err != nil || len(page.Items) == 0 {
		return err
	}
	g, err := page.Items[0].group()
	if err != nil {
		return err
	}
	if _, err = c.members(ctx, g.ObjectID); connectors.FaultOf(err) == connectors.NotFound { // deleted between the two requests
		return nil
	}
	return err
}
