package store

import (
	"context"
	"fmt"

	"github.com/rosterd/rosterd/internal/roster"
)

// PutScope lands a page of the list of who and what is in scope by an assignment of their own: members, or teams.
func (s *Stage) PutScope(ctx context.Context, typ string, objects []string) error {
	seen := map[string]bool{}
	var rows [][]any
	for _, id := range objects {
		if !seen[id] {
			seen[id] = true
			rows = append(rows, []any{s.run.ID, typ, id})
		}
	}
	// Nothing but the key: to write it again changes nothing.
	return s.put(ctx, table{name: "stage_scope", columns: "run_id, type, object_id", key: "run_id, type, object_id"}, rows)
}

// PutLists notes the groups whose members were read whole.
func (s *Stage) PutLists(ctx context.Context, groups []string) error {
	return s.PutScope(ctx, scopeList, groups)
}

// KnownUsers returns those of some people who are known here as in scope: linked, last seen so, and live. Who is off here
// is not known: they may have come back since.
func (s *Stage) KnownUsers(ctx context.Context, objects []string) (map[string]bool, error) {
	out := map[string]bool{}
	for _, chunk := range chunks(objects) {
		var ids []string
		query := `SELECT l.object_id FROM links l CROSS JOIN members m WHERE l.org_id = ? AND l.connection_id = ? AND l.type = 'member'
			AND l.state = 'on' AND l.object_id IN (?) AND m.org_id = l.org_id AND m.id = l.target_id AND m.status IN ('pending', 'active')`
		if err := s.db.selectIn(ctx, s.conn, &ids, query, s.run.Org, s.run.Connection, chunk); err != nil {
			return nil, fmt.Errorf("read who is known: %w", err)
		}
		for _, id := range ids {
			out[id] = true
		}
	}
	return out, nil
}

// What puts a person in scope, as far as a delta and the store know: an assignment of their own, or a group in scope of
// which a read of this run says that they are in it (both in stage_scope), or which they were in when it was last read.
// Of a group whose whole list was read now, and of who is said to have left one, what is stored is not asked.
const (
	assigned = `EXISTS (SELECT 1 FROM stage_scope a WHERE a.run_id = ? AND a.type IN ('member', '` + scopeGranted + `') AND a.object_id = p.object_id)`
	inGroup  = `EXISTS (SELECT 1 FROM links lp
		CROSS JOIN memberships ms
		CROSS JOIN links lt
		CROSS JOIN stage_scope sc
		WHERE lp.org_id = ? AND lp.connection_id = ? AND lp.type = 'member' AND lp.object_id = p.object_id
		AND ms.org_id = lp.org_id AND ms.member_id = lp.target_id AND ms.present = TRUE
		AND lt.org_id = lp.org_id AND lt.connection_id = lp.connection_id AND lt.type = 'team' AND lt.target_id = ms.team_id
		AND sc.run_id = ? AND sc.type = 'team' AND sc.object_id = lt.object_id
		AND NOT EXISTS (SELECT 1 FROM stage_scope w WHERE w.run_id = sc.run_id AND w.type = '` + scopeList + `' AND w.object_id = lt.object_id)
		AND NOT EXISTS (SELECT 1 FROM stage_members sm WHERE sm.run_id = sc.run_id AND sm.group_id = lt.object_id
			AND sm.object_id = lp.object_id AND sm.gone = TRUE))`
)

// GrantScopes gives the people of a delta of whom nobody said that they are in scope the scope that they have by what is
// known of assignments and groups.
func (s *Stage) GrantScopes(ctx context.Context) error {
	r := s.run
	for _, q := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO stage_scope (run_id, type, object_id)
			SELECT DISTINCT sm.run_id, '` + scopeGranted + `', sm.object_id FROM stage_members sm CROSS JOIN stage_scope sc
			WHERE sm.run_id = ? AND sm.gone = FALSE AND sc.run_id = sm.run_id AND sc.type = 'team' AND sc.object_id = sm.group_id
			ON CONFLICT DO NOTHING`, []any{r.ID}},
		{`UPDATE stage_users AS p SET scope = 'assigned' WHERE p.run_id = ? AND p.scope = '' AND p.gone = '' AND ` + assigned,
			[]any{r.ID, r.ID}},
		{`UPDATE stage_users AS p SET scope = 'a member of an assigned group' WHERE p.run_id = ? AND p.scope = '' AND p.gone = '' AND ` + inGroup,
			[]any{r.ID, r.Org, r.Connection, r.ID}},
	} {
		err := s.change(ctx, func(t *tx) error { return t.exec(ctx, "work out who is in scope", q.query, q.args...) })
		if err != nil {
			return err
		}
	}
	return nil
}

// UngrantedMembers returns a page of the linked members, live here, whom nothing that is known puts in scope, by object id.
// Of whom the delta says that they are off or gone, or in scope, those are left out. What a link last saw does not count:
// a run that was cut off may have noted it and done nothing.
func (s *Stage) UngrantedMembers(ctx context.Context, after string, limit int) ([]roster.MemberCandidate, error) {
	var ids []string
	query := `SELECT p.object_id FROM links p CROSS JOIN members m
		WHERE p.org_id = ? AND p.connection_id = ? AND p.type = 'member' AND p.object_id > ?
		AND m.org_id = p.org_id AND m.id = p.target_id AND m.status IN ('pending', 'active')
		AND NOT EXISTS (SELECT 1 FROM stage_users u WHERE u.run_id = ? AND u.object_id = p.object_id
			AND (u.scope <> '' OR u.gone <> '' OR (u.enabled = FALSE AND u.keep = FALSE)))
		AND NOT ` + assigned + ` AND NOT ` + inGroup + ` ORDER BY p.object_id LIMIT ?`
	r := s.run
	err := s.conn.SelectContext(ctx, &ids, s.db.bind(query), r.Org, r.Connection, after, r.ID, r.ID, r.Org, r.Connection, r.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("read whom nothing puts in scope: %w", err)
	}
	out := make([]roster.MemberCandidate, len(ids))
	for i, id := range ids {
		out[i] = roster.MemberCandidate{ObjectID: id, Ungranted: true}
	}
	return out, s.FillMembers(ctx, out)
}

// Moved returns how many people came to groups and how many left them, by what a delta says, of groups whose whole list it
// did not read.
func (s *Stage) Moved(ctx context.Context) (map[string][2]int, error) {
	var rows []struct {
		Group string `db:"group_id"`
		Gone  bool   `db:"gone"`
		N     int    `db:"n"`
	}
	query := `SELECT group_id, gone, COUNT(*) AS n FROM stage_members sm WHERE run_id = ? AND NOT EXISTS (SELECT 1 FROM stage_scope w
		WHERE w.run_id = sm.run_id AND w.type = '` + scopeList + `' AND w.object_id = sm.group_id) GROUP BY group_id, gone`
	if err := s.conn.SelectContext(ctx, &rows, s.db.bind(query), s.run.ID); err != nil {
		return nil, fmt.Errorf("count who came and left: %w", err)
	}
	out := map[string][2]int{}
	for _, r := range rows {
		n := out[r.Group]
		if r.Gone {
			n[1] = r.N
		} else {
			n[0] = r.N
		}
		out[r.Group] = n
	}
	return out, nil
}

// UnknownScopes returns a page of the people of a delta, on or kept, of whom it is not known whether they are in scope, by
// object id.
func (s *Stage) UnknownScopes(ctx context.Context, after string, limit int) ([]string, error) {
	var ids []string
	query := `SELECT object_id FROM stage_users WHERE run_id = ? AND scope = '' AND gone = '' AND (enabled = TRUE OR keep = TRUE)
		AND object_id > ? ORDER BY object_id LIMIT ?`
	if err := s.conn.SelectContext(ctx, &ids, s.db.bind(query), s.run.ID, after, limit); err != nil {
		return nil, fmt.Errorf("read of whom the scope is not known: %w", err)
	}
	return ids, nil
}

// SetScope says why a person of a delta is in scope; "" says that they are not, and takes them out.
func (s *Stage) SetScope(ctx context.Context, object, scope string) error {
	query, args := `UPDATE stage_users SET scope = ? WHERE run_id = ? AND object_id = ?`, []any{scope, s.run.ID, object}
	if scope == "" {
		query, args = `DELETE FROM stage_users WHERE run_id = ? AND object_id = ?`, args[1:]
	}
	return s.change(ctx, func(t *tx) error { return t.exec(ctx, "note a person's scope", query, args...) })
}

// changedEnds are the ends of a membership of which a delta speaks, as the plan has them.
const changedEnds = `
	LEFT JOIN stage_links pt ON pt.run_id = sm.run_id AND pt.type = 'team' AND pt.object_id = sm.group_id
	LEFT JOIN links lt ON lt.org_id = ? AND lt.connection_id = ? AND lt.type = 'team' AND lt.object_id = sm.group_id
	LEFT JOIN teams t ON t.org_id = ? AND t.id = COALESCE(pt.target_id, lt.target_id)
	LEFT JOIN stage_links pm ON pm.run_id = sm.run_id AND pm.type = 'member' AND pm.object_id = sm.object_id
	LEFT JOIN links lm ON lm.org_id = ? AND lm.connection_id = ? AND lm.type = 'member' AND lm.object_id = sm.object_id
	LEFT JOIN members m ON m.org_id = ? AND m.id = COALESCE(pm.target_id, lm.target_id)
	LEFT JOIN memberships ms ON ms.org_id = ? AND ms.team_id = t.id AND ms.member_id = m.id`

// JoinedMemberships returns a page of the memberships of which a delta says that they are, and which the store has not, by
// the object ids of team and person. The delta need not speak of the person or the group themselves: who is linked is as
// they were last seen.
func (s *Stage) JoinedMemberships(ctx context.Context, afterTeam, afterMember string, limit int) ([]roster.MembershipCandidate, error) {
	query := `SELECT sm.group_id AS team_object, sm.object_id AS member_object, sm.stamp,
			CASE WHEN u.object_id IS NULL THEN COALESCE(lm.state, '') = 'on' ELSE (u.enabled = TRUE OR u.keep = TRUE) AND u.scope <> '' END AS enabled,
			t.id AS team_id, m.id AS member_id, COALESCE(t.display_name, g.display_name) AS team_name,
			COALESCE(m.user_name, u.user_name) AS user_name, t.connection_id AS team_owner, t.status AS team_status, m.status AS member_status,
			(m.id IS NOT NULL) AS linked, (pt.target_id IS NOT NULL) AS team_planned, ms.present, ms.version, ms.seq, ms.pushed_at
		FROM stage_members sm CROSS JOIN stage_scope sc
		LEFT JOIN stage_groups g ON g.run_id = sm.run_id AND g.object_id = sm.group_id
		LEFT JOIN stage_users u ON u.run_id = sm.run_id AND u.object_id = sm.object_id` + changedEnds + `
		WHERE sm.run_id = ? AND sm.gone = FALSE AND (sm.group_id, sm.object_id) > (?, ?)
		AND sc.run_id = sm.run_id AND sc.type = 'team' AND sc.object_id = sm.group_id
		AND (g.object_id IS NOT NULL OR t.id IS NOT NULL) AND (u.object_id IS NOT NULL OR m.id IS NOT NULL)
		AND (ms.present IS NULL OR ms.present = FALSE)
		ORDER BY sm.group_id, sm.object_id LIMIT ?`
	r := s.run
	return s.memberships(ctx, true, query, r.Org, r.Connection, r.Org, r.Org, r.Connection, r.Org, r.Org, r.ID, afterTeam, afterMember, limit)
}

// LeftMemberships returns a page of the memberships of which a delta says that they ended, and which the store still has,
// by the object ids of team and person. Those of groups whose whole list was read are ExtraMemberships.
func (s *Stage) LeftMemberships(ctx context.Context, afterTeam, afterMember string, limit int) ([]roster.MembershipCandidate, error) {
	query := `SELECT sm.group_id AS team_object, sm.object_id AS member_object, sm.stamp, FALSE AS enabled, t.id AS team_id, m.id AS member_id,
			t.display_name AS team_name, m.user_name, t.connection_id AS team_owner, t.status AS team_status, m.status AS member_status,
			TRUE AS linked, (pt.target_id IS NOT NULL) AS team_planned, ms.present, ms.version, ms.seq, ms.pushed_at
		FROM stage_members sm` + changedEnds + `
		WHERE sm.run_id = ? AND sm.gone = TRUE AND (sm.group_id, sm.object_id) > (?, ?) AND ms.present = TRUE
		AND NOT EXISTS (SELECT 1 FROM stage_scope w WHERE w.run_id = sm.run_id AND w.type = '` + scopeList + `' AND w.object_id = sm.group_id)
		ORDER BY sm.group_id, sm.object_id LIMIT ?`
	r := s.run
	cands, err := s.memberships(ctx, false, query, r.Org, r.Connection, r.Org, r.Org, r.Connection, r.Org, r.Org, r.ID, afterTeam, afterMember, limit)
	for i := range cands {
		cands[i].Left = true
	}
	return cands, err
}
