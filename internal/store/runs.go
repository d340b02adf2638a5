package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

func (db *DB) run(ctx context.Context, q queryer, org, id string) (roster.Run, error) {
	where, args := `WHERE r.id = ?`, []any{id}
	if org != "" {
		where, args = where+` AND r.org_id = ?`, append(args, org)
	}
	var rows []runRow
	if err := q.SelectContext(ctx, &rows, db.bind(runSelect+where), args...); err != nil {
		return roster.Run{}, fmt.Errorf("read run %s: %w", id, err)
	}
	if len(rows) == 0 {
		return roster.Run{}, noRun(id)
	}
	return rows[0].run()
}

// Run reads one run. With an empty org it is looked for in all: only for the daemon itself and the socket.
func (db *DB) Run(ctx context.Context, org, id string) (roster.Run, error) {
	return db.run(ctx, db.read, org, id)
}

// Runs returns a page of runs, the newest first, of one organisation or (org empty) of all.
func (db *DB) Runs(ctx context.Context, org string, l List) ([]roster.Run, string, error) {
	where, args := `WHERE 1 = 1`, []any{}
	add := func(cond string, v any) { where, args = where+" AND "+cond, append(args, v) }
	if org != "" {
		add(`r.org_id = ?`, org)
	}
	if l.Connection != "" {
		add(`c.name = ?`, l.Connection)
	}
	if l.Status != "" {
		add(`r.state = ?`, l.Status)
	}
	if l.Search != "" {
		add(`r.id LIKE ?`, "%"+l.Search+"%")
	}
	if l.After != "" {
		_, id, err := cursorKeys(l.After)
		if err != nil {
			return nil, "", err
		}
		add(`r.id < ?`, id)
	}
	var rows []runRow
	if err := db.read.SelectContext(ctx, &rows, db.bind(runSelect+where+` ORDER BY r.id DESC LIMIT ?`), append(args, l.limit())...); err != nil {
		return nil, "", fmt.Errorf("list runs: %w", err)
	}
	out, err := runsOf(rows)
	next := ""
	if len(out) == l.limit() {
		next = cursorOf("", out[len(out)-1].ID)
	}
	return out, next, err
}

// ClaimRun takes the lease of a run that can go on: one whose holder's lease has expired, one whose held actions were
// approved, or one that is queued for a connection without a running one. What would write waits while its connection is
// paused, and what nobody but rosterd itself asked for while a blackout window holds. It returns nil where there is none.
// The fence grows with each claim, so that a commit by an earlier holder is refused.
func (db *DB) ClaimRun(ctx context.Context, holder string, lease time.Duration) (*roster.Run, error) {
	claimable, args, err := db.claimable(ctx)
	if err != nil {
		return nil, err
	}
	// Most of the time there is none, and finding that out writes nothing.
	now, err := db.Now(ctx)
	if err != nil {
		return nil, err
	}
	var n int
	if err := db.read.GetContext(ctx, &n, db.bind(`SELECT COUNT(*)`+claimable), args(now)...); err != nil || n == 0 {
		return nil, err
	}
	var claimed *roster.Run
	err = db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		claimed = nil
		var ids []struct {
			ID         string `db:"id"`
			Org        string `db:"org_id"`
			Connection string `db:"connection_id"`
		}
		query := `SELECT r.id, r.org_id, r.connection_id` + claimable + `
			ORDER BY CASE r.state WHEN 'running' THEN 0 WHEN 'held' THEN 1 ELSE 2 END, r.id LIMIT 1` + db.skipLocked()
		if err := t.SelectContext(ctx, &ids, db.bind(query), args(t.now)...); err != nil || len(ids) == 0 {
			return err
		}
		r := ids[0]
		var fence int64
		query = `UPDATE connections SET fence = fence + 1 WHERE org_id = ? AND id = ? RETURNING fence`
		if err := t.GetContext(ctx, &fence, db.bind(query), r.Org, r.Connection); err != nil {
			return fmt.Errorf("take a fence: %w", err)
		}
		err := t.exec(ctx, "claim a run", `UPDATE runs SET state = 'running', fence = ?, lease_holder = ?, lease_until = ?,
			started_at = CASE WHEN started_at = 0 THEN ? ELSE started_at END WHERE id = ?`,
			fence, holder, toMicros(t.now.Add(lease)), toMicros(t.now), r.ID)
		if err != nil {
			return err
		}
		run, err := db.run(ctx, t.querier, r.Org, r.ID)
		claimed = &run
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim a run: %w", err)
	}
	return claimed, nil
}

// claimable is what ClaimRun looks for, and its arguments at a time.
func (db *DB) claimable(ctx context.Context) (query string, args func(now time.Time) []any, err error) {
	query = ` FROM runs r
			WHERE ((r.state = 'running' AND r.lease_until < ?)
			   OR ((r.state = 'queued' OR (r.state = 'held' AND r.approval = TRUE)) AND NOT EXISTS (
			       SELECT 1 FROM runs o WHERE o.org_id = r.org_id AND o.connection_id = r.connection_id AND o.state = 'running')))
			AND (r.mode = 'dry' OR NOT EXISTS (SELECT 1 FROM connections c WHERE c.org_id = r.org_id AND c.id = r.connection_id
			       AND c.paused_at > 0 AND (c.paused_until = 0 OR c.paused_until > ?)))`
	dark, err := db.Dark(ctx)
	var more []any
	if len(dark) > 0 {
		asked := `r.requested_by`
		for _, by := range []string{roster.BySchedule, roster.ByFollowUp, roster.ByLifeline} {
			asked, more = `REPLACE(`+asked+`, ?, '')`, append(more, by)
		}
		query += ` AND NOT (r.state = 'queued' AND REPLACE(` + asked + `, ', ', '') = '' AND r.connection_id IN (?` + strings.Repeat(`, ?`, len(dark)-1) + `))`
		for id := range dark {
			more = append(more, id)
		}
	}
	return query, func(now time.Time) []any { return append([]any{toMicros(now), toMicros(now)}, more...) }, err
}

func (db *DB) skipLocked() string {
	if db.dialect.name == postgres.name {
		return " FOR UPDATE OF r SKIP LOCKED"
	}
	return ""
}

// RenewLease keeps a run's lease and notes its progress. It reports whether cancelling was asked for; a Fenced error
// says that the lease has passed on.
func (db *DB) RenewLease(ctx context.Context, r *roster.Run, lease time.Duration) (cancel bool, err error) {
	figures, err := json.Marshal(measured{r.Timings, r.Compared})
	if err != nil {
		return false, fmt.Errorf("encode the progress of run %s: %w", r.ID, err)
	}
	err = db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		var rows []bool
		query := `UPDATE runs SET lease_until = ?, pages = ?, objects = ?, expected = ?, expected_estimate = ?, applied = ?, phase = ?, timings = ?
			WHERE id = ? AND fence = ? AND state = 'running' RETURNING cancel`
		args := []any{toMicros(t.now.Add(lease)), r.Pages, r.Objects, r.Expected, r.ExpectedEstimate, r.Applied, r.Phase, string(figures), r.ID, r.Fence}
		if err := t.SelectContext(ctx, &rows, db.bind(query), args...); err != nil {
			return fmt.Errorf("renew the lease of run %s: %w", r.ID, err)
		}
		if len(rows) == 0 {
			return roster.Errorf(roster.Fenced, "run %s is not ours any more: its lease passed to another holder", r.ID)
		}
		cancel = rows[0]
		return nil
	})
	return cancel, err
}

// ReleaseLease gives a run back unfinished: whoever claims next redoes it.
func (db *DB) ReleaseLease(ctx context.Context, r *roster.Run) error {
	err := db.exec(ctx, `UPDATE runs SET lease_until = 1 WHERE id = ? AND fence = ? AND state = 'running'`, r.ID, r.Fence)
	if err != nil {
		return fmt.Errorf("release the lease of run %s: %w", r.ID, err)
	}
	return nil
}

// FinishRun writes a run's end, if its lease still holds. While another run's plan is held, one that settles the connection
// does not: what that run holds was left alone.
func (db *DB) FinishRun(ctx context.Context, r *roster.Run, e Ending) error {
	return db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		if err := t.CheckFence(ctx, r.Org, r.ID, r.Fence); err != nil {
			return err
		}
		r.FinishedAt = t.now
		if err := t.Write(ctx, r.Org, &roster.Rows{Runs: []roster.Run{*r}}); err != nil {
			return err
		}
		if err := t.keepCounts(ctx, r, e.Counts); err != nil {
			return err
		}
		if err := t.keepHistory(ctx, r, e.Tallies); err != nil {
			return err
		}
		if err := t.endDelta(ctx, r, &e); err != nil || !e.Settled {
			return err
		}
		return t.exec(ctx, "settle the connection", `UPDATE connections SET settled = TRUE WHERE org_id = ? AND id = ?
			AND NOT EXISTS (SELECT 1 FROM runs WHERE org_id = ? AND connection_id = ? AND state = 'held' AND id <> ?)`,
			r.Org, r.Connection, r.Org, r.Connection, r.ID)
	})
}

// PinTarget pins the target that a connection's first run works against, before it changes anything.
func (db *DB) PinTarget(ctx context.Context, r *roster.Run, target string) error {
	return db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		if err := t.CheckFence(ctx, r.Org, r.ID, r.Fence); err != nil {
			return err
		}
		return t.exec(ctx, "pin the target", `UPDATE connections SET pinned = ? WHERE org_id = ? AND id = ? AND pinned = ''`,
			target, r.Org, r.Connection)
	})
}

// ExpireHeld ends held plans older than a time: they are cancelled, and their objects judged anew by the next run.
func (db *DB) ExpireHeld(ctx context.Context, before time.Time) error {
	return db.InTx(ctx, func(rtx roster.Tx) error {
		t, _ := rtx.(*tx)
		err := t.park(ctx, `a.state IN ('held', 'approved') AND r.state = 'held' AND r.finished_at < ?`, toMicros(before))
		if err != nil {
			return err
		}
		err = t.exec(ctx, "expire held plans", `UPDATE run_actions SET state = 'skipped', note = 'not approved within 7 days'
			WHERE state IN ('held', 'approved') AND run_id IN (SELECT id FROM runs WHERE state = 'held' AND finished_at < ?)`, toMicros(before))
		if err != nil {
			return err
		}
		return t.exec(ctx, "expire held plans", `UPDATE runs SET state = 'cancelled', approval = FALSE, error = 'not approved within 7 days'
			WHERE state = 'held' AND finished_at < ?`, toMicros(before))
	})
}

// Collection is one list of a pull, as a run keeps it.
type Collection struct {
	Kind     string `db:"kind"`
	ObjectID string `db:"object_id"`
	Name     string `db:"name"`
	Began    int64  `db:"began"`
	Objects  int    `db:"objects"`
	Whole    bool   `db:"whole"`
	Error    string `db:"error"`
}

// AddCollection keeps how a list was read.
func (db *DB) AddCollection(ctx context.Context, r *roster.Run, c Collection) error {
	query := `INSERT INTO run_collections (run_id, kind, object_id, name, began, objects, whole, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (run_id, kind, object_id) DO UPDATE SET name = excluded.name, began = excluded.began, objects = excluded.objects,
		whole = excluded.whole, error = excluded.error`
	if err := db.execLazily(ctx, query, r.ID, c.Kind, c.ObjectID, c.Name, c.Began, c.Objects, c.Whole, c.Error); err != nil {
		return fmt.Errorf("keep how a list was read: %w", err)
	}
	return nil
}

// Collections returns the lists of a run that were not read whole, or all.
func (db *DB) Collections(ctx context.Context, run string, onlyBroken bool) ([]Collection, error) {
	query := `SELECT kind, object_id, name, began, objects, whole, error FROM run_collections WHERE run_id = ?`
	if onlyBroken {
		query += ` AND whole = FALSE`
	}
	var rows []Collection
	if err := db.read.SelectContext(ctx, &rows, db.bind(query+` ORDER BY kind, object_id`), run); err != nil {
		return nil, fmt.Errorf("read the collections of run %s: %w", run, err)
	}
	return rows, nil
}

// LastCounts returns how many objects each list of a connection had when it was last read, by kind and object id.
func (db *DB) LastCounts(ctx context.Context, org, connection string) (map[[2]string]int, error) {
	var rows []Collection
	query := `SELECT kind, object_id, objects FROM collection_counts WHERE org_id = ? AND connection_id = ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, connection); err != nil {
		return nil, fmt.Errorf("read the last counts: %w", err)
	}
	out := make(map[[2]string]int, len(rows))
	for _, r := range rows {
		out[[2]string{r.Kind, r.ObjectID}] = r.Objects
	}
	return out, nil
}

// keepCounts remembers how many objects each list had.
func (t *tx) keepCounts(ctx context.Context, r *roster.Run, counts map[[2]string]int) error {
	rows := make([][]any, 0, len(counts))
	for k, n := range counts {
		rows = append(rows, []any{r.Org, r.Connection, k[0], k[1], n})
	}
	return t.upsert(ctx, table{name: "collection_counts", columns: "org_id, connection_id, kind, object_id, objects",
		key: "org_id, connection_id, kind, object_id"}, rows)
}

// Owned counts what a connection owns now: members that are pending or active, and memberships of such members.
func (db *DB) Owned(ctx context.Context, org, connection string) (members, memberships int, err error) {
	var row struct {
		Members     int `db:"members"`
		Memberships int `db:"memberships"`
	}
	query := `SELECT (SELECT COUNT(*) FROM members WHERE org_id = ? AND connection_id = ? AND status IN ('pending', 'active')) AS members,
		(SELECT COUNT(*) FROM memberships ms JOIN teams t ON t.org_id = ms.org_id AND t.id = ms.team_id
			JOIN members m ON m.org_id = ms.org_id AND m.id = ms.member_id
			WHERE ms.org_id = ? AND t.connection_id = ? AND t.status = 'active' AND ms.present = TRUE AND m.status IN ('pending', 'active')) AS memberships`
	if err := db.read.GetContext(ctx, &row, db.bind(query), org, connection, org, connection); err != nil {
		return 0, 0, fmt.Errorf("count what a connection owns: %w", err)
	}
	return row.Members, row.Memberships, nil
}

// RemovedSince counts, by guard class, what runs of a connection have removed since a time without approval.
func (db *DB) RemovedSince(ctx context.Context, org, connection string, since time.Time) (map[roster.Guarded]int, error) {
	var rows []struct {
		Guard string `db:"guard"`
		N     int    `db:"n"`
	}
	query := `SELECT a.guard, COUNT(*) AS n FROM run_actions a JOIN runs r ON r.id = a.run_id
		WHERE r.org_id = ? AND r.connection_id = ? AND r.created_at > ? AND a.state = 'applied' AND a.approved = FALSE
		AND a.applied_at > ? AND a.guard <> '' GROUP BY a.guard`
	day := toMicros(since)
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, connection, toMicros(since.Add(-24*time.Hour)), day); err != nil {
		return nil, fmt.Errorf("count what was removed: %w", err)
	}
	out := map[roster.Guarded]int{}
	for _, r := range rows {
		out[roster.Guarded(r.Guard)] = r.N
	}
	return out, nil
}

// LatestRuns returns each connection's newest run that is not dry, nor of one person, and has run, by connection id, and
// whether one holds a plan.
func (db *DB) LatestRuns(ctx context.Context, org string) (map[string]roster.Run, map[string]bool, error) {
	var rows []runRow
	query := runSelect + `WHERE r.org_id = ? AND (r.state = 'held' OR r.id IN (
		SELECT MAX(id) FROM runs WHERE org_id = ? AND mode NOT IN ('dry', 'one') AND state NOT IN ('queued', 'running') AND started_at > 0 GROUP BY connection_id)) ORDER BY r.id`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, org); err != nil {
		return nil, nil, fmt.Errorf("read the latest runs: %w", err)
	}
	found, err := runsOf(rows)
	if err != nil {
		return nil, nil, err
	}
	latest, held := map[string]roster.Run{}, map[string]bool{}
	for _, r := range found {
		latest[r.Connection] = r
		held[r.Connection] = held[r.Connection] || r.State == roster.RunHeld
	}
	return latest, held, nil
}

// Linked counts the members that are linked to a connection.
func (db *DB) Linked(ctx context.Context, org, connection string) (int, error) {
	var n int
	query := `SELECT COUNT(*) FROM links WHERE org_id = ? AND connection_id = ? AND type = 'member'`
	if err := db.read.GetContext(ctx, &n, db.bind(query), org, connection); err != nil {
		return 0, fmt.Errorf("count the links: %w", err)
	}
	return n, nil
}

// ResolveLinks returns our ids of a connection's objects, by object id.
func (db *DB) ResolveLinks(ctx context.Context, org, connection string, typ roster.ObjectType, objects []string) (map[string]string, error) {
	out := map[string]string{}
	for _, chunk := range chunks(objects) {
		var rows []Ref
		query := `SELECT object_id AS of_id, target_id AS id, '' AS name FROM links
			WHERE org_id = ? AND connection_id = ? AND type = ? AND object_id IN (?)`
		if err := db.selectIn(ctx, db.read, &rows, query, org, connection, string(typ), chunk); err != nil {
			return nil, fmt.Errorf("resolve links: %w", err)
		}
		for _, r := range rows {
			out[r.Of] = r.ID
		}
	}
	return out, nil
}

// FreeLeases ends the leases of a process that died. It is for a database with one process at a time, at its start.
func (db *DB) FreeLeases(ctx context.Context) error {
	if err := db.exec(ctx, `UPDATE runs SET lease_until = 1 WHERE state = 'running'`); err != nil {
		return fmt.Errorf("free the leases of a process that died: %w", err)
	}
	return nil
}
