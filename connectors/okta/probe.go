package okta

import (
	"context"
	"errors"

	"github.com/rosterd/rosterd/connectors"
)

// Test makes one small request for each permission that runs need. Its error names everything that is to be granted.
func (c *Connector) Test(ctx context.Context) error {
	return connectors.Probe(c.budgeted(ctx), c.probeApp, c.probeUsers, c.probeGroups, c.probeMappings)
}

// probeApp also sees whether Okta tells an application user's status in the org.
func (c *Connector) probeApp(ctx context.Context) error {
	p, err := c.appUsers("", 1)(ctx, "")
	if err != nil || len(p.Items) == 0 {
		return err
	}
	_, err = c.userOfApp(p.Items[0])
	return err
}

func (c *Connector) probeUsers(ctx context.Context) error {
	_, err := c.users("", 1)(ctx, "")
	return err
}

// probeGroups also asks for one group's members.
func (c *Connector) probeGroups(ctx context.Context) error {
	p, err := c.groups("", 1)(ctx, "")
	if err != nil || len(p.Items) == 0 {
		return err
	}
	_, err = c.members(p.Items[0].Id, 1)(ctx, "")
	if connectors.FaultOf(err) == connectors.NotFound { // deleted between the two requests
		return nil
	}
	return err
}

// probeMappings forgives a refusal where the configuration says how to go on.
func (c *Connector) probeMappings(ctx context.Context) error {
	_, err := c.pushMappings("", 1)(ctx, "")
	if refused := new(connectors.Error); c.cfg.Teams != TeamsPush && errors.As(err, &refused) && refuses(refused) {
		return nil
	}
	return err
}
