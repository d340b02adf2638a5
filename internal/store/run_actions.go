package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

type actionRow struct {
	RunID  string `db:"run_id"`
	N      int64  `db:"n"`
	Phase  int    `db:"phase"`
	Drift  string `db:"drift"`
	State  string `db:"state"`
	Note   string `db:"note"`
	Kind   string `db:"kind"`
	Action string `db:"action"`
}

func (r *actionRow) action() (roster.RunAction, error) {
	a := roster.RunAction{Run: r.RunID, N: r.N, Phase: r.Phase, State: roster.ActionState(r.State), Note: r.Note}
	if err := json.Unmarshal([]byte(r.Drift), &a.Drift); err != nil {
		return a, fmt.Errorf("read action %d of run %s: %w", r.N, r.RunID, err)
	}
	return a, nil
}

// StartPlan clears what an earlier holder planned and did not apply, and the collections it read; it returns the number
// after which new actions are to be counted. What was applied stays listed.
func (db *DB) StartPlan(ctx context.Context, r *roster.Run) (int64, error) {
	var last int64
	err := db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		if err := t.CheckFence(ctx, r.Org, r.ID, r.Fence); err != nil {
			return err
		}
		if err := t.exec(ctx, "clear the plan", `DELETE FROM run_actions WHERE run_id = ? AND state <> 'applied'`, r.ID); err != nil {
			return err
		}
		if err := t.exec(ctx, "clear the collections", `DELETE FROM run_collections WHERE run_id = ?`, r.ID); err != nil {
			return err
		}
		return t.GetContext(ctx, &last, db.bind(`SELECT COALESCE(MAX(n), 0) FROM run_actions WHERE run_id = ?`), r.ID)
	})
	return last, err
}

// AddActions appends rows to a run's plan, or puts them in the place of those with the same number, if its lease still
// holds.
func (db *DB) AddActions(ctx context.Context, r *roster.Run, actions []roster.RunAction) error {
	if len(actions) == 0 {
		return nil
	}
	rows := make([][]any, 0, len(actions))
	for i := range actions {
		row, err := actionValues(r.ID, &actions[i], time.Time{}, false)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		if err := t.CheckFence(ctx, r.Org, r.ID, r.Fence); err != nil {
			return err
		}
		return t.upsert(ctx, table{name: "run_actions", columns: actionColumns, key: "run_id, n"}, rows)
	})
}

const actionColumns = `run_id, n, phase, kind, action, guard, type, target_id, object_id, team_object, member_object, drift, state,
	note, applied_at, approved`

func actionValues(run string, a *roster.RunAction, applied time.Time, approved bool) ([]any, error) {
	doc, err := json.Marshal(a.Drift)
	if err != nil {
		return nil, fmt.Errorf("encode an action: %w", err)
	}
	return []any{
		run, a.N, a.Phase, string(a.Drift.Kind), string(a.Drift.Action), string(a.Drift.Guard()), string(a.Drift.Subject.Type),
		a.Drift.Subject.ID, a.Drift.Subject.ObjectID, a.Drift.TeamObject, a.Drift.MemberObject, string(doc), string(a.State), a.Note,
		toMicros(applied), approved,
	}, nil
}

// ActionPos is a place in the order of a run's actions.
type ActionPos struct {
	Phase int
	N     int64
}

// Actions returns a page of a run's actions in the order of apply, after a position, in the given states (none: all).
func (db *DB) Actions(ctx context.Context, run string, after ActionPos, limit int, states ...roster.ActionState) ([]roster.RunAction, error) {
	where, args := `run_id = ? AND (phase, n) > (?, ?)`, []any{run, after.Phase, after.N}
	if len(states) > 0 {
		where, args = where+` AND state IN (?)`, append(args, states)
	}
	query, args, err := in(`SELECT run_id, n, phase, drift, state, note, kind, action FROM run_actions WHERE `+where+` ORDER BY phase, n LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, err
	}
	var rows []actionRow
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), args...); err != nil {
		return nil, fmt.Errorf("read the actions of run %s: %w", run, err)
	}
	out := make([]roster.RunAction, len(rows))
	for i := range rows {
		if out[i], err = rows[i].action(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// HeldOf returns what a run holds of objects, by the IdP's ids.
func (db *DB) HeldOf(ctx context.Context, run string, typ roster.ObjectType, objects []string) ([]roster.RunAction, error) {
	var out []roster.RunAction
	for _, chunk := range chunks(objects) {
		var rows []actionRow
		query := `SELECT run_id, n, phase, drift, state, note, kind, action FROM run_actions
			WHERE run_id = ? AND type = ? AND state = 'held' AND object_id IN (?)`
		if err := db.selectIn(ctx, db.read, &rows, query, run, string(typ), chunk); err != nil {
			return nil, fmt.Errorf("read what run %s holds: %w", run, err)
		}
		for i := range rows {
			a, err := rows[i].action()
			if err != nil {
				return nil, err
			}
			out = append(out, a)
		}
	}
	return out, nil
}

// Unapprove holds again what was approved of a run and not yet applied, if its lease still holds.
func (db *DB) Unapprove(ctx context.Context, r *roster.Run) error {
	return db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		if err := t.CheckFence(ctx, r.Org, r.ID, r.Fence); err != nil {
			return err
		}
		_, err := t.MoveActions(ctx, r.ID, roster.ActionApproved, roster.ActionHeld, nil)
		return err
	})
}

// ActionCounts counts a run's actions other than none by kind, and by state.
func (db *DB) ActionCounts(ctx context.Context, run string) (map[roster.Kind]int, map[roster.ActionState]int, error) {
	var rows []struct {
		Kind  string `db:"kind"`
		State string `db:"state"`
		N     int    `db:"n"`
	}
	query := `SELECT kind, state, COUNT(*) AS n FROM run_actions WHERE run_id = ? AND action <> 'none' GROUP BY kind, state`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), run); err != nil {
		return nil, nil, fmt.Errorf("count the actions of run %s: %w", run, err)
	}
	kinds, states := map[roster.Kind]int{}, map[roster.ActionState]int{}
	for _, r := range rows {
		kinds[roster.Kind(r.Kind)] += r.N
		states[roster.ActionState(r.State)] += r.N
	}
	return kinds, states, nil
}
