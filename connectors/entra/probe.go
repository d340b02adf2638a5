package entra

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/connectors"
)

// Test makes one small request for each permission that runs need. Its error names everything that is to be granted.
func (c *Connector) Test(ctx context.Context) error {
	ctx = c.budgeted(ctx)
	var refused []*connectors.Error
	for _, probe := range []func(context.Context) error{c.probeAssignments, c.probeUsers, c.probeGroups} {
		err := probe(ctx)
		var e *connectors.Error
		switch {
		case err == nil:
		case errors.As(err, &e) && e.Fault == connectors.MissingPermission:
			refused = append(refused, e)
		default:
			return err
		}
	}
	return join(refused)
}

func (c *Connector) probeAssignments(ctx context.Context) error {
	_, err := c.assignedTo(1)(ctx, "")
	return err
}

// probeUsers also asks for one user's assignments, as second looks do.
func (c *Connector) probeUsers(ctx context.Context) error {
	p, err := c.listUsers("", 1)(ctx, "")
	if err != nil || len(p.items) == 0 {
		return err
	}
	u, err := c.user(p.items[0])
	if err != nil {
		return err
	}
	_, err = c.userAssignments(u.ObjectID)(ctx, "")
	return gone(err)
}

func (c *Connector) probeGroups(ctx context.Context) error {
	p, err := c.listGroups("", 1)(ctx, "")
	if err != nil || len(p.items) == 0 {
		return err
	}
	g, err := group(p.items[0])
	if err != nil {
		return err
	}
	_, err = c.listMembers(g.ObjectID, 1)(ctx, "")
	return gone(err)
}

// gone forgives that an object was deleted between two requests.
func gone(err error) error {
	if connectors.FaultOf(err) == connectors.NotFound {
		return nil
	}
	return err
}

// join makes one error of several missing permissions.
func join(refused []*connectors.Error) error {
	switch len(refused) {
	case 0:
		return nil
	case 1:
		return refused[0]
	}
	all := *refused[0]
	var messages, fixes []string
	for _, e := range refused {
		messages = append(messages, e.Message)
		if !slices.Contains(fixes, e.Fix) {
			fixes = append(fixes, e.Fix)
		}
	}
	all.Message, all.Fix = strings.Join(messages, ". "), strings.Join(fixes, " ")
	return &all
}
