package okta

import (
	"context"
	"errors"
	"slices"
	"strings"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rosterd/rosterd/connectors"
)

// foundLimit is the page size for look-ups, which find one or a few.
const foundLimit = 50

// Person reads one application user; who is none is out of scope, and is read as the org's user if there is one.
func (c *Connector) Person(ctx context.Context, id string) (connectors.Person, error) {
	if err := checkID(id); err != nil {
		return connectors.Person{}, err
	}
	ctx = c.budgeted(ctx)
	u, assigned, err := c.lookAt(ctx, id)
	if err != nil {
		return connectors.Person{}, err
	}
	if assigned {
		return connectors.Person{User: &u, InScope: true}, nil
	}
	found, err := c.user(ctx, id)
	if connectors.FaultOf(err) == connectors.NotFound {
		return connectors.Person{}, nil
	}
	if err != nil {
		return connectors.Person{}, err
	}
	if u, err = c.userOfOrg(found); err != nil {
		return connectors.Person{}, err
	}
	return connectors.Person{User: &u}, nil
}

// lookAt reads an application user, and reports whether there is one.
func (c *Connector) lookAt(ctx context.Context, id string) (connectors.User, bool, error) {
	found, err := c.appUser(ctx, id)
	if connectors.FaultOf(err) == connectors.NotFound {
		return connectors.User{}, false, c.appIsThere(ctx, id, err)
	}
	if err != nil {
		return connectors.User{}, false, err
	}
	u, err := c.userOfApp(found)
	return u, err == nil, err
}

// appIsThere returns an error if it is the application that Okta does not know, when it answered that it does not know an
// object of it: nobody is out of scope because app_id is wrong. Okta's error mostly names the object.
func (c *Connector) appIsThere(ctx context.Context, id string, notFound error) error {
	var r *refusal
	if errors.As(notFound, &r) && strings.Contains(r.summary, id) {
		return nil
	}
	_, err := c.appUsers("", 1)(ctx, "")
	return err
}

// Team reads one group, and whether it is pushed to the application; where Okta refuses that and Config.Teams names
// another way, whether it is assigned, or that it isn't known to be in scope.
func (c *Connector) Team(ctx context.Context, id string) (connectors.Team, error) {
	if err := checkID(id); err != nil {
		return connectors.Team{}, err
	}
	ctx = c.budgeted(ctx)
	found, err := c.group(ctx, id)
	if connectors.FaultOf(err) == connectors.NotFound {
		return connectors.Team{}, nil
	}
	if err != nil {
		return connectors.Team{}, err
	}
	g, err := groupOf(found)
	if err != nil {
		return connectors.Team{}, err
	}
	inScope, err := c.isPushed(ctx, id)
	if refused := new(connectors.Error); c.cfg.Teams != TeamsPush && errors.As(err, &refused) && refuses(refused) {
		inScope, err = c.isAssigned(ctx, id)
	}
	if err != nil {
		return connectors.Team{}, err
	}
	return connectors.Team{Group: &g, InScope: inScope}, nil
}

func (c *Connector) isPushed(ctx context.Context, id string) (pushed bool, err error) {
	read := c.pushMappings(id, pageLimit)
	err = connectors.Walk(ctx, connectors.Unstamped, read, func(_ connectors.Stamp, items []*pushMapping) error {
		for _, m := range items {
			if m.SourceGroupID != id {
				continue
			}
			pushes, err := m.pushes()
			if err != nil {
				return err
			}
			pushed = pushed || pushes
		}
		return nil
	})
	return pushed, err
}

// isAssigned stands in for isPushed. Linked teams are not assigned anywhere, and nothing is said of them.
func (c *Connector) isAssigned(ctx context.Context, id string) (bool, error) {
	if c.cfg.Teams == TeamsLinked {
		return false, nil
	}
	_, err := c.appGroup(ctx, id)
	if connectors.FaultOf(err) == connectors.NotFound {
		return false, c.appIsThere(ctx, id, err)
	}
	return err == nil, err
}

// GroupMembers reads the object ids of a group's users.
func (c *Connector) GroupMembers(ctx context.Context, groupID string) ([]string, error) {
	if err := checkID(groupID); err != nil {
		return nil, err
	}
	var all []string
	read := c.members(groupID, pageLimit)
	err := connectors.Walk(c.budgeted(ctx), connectors.Unstamped, read, func(_ connectors.Stamp, items []*sdk.User) error {
		ids, err := idsOf(items)
		all = append(all, ids...)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// GroupsOf reads the object ids of all groups that hold a person directly.
func (c *Connector) GroupsOf(ctx context.Context, id string) ([]string, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	var ids distinct
	err := connectors.Walk(c.budgeted(ctx), connectors.Unstamped, c.groupsOf(id), func(_ connectors.Stamp, items []*sdk.Group) error {
		for _, g := range items {
			if !validID(g.Id) {
				return noID()
			}
			ids.add(g.Id)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(ids.all)
	return ids.all, nil
}

// FindUsers looks for people by userName and by email: among the application's users, and where none of them has it, among
// the org's by login and email. The org's search may lag behind.
func (c *Connector) FindUsers(ctx context.Context, userName, email string) ([]connectors.User, error) {
	ctx = c.budgeted(ctx)
	var all []connectors.User
	for _, by := range []struct{ attribute, orgs, value string }{{attrUserName, "profile.login", userName}, {"email", "profile.email", email}} {
		if by.value == "" {
			continue
		}
		found, err := c.findAppUsers(ctx, by.attribute, by.value)
		if err == nil && len(found) == 0 {
			found, err = c.findOrgUsers(ctx, by.orgs, by.value)
		}
		if err != nil {
			return nil, err
		}
		for i := range found {
			if !slices.ContainsFunc(all, func(u connectors.User) bool { return u.ObjectID == found[i].ObjectID }) {
				all = append(all, found[i])
			}
		}
	}
	return all, nil
}

func (c *Connector) findAppUsers(ctx context.Context, attribute, value string) (found []connectors.User, err error) {
	err = connectors.Walk(ctx, connectors.Unstamped, c.appUsers(value, foundLimit), func(_ connectors.Stamp, items []*sdk.AppUser) error {
		for _, item := range items {
			u, err := c.userOfApp(item)
			if err != nil {
				return err
			}
			if strings.EqualFold(u.Attributes[attribute], value) {
				found = append(found, u)
			}
		}
		return nil
	})
	return found, err
}

// findOrgUsers looks among all users of the org. One who is an application user after all is given as that.
func (c *Connector) findOrgUsers(ctx context.Context, property, value string) (found []connectors.User, err error) {
	attribute := strings.TrimPrefix(property, "profile.")
	var ids []string
	byID := map[string]connectors.User{}
	read := c.users(equals(property, value), foundLimit)
	err = connectors.Walk(ctx, connectors.Unstamped, read, func(_ connectors.Stamp, items []*sdk.User) error {
		for _, item := range items {
			u, err := c.userOfOrg(item)
			if err != nil {
				return err
			}
			if _, twice := byID[u.ObjectID]; !twice && strings.EqualFold(u.Attributes[attribute], value) {
				ids, byID[u.ObjectID] = append(ids, u.ObjectID), u
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		u, assigned, err := c.lookAt(ctx, id)
		if err != nil {
			return nil, err
		}
		if !assigned {
			u = byID[id]
		}
		found = append(found, u)
	}
	return found, nil
}

// FindGroups looks for groups by name. Okta's search may lag behind.
func (c *Connector) FindGroups(ctx context.Context, displayName string) ([]connectors.Group, error) {
	if displayName == "" {
		return nil, nil
	}
	var found []connectors.Group
	read := c.groups(equals("profile.name", displayName), foundLimit)
	err := connectors.Walk(c.budgeted(ctx), connectors.Unstamped, read, func(_ connectors.Stamp, items []*sdk.Group) error {
		for _, item := range items {
			g, err := groupOf(item)
			if err != nil {
				return err
			}
			if strings.EqualFold(g.Attributes["name"], displayName) {
				found = append(found, g)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}
