package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

type scheduleRow struct {
	OrgID        string `db:"org_id"`
	ConnectionID string `db:"connection_id"`
	Mode         string `db:"mode"`
	Cron         string `db:"cron"`
	TimeZone     string `db:"time_zone"`
	Jitter       int64  `db:"jitter"`
	NextDue      int64  `db:"next_due"`
	SkipRun      string `db:"skip_run"`
	SkipFor      string `db:"skip_for"`
	Skips        int    `db:"skips"`
	Blackout     string `db:"blackout"`
}

const scheduleColumns = `org_id, connection_id, mode, cron, time_zone, jitter, next_due, skip_run, skip_for, skips, blackout`

func schedulesOf(rows []scheduleRow) []roster.Schedule {
	out := make([]roster.Schedule, len(rows))
	for i, r := range rows {
		out[i] = roster.Schedule{
			Org: r.OrgID, Connection: r.ConnectionID, Mode: roster.Mode(r.Mode), Cron: r.Cron, TimeZone: r.TimeZone,
			Jitter: time.Duration(r.Jitter), Next: fromMicros(r.NextDue), SkipRun: r.SkipRun, SkipFor: r.SkipFor, Skips: r.Skips,
		}
		if r.Blackout != "" {
			out[i].Blackout = strings.Split(r.Blackout, "\n")
		}
	}
	return out
}

// Schedules returns an organisation's schedules.
func (db *DB) Schedules(ctx context.Context, org string) ([]roster.Schedule, error) {
	var rows []scheduleRow
	query := `SELECT ` + scheduleColumns + ` FROM schedules WHERE org_id = ? ORDER BY connection_id, mode`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org); err != nil {
		return nil, fmt.Errorf("read the schedules: %w", err)
	}
	return schedulesOf(rows), nil
}

// DueSchedules returns the schedules of all organisations whose due time has come or comes within a time, the full one
// of a connection before its delta, with the database's time. It is for the scheduler alone.
func (db *DB) DueSchedules(ctx context.Context, within time.Duration) ([]roster.Schedule, time.Time, error) {
	now, err := db.Now(ctx)
	if err != nil {
		return nil, now, err
	}
	var rows []scheduleRow
	query := `SELECT ` + scheduleColumns + ` FROM schedules WHERE next_due > 0 AND next_due <= ?
		ORDER BY org_id, connection_id, mode DESC`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), toMicros(now.Add(within))); err != nil {
		return nil, now, fmt.Errorf("read the due schedules: %w", err)
	}
	return schedulesOf(rows), now, nil
}

func (t *tx) Schedules(ctx context.Context, org, connection string) ([]roster.Schedule, error) {
	var rows []scheduleRow
	query := `SELECT ` + scheduleColumns + ` FROM schedules WHERE org_id = ? AND connection_id = ? ORDER BY mode` + t.db.dialect.lock
	if err := t.SelectContext(ctx, &rows, t.db.bind(query), org, connection); err != nil {
		return nil, fmt.Errorf("read the connection's schedules: %w", err)
	}
	return schedulesOf(rows), nil
}

// writeSchedules writes schedules. A new one is no upsert: where another replica has just made it, the transaction is
// tried again and finds it, so that a due time which that one has asked a run for is not set back.
func (t *tx) writeSchedules(ctx context.Context, org string, rows *roster.Rows) error {
	for _, s := range rows.DropSchedules {
		err := t.exec(ctx, "drop a schedule", `DELETE FROM schedules WHERE org_id = ? AND connection_id = ? AND mode = ?`,
			org, s.Connection, string(s.Mode))
		if err != nil {
			return err
		}
	}
	var fresh, known [][]any
	for _, s := range rows.Schedules {
		row := []any{
			org, s.Connection, string(s.Mode), s.Cron, s.TimeZone, int64(s.Jitter), toMicros(s.Next), s.SkipRun, s.SkipFor, s.Skips,
			strings.Join(s.Blackout, "\n"),
		}
		if s.New {
			fresh = append(fresh, row)
		} else {
			known = append(known, row)
		}
	}
	if err := t.upsert(ctx, table{name: "schedules", columns: scheduleColumns}, fresh); err != nil {
		return err
	}
	return t.upsert(ctx, table{name: "schedules", columns: scheduleColumns, key: "org_id, connection_id, mode"}, known)
}

// Dark returns the connections, of all organisations, whose schedules start no run now, as a blackout window holds. It is
// for the scheduler and for who claims runs.
func (db *DB) Dark(ctx context.Context) (map[string]bool, error) {
	var rows []scheduleRow
	query := `SELECT ` + scheduleColumns + ` FROM schedules WHERE blackout <> '' ORDER BY org_id, connection_id, mode`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query)); err != nil {
		return nil, fmt.Errorf("read the blackout windows: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	now, err := db.Now(ctx)
	if err != nil {
		return nil, err
	}
	dark := map[string]bool{}
	all := schedulesOf(rows)
	for i := range all {
		if _, holds := all[i].Blackouts().Holds(now); holds {
			dark[all[i].Connection] = true
		}
	}
	return dark, nil
}
