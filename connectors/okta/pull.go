package okta

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rosterd/rosterd/connectors"
)

// pull is one read of everything in scope.
type pull struct {
	connectors.Reading
	c *Connector
	// listed takes the groups that each page of the list of teams names, when not nil.
	listed func(at connectors.Stamp, groups []string) error
	// strange are statuses that this version doesn't know, each told once.
	strange map[string]bool
}

// errGone is why the members of a group that is pushed, but that Okta answers 404 for, are not taken as none.
var errGone = errors.New("the group is pushed, but Okta does not know it")

// Pull reads, in this order: the application's users; which groups are pushed to it; each of those groups and its
// members. The first list is both the assignments and the users, and is reported as either.
func (c *Connector) Pull(ctx context.Context, sink connectors.Sink) error {
	ctx = c.budgeted(ctx)
	p := &pull{Reading: connectors.Reading{Sink: sink, Log: c.log}, c: c}
	if err := p.run(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("pull from Okta: %w", ctx.Err())
		}
		return connectors.Halted(err)
	}
	return nil
}

func (p *pull) run(ctx context.Context) error {
	if err := p.readUsers(ctx); err != nil {
		return err
	}
	l := connectors.NewList(connectors.Teams, "", "groups pushed to the application")
	groups, broke, err := p.readTeams(ctx, l)
	if err != nil {
		return err
	}
	if broke == nil {
		p.Expect(connectors.Teams, len(groups))
	}
	for _, id := range groups {
		unread, err := p.readGroup(ctx, id, l)
		if err != nil {
			return err
		}
		if unread != nil && (broke == nil || l.Refused) {
			broke, l.Refused = unread, false
		}
	}
	return p.End(ctx, l, broke)
}

// readUsers hands on the application's users. An error of the first request ends the pull: nothing was read.
func (p *pull) readUsers(ctx context.Context) error {
	l := connectors.NewList(connectors.Assignments, "", "users of the application")
	pages, err := p.walkUsers(ctx, l, p.Sink.Users)
	if err != nil && pages == 0 {
		return err
	}
	if err := p.Finish(ctx, l, err); err != nil {
		return err
	}
	l.Kind = connectors.Users
	return p.End(ctx, l, err)
}

// walkUsers hands each page of the application's users to a method of the sink, and returns how many pages there were.
func (p *pull) walkUsers(
	ctx context.Context, l *connectors.List, each func(context.Context, connectors.Stamp, []connectors.User) error,
) (pages int, err error) {
	err = connectors.Walk(ctx, p.Stamps(l), p.c.appUsers("", appUserLimit), func(at connectors.Stamp, items []*sdk.AppUser) error {
		pages++
		users := make([]connectors.User, 0, len(items))
		for _, item := range items {
			u, err := p.c.userOfApp(item)
			if err != nil {
				return err
			}
			p.tellStrange(ctx, &u)
			users = append(users, u)
		}
		if len(users) == 0 {
			return nil
		}
		l.Count += len(users)
		return connectors.Halt(each(ctx, at, users))
	})
	if err == nil {
		p.c.userPages.Store(int64(pages))
	}
	return pages, err
}

// tellStrange logs a status that isn't known: who has it is left as they are, and nobody would ask why.
func (p *pull) tellStrange(ctx context.Context, u *connectors.User) {
	user, app := u.Attributes[attrUserStatus], u.Attributes[attrAppUserStatus]
	pair := user + " " + app
	if max(userStanding(user), appUserStanding(app)) != unknown || p.strange[pair] {
		return
	}
	if p.strange == nil {
		p.strange = map[string]bool{}
	}
	p.strange[pair] = true
	p.Log.WarnContext(ctx, "Okta gives a status that is not known: who has it stays as they are", slog.String("user", u.ObjectID),
		slog.String("user_status", user), slog.String("application_user_status", app))
}

// readTeams finds out which groups mean to become teams, each once. The first error returned is why that list isn't
// whole; l is Refused where the configuration says what to do without it.
func (p *pull) readTeams(ctx context.Context, l *connectors.List) (groups []string, broke, err error) {
	if p.GaveUp != nil {
		return nil, p.GaveUp, nil
	}
	groups, err = p.pushed(ctx, l)
	if refused := new(connectors.Error); len(groups) == 0 && p.c.cfg.Teams != TeamsPush && errors.As(err, &refused) && refuses(refused) {
		p.Log.InfoContext(ctx, "Okta refuses the list of push mappings",
			slog.String("teams", p.c.cfg.Teams), slog.String("error", refused.Error()))
		groups, err = nil, nil
		if p.c.cfg.Teams == TeamsAssigned {
			groups, err = p.assigned(ctx, l)
		}
		if err == nil {
			l.Refused = true
			return groups, fmt.Errorf("no team counts as gone because it is not listed: %w", refused), nil
		}
	}
	if err != nil && p.Stops(ctx, err) {
		return nil, nil, err
	}
	if err != nil {
		p.Lost(err)
	}
	return groups, err, nil
}

// refuses reports whether an error says that the org, the application or the administrator has no push mappings to list.
func refuses(e *connectors.Error) bool {
	switch e.Status {
	case 400, 403, 404, 405, 501:
		return true
	default:
		return false
	}
}

// pushed reads the groups with a push mapping that is on, up to where the list broke off.
func (p *pull) pushed(ctx context.Context, l *connectors.List) ([]string, error) {
	var ids distinct
	err := connectors.Walk(ctx, p.Stamps(l), p.c.pushMappings("", pageLimit), func(at connectors.Stamp, items []*pushMapping) error {
		before := len(ids.all)
		for _, m := range items {
			switch pushes, err := m.pushes(); {
			case err != nil:
				return err
			case pushes:
				ids.add(m.SourceGroupID)
			}
		}
		return p.announce(at, ids.all[before:])
	})
	return ids.all, err
}

func (p *pull) announce(at connectors.Stamp, groups []string) error {
	if p.listed == nil || len(groups) == 0 {
		return nil
	}
	return connectors.Halt(p.listed(at, groups))
}

// pushes reports whether a mapping makes its group a team. One in ERROR does: its last push failed, which is what a run is
// there to mend (Okta documentation, "List all group push mappings").
func (m *pushMapping) pushes() (bool, error) {
	if !validID(m.SourceGroupID) {
		return false, noID()
	}
	switch m.Status {
	case pushOn, pushFailed:
		return true, nil
	case pushOff:
		return false, nil
	default:
		return false, &connectors.Error{
			Fault:   connectors.Broken,
			Message: fmt.Sprintf("The push mapping of group %s has the status %q, which is not known", m.SourceGroupID, m.Status),
		}
	}
}

// assigned reads the groups assigned to the application, up to where the list broke off.
func (p *pull) assigned(ctx context.Context, l *connectors.List) ([]string, error) {
	var ids distinct
	err := connectors.Walk(ctx, p.Stamps(l), p.c.appGroups(), func(at connectors.Stamp, items []*sdk.ApplicationGroupAssignment) error {
		before := len(ids.all)
		for _, g := range items {
			if !validID(g.Id) {
				return noID()
			}
			ids.add(g.Id)
		}
		return p.announce(at, ids.all[before:])
	})
	return ids.all, err
}

// distinct keeps ids in the order in which they came, each once.
type distinct struct {
	all  []string
	seen map[string]bool
}

func (d *distinct) add(id string) {
	if d.seen == nil {
		d.seen = map[string]bool{}
	}
	if !d.seen[id] {
		d.seen[id] = true
		d.all = append(d.all, id)
	}
}

// readGroup reads a group and its members. The first error returned says that the group, though it means to become a
// team, could not be read and so was not handed on.
func (p *pull) readGroup(ctx context.Context, id string, teams *connectors.List) (unread, err error) {
	l := connectors.NewList(connectors.Members, id, "")
	if p.GaveUp != nil {
		return p.GaveUp, p.End(ctx, l, p.GaveUp)
	}
	at, err := p.Stamp(ctx)
	if err != nil {
		return nil, err
	}
	found, err := p.c.group(ctx, id)
	var converted connectors.Group
	if err == nil {
		converted, err = groupOf(found)
	}
	switch {
	case err != nil && p.Stops(ctx, err):
		return nil, err
	case connectors.FaultOf(err) == connectors.NotFound:
		p.Log.WarnContext(ctx, "a pushed group is not known to Okta", slog.String("group", id))
		return nil, p.End(ctx, l, errGone)
	case err != nil:
		p.Lost(err)
		return err, p.End(ctx, l, err)
	}
	l.Name = converted.Attributes["name"]
	teams.Count++
	if err := p.Sink.Groups(ctx, at, []connectors.Group{converted}); err != nil {
		return nil, connectors.Halt(err)
	}
	return nil, p.readMembers(ctx, l)
}

func (p *pull) readMembers(ctx context.Context, l *connectors.List) error {
	return p.Finish(ctx, l, p.walkMembers(ctx, l))
}

func (p *pull) walkMembers(ctx context.Context, l *connectors.List) error {
	return connectors.Walk(ctx, p.Stamps(l), p.c.members(l.ID, pageLimit), func(at connectors.Stamp, items []*sdk.User) error {
		ids, err := idsOf(items)
		if err != nil || len(ids) == 0 {
			return err
		}
		l.Count += len(ids)
		return connectors.Halt(p.Sink.Members(ctx, at, l.ID, ids))
	})
}

func idsOf(users []*sdk.User) ([]string, error) {
	ids := make([]string, 0, len(users))
	for _, u := range users {
		if !validID(u.Id) {
			return nil, noID()
		}
		ids = append(ids, u.Id)
	}
	return ids, nil
}
