package store

import (
	"context"
	"fmt"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

type lifelineRow struct {
	OrgID        string `db:"org_id"`
	ID           string `db:"id"`
	ConnectionID string `db:"connection_id"`
	Since        int64  `db:"since"`
	UntilAt      int64  `db:"until_at"`
	Cause        string `db:"cause"`
	Reason       string `db:"reason"`
	Ended        string `db:"ended"`
}

const lifelineColumns = `org_id, id, connection_id, since, until_at, cause, reason, ended`

func (r *lifelineRow) lifeline() roster.Lifeline {
	return roster.Lifeline{
		ID: r.ID, Org: r.OrgID, Connection: r.ConnectionID, Since: fromMicros(r.Since), Until: fromMicros(r.UntilAt),
		Cause: roster.LifelineCause(r.Cause), Reason: r.Reason, Ended: r.Ended,
	}
}

// Lifelines returns, by connection id, the connections of an organisation whose runs take the place of pushes now.
func (db *DB) Lifelines(ctx context.Context, org string) (map[string]roster.Lifeline, error) {
	var rows []lifelineRow
	query := `SELECT ` + lifelineColumns + ` FROM connection_lifelines WHERE org_id = ? AND until_at = 0`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org); err != nil {
		return nil, fmt.Errorf("read the lifelines: %w", err)
	}
	out := make(map[string]roster.Lifeline, len(rows))
	for i := range rows {
		out[rows[i].ConnectionID] = rows[i].lifeline()
	}
	return out, nil
}

// LifelinesOf returns a connection's latest lifelines, no more than most of them, the newest first.
func (db *DB) LifelinesOf(ctx context.Context, org, connection string, most int) ([]roster.Lifeline, error) {
	var rows []lifelineRow
	query := `SELECT ` + lifelineColumns + ` FROM connection_lifelines WHERE org_id = ? AND connection_id = ? ORDER BY id DESC LIMIT ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, connection, most); err != nil {
		return nil, fmt.Errorf("read the connection's lifelines: %w", err)
	}
	out := make([]roster.Lifeline, len(rows))
	for i := range rows {
		out[i] = rows[i].lifeline()
	}
	return out, nil
}

// WatchesPushes reports whether anything is remembered of a connection's pushes: where nothing is, a run that has nothing to
// tell of them needs no transaction for it.
func (db *DB) WatchesPushes(ctx context.Context, org, connection string) (bool, error) {
	var n int
	query := `SELECT (SELECT COUNT(*) FROM connection_lifelines WHERE org_id = ? AND connection_id = ? AND until_at = 0)
		+ (SELECT COUNT(*) FROM push_watches WHERE org_id = ? AND connection_id = ? AND (missed_at > 0 OR quarantined_at > 0 OR clean > 0))`
	if err := db.read.GetContext(ctx, &n, db.bind(query), org, connection, org, connection); err != nil {
		return false, fmt.Errorf("look for what is watched of pushes: %w", err)
	}
	return n > 0, nil
}

// LifelineDue is a connection on its lifeline that no run is reading.
type LifelineDue struct {
	Org        string `db:"org_id"`
	Connection string `db:"connection_id"`
	// Idle is how long ago its last run ended; 0: it has had none.
	Idle time.Duration `db:"-"`
	Last int64         `db:"last"`
}

// IdleLifelines returns the connections, of all organisations, that are on their lifeline and may run a delta: they have a
// schedule and a cursor to go on from, are neither detached nor paused, and have no run open that reads. It is for the
// scheduler alone.
func (db *DB) IdleLifelines(ctx context.Context) ([]LifelineDue, error) {
	var any int // most of the time there is none
	if err := db.read.GetContext(ctx, &any, `SELECT COUNT(*) FROM connection_lifelines WHERE until_at = 0`); err != nil || any == 0 {
		return nil, err
	}
	now, err := db.Now(ctx)
	if err != nil {
		return nil, err
	}
	var rows []LifelineDue
	query := `SELECT l.org_id, l.connection_id, COALESCE((SELECT MAX(r.finished_at) FROM runs r WHERE r.org_id = l.org_id
			AND r.connection_id = l.connection_id AND r.mode IN ('full', 'delta')), 0) AS last
		FROM connection_lifelines l
		JOIN connections c ON c.org_id = l.org_id AND c.id = l.connection_id
		JOIN cursors k ON k.org_id = l.org_id AND k.connection_id = l.connection_id
		WHERE l.until_at = 0 AND c.state = 'ok' AND (c.paused_at = 0 OR (c.paused_until > 0 AND c.paused_until <= ?))
			AND EXISTS (SELECT 1 FROM schedules s WHERE s.org_id = l.org_id AND s.connection_id = l.connection_id)
			AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.org_id = l.org_id AND o.connection_id = l.connection_id
				AND o.mode IN ('full', 'delta') AND o.state IN ('queued', 'running'))
		ORDER BY l.org_id, l.connection_id`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), toMicros(now)); err != nil {
		return nil, fmt.Errorf("read the lifelines that are due: %w", err)
	}
	for i := range rows {
		if rows[i].Last > 0 {
			rows[i].Idle = now.Sub(fromMicros(rows[i].Last))
		}
	}
	return rows, nil
}

// PushWatch locks what it returns by the connection's run: one run at a time judges a connection's pushes.
func (t *tx) PushWatch(ctx context.Context, org, connection string) (roster.PushWatch, *roster.Lifeline, error) {
	var watches []struct {
		MissedAt      int64 `db:"missed_at"`
		Missed        int   `db:"missed"`
		QuarantinedAt int64 `db:"quarantined_at"`
		Clean         int   `db:"clean"`
	}
	query := `SELECT missed_at, missed, quarantined_at, clean FROM push_watches WHERE org_id = ? AND connection_id = ?`
	if err := t.SelectContext(ctx, &watches, t.db.bind(query), org, connection); err != nil {
		return roster.PushWatch{}, nil, fmt.Errorf("read what is watched of pushes: %w", err)
	}
	var watch roster.PushWatch
	if len(watches) > 0 {
		w := watches[0]
		watch = roster.PushWatch{
			Org: org, Connection: connection, MissedAt: fromMicros(w.MissedAt), Missed: w.Missed,
			QuarantinedAt: fromMicros(w.QuarantinedAt), Clean: w.Clean,
		}
	}
	var open []lifelineRow
	query = `SELECT ` + lifelineColumns + ` FROM connection_lifelines WHERE org_id = ? AND connection_id = ? AND until_at = 0`
	if err := t.SelectContext(ctx, &open, t.db.bind(query), org, connection); err != nil {
		return roster.PushWatch{}, nil, fmt.Errorf("read the connection's lifeline: %w", err)
	}
	if len(open) == 0 {
		return watch, nil, nil
	}
	l := open[0].lifeline()
	return watch, &l, nil
}

// LastPush goes by what pushes wrote, and by when the connection's tokens were last used: an IdP that finds all as it wants
// it only asks.
func (t *tx) LastPush(ctx context.Context, org, connection string) (time.Time, error) {
	var last int64
	query := `SELECT MAX(at) FROM (
		SELECT COALESCE(MAX(last_used_at), 0) AS at FROM tokens WHERE org_id = ? AND connection_id = ?
		UNION ALL SELECT COALESCE(MAX(pushed_at), 0) FROM members WHERE org_id = ? AND connection_id = ?
		UNION ALL SELECT COALESCE(MAX(pushed_at), 0) FROM teams WHERE org_id = ? AND connection_id = ?) AS pushes`
	if err := t.GetContext(ctx, &last, t.db.bind(query), org, connection, org, connection, org, connection); err != nil {
		return time.Time{}, fmt.Errorf("look for the last push: %w", err)
	}
	return fromMicros(last), nil
}

func (t *tx) writeLifelines(ctx context.Context, org string, rows *roster.Rows) error {
	var watches, lifelines [][]any
	for _, w := range rows.PushWatches {
		watches = append(watches, []any{org, w.Connection, toMicros(w.MissedAt), w.Missed, toMicros(w.QuarantinedAt), w.Clean})
	}
	for i := range rows.Lifelines {
		l := &rows.Lifelines[i]
		lifelines = append(lifelines, []any{
			org, l.ID, l.Connection, toMicros(l.Since), toMicros(l.Until), string(l.Cause), l.Reason, l.Ended,
		})
	}
	err := t.upsert(ctx, table{
		name: "push_watches", columns: "org_id, connection_id, missed_at, missed, quarantined_at, clean", key: "org_id, connection_id",
	}, watches)
	if err != nil {
		return err
	}
	return t.upsert(ctx, table{name: "connection_lifelines", columns: lifelineColumns, key: "org_id, id"}, lifelines)
}
