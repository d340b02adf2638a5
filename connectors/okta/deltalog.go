package okta

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

const (
	// listEvery is how long the log alone is gone by: what it never told is found by the list.
	listEvery = 6 * time.Hour
	// logOverlap is how far back the log is read again: events may come out of order and late (Okta documentation, "System
	// Log", "Request types").
	logOverlap = 10 * time.Minute
	// logKept is how old a position may be; Okta keeps 90 days (Okta documentation, "System Log", "Data retention").
	logKept = 80 * 24 * time.Hour
	// logCalls is what a look at a log costs in which nothing stands: a page, and an empty one. A list that takes no more is
	// read.
	logCalls = 2
	// doneMost bounds what a cursor remembers of events. What it forgets is looked at once more.
	doneMost = 500
	// peoplePage is how many people are handed over at once.
	peoplePage = 100
)

// logRead is what the system log told.
type logRead struct {
	people distinct
	next   logPosition
}

// readLog finds out from the system log whose application user may have changed since a cursor. Where the log can't tell,
// or where reading them one by one would cost more than reading the list, it says why.
func (d *delta) readLog(ctx context.Context, cur cursor, now time.Time) (out *logRead, why string, err error) {
	log := cur.log
	if log == nil {
		return nil, "there is no position in the system log", nil
	}
	pages := log.Pages
	if pages == 0 {
		pages = int(d.c.userPages.Load())
	}
	switch age := now.Sub(log.Listed); {
	case pages <= logCalls:
		return nil, "it is short", nil
	case age >= listEvery || age < -overlap:
		return nil, "it was not read for long", nil
	case now.Sub(log.At) > logKept:
		return nil, "the last event that is known is too old", nil
	}
	out = &logRead{next: *log}
	out.next.Pages, out.next.Done = pages, nil
	why, err = d.pollLog(ctx, cur, now, out)
	if d.c.withoutLog(ctx, err) {
		return nil, "the system log can't be read", nil
	}
	return out, why, err
}

// pollLog reads the log up to the first empty page, as polling it never ends otherwise.
func (d *delta) pollLog(ctx context.Context, cur cursor, now time.Time, out *logRead) (why string, err error) {
	since := cur.from.Add(overlap - logOverlap)
	if cur.log.At.Before(since) {
		since = cur.log.At
	}
	read, anchored := d.c.polled(since), false
	for link, n := "", 1; ; n++ {
		if _, err := d.Stamp(ctx); err != nil {
			return "", err
		}
		p, err := read(ctx, link)
		if err != nil {
			return "", err
		}
		for _, e := range p.Items {
			anchored = anchored || e.UUID == cur.log.Anchor
			if why := out.take(e, d.c.cfg.AppID, cur.log, now); why != "" {
				return why, nil
			}
		}
		switch {
		case len(out.people.all) > out.next.Pages:
			return "more people may have changed than the list has pages", nil
		case len(p.Items) == 0 || p.Next == "":
			if !anchored {
				return "the system log has a gap", nil
			}
			return "", nil
		case n >= out.next.Pages:
			return "the system log has more pages than the list", nil
		}
		link = p.Next
	}
}

// take notes whom an event is about. What happened before the list was last read was in it, however late the event.
func (r *logRead) take(e *logEvent, app string, before *logPosition, now time.Time) (why string) {
	if e.Published.After(r.next.At) {
		r.next.Anchor, r.next.At = e.UUID, e.Published
	}
	if e.Published.Before(before.Listed.Add(-overlap)) {
		return ""
	}
	m := mark(e.UUID)
	if now.Sub(e.Published) >= overlap && len(r.next.Done) < doneMost { // a copy may lag behind what is younger
		r.next.Done = append(r.next.Done, m)
	}
	if slices.Contains(before.Done, m) {
		return ""
	}
	people, told := e.touches(app)
	if !told {
		return fmt.Sprintf("%s does not say of whom", e.Type)
	}
	for _, id := range people {
		r.people.add(id)
	}
	return ""
}

// readPeople hands on the application's users who have changed, as far as the system log can be gone by, else all of them.
// It returns those who are on and not known to the sink, and where the log is gone on from.
func (d *delta) readPeople(ctx context.Context, cur cursor, now time.Time, named []string) ([]string, *logPosition, error) {
	told, why, err := d.readLog(ctx, cur, now)
	if err != nil {
		return nil, nil, err
	}
	if why == "" {
		newcomers, err := d.readTouched(ctx, told.people, named)
		return newcomers, &told.next, err
	}
	d.Log.DebugContext(ctx, "the whole list of application users is read", slog.String("why", why))
	newcomers, err := d.listPeople(ctx)
	pages := int(d.c.userPages.Load())
	if err != nil || pages <= logCalls {
		return newcomers, nil, err
	}
	if _, err := d.Stamp(ctx); err != nil {
		return nil, nil, err
	}
	log, err := d.c.logNow(ctx, now, pages)
	return newcomers, log, err
}

// readTouched reads people one by one: those of whom the log tells, and those who are named. Who is no application user
// has left, if they were known.
func (d *delta) readTouched(ctx context.Context, people distinct, named []string) (newcomers []string, err error) {
	asked := map[string]bool{}
	for _, id := range named {
		if validID(id) {
			asked[id] = true
			people.add(id)
		}
	}
	l := connectors.NewList(connectors.Assignments, "", "application users of whom the system log tells")
	l.Changes = true
	if l.Began, err = d.Stamp(ctx); err != nil {
		return nil, err
	}
	for ids := range slices.Chunk(people.all, peoplePage) {
		more, n, err := d.readEach(ctx, ids, asked)
		if err != nil {
			return nil, err
		}
		newcomers = append(newcomers, more...)
		l.Count += n
	}
	return newcomers, connectors.Halt(d.sink.Collection(ctx, l.Collection))
}

func (d *delta) readEach(ctx context.Context, ids []string, asked map[string]bool) (newcomers []string, n int, err error) {
	first, err := d.Stamp(ctx)
	if err != nil {
		return nil, 0, err
	}
	var users []connectors.User
	var gone, on []string
	for i, id := range ids {
		if i > 0 {
			if _, err := d.Stamp(ctx); err != nil {
				return nil, 0, err
			}
		}
		u, assigned, err := d.c.lookAt(ctx, id)
		switch {
		case err != nil:
			return nil, 0, err
		case !assigned:
			gone = append(gone, id)
			continue
		case u.Enabled:
			on = append(on, id)
		}
		d.tellStrange(ctx, &u)
		users = append(users, u)
	}
	known, err := d.sink.KnownUsers(ctx, append(slices.Clone(on), gone...))
	if err != nil {
		return nil, 0, connectors.Halt(err)
	}
	assigned := idsOfUsers(users)
	for _, id := range gone {
		if known[id] || asked[id] {
			users = append(users, connectors.User{ObjectID: id, Gone: "not assigned to the application any more"})
		}
	}
	newcomers = slices.DeleteFunc(on, func(id string) bool { return known[id] })
	if len(users) == 0 {
		return nil, 0, nil
	}
	if err := d.sink.Users(ctx, first, users); err != nil {
		return nil, 0, connectors.Halt(err)
	}
	if len(assigned) == 0 {
		return newcomers, len(users), nil
	}
	return newcomers, len(users), connectors.Halt(d.sink.Assigned(ctx, first, assigned, nil))
}

func idsOfUsers(users []connectors.User) []string {
	ids := make([]string, len(users))
	for i := range users {
		ids[i] = users[i].ObjectID
	}
	return ids
}
