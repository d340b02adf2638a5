package entra

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/rosterd/rosterd/connectors"
)

const (
	// fewPeople is up to how many people are asked for by id, instead of listing the whole tenant.
	fewPeople = 20
	// idsPerCall is how many values Graph takes in one "in" (Graph documentation, "Use the $filter query parameter").
	idsPerCall = 15
)

// pull is one read of everything in scope.
type pull struct {
	connectors.Reading
	c     *Connector
	rules *rules
	scope *scope
	// groups are the assigned ones in the order in which they came.
	groups []assignedGroup
	// assigned and listed, when not nil, take each page of the assignments, and of a group's members.
	assigned func(at connectors.Stamp, users, groups []string) error
	listed   func(people []uuid.UUID) error
	// whole: the lists that put people in scope were read whole, so far.
	whole bool
}

type assignedGroup struct {
	id, name string
	hidden   bool // where its attributes were read already
}

// errGone is why the members of an assigned group that Graph answers 404 for are not taken as none.
var errGone = errors.New("the group is assigned, but Graph does not know it")

// Pull reads, in this order: who and which groups are assigned; each assigned group and its direct members; the
// attributes of everyone in scope. Groups come before users because most drift shows in them, and calls are limited. Where
// the provisioning job sends all users and groups, those are read and no assignment.
func (c *Connector) Pull(ctx context.Context, sink connectors.Sink) error {
	ctx = c.budgeted(ctx)
	p := &pull{Reading: connectors.Reading{Sink: sink, Log: c.log}, c: c, scope: newScope(), whole: true}
	if err := p.run(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("pull from Entra: %w", ctx.Err())
		}
		return connectors.Halted(err)
	}
	return nil
}

func (p *pull) run(ctx context.Context) error {
	var err error
	if p.rules, err = p.c.rulesAt(ctx, p.Stamp); err != nil {
		return err
	}
	if p.rules.all {
		return p.runAll(ctx)
	}
	l := connectors.NewList(connectors.Assignments, "", "assignments of the application")
	broke, err := p.readAssignments(ctx, l)
	if err != nil {
		return err
	}
	if broke == nil {
		p.Expect(connectors.Teams, len(p.groups))
		broke = p.rules.unread
	}
	for _, g := range p.groups {
		unread, err := p.readGroup(ctx, g)
		if err != nil {
			return err
		}
		if broke == nil {
			broke = unread
		}
	}
	if err := p.End(ctx, l, broke); err != nil {
		return err
	}
	p.whole = broke == nil && p.whole
	return p.readUsers(ctx)
}

// readAssignments fills the scope with those assigned directly, and notes the assigned groups. An error of the first
// request ends the pull: nothing was read. The first error returned is that of a list that broke off later.
func (p *pull) readAssignments(ctx context.Context, l *connectors.List) (broke, err error) {
	seen := map[uuid.UUID]bool{}
	pages := 0
	err = connectors.Walk(ctx, p.Stamps(l), p.c.assignedTo(pageSize), func(at connectors.Stamp, items []models.AppRoleAssignmentable) error {
		pages++
		var users, groups []string
		for _, item := range items {
			id := item.GetPrincipalId()
			if id == nil {
				return &connectors.Error{Fault: connectors.Broken, Message: "Graph gave an assignment without principal"}
			}
			switch text(item.GetPrincipalType()) {
			case "User":
				p.scope.add(*id, direct)
				users = append(users, id.String())
			case "Group":
				groups = append(groups, id.String())
				if !seen[*id] {
					p.groups = append(p.groups, assignedGroup{id: id.String(), name: text(item.GetPrincipalDisplayName())})
				}
			default:
				continue
			}
			if !seen[*id] {
				l.Count++
			}
			seen[*id] = true
		}
		if p.assigned == nil {
			return nil
		}
		return p.assigned(at, users, groups)
	})
	if err == nil {
		return nil, nil
	}
	if pages == 0 || p.Stops(ctx, err) {
		return nil, err
	}
	p.Lost(err)
	return err, nil
}

// readGroup reads a group and its direct members. The first error returned says that the group, though assigned, could
// not be read and so was not handed on.
func (p *pull) readGroup(ctx context.Context, g assignedGroup) (unread, err error) {
	l := connectors.NewList(connectors.Members, g.id, g.name)
	if p.GaveUp != nil {
		return p.GaveUp, p.End(ctx, l, p.GaveUp)
	}
	found, v, err := p.handGroup(ctx, l)
	switch {
	case err != nil && p.Stops(ctx, err):
		return nil, err
	case connectors.FaultOf(err) == connectors.NotFound:
		p.whole = false
		p.Log.WarnContext(ctx, "an assigned group is not known to Graph", slog.String("group", g.id), slog.String("name", g.name))
		return nil, p.End(ctx, l, errGone)
	case err != nil:
		p.Lost(err)
		return err, p.End(ctx, l, err)
	}
	err = p.readMembers(ctx, hidden(found), v, l)
	p.whole = p.whole && err == nil
	return nil, p.Finish(ctx, l, err)
}

// handGroup reads the attributes of a list's group, names the list by them, and hands them on if the scoping filters let
// it in. One that they keep out, or that can't be judged, puts its members in scope all the same; the second look at its
// team tells the two apart.
func (p *pull) handGroup(ctx context.Context, l *connectors.List) (models.Groupable, verdict, error) {
	at, err := p.Stamp(ctx)
	if err != nil {
		return nil, unjudged, err
	}
	found, err := p.c.getGroup(ctx, p.rules, l.ID)
	if err != nil {
		return nil, unjudged, err
	}
	converted, err := group(found)
	if err != nil {
		return nil, unjudged, err
	}
	if name := text(found.GetDisplayName()); name != "" {
		l.Name = name
	}
	v := p.rules.group(found)
	if v != letIn {
		return found, v, nil
	}
	return found, v, connectors.Halt(p.Sink.Groups(ctx, at, []connectors.Group{converted}))
}

// readMembers reads a group's members. Its error is why the list is not whole.
func (p *pull) readMembers(ctx context.Context, hidden bool, v verdict, l *connectors.List) error {
	why := p.scope.through(l.Name)
	err := connectors.Walk(ctx, p.Stamps(l), p.c.membersOfGroup(l.ID, pageSize), func(at connectors.Stamp, items []models.Userable) error {
		ids, people, err := membersOf(items)
		if err != nil {
			return err
		}
		for _, person := range people {
			p.scope.add(person, why)
		}
		l.Count += len(ids)
		if len(ids) == 0 {
			return nil
		}
		if err := p.Sink.Members(ctx, at, l.ID, ids); err != nil {
			return connectors.Halt(err)
		}
		if v == keptOut && p.assigned != nil { // no team, but in scope
			if err := p.assigned(at, ids, nil); err != nil {
				return err
			}
		}
		if p.listed == nil {
			return nil
		}
		return p.listed(people)
	})
	if err == nil && l.Count == 0 && hidden {
		err = hiddenMembers(l.Name)
	}
	return err
}

// membersOf returns a page's object ids, as text and parsed.
func membersOf(items []models.Userable) ([]string, []uuid.UUID, error) {
	ids, people := make([]string, 0, len(items)), make([]uuid.UUID, 0, len(items))
	for _, item := range items {
		id, err := objectID(item)
		if err != nil {
			return nil, nil, err
		}
		person, err := parseID(id)
		if err != nil {
			return nil, nil, err
		}
		ids, people = append(ids, id), append(people, person)
	}
	return ids, people, nil
}

// readUsers reads the attributes of everyone in scope: by id where they are few, else from the tenant's whole list.
func (p *pull) readUsers(ctx context.Context) error {
	l := connectors.NewList(connectors.Users, "", "users")
	if p.GaveUp != nil {
		return p.End(ctx, l, p.GaveUp)
	}
	if !p.rules.all {
		p.Expect(connectors.Users, len(p.scope.people))
	}
	everyone := []connectors.Fetch[models.Userable]{p.c.listUsers(p.rules, "", pageSize)}
	// Who has left and keeps their account is told from who was deleted by the tenant's whole list.
	if len(p.scope.people) > fewPeople || p.rules.all || p.rules.keep {
		broke, err := p.readUsersBy(ctx, l, everyone)
		if err != nil {
			return err
		}
		return p.Finish(ctx, l, broke)
	}
	broke, err := p.readUsersBy(ctx, l, p.c.byID(p.rules, slices.Collect(maps.Keys(p.scope.people))))
	if refused := new(connectors.Error); errors.As(broke, &refused) && refused.Status == http.StatusBadRequest {
		broke, err = p.readUsersBy(ctx, l, everyone) // a Graph that doesn't take "in" still has the whole list
	}
	if err != nil {
		return err
	}
	return p.Finish(ctx, l, broke)
}

// readUsersBy works reads off, one after another. The first error returned is that of a list that broke off.
func (p *pull) readUsersBy(ctx context.Context, l *connectors.List, reads []connectors.Fetch[models.Userable]) (broke, err error) {
	for _, read := range reads {
		err := connectors.Walk(ctx, p.Stamps(l), read, func(at connectors.Stamp, items []models.Userable) error {
			return p.keepUsers(ctx, at, items, l)
		})
		if err != nil && p.Stops(ctx, err) {
			return nil, err
		}
		if err != nil {
			return err, nil
		}
	}
	return nil, nil
}

// byID returns the reads of some people's attributes.
func (c *Connector) byID(r *rules, people []uuid.UUID) []connectors.Fetch[models.Userable] {
	var reads []connectors.Fetch[models.Userable]
	ids := make([]string, 0, len(people))
	for _, id := range people {
		ids = append(ids, "'"+id.String()+"'")
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, idsPerCall) {
		reads = append(reads, c.listUsers(r, "id in ("+strings.Join(chunk, ",")+")", int32(idsPerCall)))
	}
	return reads
}

// keepUsers hands on those of a page that are in scope, or that the job's rules say something of.
func (p *pull) keepUsers(ctx context.Context, at connectors.Stamp, items []models.Userable, l *connectors.List) error {
	var kept []connectors.User
	for _, item := range items {
		id, err := objectID(item)
		if err != nil {
			return err
		}
		why, inScope := p.reason(id)
		if !inScope && !(p.rules.keep && p.whole) {
			continue
		}
		u, err := p.c.user(item)
		if err != nil {
			return err
		}
		if !inScope {
			kept = append(kept, outOfScope(u, "no assignment puts them in scope, by lists read whole"))
			continue
		}
		l.Count++
		u.Scope = why
		kept = append(kept, p.rules.place(item, u))
	}
	if len(kept) == 0 {
		return nil
	}
	if err := p.Sink.Users(ctx, at, kept); err != nil {
		return connectors.Halt(err)
	}
	return nil
}
