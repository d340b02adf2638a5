package store

import (
	"context"
	"fmt"
	"time"
)

// FollowUp is a connection whose runs left something unsettled that is due to be looked at again.
type FollowUp struct {
	Org        string `db:"org_id"`
	Connection string `db:"connection_id"`
	Objects    int    `db:"objects"`
}

// DueFollowUps returns the connections with something parked that is to be read again now, of all organisations. It is so
// once the connection's settle time, and no less than least, has gone by since it was parked and since the last run; and
// each time that it stays parked, as long again as it had been then, so that what nobody settles costs less and less.
// Left out are connections without a schedule, whose runs are on demand, and those that a delta can't go on from. It is
// for the scheduler alone.
func (db *DB) DueFollowUps(ctx context.Context, least time.Duration) ([]FollowUp, error) {
	now, err := db.Now(ctx)
	if err != nil {
		return nil, err
	}
	at := toMicros(now)
	wait := `(CASE WHEN c.settle > ? THEN c.settle ELSE ? END) / 1000`
	query := `SELECT p.org_id, p.connection_id, COUNT(*) AS objects FROM parked p
		JOIN connections c ON c.org_id = p.org_id AND c.id = p.connection_id
		JOIN cursors k ON k.org_id = p.org_id AND k.connection_id = p.connection_id
		LEFT JOIN runs r ON r.org_id = p.org_id AND r.id = p.run_id
		WHERE c.state = 'ok' AND c.settled = TRUE AND ? - p.since >= ` + wait + `
			AND ? - p.since >= 2 * (COALESCE(r.finished_at, p.since) - p.since)
			AND EXISTS (SELECT 1 FROM schedules s WHERE s.org_id = p.org_id AND s.connection_id = p.connection_id)
			AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.org_id = p.org_id AND o.connection_id = p.connection_id
				AND o.mode IN ('full', 'delta') AND (o.state IN ('queued', 'running') OR ? - o.finished_at < ` + wait + `))
		GROUP BY p.org_id, p.connection_id ORDER BY p.org_id, p.connection_id`
	var rows []FollowUp
	ns := int64(least)
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), at, ns, ns, at, at, ns, ns); err != nil {
		return nil, fmt.Errorf("read what is to be looked at again: %w", err)
	}
	return rows, nil
}
