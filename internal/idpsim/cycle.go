package idpsim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// plan is what a cycle has to look at, in order: users first, so that members can be resolved.
type plan struct {
	users, groups []string
	mark          int // the watermark once all of it was done
	full          bool
	scoped        scoping
}

// run is one cycle: quarantine, plan, users, groups, bookkeeping.
func (p *Pusher) run(ctx context.Context, initial bool) (Summary, error) {
	t := p.begin(initial)
	if held := p.stillHeld(ctx); held != "" {
		t.sum.Quarantine = held
		return t.sum, nil
	}
	pl := p.plan(initial)
	workers := 1
	if initial {
		workers = p.cfg.Workers
	}
	err := each(ctx, workers, pl.users, func(ctx context.Context, id string) error {
		return p.settle(ctx, id, t, p.pushUser(ctx, id, pl.full, t))
	})
	if err == nil {
		err = each(ctx, workers, pl.groups, func(ctx context.Context, id string) error {
			return p.settle(ctx, id, t, p.pushGroup(ctx, id, pl.full, t))
		})
	}
	return p.end(t, pl, err)
}

func (p *Pusher) begin(initial bool) *tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cycle++
	p.scim.sent.Store(0)
	return &tally{
		began: p.t.cfg.Now(), sum: Summary{CycleID: p.t.nextRequestID(), Number: p.cycle, Initial: initial},
	}
}

// stillHeld returns the reason of a quarantine that goes on. One for bad credentials ends when they work.
func (p *Pusher) stillHeld(ctx context.Context) QuarantineReason {
	p.mu.Lock()
	held, byToken := p.held, p.byToken
	p.mu.Unlock()
	if held != "" && byToken && p.TestConnection(ctx) == nil {
		p.LiftQuarantine()
		return ""
	}
	return held
}

// end keeps the watermark where the cycle broke off, so that the next one looks at everything again.
func (p *Pusher) end(t *tally, pl plan, err error) (Summary, error) {
	if errors.Is(err, errCredentials) {
		p.hold(QuarantineException, true, err.Error())
		t.sum.Quarantine = QuarantineException
	}
	p.mu.Lock()
	if err == nil {
		p.watermark, p.scoped = pl.mark, pl.scoped
	}
	escrowed := len(p.escrows)
	p.mu.Unlock()
	t.sum.Requests = int(p.scim.sent.Load())
	sortDetails(t.sum.Details)
	e := execution{
		id: t.sum.CycleID, began: t.began, ended: p.t.cfg.Now(), failed: err != nil, exported: t.exports(),
		imported: len(pl.users) + len(pl.groups), escrowed: escrowed, entitled: len(pl.users) + len(pl.groups),
	}
	if err != nil {
		e.code, e.failureReason = "Unknown", err.Error()
		err = fmt.Errorf("provisioning cycle %d: %w", t.sum.Number, err)
	}
	p.t.recordCycle(e)
	return t.sum, err
}

// settle keeps an object that failed for a later cycle, with growing gaps, and returns only what ends the cycle.
func (p *Pusher) settle(ctx context.Context, id string, t *tally, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		delete(p.escrows, id)
		return nil
	}
	if errors.Is(err, errCredentials) || ctx.Err() != nil {
		return err
	}
	e := p.escrows[id]
	if e == nil {
		e = &escrow{}
		p.escrows[id] = e
	}
	e.due = t.sum.Number + 1<<min(e.attempts, 6)
	e.attempts++
	return nil
}

// plan lists what to look at.
func (p *Pusher) plan(initial bool) plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := plan{full: initial, scoped: p.t.scoping()}
	var ids []string
	p.t.view(0, func(d *directory) {
		pl.mark = len(p.t.changes)
		if initial {
			ids = slices.Concat(pl.scoped.people(d), pl.scoped.teams(d), sortedKeys(p.records))
		} else {
			ids = changedSince(p.t.changes[p.watermark:], d)
		}
		for _, id := range sortedKeys(p.escrows) {
			if p.escrows[id].due <= p.cycle {
				ids = append(ids, id)
			}
		}
		ids = append(ids, sortedKeys(p.repair)...)
		seen := make(map[string]bool, len(ids))
		for _, id := range ids {
			if seen[id] {
				continue
			}
			seen[id] = true
			if rec := p.records[id]; d.groups[id] != nil || rec != nil && rec.group {
				pl.groups = append(pl.groups, id)
			} else {
				pl.users = append(pl.users, id)
			}
		}
	})
	return pl
}

// changedSince lists the objects that changes touched, in order; with the assignment of a group, its members.
func changedSince(changes []change, d *directory) []string {
	var ids []string
	for _, c := range changes {
		ids = append(ids, c.touched...)
		for _, o := range c.undo {
			if o.kind == opAssign && d.groups[o.id] != nil {
				ids = append(ids, d.members[o.id].all()...)
			}
		}
	}
	return ids
}

// each calls do for every id with so many workers, and returns the first error once all of them have ended.
func each(ctx context.Context, workers int, ids []string, do func(context.Context, string) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan string)
	var wg sync.WaitGroup
	for range min(workers, len(ids)) {
		wg.Go(func() {
			for id := range next {
				if ctx.Err() != nil {
					continue
				}
				if err := do(ctx, id); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		next <- id
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
