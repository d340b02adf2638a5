package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// dropBatch bounds the rows that one transaction removes: nobody who pushes waits for long behind it.
const dropBatch = 1000

// DropRequests removes from an organisation's request log what is older than before, and the oldest rows beyond most (0:
// any number), but no more than limit rows in all, batch by batch. It returns how many there were.
func (db *DB) DropRequests(ctx context.Context, org string, before time.Time, most, limit int) (int, error) {
	upTo := idsFrom(before)
	if most > 0 {
		id, err := db.idAt(ctx, `SELECT id FROM requests WHERE org_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?`, org, most)
		if err != nil {
			return 0, fmt.Errorf("look for requests to drop: %w", err)
		}
		upTo = max(upTo, id)
	}
	total := 0
	for total < limit {
		last, err := db.idAt(ctx, `SELECT id FROM requests WHERE org_id = ? AND id <= ? ORDER BY id LIMIT 1 OFFSET ?`, org, upTo, dropBatch-1)
		if err != nil {
			return total, fmt.Errorf("look for requests to drop: %w", err)
		}
		if last == "" {
			last = upTo
		}
		n, err := db.remove(ctx, `DELETE FROM requests WHERE org_id = ? AND id <= ?`, org, last)
		total += n
		if err != nil {
			return total, fmt.Errorf("drop requests: %w", err)
		}
		if n < dropBatch {
			break
		}
	}
	return total, nil
}

// idAt returns the one id that a query finds, or "".
func (db *DB) idAt(ctx context.Context, query string, args ...any) (string, error) {
	var id string
	err := db.read.GetContext(ctx, &id, db.bind(query), args...)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// remove runs one DELETE in a transaction of its own and returns how many rows it took.
func (db *DB) remove(ctx context.Context, query string, args ...any) (int, error) {
	var n int64
	err := db.inTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		done, err := t.ExecContext(ctx, db.bind(query), args...)
		if err != nil {
			return err
		}
		n, err = done.RowsAffected()
		return err
	})
	return int(n), err
}

// DropTombstones removes an organisation's memberships that ended before a time, but no more than limit of them, batch by
// batch. Runs that are open may have read the IdP while a membership was there: what ended since they began stays.
func (db *DB) DropTombstones(ctx context.Context, org string, before time.Time, limit int) (int, error) {
	var oldest sql.NullInt64
	open := `SELECT MIN(created_at) FROM runs WHERE org_id = ? AND state IN ('queued', 'running', 'held')`
	if err := db.read.GetContext(ctx, &oldest, db.bind(open), org); err != nil {
		return 0, fmt.Errorf("look for open runs: %w", err)
	}
	cutoff := toMicros(before)
	if oldest.Valid {
		cutoff = min(cutoff, oldest.Int64)
	}
	total := 0
	for total < limit {
		var pairs []membershipRow
		query := `SELECT team_id, member_id FROM memberships WHERE org_id = ? AND present = FALSE AND written_at < ? LIMIT ?`
		if err := db.read.SelectContext(ctx, &pairs, db.bind(query), org, cutoff, dropBatch); err != nil {
			return total, fmt.Errorf("look for tombstones: %w", err)
		}
		n, err := db.dropTombstones(ctx, org, cutoff, pairs)
		total += n
		if err != nil {
			return total, fmt.Errorf("drop tombstones: %w", err)
		}
		if len(pairs) < dropBatch || n == 0 {
			break
		}
	}
	return total, nil
}

func (db *DB) dropTombstones(ctx context.Context, org string, cutoff int64, pairs []membershipRow) (int, error) {
	byTeam := map[string][]string{}
	for _, p := range pairs {
		byTeam[p.TeamID] = append(byTeam[p.TeamID], p.MemberID)
	}
	total := 0
	for team, members := range byTeam {
		// The conditions stand here again: somebody may have come back since.
		query, args, err := in(`DELETE FROM memberships WHERE org_id = ? AND team_id = ? AND member_id IN (?)
			AND present = FALSE AND written_at < ?`, org, team, members, cutoff)
		if err != nil {
			return total, err
		}
		n, err := db.remove(ctx, query, args...)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// ExpiringTokens returns the enabled tokens of all organisations that expire within a time and have not yet. It is for the
// daemon's own watch.
func (db *DB) ExpiringTokens(ctx context.Context, within time.Duration) ([]roster.Token, error) {
	now, err := db.Now(ctx)
	if err != nil {
		return nil, err
	}
	var rows []tokenRow
	query := tokenSelect + `WHERE t.expires_at > ? AND t.expires_at <= ? AND t.disabled = FALSE ORDER BY t.org_id, t.id`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), toMicros(now), toMicros(now.Add(within))); err != nil {
		return nil, fmt.Errorf("read the tokens that expire: %w", err)
	}
	return tokensOf(rows), nil
}
