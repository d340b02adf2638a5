package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rosterd/rosterd/internal/roster"
)

// makeSearchable gives the members without a search document theirs: those from before there were any. Its keys are made
// in Go, so no migration in SQL can do it. Replicas that start together may both do it; a member that is written
// meanwhile keeps what that write made.
func (db *DB) makeSearchable(ctx context.Context) error {
	const batch = 500
	for {
		var rows []struct {
			Org        string `db:"org_id"`
			ID         string `db:"id"`
			Attributes string `db:"attributes"`
		}
		query := `SELECT org_id, id, attributes FROM members WHERE search IS NULL ORDER BY org_id, id LIMIT ?`
		if err := db.write.SelectContext(ctx, &rows, db.bind(query), batch); err != nil {
			return fmt.Errorf("find members that can't be searched: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		tx, err := db.write.BeginTxx(ctx, nil)
		if err != nil {
			return fmt.Errorf("begin a transaction: %w", err)
		}
		for _, r := range rows {
			var a roster.Attributes
			if err := json.Unmarshal([]byte(r.Attributes), &a); err != nil {
				_ = tx.Rollback()
				return fmt.Errorf("read the attributes of member %s: %w", r.ID, err)
			}
			doc, err := a.SearchDocument()
			if err != nil {
				_ = tx.Rollback()
				return fmt.Errorf("member %s: %w", r.ID, err)
			}
			_, second, more := a.EmailKeys()
			update := `UPDATE members SET search = ?, email2_key = ?, more_emails = ? WHERE org_id = ? AND id = ? AND search IS NULL`
			if _, err := tx.ExecContext(ctx, db.bind(update), string(doc), second, more, r.Org, r.ID); err != nil {
				_ = tx.Rollback()
				return fmt.Errorf("make member %s searchable: %w", r.ID, err)
			}
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
}
