package store

import (
	"context"
	"fmt"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

type exclusionRow struct {
	OrgID          string `db:"org_id"`
	Type           string `db:"type"`
	TargetID       string `db:"target_id"`
	ConnectionID   string `db:"connection_id"`
	UntilAt        int64  `db:"until_at"`
	Reason         string `db:"reason"`
	MadeBy         string `db:"made_by"`
	CreatedAt      int64  `db:"created_at"`
	Name           string `db:"name"`
	ConnectionName string `db:"connection_name"`
}

const exclusionSelect = `SELECT e.org_id, e.type, e.target_id, e.connection_id, e.until_at, e.reason, e.made_by, e.created_at,
		COALESCE(m.user_name, t.display_name, '') AS name, COALESCE(c.name, '') AS connection_name
	FROM exclusions e
	LEFT JOIN members m ON m.org_id = e.org_id AND e.type = 'member' AND m.id = e.target_id
	LEFT JOIN teams t ON t.org_id = e.org_id AND e.type = 'team' AND t.id = e.target_id
	LEFT JOIN connections c ON c.org_id = e.org_id AND c.id = e.connection_id
	WHERE e.org_id = ? AND e.until_at > ? `

func exclusionsOf(rows []exclusionRow) []roster.Exclusion {
	out := make([]roster.Exclusion, len(rows))
	for i, r := range rows {
		out[i] = roster.Exclusion{
			Org: r.OrgID, Type: roster.ObjectType(r.Type), TargetID: r.TargetID, Name: r.Name, Connection: r.ConnectionID,
			ConnectionName: r.ConnectionName, Until: fromMicros(r.UntilAt), Reason: r.Reason, By: r.MadeBy, CreatedAt: fromMicros(r.CreatedAt),
		}
	}
	return out
}

func (db *DB) exclusions(ctx context.Context, q queryer, now time.Time, where, order string, org string, args ...any) ([]roster.Exclusion, error) {
	var rows []exclusionRow
	all := append([]any{org, toMicros(now)}, args...)
	if err := q.SelectContext(ctx, &rows, db.bind(exclusionSelect+where+` ORDER BY `+order), all...); err != nil {
		return nil, fmt.Errorf("read exclusions: %w", err)
	}
	return exclusionsOf(rows), nil
}

// Exclusions lists the exclusions of an organisation's members, or of its teams, that hold now.
func (db *DB) Exclusions(ctx context.Context, org string, typ roster.ObjectType) ([]roster.Exclusion, error) {
	now, err := db.Now(ctx)
	if err != nil {
		return nil, err
	}
	return db.exclusions(ctx, db.read, now, `AND e.type = ?`, `e.target_id, e.connection_id`, org, string(typ))
}

// ExcludedFrom returns, by our id, what the runs of a connection leave alone now. Of two exclusions of one object it is the
// one that lasts longer.
func (db *DB) ExcludedFrom(ctx context.Context, org, connection string) (map[string]roster.Exclusion, error) {
	now, err := db.Now(ctx)
	if err != nil {
		return nil, err
	}
	all, err := db.exclusions(ctx, db.read, now, `AND e.connection_id IN ('', ?)`, `e.until_at`, org, connection)
	if err != nil {
		return nil, err
	}
	out := make(map[string]roster.Exclusion, len(all))
	for i := range all {
		out[all[i].TargetID] = all[i]
	}
	return out, nil
}

func (t *tx) Exclusions(ctx context.Context, org string, typ roster.ObjectType, id string) ([]roster.Exclusion, error) {
	return t.db.exclusions(ctx, t.querier, t.now, `AND e.type = ? AND e.target_id = ?`, `e.connection_id`, org, string(typ), id)
}

// writeExclusions also clears away those that have ended.
func (t *tx) writeExclusions(ctx context.Context, org string, rows *roster.Rows) error {
	if len(rows.Exclusions)+len(rows.DropExclusions) == 0 {
		return nil
	}
	if err := t.exec(ctx, "drop exclusions that have ended", `DELETE FROM exclusions WHERE org_id = ? AND until_at <= ?`, org, toMicros(t.now)); err != nil {
		return err
	}
	for _, e := range rows.DropExclusions {
		err := t.exec(ctx, "drop an exclusion", `DELETE FROM exclusions WHERE org_id = ? AND type = ? AND target_id = ? AND connection_id = ?`,
			org, string(e.Type), e.TargetID, e.Connection)
		if err != nil {
			return err
		}
	}
	var out [][]any
	for _, e := range rows.Exclusions {
		out = append(out, []any{org, string(e.Type), e.TargetID, e.Connection, toMicros(e.Until), e.Reason, e.By, toMicros(e.CreatedAt)})
	}
	return t.upsert(ctx, table{
		name: "exclusions", columns: "org_id, type, target_id, connection_id, until_at, reason, made_by, created_at",
		key: "org_id, type, target_id, connection_id",
	}, out)
}
