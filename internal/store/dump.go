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
		{"members", "id"}, {"teams", "id"}, {"memberships", "team_id, member_id"}, {"links", "connection_id, type, object_id"}, {"events", "id"},
	} {
		rows, err := db.read.QueryxContext(ctx, db.bind(`SELECT * FROM `+t.name+` WHERE org_id = ? ORDER BY `+t.order), org)
		if err != nil {
			return "", fmt.Errorf("dump %s: %w", t.name, err)
		}
		for rows.Next() {
			row := map[string]any{}
			if err := rows.MapScan(row); err != nil {
				_ = rows.Close()
				return "", fmt.Errorf("dump %s: %w", t.name, err)
			}
			for _, c := range []string{"number", "digest", "chain"} { // the sequencer's, not a run's
				delete(row, c)
			}
			line, err := json.Marshal(row)
			if err != nil {
				_ = rows.Close()
				return "", fmt.Errorf("dump %s: %w", t.name, err)
			}
			out.WriteString(t.name + " " + string(line) + "\n")
		}
		if err := rows.Close(); err != nil {
			return "", fmt.Errorf("dump %s: %w", t.name, err)
		}
	}
	return out.String(), nil
}
