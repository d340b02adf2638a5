package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/rosterd/rosterd/internal/roster"
)

// TeamPage is one page of the teams that a token sees. What is read through it is as it was at one moment.
type TeamPage struct {
	Teams []roster.Team
	Total int

	db   *DB
	tx   *sqlx.Tx
	view View
}

// ScimTeamPage reads a page like ScimTeams and hands it to fn with the means to read the members of its teams. The page
// is cut before the team with which it would hold more than budget members, but has one team at least. The snapshot is
// kept open until fn returns.
func (db *DB) ScimTeamPage(ctx context.Context, v View, f *roster.Filter, offset, limit, budget int, fn func(*TeamPage) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if db.dialect.name == postgres.name { // in SQLite a read transaction is a snapshot anyway
		opts.Isolation = sql.LevelRepeatableRead
	}
	tx, err := db.read.BeginTxx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin a snapshot: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	page := &TeamPage{db: db, tx: tx, view: v}
	if err := page.read(ctx, v, f, offset, limit); err != nil {
		return err
	}
	if err := page.cut(ctx, v.Org, budget); err != nil {
		return err
	}
	return fn(page)
}

func (p *TeamPage) read(ctx context.Context, v View, f *roster.Filter, offset, limit int) error {
	where, args := v.teams()
	if f != nil {
		sql, more := condition(v, f, "t")
		where, args = where+" AND "+sql, append(args, more...)
	}
	var rows []teamRow
	if limit > 0 {
		query := `SELECT ` + teamColumns + ` FROM teams t WHERE ` + where + ` ORDER BY t.id LIMIT ? OFFSET ?`
		if err := p.tx.SelectContext(ctx, &rows, p.db.bind(query), append(append([]any{}, args...), limit, offset)...); err != nil {
			return fmt.Errorf("list teams: %w", err)
		}
	}
	p.Teams, p.Total = teamsOf(rows), offset+len(rows)
	if len(rows) == limit || (len(rows) == 0 && offset > 0) {
		if err := p.tx.GetContext(ctx, &p.Total, p.db.bind(`SELECT COUNT(*) FROM teams t WHERE `+where), args...); err != nil {
			return fmt.Errorf("count teams: %w", err)
		}
	}
	return nil
}

// cut shortens the page to the budget. Suspended memberships are counted too, which errs on the safe side.
func (p *TeamPage) cut(ctx context.Context, org string, budget int) error {
	if len(p.Teams) < 2 {
		return nil
	}
	ids := make([]string, len(p.Teams))
	for i := range p.Teams {
		ids[i] = p.Teams[i].ID
	}
	sizes := make(map[string]int, len(ids))
	for _, chunk := range chunks(ids) {
		var rows []struct {
			Team string `db:"team_id"`
			N    int    `db:"n"`
		}
		query := `SELECT team_id, COUNT(*) AS n FROM memberships WHERE org_id = ? AND team_id IN (?) AND present = TRUE GROUP BY team_id`
		if err := p.db.selectIn(ctx, p.tx, &rows, query, org, chunk); err != nil {
			return fmt.Errorf("count members of teams: %w", err)
		}
		for _, r := range rows {
			sizes[r.Team] = r.N
		}
	}
	sum := 0
	for i, id := range ids {
		if sum += sizes[id]; sum > budget && i > 0 {
			p.Teams = p.Teams[:i]
			break
		}
	}
	return nil
}

// Members calls fn for each member that counts in a team of the page and that the view sees, in order of their ids. Name
// is the userName.
func (p *TeamPage) Members(ctx context.Context, team *roster.Team, fn func(Ref) error) error {
	const page = 2000
	seen, seenArgs := p.view.seen("m")
	query := p.db.bind(`SELECT ms.team_id AS of_id, m.id, m.user_name AS name FROM memberships ms
		JOIN members m ON m.org_id = ms.org_id AND m.id = ms.member_id AND m.status IN ('pending', 'active')
		WHERE ms.org_id = ? AND ms.team_id = ? AND ms.present = TRUE AND ms.member_id > ?` + seen + ` ORDER BY ms.member_id LIMIT ?`)
	var rows []Ref
	for after := ""; ; after = rows[len(rows)-1].ID {
		rows = rows[:0]
		args := append(append([]any{team.Org, team.ID, after}, seenArgs...), page)
		if err := p.tx.SelectContext(ctx, &rows, query, args...); err != nil {
			return fmt.Errorf("read the members of team %s: %w", team.ID, err)
		}
		for _, r := range rows {
			if err := fn(r); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
	}
}

// MemberTeams returns the active teams that a member is in, also while the memberships are suspended: what TeamsOf will
// say of the member once they are pending or active.
func (db *DB) MemberTeams(ctx context.Context, v View, member string) ([]Ref, error) {
	where, args := v.teams()
	var rows []Ref
	query := `SELECT ms.member_id AS of_id, t.id, t.display_name AS name FROM memberships ms
		JOIN teams t ON t.org_id = ms.org_id AND t.id = ms.team_id
		WHERE ms.org_id = ? AND ms.member_id = ? AND ms.present = TRUE AND ` + where + ` ORDER BY t.display_key, t.id`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), append([]any{v.Org, member}, args...)...); err != nil {
		return nil, fmt.Errorf("read the teams of a member: %w", err)
	}
	return rows, nil
}
