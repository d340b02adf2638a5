package store

import (
	"context"
	"fmt"

	"github.com/rosterd/rosterd/internal/roster"
)

func (t *tx) writeRefusals(ctx context.Context, org string, rows *roster.Rows) error {
	for _, r := range rows.DropRefusals {
		err := t.exec(ctx, "take a link's refusal back",
			`DELETE FROM link_refusals WHERE org_id = ? AND connection_id = ? AND type = ? AND object_id = ? AND target_id = ?`,
			org, r.Connection, string(r.Type), r.ObjectID, r.TargetID)
		if err != nil {
			return err
		}
	}
	var out [][]any
	for _, r := range rows.Refusals {
		out = append(out, []any{org, r.Connection, string(r.Type), r.ObjectID, r.TargetID, toMicros(t.now)})
	}
	return t.upsert(ctx, table{name: "link_refusals", columns: "org_id, connection_id, type, object_id, target_id, refused_at",
		key: "org_id, connection_id, type, object_id, target_id", keep: "refused_at"}, out)
}

type refusalRow struct {
	Connection string `db:"connection_id"`
	ObjectID   string `db:"object_id"`
	TargetID   string `db:"target_id"`
}

// refused returns, of some of the connection's objects, whose links to them an operator undid.
func (s *Stage) refused(ctx context.Context, typ roster.ObjectType, objects []string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, chunk := range chunks(objects) {
		var rows []refusalRow
		query := `SELECT connection_id, object_id, target_id FROM link_refusals
			WHERE org_id = ? AND connection_id = ? AND type = ? AND object_id IN (?)`
		if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.Org, s.run.Connection, string(typ), chunk); err != nil {
			return nil, fmt.Errorf("read links that an operator undid: %w", err)
		}
		for _, r := range rows {
			out[r.ObjectID] = append(out[r.ObjectID], r.TargetID)
		}
	}
	return out, nil
}

// Refusals returns the links to one of our objects that an operator undid, by connection and object.
func (db *DB) Refusals(ctx context.Context, org string, typ roster.ObjectType, target string) ([]roster.LinkRefusal, error) {
	var rows []refusalRow
	query := `SELECT connection_id, object_id, target_id FROM link_refusals
		WHERE org_id = ? AND type = ? AND target_id = ? ORDER BY connection_id, object_id`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, string(typ), target); err != nil {
		return nil, fmt.Errorf("read the links to %s that an operator undid: %w", target, err)
	}
	out := make([]roster.LinkRefusal, len(rows))
	for i, r := range rows {
		out[i] = roster.LinkRefusal{Connection: r.Connection, Type: typ, ObjectID: r.ObjectID, TargetID: r.TargetID}
	}
	return out, nil
}
