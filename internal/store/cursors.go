package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// Cursor says from where a connection's next delta goes on.
type Cursor struct {
	Position string
	Settings string   // what the connection read, and how, when it was taken: another setting can't go on from it
	Groups   []string // the object ids of the groups whose members are known
	Run      string
	TakenAt  time.Time
}

// Cursor returns a connection's cursor; nil: it has none.
func (db *DB) Cursor(ctx context.Context, org, connection string) (*Cursor, error) {
	var rows []struct {
		Position string `db:"position"`
		Settings string `db:"settings"`
		Groups   string `db:"groups"`
		RunID    string `db:"run_id"`
		TakenAt  int64  `db:"taken_at"`
	}
	query := `SELECT position, settings, groups, run_id, taken_at FROM cursors WHERE org_id = ? AND connection_id = ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, connection); err != nil {
		return nil, fmt.Errorf("read the cursor: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil //nolint:nilnil // said in the comment
	}
	r := rows[0]
	c := &Cursor{Position: r.Position, Settings: r.Settings, Run: r.RunID, TakenAt: fromMicros(r.TakenAt)}
	if err := json.Unmarshal([]byte(r.Groups), &c.Groups); err != nil {
		return nil, fmt.Errorf("read the groups of the cursor: %w", err)
	}
	return c, nil
}

// Parked is an object of the IdP that a run could not settle. The next runs read it again, whether it changed or not.
type Parked struct {
	Type   roster.ObjectType // member or team; a membership parks its team
	Object string            // the IdP's id
	Reason string
	Run    string // the run that tried it last
	Since  time.Time
}

// Parked returns what is parked of a connection, that which was tried longest ago first.
func (db *DB) Parked(ctx context.Context, org, connection string, limit int) ([]Parked, error) {
	var rows []struct {
		Type     string `db:"type"`
		ObjectID string `db:"object_id"`
		Reason   string `db:"reason"`
		RunID    string `db:"run_id"`
		Since    int64  `db:"since"`
	}
	query := `SELECT type, object_id, reason, run_id, since FROM parked WHERE org_id = ? AND connection_id = ?
		ORDER BY run_id, type, object_id LIMIT ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, connection, limit); err != nil {
		return nil, fmt.Errorf("read what is parked: %w", err)
	}
	out := make([]Parked, len(rows))
	for i, r := range rows {
		out[i] = Parked{Type: roster.ObjectType(r.Type), Object: r.ObjectID, Reason: r.Reason, Run: r.RunID, Since: fromMicros(r.Since)}
	}
	return out, nil
}

// NoteAgain is the note of an action whose object the next run judges anew, whatever it reads.
const NoteAgain = "the next run judges it anew"

// unsettled picks the actions of a run whose objects are not settled by it. What was so already is.
const unsettled = `(a.state = 'refused' OR (a.state = 'skipped' AND a.note <> 'it was so already') OR a.note = '` + NoteAgain + `')`

// park keeps the objects of runs' actions, so that the next runs read them again. What is parked already keeps its time.
func (t *tx) park(ctx context.Context, where string, args ...any) error {
	query := `INSERT INTO parked (org_id, connection_id, type, object_id, reason, run_id, since)
		SELECT p.org_id, p.connection_id, p.type, p.object_id, MIN(p.reason), MAX(p.run_id), CAST(? AS BIGINT) FROM (
			SELECT r.org_id, r.connection_id, CASE a.type WHEN 'membership' THEN 'team' ELSE a.type END AS type,
				CASE a.type WHEN 'membership' THEN a.team_object ELSE a.object_id END AS object_id,
				CASE WHEN a.state IN ('refused', 'skipped') AND a.note <> '' THEN a.note ELSE ` + t.db.dialect.reason + ` END AS reason, a.run_id
			FROM run_actions a JOIN runs r ON r.id = a.run_id WHERE r.mode IN ('full', 'delta') AND a.type <> 'key' AND ` + where + `) p
		WHERE p.object_id <> '' GROUP BY p.org_id, p.connection_id, p.type, p.object_id
		ON CONFLICT (org_id, connection_id, type, object_id) DO UPDATE SET reason = excluded.reason, run_id = excluded.run_id`
	return t.exec(ctx, "park what was not settled", query, append([]any{toMicros(t.now)}, args...)...)
}

// Ending is what is written with a run's end.
type Ending struct {
	// Settled: the run read every list whole and was applied or approved.
	Settled bool
	// Counts says, by kind and object id, how many objects each list had that was read to its end.
	Counts map[[2]string]int
	// Tallies counts what the run found and what became of it.
	Tallies []Tally
	// Cursor is where the next delta goes on; nil: where it would have before.
	Cursor *Cursor
	// Park: what the run didn't settle is parked, and beside it Unsettled, of which no action says so.
	Park      bool
	Unsettled []Parked
	// Tried is what was parked, and what this run read again; Everything, that it read all there is.
	Tried      []Parked
	Everything bool
}

// endDelta writes the part of a run's end that the next delta needs.
func (t *tx) endDelta(ctx context.Context, r *roster.Run, e *Ending) error {
	if c := e.Cursor; c != nil {
		groups, err := json.Marshal(c.Groups)
		if err != nil {
			return fmt.Errorf("encode the groups of the cursor: %w", err)
		}
		err = t.upsert(ctx, table{name: "cursors", columns: "org_id, connection_id, position, settings, groups, run_id, taken_at",
			key: "org_id, connection_id"}, [][]any{{r.Org, r.Connection, c.Position, c.Settings, string(groups), r.ID, toMicros(c.TakenAt)}})
		if err != nil {
			return err
		}
	}
	if !e.Park {
		return nil
	}
	// An approved action's object may have changed while the plan was held, which no run acted on.
	if err := t.park(ctx, `a.run_id = ? AND (a.approved = TRUE OR `+unsettled+`)`, r.ID); err != nil {
		return err
	}
	rows := make([][]any, len(e.Unsettled))
	for i, p := range e.Unsettled {
		rows[i] = []any{r.Org, r.Connection, string(p.Type), p.Object, p.Reason, r.ID, toMicros(t.now)}
	}
	err := t.upsert(ctx, table{name: "parked", columns: "org_id, connection_id, type, object_id, reason, run_id, since",
		key: "org_id, connection_id, type, object_id", keep: "since"}, rows)
	if err != nil {
		return err
	}
	return t.unpark(ctx, r, e)
}

// unpark drops what the run read again and did not park anew.
func (t *tx) unpark(ctx context.Context, r *roster.Run, e *Ending) error {
	const drop = `DELETE FROM parked WHERE org_id = ? AND connection_id = ? AND run_id <> ?`
	if e.Everything {
		return t.exec(ctx, "drop what is settled", drop, r.Org, r.Connection, r.ID)
	}
	tried := map[roster.ObjectType][]string{}
	for _, p := range e.Tried {
		tried[p.Type] = append(tried[p.Type], p.Object)
	}
	for typ, ids := range tried {
		for _, chunk := range chunks(ids) {
			query, args, err := in(drop+` AND type = ? AND object_id IN (?)`, r.Org, r.Connection, r.ID, string(typ), chunk)
			if err != nil {
				return err
			}
			if err := t.exec(ctx, "drop what is settled", query, args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// BecomeFull makes a running delta a full run, with the reason in its note, if its lease still holds.
func (db *DB) BecomeFull(ctx context.Context, r *roster.Run) error {
	return db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		if err := t.CheckFence(ctx, r.Org, r.ID, r.Fence); err != nil {
			return err
		}
		return t.exec(ctx, "read in full", `UPDATE runs SET mode = 'full', note = ? WHERE org_id = ? AND id = ?`, r.Note, r.Org, r.ID)
	})
}
