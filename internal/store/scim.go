package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rosterd/rosterd/internal/roster"
)

// ScimReader reads what a view sees.
type ScimReader struct {
	db   *DB
	q    queryer
	view View
}

// Scim returns a reader for a view.
func (db *DB) Scim(v View) *ScimReader { return &ScimReader{db: db, q: db.read, view: v} }

// ScimSnapshot hands fn a reader to which everything is as it was at one moment. The snapshot is kept open until fn
// returns.
func (db *DB) ScimSnapshot(ctx context.Context, v View, fn func(*ScimReader) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if db.dialect.name == postgres.name { // in SQLite a read transaction is a snapshot anyway
		opts.Isolation = sql.LevelRepeatableRead
	}
	tx, err := db.read.BeginTxx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin a snapshot: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	return fn(&ScimReader{db: db, q: tx, view: v})
}

// Members returns a page of members.
func (r *ScimReader) Members(ctx context.Context, s Search) (ScimPage, error) {
	q := r.query("m", s)
	var rows []struct {
		memberRow
		rowPlace
	}
	if s.Limit > 0 {
		text, args := q.page(memberColumns, s)
		if err := r.q.SelectContext(ctx, &rows, r.db.bind(text), args...); err != nil {
			return ScimPage{}, fmt.Errorf("list members: %w", err)
		}
	}
	page := ScimPage{More: len(rows) > s.Limit}
	for i := range rows[:min(len(rows), s.Limit)] {
		m, err := rows[i].member()
		if err != nil {
			return ScimPage{}, err
		}
		page.Items = append(page.Items, ScimItem{Member: &m, At: rows[i].position(m.ID)})
	}
	var err error
	if page.Total, err = r.total(ctx, s, len(rows), q); err != nil {
		return ScimPage{}, fmt.Errorf("count members: %w", err)
	}
	return page, nil
}

// Teams returns a page of teams.
func (r *ScimReader) Teams(ctx context.Context, s Search) (ScimPage, error) {
	q := r.query("t", s)
	var rows []struct {
		teamRow
		rowPlace
	}
	if s.Limit > 0 {
		text, args := q.page(teamColumns, s)
		if err := r.q.SelectContext(ctx, &rows, r.db.bind(text), args...); err != nil {
			return ScimPage{}, fmt.Errorf("list teams: %w", err)
		}
	}
	page := ScimPage{More: len(rows) > s.Limit}
	for i := range rows[:min(len(rows), s.Limit)] {
		t := rows[i].team()
		page.Items = append(page.Items, ScimItem{Team: &t, At: rows[i].position(t.ID)})
	}
	var err error
	if page.Total, err = r.total(ctx, s, len(rows), q); err != nil {
		return ScimPage{}, fmt.Errorf("count teams: %w", err)
	}
	return page, nil
}

// Member returns the member of that id; nil: the view sees none.
func (r *ScimReader) Member(ctx context.Context, id string) (*roster.Member, error) {
	page, err := r.Members(ctx, Search{Filter: &roster.Filter{Op: roster.Eq, Field: roster.FieldID, Text: id}, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	return page.Items[0].Member, nil
}

// Team returns the team of that id; nil: the view sees none.
func (r *ScimReader) Team(ctx context.Context, id string) (*roster.Team, error) {
	page, err := r.Teams(ctx, Search{Filter: &roster.Filter{Op: roster.Eq, Field: roster.FieldID, Text: id}, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	return page.Items[0].Team, nil
}

// Both returns a page of members and teams in one order. Filter and Sort are those of each; the rest is that of the
// search for members. A sort that only one of them knows is nil for the other, whose items then have no key.
func (r *ScimReader) Both(ctx context.Context, members, teams Search) (ScimPage, error) {
	m, t := r.query("m", members), r.query("t", teams)
	o := orderingOf(m, members.Sort)
	if o.keyed = members.Sort != nil || teams.Sort != nil; members.Sort == nil {
		o = orderingOf(t, teams.Sort)
	}
	sqlType := o.sqlType
	if sqlType == "" {
		sqlType = "TEXT"
	}
	for _, q := range []*query{&m, &t} { // both halves of a UNION have the same type
		if q.order == "" {
			q.order = "CAST(NULL AS " + sqlType + ")"
		}
	}
	text, args := m.rows("m.id, 'm' AS of_id")
	second, more := t.rows("t.id, 't' AS of_id")
	text, args = o.page(text+" UNION ALL "+second, append(args, more...), members)
	var rows []struct {
		ID   string `db:"id"`
		Kind string `db:"of_id"`
		rowPlace
	}
	if members.Limit > 0 {
		if err := r.q.SelectContext(ctx, &rows, r.db.bind(text), args...); err != nil {
			return ScimPage{}, fmt.Errorf("list members and teams: %w", err)
		}
	}
	page := ScimPage{More: len(rows) > members.Limit}
	ids := map[string][]string{}
	for i := range rows[:min(len(rows), members.Limit)] {
		page.Items = append(page.Items, ScimItem{At: rows[i].position(rows[i].ID)})
		ids[rows[i].Kind] = append(ids[rows[i].Kind], rows[i].ID)
	}
	var err error
	if page.Total, err = r.total(ctx, members, len(rows), m, t); err != nil {
		return ScimPage{}, fmt.Errorf("count members and teams: %w", err)
	}
	return page, r.fill(ctx, &page, ids)
}

// fill reads the members and teams of a page of which the ids are known.
func (r *ScimReader) fill(ctx context.Context, page *ScimPage, ids map[string][]string) error {
	at := make(map[string]*ScimItem, len(page.Items))
	for i := range page.Items {
		at[page.Items[i].At.ID] = &page.Items[i]
	}
	for _, chunk := range chunks(ids["m"]) {
		var rows []memberRow
		query := `SELECT ` + memberColumns + ` FROM members m WHERE m.org_id = ? AND m.id IN (?)`
		if err := r.db.selectIn(ctx, r.q, &rows, query, r.view.Org, chunk); err != nil {
			return fmt.Errorf("read members: %w", err)
		}
		for i := range rows {
			m, err := rows[i].member()
			if err != nil {
				return err
			}
			at[m.ID].Member = &m
		}
	}
	for _, chunk := range chunks(ids["t"]) {
		var rows []teamRow
		query := `SELECT ` + teamColumns + ` FROM teams t WHERE t.org_id = ? AND t.id IN (?)`
		if err := r.db.selectIn(ctx, r.q, &rows, query, r.view.Org, chunk); err != nil {
			return fmt.Errorf("read teams: %w", err)
		}
		for i := range rows {
			t := rows[i].team()
			at[t.ID].Team = &t
		}
	}
	return nil
}

// Cut ends a page before the team with which it would hold more than budget members, but leaves one item at least.
// Suspended memberships are counted too, which errs on the safe side.
func (r *ScimReader) Cut(ctx context.Context, page *ScimPage, budget int) error {
	teams := page.Teams()
	if len(page.Items) < 2 || len(teams) == 0 {
		return nil
	}
	ids := make([]string, len(teams))
	for i, t := range teams {
		ids[i] = t.ID
	}
	sizes := make(map[string]int, len(ids))
	for _, chunk := range chunks(ids) {
		var rows []struct {
			Team string `db:"team_id"`
			N    int    `db:"n"`
		}
		query := `SELECT team_id, COUNT(*) AS n FROM memberships WHERE org_id = ? AND team_id IN (?) AND present = TRUE GROUP BY team_id`
		if err := r.db.selectIn(ctx, r.q, &rows, query, r.view.Org, chunk); err != nil {
			return fmt.Errorf("count members of teams: %w", err)
		}
		for _, row := range rows {
			sizes[row.Team] = row.N
		}
	}
	sum := 0
	for i := range page.Items {
		if t := page.Items[i].Team; t != nil {
			sum += sizes[t.ID] + int(t.Nested)
		}
		if sum > budget && i > 0 {
			page.Items, page.More = page.Items[:i], true
			return nil
		}
	}
	return nil
}

// EachMember calls fn for each member that counts in a team and that the view sees, in order of their ids, and then for
// the groups within it. Name is the userName.
func (r *ScimReader) EachMember(ctx context.Context, team *roster.Team, fn func(Ref) error) error {
	const page = 2000
	seen, seenArgs := r.view.seen("m")
	query := r.db.bind(`SELECT ms.team_id AS of_id, m.id, m.user_name AS name FROM memberships ms
		JOIN members m ON m.org_id = ms.org_id AND m.id = ms.member_id AND m.status IN ('pending', 'active')
		WHERE ms.org_id = ? AND ms.team_id = ? AND ms.present = TRUE AND ms.member_id > ?` + seen + ` ORDER BY ms.member_id LIMIT ?`)
	var rows []Ref
	for after := ""; ; after = rows[len(rows)-1].ID {
		rows = rows[:0]
		args := append(append([]any{team.Org, team.ID, after}, seenArgs...), page)
		if err := r.q.SelectContext(ctx, &rows, query, args...); err != nil {
			return fmt.Errorf("read the members of team %s: %w", team.ID, err)
		}
		for _, m := range rows {
			if err := fn(m); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return r.eachGroup(ctx, team, fn)
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
