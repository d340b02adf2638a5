package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/rosterd/rosterd/internal/roster"
)

// History says what is kept of runs that have ended.
type History struct {
	Runs    time.Time // runs that ended before are dropped
	Actions time.Time // of runs that ended before, the plans are
	Least   int       // so many of each connection's newest runs are kept whatever their age
}

// runsAtOnce bounds the runs whose plans go together.
const runsAtOnce = 200

// DropHistory drops old plans and old runs of an organisation, no more than limit runs, batch by batch. What a held plan
// still waits with stays, and so does each connection's last full run that read everything: how much there was is told by
// it. Change events keep the id of the run that made them; what it found of each kind of drift is summed up by the day.
func (db *DB) DropHistory(ctx context.Context, org string, h History, limit int) (runs int, err error) {
	var connections []string
	query := `SELECT DISTINCT connection_id FROM runs WHERE org_id = ? AND id < ?`
	if err := db.read.SelectContext(ctx, &connections, db.bind(query), org, idsFrom(h.Actions)); err != nil {
		return 0, fmt.Errorf("look for old runs: %w", err)
	}
	for _, c := range connections {
		keep, err := db.idAt(ctx, `SELECT id FROM runs WHERE org_id = ? AND connection_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?`, org, c, max(0, h.Least-1))
		if err != nil {
			return runs, fmt.Errorf("look for old runs: %w", err)
		}
		last, err := db.idAt(ctx, lastComplete, org, c)
		if err != nil {
			return runs, fmt.Errorf("look for the last full run: %w", err)
		}
		o := oldRuns{db: db, org: org, connection: c, newest: keep, last: last}
		if err := o.dropPlans(ctx, h.Actions, limit-runs); err != nil {
			return runs, fmt.Errorf("drop old plans: %w", err)
		}
		n, err := o.drop(ctx, h.Runs, limit-runs)
		if runs += n; err != nil {
			return runs, fmt.Errorf("drop old runs: %w", err)
		}
	}
	if err := db.rollUpDrift(ctx, org, h.Runs); err != nil {
		return runs, fmt.Errorf("sum up drift: %w", err)
	}
	return runs, nil
}

const lastComplete = `SELECT id FROM runs WHERE org_id = ? AND connection_id = ? AND mode = 'full' AND complete = TRUE
	AND state IN ('done', 'partial', 'held') ORDER BY id DESC LIMIT 1`

// oldRuns are a connection's that may go.
type oldRuns struct {
	db              *DB
	org, connection string
	newest          string // the oldest of those that stay because they are the newest; "": there are not so many
	last            string // the last full run that read everything; ""
}

// find returns the oldest runs that have ended before a time and may go, and whose plans are dropped so far.
func (o *oldRuns) find(ctx context.Context, before time.Time, dropped string, limit int) ([]string, error) {
	var ids []string
	if o.newest == "" || limit <= 0 {
		return nil, nil
	}
	query := `SELECT id FROM runs WHERE org_id = ? AND connection_id = ? AND id < ? AND id < ? AND id <> ?
		AND state NOT IN ('queued', 'running', 'held') AND finished_at < ? AND ` + dropped + ` ORDER BY id LIMIT ?`
	err := o.db.read.SelectContext(ctx, &ids, o.db.bind(query), o.org, o.connection, o.newest, idsFrom(before), o.last, toMicros(before), limit)
	return ids, err
}

// dropPlans drops what runs planned and how they read each list; their rows say so before the first of it goes.
func (o *oldRuns) dropPlans(ctx context.Context, before time.Time, limit int) error {
	for done := 0; done < limit; {
		ids, err := o.find(ctx, before, `dropped < 2`, min(runsAtOnce, limit-done))
		if err != nil || len(ids) == 0 {
			return err
		}
		done += len(ids)
		for _, query := range []string{
			`UPDATE runs SET dropped = 1 WHERE dropped = 0 AND id IN (?)`,
			`DELETE FROM run_actions WHERE (run_id, n) IN (SELECT run_id, n FROM run_actions WHERE run_id IN (?) LIMIT ?)`,
			`DELETE FROM run_collections WHERE (run_id, kind, object_id) IN (SELECT run_id, kind, object_id FROM run_collections WHERE run_id IN (?) LIMIT ?)`,
			`UPDATE runs SET dropped = 2 WHERE dropped = 1 AND id IN (?)`,
		} {
			if err := o.repeat(ctx, query, ids); err != nil {
				return err
			}
		}
	}
	return nil
}

// repeat carries out a statement on runs until it has taken all rows, each time in a transaction of its own.
func (o *oldRuns) repeat(ctx context.Context, query string, ids []string) error {
	args := []any{ids, dropBatch}
	if query[0] == 'U' {
		args = args[:1]
	}
	query, args, err := in(query, args...)
	if err != nil {
		return err
	}
	for {
		n, err := o.db.remove(ctx, query, args...)
		if err != nil || n < dropBatch {
			return err
		}
	}
}

func (o *oldRuns) drop(ctx context.Context, before time.Time, limit int) (int, error) {
	total := 0
	for {
		ids, err := o.find(ctx, before, `dropped = 2`, min(dropBatch, limit-total))
		if err != nil || len(ids) == 0 {
			return total, err
		}
		query, args, err := in(`DELETE FROM runs WHERE org_id = ? AND dropped = 2 AND id IN (?)`, o.org, ids)
		if err != nil {
			return total, err
		}
		n, err := o.db.remove(ctx, query, args...)
		if total += n; err != nil || n == 0 {
			return total, err
		}
	}
}

// noRun says that a run is not there. Of an id as old as runs that are dropped, no more is known.
func noRun(id string) error {
	if parsed, err := uuid.Parse(id); err == nil && parsed.Version() == 7 && parsed.String() < idsFrom(time.Now().Add(-24*time.Hour)) {
		return roster.Errorf(roster.NotFound, "no run %q: it may be older than the runs that are kept (`history` in the configuration); the change events keep what it changed", id)
	}
	return roster.Errorf(roster.NotFound, "no run %q", id)
}
