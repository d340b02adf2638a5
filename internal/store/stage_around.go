package store

import (
	"context"
	"fmt"

	"github.com/rosterd/rosterd/internal/roster"
)

// fillAround fills which held plan covers an object, whether a member is the last owner, and which other connection has
// them in scope.
func (s *Stage) fillAround(ctx context.Context, cands []roster.MemberCandidate) error {
	var targets, objects []string
	owner := false
	for i := range cands {
		c := &cands[i]
		if c.ObjectID != "" {
			objects = append(objects, c.ObjectID)
		}
		if c.Here != nil {
			targets = append(targets, c.Here.ID)
			owner = owner || c.Here.Role == roster.RoleOwner
		}
		for j := range c.Matches {
			owner = owner || c.Matches[j].Member.Role == roster.RoleOwner
		}
	}
	held, err := s.heldBy(ctx, roster.TypeMember, objects, targets)
	if err != nil {
		return err
	}
	pass, err := s.otherScopes(ctx, targets)
	if err != nil {
		return err
	}
	owners := 0
	if owner {
		query := `SELECT COUNT(*) FROM members WHERE org_id = ? AND role = 'owner' AND status IN ('pending', 'active')`
		if err := s.conn.GetContext(ctx, &owners, s.db.bind(query), s.run.Org); err != nil {
			return fmt.Errorf("count the owners: %w", err)
		}
	}
	last := func(m *roster.Member) bool { return m.Role == roster.RoleOwner && m.Status.Live() && owners <= 1 }
	for i := range cands {
		c := &cands[i]
		c.HeldBy = held[c.ObjectID]
		for j := range c.Matches {
			c.Matches[j].Protected = last(&c.Matches[j].Member)
		}
		if c.Here == nil {
			continue
		}
		if c.HeldBy == "" {
			c.HeldBy = held[c.Here.ID]
		}
		if c.Here.Connection == s.run.Connection {
			c.PassTo = pass[c.Here.ID]
		}
		c.Protected = last(c.Here)
	}
	return nil
}

// heldBy returns, by object id and by our id, the run whose open held plan covers an object.
func (s *Stage) heldBy(ctx context.Context, typ roster.ObjectType, objects, targets []string) (map[string]string, error) {
	out := map[string]string{}
	read := func(column string, ids []string) error {
		for _, chunk := range chunks(ids) {
			var rows []Ref
			query := `SELECT a.` + column + ` AS of_id, r.id, '' AS name FROM runs r JOIN run_actions a ON a.run_id = r.id
				WHERE r.org_id = ? AND r.connection_id = ? AND r.state = 'held' AND r.id <> ? AND a.state IN ('held', 'approved')
				AND a.type = ? AND a.` + column + ` IN (?)`
			if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.Org, s.run.Connection, s.run.ID, string(typ), chunk); err != nil {
				return fmt.Errorf("read what is held: %w", err)
			}
			for _, r := range rows {
				if r.Of != "" {
					out[r.Of] = r.ID
				}
			}
		}
		return nil
	}
	if err := read("object_id", objects); err != nil {
		return nil, err
	}
	return out, read("target_id", targets)
}

// otherScopes returns, for members, another connection whose link says that the person is in scope there.
func (s *Stage) otherScopes(ctx context.Context, members []string) (map[string]string, error) {
	out := map[string]string{}
	for _, chunk := range chunks(members) {
		var rows []Ref
		query := `SELECT l.target_id AS of_id, l.connection_id AS id, '' AS name FROM links l WHERE l.org_id = ? AND l.connection_id <> ? AND l.type = 'member' AND l.state = 'on' AND l.target_id IN (?)`
		if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.Org, s.run.Connection, chunk); err != nil {
			return nil, fmt.Errorf("read the other connections' links: %w", err)
		}
		for _, r := range rows {
			out[r.Of] = r.ID
		}
	}
	return out, nil
}
