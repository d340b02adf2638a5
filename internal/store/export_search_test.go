package store

import (
	"context"
	"fmt"
	"strings"
)

// Plan returns how the database would find a page of members, or of teams.
func (r *ScimReader) Plan(ctx context.Context, teams bool, s Search) (string, error) {
	alias, columns := "m", memberColumns
	if teams {
		alias, columns = "t", teamColumns
	}
	text, args := r.query(alias, s).page(columns, s)
	explain := "EXPLAIN "
	if r.db.dialect.name != postgres.name {
		explain = "EXPLAIN QUERY PLAN "
	}
	rows, err := r.db.read.QueryxContext(ctx, r.db.bind(explain+text), args...)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	var out strings.Builder
	for rows.Next() {
		cells, err := rows.SliceScan()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%s\n", cells[len(cells)-1])
	}
	return out.String(), rows.Err()
}

// Analyse lets the database count what it holds.
func (db *DB) Analyse(ctx context.Context) error { return db.exec(ctx, "ANALYZE") }

// ForgetSearch makes members as they were before they had search documents.
func (db *DB) ForgetSearch(ctx context.Context) error {
	return db.exec(ctx, "UPDATE members SET search = NULL, email2_key = '', more_emails = FALSE")
}
