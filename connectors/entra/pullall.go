package entra

import (
	"context"

	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/rosterd/rosterd/connectors"
)

// runAll reads everybody and every group, for a job that is set to sync all users and groups (Entra documentation, "How
// Application Provisioning works in Microsoft Entra ID", "Assignment-based scoping"). No assignment is read, and no group
// puts anybody in scope: the list of users does.
func (p *pull) runAll(ctx context.Context) error {
	teams, err := p.readAllGroups(ctx)
	if err != nil {
		return err
	}
	p.Expect(connectors.Teams, len(p.groups))
	for _, g := range p.groups {
		l := connectors.NewList(connectors.Members, g.id, g.name)
		if p.GaveUp != nil {
			if err := p.End(ctx, l, p.GaveUp); err != nil {
				return err
			}
			continue
		}
		if err := p.Finish(ctx, l, p.readMembers(ctx, g.hidden, letIn, l)); err != nil {
			return err
		}
	}
	if err := p.End(ctx, teams.List, teams.broke); err != nil {
		return err
	}
	return p.readUsers(ctx)
}

// allGroups is the list of the tenant's groups, and why it is not whole.
type allGroups struct {
	*connectors.List
	broke error
}

// readAllGroups reads the tenant's groups and keeps those that the scoping filters do not keep out. In place of the
// assignments it reports the one rule that there is.
func (p *pull) readAllGroups(ctx context.Context) (allGroups, error) {
	everyone := connectors.NewList(connectors.Assignments, "", everybody)
	l := connectors.NewList(connectors.Teams, "", "groups of the tenant")
	at, err := p.Stamp(ctx)
	if err != nil {
		return allGroups{}, err
	}
	everyone.Began, everyone.Count = at, 1
	pages := 0
	err = connectors.Walk(ctx, p.Stamps(l), p.c.listGroups(p.rules, "", pageSize), func(at connectors.Stamp, items []models.Groupable) error {
		pages++
		return p.keepGroups(ctx, at, l, items)
	})
	if err != nil && (pages == 0 || p.Stops(ctx, err)) {
		return allGroups{}, err
	}
	if err != nil {
		p.Lost(err)
	}
	return allGroups{l, err}, p.End(ctx, everyone, nil)
}

// keepGroups takes a page of the tenant's groups.
func (p *pull) keepGroups(ctx context.Context, at connectors.Stamp, l *connectors.List, items []models.Groupable) error {
	var kept []connectors.Group
	var ids []string
	for _, item := range items {
		g, err := group(item)
		if err != nil {
			return err
		}
		v := p.rules.group(item)
		if v == keptOut {
			continue
		}
		if v == letIn {
			kept = append(kept, g)
		}
		l.Count++
		ids = append(ids, g.ObjectID)
		p.groups = append(p.groups, assignedGroup{g.ObjectID, text(item.GetDisplayName()), hidden(item)})
	}
	if p.assigned != nil { // a delta reads the attributes of those that changed
		return p.assigned(at, nil, ids)
	}
	if len(kept) == 0 {
		return nil
	}
	return connectors.Halt(p.Sink.Groups(ctx, at, kept))
}

// reason says why somebody is in scope.
func (p *pull) reason(id string) (string, bool) {
	if p.rules.all {
		return everybody, true
	}
	return p.scope.reason(id)
}
