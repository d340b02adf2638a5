package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

type stagedGroup struct {
	ObjectID    string `db:"object_id"`
	DisplayName string `db:"display_name"`
	ExternalID  string `db:"external_id"`
	Stamp       int64  `db:"stamp"`
}

// Teams returns a page of the groups in the snapshot of which there and here may differ, by object id.
func (s *Stage) Teams(ctx context.Context, after string, limit int) ([]roster.TeamCandidate, error) {
	var rows []stagedGroup
	inScope := ``
	if s.delta() {
		inScope = ` AND EXISTS (SELECT 1 FROM stage_scope sc WHERE sc.run_id = s.run_id AND sc.type = 'team' AND sc.object_id = s.object_id)`
	}
	query := `SELECT s.object_id, s.display_name, s.external_id, s.stamp FROM stage_groups s
		LEFT JOIN links l ON l.org_id = ? AND l.connection_id = ? AND l.type = 'team' AND l.object_id = s.object_id
		LEFT JOIN teams t ON t.org_id = ? AND t.id = l.target_id
		WHERE s.run_id = ? AND s.object_id > ? AND (t.id IS NULL OR t.status <> 'active' OR l.here IS NULL OR l.seen IS NULL
			OR l.here <> s.fingerprint OR l.seen <> s.fingerprint OR l.state <> 'on')` + inScope + `
		ORDER BY s.object_id LIMIT ?`
	if err := s.conn.SelectContext(ctx, &rows, s.db.bind(query), s.run.Org, s.run.Connection, s.run.Org, s.run.ID, after, limit); err != nil {
		return nil, fmt.Errorf("read groups that may differ: %w", err)
	}
	out := make([]roster.TeamCandidate, len(rows))
	for i, r := range rows {
		out[i] = roster.TeamCandidate{ObjectID: r.ObjectID, There: &roster.WantedTeam{
			ObjectID: r.ObjectID, DisplayName: r.DisplayName, ExternalID: r.ExternalID, Stamp: r.Stamp}}
	}
	return out, s.FillTeams(ctx, out)
}

// SilentTeams returns a page of linked, active teams of which the snapshot says nothing, by object id.
func (s *Stage) SilentTeams(ctx context.Context, after string, limit int) ([]roster.TeamCandidate, error) {
	var ids []string
	list := `stage_groups s WHERE`
	if s.delta() {
		list = `stage_scope s WHERE s.type = 'team' AND`
	}
	query := `SELECT l.object_id FROM links l JOIN teams t ON t.org_id = l.org_id AND t.id = l.target_id
		WHERE l.org_id = ? AND l.connection_id = ? AND l.type = 'team' AND l.object_id > ? AND t.status = 'active'
		AND NOT EXISTS (SELECT 1 FROM ` + list + ` s.run_id = ? AND s.object_id = l.object_id)
		ORDER BY l.object_id LIMIT ?`
	if err := s.conn.SelectContext(ctx, &ids, s.db.bind(query), s.run.Org, s.run.Connection, after, s.run.ID, limit); err != nil {
		return nil, fmt.Errorf("read groups the IdP is silent of: %w", err)
	}
	out := make([]roster.TeamCandidate, len(ids))
	for i, id := range ids {
		out[i] = roster.TeamCandidate{ObjectID: id}
	}
	return out, s.FillTeams(ctx, out)
}

// UnlinkedTeams returns a page of active teams that the connection owns, or that nobody does, and that no link and no
// link of this plan points to, by our id.
func (s *Stage) UnlinkedTeams(ctx context.Context, after string, limit int) ([]roster.TeamCandidate, error) {
	var rows []teamRow
	c := s.run.Connection
	query := `SELECT ` + teamColumns + ` FROM teams t
		WHERE t.org_id = ? AND t.source = 'scim' AND t.status = 'active' AND t.connection_id IN ('', ?) AND t.id > ?
		AND NOT EXISTS (SELECT 1 FROM links l WHERE l.org_id = t.org_id AND l.connection_id = ? AND l.type = 'team' AND l.target_id = t.id)
		AND NOT EXISTS (SELECT 1 FROM stage_links p WHERE p.run_id = ? AND p.type = 'team' AND p.target_id = t.id)
		ORDER BY t.id LIMIT ?`
	if err := s.conn.SelectContext(ctx, &rows, s.db.bind(query), s.run.Org, c, after, c, s.run.ID, limit); err != nil {
		return nil, fmt.Errorf("read teams without a link: %w", err)
	}
	teams := teamsOf(rows)
	out := make([]roster.TeamCandidate, len(teams))
	for i := range teams {
		out[i] = roster.TeamCandidate{Here: &teams[i]}
	}
	return out, s.FillTeams(ctx, out)
}

// FillTeams fills what is stored into candidates.
func (s *Stage) FillTeams(ctx context.Context, cands []roster.TeamCandidate) error {
	var objects, names, externals []string
	for i := range cands {
		c := &cands[i]
		if c.ObjectID != "" {
			objects = append(objects, c.ObjectID)
		}
		if c.There != nil {
			names = append(names, roster.Fold(c.There.DisplayName))
			externals = append(externals, c.There.ObjectID)
			if c.There.ExternalID != "" {
				externals = append(externals, c.There.ExternalID)
			}
		}
	}
	links, err := s.LinksOf(ctx, roster.TypeTeam, objects)
	if err != nil {
		return err
	}
	var ids []string
	for _, l := range links {
		ids = append(ids, l.TargetID)
	}
	byID, err := s.teamsByID(ctx, ids)
	if err != nil {
		return err
	}
	for i := range cands {
		if l := links[cands[i].ObjectID]; l != nil && byID[l.TargetID] != nil {
			cands[i].Link, cands[i].Here = l, byID[l.TargetID]
		}
	}
	matches, err := s.teamMatches(ctx, names, externals)
	if err != nil {
		return err
	}
	refused, err := s.refused(ctx, roster.TypeTeam, objects)
	if err != nil {
		return err
	}
	for i := range cands {
		if cands[i].There != nil {
			cands[i].Matches, cands[i].Refused = pickTeams(&cands[i], matches), refused[cands[i].ObjectID]
		}
	}
	return s.fillAroundTeams(ctx, cands, objects)
}

// FillTeamMatches brings up, for a team without a link, the other teams that share a key with the group that a look-up
// found.
func (s *Stage) FillTeamMatches(ctx context.Context, c *roster.TeamCandidate) error {
	externals := []string{c.There.ObjectID}
	if c.There.ExternalID != "" {
		externals = append(externals, c.There.ExternalID)
	}
	matches, err := s.teamMatches(ctx, []string{roster.Fold(c.There.DisplayName)}, externals)
	if err != nil {
		return err
	}
	refused, err := s.refused(ctx, roster.TypeTeam, []string{c.There.ObjectID})
	if err != nil {
		return err
	}
	c.Matches, c.Refused = pickTeams(c, matches), refused[c.There.ObjectID]
	return nil
}

func (s *Stage) teamsByID(ctx context.Context, ids []string) (map[string]*roster.Team, error) {
	out := map[string]*roster.Team{}
	for _, chunk := range chunks(ids) {
		var rows []teamRow
		query := `SELECT ` + teamColumns + ` FROM teams t WHERE t.org_id = ? AND t.id IN (?)`
		if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.Org, chunk); err != nil {
			return nil, fmt.Errorf("read teams: %w", err)
		}
		for i := range rows {
			t := rows[i].team()
			out[t.ID] = &t
		}
	}
	return out, nil
}

type teamMatchRow struct {
	teamRow
	Linked string `db:"linked"`
}

func (s *Stage) teamMatches(ctx context.Context, names, externals []string) ([]roster.TeamMatch, error) {
	var out []roster.TeamMatch
	seen := map[string]bool{}
	n := max(len(names), len(externals))
	for from := 0; from < n; from += chunkSize {
		var parts []string
		var args []any
		part := func(ids []string, where string) {
			if from < len(ids) {
				parts = append(parts, `SELECT id FROM teams WHERE org_id = ? AND `+where)
				args = append(args, s.run.Org, ids[from:min(from+chunkSize, len(ids))])
			}
		}
		part(names, `status = 'active' AND display_key IN (?)`)
		part(externals, `external_id IN (?)`)
		query := `SELECT ` + teamColumns + `, COALESCE(l.object_id, '') AS linked FROM (` + strings.Join(parts, " UNION ALL ") + `) k
			CROSS JOIN teams t
			LEFT JOIN links l ON l.org_id = t.org_id AND l.connection_id = ? AND l.type = 'team' AND l.target_id = t.id
			WHERE t.org_id = ? AND t.id = k.id ORDER BY t.id`
		args = append(args, s.run.Connection, s.run.Org)
		var rows []teamMatchRow
		if err := s.db.selectIn(ctx, s.conn, &rows, query, args...); err != nil {
			return nil, fmt.Errorf("read teams that match: %w", err)
		}
		for i := range rows {
			if !seen[rows[i].ID] {
				seen[rows[i].ID] = true
				out = append(out, roster.TeamMatch{Team: rows[i].team(), LinkedObject: rows[i].Linked})
			}
		}
	}
	return out, nil
}

func pickTeams(c *roster.TeamCandidate, all []roster.TeamMatch) []roster.TeamMatch {
	var out []roster.TeamMatch
	for _, m := range all {
		if c.Here != nil && m.Team.ID == c.Here.ID {
			continue
		}
		ext := m.Team.ExternalID
		m.ByExternalID = ext != "" && (ext == c.There.ObjectID || ext == c.There.ExternalID)
		m.ByDisplayName = m.Team.Status == roster.Active && roster.Fold(m.Team.DisplayName) == roster.Fold(c.There.DisplayName)
		if m.ByExternalID || m.ByDisplayName {
			out = append(out, m)
		}
	}
	return out
}

func (s *Stage) fillAroundTeams(ctx context.Context, cands []roster.TeamCandidate, objects []string) error {
	var targets []string
	for i := range cands {
		if cands[i].Here != nil {
			targets = append(targets, cands[i].Here.ID)
		}
	}
	held, err := s.heldBy(ctx, roster.TypeTeam, objects, targets)
	if err != nil {
		return err
	}
	sizes, err := s.TeamSizes(ctx, targets)
	if err != nil {
		return err
	}
	for i := range cands {
		c := &cands[i]
		c.HeldBy = held[c.ObjectID]
		if c.Here != nil {
			c.Members = sizes[c.Here.ID]
			if c.HeldBy == "" {
				c.HeldBy = held[c.Here.ID]
			}
		}
	}
	return nil
}

// TeamSizes counts the members that count in teams.
func (s *Stage) TeamSizes(ctx context.Context, teams []string) (map[string]int, error) {
	out := map[string]int{}
	for _, chunk := range chunks(teams) {
		var rows []struct {
			ID string `db:"team_id"`
			N  int    `db:"n"`
		}
		query := `SELECT ms.team_id, COUNT(*) AS n FROM memberships ms JOIN members m ON m.org_id = ms.org_id AND m.id = ms.member_id
			WHERE ms.org_id = ? AND ms.team_id IN (?) AND ms.present = TRUE AND m.status IN ('pending', 'active') GROUP BY ms.team_id`
		if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.Org, chunk); err != nil {
			return nil, fmt.Errorf("count the members of teams: %w", err)
		}
		for _, r := range rows {
			out[r.ID] = r.N
		}
	}
	return out, nil
}
