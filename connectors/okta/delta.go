package okta

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	sdk "github.com/okta/okta-sdk-golang/v2/okta"

	"github.com/rosterd/rosterd/connectors"
)

// overlap is how far a cursor lies before the time that Okta showed when it was taken. In it go: the answer's date, which
// is in whole seconds and may be that of another of Okta's servers than the one that dates a change; the filter, which
// reads a copy that lags behind (Okta documentation, "List all groups": typically less than a second); and a change that
// was dated when it began. What changed within it is read twice.
const overlap = 2 * time.Minute

// Delta reads the list of teams in full, and of the teams those that changed since the cursor, that the sink does not know,
// or that since names. A person new to the application may be in a group for long: in which teams they are is asked for.
//
// Of the application's users it reads those of whom the org's system log tells; all of them where that would cost more, the
// log can't be gone by, or they were not all read for some hours. The log is never more than a hint whom to read.
//
// Okta has no delta query, so a group has changed when its lastUpdated or lastMembershipUpdated says so. A change of a
// group's members moves the latter. What moves neither is seen elsewhere: who comes to the application, leaves it or is
// deleted, in the list of users; a group that is deleted or pushed no more, in the list of teams.
func (c *Connector) Delta(ctx context.Context, since connectors.Since, sink connectors.DeltaSink) (string, error) {
	ctx = c.budgeted(ctx)
	d := &delta{sink: sink, read: map[string]bool{}}
	d.pull = pull{Reading: connectors.Reading{Sink: sink, Log: c.log}, c: c, listed: func(at connectors.Stamp, groups []string) error {
		return sink.Assigned(ctx, at, nil, groups)
	}}
	next, err := d.run(ctx, since)
	if err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("read changes from Okta: %w", ctx.Err())
		}
		return "", connectors.Halted(err)
	}
	return next, nil
}

// delta is one read of what has changed.
type delta struct {
	pull
	sink connectors.DeltaSink
	read map[string]bool // groups whose members were read
}

// run asks for Okta's time before anything else: what changes from then on is for the next delta.
func (d *delta) run(ctx context.Context, since connectors.Since) (string, error) {
	cur, err := parseCursor(since.Cursor)
	if err != nil {
		return "", err
	}
	if _, err := d.Stamp(ctx); err != nil {
		return "", err
	}
	now, err := d.c.now(ctx)
	if err != nil {
		return "", err
	}
	if now.Before(cur.from) { // what was changed in between is dated before the cursor
		return "", lost(fmt.Sprintf("Okta's clock shows %s, which is before the last delta", now.Format(time.RFC3339)))
	}
	newcomers, log, err := d.readPeople(ctx, cur, now, since.Users)
	if err != nil {
		return "", err
	}
	l := connectors.NewList(connectors.Teams, "", "groups pushed to the application")
	teams, broke, err := d.readTeams(ctx, l)
	if err != nil {
		return "", err
	}
	if broke != nil && !l.Refused {
		return "", broke
	}
	l.Count = len(teams)
	if err := d.readChanged(ctx, l, teams, cur.from, since.Groups); err != nil {
		return "", err
	}
	if err := d.readNewcomers(ctx, l, teams, newcomers); err != nil {
		return "", err
	}
	return cursorAt(now, log), d.End(ctx, l, broke)
}

// listPeople hands on all of the application's users, and returns those who are on and not known to the sink.
func (d *delta) listPeople(ctx context.Context) (newcomers []string, err error) {
	l := connectors.NewList(connectors.Assignments, "", "users of the application")
	_, err = d.walkUsers(ctx, l, func(ctx context.Context, at connectors.Stamp, users []connectors.User) error {
		if err := d.sink.Users(ctx, at, users); err != nil {
			return err
		}
		ids, on := idsOfUsers(users), make([]string, 0, len(users))
		for i := range users {
			if users[i].Enabled {
				on = append(on, ids[i])
			}
		}
		if err := d.sink.Assigned(ctx, at, ids, nil); err != nil {
			return err
		}
		if len(on) == 0 {
			return nil
		}
		known, err := d.sink.KnownUsers(ctx, on)
		for _, id := range on {
			if !known[id] {
				newcomers = append(newcomers, id)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := d.End(ctx, l, nil); err != nil {
		return nil, err
	}
	l.Kind = connectors.Users
	return newcomers, d.End(ctx, l, nil)
}

// readChanged reads the teams that changed, are unknown, or are named.
func (d *delta) readChanged(ctx context.Context, l *connectors.List, teams []string, from time.Time, named []string) error {
	asked := make(map[string]bool, len(named))
	for _, id := range named {
		asked[id] = true
	}
	var sure []string
	unsure := map[string]bool{}
	for _, id := range teams {
		if asked[id] || !d.sink.KnownGroup(id) {
			sure = append(sure, id)
		} else {
			unsure[id] = true
		}
	}
	changed, told, err := d.changedAmong(ctx, unsure, from)
	if err != nil {
		return err
	}
	for _, id := range append(sure, changed...) {
		if err := d.readTeam(ctx, l, id, time.Time{}); err != nil {
			return err
		}
	}
	if told {
		return nil
	}
	for _, id := range teams { // in their order
		if unsure[id] {
			if err := d.readTeam(ctx, l, id, from); err != nil {
				return err
			}
		}
	}
	return nil
}

// changedAmong asks which of some groups have changed since a time; told is false where Okta does not take that filter.
// An answer that holds others, as of one who ignores it, is looked through.
func (d *delta) changedAmong(ctx context.Context, groups map[string]bool, from time.Time) (changed []string, told bool, err error) {
	if len(groups) == 0 {
		return nil, true, nil
	}
	var ids distinct
	err = connectors.Walk(ctx, d.Stamp, d.c.groupsChanged(from), func(_ connectors.Stamp, items []*sdk.Group) error {
		for _, g := range items {
			if groups[g.Id] && movedSince(g, from) {
				ids.add(g.Id)
			}
		}
		return nil
	})
	if refused := new(connectors.Error); errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
		d.Log.InfoContext(ctx, "Okta refuses to say which groups have changed: each is asked for", slog.String("error", refused.Error()))
		return nil, false, nil
	}
	return ids.all, true, err
}

// movedSince reports whether a group changed since a time, or doesn't tell.
func movedSince(g *sdk.Group, from time.Time) bool {
	for _, at := range []*time.Time{g.LastUpdated, g.LastMembershipUpdated} {
		if at == nil || at.After(from) {
			return true
		}
	}
	return false
}

// readTeam reads a group and its members; where it hasn't changed since a time that isn't zero, only the group. One that
// Okta does not know is no error: its list is not whole, so it stays unknown and is tried by the next delta.
func (d *delta) readTeam(ctx context.Context, teams *connectors.List, id string, since time.Time) error {
	at, err := d.Stamp(ctx)
	if err != nil {
		return err
	}
	found, err := d.c.group(ctx, id)
	l := connectors.NewList(connectors.Members, id, "")
	if connectors.FaultOf(err) == connectors.NotFound {
		d.Log.WarnContext(ctx, "a pushed group is not known to Okta", slog.String("group", id))
		teams.Count--
		d.read[id] = true
		return d.End(ctx, l, errGone)
	}
	if err != nil || !since.IsZero() && !movedSince(found, since) {
		return err
	}
	converted, err := groupOf(found)
	if err != nil {
		return err
	}
	l.Name, d.read[id] = converted.Attributes["name"], true
	if err := d.sink.Groups(ctx, at, []connectors.Group{converted}); err != nil {
		return connectors.Halt(err)
	}
	switch err := d.walkMembers(ctx, l); {
	case connectors.FaultOf(err) == connectors.NotFound: // deleted between two pages
		return d.End(ctx, l, errGone)
	case err != nil:
		return err
	}
	return d.End(ctx, l, nil)
}

// readNewcomers asks in which of the teams not read yet people are whom the sink does not know; where that takes more
// calls, it reads those teams.
func (d *delta) readNewcomers(ctx context.Context, l *connectors.List, teams, people []string) error {
	rest := map[string]bool{}
	for _, id := range teams {
		if !d.read[id] {
			rest[id] = true
		}
	}
	if len(rest) == 0 {
		return nil
	}
	if len(people) > 2*len(rest) { // a team takes two calls at least
		for _, id := range teams {
			if rest[id] {
				if err := d.readTeam(ctx, l, id, time.Time{}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, person := range people {
		err := connectors.Walk(ctx, d.Stamp, d.c.groupsOf(person), func(at connectors.Stamp, items []*sdk.Group) error {
			return d.join(ctx, at, person, rest, items)
		})
		if err != nil && connectors.FaultOf(err) != connectors.NotFound { // deleted since the list of users was read
			return err
		}
	}
	return nil
}

// join hands on those of a person's groups that are among some teams, and that they are in them.
func (d *delta) join(ctx context.Context, at connectors.Stamp, person string, teams map[string]bool, items []*sdk.Group) error {
	for _, item := range items {
		if !teams[item.Id] {
			continue
		}
		g, err := groupOf(item)
		if err != nil {
			return err
		}
		if err := d.sink.Groups(ctx, at, []connectors.Group{g}); err != nil {
			return connectors.Halt(err)
		}
		if err := d.sink.Members(ctx, at, g.ObjectID, []string{person}); err != nil {
			return connectors.Halt(err)
		}
	}
	return nil
}
