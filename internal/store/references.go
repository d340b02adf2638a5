package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/rosterd/rosterd/internal/roster"
)

type memberRefRow struct {
	ID           string `db:"id"`
	UserName     string `db:"user_name"`
	ExternalID   string `db:"external_id"`
	Status       string `db:"status"`
	Source       string `db:"source"`
	ConnectionID string `db:"connection_id"`
}

// MemberRefs reads what lists need to know of members; see roster.Tx.
func (t *tx) MemberRefs(ctx context.Context, org string, sel roster.RefSelect) ([]roster.MemberRef, error) {
	var out []roster.MemberRef
	read := func(ids []string, where string) error {
		for _, chunk := range chunks(ids) {
			var rows []memberRefRow
			query := `SELECT id, user_name, external_id, status, source, connection_id FROM members WHERE org_id = ? AND ` + where
			if err := t.db.selectIn(ctx, t.querier, &rows, query, org, chunk); err != nil {
				return fmt.Errorf("read members of a list: %w", err)
			}
			for _, r := range rows {
				out = append(out, roster.MemberRef{
					ID: r.ID, UserName: r.UserName, ExternalID: r.ExternalID, Status: roster.Status(r.Status),
					Source: roster.Source(r.Source), Connection: r.ConnectionID,
				})
			}
		}
		return nil
	}
	if err := read(sel.IDs, `id IN (?)`); err != nil {
		return nil, err
	}
	return out, read(sel.ExternalIDs, `external_id IN (?)`)
}

type referenceRow struct {
	OrgID        string `db:"org_id"`
	TeamID       string `db:"team_id"`
	TeamName     string `db:"team_name"`
	Value        string `db:"value"`
	Since        int64  `db:"since"`
	ConnectionID string `db:"connection_id"`
	TokenID      string `db:"token_id"`
	TokenName    string `db:"token_name"`
	RequestID    string `db:"request_id"`
}

const referenceColumns = `org_id, team_id, value, since, connection_id, token_id, token_name, request_id`

func referencesOf(rows []referenceRow) []roster.Reference {
	out := make([]roster.Reference, len(rows))
	for i, r := range rows {
		out[i] = roster.Reference{
			Org: r.OrgID, TeamID: r.TeamID, TeamName: r.TeamName, Value: r.Value, Since: fromMicros(r.Since),
			Connection: r.ConnectionID, TokenID: r.TokenID, TokenName: r.TokenName, RequestID: r.RequestID,
		}
	}
	return out
}

// References reads remembered values; see roster.Tx.
func (t *tx) References(ctx context.Context, org string, sel roster.ReferenceSelect) ([]roster.Reference, error) {
	query, args := `SELECT `+referenceColumns+` FROM pending_references WHERE org_id = ?`, []any{org}
	if sel.Team != "" {
		query, args = query+` AND team_id = ?`, append(args, sel.Team)
	}
	var out []roster.Reference
	if len(sel.Values) == 0 {
		var rows []referenceRow
		if err := t.SelectContext(ctx, &rows, t.db.bind(query), args...); err != nil {
			return nil, fmt.Errorf("read what is remembered: %w", err)
		}
		return referencesOf(rows), nil
	}
	for _, chunk := range chunks(sel.Values) {
		var rows []referenceRow
		if err := t.db.selectIn(ctx, t.querier, &rows, query+` AND value IN (?)`, append(args[:len(args):len(args)], chunk)...); err != nil {
			return nil, fmt.Errorf("read what is remembered: %w", err)
		}
		out = append(out, referencesOf(rows)...)
	}
	return out, nil
}

// TeamGroups returns the ids of the groups within a team; see roster.Tx.
func (t *tx) TeamGroups(ctx context.Context, org, team string) ([]string, error) {
	var out []string
	query := `SELECT group_id FROM team_groups WHERE org_id = ? AND team_id = ? ORDER BY group_id`
	if err := t.SelectContext(ctx, &out, t.db.bind(query), org, team); err != nil {
		return nil, fmt.Errorf("read the groups within team %s: %w", team, err)
	}
	return out, nil
}

// writeReferences writes remembered values, and the groups within teams.
func (t *tx) writeReferences(ctx context.Context, org string, rows *roster.Rows) error {
	dropped := map[string][]string{}
	for _, r := range rows.DropRefs {
		dropped[r.TeamID] = append(dropped[r.TeamID], r.Value)
	}
	if err := t.dropFrom(ctx, `DELETE FROM pending_references WHERE org_id = ? AND team_id = ? AND value IN (?)`, org, dropped); err != nil {
		return err
	}
	var kept, nested [][]any
	for _, r := range rows.References {
		kept = append(kept, []any{org, r.TeamID, r.Value, toMicros(r.Since), r.Connection, r.TokenID, r.TokenName, r.RequestID})
	}
	if err := t.upsert(ctx, table{name: "pending_references", columns: referenceColumns}, kept); err != nil {
		return err
	}
	gone := map[string][]string{}
	for n, present := range rows.Nestings {
		if present {
			nested = append(nested, []any{org, n.TeamID, n.GroupID, t.seq})
		} else {
			gone[n.TeamID] = append(gone[n.TeamID], n.GroupID)
		}
	}
	if err := t.dropFrom(ctx, `DELETE FROM team_groups WHERE org_id = ? AND team_id = ? AND group_id IN (?)`, org, gone); err != nil {
		return err
	}
	return t.upsert(ctx, table{name: "team_groups", columns: "org_id, team_id, group_id, seq", key: "org_id, team_id, group_id"}, nested)
}

// dropFrom runs a DELETE for values of teams.
func (t *tx) dropFrom(ctx context.Context, query, org string, byTeam map[string][]string) error {
	for team, values := range byTeam {
		for _, chunk := range chunks(values) {
			q, args, err := in(query, org, team, chunk)
			if err != nil {
				return err
			}
			if err := t.exec(ctx, "drop members of a team", q, args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// PendingReferences returns a page of the values that pushes named as members and that are nobody's here, by team and value.
// Those of deleted teams wait with them, and are left out.
func (db *DB) PendingReferences(ctx context.Context, org string, l List) ([]roster.Reference, string, error) {
	where, args := `r.org_id = ? AND t.status = 'active'`, []any{org}
	if l.Connection != "" {
		where, args = where+` AND t.connection_id = ?`, append(args, l.Connection)
	}
	if l.Team != "" {
		where, args = where+` AND r.team_id = ?`, append(args, l.Team)
	}
	if l.After != "" {
		team, value, err := cursorKeys(l.After)
		if err != nil {
			return nil, "", err
		}
		where, args = where+` AND (r.team_id, r.value) > (?, ?)`, append(args, team, value)
	}
	var rows []referenceRow
	query := `SELECT r.org_id, r.team_id, t.display_name AS team_name, r.value, r.since, r.connection_id, r.token_id, r.token_name, r.request_id
		FROM pending_references r JOIN teams t ON t.org_id = r.org_id AND t.id = r.team_id
		WHERE ` + where + ` ORDER BY r.team_id, r.value LIMIT ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), append(args, l.limit())...); err != nil {
		return nil, "", fmt.Errorf("list what is remembered: %w", err)
	}
	next := ""
	if n := len(rows); n == l.limit() {
		next = cursorOf(rows[n-1].TeamID, rows[n-1].Value)
	}
	return referencesOf(rows), next, nil
}

// eachGroup calls fn for each active group within a team that the view sees, in order of their ids. Name is the
// displayName.
func (r *ScimReader) eachGroup(ctx context.Context, team *roster.Team, fn func(Ref) error) error {
	if team.Nested == 0 {
		return nil
	}
	seen, args := r.view.teams()
	var rows []Ref
	query := `SELECT g.team_id AS of_id, t.id, t.display_name AS name FROM team_groups g
		JOIN teams t ON t.org_id = g.org_id AND t.id = g.group_id
		WHERE g.org_id = ? AND g.team_id = ? AND ` + seen + ` ORDER BY g.group_id`
	if err := r.q.SelectContext(ctx, &rows, r.db.bind(query), append([]any{team.Org, team.ID}, args...)...); err != nil {
		return fmt.Errorf("read the groups within team %s: %w", team.ID, err)
	}
	for _, g := range rows {
		g.Group = true
		if err := fn(g); err != nil {
			return err
		}
	}
	return nil
}

// listed has the memberships of teams whose whole list was pushed be as those pushes leave them; see roster.Team.Listed.
func (s *Stage) listed(ctx context.Context, cands []roster.MembershipCandidate) error {
	ids := make([]string, 0, len(cands))
	for i := range cands {
		if cands[i].TeamID != "" {
			ids = append(ids, cands[i].TeamID)
		}
	}
	slices.Sort(ids)
	teams := map[string]*roster.Team{}
	for _, chunk := range chunks(slices.Compact(ids)) {
		var rows []teamRow
		query := `SELECT ` + teamColumns + ` FROM teams t WHERE t.org_id = ? AND t.id IN (?) AND t.listings > 0`
		if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.Org, chunk); err != nil {
			return fmt.Errorf("read which teams were listed: %w", err)
		}
		for i := range rows {
			t := rows[i].team()
			teams[t.ID] = &t
		}
	}
	for i := range cands {
		if t := teams[cands[i].TeamID]; t != nil {
			cands[i].Row = t.Listed(cands[i].MemberID, cands[i].Row)
		}
	}
	return nil
}
