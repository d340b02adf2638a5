package entra

import (
	"context"

	"github.com/rosterd/rosterd/connectors"
)

// Test makes one small request for each permission that runs need. Its error names everything that is to be granted.
func (c *Connector) Test(ctx context.Context) error {
	return connectors.Probe(c.budgeted(ctx), c.probeAssignments, c.probeUsers, c.probeGroups)
}

func (c *Connector) probeAssignments(ctx context.Context) error {
	_, err := c.assignedTo(1)(ctx, "")
	return err
}

// probeUsers also asks for one user's assignments, as second looks do.
func (c *Connector) probeUsers(ctx context.Context) error {
	p, err := c.listUsers(nil, "", 1)(ctx, "")
	if err != nil || len(p.Items) == 0 {
		return err
	}
	u, err := c.user(p.Items[0])
	if err != nil {
		return err
	}
	_, err = c.userAssignments(u.ObjectID)(ctx, "")
	return gone(err)
}

func (c *Connector) probeGroups(ctx context.Context) error {
	p, err := c.listGroups(nil, "", 1)(ctx, "")
	if err != nil || len(p.Items) == 0 {
		return err
	}
	g, err := group(p.Items[0])
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
