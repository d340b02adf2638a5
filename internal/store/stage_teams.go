package store

import (
	"context"
	"fmt"
	"slices"
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
	query := `SELECT s.object_id, s.display_name, s.external_id, s.stamp FROM stage_groups s
		LEFT JOIN links l ON l.org_id = ? AND l.connection_id = ? AND l.type = 'team' AND l.object_id = s.object_id
		LEFT JOIN teams t ON t.org_id = ? AND t.id = l.target_id
		WHERE s.run_id = ? AND s.object_id > ? AND (t.id IS NULL OR t.status <> 'active' OR l.here IS NULL OR l.seen IS NULL
			OR l.here <> s.fingerprint OR l.seen <> s.fingerprint OR l.state <> 'on')
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
	query := `SELECT l.object_id FROM links l JOIN teams t ON t.org_id = l.org_id AND t.id = l.target_id
		WHERE l.org_id = ? AND l.connection_id = ? AND l.type = 'team' AND l.object_id > ? AND t.status = 'active'
		AND NOT EXISTS (SELECT 1 FROM stage_groups s WHERE s.run_id = ? AND s.object_id = l.object_id)
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
	for i := range cands {
		if cands[i].There != nil {
			cands[i].Matches = pickTeams(&cands[i], matches)
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
	c.Matches = pickTeams(c, matches)
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

// linked is a membership's ends as the plan has them: the links that are stored, and before them those it makes.
const linkedEnds = `
	LEFT JOIN stage_links pt ON pt.run_id = ? AND pt.type = 'team' AND pt.object_id = g.object_id
	LEFT JOIN links lt ON lt.org_id = ? AND lt.connection_id = ? AND lt.type = 'team' AND lt.object_id = g.object_id
	JOIN_TEAMS teams t ON t.org_id = ? AND t.id = COALESCE(pt.target_id, lt.target_id)`

type membershipCandidateRow struct {
	TeamObject   string  `db:"team_object"`
	MemberObject string  `db:"member_object"`
	Stamp        int64   `db:"stamp"`
	Enabled      bool    `db:"enabled"`
	TeamID       *string `db:"team_id"`
	MemberID     *string `db:"member_id"`
	TeamName     string  `db:"team_name"`
	UserName     string  `db:"user_name"`
	TeamOwner    *string `db:"team_owner"`
	TeamStatus   *string `db:"team_status"`
	MemberStatus *string `db:"member_status"`
	Linked       bool    `db:"linked"`
	TeamPlanned  bool    `db:"team_planned"`
	Present      *bool   `db:"present"`
	Version      *int64  `db:"version"`
	Seq          *int64  `db:"seq"`
	PushedAt     *int64  `db:"pushed_at"`
}

func value[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

func (r *membershipCandidateRow) candidate(org string, there bool) roster.MembershipCandidate {
	c := roster.MembershipCandidate{
		TeamObject: r.TeamObject, MemberObject: r.MemberObject, There: there, Stamp: r.Stamp, Enabled: r.Enabled,
		TeamID: value(r.TeamID), MemberID: value(r.MemberID), TeamName: r.TeamName, UserName: r.UserName,
		TeamOwner: value(r.TeamOwner), TeamStatus: roster.Status(value(r.TeamStatus)), MemberStatus: roster.Status(value(r.MemberStatus)),
		MemberLinked: r.Linked,
	}
	if r.TeamPlanned {
		c.TeamPlan = &roster.PlannedFor{Kind: roster.LinkKind}
	}
	if r.Version != nil {
		c.Row = &roster.Membership{
			Org: org, TeamID: c.TeamID, MemberID: c.MemberID, Present: value(r.Present), Version: *r.Version, Seq: value(r.Seq),
			PushedAt: fromMicros(value(r.PushedAt)),
		}
	}
	return c
}

// MissingMemberships returns a page of the memberships that the snapshot has and the store has not, by the object ids of
// team and person. People who are out of scope are left out.
func (s *Stage) MissingMemberships(ctx context.Context, afterTeam, afterMember string, limit int) ([]roster.MembershipCandidate, error) {
	query := `SELECT sm.group_id AS team_object, sm.object_id AS member_object, sm.stamp, u.enabled, t.id AS team_id, m.id AS member_id,
			COALESCE(t.display_name, g.display_name) AS team_name, COALESCE(m.user_name, u.user_name) AS user_name, t.connection_id AS team_owner,
			t.status AS team_status, m.status AS member_status,
			(pm.target_id IS NOT NULL OR lm.target_id IS NOT NULL) AS linked, (pt.target_id IS NOT NULL) AS team_planned, ms.present, ms.version, ms.seq, ms.pushed_at
		FROM stage_members sm
		JOIN stage_groups g ON g.run_id = sm.run_id AND g.object_id = sm.group_id
		JOIN stage_users u ON u.run_id = sm.run_id AND u.object_id = sm.object_id` +
		strings.Replace(linkedEnds, "JOIN_TEAMS", "LEFT JOIN", 1) + `
		LEFT JOIN stage_links pm ON pm.run_id = ? AND pm.type = 'member' AND pm.object_id = sm.object_id
		LEFT JOIN links lm ON lm.org_id = ? AND lm.connection_id = ? AND lm.type = 'member' AND lm.object_id = sm.object_id
		LEFT JOIN members m ON m.org_id = ? AND m.id = COALESCE(pm.target_id, lm.target_id)
		LEFT JOIN memberships ms ON ms.org_id = ? AND ms.team_id = t.id AND ms.member_id = m.id
		WHERE sm.run_id = ? AND (sm.group_id, sm.object_id) > (?, ?) AND (ms.present IS NULL OR ms.present = FALSE)
		ORDER BY sm.group_id, sm.object_id LIMIT ?`
	r := s.run
	return s.memberships(ctx, true, query, r.ID, r.Org, r.Connection, r.Org, r.ID, r.Org, r.Connection, r.Org, r.Org, r.ID, afterTeam, afterMember, limit)
}

// ExtraMemberships returns a page of the memberships that the store has and the snapshot's list of that group has not,
// by the object id of the team and our id of the member.
func (s *Stage) ExtraMemberships(ctx context.Context, afterTeam, afterMember string, limit int) ([]roster.MembershipCandidate, error) {
	query := `SELECT g.object_id AS team_object, COALESCE(pm.object_id, lm.object_id, '') AS member_object, g.stamp,
			COALESCE(u.enabled, FALSE) AS enabled, t.id AS team_id, m.id AS member_id, t.display_name AS team_name, m.user_name,
			t.connection_id AS team_owner, t.status AS team_status, m.status AS member_status,
			(pm.object_id IS NOT NULL OR lm.object_id IS NOT NULL) AS linked, (pt.target_id IS NOT NULL) AS team_planned, ms.present, ms.version, ms.seq, ms.pushed_at
		FROM stage_groups g` + strings.Replace(linkedEnds, "JOIN_TEAMS", "JOIN", 1) + `
		JOIN memberships ms ON ms.org_id = t.org_id AND ms.team_id = t.id AND ms.present = TRUE
		JOIN members m ON m.org_id = ms.org_id AND m.id = ms.member_id
		LEFT JOIN stage_links pm ON pm.run_id = ? AND pm.type = 'member' AND pm.target_id = m.id
		LEFT JOIN links lm ON lm.org_id = ? AND lm.connection_id = ? AND lm.type = 'member' AND lm.target_id = m.id
		LEFT JOIN stage_users u ON u.run_id = g.run_id AND u.object_id = COALESCE(pm.object_id, lm.object_id)
		WHERE g.run_id = ? AND (g.object_id, ms.member_id) > (?, ?)
		AND NOT EXISTS (SELECT 1 FROM stage_members sm WHERE sm.run_id = g.run_id AND sm.group_id = g.object_id
			AND sm.object_id = COALESCE(pm.object_id, lm.object_id))
		ORDER BY g.object_id, ms.member_id LIMIT ?`
	r := s.run
	return s.memberships(ctx, false, query, r.ID, r.Org, r.Connection, r.Org, r.ID, r.Org, r.Connection, r.ID, afterTeam, afterMember, limit)
}

func (s *Stage) memberships(ctx context.Context, there bool, query string, args ...any) ([]roster.MembershipCandidate, error) {
	var rows []membershipCandidateRow
	if err := s.conn.SelectContext(ctx, &rows, s.db.bind(query), args...); err != nil {
		return nil, fmt.Errorf("read memberships that differ: %w", err)
	}
	out := make([]roster.MembershipCandidate, len(rows))
	var pairs []string
	for i := range rows {
		out[i] = rows[i].candidate(s.run.Org, there)
		pairs = append(pairs, MembershipKey(out[i].TeamObject, out[i].MemberObject))
	}
	if err := s.fillPlanned(ctx, out); err != nil {
		return nil, err
	}
	held, err := s.heldBy(ctx, roster.TypeMembership, pairs, nil)
	if err != nil {
		return nil, err
	}
	var teams []string
	for i := range out {
		if out[i].TeamID != "" && !there {
			teams = append(teams, out[i].TeamID)
		}
	}
	slices.Sort(teams)
	sizes, err := s.TeamSizes(ctx, slices.Compact(teams))
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].HeldBy, out[i].TeamMembers = held[pairs[i]], sizes[out[i].TeamID]
	}
	return out, nil
}

// MembershipKey is the object id by which a membership's action is kept: those of its ends.
func MembershipKey(teamObject, memberObject string) string { return teamObject + "/" + memberObject }

// fillPlanned fills what this run plans already for the ends of memberships.
func (s *Stage) fillPlanned(ctx context.Context, cands []roster.MembershipCandidate) error {
	var ids []string
	for i := range cands {
		ids = append(ids, cands[i].TeamObject, cands[i].MemberObject)
	}
	type row struct {
		Type   string `db:"type"`
		Object string `db:"object_id"`
		Kind   string `db:"kind"`
		Action string `db:"action"`
		State  string `db:"state"`
	}
	planned := map[string]*roster.PlannedFor{}
	for _, chunk := range chunks(ids) {
		var rows []row
		query := `SELECT type, object_id, kind, action, state FROM run_actions WHERE run_id = ? AND type IN ('member', 'team')
			AND object_id IN (?) AND kind NOT IN ('stale_member', 'stale_team') AND state IN ('planned', 'held', 'listed')`
		if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.ID, chunk); err != nil {
			return fmt.Errorf("read what is planned: %w", err)
		}
		for _, r := range rows {
			planned[r.Type+r.Object] = &roster.PlannedFor{Kind: roster.Kind(r.Kind), Action: roster.Action(r.Action), Held: r.State == string(roster.ActionHeld)}
		}
	}
	for i := range cands {
		if p := planned["team"+cands[i].TeamObject]; p != nil {
			cands[i].TeamPlan = p
		}
		cands[i].MemberPlan = planned["member"+cands[i].MemberObject]
	}
	return nil
}
