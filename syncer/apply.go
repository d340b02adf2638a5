package syncer

import (
	"context"
	"fmt"
	"slices"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/reconcile"
)

// cause is what the run's commits carry.
func (w *worker) cause() roster.Cause {
	return roster.Cause{
		Actor:  roster.Actor{Kind: roster.ActorRun, ID: w.run.ID, Name: w.conn.Name},
		Reason: "run " + w.run.ID, Connection: w.conn.ID, By: roster.ByRun,
	}
}

// applyLinks makes, moves and refreshes links. They are no drift: they are made before anything else, and are events.
func (w *worker) applyLinks(ctx context.Context, stage *store.Stage) error {
	w.note(func(r *roster.Run) { r.Phase = "link" })
	afterType, after := "", ""
	for {
		links, err := stage.Links(ctx, afterType, after, w.cfg.Batch)
		if err != nil {
			return err
		}
		if len(links) == 0 {
			return nil
		}
		cause := w.cause()
		cause.Run = &roster.RunCause{ID: w.run.ID, Fence: w.run.Fence}
		var changes []roster.Change
		var of []*roster.Link // whose link each change is
		for i := range links {
			l := &links[i]
			add := func(c roster.Change, reason string) {
				changes, of = append(changes, c), append(of, &l.Link)
				cause.Run.Reasons = append(cause.Run.Reasons, reason)
			}
			if l.Change == string(reconcile.LinkAdopted) {
				add(roster.MemberAdopt{ID: l.Link.TargetID, Connection: w.conn.ID, ByPolicy: true}, l.Reason)
			}
			if l.Store {
				set := roster.LinkSet{Link: l.Link, Claim: l.Claim, Reason: l.Reason}
				if l.Change != string(reconcile.LinkSeen) {
					set.Event = l.Change
				}
				add(set, l.Reason)
			}
			if l.Pass {
				add(roster.MemberPass{ID: l.Link.TargetID, Version: l.AsOf}, l.Reason)
			}
		}
		outs, err := w.cfg.Roster.Commit(ctx, w.run.Org, cause, changes)
		if err != nil {
			return err
		}
		for i, out := range outs {
			if out.Err != nil {
				w.unapplied++
				w.unsettledYet(of[i].Type, of[i].ObjectID, out.Err.Message)
				w.log.Warn("a link was not made", "change", fmt.Sprintf("%T", changes[i]), "error", out.Err.Message)
			}
		}
		last := links[len(links)-1].Link
		afterType, after = string(last.Type), last.ObjectID
		if err := w.safePoint(ctx); err != nil {
			return err
		}
	}
}

// safePoint is where a run may stop: between two commits.
func (w *worker) safePoint(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// apply carries out the run's actions of one state, in order, in batches of one commit each. An action whose userName
// is held by somebody who gives it up in a later batch goes with that one, so that a swap is never parted for good.
func (w *worker) apply(ctx context.Context, state roster.ActionState) error {
	w.note(func(r *roster.Run) { r.Phase = "apply" })
	var pos store.ActionPos
	var clashed []roster.RunAction
	for {
		// Two more than a batch: the actions on one object stand together and must not be parted.
		actions, err := w.cfg.Store.Actions(ctx, w.run.ID, pos, w.cfg.Batch+2, state)
		if err != nil {
			return err
		}
		if len(actions) == 0 {
			w.unapplied += len(clashed)
			return nil
		}
		actions = cut(actions, w.cfg.Batch)
		last := actions[len(actions)-1]
		if len(clashed) > w.cfg.Batch || last.Drift.Action == roster.ActAdd {
			w.unapplied += len(clashed)
			clashed = nil
		}
		if clashed, err = w.applyBatch(ctx, append(clashed, actions...)); err != nil {
			return err
		}
		pos = store.ActionPos{Phase: last.Phase, N: last.N}
		if err := w.safePoint(ctx); err != nil {
			return err
		}
	}
}

// cut shortens a page to a batch that ends between two objects, and before the phase that adds memberships: their ends
// may be made just before it.
func cut(actions []roster.RunAction, batch int) []roster.RunAction {
	adds := func(a *roster.RunAction) bool { return a.Drift.Action == roster.ActAdd }
	for i := 1; i < len(actions); i++ {
		if adds(&actions[i]) && !adds(&actions[i-1]) {
			actions = actions[:i]
		}
	}
	if len(actions) <= batch {
		return actions
	}
	n := batch
	for n > 1 && actions[n].Drift.Subject.ObjectID == actions[n-1].Drift.Subject.ObjectID {
		n--
	}
	return actions[:n]
}

// applyBatch commits one batch; the actions' states are written in the same transaction. It returns those whose userName
// is taken.
func (w *worker) applyBatch(ctx context.Context, actions []roster.RunAction) ([]roster.RunAction, error) {
	actions, err := w.spare(ctx, actions)
	if err != nil || len(actions) == 0 {
		return nil, err
	}
	ends, err := w.resolveEnds(ctx, actions)
	if err != nil {
		return nil, err
	}
	cause := w.cause()
	cause.Run = &roster.RunCause{ID: w.run.ID, Fence: w.run.Fence}
	var changes []roster.Change
	for i := range actions {
		c := change(&actions[i].Drift, ends)
		if c == nil {
			c = roster.MembershipSet{} // an end is missing: the commit calls it stale and says so
		}
		changes = append(changes, c)
		cause.Run.Actions = append(cause.Run.Actions, actions[i].N)
		cause.Run.Reasons = append(cause.Run.Reasons, string(actions[i].Drift.Kind)+": "+actions[i].Drift.Reason)
	}
	outs, err := w.cfg.Roster.Commit(ctx, w.run.Org, cause, changes)
	if err != nil {
		return nil, err
	}
	if err := w.redate(ctx, actions, outs); err != nil {
		return nil, err
	}
	applied := 0
	var clashed []roster.RunAction
	for i, out := range outs {
		switch out.Result {
		case roster.Applied:
			applied++
		case roster.Refused, roster.Stale:
			w.log.Info("an action was not applied", "kind", actions[i].Drift.Kind, "subject", actions[i].Drift.Subject.ID, "why", out.Err.Message)
			if out.Err.Code == roster.Conflict && actions[i].Drift.Values[roster.AttrUserName] != "" {
				clashed = append(clashed, actions[i])
			} else {
				w.unapplied++
			}
		case roster.Unchanged:
		}
	}
	w.note(func(r *roster.Run) { r.Applied += applied })
	return clashed, nil
}

// redate dates what is held of members anew that this batch has changed: where one attribute is held, the run's
// own update of the others must not make it stale.
func (w *worker) redate(ctx context.Context, actions []roster.RunAction, outs []roster.Outcome) error {
	if !slices.ContainsFunc(w.run.Held, func(h roster.HeldLimit) bool { return h.Limit == "mapping_mismatch" || h.Limit == "renames" }) {
		return nil
	}
	now := map[string]int64{}
	var objects []string
	for i, out := range outs {
		if d := &actions[i].Drift; out.Result == roster.Applied && out.Member != nil && d.Kind == roster.StaleMember && d.Subject.ObjectID != "" {
			now[d.Subject.ObjectID] = out.Member.AsOf()
			objects = append(objects, d.Subject.ObjectID)
		}
	}
	held, err := w.cfg.Store.HeldOf(ctx, w.run.ID, roster.TypeMember, objects)
	if err != nil {
		return err
	}
	for i := range held {
		held[i].Drift.Version = now[held[i].Drift.Subject.ObjectID]
	}
	return w.cfg.Store.AddActions(ctx, w.run, held)
}

// ends resolves the IdP's ids of memberships' ends that were made or linked by this run.
type ends struct{ teams, members map[string]string }

func (w *worker) resolveEnds(ctx context.Context, actions []roster.RunAction) (ends, error) {
	var teams, members []string
	for i := range actions {
		d := &actions[i].Drift
		if d.Subject.Type == roster.TypeMembership {
			teams, members = append(teams, d.TeamObject), append(members, d.MemberObject)
		}
	}
	var e ends
	var err error
	if e.teams, err = w.cfg.Store.ResolveLinks(ctx, w.run.Org, w.conn.ID, roster.TypeTeam, teams); err != nil {
		return e, err
	}
	e.members, err = w.cfg.Store.ResolveLinks(ctx, w.run.Org, w.conn.ID, roster.TypeMember, members)
	return e, err
}

// change turns a drift's action into the change that carries it out; nil where an end of a membership is not there.
func change(d *roster.Drift, e ends) roster.Change {
	switch d.Subject.Type {
	case roster.TypeMember:
		return memberChange(d)
	case roster.TypeTeam:
		return teamChange(d)
	}
	team, member := d.TeamID, d.MemberID
	if team == "" {
		team = e.teams[d.TeamObject]
	}
	if member == "" {
		member = e.members[d.MemberObject]
	}
	if team == "" || member == "" {
		return nil
	}
	return roster.MembershipSet{TeamID: team, MemberID: member, Present: d.Action == roster.ActAdd, Version: d.Version}
}

func memberChange(d *roster.Drift) roster.Change {
	if d.Action == roster.ActCreate {
		attrs := roster.Attributes{}
		for path, v := range d.Values {
			attrs.Set(path, v)
		}
		return roster.MemberCreate{Attributes: attrs, Active: true, Link: d.Link}
	}
	p := roster.MemberPatch{ID: d.Subject.ID, Version: d.Version, Values: d.Values, Link: d.Link}
	if d.Action != roster.ActUpdate {
		p.Status = d.Action
	}
	return p
}

func teamChange(d *roster.Drift) roster.Change {
	switch d.Action {
	case roster.ActCreate:
		return roster.TeamCreate{DisplayName: d.Values[roster.AttrDisplayName], ExternalID: d.Values[roster.AttrExternalID], Link: d.Link}
	case roster.ActDelete:
		return roster.TeamDelete{ID: d.Subject.ID, Version: d.Version, Link: d.Link}
	case roster.ActRestore:
		return roster.TeamRestore{ID: d.Subject.ID, Version: d.Version, Values: d.Values, Link: d.Link}
	}
	e := roster.TeamEdit{ID: d.Subject.ID, Version: d.Version, Link: d.Link}
	if v, ok := d.Values[roster.AttrDisplayName]; ok {
		e.DisplayName = &v
	}
	if v, ok := d.Values[roster.AttrExternalID]; ok {
		e.ExternalID = &v
	}
	return e
}

// applyApproved applies what was approved of a held plan: only the actions that still hold, which the IdP is asked for
// once more.
func (w *worker) applyApproved(ctx context.Context) error {
	w.next, w.run.Error = 0, ""
	w.pulled.short = !w.run.Complete && w.run.Mode != roster.ModeDelta
	var err error
	if w.told, err = w.cfg.Store.Tallies(ctx, w.run.ID); err != nil {
		return err
	}
	if err := w.errDryRun(); err != nil {
		return w.holdAgain(ctx, err)
	}
	var again error
	err = w.phase(ctx, PhaseApply, func(ctx context.Context) error {
		again, err = w.askOnceMore(ctx)
		if err != nil || again != nil {
			return err
		}
		return w.apply(ctx, roster.ActionApproved)
	})
	if err != nil {
		return err
	}
	if again != nil {
		return w.holdAgain(ctx, again)
	}
	return w.end(ctx)
}

// askOnceMore leaves out what was approved and does not hold any more. It returns as again why the IdP could not be asked.
func (w *worker) askOnceMore(ctx context.Context) (again, err error) {
	var pos store.ActionPos
	lists := map[string]map[string]bool{}
	for {
		actions, err := w.cfg.Store.Actions(ctx, w.run.ID, pos, w.cfg.Batch, roster.ActionApproved)
		if err != nil || len(actions) == 0 {
			return nil, err
		}
		var gone []roster.RunAction
		for _, a := range actions {
			why, err := w.recheck(ctx, &a.Drift, lists)
			if connectors.FaultOf(err) != "" && ctx.Err() == nil {
				return err, nil
			}
			if err != nil {
				return nil, err
			}
			if why != "" {
				a.State, a.Note = roster.ActionSkipped, why
				gone = append(gone, a)
				w.unapplied++
			}
		}
		if err := w.cfg.Store.AddActions(ctx, w.run, gone); err != nil {
			return nil, err
		}
		last := actions[len(actions)-1]
		pos = store.ActionPos{Phase: last.Phase, N: last.N}
	}
}

// holdAgain gives an approval back that the IdP could not be asked about: nothing is applied, and the plan stays held.
func (w *worker) holdAgain(ctx context.Context, cause error) error {
	if err := w.cfg.Store.Unapprove(ctx, w.run); err != nil {
		return err
	}
	w.run.Error = "nothing was applied, as the IdP could not be asked once more; approve again: " + explain(cause)
	if w.source.DryRun {
		w.run.Error = "nothing was applied: " + explain(cause)
	}
	w.log.Warn("an approved plan is held again", "error", explain(cause))
	return w.end(ctx)
}
