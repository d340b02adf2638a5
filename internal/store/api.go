package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rosterd/rosterd/internal/roster"
)

// RunTotals counts, for each run, its actions other than none by kind.
func (db *DB) RunTotals(ctx context.Context, runs []string) (map[string]map[roster.Kind]int, error) {
	out := make(map[string]map[roster.Kind]int, len(runs))
	for _, chunk := range chunks(runs) {
		var rows []struct {
			RunID string `db:"run_id"`
			Kind  string `db:"kind"`
			N     int    `db:"n"`
		}
		query := `SELECT run_id, kind, COUNT(*) AS n FROM run_actions WHERE run_id IN (?) AND action <> 'none' GROUP BY run_id, kind`
		if err := db.selectIn(ctx, db.read, &rows, query, chunk); err != nil {
			return nil, fmt.Errorf("count the actions of runs: %w", err)
		}
		for _, r := range rows {
			if out[r.RunID] == nil {
				out[r.RunID] = map[roster.Kind]int{}
			}
			out[r.RunID][roster.Kind(r.Kind)] = r.N
		}
	}
	return out, nil
}

// LatestPlan returns the id of a connection's newest finished run that made a plan of everybody, dry or not.
func (db *DB) LatestPlan(ctx context.Context, org, connection string) (run string, found bool, err error) {
	var ids []string
	query := `SELECT id FROM runs WHERE org_id = ? AND connection_id = ? AND mode <> 'one' AND state IN ('held', 'done', 'partial')
		ORDER BY id DESC LIMIT 1`
	if err := db.read.SelectContext(ctx, &ids, db.bind(query), org, connection); err != nil {
		return "", false, fmt.Errorf("find the latest plan: %w", err)
	}
	if len(ids) == 0 {
		return "", false, nil
	}
	return ids[0], true, nil
}

// Conflicts returns the conflicts that a run listed, as it listed them.
func (db *DB) Conflicts(ctx context.Context, run string) ([]roster.Drift, error) {
	var docs []string
	query := `SELECT drift FROM run_actions WHERE run_id = ? AND kind = 'conflict' ORDER BY phase, n`
	if err := db.read.SelectContext(ctx, &docs, db.bind(query), run); err != nil {
		return nil, fmt.Errorf("read the conflicts of run %s: %w", run, err)
	}
	out := make([]roster.Drift, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal([]byte(doc), &out[i]); err != nil {
			return nil, fmt.Errorf("read a conflict of run %s: %w", run, err)
		}
	}
	return out, nil
}

// LinkedObject returns the object of a connection that one of our objects is linked to; empty: it is not linked there.
func (db *DB) LinkedObject(ctx context.Context, org, connection string, typ roster.ObjectType, target string) (string, error) {
	var ids []string
	query := `SELECT object_id FROM links WHERE org_id = ? AND connection_id = ? AND type = ? AND target_id = ?`
	if err := db.read.SelectContext(ctx, &ids, db.bind(query), org, connection, string(typ), target); err != nil {
		return "", fmt.Errorf("read a link: %w", err)
	}
	if len(ids) == 0 {
		return "", nil
	}
	return ids[0], nil
}
