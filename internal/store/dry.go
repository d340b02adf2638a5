package store

import (
	"context"

	"github.com/rosterd/rosterd/internal/roster"
)

// BecomeDry makes a running run a dry one, with the reason in its note, if its lease still holds.
func (db *DB) BecomeDry(ctx context.Context, r *roster.Run) error {
	return db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		if err := t.CheckFence(ctx, r.Org, r.ID, r.Fence); err != nil {
			return err
		}
		return t.exec(ctx, "make the run a dry one", `UPDATE runs SET mode = 'dry', note = ? WHERE org_id = ? AND id = ?`, r.Note, r.Org, r.ID)
	})
}
