package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

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

// LatestPlan returns the id of a connection's newest finished run that made a plan, dry or not.
func (db *DB) LatestPlan(ctx context.Context, org, connection string) (run string, found bool, err error) {
	var ids []string
	query := `SELECT id FROM runs WHERE org_id = ? AND connection_id = ? AND state IN ('held', 'done', 'partial') ORDER BY id DESC LIMIT 1`
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

// RequestsBetween is Requests for those answered with a status from low to high; the list's own Status is not looked at.
func (db *DB) RequestsBetween(ctx context.Context, org string, low, high int, l List) ([]roster.Request, string, error) {
	where, args := `org_id = ? AND status BETWEEN ? AND ?`, []any{org, low, high}
	if l.Search != "" {
		like := "%" + likeEscape(l.Search) + "%"
		where += ` AND (path LIKE ? ESCAPE '\' OR request_body LIKE ? ESCAPE '\' OR token_name LIKE ? ESCAPE '\')`
		args = append(args, like, like, like)
	}
	if l.After != "" {
		_, id, err := cursorKeys(l.After)
		if err != nil {
			return nil, "", err
		}
		where, args = where+` AND id > ?`, append(args, id)
	}
	var rows []requestRow
	query := `SELECT ` + requestColumns + ` FROM requests WHERE ` + where + ` ORDER BY id LIMIT ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), append(args, l.limit())...); err != nil {
		return nil, "", fmt.Errorf("list requests: %w", err)
	}
	out := make([]roster.Request, len(rows))
	for i := range rows {
		out[i] = rows[i].request()
	}
	next := ""
	if len(out) == l.limit() {
		next = cursorOf("", out[len(out)-1].ID)
	}
	return out, next, nil
}

func (r *requestRow) request() roster.Request {
	return roster.Request{
		ID: r.ID, Org: r.OrgID, Time: fromMicros(r.Time), Method: r.Method, Path: r.Path, Status: r.Status, TokenID: r.TokenID,
		TokenName: r.TokenName, Client: r.Client, UserAgent: r.UserAgent, RequestBody: r.RequestBody, ResponseBody: r.ResponseBody,
		Duration: time.Duration(r.Duration) * time.Microsecond, Detail: r.Detail, Repeats: r.Repeats,
	}
}
