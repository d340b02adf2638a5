package syncer

import (
	"context"
	"slices"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/reconcile"
)

// newcomer notes who begins to count here by what a delta found: somebody brought back or switched on again, or made or
// linked only now although an earlier delta knew of them. A team that is brought back comes with the members that it had, of
// whom the next delta finds those that are too many.
func (w *worker) newcomer(typ roster.ObjectType, object string, d *reconcile.Decision) {
	if !w.rules.Delta || object == "" {
		return
	}
	begins := d.Link != nil && w.parked[object]
	for _, drift := range d.Drifts {
		switch drift.Action {
		case roster.ActRestore, roster.ActReactivate:
			begins = true
		case roster.ActCreate:
			begins = begins || w.parked[object]
		}
	}
	switch {
	case !begins:
	case typ == roster.TypeMember:
		w.newcomers = append(w.newcomers, object)
	case typ == roster.TypeTeam:
		w.readNext([]string{object})
	}
}

// readNewcomers lands in the stage which groups hold the newcomers. What a group's delta said of them while they did not
// count is lost, and it won't say it again. Where that can't be asked, or asking would cost more than reading the groups,
// the next delta reads the groups that are in scope.
func (w *worker) readNewcomers(ctx context.Context, stage *store.Stage) error {
	var unread []string
	for id := range w.pulled.scope {
		if _, read := w.pulled.list(connectors.Members, id); !read {
			unread = append(unread, id)
		}
	}
	if len(w.newcomers) == 0 || len(unread) == 0 {
		return nil
	}
	slices.Sort(unread)
	reader, ok := w.source.Reader.(connectors.GroupsReader)
	if !ok || len(w.newcomers) > len(unread) {
		w.readNext(unread)
		return nil
	}
	for _, id := range w.newcomers {
		if w.look() == nil {
			w.readNext(unread)
			return nil
		}
		at, _, err := w.stamp(ctx)
		if err != nil {
			return err
		}
		groups, err := reader.GroupsOf(ctx, id)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			w.log.Warn("read which groups hold somebody new", "object", id, "error", explain(err))
			w.readNext(unread)
			return nil
		}
		for _, group := range groups {
			if _, found := slices.BinarySearch(unread, group); !found {
				continue
			}
			if err := stage.PutMemberships(ctx, group, at, []string{id}, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// readNext has the next delta read groups whole.
func (w *worker) readNext(groups []string) {
	for _, id := range groups {
		w.unsettledYet(roster.TypeTeam, id, "its members are to be compared with those here")
	}
}
