package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/rosterd/rosterd/internal/roster"
)

// Members returns a page of an organisation's members by userName, and the cursor of the next one. Deleted members come
// only where Status asks for them.
func (db *DB) Members(ctx context.Context, org string, l List) ([]roster.Member, string, error) {
	where, args := `m.org_id = ?`, []any{org}
	if l.Status != "" {
		where, args = where+` AND m.status = ?`, append(args, l.Status)
	} else {
		where += ` AND m.status <> 'deleted'`
	}
	if l.Connection != "" {
		where, args = where+` AND m.connection_id = ?`, append(args, l.Connection)
	}
	if s := roster.Fold(l.Search); s != "" {
		like := "%" + likeEscape(s) + "%"
		where += ` AND (m.user_name_key LIKE ? ESCAPE '\' OR m.display_key LIKE ? ESCAPE '\' OR m.email_key LIKE ? ESCAPE '\' OR m.external_id = ?)`
		args = append(args, like, like, like, l.Search)
	}
	if l.After != "" {
		key, id, err := cursorKeys(l.After)
		if err != nil {
			return nil, "", err
		}
		where, args = where+` AND (m.user_name_key, m.id) > (?, ?)`, append(args, key, id)
	}
	var rows []memberRow
	query := `SELECT ` + memberColumns + ` FROM members m WHERE ` + where + ` ORDER BY m.user_name_key, m.id LIMIT ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), append(args, l.limit())...); err != nil {
		return nil, "", fmt.Errorf("list members: %w", err)
	}
	out, err := membersOf(rows)
	next := ""
	if len(out) == l.limit() {
		last := &out[len(out)-1]
		next = cursorOf(roster.Fold(last.UserName()), last.ID)
	}
	return out, next, err
}

// FindMembers finds members that are not deleted by id, userName, email, externalId or the IdP's id.
func (db *DB) FindMembers(ctx context.Context, org, key string) ([]roster.Member, error) {
	all, err := db.peopleBy(ctx, org, key)
	return slices.DeleteFunc(all, deleted), err
}

func deleted(m roster.Member) bool { return m.Status == roster.Deleted }

func (db *DB) peopleBy(ctx context.Context, org, key string) ([]roster.Member, error) {
	var rows []memberRow
	fold := roster.Fold(key)
	query := `SELECT ` + memberColumns + ` FROM (
		SELECT id FROM members WHERE org_id = ? AND id = ?
		UNION ALL SELECT id FROM members WHERE org_id = ? AND user_name_key = ?
		UNION ALL SELECT id FROM members WHERE org_id = ? AND email_key = ?
		UNION ALL SELECT id FROM members WHERE org_id = ? AND external_id = ?
		UNION ALL SELECT target_id FROM links WHERE org_id = ? AND type = 'member' AND object_id = ?) k
		CROSS JOIN members m WHERE m.org_id = ? AND m.id = k.id ORDER BY m.id`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, key, org, fold, org, fold, org, key, org, key, org); err != nil {
		return nil, fmt.Errorf("find member %q: %w", key, err)
	}
	rows = slices.CompactFunc(rows, func(a, b memberRow) bool { return a.ID == b.ID }) // who has it as two keys comes twice
	return membersOf(rows)
}

// LocalMembers returns the local members whose email or userName a scim mapping could meet: all that are not deleted.
func (db *DB) LocalMembers(ctx context.Context, org string) ([]roster.Member, error) {
	var rows []memberRow
	query := `SELECT ` + memberColumns + ` FROM members m WHERE m.org_id = ? AND m.source = 'local' AND m.status <> 'deleted' ORDER BY m.id`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org); err != nil {
		return nil, fmt.Errorf("list local members: %w", err)
	}
	return membersOf(rows)
}

// TeamNames returns, for each member, the display names of the teams in which they count.
func (db *DB) TeamNames(ctx context.Context, org string, members []string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, chunk := range chunks(members) {
		var rows []Ref
		query := `SELECT ms.member_id AS of_id, t.id, t.display_name AS name FROM memberships ms
			JOIN members m ON m.org_id = ms.org_id AND m.id = ms.member_id AND m.status IN ('pending', 'active')
			JOIN teams t ON t.org_id = ms.org_id AND t.id = ms.team_id AND t.status = 'active'
			WHERE ms.org_id = ? AND ms.member_id IN (?) AND ms.present = TRUE ORDER BY t.display_key, t.id`
		if err := db.selectIn(ctx, db.read, &rows, query, org, chunk); err != nil {
			return nil, fmt.Errorf("read the teams of members: %w", err)
		}
		for _, r := range rows {
			out[r.Of] = append(out[r.Of], r.Name)
		}
	}
	return out, nil
}

// Teams returns a page of an organisation's teams by display name, and the cursor of the next one.
func (db *DB) Teams(ctx context.Context, org string, l List) ([]roster.Team, string, error) {
	where, args := `t.org_id = ?`, []any{org}
	status := l.Status
	if status == "" {
		status = string(roster.Active)
	}
	where, args = where+` AND t.status = ?`, append(args, status)
	if l.Connection != "" {
		where, args = where+` AND t.connection_id = ?`, append(args, l.Connection)
	}
	if s := roster.Fold(l.Search); s != "" {
		where, args = where+` AND (t.display_key LIKE ? ESCAPE '\' OR t.external_id = ?)`, append(args, "%"+likeEscape(s)+"%", l.Search)
	}
	if l.After != "" {
		key, id, err := cursorKeys(l.After)
		if err != nil {
			return nil, "", err
		}
		where, args = where+` AND (t.display_key, t.id) > (?, ?)`, append(args, key, id)
	}
	var rows []teamRow
	query := `SELECT ` + teamColumns + ` FROM teams t WHERE ` + where + ` ORDER BY t.display_key, t.id LIMIT ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), append(args, l.limit())...); err != nil {
		return nil, "", fmt.Errorf("list teams: %w", err)
	}
	out := teamsOf(rows)
	next := ""
	if len(out) == l.limit() {
		next = cursorOf(roster.Fold(out[len(out)-1].DisplayName), out[len(out)-1].ID)
	}
	return out, next, nil
}

// FindTeams finds teams by id, displayName, externalId or the IdP's id; deleted ones only where no active one is found.
func (db *DB) FindTeams(ctx context.Context, org, key string) ([]roster.Team, error) {
	var rows []teamRow
	query := `SELECT ` + teamColumns + ` FROM (
		SELECT id FROM teams WHERE org_id = ? AND id = ?
		UNION SELECT id FROM teams WHERE org_id = ? AND display_key = ?
		UNION SELECT id FROM teams WHERE org_id = ? AND external_id = ?
		UNION SELECT target_id FROM links WHERE org_id = ? AND type = 'team' AND object_id = ?) k
		CROSS JOIN teams t WHERE t.org_id = ? AND t.id = k.id ORDER BY t.id`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, key, org, roster.Fold(key), org, key, org, key, org); err != nil {
		return nil, fmt.Errorf("find team %q: %w", key, err)
	}
	found := teamsOf(rows)
	gone := func(t roster.Team) bool { return t.Status == roster.Deleted && t.ID != key }
	if live := slices.DeleteFunc(slices.Clone(found), gone); len(live) > 0 {
		return live, nil
	}
	return found, nil
}

// MemberNames returns, for each team, the userNames of the members that count.
func (db *DB) MemberNames(ctx context.Context, org string, teams []string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, chunk := range chunks(teams) {
		var rows []Ref
		query := `SELECT ms.team_id AS of_id, m.id, m.user_name AS name FROM memberships ms
			JOIN members m ON m.org_id = ms.org_id AND m.id = ms.member_id AND m.status IN ('pending', 'active')
			WHERE ms.org_id = ? AND ms.team_id IN (?) AND ms.present = TRUE ORDER BY m.user_name_key, m.id`
		if err := db.selectIn(ctx, db.read, &rows, query, org, chunk); err != nil {
			return nil, fmt.Errorf("read the members of teams: %w", err)
		}
		for _, r := range rows {
			out[r.Of] = append(out[r.Of], r.Name)
		}
	}
	return out, nil
}

// Counts returns how many members (not deleted) and teams (active) a connection owns.
func (db *DB) Counts(ctx context.Context, org, connection string) (members, teams int, err error) {
	var row struct {
		Members int `db:"members"`
		Teams   int `db:"teams"`
	}
	query := `SELECT (SELECT COUNT(*) FROM members WHERE org_id = ? AND connection_id = ? AND status <> 'deleted') AS members,
		(SELECT COUNT(*) FROM teams WHERE org_id = ? AND connection_id = ? AND status = 'active') AS teams`
	if err := db.read.GetContext(ctx, &row, db.bind(query), org, connection, org, connection); err != nil {
		return 0, 0, fmt.Errorf("count what a connection owns: %w", err)
	}
	return row.Members, row.Teams, nil
}
