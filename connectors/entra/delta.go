package entra

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/google/uuid"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/rosterd/rosterd/connectors"
)

const (
	// asksAlways and asksForGroup say when it is cheaper to read the members of every assigned group again than to ask for
	// the assignments of each person that Graph says has changed and nobody here knows: so many people, and so many more
	// for each group.
	asksAlways   = 20
	asksForGroup = 10
	// knownChunk is how many people the sink is asked about at once.
	knownChunk = 1000
)

// delta is one read of what has changed.
type delta struct {
	pull
	sink  connectors.DeltaSink
	since connectors.Since

	// changed is what Graph says of each user that changed; usersAt and groupsAt are the stamps that those reads began with.
	changed           map[uuid.UUID]change
	usersAt, groupsAt connectors.Stamp
	// touched are the assigned groups of which Graph says that they changed, and who came (true) or went.
	touched map[string]map[uuid.UUID]bool
	// whole are the assigned groups whose members are read from the first to the last.
	whole map[string]bool
	// asked are people whose own assignments have to be read.
	asked []uuid.UUID
	// read are the people whose attributes have to be read.
	read map[uuid.UUID]bool
}

// Delta reads, in this order: who and which groups are assigned; what has changed in users and in groups; of the assigned
// groups those that changed, aren't known or were asked for; the attributes of those people who changed, came, aren't
// known or were asked for. Attributes are never taken from what says that somebody changed: such an entry may hold a
// part of them, and may be an old one said again.
//
// Graph says nothing of the groups of somebody who is deleted and restored, as they keep them. If a group's list was read
// in between, and the person is known here otherwise, only the next full pull sees that membership.
func (c *Connector) Delta(ctx context.Context, since connectors.Since, sink connectors.DeltaSink) (string, error) {
	ctx = c.budgeted(ctx)
	d := &delta{
		pull: pull{Reading: connectors.Reading{Sink: sink, Log: c.log}, c: c, scope: newScope(), whole: true},
		sink: sink, since: since,
		changed: map[uuid.UUID]change{}, touched: map[string]map[uuid.UUID]bool{}, whole: map[string]bool{},
		read: map[uuid.UUID]bool{},
	}
	next, err := d.run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("delta from Entra: %w", ctx.Err())
		}
		return "", connectors.Halted(err)
	}
	return next, nil
}

func (d *delta) run(ctx context.Context) (next string, err error) {
	if d.rules, err = d.c.rulesAt(ctx, d.Stamp); err != nil {
		return "", err
	}
	if d.rules.unread != nil { // whoever came now would be lost for good
		return "", d.rules.unread
	}
	from, err := d.c.decodeCursor(d.rules, d.since.Cursor)
	if err != nil {
		return "", err
	}
	if err := d.readAssigned(ctx); err != nil {
		return "", err
	}
	usersLink, groupsLink, err := d.readChanges(ctx, from)
	if err != nil {
		return "", err
	}
	if err := d.sortPeople(ctx); err != nil {
		return "", err
	}
	if err := d.readGroups(ctx); err != nil {
		return "", err
	}
	if err := d.askAssignments(ctx); err != nil {
		return "", err
	}
	if err := d.readPeople(ctx); err != nil {
		return "", err
	}
	return d.c.encodeCursor(d.rules, usersLink, groupsLink)
}

// readAssigned reads the assignment list, and decides which groups are to be read whole. Where a filter decides which of
// them become teams, all are, and the filter is asked before they are handed on: nothing else says that one of them changed
// sides, and the members of one that is kept out are known by no team.
func (d *delta) readAssigned(ctx context.Context) error {
	filtered := len(d.rules.groups) > 0 && !d.rules.all
	d.assigned = func(at connectors.Stamp, users, groups []string) error {
		if filtered {
			groups = nil
		}
		if len(users)+len(groups) == 0 {
			return nil
		}
		return connectors.Halt(d.sink.Assigned(ctx, at, users, groups))
	}
	if d.rules.all {
		return d.readEverything(ctx)
	}
	l := connectors.NewList(connectors.Assignments, "", "assignments of the application")
	broke, err := d.readAssignments(ctx, l)
	if err != nil {
		return err
	}
	if err := d.End(ctx, l, broke); err != nil {
		return err
	}
	for _, g := range d.groups {
		d.whole[g.id] = filtered || d.c.cfg.NestedGroups || slices.Contains(d.since.Groups, g.id) || !d.sink.KnownGroup(g.id)
	}
	return broke
}

// readEverything reads, in place of the assignments, the tenant's groups.
func (d *delta) readEverything(ctx context.Context) error {
	teams, err := d.readAllGroups(ctx)
	if err != nil {
		return err
	}
	if err := d.End(ctx, teams.List, teams.broke); err != nil {
		return err
	}
	for _, g := range d.groups {
		d.whole[g.id] = d.c.cfg.NestedGroups || slices.Contains(d.since.Groups, g.id) || !d.sink.KnownGroup(g.id)
	}
	return teams.broke
}

// readChanges follows both delta links to their ends.
func (d *delta) readChanges(ctx context.Context, from cursor) (usersLink, groupsLink string, err error) {
	list := connectors.NewList(connectors.Users, "", "changed users")
	err = connectors.Walk(ctx, d.Stamps(list), d.c.usersSince(from.Users, &usersLink), func(_ connectors.Stamp, items []models.Userable) error {
		return d.noteUsers(items)
	})
	if err != nil {
		return "", "", err
	}
	d.usersAt = list.Began
	list = connectors.NewList(connectors.Members, "", "changed groups")
	err = connectors.Walk(ctx, d.Stamps(list), d.c.groupsSince(from.Groups, &groupsLink), func(_ connectors.Stamp, items []models.Groupable) error {
		return d.noteGroups(items)
	})
	d.groupsAt = list.Began
	return usersLink, groupsLink, err
}

// sortPeople decides who is to be read, and whose assignments are to be asked for.
func (d *delta) sortPeople(ctx context.Context) error {
	everyone := make([]uuid.UUID, 0, len(d.changed)+len(d.scope.people))
	for id := range d.changed {
		everyone = append(everyone, id)
	}
	for id := range d.scope.people { // as yet those assigned directly
		if _, twice := d.changed[id]; !twice {
			everyone = append(everyone, id)
		}
	}
	for chunk := range slices.Chunk(everyone, knownChunk) {
		known, err := d.known(ctx, chunk)
		if err != nil {
			return err
		}
		for _, id := range chunk {
			d.sortPerson(id, known[id.String()])
		}
	}
	for _, raw := range d.since.Users {
		id, err := parseID(raw)
		if err != nil {
			d.Log.WarnContext(ctx, "a person to be read again has no id of Entra's", slog.String("id", raw))
			continue
		}
		d.want(id)
	}
	d.limitAsks()
	return nil
}

// sortPerson decides about one who changed or is assigned directly. Somebody who changed and isn't known may be in scope
// through a group of which nothing was told: a restored account has its groups back without a word.
func (d *delta) sortPerson(id uuid.UUID, known bool) {
	c, changed := d.changed[id]
	_, assigned := d.scope.people[id]
	switch {
	case c.gone:
	case known && changed, !known && assigned, changed && d.rules.all:
		d.want(id)
	}
	if changed && !c.gone && !known && !d.rules.all {
		d.asked = append(d.asked, id)
	}
}

// limitAsks reads every assigned group whole where that takes fewer calls than the questions.
func (d *delta) limitAsks() {
	if len(d.asked) == 0 {
		return
	}
	known := 0
	for _, g := range d.groups {
		if !d.whole[g.id] {
			known++
		}
	}
	if known > 0 && len(d.asked) <= asksAlways+asksForGroup*known {
		return
	}
	for _, g := range d.groups {
		d.whole[g.id] = true
	}
	d.asked = nil
}

// want notes that a person's attributes are to be read. Who is gone has none.
func (d *delta) want(id uuid.UUID) {
	if !d.changed[id].gone {
		d.read[id] = true
	}
}

func (d *delta) known(ctx context.Context, people []uuid.UUID) (map[string]bool, error) {
	ids := make([]string, len(people))
	for i, id := range people {
		ids[i] = id.String()
	}
	known, err := d.sink.KnownUsers(ctx, ids)
	return known, connectors.Halt(err)
}
