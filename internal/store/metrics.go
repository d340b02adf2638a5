package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
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

// ConnectionGauges is how one connection that pulls stands now.
type ConnectionGauges struct {
	Organisation string // its name
	Connection   string // its name
	Queued       int    // runs that wait for a worker
	QueuedSince  time.Time
	Running      int
	Held         int // held plans that are open
	HeldSince    time.Time
	Parked       int       // objects that no run could settle yet
	LastRun      time.Time // when a full or delta run last ended that had not failed, nor was cancelled
	LastComplete time.Time // when a full run last did that had read everything
	// LastFull is what the last full run found, or dry one, by kind; nil: there is none.
	LastFull map[roster.Kind]int
	Job      *roster.Job // the IdP's own, as last read; nil: none was
}

type gaugeRow struct {
	Org          string         `db:"org_id"`
	ID           string         `db:"id"`
	Organisation string         `db:"organisation"`
	Connection   string         `db:"connection"`
	Parked       int            `db:"parked"`
	LastRun      sql.NullInt64  `db:"last_run"`
	LastComplete sql.NullInt64  `db:"last_complete"`
	LastFull     sql.NullString `db:"last_full"`
	Job          sql.NullString `db:"job"`
}

// Gauges returns how the connections of all organisations stand that pull, by their names and at most so many. It is for
// the daemon's own metrics.
func (db *DB) Gauges(ctx context.Context, limit int) ([]ConnectionGauges, error) {
	var rows []gaugeRow
	const latest = ` FROM runs r WHERE r.org_id = c.org_id AND r.connection_id = c.id AND r.state IN ('done', 'partial', 'held') AND `
	// Of a connection that only reports, every scheduled run becomes a dry one.
	const full = `(r.mode = 'full' OR (r.mode = 'dry' AND r.requested_by = '` + roster.BySchedule + `'))`
	query := `SELECT c.org_id, c.id, o.name AS organisation, c.name AS connection,
			(SELECT COUNT(*) FROM parked p WHERE p.org_id = c.org_id AND p.connection_id = c.id) AS parked,
			(SELECT r.finished_at` + latest + `(r.mode = 'delta' OR ` + full + `) ORDER BY r.id DESC LIMIT 1) AS last_run,
			(SELECT r.finished_at` + latest + full + ` AND r.complete = TRUE ORDER BY r.id DESC LIMIT 1) AS last_complete,
			(SELECT r.totals` + latest + `r.mode IN ('full', 'dry') ORDER BY r.id DESC LIMIT 1) AS last_full,
			j.job FROM connections c JOIN organisations o ON o.id = c.org_id
		LEFT JOIN connection_jobs j ON j.org_id = c.org_id AND j.connection_id = c.id WHERE c.kind <> 'scim' ORDER BY o.name, c.name LIMIT ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), limit); err != nil {
		return nil, fmt.Errorf("read how connections stand: %w", err)
	}
	out := make([]ConnectionGauges, len(rows))
	at := make(map[[2]string]*ConnectionGauges, len(rows))
	for i, r := range rows {
		out[i] = ConnectionGauges{Organisation: r.Organisation, Connection: r.Connection, Parked: r.Parked,
			LastRun: fromMicros(r.LastRun.Int64), LastComplete: fromMicros(r.LastComplete.Int64)}
		for text, into := range map[sql.NullString]any{r.LastFull: &out[i].LastFull, r.Job: &out[i].Job} {
			if !text.Valid {
				continue
			}
			if err := json.Unmarshal([]byte(text.String), into); err != nil {
				return nil, fmt.Errorf("read how connection %s stands: %w", r.Connection, err)
			}
		}
		at[[2]string{r.Org, r.ID}] = &out[i]
	}
	return out, db.countOpen(ctx, at)
}

// countOpen fills in the runs that have not ended, and the held plans.
func (db *DB) countOpen(ctx context.Context, at map[[2]string]*ConnectionGauges) error {
	var rows []struct {
		Org        string `db:"org_id"`
		Connection string `db:"connection_id"`
		State      string `db:"state"`
		N          int    `db:"n"`
		Created    int64  `db:"created"`
		Ended      int64  `db:"ended"`
	}
	query := `SELECT org_id, connection_id, state, COUNT(*) AS n, MIN(created_at) AS created, MIN(finished_at) AS ended
		FROM runs WHERE state IN ('queued', 'running', 'held') GROUP BY org_id, connection_id, state`
	if err := db.read.SelectContext(ctx, &rows, query); err != nil {
		return fmt.Errorf("count the open runs: %w", err)
	}
	for _, r := range rows {
		g := at[[2]string{r.Org, r.Connection}]
		switch {
		case g == nil:
		case r.State == string(roster.RunQueued):
			g.Queued, g.QueuedSince = r.N, fromMicros(r.Created)
		case r.State == string(roster.RunRunning):
			g.Running = r.N
		case r.State == string(roster.RunHeld):
			g.Held, g.HeldSince = r.N, fromMicros(r.Ended)
		}
	}
	return nil
}

// EventsWaiting counts the change events that have no number yet: the sequencer numbers them, and the feed has them then.
func (db *DB) EventsWaiting(ctx context.Context) (int, error) {
	var n int
	if err := db.read.GetContext(ctx, &n, `SELECT COUNT(*) FROM events WHERE number IS NULL`); err != nil {
		return 0, fmt.Errorf("count the events that wait for a number: %w", err)
	}
	return n, nil
}

// Size is how many bytes the database takes.
func (db *DB) Size(ctx context.Context) (int64, error) {
	query := `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
	if db.dialect.name == postgres.name {
		query = `SELECT pg_database_size(current_database())`
	}
	var n int64
	if err := db.read.GetContext(ctx, &n, query); err != nil {
		return 0, fmt.Errorf("read the size of the database: %w", err)
	}
	return n, nil
}
