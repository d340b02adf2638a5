package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/rosterd/rosterd/internal/roster"
)

// tx is one transaction; it implements roster.Tx.
type tx struct {
	querier
	db  *DB
	now time.Time
	seq int64

	waiting []joined // what a Write has to write at its end
}

var _ roster.Tx = (*tx)(nil)

// begin takes the transaction's commit sequence number and time.
func (t *tx) begin(ctx context.Context) error {
	var now int64
	if err := t.QueryRowxContext(ctx, t.db.dialect.nextSeq).Scan(&t.seq, &now); err != nil {
		return fmt.Errorf("take a commit sequence number: %w", err)
	}
	t.now = fromMicros(now)
	return nil
}

// exec runs one statement that stands alone.
func (db *DB) exec(ctx context.Context, query string, args ...any) error {
	if db.group != nil {
		return db.group.do(ctx, func(rtx roster.Tx) error {
			t, _ := rtx.(*tx)
			_, err := t.ExecContext(ctx, query, args...)
			return err
		})
	}
	_, err := db.write.ExecContext(ctx, db.bind(query), args...)
	return err
}

// Now is the database's time when the transaction began.
func (t *tx) Now() time.Time { return t.now }

// Seq is the transaction's commit sequence number.
func (t *tx) Seq() int64 { return t.seq }

// queryer is what reads: a pool, a connection or a transaction.
type queryer interface {
	SelectContext(ctx context.Context, dest any, query string, args ...any) error
	GetContext(ctx context.Context, dest any, query string, args ...any) error
}

// querier is what a transaction works on.
type querier interface {
	queryer
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowxContext(ctx context.Context, query string, args ...any) *sqlx.Row
}

// chunkSize bounds the ids of one IN list, below the parameter limits of both databases.
const chunkSize = 1000

// selectIn runs a query with IN (?) lists, expanded, and appends its rows to dest.
func (db *DB) selectIn(ctx context.Context, q queryer, dest any, query string, args ...any) error {
	query, flat, err := sqlx.In(query, args...)
	if err != nil {
		return fmt.Errorf("expand a list: %w", err)
	}
	return q.SelectContext(ctx, dest, db.bind(query), flat...)
}

func (db *DB) bind(query string) string { return sqlx.Rebind(db.dialect.bind, query) }

func chunks(ids []string) [][]string {
	var out [][]string
	for len(ids) > chunkSize {
		out = append(out, ids[:chunkSize])
		ids = ids[chunkSize:]
	}
	if len(ids) > 0 {
		out = append(out, ids)
	}
	return out
}

func (t *tx) Organisation(ctx context.Context, id string, lock bool) (roster.Organisation, error) {
	query := `SELECT id, name, scim, created_at FROM organisations WHERE id = ?`
	if lock {
		query += t.db.dialect.lock
	}
	var rows []orgRow
	if err := t.SelectContext(ctx, &rows, t.db.bind(query), id); err != nil {
		return roster.Organisation{}, fmt.Errorf("read organisation %s: %w", id, err)
	}
	if len(rows) == 0 {
		return roster.Organisation{}, roster.Errorf(roster.NotFound, "no organisation %q", id)
	}
	return rows[0].organisation(), nil
}

func (t *tx) CheckFence(ctx context.Context, org, run string, fence int64) error {
	var rows []struct {
		State string `db:"state"`
		Fence int64  `db:"fence"`
	}
	query := `SELECT state, fence FROM runs WHERE org_id = ? AND id = ?` + t.db.dialect.lock
	if err := t.SelectContext(ctx, &rows, t.db.bind(query), org, run); err != nil {
		return fmt.Errorf("check the fence of run %s: %w", run, err)
	}
	if len(rows) == 0 || rows[0].State != string(roster.RunRunning) || rows[0].Fence != fence {
		return roster.Errorf(roster.Fenced, "run %s is not ours any more: its lease passed to another holder", run)
	}
	return nil
}

// Members locks, in id order, the members that any of the keys picks; email keys pick live members only.
func (t *tx) Members(ctx context.Context, org string, sel roster.MemberSelect) ([]roster.Member, error) {
	var out []roster.Member
	n := max(len(sel.IDs), len(sel.UserNameKeys), len(sel.EmailKeys))
	for from := 0; from < n; from += chunkSize {
		var parts []string
		var args []any
		part := func(ids []string, where string) {
			if from < len(ids) {
				parts = append(parts, `SELECT id FROM members WHERE org_id = ? AND `+where)
				args = append(args, org, ids[from:min(from+chunkSize, len(ids))])
			}
		}
		part(sel.IDs, `id IN (?)`)
		part(sel.UserNameKeys, `user_name_key IN (?)`)
		part(sel.EmailKeys, `email_key IN (?) AND status <> 'deleted'`)
		// Joined, and UNION ALL: with IN or UNION, SQLite walks the whole organisation in order of the ids. Who is picked
		// by two keys comes twice, which the batch doesn't mind.
		query := `SELECT ` + memberColumns + ` FROM (` + strings.Join(parts, " UNION ALL ") + `) k
			CROSS JOIN members m WHERE m.org_id = ? AND m.id = k.id ORDER BY m.id` + t.db.dialect.lockMembers
		var rows []memberRow
		if err := t.db.selectIn(ctx, t.querier, &rows, query, append(args, org)...); err != nil {
			return nil, fmt.Errorf("read members: %w", err)
		}
		found, err := membersOf(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// Teams locks, in id order, the teams that any of the keys picks.
func (t *tx) Teams(ctx context.Context, org string, sel roster.TeamSelect) ([]roster.Team, error) {
	var out []roster.Team
	lock := t.db.dialect.lockTeams
	if sel.Unlocked {
		lock = ""
	}
	for from := 0; from < max(len(sel.IDs), len(sel.ExternalIDs)); from += chunkSize {
		var parts []string
		var args []any
		part := func(keys []string, where string) {
			if from < len(keys) {
				parts = append(parts, `SELECT id FROM teams WHERE org_id = ? AND `+where)
				args = append(args, org, keys[from:min(from+chunkSize, len(keys))])
			}
		}
		part(sel.IDs, `id IN (?)`)
		part(sel.ExternalIDs, `external_id IN (?)`)
		// One statement, so that two who name the same teams by different keys take them in one order.
		query := `SELECT ` + teamColumns + ` FROM (` + strings.Join(parts, " UNION ALL ") + `) k
			CROSS JOIN teams t WHERE t.org_id = ? AND t.id = k.id ORDER BY t.id` + lock
		var rows []teamRow
		if err := t.db.selectIn(ctx, t.querier, &rows, query, append(args, org)...); err != nil {
			return nil, fmt.Errorf("read teams: %w", err)
		}
		out = append(out, teamsOf(rows)...)
	}
	return out, nil
}

// Memberships reads the rows of the given pairs. They are not locked: the team's row is, wherever one is written.
func (t *tx) Memberships(ctx context.Context, org string, pairs []roster.Pair) ([]roster.Membership, error) {
	byTeam := map[string][]string{}
	for _, p := range pairs {
		byTeam[p.TeamID] = append(byTeam[p.TeamID], p.MemberID)
	}
	var out []roster.Membership
	for team, members := range byTeam {
		for _, chunk := range chunks(members) {
			var rows []membershipRow
			query := `SELECT org_id, team_id, member_id, present, version, seq, pushed_at FROM memberships
				WHERE org_id = ? AND team_id = ? AND member_id IN (?)`
			if err := t.db.selectIn(ctx, t.querier, &rows, query, org, team, chunk); err != nil {
				return nil, fmt.Errorf("read memberships: %w", err)
			}
			out = append(out, membershipsOf(rows)...)
		}
	}
	return out, nil
}

func (t *tx) TeamMemberships(ctx context.Context, org, team string) ([]roster.Membership, error) {
	var rows []membershipRow
	query := `SELECT org_id, team_id, member_id, present, version, seq, pushed_at FROM memberships WHERE org_id = ? AND team_id = ?`
	if err := t.SelectContext(ctx, &rows, t.db.bind(query), org, team); err != nil {
		return nil, fmt.Errorf("read the memberships of team %s: %w", team, err)
	}
	return membershipsOf(rows), nil
}

func (t *tx) Links(ctx context.Context, org string, sel roster.LinkSelect) ([]roster.Link, error) {
	var out []roster.Link
	read := func(ids []string, where string, args ...any) error {
		for _, chunk := range chunks(ids) {
			var rows []linkRow
			query := `SELECT ` + linkColumns + ` FROM links l WHERE l.org_id = ? AND ` + where
			if err := t.db.selectIn(ctx, t.querier, &rows, query, append(append([]any{org}, args...), chunk)...); err != nil {
				return fmt.Errorf("read links: %w", err)
			}
			out = append(out, linksOf(rows)...)
		}
		return nil
	}
	if err := read(sel.Targets, `l.type = ? AND l.target_id IN (?)`, string(sel.Type)); err != nil {
		return nil, err
	}
	return out, read(sel.ObjectIDs, `l.type = ? AND l.connection_id = ? AND l.object_id IN (?)`, string(sel.Type), sel.Connection)
}

func (t *tx) LiveOwners(ctx context.Context, org string) (int, error) {
	var n int
	query := `SELECT COUNT(*) FROM members WHERE org_id = ? AND role = 'owner' AND status IN ('pending', 'active')`
	if err := t.GetContext(ctx, &n, t.db.bind(query), org); err != nil {
		return 0, fmt.Errorf("count the owners: %w", err)
	}
	return n, nil
}

func (t *tx) Connections(ctx context.Context, org string) ([]roster.Connection, error) {
	return t.db.connections(ctx, t.querier, org)
}

func (t *tx) Tokens(ctx context.Context, org string) ([]roster.Token, error) {
	return t.db.tokens(ctx, t.querier, org)
}

func (t *tx) APIKeys(ctx context.Context, org string) ([]roster.APIKey, error) {
	return t.db.apiKeys(ctx, t.querier, org)
}

func (t *tx) OpenRuns(ctx context.Context, org, connection string) ([]roster.Run, error) {
	var rows []runRow
	query := runSelect + `WHERE r.org_id = ? AND r.connection_id = ? AND r.state IN ('queued', 'running', 'held') ORDER BY r.id`
	if err := t.SelectContext(ctx, &rows, t.db.bind(query), org, connection); err != nil {
		return nil, fmt.Errorf("read the open runs: %w", err)
	}
	return runsOf(rows)
}

func (t *tx) Run(ctx context.Context, org, id string) (roster.Run, error) {
	// The lock comes first and alone: PostgreSQL can't lock the nullable side of an outer join.
	var ids []string
	if err := t.SelectContext(ctx, &ids, t.db.bind(`SELECT id FROM runs WHERE org_id = ? AND id = ?`+t.db.dialect.lock), org, id); err != nil {
		return roster.Run{}, fmt.Errorf("lock run %s: %w", id, err)
	}
	return t.db.run(ctx, t.querier, org, id)
}

func (t *tx) MoveActions(ctx context.Context, run string, from, to roster.ActionState, kinds []roster.Kind) (int, error) {
	if to == roster.ActionSkipped { // nobody applies them any more: the next run judges their objects anew
		if err := t.park(ctx, `a.run_id = ? AND a.state = ?`, run, string(from)); err != nil {
			return 0, err
		}
	}
	query, args := `UPDATE run_actions SET state = ?, approved = ? WHERE run_id = ? AND state = ?`,
		[]any{string(to), to == roster.ActionApproved, run, string(from)}
	if len(kinds) > 0 {
		query += ` AND kind IN (?)`
		args = append(args, kinds)
	}
	query, args, err := sqlx.In(query, args...)
	if err != nil {
		return 0, fmt.Errorf("expand the kinds: %w", err)
	}
	res, err := t.ExecContext(ctx, t.db.bind(query), args...)
	if err != nil {
		return 0, fmt.Errorf("move the actions of run %s: %w", run, err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}

func (t *tx) Owned(ctx context.Context, org, connection string) (int, error) {
	var n int
	query := `SELECT (SELECT COUNT(*) FROM members WHERE org_id = ? AND connection_id = ?)
		+ (SELECT COUNT(*) FROM teams WHERE org_id = ? AND connection_id = ?)
		+ (SELECT COUNT(*) FROM links WHERE org_id = ? AND connection_id = ?)`
	if err := t.GetContext(ctx, &n, t.db.bind(query), org, connection, org, connection, org, connection); err != nil {
		return 0, fmt.Errorf("count what the connection owns: %w", err)
	}
	return n, nil
}

func (t *tx) OwnedBy(ctx context.Context, org, connection string) ([]roster.Member, []roster.Team, error) {
	var members []memberRow
	query := `SELECT ` + memberColumns + ` FROM members m WHERE m.org_id = ? AND m.connection_id = ? ORDER BY m.id` + t.db.dialect.lock
	if err := t.SelectContext(ctx, &members, t.db.bind(query), org, connection); err != nil {
		return nil, nil, fmt.Errorf("read the connection's members: %w", err)
	}
	var teams []teamRow
	query = `SELECT ` + teamColumns + ` FROM teams t WHERE t.org_id = ? AND t.connection_id = ? ORDER BY t.id` + t.db.dialect.lock
	if err := t.SelectContext(ctx, &teams, t.db.bind(query), org, connection); err != nil {
		return nil, nil, fmt.Errorf("read the connection's teams: %w", err)
	}
	found, err := membersOf(members)
	return found, teamsOf(teams), err
}

func (t *tx) exec(ctx context.Context, what string, query string, args ...any) error {
	if _, err := t.ExecContext(ctx, t.db.bind(query), args...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (t *tx) Release(ctx context.Context, org, connection string) error {
	for _, query := range []string{
		`UPDATE members SET connection_id = '' WHERE org_id = ? AND connection_id = ?`,
		`UPDATE teams SET connection_id = '' WHERE org_id = ? AND connection_id = ?`,
		`UPDATE tokens SET connection_id = '' WHERE org_id = ? AND connection_id = ?`,
		`UPDATE pending_references SET connection_id = '' WHERE org_id = ? AND connection_id = ?`,
		`DELETE FROM links WHERE org_id = ? AND connection_id = ?`,
		`DELETE FROM link_refusals WHERE org_id = ? AND connection_id = ?`,
		`DELETE FROM cursors WHERE org_id = ? AND connection_id = ?`,
		`DELETE FROM exclusions WHERE org_id = ? AND connection_id = ?`,
		`DELETE FROM parked WHERE org_id = ? AND connection_id = ?`,
		`DELETE FROM connection_jobs WHERE org_id = ? AND connection_id = ?`,
		`DELETE FROM causes WHERE org_id = ? AND connection_id = ?`,
		`DELETE FROM collection_counts WHERE org_id = ? AND connection_id = ?`,
		`DELETE FROM connection_lifelines WHERE org_id = ? AND connection_id = ?`,
		`DELETE FROM push_watches WHERE org_id = ? AND connection_id = ?`,
	} {
		if err := t.exec(ctx, "release the connection", query, org, connection); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) Rename(ctx context.Context, org, from, to string) error {
	for _, table := range []string{"collection_counts", "cursors", "parked", "connection_jobs", "causes", "link_refusals", "exclusions", "drift", "connection_lifelines", "push_watches"} { // what runs left that found nothing to own
		if err := t.exec(ctx, "rename the connection", `DELETE FROM `+table+` WHERE org_id = ? AND connection_id = ?`, org, to); err != nil {
			return err
		}
	}
	for _, query := range []string{
		`UPDATE members SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE teams SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE tokens SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE links SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE link_refusals SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE pending_references SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE collection_counts SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE cursors SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE parked SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE connection_jobs SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE causes SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE exclusions SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE drift SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE connection_lifelines SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE push_watches SET connection_id = ? WHERE org_id = ? AND connection_id = ?`,
		`UPDATE runs SET connection_id = ? WHERE org_id = ? AND connection_id = ? AND state NOT IN ('queued', 'running')`,
	} {
		if err := t.exec(ctx, "rename the connection", query, to, org, from); err != nil {
			return err
		}
	}
	return t.exec(ctx, "rename the connection", `DELETE FROM connections WHERE org_id = ? AND id = ?`, org, from)
}
