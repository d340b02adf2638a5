package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

type alertRow struct {
	OrgID       string `db:"org_id"`
	ID          string `db:"id"`
	Key         string `db:"alert_key"`
	Kind        string `db:"kind"`
	SubjectType string `db:"subject_type"`
	SubjectID   string `db:"subject_id"`
	Subject     string `db:"subject"`
	Of          string `db:"of_what"`
	Severity    string `db:"severity"`
	Title       string `db:"title"`
	Body        string `db:"body"`
	Step        string `db:"step"`
	Details     string `db:"details"`
	State       string `db:"state"`
	OpenedAt    int64  `db:"opened_at"`
	ResolvedAt  int64  `db:"resolved_at"`
	SeenAt      int64  `db:"seen_at"`
	RemindedAt  int64  `db:"reminded_at"`
	Reopened    int    `db:"reopened"`
}

const alertColumns = `org_id, id, alert_key, kind, subject_type, subject_id, subject, of_what, severity, title, body, step, details, state,
	opened_at, resolved_at, seen_at, reminded_at, reopened`

func (r *alertRow) alert() (roster.Alert, error) {
	a := roster.Alert{
		Condition: roster.Condition{
			Kind: roster.AlertKind(r.Kind), SubjectType: r.SubjectType, SubjectID: r.SubjectID, Subject: r.Subject, Of: r.Of,
			Severity: roster.Severity(r.Severity), Title: r.Title, Text: r.Body, Step: r.Step,
		},
		ID: r.ID, Org: r.OrgID, State: roster.AlertState(r.State), OpenedAt: fromMicros(r.OpenedAt), ResolvedAt: fromMicros(r.ResolvedAt),
		SeenAt: fromMicros(r.SeenAt), RemindedAt: fromMicros(r.RemindedAt), Reopened: r.Reopened,
	}
	if err := json.Unmarshal([]byte(r.Details), &a.Details); err != nil {
		return a, fmt.Errorf("read the details of alert %s: %w", r.ID, err)
	}
	return a, nil
}

type alertDeliveryRow struct {
	OrgID     string `db:"org_id"`
	ID        string `db:"id"`
	AlertID   string `db:"alert_id"`
	Channel   string `db:"channel"`
	What      string `db:"what"`
	Attempts  int    `db:"attempts"`
	CreatedAt int64  `db:"created_at"`
	NextAt    int64  `db:"next_attempt_at"`
	SentAt    int64  `db:"sent_at"`
	GaveUpAt  int64  `db:"gave_up_at"`
	LastError string `db:"last_error"`
}

const alertDeliveryColumns = `org_id, id, alert_id, channel, what, attempts, created_at, next_attempt_at, sent_at, gave_up_at, last_error`

func (r *alertDeliveryRow) delivery() roster.AlertDelivery {
	return roster.AlertDelivery{
		ID: r.ID, Org: r.OrgID, Alert: r.AlertID, Channel: r.Channel, What: roster.AlertWhat(r.What), CreatedAt: fromMicros(r.CreatedAt),
		Attempts: r.Attempts, NextAt: fromMicros(r.NextAt), SentAt: fromMicros(r.SentAt), GaveUpAt: fromMicros(r.GaveUpAt), LastError: r.LastError,
	}
}

// Alerts returns an organisation's open alerts, or (all) those that have ended too, the newest last, each with its
// deliveries.
func (db *DB) Alerts(ctx context.Context, org string, all bool) ([]roster.Alert, error) {
	where := ` AND state = 'open'`
	if all {
		where = ""
	}
	return db.alerts(ctx, db.read, where, org)
}

// Alert reads one alert.
func (db *DB) Alert(ctx context.Context, org, id string) (roster.Alert, error) {
	found, err := db.alerts(ctx, db.read, ` AND id = ?`, org, id)
	if err == nil && len(found) == 0 {
		err = roster.Errorf(roster.NotFound, "no alert %q", id)
	}
	if err != nil {
		return roster.Alert{}, err
	}
	return found[0], nil
}

// alerts reads alerts of one organisation; where goes on from its condition on org_id.
func (db *DB) alerts(ctx context.Context, q queryer, where string, args ...any) ([]roster.Alert, error) {
	var rows []alertRow
	query := `SELECT ` + alertColumns + ` FROM alerts WHERE org_id = ?` + where + ` ORDER BY opened_at, id`
	if err := q.SelectContext(ctx, &rows, db.bind(query), args...); err != nil {
		return nil, fmt.Errorf("read the alerts: %w", err)
	}
	var told []alertDeliveryRow
	query = `SELECT ` + alertDeliveryColumns + ` FROM alert_deliveries WHERE org_id = ? AND alert_id IN (
		SELECT id FROM alerts WHERE org_id = ?` + where + `) ORDER BY created_at, id`
	if err := q.SelectContext(ctx, &told, db.bind(query), append([]any{args[0]}, args...)...); err != nil {
		return nil, fmt.Errorf("read the deliveries of alerts: %w", err)
	}
	deliveries := map[string][]roster.AlertDelivery{}
	for i := range told {
		deliveries[told[i].AlertID] = append(deliveries[told[i].AlertID], told[i].delivery())
	}
	out := make([]roster.Alert, len(rows))
	for i := range rows {
		a, err := rows[i].alert()
		if err != nil {
			return nil, err
		}
		a.Deliveries = deliveries[a.ID]
		out[i] = a
	}
	return out, nil
}

// BeginLook numbers a look at what holds in an organisation. What it finds counts only if no other look began meanwhile:
// that one knows better.
func (db *DB) BeginLook(ctx context.Context, org string) (int64, error) {
	var look int64
	err := db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		query := `INSERT INTO alert_looks (org_id, look) VALUES (?, 1) ON CONFLICT (org_id) DO UPDATE SET look = alert_looks.look + 1 RETURNING look`
		return t.GetContext(ctx, &look, db.bind(query), org)
	})
	if err != nil {
		return 0, fmt.Errorf("begin to look for alerts: %w", err)
	}
	return look, nil
}

// UpdateAlerts has judge decide, from the alerts that are open or ended since a time, what a look changes, and writes that
// with the deliveries that come of it, in one transaction. It reports whether the look still counted.
func (db *DB) UpdateAlerts(ctx context.Context, org string, look int64, since time.Time, judge func(known []roster.Alert) roster.AlertChanges) (bool, error) {
	counted := false
	err := db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		counted = false
		var last int64
		if err := t.GetContext(ctx, &last, db.bind(`SELECT look FROM alert_looks WHERE org_id = ?`+db.dialect.lock), org); err != nil {
			return fmt.Errorf("find out whether a look for alerts counts: %w", err)
		}
		if last != look {
			return nil
		}
		counted = true
		known, err := db.alerts(ctx, t.querier, ` AND (state = 'open' OR resolved_at > ?)`, org, toMicros(since))
		if err != nil {
			return err
		}
		return t.writeAlerts(ctx, org, judge(known))
	})
	return counted, err
}

func (t *tx) writeAlerts(ctx context.Context, org string, changes roster.AlertChanges) error {
	var rows [][]any
	for i := range changes.Alerts {
		a := &changes.Alerts[i]
		details, err := json.Marshal(a.Details)
		if err != nil {
			return fmt.Errorf("encode the details of an alert: %w", err)
		}
		rows = append(rows, []any{
			org, a.ID, a.Key(), string(a.Kind), a.SubjectType, a.SubjectID, a.Subject, a.Of, string(a.Severity), a.Title, a.Text, a.Step,
			string(details), string(a.State), toMicros(a.OpenedAt), toMicros(a.ResolvedAt), toMicros(a.SeenAt), toMicros(a.RemindedAt), a.Reopened,
		})
	}
	if err := t.upsert(ctx, table{name: "alerts", columns: alertColumns, key: "org_id, id", keep: "alert_key, opened_at"}, rows); err != nil {
		return err
	}
	for _, id := range changes.TakeBack {
		err := t.exec(ctx, "take a delivery back", `DELETE FROM alert_deliveries WHERE org_id = ? AND id = ? AND attempts = 0`, org, id)
		if err != nil {
			return err
		}
	}
	rows = nil
	for _, d := range changes.Tell {
		rows = append(rows, []any{
			org, d.ID, d.Alert, d.Channel, string(d.What), false, 0, toMicros(d.CreatedAt), toMicros(d.NextAt), 0, 0, 0, "",
		})
	}
	return t.upsert(ctx, table{name: "alert_deliveries", columns: `org_id, id, alert_id, channel, what, done, attempts, created_at,
		next_attempt_at, lease_until, sent_at, gave_up_at, last_error`}, rows)
}

// ClaimDelivery takes the lease of a delivery to a channel, of any organisation, that is due and not another's; nil: there
// is none. What was to be told of an alert before goes first.
func (db *DB) ClaimDelivery(ctx context.Context, channel string, now time.Time, lease time.Duration) (*roster.AlertDelivery, error) {
	const due = ` FROM alert_deliveries d WHERE d.done = FALSE AND d.channel = ? AND d.next_attempt_at <= ? AND d.lease_until <= ?
		AND NOT EXISTS (SELECT 1 FROM alert_deliveries e WHERE e.org_id = d.org_id AND e.alert_id = d.alert_id AND e.channel = d.channel
			AND e.done = FALSE AND e.created_at < d.created_at)`
	at := toMicros(now)
	var n int // most of the time there is none, and finding that out writes nothing
	if err := db.read.GetContext(ctx, &n, db.bind(`SELECT COUNT(*)`+due), channel, at, at); err != nil {
		return nil, fmt.Errorf("look for deliveries that are due: %w", err)
	}
	if n == 0 {
		return nil, nil
	}
	var claimed *roster.AlertDelivery
	err := db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		claimed = nil
		skip := ""
		if db.dialect.name == postgres.name {
			skip = " FOR UPDATE OF d SKIP LOCKED"
		}
		var found []struct {
			Org string `db:"org_id"`
			ID  string `db:"id"`
		}
		query := `SELECT d.org_id, d.id` + due + ` ORDER BY d.next_attempt_at, d.id LIMIT 1` + skip
		if err := t.SelectContext(ctx, &found, db.bind(query), channel, at, at); err != nil || len(found) == 0 {
			return err
		}
		var rows []alertDeliveryRow
		query = `UPDATE alert_deliveries SET attempts = attempts + 1, lease_until = ? WHERE org_id = ? AND id = ? RETURNING ` + alertDeliveryColumns
		if err := t.SelectContext(ctx, &rows, db.bind(query), toMicros(now.Add(lease)), found[0].Org, found[0].ID); err != nil {
			return err
		}
		if len(rows) > 0 {
			d := rows[0].delivery()
			claimed = &d
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim a delivery: %w", err)
	}
	return claimed, nil
}

// EndDelivery writes what came of an attempt, as the delivery now says it, unless another has tried since.
func (db *DB) EndDelivery(ctx context.Context, d *roster.AlertDelivery) error {
	query := `UPDATE alert_deliveries SET done = ?, lease_until = 0, next_attempt_at = ?, sent_at = ?, gave_up_at = ?, last_error = ?
		WHERE org_id = ? AND id = ? AND attempts = ? AND done = FALSE`
	err := db.exec(ctx, query, d.Done(), toMicros(d.NextAt), toMicros(d.SentAt), toMicros(d.GaveUpAt), d.LastError, d.Org, d.ID, d.Attempts)
	if err != nil {
		return fmt.Errorf("write what came of a delivery: %w", err)
	}
	return nil
}

// DropAlerts gives up an organisation's deliveries made before a time to channels that are not there any more, and drops
// alerts that ended before another.
func (db *DB) DropAlerts(ctx context.Context, org string, channels []string, now, orphaned, ended time.Time) error {
	return db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		query, args, err := in(`UPDATE alert_deliveries SET done = TRUE, gave_up_at = ?, last_error = 'the channel is not in the configuration any more'
			WHERE org_id = ? AND done = FALSE AND created_at < ? AND channel NOT IN (?)`,
			toMicros(now), org, toMicros(orphaned), append([]string{""}, channels...))
		if err != nil {
			return err
		}
		return errors.Join(
			t.exec(ctx, "give deliveries up", query, args...),
			t.exec(ctx, "drop old deliveries", `DELETE FROM alert_deliveries WHERE org_id = ? AND alert_id IN (
				SELECT id FROM alerts WHERE org_id = ? AND state = 'resolved' AND resolved_at < ?)`, org, org, toMicros(ended)),
			t.exec(ctx, "drop old alerts", `DELETE FROM alerts WHERE org_id = ? AND state = 'resolved' AND resolved_at < ?`, org, toMicros(ended)),
		)
	})
}

// LastRuns returns the runs of a connection that have ended, the newest first, at most so many. Left out are those of one
// person, cancelled ones, and dry ones that somebody asked for.
func (db *DB) LastRuns(ctx context.Context, org, connection string, most int) ([]roster.Run, error) {
	var rows []runRow
	query := runSelect + `WHERE r.org_id = ? AND r.connection_id = ? AND r.state NOT IN ('queued', 'running', 'cancelled') AND r.started_at > 0
		AND (r.mode IN ('full', 'delta') OR r.mode = 'dry' AND r.requested_by = ?) ORDER BY r.id DESC LIMIT ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, connection, roster.BySchedule, most); err != nil {
		return nil, fmt.Errorf("read a connection's last runs: %w", err)
	}
	return runsOf(rows)
}

// OpenRuns returns an organisation's runs that are queued, running, or hold a plan.
func (db *DB) OpenRuns(ctx context.Context, org string) ([]roster.Run, error) {
	var rows []runRow
	query := runSelect + `WHERE r.org_id = ? AND r.state IN ('queued', 'running', 'held') ORDER BY r.id`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org); err != nil {
		return nil, fmt.Errorf("read the open runs: %w", err)
	}
	return runsOf(rows)
}

// HeldActions counts the actions that a run holds, or that were approved and are not applied yet, by guard class.
func (db *DB) HeldActions(ctx context.Context, run string) (map[roster.Guarded]int, error) {
	var rows []struct {
		Guard string `db:"guard"`
		N     int    `db:"n"`
	}
	query := `SELECT guard, COUNT(*) AS n FROM run_actions WHERE run_id = ? AND state IN ('held', 'approved') GROUP BY guard`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), run); err != nil {
		return nil, fmt.Errorf("count what run %s holds: %w", run, err)
	}
	out := map[roster.Guarded]int{}
	for _, r := range rows {
		out[roster.Guarded(r.Guard)] = r.N
	}
	return out, nil
}
