package okta

import (
	"context"
	"errors"
	"strings"

	"github.com/rosterd/rosterd/connectors"
)

// Test makes one small request for each permission that runs need. Its error names everything that is to be granted.
func (c *Connector) Test(ctx context.Context) error {
	return connectors.Probe(c.budgeted(ctx), c.probeApp, c.probeUsers, c.probeGroups, c.probeMappings, c.probeScopes)
}

// probeScopes names the scopes that the configuration asks for and that are not granted, beside those that runs need, which
// the other probes name.
func (c *Connector) probeScopes(ctx context.Context) error {
	if c.signed == nil {
		return nil
	}
	missing, err := c.signed.lacks(ctx)
	if err != nil {
		return nil //nolint:nilerr // the other probes met the same, and told it
	}
	if missing = without(missing, DefaultScopes()); len(missing) == 0 {
		return nil
	}
	names := strings.Join(missing, ", ")
	return &connectors.Error{
		Fault:   connectors.MissingPermission,
		Message: "Okta did not grant " + names + ", which scopes asks for",
		Fix:     "Grant it under Applications > the API service application > Okta API Scopes, or take it out of scopes.",
	}
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
