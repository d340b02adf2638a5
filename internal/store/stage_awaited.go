package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/rosterd/rosterd/internal/roster"
)

// Awaited returns a page of the values that pushes named as members of the connection's teams and that are nobody's here, by
// team and value. Ask StillAwaited which of them the run doesn't see to itself.
func (s *Stage) Awaited(ctx context.Context, afterTeam, afterValue string, limit int) ([]roster.Reference, error) {
	var rows []referenceRow
	query := `SELECT r.org_id, r.team_id, t.display_name AS team_name, r.value, r.since, r.connection_id, r.token_id, r.token_name, r.request_id
		FROM pending_references r JOIN teams t ON t.org_id = r.org_id AND t.id = r.team_id
		WHERE r.org_id = ? AND t.status = 'active' AND t.connection_id = ? AND (r.team_id, r.value) > (?, ?)
		ORDER BY r.team_id, r.value LIMIT ?`
	if err := s.conn.SelectContext(ctx, &rows, s.db.bind(query), s.run.Org, s.run.Connection, afterTeam, afterValue, limit); err != nil {
		return nil, fmt.Errorf("read which members are awaited: %w", err)
	}
	return referencesOf(rows), nil
}

// placed is somebody in a group, as the snapshot has them.
type placed struct {
	GroupID    string `db:"group_id"`
	ObjectID   string `db:"object_id"`
	ExternalID string `db:"external_id"`
}

// StillAwaited returns the values without those under which the snapshot has somebody, enabled, in that very group: their
// membership is there, or the run adds it.
func (s *Stage) StillAwaited(ctx context.Context, refs []roster.Reference) ([]roster.Reference, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	var values, teams []string
	for _, r := range refs {
		values, teams = append(values, r.Value), append(teams, r.TeamID)
	}
	groups, err := s.groupsOfTeams(ctx, slices.Compact(teams))
	if err != nil {
		return nil, err
	}
	in := map[[2]string]bool{}
	for _, key := range []string{"object_id", "external_id"} {
		for _, chunk := range chunks(values) {
			var rows []placed
			query := `SELECT sm.group_id, u.object_id, u.external_id FROM stage_users u
				JOIN stage_members sm ON sm.run_id = u.run_id AND sm.object_id = u.object_id AND sm.gone = FALSE
				WHERE u.run_id = ? AND u.enabled = TRUE AND u.` + key + ` IN (?)`
			if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.ID, chunk); err != nil {
				return nil, fmt.Errorf("read who of the awaited comes by the run: %w", err)
			}
			for _, p := range rows {
				in[[2]string{p.GroupID, p.ObjectID}], in[[2]string{p.GroupID, p.ExternalID}] = true, true
			}
		}
	}
	return slices.DeleteFunc(refs, func(r roster.Reference) bool {
		return slices.ContainsFunc(groups[r.TeamID], func(group string) bool { return in[[2]string{group, r.Value}] })
	}), nil
}

// groupsOfTeams returns the object ids of the groups that teams are linked to, as the plan has it.
func (s *Stage) groupsOfTeams(ctx context.Context, teams []string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, chunk := range chunks(teams) {
		var rows []struct {
			TargetID string `db:"target_id"`
			ObjectID string `db:"object_id"`
		}
		query := `SELECT target_id, object_id FROM links WHERE org_id = ? AND connection_id = ? AND type = 'team' AND target_id IN (?)`
		if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.Org, s.run.Connection, chunk); err != nil {
			return nil, fmt.Errorf("read the groups of teams: %w", err)
		}
		for _, r := range rows {
			out[r.TargetID] = append(out[r.TargetID], r.ObjectID)
		}
		rows = nil
		query = `SELECT target_id, object_id FROM stage_links WHERE run_id = ? AND type = 'team' AND target_id IN (?)`
		if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.ID, chunk); err != nil {
			return nil, fmt.Errorf("read the planned groups of teams: %w", err)
		}
		for _, r := range rows {
			out[r.TargetID] = append(out[r.TargetID], r.ObjectID)
		}
	}
	return out, nil
}
