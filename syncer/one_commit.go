package syncer

import (
	"context"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/reconcile"
)

// oneBatch is what a plan's commit carries: changes, and for each the number of the action that it carries out, 0 for a
// link.
type oneBatch struct {
	changes []roster.Change
	reasons []string
	numbers []int64
	actions []roster.RunAction
}

func (b *oneBatch) add(c roster.Change, reason string, number int64) {
	b.changes, b.reasons, b.numbers = append(b.changes, c), append(b.reasons, reason), append(b.numbers, number)
}

// commit writes the links, the changes, their events and the run's row in one transaction. Where whole is set, nothing is
// written if something has changed since the read; else that is skipped, and the run ends partial. A dry one writes its
// row alone.
func (o *one) commit(ctx context.Context, p *onePlan, whole bool) (roster.Run, error) {
	base, err := o.row(ctx, p)
	if err != nil {
		return roster.Run{}, err
	}
	b := o.batch(p)
	run := base
	cause := o.cause()
	cause.Atomic = whole
	done := &roster.OneRun{Connection: o.conn.ID}
	var ended []roster.RunAction
	if !o.ask.Dry {
		done.Pin = o.conn.Target
	}
	done.Finish = func(outs []roster.Outcome, now time.Time) (roster.Run, []roster.RunAction) {
		run = base
		run.FinishedAt = now
		ended = o.ended(p, b, outs, &run)
		return run, ended
	}
	cause.Run = &roster.RunCause{ID: o.run.ID, One: done, Actions: b.numbers, Reasons: b.reasons}
	if _, err := o.cfg.Roster.Commit(ctx, o.ask.Org, cause, b.changes); err != nil {
		return roster.Run{}, err
	}
	o.cfg.Meter.Ended(&run, store.TalliesOf(ended))
	o.log.Info("resync of one person finished", "state", run.State, "dry", o.ask.Dry, "member", run.Said.MemberID, "applied", run.Applied, "calls", o.budget.Spent())
	return run, nil
}

// batch turns a plan into changes: links first, then the actions in the order of apply.
func (o *one) batch(p *onePlan) *oneBatch {
	b := &oneBatch{}
	if !o.ask.Dry {
		o.linkChanges(p, b)
	}
	for i := range p.drifts {
		d := &p.drifts[i]
		a := roster.RunAction{Run: o.run.ID, N: int64(i + 1), Phase: reconcile.Phase(*d), Drift: *d, State: roster.ActionPlanned}
		if d.Action == roster.ActNone {
			a.State = roster.ActionListed
		}
		b.actions = append(b.actions, a)
		if o.ask.Dry || d.Action == roster.ActNone {
			continue
		}
		c := change(d, ends{})
		if create, ok := c.(roster.MemberCreate); ok {
			create.ID = p.newID
			c = create
		}
		b.add(c, string(d.Kind)+": "+d.Reason, a.N)
	}
	return b
}

func (o *one) linkChanges(p *onePlan, b *oneBatch) {
	d := &p.dec
	if d.Link != nil {
		if d.LinkChange == reconcile.LinkAdopted {
			b.add(roster.MemberAdopt{ID: d.Link.TargetID, Connection: o.conn.ID, ByPolicy: true}, d.LinkReason, 0)
		}
		set := roster.LinkSet{Link: *d.Link, Claim: d.Claim, Reason: d.LinkReason}
		if d.LinkChange != reconcile.LinkSeen {
			set.Event = string(d.LinkChange)
		}
		b.add(set, d.LinkReason, 0)
	}
	if d.Pass != "" && p.here != nil {
		b.add(roster.MemberPass{ID: p.here.ID, Version: p.here.AsOf()}, d.LinkReason, 0)
	}
}

// ended works out the states of the actions and of the run.
func (o *one) ended(p *onePlan, b *oneBatch, outs []roster.Outcome, run *roster.Run) []roster.RunAction {
	actions := append([]roster.RunAction(nil), b.actions...)
	run.State, run.Applied = roster.RunDone, 0
	if p.moved {
		run.State = roster.RunPartial
	}
	for i := range outs {
		if outs[i].Err != nil {
			run.State = roster.RunPartial
		}
		n := b.numbers[i]
		if n == 0 {
			continue
		}
		a := &actions[n-1]
		if a.State, a.Note = outs[i].Fate(); a.State == roster.ActionApplied {
			run.Applied++
		}
	}
	run.Totals = map[roster.Kind]int{}
	for i := range actions {
		if actions[i].Drift.Action != roster.ActNone {
			run.Totals[actions[i].Drift.Kind]++
		}
	}
	said := *run.Said
	said.Done = o.sayDone(p, actions, outs)
	if p.newID != "" && run.Applied > 0 {
		said.MemberID = p.newID
	}
	run.Said = &said
	return actions
}
