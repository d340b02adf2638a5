package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/reconcile"
)

// parkedAtOnce bounds how many parked objects a delta reads again.
const parkedAtOnce = 1000

// read fills the stage: with what has changed, for a delta that can go on from the last one, else with everything.
func (w *worker) read(ctx context.Context, stage *store.Stage) error {
	if w.asked = w.run.Mode == roster.ModeDelta; !w.asked {
		return w.pullFrom(ctx, stage)
	}
	why, err := w.pullChanges(ctx, stage)
	if err != nil || why == "" {
		return err
	}
	w.run.Mode, w.run.Note = roster.ModeFull, strings.TrimPrefix(w.run.Note+"; "+why+": read in full", "; ")
	w.log.Info("a delta is read in full", "why", why)
	if err := w.cfg.Store.BecomeFull(ctx, w.run); err != nil {
		return err
	}
	// What the delta noted of lists and people goes: the run begins anew.
	if err := stage.Clear(ctx); err != nil {
		return err
	}
	if w.next, err = w.cfg.Store.StartPlan(ctx, w.run); err != nil {
		return err
	}
	return w.pullFrom(ctx, stage)
}

// pullFrom reads everything. The cursor for the next delta is taken before the first request, so that it covers what
// changes while the pull reads.
func (w *worker) pullFrom(ctx context.Context, stage *store.Stage) error {
	position, err := w.position(ctx)
	if err != nil {
		return err
	}
	now, err := w.cfg.Store.Now(ctx)
	if err != nil {
		return err
	}
	if err := w.pull(ctx, stage); err != nil {
		return err
	}
	if position != "" && w.run.Complete {
		w.cursor = &store.Cursor{Position: position, Settings: w.settings(), Groups: w.pulled.wholeGroups(), TakenAt: now}
	}
	return nil
}

// position takes a cursor that stands for now, where anybody goes on from it. That it can't be taken costs a delta, which
// is then read in full, and not this run.
func (w *worker) position(ctx context.Context) (string, error) {
	reader, ok := w.source.Reader.(connectors.DeltaReader)
	if !ok || w.run.Mode != roster.ModeFull {
		return "", nil
	}
	if !w.asked && !w.source.Delta {
		if c, err := w.cfg.Store.Cursor(ctx, w.run.Org, w.run.Connection); err != nil || c == nil {
			return "", err
		}
	}
	position, err := reader.Cursor(ctx)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		w.log.Warn("take a cursor for the next delta", "error", explain(err))
		return "", nil
	}
	return position, nil
}

// settings says what a cursor was taken under. It goes on under no other mapping, scope or target.
func (w *worker) settings() string { return w.conn.Settings + " " + w.conn.Target }

// pullChanges reads what has changed since the cursor into the stage. It returns why that can't be done, and everything
// has to be read.
func (w *worker) pullChanges(ctx context.Context, stage *store.Stage) (why string, err error) {
	reader, ok := w.source.Reader.(connectors.DeltaReader)
	if !ok {
		return "what has changed can't be asked for", nil
	}
	cursor, err := w.cfg.Store.Cursor(ctx, w.run.Org, w.run.Connection)
	switch {
	case err != nil:
		return "", err
	case cursor == nil:
		return "no cursor yet", nil
	case !w.conn.Settled:
		return "no run that read everything was applied yet under these settings", nil
	case cursor.Settings != w.settings():
		return "the mapping, the scope or the target has changed since the cursor was taken", nil
	}
	last, err := w.cfg.Store.LastCounts(ctx, w.run.Org, w.run.Connection)
	if err != nil {
		return "", err
	}
	parked, err := w.cfg.Store.Parked(ctx, w.run.Org, w.run.Connection, parkedAtOnce)
	if err != nil {
		return "", err
	}
	now, err := w.cfg.Store.Now(ctx)
	if err != nil {
		return "", err
	}
	w.parked = map[string]bool{}
	for _, p := range parked {
		w.parked[p.Object] = true
	}
	s := &deltaSink{sink: w.newSink(stage, last), known: map[string]bool{}}
	for _, id := range cursor.Groups {
		s.known[id] = true
	}
	var next string
	err = w.withinDeadline(ctx, s.sink, func(ctx context.Context) (err error) {
		next, err = reader.Delta(ctx, since(cursor, parked), s)
		return err
	})
	switch {
	case connectors.FaultOf(err) == connectors.LostCursor && ctx.Err() == nil:
		w.log.Warn("the cursor is lost", "error", explain(err))
		return "the identity provider doesn't take the cursor any more", nil
	case err != nil:
		return "", fmt.Errorf("read what has changed: %w", err)
	}
	if err := s.end(ctx); err != nil {
		return "", err
	}
	if w.pulled.moved, err = stage.Moved(ctx); err != nil {
		return "", err
	}
	if w.pulled.cut { // the next delta says it all again
		w.pulled.moved = nil
	}
	w.judgeLists()
	if next != "" && w.wholeScope() {
		w.cursor = &store.Cursor{Position: next, Settings: w.settings(), Groups: s.knownNow(), TakenAt: now}
		w.tried = slices.DeleteFunc(parked, s.unread)
	}
	return "", nil
}

// since says from where to go on, and what is to be read again.
func since(c *store.Cursor, parked []store.Parked) connectors.Since {
	out := connectors.Since{Cursor: c.Position}
	for _, p := range parked {
		if p.Type == roster.TypeTeam {
			out.Groups = append(out.Groups, p.Object)
		} else {
			out.Users = append(out.Users, p.Object)
		}
	}
	return out
}

// wholeScope reports whether the lists that every delta reads were read whole, are never given, or were gone on with by the
// IdP's log. Without one of them the cursor stays where it was. A group's list of members need not be: the next delta reads it again.
func (w *worker) wholeScope() bool {
	for key, c := range w.pulled.lists {
		if key[0] != string(connectors.Members) && !c.Whole && !c.Refused && !c.Changes {
			return false
		}
	}
	return w.pulled.followed()
}

// deltaSink lands a delta in the stage.
type deltaSink struct {
	*sink
	known map[string]bool // the groups whose members are known by the cursor
}

var _ connectors.DeltaSink = (*deltaSink)(nil)

// Assigned lands a page of the list of who and what is in scope by an assignment of their own.
func (s *deltaSink) Assigned(ctx context.Context, _ connectors.Stamp, users, groups []string) error {
	ctx = s.land(ctx)
	s.page(len(users) + len(groups))
	for _, id := range groups {
		s.w.pulled.scope[id] = true
	}
	if err := s.stage.PutScope(ctx, string(roster.TypeMember), users); err != nil {
		return err
	}
	return s.stage.PutScope(ctx, string(roster.TypeTeam), groups)
}

// KnownUsers returns those of some people who are known here as in scope.
func (s *deltaSink) KnownUsers(ctx context.Context, ids []string) (map[string]bool, error) {
	return s.stage.KnownUsers(s.land(ctx), ids)
}

// KnownGroup reports whether a group's members are known.
func (s *deltaSink) KnownGroup(id string) bool { return s.known[id] }

// Left lands people who left a group.
func (s *deltaSink) Left(ctx context.Context, at connectors.Stamp, group string, ids []string) error {
	s.page(len(ids))
	return s.stage.PutMemberships(s.land(ctx), group, int64(at), ids, true)
}

// end notes which lists of members were read whole, and which were to be read and were not.
func (s *deltaSink) end(ctx context.Context) error {
	p := &s.w.pulled
	if s.asked && (p.began < 0 || s.first < p.began) {
		p.began = s.first
	}
	for id := range p.scope {
		if s.known[id] {
			continue
		}
		if err := s.neverEnded(ctx, id, p.groups[id]); err != nil {
			return err
		}
	}
	return s.stage.PutLists(ctx, p.wholeGroups())
}

// knownNow returns the groups in scope whose members are known after this delta.
func (s *deltaSink) knownNow() []string {
	var out []string
	for id := range s.w.pulled.scope {
		if l, read := s.w.pulled.list(connectors.Members, id); l.Whole || !read && s.known[id] {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// unread reports whether a parked group that is in scope was not read again.
func (s *deltaSink) unread(p store.Parked) bool {
	return p.Type == roster.TypeTeam && s.w.pulled.scope[p.Object] && !s.w.pulled.whole(connectors.Members, p.Object)
}

// planChanges judges what a delta read. Of what it didn't read nothing is asked: not of members and teams without a link,
// nor of the members of groups that have not changed.
func (w *worker) planChanges(ctx context.Context, stage *store.Stage) error {
	w.rules.Delta = true
	if _, apart := w.pulled.teams(); !apart {
		if err := w.planScopes(ctx, stage); err != nil {
			return err
		}
	}
	members := []memberReader{stage.Members}
	if w.rules.AllWhole {
		members = append(members, stage.SilentMembers)
	}
	if err := w.planMembers(ctx, stage, members...); err != nil {
		return err
	}
	if err := w.planTeams(ctx, stage, stage.Teams, stage.SilentTeams); err != nil {
		return err
	}
	if err := w.readNewcomers(ctx, stage); err != nil {
		return err
	}
	// Where the delta hands over everybody in scope, who is not among them joins nothing, believed or not.
	joined := stage.JoinedMemberships
	if _, everybody := w.pulled.list(connectors.Users, ""); everybody {
		joined = stage.MissingMemberships
	}
	return w.planMemberships(ctx, stage, membershipReader{read: joined},
		membershipReader{read: stage.ExtraMemberships, byOurs: true}, membershipReader{read: stage.LeftMemberships})
}

// planScopes finds out who of those that a delta speaks of is in scope, and judges those whom nothing puts in scope any
// more. A person is in scope by an assignment, or by a group in scope that holds them as far as is known; a look decides
// about the others. It takes both: the list of assignments, read whole, and the look.
func (w *worker) planScopes(ctx context.Context, stage *store.Stage) error {
	if err := stage.GrantScopes(ctx); err != nil || !w.pulled.whole(connectors.Assignments, "") {
		return err
	}
	// Else whom the delta doesn't hand over is out of scope; or who is keeps their account, and full runs list them.
	if !w.rules.AllWhole && w.rules.KeepOutOfScope == "" {
		if err := w.planUngranted(ctx, stage); err != nil {
			return err
		}
	}
	for after := ""; ; {
		ids, err := stage.UnknownScopes(ctx, after, planPage)
		if err != nil {
			return err
		}
		w.expect(ids)
		for _, id := range ids {
			look, err := w.lookAtPerson(ctx, id)
			if err != nil || look == nil {
				if err := w.missed(ctx, "a look at "+id, err); err != nil {
					return err
				}
				continue
			}
			if err := stage.SetScope(ctx, id, scopeOf(look)); err != nil {
				return err
			}
		}
		if len(ids) < planPage {
			return nil
		}
		after = ids[len(ids)-1]
	}
}

// planUngranted judges the linked members whom nothing that is known puts in scope.
func (w *worker) planUngranted(ctx context.Context, stage *store.Stage) error {
	for after := ""; ; {
		cands, err := stage.UngrantedMembers(ctx, after, planPage)
		if err != nil {
			return err
		}
		last := len(cands) < planPage
		if !last {
			after = cands[len(cands)-1].ObjectID
		}
		// What is held was listed by the run that holds it; each delta would list it anew.
		cands = slices.DeleteFunc(cands, func(c roster.MemberCandidate) bool { return c.HeldBy != "" })
		var p page
		err = w.judgeMembers(ctx, cands, func(c *roster.MemberCandidate, d reconcile.Decision) error {
			w.take(&p, roster.TypeMember, c.ObjectID, d)
			if c.Look == nil {
				return nil
			}
			return stage.SetScope(ctx, c.ObjectID, scopeOf(c.Look))
		})
		if err != nil {
			return err
		}
		if err := w.write(ctx, stage, &p); err != nil || last {
			return err
		}
	}
}

// scopeOf says why a look found somebody in scope; "": it did not.
func scopeOf(l *roster.Look) string {
	switch {
	case !l.InScope:
		return ""
	case l.There != nil && l.There.Scope != "":
		return l.There.Scope
	}
	return "in scope, by a look"
}

// unsettledYet notes an object that the next run must judge anew. Of one that the IdP's id isn't known of, only a run that
// reads everything can.
func (w *worker) unsettledYet(typ roster.ObjectType, object, why string) {
	if object == "" {
		return
	}
	if w.unsettled == nil {
		w.unsettled = map[[2]string]string{}
	}
	w.unsettled[[2]string{string(typ), object}] = why
}

// ending is what the run leaves for the next ones. How long the lists were is kept with the end and not before: whoever
// redoes a run whose process died must doubt a list as it did. The cursor moves on only if nothing was cut off for want of looks, as
// what was is neither applied, held nor parked.
func (w *worker) ending() store.Ending {
	e := store.Ending{Park: true, Counts: w.pulled.counts()}
	for key, why := range w.unsettled {
		e.Unsettled = append(e.Unsettled, store.Parked{Type: roster.ObjectType(key[0]), Object: key[1], Reason: why})
	}
	if len(w.incomplete) > 0 {
		return e
	}
	e.Cursor, e.Tried = w.cursor, w.tried
	e.Everything = w.run.Mode == roster.ModeFull && w.run.Complete && !w.run.Approval
	return e
}
