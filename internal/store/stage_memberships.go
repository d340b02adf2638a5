package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

// linkedEnds is a membership's ends as the plan has them: the links that are stored, and before them those it makes.
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
	query := `SELECT sm.group_id AS team_object, sm.object_id AS member_object, sm.stamp,
			(u.enabled = TRUE OR u.keep = TRUE) AS enabled, t.id AS team_id, m.id AS member_id,
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
// by the object id of the team and our id of the member. Of a delta only the lists count that it read whole.
func (s *Stage) ExtraMemberships(ctx context.Context, afterTeam, afterMember string, limit int) ([]roster.MembershipCandidate, error) {
	lists := ``
	if s.delta() {
		lists = ` AND EXISTS (SELECT 1 FROM stage_scope w WHERE w.run_id = g.run_id AND w.type = '` + scopeList + `' AND w.object_id = g.object_id)`
	}
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
			AND sm.object_id = COALESCE(pm.object_id, lm.object_id) AND sm.gone = FALSE)` + lists + `
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
	return out, s.listed(ctx, out)
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
