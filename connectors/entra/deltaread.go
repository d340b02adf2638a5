package entra

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/rosterd/rosterd/connectors"
)

// manyPeople is from how many people on the tenant's whole list is read, instead of each of them by id.
const manyPeople = 10_000

// readGroups reads the assigned groups that changed or are to be read whole.
func (d *delta) readGroups(ctx context.Context) error {
	d.listed = func(people []uuid.UUID) error {
		if d.rules.all { // no group puts anybody in scope
			return nil
		}
		known, err := d.known(ctx, people)
		if err != nil {
			return err
		}
		for _, id := range people {
			if !known[id.String()] {
				d.want(id)
			}
		}
		return nil
	}
	for _, g := range d.groups {
		moved, changed := d.touched[g.id]
		if !changed && !d.whole[g.id] {
			continue
		}
		if err := d.readChanged(ctx, g, moved); err != nil {
			return err
		}
	}
	return nil
}

// readChanged reads a group, and its members whole or as far as they moved. As in a pull, a group that Graph does not
// know and one whose members are hidden are lists that aren't whole; no later attempt would mend that, so the delta goes on.
func (d *delta) readChanged(ctx context.Context, g assignedGroup, moved map[uuid.UUID]bool) error {
	l := connectors.NewList(connectors.Members, g.id, g.name)
	found, v, err := d.handGroup(ctx, l)
	if err == nil && !d.whole[g.id] {
		return d.handMoved(ctx, l, moved)
	}
	if len(d.rules.groups) > 0 && !d.rules.all && v != keptOut {
		if err := d.handScope(ctx, g.id); err != nil {
			return err
		}
	}
	if err == nil {
		err = d.readMembers(ctx, hidden(found), v, l)
	}
	if err != nil && d.Stops(ctx, err) {
		return err
	}
	lasting := found != nil && hidden(found) && connectors.FaultOf(err) == connectors.MissingPermission
	if connectors.FaultOf(err) == connectors.NotFound {
		d.Log.WarnContext(ctx, "an assigned group is not known to Graph", slog.String("group", g.id), slog.String("name", g.name))
		err, lasting = errGone, true
	}
	if ended := d.End(ctx, l, err); ended != nil || lasting {
		return ended
	}
	return err
}

// handScope says that a group is in scope, as the filter does not keep it out, or can't be asked.
func (d *delta) handScope(ctx context.Context, id string) error {
	at, err := d.Stamp(ctx)
	if err != nil {
		return err
	}
	return connectors.Halt(d.sink.Assigned(ctx, at, nil, []string{id}))
}

// handMoved hands on who came to a group and who left it. Who is gone from the directory is in no group.
func (d *delta) handMoved(ctx context.Context, l *connectors.List, moved map[uuid.UUID]bool) error {
	var came, left []string
	why := d.scope.through(l.Name)
	for id, in := range moved {
		switch {
		case !in:
			left = append(left, id.String())
		case !d.changed[id].gone:
			came = append(came, id.String())
			d.scope.add(id, why)
			d.want(id)
		}
	}
	slices.Sort(came)
	slices.Sort(left)
	for page := range slices.Chunk(came, int(pageSize)) {
		if err := d.sink.Members(ctx, d.groupsAt, l.ID, page); err != nil {
			return connectors.Halt(err)
		}
	}
	for page := range slices.Chunk(left, int(pageSize)) {
		if err := d.sink.Left(ctx, d.groupsAt, l.ID, page); err != nil {
			return connectors.Halt(err)
		}
	}
	return nil
}

// askAssignments asks of those who changed and aren't known whether they are in scope, and by which groups.
func (d *delta) askAssignments(ctx context.Context) error {
	for _, id := range d.asked {
		if err := d.askOne(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (d *delta) askOne(ctx context.Context, id uuid.UUID) error {
	l := connectors.NewList(connectors.Assignments, id.String(), "assignments of one person")
	granted, err := d.c.grantsOf(ctx, d.Stamps(l), id.String())
	if err != nil {
		return gone(err)
	}
	for _, g := range granted {
		why := direct
		if g.group != "" {
			in, said := d.touched[g.group][id]
			if said && !in { // has left it in this round: the answer is an older one
				continue
			}
			if whole, assigned := d.whole[g.group]; assigned && !whole && !said {
				if err := d.sink.Members(ctx, l.Began, g.group, []string{id.String()}); err != nil {
					return connectors.Halt(err)
				}
			}
			why = d.scope.through(g.name)
		}
		d.scope.add(id, why)
		d.want(id)
	}
	return nil
}

// readPeople reads the attributes of those who were noted, and hands on who is gone. Who isn't found is said to be gone
// only if Graph said so itself.
func (d *delta) readPeople(ctx context.Context) error {
	ids := make([]uuid.UUID, 0, len(d.read))
	for id := range d.read {
		ids = append(ids, id)
	}
	l := connectors.NewList(connectors.Users, "", "users")
	reads := []connectors.Fetch[models.Userable]{d.c.listUsers(d.rules, "", pageSize)}
	if len(ids) <= manyPeople {
		reads = d.c.byID(d.rules, ids)
	}
	for _, read := range reads {
		err := connectors.Walk(ctx, d.Stamps(l), read, func(at connectors.Stamp, items []models.Userable) error {
			return d.keepRead(ctx, at, items)
		})
		if err != nil {
			return err
		}
	}
	var left []connectors.User
	for id, c := range d.changed {
		if c.gone || c.removal != unremoved && d.read[id] {
			left = append(left, connectors.User{ObjectID: id.String(), Gone: c.removal.words()})
		}
	}
	slices.SortFunc(left, func(a, b connectors.User) int { return strings.Compare(a.ObjectID, b.ObjectID) })
	for page := range slices.Chunk(left, int(pageSize)) {
		if err := d.sink.Users(ctx, d.usersAt, page); err != nil {
			return connectors.Halt(err)
		}
	}
	return nil
}

// keepRead hands on those of a page who are to be read. Read leaves only those behind who are not found.
func (d *delta) keepRead(ctx context.Context, at connectors.Stamp, items []models.Userable) error {
	var kept []connectors.User
	for _, item := range items {
		id, err := entryID(item)
		if err != nil {
			return err
		}
		if !d.read[id] {
			continue
		}
		u, err := d.c.user(item)
		if err != nil {
			return err
		}
		u.Scope, _ = d.reason(u.ObjectID)
		kept = append(kept, d.rules.place(item, u))
		delete(d.read, id)
	}
	if len(kept) == 0 {
		return nil
	}
	return connectors.Halt(d.sink.Users(ctx, at, kept))
}
