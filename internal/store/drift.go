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

// Tally counts the actions of a run that are of one kind, do the same and fared alike.
type Tally struct {
	Kind   roster.Kind        `db:"kind"`
	Action roster.Action      `db:"action"`
	State  roster.ActionState `db:"state"`
	N      int                `db:"n"`
}

// Tallies counts a run's actions.
func (db *DB) Tallies(ctx context.Context, run string) ([]Tally, error) {
	var out []Tally
	query := `SELECT kind, action, state, COUNT(*) AS n FROM run_actions WHERE run_id = ? GROUP BY kind, action, state ORDER BY kind, action, state`
	if err := db.read.SelectContext(ctx, &out, db.bind(query), run); err != nil {
		return nil, fmt.Errorf("count the actions of run %s: %w", run, err)
	}
	return out, nil
}

// TalliesOf counts actions.
func TalliesOf(actions []roster.RunAction) []Tally {
	counts := map[Tally]int{}
	for i := range actions {
		d := &actions[i].Drift
		counts[Tally{Kind: d.Kind, Action: d.Action, State: actions[i].State}]++
	}
	out := make([]Tally, 0, len(counts))
	for t, n := range counts {
		t.N = n
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Tally) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Action, b.Action), cmp.Compare(a.State, b.State))
	})
	return out
}

// DriftCount is what was found of one kind of drift.
type DriftCount struct {
	Found   int // differences with an action
	Applied int // of those, how many were repaired
	Held    int // and how many wait for approval, or waited until their plan was dropped
	Listed  int // the most that one run listed without an action: conflicts, what is reported only, and all that a dry run found
}

// DriftBucket is what runs that began in a span of time found.
type DriftBucket struct {
	Start time.Time
	Kinds map[roster.Kind]DriftCount
}

// driftOf counts a run's drift by kind. A dry run repairs nothing and finds the same again, so that what it found is only
// listed; what a run that was cut short did not come to is found again by the next. A link is an event and no drift.
func driftOf(r *roster.Run, tallies []Tally) map[roster.Kind]DriftCount {
	out := map[roster.Kind]DriftCount{}
	for _, t := range tallies {
		listed := t.Action == roster.ActNone || r.Mode == roster.ModeDry
		if t.Kind == roster.LinkKind || (t.State == roster.ActionPlanned && !listed) {
			continue
		}
		c := out[t.Kind]
		switch {
		case listed:
			c.Listed += t.N
		default:
			c.Found += t.N
			switch t.State {
			case roster.ActionApplied:
				c.Applied += t.N
			case roster.ActionHeld, roster.ActionApproved:
				c.Held += t.N
			}
		}
		out[t.Kind] = c
	}
	return out
}

// keepHistory notes how long the phases of a run took and what it found. A run that ends once more, as one does whose held
// plan was approved, replaces its rows.
func (t *tx) keepHistory(ctx context.Context, r *roster.Run, tallies []Tally) error {
	took, err := json.Marshal(measured{r.Timings, r.Compared})
	if err != nil {
		return fmt.Errorf("encode how long run %s took: %w", r.ID, err)
	}
	if err := t.exec(ctx, "note how long a run took", `UPDATE runs SET timings = ? WHERE org_id = ? AND id = ?`, string(took), r.Org, r.ID); err != nil {
		return err
	}
	at := r.StartedAt
	if at.IsZero() {
		at = r.CreatedAt
	}
	var rows [][]any
	for kind, c := range driftOf(r, tallies) {
		rows = append(rows, []any{r.Org, r.Connection, toMicros(at), string(kind), r.ID, c.Found, c.Applied, c.Held, c.Listed})
	}
	return t.upsert(ctx, table{name: "drift", columns: "org_id, connection_id, at, kind, run_id, found, applied, held, listed",
		key: "org_id, connection_id, at, kind, run_id"}, rows)
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// rollUpDrift makes one row for each day and kind of what runs found before a time.
func (db *DB) rollUpDrift(ctx context.Context, org string, before time.Time) error {
	cutoff := toMicros(before)
	cutoff -= cutoff % dayMicros
	one, err := db.idAt(ctx, `SELECT run_id FROM drift WHERE org_id = ? AND at < ? AND run_id <> '' LIMIT 1`, org, cutoff)
	if err != nil || one == "" {
		return err
	}
	return db.inTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		if _, err := t.Organisation(ctx, org, true); err != nil { // replicas that do so at once would count twice
			return err
		}
		err := t.exec(ctx, "sum up drift", `INSERT INTO drift (org_id, connection_id, at, kind, run_id, found, applied, held, listed)
			SELECT org_id, connection_id, at - at % ?, kind, '', SUM(found), SUM(applied), SUM(held), MAX(listed)
			FROM drift WHERE org_id = ? AND at < ? AND run_id <> '' GROUP BY 1, 2, 3, 4
			ON CONFLICT (org_id, connection_id, at, kind, run_id) DO UPDATE SET found = drift.found + excluded.found,
			applied = drift.applied + excluded.applied, held = drift.held + excluded.held,
			listed = CASE WHEN excluded.listed > drift.listed THEN excluded.listed ELSE drift.listed END`,
			dayMicros, org, cutoff)
		if err != nil {
			return err
		}
		return t.exec(ctx, "sum up drift", `DELETE FROM drift WHERE org_id = ? AND at < ? AND run_id <> ''`, org, cutoff)
	})
}

// DriftOverTime returns what runs of a connection found, in spans of one length that begin with the one that since is in
// and end with the one that until is in; days are those of UTC. A span in which nothing was found is there and empty. What
// is older than the runs that are kept is known by the day only.
func (db *DB) DriftOverTime(ctx context.Context, org, connection string, since, until time.Time, span time.Duration) ([]DriftBucket, error) {
	since = since.UTC().Truncate(span)
	var out []DriftBucket
	for at := since; !at.After(until); at = at.Add(span) {
		out = append(out, DriftBucket{Start: at, Kinds: map[roster.Kind]DriftCount{}})
	}
	var rows []struct {
		At      int64  `db:"began"`
		Kind    string `db:"kind"`
		Found   int    `db:"found"`
		Applied int    `db:"applied"`
		Held    int    `db:"held"`
		Listed  int    `db:"listed"`
	}
	micros := span.Microseconds()
	query := `SELECT at - at % ? AS began, kind, CAST(SUM(found) AS BIGINT) AS found, CAST(SUM(applied) AS BIGINT) AS applied,
			CAST(SUM(held) AS BIGINT) AS held, MAX(listed) AS listed
		FROM drift WHERE org_id = ? AND connection_id = ? AND at >= ? AND at <= ? GROUP BY 1, 2`
	err := db.read.SelectContext(ctx, &rows, db.bind(query), micros, org, connection, toMicros(since), toMicros(until))
	if err != nil {
		return nil, fmt.Errorf("read the drift of connection %s: %w", connection, err)
	}
	for _, r := range rows {
		i := int(fromMicros(r.At).Sub(since) / span)
		if i >= 0 && i < len(out) {
			out[i].Kinds[roster.Kind(r.Kind)] = DriftCount{r.Found, r.Applied, r.Held, r.Listed}
		}
	}
	return out, nil
}
