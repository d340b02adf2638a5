package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// TokenExpiry is when a token expires.
type TokenExpiry struct {
	Organisation string // its name
	Token        string // its name
	ExpiresAt    time.Time
}

// TokenExpiries returns when the enabled tokens of all organisations expire or have expired, at most so many: first those
// that still hold, the soonest first, then those that are over, the latest first. Tokens that never expire are left out.
// It is for the daemon's own metrics.
func (db *DB) TokenExpiries(ctx context.Context, limit int) ([]TokenExpiry, error) {
	var rows []struct {
		Organisation string `db:"organisation"`
		Token        string `db:"token"`
		ExpiresAt    int64  `db:"expires_at"`
	}
	now := db.dialect.now
	query := `SELECT o.name AS organisation, t.name AS token, t.expires_at
		FROM tokens t JOIN organisations o ON o.id = t.org_id
		WHERE t.disabled = FALSE AND t.expires_at > 0
		ORDER BY CASE WHEN t.expires_at > ` + now + ` THEN 0 ELSE 1 END, ABS(t.expires_at - ` + now + `), t.id LIMIT ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), limit); err != nil {
		return nil, fmt.Errorf("read when tokens expire: %w", err)
	}
	out := make([]TokenExpiry, len(rows))
	for i, r := range rows {
		out[i] = TokenExpiry{r.Organisation, r.Token, fromMicros(r.ExpiresAt)}
	}
	return out, nil
}

// Pools returns the pools of connections, for metrics of them: one, or for SQLite the readers' and the writer's.
func (db *DB) Pools() map[string]*sql.DB {
	if db.read == db.write {
		return map[string]*sql.DB{db.Kind(): db.write.DB}
	}
	return map[string]*sql.DB{db.Kind() + "_read": db.read.DB, db.Kind() + "_write": db.write.DB}
}
