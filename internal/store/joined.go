package store

import (
	"context"
	"fmt"
	"strings"
)

// maxJoined bounds the parameters of one statement that writes several tables.
const maxJoined = 5_000

// joined is an upsert that waits to be sent with others.
type joined struct {
	table string
	query string
	args  []any
}

// upsertJoined is upsert for what nothing in the same Write reads or changes any more: on PostgreSQL a few rows wait for
// the end of it and go in one statement with those of other tables, as each statement costs a round trip. A table may be
// joined once in a Write.
func (t *tx) upsertJoined(ctx context.Context, tb table, rows [][]any) error {
	if t.db.dialect.name != postgres.name || len(rows) == 0 || len(rows)*len(rows[0]) > maxJoined {
		return t.upsert(ctx, tb, rows)
	}
	columns := tb.names()
	var args []any
	for _, r := range rows {
		args = append(args, r...)
	}
	t.waiting = append(t.waiting, joined{tb.name, tb.statement(columns, len(rows)), args})
	return nil
}

// sendJoined sends what waits.
func (t *tx) sendJoined(ctx context.Context) error {
	waiting := t.waiting
	t.waiting = nil
	if len(waiting) == 0 {
		return nil
	}
	var query strings.Builder
	var args []any
	var names []string
	for i, w := range waiting {
		switch {
		case i == len(waiting)-1:
			query.WriteString(" " + w.query)
		case i == 0:
			fmt.Fprintf(&query, "WITH w%d AS (%s)", i, w.query)
		default:
			fmt.Fprintf(&query, ", w%d AS (%s)", i, w.query)
		}
		names, args = append(names, w.table), append(args, w.args...)
	}
	if _, err := t.ExecContext(ctx, t.db.bind(query.String()), args...); err != nil {
		return fmt.Errorf("write %s: %w", strings.Join(names, ", "), err)
	}
	return nil
}
