package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
)

// Around returns a stage with nothing in it, which answers a run's questions about what is stored: for a run that reads so
// little that it stages nothing. It must not be closed or put into.
func (db *DB) Around(r *roster.Run) *Stage { return &Stage{db: db, run: r, conn: db.read} }

// FindPeople finds members by id, userName, email, externalId or the IdP's id: those that are not deleted, or, where there
// are none, the deleted.
func (db *DB) FindPeople(ctx context.Context, org, key string) ([]roster.Member, error) {
	all, err := db.peopleBy(ctx, org, key)
	if live := slices.DeleteFunc(slices.Clone(all), deleted); len(live) > 0 {
		return live, err
	}
	return all, err
}

// Member reads one member; nil: there is none.
func (db *DB) Member(ctx context.Context, org, id string) (*roster.Member, error) {
	var rows []memberRow
	query := `SELECT ` + memberColumns + ` FROM members m WHERE m.org_id = ? AND m.id = ?`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, id); err != nil {
		return nil, fmt.Errorf("read member %s: %w", id, err)
	}
	if len(rows) == 0 {
		return nil, nil //nolint:nilnil // said in the comment
	}
	m, err := rows[0].member()
	return &m, err
}

// LinksTo returns the links of all connections to one of our objects.
func (db *DB) LinksTo(ctx context.Context, org string, typ roster.ObjectType, target string) ([]roster.Link, error) {
	var rows []linkRow
	query := `SELECT ` + linkColumns + ` FROM links l WHERE l.org_id = ? AND l.type = ? AND l.target_id = ? ORDER BY l.connection_id`
	if err := db.read.SelectContext(ctx, &rows, db.bind(query), org, string(typ), target); err != nil {
		return nil, fmt.Errorf("read the links to %s: %w", target, err)
	}
	return linksOf(rows), nil
}

// MembershipsOf returns one person's memberships that may differ: for each team that is linked to one of the groups, and
// each linked team that the member, who may not be here yet, is in. There, Stamp and what the run plans are the caller's
// to fill, as is what else there is of the person.
func (s *Stage) MembershipsOf(ctx context.Context, object, member string, groups []string) ([]roster.MembershipCandidate, error) {
	const query = `SELECT l.object_id AS team_object, CAST(? AS TEXT) AS member_object, 0 AS stamp, FALSE AS enabled, t.id AS team_id, ms.member_id,
			t.display_name AS team_name, '' AS user_name, t.connection_id AS team_owner, t.status AS team_status,
			FALSE AS linked, FALSE AS team_planned, ms.present, ms.version, ms.seq, ms.pushed_at
		FROM links l JOIN teams t ON t.org_id = l.org_id AND t.id = l.target_id
		LEFT JOIN memberships ms ON ms.org_id = t.org_id AND ms.team_id = t.id AND ms.member_id = ?
		WHERE l.org_id = ? AND l.connection_id = ? AND l.type = 'team' AND l.object_id IN (?)`
	// Read from the member's side: the teams of somebody who is in few are not looked for among all that are linked.
	var in []string
	if err := s.conn.SelectContext(ctx, &in, s.db.bind(`SELECT l.object_id FROM memberships ms
		JOIN links l ON l.org_id = ms.org_id AND l.connection_id = ? AND l.type = 'team' AND l.target_id = ms.team_id
		WHERE ms.org_id = ? AND ms.member_id = ? AND ms.present = TRUE`), s.run.Connection, s.run.Org, member); err != nil {
		return nil, fmt.Errorf("read a person's teams: %w", err)
	}
	in = append(in, groups...)
	slices.Sort(in)
	var rows []membershipCandidateRow
	for _, chunk := range chunks(slices.Compact(in)) {
		err := s.db.selectIn(ctx, s.conn, &rows, query, object, member, s.run.Org, s.run.Connection, chunk)
		if err != nil {
			return nil, fmt.Errorf("read the teams of a person's groups: %w", err)
		}
	}
	return s.membershipsOf(ctx, member, rows)
}

func (s *Stage) membershipsOf(ctx context.Context, member string, rows []membershipCandidateRow) ([]roster.MembershipCandidate, error) {
	out := make([]roster.MembershipCandidate, len(rows))
	keys := make([]string, len(rows))
	for i := range rows {
		out[i] = rows[i].candidate(s.run.Org, false)
		out[i].MemberID = member // also where there is no row
		keys[i] = MembershipKey(out[i].TeamObject, out[i].MemberObject)
	}
	held, err := s.heldBy(ctx, roster.TypeMembership, keys, nil)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].HeldBy = held[keys[i]]
	}
	slices.SortFunc(out, func(a, b roster.MembershipCandidate) int {
		return cmp.Or(cmp.Compare(a.TeamName, b.TeamName), cmp.Compare(a.TeamObject, b.TeamObject))
	})
	return out, s.listed(ctx, out)
}

// writeFinished writes the actions of runs that come finished, and pins the target of a connection that has none. What
// limits don't count is kept as approved.
func (t *tx) writeFinished(ctx context.Context, org string, rows *roster.Rows) error {
	for i := range rows.Finished {
		f := &rows.Finished[i]
		var out [][]any
		for j := range f.Actions {
			applied := time.Time{}
			if f.Actions[j].State == roster.ActionApplied {
				applied = t.now
			}
			row, err := actionValues(f.Run.ID, &f.Actions[j], applied, !f.Counted)
			if err != nil {
				return err
			}
			out = append(out, row)
		}
		if err := t.upsert(ctx, table{name: "run_actions", columns: actionColumns}, out); err != nil {
			return err
		}
		if err := t.keepHistory(ctx, f.Run, TalliesOf(f.Actions)); err != nil {
			return err
		}
		if f.Pin == "" {
			continue
		}
		err := t.exec(ctx, "pin the target", `UPDATE connections SET pinned = ? WHERE org_id = ? AND id = ? AND pinned = ''`,
			f.Pin, org, f.Run.Connection)
		if err != nil {
			return err
		}
	}
	return nil
}
