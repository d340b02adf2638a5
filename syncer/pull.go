package syncer

import (
	"context"
	"fmt"
	"slices"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// pulled is what is known of a pull when it has ended: how each list was read.
type pulled struct {
	lists   map[[2]string]connectors.Collection
	doubted map[[2]string]bool // lists that were read to their end, and are too short to be believed at once
	groups  map[string]string  // the groups that were handed over, with their names
	scope   map[string]bool    // of a delta, the groups in scope
	moved   map[string][2]int  // of a delta, how many came to groups and left them whose lists it did not read
	last    map[[2]string]int  // how long each list was last time
	began   connectors.Stamp   // the earliest stamp of any list: silence is dated by it
	short   bool               // something that was to be read was not
	cut     bool               // the deadline passed while it was read
	outlook outlook            // how much there is to read
	linked  int                // links that the plan makes
	people  int                // people read
	objects int                // objects read, of any kind
	waiting bool               // some action waits whatever the limits say
}

// counts returns how many objects each list had that was read to its end, for the next run to compare with: what broke
// off says nothing of how long the list is. Of a group's list, of which a delta said only who came and left, the last
// count is kept up; it stays above nothing, as an empty list has to be seen.
func (p *pulled) counts() map[[2]string]int {
	out := make(map[[2]string]int, len(p.lists))
	for k, c := range p.lists {
		if c.Whole || p.doubted[k] {
			out[k] = c.Count
		}
	}
	for id, n := range p.moved {
		key := [2]string{string(connectors.Members), id}
		if _, read := p.lists[key]; !read && p.last[key] > 0 {
			out[key] = max(1, p.last[key]+n[0]-n[1])
		}
	}
	return out
}

func (p *pulled) list(kind connectors.CollectionKind, id string) (connectors.Collection, bool) {
	c, ok := p.lists[[2]string{string(kind), id}]
	return c, ok
}

func (p *pulled) whole(kind connectors.CollectionKind, id string) bool {
	c, _ := p.list(kind, id)
	return c.Whole
}

// followed reports whether a delta knows of the assignments what it is to know: all of them, or what changed.
func (p *pulled) followed() bool {
	c, _ := p.list(connectors.Assignments, "")
	return c.Whole || c.Changes
}

// teams is the list of the groups that mean to become teams. It is apart where the IdP keeps it beside the assignments;
// groups put nobody in scope there.
func (p *pulled) teams() (list connectors.Collection, apart bool) {
	if c, ok := p.list(connectors.Teams, ""); ok {
		return c, true
	}
	c, _ := p.list(connectors.Assignments, "")
	return c, false
}

// silentSince dates silence about people: by the lists that put them in scope.
func (p *pulled) silentSince() connectors.Stamp {
	if _, apart := p.teams(); !apart {
		return p.began
	}
	assignments, _ := p.list(connectors.Assignments, "")
	users, _ := p.list(connectors.Users, "")
	return min(assignments.Began, users.Began)
}

// wholeGroups returns the groups whose members were read whole, sorted.
func (p *pulled) wholeGroups() []string {
	var out []string
	for key, c := range p.lists {
		if key[0] == string(connectors.Members) && c.Whole {
			out = append(out, key[1])
		}
	}
	slices.Sort(out)
	return out
}

// sink lands a pull in the stage.
type sink struct {
	w     *worker
	stage *store.Stage
	first connectors.Stamp // of the pull's first request, once asked
	asked bool
	// landing is the run's own context while the pull's has a deadline: what was read lands whole, also at that moment.
	landing context.Context
}

func (s *sink) land(ctx context.Context) context.Context {
	if s.landing != nil {
		return s.landing
	}
	return ctx
}

// pull reads the IdP into the stage and works out which lists are whole.
func (w *worker) pull(ctx context.Context, stage *store.Stage) error {
	last, err := w.cfg.Store.LastCounts(ctx, w.run.Org, w.run.Connection)
	if err != nil {
		return err
	}
	s := w.newSink(stage, last)
	s.foresee()
	err = w.withinDeadline(ctx, s, func(ctx context.Context) error { return w.source.Reader.Pull(ctx, s) })
	if err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	for id, name := range w.pulled.groups {
		if err := s.neverEnded(ctx, id, name); err != nil {
			return err
		}
	}
	w.judgeLists()
	return nil
}

func (w *worker) newSink(stage *store.Stage, last map[[2]string]int) *sink {
	w.pulled = pulled{
		lists: map[[2]string]connectors.Collection{}, doubted: map[[2]string]bool{}, groups: map[string]string{},
		scope: map[string]bool{}, last: last, began: -1, outlook: newOutlook(last),
	}
	w.note(func(r *roster.Run) {
		r.Phase, r.Pages, r.Objects, r.Expected, r.ExpectedEstimate = "pull", 0, 0, 0, false
	})
	return &sink{w: w, stage: stage}
}

// judgeLists works out what the lists' wholeness comes to: whether silence about people and about teams counts, and
// whether everything was read.
//
//	|                      | counts if whole were                                                              |
//	|----------------------|-----------------------------------------------------------------------------------|
//	| silence about a team | the list of teams; the assignments, where there is none                           |
//	| about a person       | the assignments and the users, and, where groups put people in scope and not      |
//	|                      | everybody was handed over all the same, every list of members                     |
//	| nothing is lacking   | of a full run all of these, though the list of teams may be refused for good; of  |
//	|                      | a delta all that it read                                                          |
//
// A delta is complete only if it happened to read the members of every group. Where the deadline passed, lists may be
// missing that would have been read: silence about people and teams counts for nothing then.
func (w *worker) judgeLists() {
	p, delta := &w.pulled, w.run.Mode == roster.ModeDelta
	teams, apart := p.teams()
	assignments, users := p.whole(connectors.Assignments, ""), p.whole(connectors.Users, "")
	members, read := true, p.followed()
	for key, c := range p.lists {
		members = members && (c.Whole || key[0] != string(connectors.Members))
		read = read && (c.Whole || c.Refused || c.Changes)
	}
	w.rules.AssignmentsWhole = teams.Whole
	w.rules.AllWhole = assignments && users && (members || apart || delta)
	w.run.Complete = assignments && users && members && (!apart || teams.Whole || teams.Refused)
	if p.cut {
		w.rules.AssignmentsWhole, w.rules.AllWhole, w.run.Complete, p.short = false, false, false, true
		return
	}
	p.short = !w.run.Complete
	if delta {
		p.short = !read
		for id := range p.scope {
			w.run.Complete = w.run.Complete && p.whole(connectors.Members, id)
		}
	}
}

// neverEnded notes that a group's list of members, which was to be read, never ended.
func (s *sink) neverEnded(ctx context.Context, group, name string) error {
	if _, ended := s.w.pulled.list(connectors.Members, group); ended {
		return nil
	}
	return s.keep(ctx, connectors.Collection{Kind: connectors.Members, ID: group, Name: name, Err: "the list of its members never ended"})
}

// Stamp reads the store's commit sequence.
func (s *sink) Stamp(ctx context.Context) (connectors.Stamp, error) {
	n, err := s.w.cfg.Store.Stamp(ctx)
	if err == nil && !s.asked {
		s.first, s.asked = connectors.Stamp(n), true
	}
	return connectors.Stamp(n), err
}

func (s *sink) page(objects int) {
	s.w.pulled.objects += objects
	s.w.note(func(r *roster.Run) {
		r.Pages++
		r.Objects += objects
	})
}

// foresee shows how much there is to read. What has changed can't be foreseen.
func (s *sink) foresee() {
	if s.w.run.Mode == roster.ModeDelta {
		return
	}
	n, estimate := s.w.pulled.outlook.total()
	s.w.note(func(r *roster.Run) {
		if r.Expected, r.ExpectedEstimate = n, estimate; r.Objects > n { // the estimate was of less
			r.Expected, r.ExpectedEstimate = 0, false
		}
	})
}

// Expect takes in what the IdP says of a list's length.
func (s *sink) Expect(kind connectors.CollectionKind, n int) {
	s.w.pulled.outlook.expect(kind, n)
	s.foresee()
}

// scoped dates what a page says of objects: that they are in scope was read from a list that may be older than the page,
// and is dated by the pull's first request.
func (s *sink) scoped(at connectors.Stamp) connectors.Stamp {
	if s.asked {
		return min(at, s.first)
	}
	return at
}

// Users lands a page of people.
func (s *sink) Users(ctx context.Context, at connectors.Stamp, page []connectors.User) error {
	at = s.scoped(at)
	wanted := make([]roster.WantedMember, len(page))
	for i := range page {
		wanted[i] = s.w.source.Mapping.ToMember(&page[i], at)
	}
	s.page(len(page))
	s.w.pulled.people += len(page)
	return s.stage.PutMembers(s.land(ctx), wanted)
}

// Groups lands groups.
func (s *sink) Groups(ctx context.Context, at connectors.Stamp, page []connectors.Group) error {
	at = s.scoped(at)
	wanted := make([]roster.WantedTeam, len(page))
	for i := range page {
		wanted[i] = s.w.source.Mapping.ToTeam(&page[i], at)
		s.w.pulled.groups[page[i].ObjectID] = wanted[i].DisplayName
	}
	s.page(len(page))
	s.w.pulled.outlook.handed += len(page)
	s.foresee()
	return s.stage.PutTeams(s.land(ctx), wanted)
}

// Members lands a page of a group's members.
func (s *sink) Members(ctx context.Context, at connectors.Stamp, group string, page []string) error {
	s.page(len(page))
	return s.stage.PutMemberships(s.land(ctx), group, int64(at), page, false)
}

// shrunkFrom is the size from which on a list that lost more than half of its objects is not believed at once. One that
// is empty and was not is never.
const shrunkFrom = 10

// Collection ends a list. One that is empty or much shorter than last time is not whole: a second run that sees the
// same believes it.
func (s *sink) Collection(ctx context.Context, c connectors.Collection) error {
	key := [2]string{string(c.Kind), c.ID}
	if last := s.w.pulled.last[key]; c.Whole && last > 0 && (c.Count == 0 || last >= shrunkFrom && c.Count*2 < last) {
		c.Whole, s.w.pulled.doubted[key] = false, true
		c.Err = fmt.Sprintf("it has %d where it had %d the last time: an answer so much shorter is believed when a second run sees the same", c.Count, last)
	}
	return s.keep(ctx, c)
}

func (s *sink) keep(ctx context.Context, c connectors.Collection) error {
	p := &s.w.pulled
	p.lists[[2]string{string(c.Kind), c.ID}] = c
	p.outlook.end(c)
	s.foresee()
	if p.began < 0 || c.Began < p.began {
		p.began = c.Began
	}
	if c.Changes { // no list was read of which it could be said how it went
		return nil
	}
	return s.w.cfg.Store.AddCollection(s.land(ctx), s.w.run, store.Collection{
		Kind: string(c.Kind), ObjectID: c.ID, Name: c.Name, Began: int64(c.Began), Objects: c.Count, Whole: c.Whole, Error: c.Err,
	})
}
