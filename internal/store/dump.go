package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Dump returns every row of an organisation that a run could change (members, teams, memberships, links, events), one a
// line, in order. Two dumps that are equal show that nothing was written in between.
func (db *DB) Dump(ctx context.Context, org string) (string, error) {
	var out strings.Builder
	for _, t := range []struct{ name, order string }{
		{"members", "id"}, {"teams", "id"}, {"memberships", "team_id, member_id"}, {"links", "connection_id, type, object_id"},
		{"link_refusals", "connection_id, type, object_id, target_id"}, {"events", "id"},
		{"pending_references", "team_id, value"}, {"team_groups", "team_id, group_id"},
	} {
		if err := db.dump(ctx, &out, t.name, `SELECT * FROM `+t.name+` WHERE org_id = ? ORDER BY `+t.order, org); err != nil {
			return "", fmt.Errorf("dump %s: %w", t.name, err)
		}
	}
	return out.String(), nil
}

func (db *DB) dump(ctx context.Context, out *strings.Builder, name, query string, args ...any) error {
	rows, err := db.read.QueryxContext(ctx, db.bind(query), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		row := map[string]any{}
		if err := rows.MapScan(row); err != nil {
			return err
		}
		for _, c := range []string{"number", "digest", "chain"} { // the sequencer's, not a run's
			delete(row, c)
		}
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		out.WriteString(name + " " + string(line) + "\n")
	}
	return rows.Err()
}
