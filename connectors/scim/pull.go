package scim

import (
	"context"
	"fmt"

	"github.com/rosterd/rosterd/connectors"
)

// pull is one read of everything in scope.
type pull struct {
	connectors.Reading
	c        *Connector
	byCursor bool
}

// Pull reads, in this order: the users; the groups; each group's members. The list of users is both the assignments and
// the users, and is reported as either.
func (c *Connector) Pull(ctx context.Context, sink connectors.Sink) error {
	ctx = c.budgeted(ctx)
	p := &pull{Reading: connectors.Reading{Sink: sink, Log: c.log}, c: c}
	if err := p.run(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("pull from the SCIM server: %w", ctx.Err())
		}
		return connectors.Halted(err)
	}
	return nil
}

func (p *pull) run(ctx context.Context) (err error) {
	if _, err := p.Stamp(ctx); err != nil {
		return err
	}
	if p.byCursor, err = p.c.cursors(ctx); err != nil {
		return err
	}
	if err := p.readUsers(ctx); err != nil {
		return err
	}
	groups, err := p.readGroups(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := p.readMembers(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// scope says why somebody is in scope.
func (c *Connector) scope() string {
	if c.cfg.UsersFilter == "" {
		return "a user of the server"
	}
	return "the server's users_filter finds them"
}

// readUsers hands on the users. An error of the first request ends the pull: nothing was read.
func (p *pull) readUsers(ctx context.Context) error {
	l, pages := connectors.NewList(connectors.Assignments, "", "users of the server"), 0
	users := p.c.users(p.c.cfg.UsersFilter, p.byCursor)
	err := connectors.Walk(ctx, p.Stamps(l), users.fetch, func(at connectors.Stamp, items []resource) error {
		if pages++; pages == 1 {
			p.Expect(connectors.Users, users.total)
		}
		page := make([]connectors.User, 0, len(items))
		for _, item := range items {
			u, err := item.user(p.c.scope())
			if err != nil {
				return err
			}
			page = append(page, u)
		}
		if len(page) == 0 {
			return nil
		}
		l.Count += len(page)
		return connectors.Halt(p.Sink.Users(ctx, at, page))
	})
	if err != nil && pages == 0 {
		return err
	}
	if err := p.Finish(ctx, l, err); err != nil {
		return err
	}
	l.Kind = connectors.Users
	return p.End(ctx, l, err)
}

// readGroups hands on the groups and returns them.
func (p *pull) readGroups(ctx context.Context) (all []connectors.Group, err error) {
	l := connectors.NewList(connectors.Teams, "", "groups of the server")
	if p.GaveUp != nil {
		return nil, p.End(ctx, l, p.GaveUp)
	}
	groups := p.c.groups(p.c.cfg.GroupsFilter, p.byCursor)
	err = connectors.Walk(ctx, p.Stamps(l), groups.fetch, func(at connectors.Stamp, items []resource) error {
		p.Expect(connectors.Teams, groups.total)
		page := make([]connectors.Group, 0, len(items))
		for _, item := range items {
			g, err := item.group()
			if err != nil {
				return err
			}
			page = append(page, g)
		}
		if len(page) == 0 {
			return nil
		}
		l.Count += len(page)
		all = append(all, page...)
		return connectors.Halt(p.Sink.Groups(ctx, at, page))
	})
	return all, p.Finish(ctx, l, err)
}

// readMembers hands on one group's members, which come in one answer.
func (p *pull) readMembers(ctx context.Context, g connectors.Group) error {
	l := connectors.NewList(connectors.Members, g.ObjectID, g.Attributes["displayName"])
	if p.GaveUp != nil {
		return p.End(ctx, l, p.GaveUp)
	}
	at, err := p.Stamps(l)(ctx)
	if err != nil {
		return err
	}
	ids, err := p.c.members(ctx, g.ObjectID)
	if err == nil && len(ids) > 0 {
		l.Count = len(ids)
		if err := p.Sink.Members(ctx, at, g.ObjectID, ids); err != nil {
			return err
		}
	}
	return p.Finish(ctx, l, err)
}
