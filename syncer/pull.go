package syncer

import (
	"context"
	"fmt"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

// pulled is what is known of a pull when it has ended: how each list was read.
type pulled struct {
	lists   map[[2]string]connectors.Collection
	doubted map[[2]string]bool // lists that were read to their end, and are too short to be believed at once
	groups  map[string]string  // the groups in scope, with their names
	began   connectors.Stamp   // the earliest stamp of any list: silence is dated by it
	linked  int                // links that the plan makes
	waiting bool               // some action waits whatever the limits say
}

// counts returns how many objects each list had that was read to its end, for the next run to compare with: what broke
// off says nothing of how long the list is.
func (p *pulled) counts() map[[2]string]int {
	out := make(map[[2]string]int, len(p.lists))
	for k, c := range p.lists {
		if c.Whole || p.doubted[k] {
			out[k] = c.Count
		}
	}
	return out
}

func (p *pulled) whole(kind connectors.CollectionKind, id string) bool {
	return p.lists[[2]string{string(kind), id}].Whole
}

// sink lands a pull in the stage.
type sink struct {
	w     *worker
	stage *store.Stage
	last  map[[2]string]int
	first connectors.Stamp // of the pull's first request, once asked
	asked bool
}

// pull reads the IdP into the stage and works out which lists are whole.
func (w *worker) pull(ctx context.Context, stage *store.Stage) error {
	w.note(func(r *roster.Run) { r.Phase, r.Pages, r.Objects = "pull", 0, 0 })
	last, err := w.cfg.Store.LastCounts(ctx, w.run.Org, w.run.Connection)
	if err != nil {
		return err
	}
	w.pulled = pulled{lists: map[[2]string]connectors.Collection{}, doubted: map[[2]string]bool{}, groups: map[string]string{}, began: -1}
	s := &sink{w: w, stage: stage, last: last}
	if err := w.source.Reader.Pull(ctx, s); err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	assignments := w.pulled.whole(connectors.Assignments, "")
	all := assignments && w.pulled.whole(connectors.Users, "")
	for id, name := range w.pulled.groups {
		if _, ended := w.pulled.lists[[2]string{string(connectors.Members), id}]; !ended {
			c := connectors.Collection{Kind: connectors.Members, ID: id, Name: name, Err: "the list of its members never ended"}
			if err := s.keep(ctx, c); err != nil {
				return err
			}
		}
	}
	for key, c := range w.pulled.lists {
		all = all && (key[0] != string(connectors.Members) || c.Whole)
	}
	w.run.Complete = all
	w.rules.AssignmentsWhole, w.rules.AllWhole = assignments, all
	return nil
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
	s.w.note(func(r *roster.Run) {
		r.Pages++
		r.Objects += objects
	})
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
	return s.stage.PutMembers(ctx, wanted)
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
	return s.stage.PutTeams(ctx, wanted)
}

// Members lands a page of a group's members.
func (s *sink) Members(ctx context.Context, at connectors.Stamp, group string, page []string) error {
	s.page(len(page))
	return s.stage.PutMemberships(ctx, group, int64(at), page)
}

// shrunkFrom is the size from which on a list that lost more than half of its objects is not believed at once. One that
// is empty and was not is never.
const shrunkFrom = 10

// Collection ends a list. One that is empty or much shorter than last time is not whole: a second run that sees the
// same believes it.
func (s *sink) Collection(ctx context.Context, c connectors.Collection) error {
	key := [2]string{string(c.Kind), c.ID}
	if last := s.last[key]; c.Whole && last > 0 && (c.Count == 0 || last >= shrunkFrom && c.Count*2 < last) {
		c.Whole, s.w.pulled.doubted[key] = false, true
		c.Err = fmt.Sprintf("it has %d where it had %d the last time: an answer so much shorter is believed when a second run sees the same", c.Count, last)
	}
	return s.keep(ctx, c)
}

func (s *sink) keep(ctx context.Context, c connectors.Collection) error {
	p := &s.w.pulled
	p.lists[[2]string{string(c.Kind), c.ID}] = c
	if p.began < 0 || c.Began < p.began {
		p.began = c.Began
	}
	return s.w.cfg.Store.AddCollection(ctx, s.w.run, store.Collection{
		Kind: string(c.Kind), ObjectID: c.ID, Name: c.Name, Began: int64(c.Began), Objects: c.Count, Whole: c.Whole, Error: c.Err,
	})
}
