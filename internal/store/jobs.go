package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

const (
	// causesKept is how long an entry of a provisioning log explains anything.
	causesKept = 30 * 24 * time.Hour
	// causesLooked is how many objects one look at the log has read again.
	causesLooked = 200
)

// Job returns what was last read of a connection's provisioning job; nil: nothing was.
func (db *DB) Job(ctx context.Context, org, connection string) (*roster.Job, error) {
	all, err := db.jobs(ctx, ` AND connection_id = ?`, org, connection)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	j := all[connection]
	return &j, nil
}

// Jobs returns what was last read of the provisioning jobs of an organisation's connections, by connection id.
func (db *DB) Jobs(ctx context.Context, org string) (map[string]roster.Job, error) {
	return db.jobs(ctx, "", org)
}

func (db *DB) jobs(ctx context.Context, where string, args ...any) (map[string]roster.Job, error) {
	var rows []struct {
		Connection string `db:"connection_id"`
		Job        string `db:"job"`
	}
	if err := db.read.SelectContext(ctx, &rows, db.bind(`SELECT connection_id, job FROM connection_jobs WHERE org_id = ?`+where), args...); err != nil {
		return nil, fmt.Errorf("read the provisioning jobs: %w", err)
	}
	out := make(map[string]roster.Job, len(rows))
	for _, r := range rows {
		var j roster.Job
		if err := json.Unmarshal([]byte(r.Job), &j); err != nil {
			return nil, fmt.Errorf("read a provisioning job: %w", err)
		}
		out[r.Connection] = j
	}
	return out, nil
}

// SaveJob keeps what a run has read of its connection's provisioning job, if the run's lease still holds.
func (db *DB) SaveJob(ctx context.Context, r *roster.Run, j roster.Job) error {
	text, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode the provisioning job: %w", err)
	}
	return db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		if err := t.CheckFence(ctx, r.Org, r.ID, r.Fence); err != nil {
			return err
		}
		return t.upsert(ctx, table{name: "connection_jobs", columns: "org_id, connection_id, job, position", key: "org_id, connection_id", keep: "position"},
			[][]any{{r.Org, r.Connection, string(text), ""}})
	})
}

// CausePosition returns how far a connection's provisioning log was read; empty: not at all.
func (db *DB) CausePosition(ctx context.Context, org, connection string) (string, error) {
	var rows []string
	query := `SELECT position FROM connection_jobs WHERE org_id = ? AND connection_id = ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, connection); err != nil {
		return "", fmt.Errorf("read the position in the provisioning log: %w", err)
	}
	if len(rows) == 0 {
		return "", nil
	}
	return rows[0], nil
}

// SaveCauses keeps what a run has read of its connection's provisioning log, and how far it came; SaveJob comes before it.
// The objects of entries that are new are parked, so that the next delta reads them again: those that failed, and those
// of the skipped that are linked here. Nobody else misses what was skipped.
func (db *DB) SaveCauses(ctx context.Context, r *roster.Run, causes []roster.LogEntry, position string) error {
	return db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		if err := t.CheckFence(ctx, r.Org, r.ID, r.Fence); err != nil {
			return err
		}
		fresh, err := t.freshCauses(ctx, r, causes)
		if err != nil {
			return err
		}
		rows := make([][]any, len(fresh))
		for i, c := range fresh {
			rows[i] = []any{r.Org, r.Connection, string(c.Type), c.ObjectID, c.Reason, toMicros(c.At), outcomeOf(c), c.Action, c.Text}
		}
		if err := t.upsert(ctx, table{name: "causes", columns: causeColumns, key: "org_id, connection_id, type, object_id, reason"}, rows); err != nil {
			return err
		}
		if err := t.parkCauses(ctx, r, fresh); err != nil {
			return err
		}
		err = t.exec(ctx, "drop old causes", `DELETE FROM causes WHERE org_id = ? AND connection_id = ? AND at < ?`,
			r.Org, r.Connection, toMicros(t.now.Add(-causesKept)))
		if err != nil {
			return err
		}
		return t.exec(ctx, "keep the position in the provisioning log",
			`UPDATE connection_jobs SET position = ? WHERE org_id = ? AND connection_id = ?`, position, r.Org, r.Connection)
	})
}

const causeColumns = "org_id, connection_id, type, object_id, reason, at, outcome, action, detail"

func outcomeOf(c roster.LogEntry) string {
	if c.Failed {
		return "failed"
	}
	return "skipped"
}

// freshCauses returns the newest entry of each reason about each object, without those that are kept already: the log is
// read with an overlap.
func (t *tx) freshCauses(ctx context.Context, r *roster.Run, causes []roster.LogEntry) ([]roster.LogEntry, error) {
	type key struct {
		typ            roster.ObjectType
		object, reason string
	}
	newest := map[key]roster.LogEntry{}
	objects := map[roster.ObjectType][]string{}
	for _, c := range causes {
		k := key{c.Type, c.ObjectID, c.Reason}
		if have, ok := newest[k]; !ok || c.At.After(have.At) {
			newest[k] = c
		}
		objects[c.Type] = append(objects[c.Type], c.ObjectID)
	}
	for typ, ids := range objects {
		kept, err := t.db.causesOf(ctx, t.querier, r.Org, r.Connection, typ, ids)
		if err != nil {
			return nil, err
		}
		for _, list := range kept {
			for _, c := range list {
				k := key{c.Type, c.ObjectID, c.Reason}
				if have, ok := newest[k]; ok && !have.At.Truncate(time.Microsecond).After(c.At) {
					delete(newest, k)
				}
			}
		}
	}
	out := make([]roster.LogEntry, 0, len(newest))
	for _, c := range newest {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b roster.LogEntry) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ObjectID, b.ObjectID), cmp.Compare(a.Reason, b.Reason))
	})
	return out, nil
}

// parkCauses parks the objects of causes, the newest first.
func (t *tx) parkCauses(ctx context.Context, r *roster.Run, causes []roster.LogEntry) error {
	skipped := map[roster.ObjectType][]string{}
	for _, c := range causes {
		if !c.Failed {
			skipped[c.Type] = append(skipped[c.Type], c.ObjectID)
		}
	}
	linked := map[roster.ObjectType]map[string]bool{}
	for typ, ids := range skipped {
		linked[typ] = map[string]bool{}
		for _, chunk := range chunks(ids) {
			query, args, err := in(`SELECT object_id FROM links WHERE org_id = ? AND connection_id = ? AND type = ? AND object_id IN (?)`,
				r.Org, r.Connection, string(typ), chunk)
			if err != nil {
				return err
			}
			var found []string
			if err := t.SelectContext(ctx, &found, t.db.bind(query), args...); err != nil {
				return fmt.Errorf("look for the links of causes: %w", err)
			}
			for _, id := range found {
				linked[typ][id] = true
			}
		}
	}
	seen := map[[2]string]bool{}
	var rows [][]any
	for _, c := range causes {
		k := [2]string{string(c.Type), c.ObjectID}
		if seen[k] || len(rows) == causesLooked || !c.Failed && !linked[c.Type][c.ObjectID] {
			continue
		}
		seen[k] = true
		rows = append(rows, []any{r.Org, r.Connection, k[0], k[1], "the provisioning log says " + c.Reason, "", toMicros(t.now)})
	}
	return t.upsert(ctx, table{name: "parked", columns: "org_id, connection_id, type, object_id, reason, run_id, since",
		key: "org_id, connection_id, type, object_id", keep: "reason, run_id, since"}, rows)
}

// CausesOf returns what a connection's provisioning log says of some objects, by the IdP's id, the newest first.
func (db *DB) CausesOf(ctx context.Context, org, connection string, typ roster.ObjectType, ids []string) (map[string][]roster.LogEntry, error) {
	return db.causesOf(ctx, db.read, org, connection, typ, ids)
}

func (db *DB) causesOf(ctx context.Context, q queryer, org, connection string, typ roster.ObjectType, ids []string) (map[string][]roster.LogEntry, error) {
	out := map[string][]roster.LogEntry{}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	for _, chunk := range chunks(slices.Compact(ids)) {
		var rows []struct {
			ObjectID string `db:"object_id"`
			Reason   string `db:"reason"`
			At       int64  `db:"at"`
			Outcome  string `db:"outcome"`
			Action   string `db:"action"`
			Detail   string `db:"detail"`
		}
		query, args, err := in(`SELECT object_id, reason, at, outcome, action, detail FROM causes
			WHERE org_id = ? AND connection_id = ? AND type = ? AND object_id IN (?) ORDER BY at DESC, reason`, org, connection, string(typ), chunk)
		if err != nil {
			return nil, err
		}
		if err := q.SelectContext(ctx, &rows, db.bind(query), args...); err != nil {
			return nil, fmt.Errorf("read what the provisioning log says: %w", err)
		}
		for _, r := range rows {
			out[r.ObjectID] = append(out[r.ObjectID], roster.LogEntry{
				Type: typ, ObjectID: r.ObjectID, At: fromMicros(r.At), Failed: r.Outcome == "failed", Reason: r.Reason, Action: r.Action, Text: r.Detail,
			})
		}
	}
	return out, nil
}
