package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
)

type stagedUser struct {
	ObjectID string `db:"object_id"`
	Enabled  bool   `db:"enabled"`
	Scope    string `db:"scope"`
	Mapped   string `db:"mapped"`
	Stamp    int64  `db:"stamp"`
	Keep     bool   `db:"keep"`
	Gone     string `db:"gone"`
	MemberID string `db:"member_id"`
}

// stagedDoc is what the column mapped holds.
type stagedDoc struct {
	Values  map[string]string `json:"values"`
	Problem string            `json:"problem,omitempty"`
	Off     string            `json:"off,omitempty"`
	Clear   []string          `json:"clear,omitempty"`
	// OutOfScope is WantedMember's.
	OutOfScope bool `json:"out_of_scope,omitempty"`
}

// stagedPrint digests what a person is wanted to be. Whom the mapping can't be worked out for is like nobody seen before, so
// that each run lists them.
func stagedPrint(w *roster.WantedMember) []byte {
	if w.Problem != "" {
		return roster.Fingerprint(map[string]string{"problem": w.Problem})
	}
	return roster.Fingerprint(w.Values)
}

func (u *stagedUser) wanted() (*roster.WantedMember, error) {
	w := &roster.WantedMember{
		ObjectID: u.ObjectID, Enabled: u.Enabled, Keep: u.Keep, Gone: u.Gone, MemberID: u.MemberID, Scope: u.Scope, Stamp: u.Stamp,
	}
	var doc stagedDoc
	if err := json.Unmarshal([]byte(u.Mapped), &doc); err != nil {
		return nil, fmt.Errorf("read the staged person %s: %w", u.ObjectID, err)
	}
	w.Values, w.Problem, w.Off, w.Clear, w.OutOfScope = doc.Values, doc.Problem, doc.Off, doc.Clear, doc.OutOfScope
	return w, nil
}

// Members returns a page of the people in the snapshot of whom there and here may differ, by object id after the one
// given: without a link, with another status, with another fingerprint, or seen otherwise than last time. Who left without
// being linked is left out, and of a delta those of whom it is not known whether they are in scope.
func (s *Stage) Members(ctx context.Context, after string, limit int) ([]roster.MemberCandidate, error) {
	var rows []stagedUser
	known := ` AND (s.gone = '' OR m.id IS NOT NULL)`
	if s.delta() {
		known += ` AND (s.scope <> '' OR s.gone <> '' OR (s.enabled = FALSE AND s.keep = FALSE))`
	}
	query := `SELECT s.object_id, s.enabled, s.scope, s.mapped, s.stamp, s.keep, s.gone, s.member_id FROM stage_users s
		LEFT JOIN links l ON l.org_id = ? AND l.connection_id = ? AND l.type = 'member' AND l.object_id = s.object_id
		LEFT JOIN members m ON m.org_id = ? AND m.id = l.target_id
		WHERE s.run_id = ? AND s.object_id > ? AND (
			m.id IS NULL OR l.here IS NULL OR l.seen IS NULL OR s.fingerprint <> l.seen
			OR (s.enabled = TRUE AND (m.status NOT IN ('pending', 'active') OR l.here <> s.fingerprint OR l.state <> 'on'))
			OR (s.enabled = FALSE AND s.keep = FALSE AND (m.status IN ('pending', 'active') OR l.state <> 'off'))
			OR (s.keep = TRUE AND (m.status = 'deleted'
				OR (m.status IN ('pending', 'active') AND (l.here <> s.fingerprint OR l.state <> 'on')))))` + known + `
		ORDER BY s.object_id LIMIT ?`
	if err := s.conn.SelectContext(ctx, &rows, s.db.bind(query), s.run.Org, s.run.Connection, s.run.Org, s.run.ID, after, limit); err != nil {
		return nil, fmt.Errorf("read people who may differ: %w", err)
	}
	out := make([]roster.MemberCandidate, len(rows))
	for i := range rows {
		w, err := rows[i].wanted()
		if err != nil {
			return nil, err
		}
		out[i] = roster.MemberCandidate{ObjectID: w.ObjectID, There: w}
	}
	return out, s.FillMembers(ctx, out)
}

// SilentMembers returns a page of linked members of whom the snapshot says nothing, by object id.
func (s *Stage) SilentMembers(ctx context.Context, after string, limit int) ([]roster.MemberCandidate, error) {
	var ids []string
	query := `SELECT l.object_id FROM links l JOIN members m ON m.org_id = l.org_id AND m.id = l.target_id
		WHERE l.org_id = ? AND l.connection_id = ? AND l.type = 'member' AND l.object_id > ? AND m.status IN ('pending', 'active')
		AND NOT EXISTS (SELECT 1 FROM stage_users s WHERE s.run_id = ? AND s.object_id = l.object_id)
		ORDER BY l.object_id LIMIT ?`
	if err := s.conn.SelectContext(ctx, &ids, s.db.bind(query), s.run.Org, s.run.Connection, after, s.run.ID, limit); err != nil {
		return nil, fmt.Errorf("read people the IdP is silent of: %w", err)
	}
	out := make([]roster.MemberCandidate, len(ids))
	for i, id := range ids {
		out[i] = roster.MemberCandidate{ObjectID: id}
	}
	return out, s.FillMembers(ctx, out)
}

// UnlinkedMembers returns a page of members that the connection owns, or that nobody does, and that no link and no link
// of this plan points to, by our id.
func (s *Stage) UnlinkedMembers(ctx context.Context, after string, limit int) ([]roster.MemberCandidate, error) {
	var rows []memberRow
	query := `SELECT ` + memberColumns + ` FROM members m
		WHERE m.org_id = ? AND m.source = 'scim' AND m.status IN ('pending', 'active') AND m.connection_id IN ('', ?) AND m.id > ?
		AND NOT EXISTS (SELECT 1 FROM links l WHERE l.org_id = m.org_id AND l.connection_id = ? AND l.type = 'member' AND l.target_id = m.id)
		AND NOT EXISTS (SELECT 1 FROM stage_links p WHERE p.run_id = ? AND p.type = 'member' AND p.target_id = m.id)
		ORDER BY m.id LIMIT ?`
	c := s.run.Connection
	if err := s.conn.SelectContext(ctx, &rows, s.db.bind(query), s.run.Org, c, after, c, s.run.ID, limit); err != nil {
		return nil, fmt.Errorf("read members without a link: %w", err)
	}
	members, err := membersOf(rows)
	if err != nil {
		return nil, err
	}
	out := make([]roster.MemberCandidate, len(members))
	for i := range members {
		out[i] = roster.MemberCandidate{Here: &members[i]}
	}
	return out, s.FillMembers(ctx, out)
}

// FillMembers fills what is stored into candidates: the link and what it points to, the members that the rules bring up,
// and what stands around them.
func (s *Stage) FillMembers(ctx context.Context, cands []roster.MemberCandidate) error {
	if err := s.fillLinked(ctx, cands); err != nil {
		return err
	}
	if err := s.fillMatches(ctx, cands); err != nil {
		return err
	}
	return s.fillAround(ctx, cands)
}

func (s *Stage) fillLinked(ctx context.Context, cands []roster.MemberCandidate) error {
	var objects []string
	for i := range cands {
		if cands[i].ObjectID != "" {
			objects = append(objects, cands[i].ObjectID)
		}
	}
	links, err := s.LinksOf(ctx, roster.TypeMember, objects)
	if err != nil {
		return err
	}
	var ids []string
	for _, l := range links {
		ids = append(ids, l.TargetID)
	}
	members, err := s.membersByID(ctx, ids)
	if err != nil {
		return err
	}
	for i := range cands {
		l := links[cands[i].ObjectID]
		if l == nil {
			continue
		}
		if m := members[l.TargetID]; m != nil {
			cands[i].Link, cands[i].Here = l, m
		}
	}
	return nil
}

// LinksOf returns the stored links of the connection's objects, by object id.
func (s *Stage) LinksOf(ctx context.Context, typ roster.ObjectType, objects []string) (map[string]*roster.Link, error) {
	out := map[string]*roster.Link{}
	for _, chunk := range chunks(objects) {
		var rows []linkRow
		query := `SELECT ` + linkColumns + ` FROM links l WHERE l.org_id = ? AND l.connection_id = ? AND l.type = ? AND l.object_id IN (?)`
		if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.Org, s.run.Connection, string(typ), chunk); err != nil {
			return nil, fmt.Errorf("read links: %w", err)
		}
		for i := range rows {
			l := rows[i].link()
			out[l.ObjectID] = &l
		}
	}
	return out, nil
}

func (s *Stage) membersByID(ctx context.Context, ids []string) (map[string]*roster.Member, error) {
	out := map[string]*roster.Member{}
	for _, chunk := range chunks(ids) {
		var rows []memberRow
		query := `SELECT ` + memberColumns + ` FROM members m WHERE m.org_id = ? AND m.id IN (?)`
		if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.Org, chunk); err != nil {
			return nil, fmt.Errorf("read members: %w", err)
		}
		found, err := membersOf(rows)
		if err != nil {
			return nil, err
		}
		for i := range found {
			out[found[i].ID] = &found[i]
		}
	}
	return out, nil
}

type matchRow struct {
	memberRow
	Linked   string `db:"linked"`
	Wants    string `db:"wants"`
	SeenName string `db:"seen_name"`
	Unseen   bool   `db:"unseen"`
}

// fillMatches brings up, for each candidate that the snapshot speaks of, the stored members that share a key with it.
func (s *Stage) fillMatches(ctx context.Context, cands []roster.MemberCandidate) error {
	var names, emails, objects, ids []string
	for i := range cands {
		c := &cands[i]
		if c.There == nil {
			continue
		}
		if c.Here != nil && c.Here.Status != roster.Deleted && roster.Fold(c.Here.UserName()) == roster.Fold(c.There.UserName()) && c.Link != nil {
			continue // linked, and the name is not to move
		}
		objects = append(objects, c.There.ObjectID)
		names = append(names, roster.Fold(c.There.UserName()))
		if c.Here != nil && c.Here.Status == roster.Deleted {
			names = append(names, roster.Fold(c.Here.UserName()))
		}
		if e := roster.Fold(c.There.Values[roster.AttrWorkEmail]); e != "" {
			emails = append(emails, e)
		}
		if c.There.MemberID != "" {
			ids = append(ids, c.There.MemberID)
		}
	}
	rows, err := s.matchRows(ctx, names, emails, objects, ids)
	if err != nil {
		return err
	}
	by := matchIndex{id: map[string][]int{}, name: map[string][]int{}, email: map[string][]int{}, external: map[string][]int{}}
	matches := make([]roster.Match, len(rows))
	for i := range rows {
		m, err := rows[i].member()
		if err != nil {
			return err
		}
		matches[i] = roster.Match{Member: m, LinkedObject: rows[i].Linked, LinkedWants: rows[i].Wants,
			LinkedSeen: rows[i].SeenName, LinkedUnseen: rows[i].Unseen}
		by.id[m.ID] = []int{i}
		by.name[roster.Fold(m.UserName())] = append(by.name[roster.Fold(m.UserName())], i)
		by.email[roster.Fold(m.Email())] = append(by.email[roster.Fold(m.Email())], i)
		by.external[m.ExternalID()] = append(by.external[m.ExternalID()], i)
	}
	refused, err := s.refused(ctx, roster.TypeMember, objects)
	if err != nil {
		return err
	}
	for i := range cands {
		if c := &cands[i]; c.There != nil {
			c.Matches, c.Refused = pickMatches(c, matches, &by), refused[c.There.ObjectID]
		}
	}
	return s.fillNamesakes(ctx, cands)
}

// matchIndex finds matches by what they share with a person.
type matchIndex struct{ id, name, email, external map[string][]int }

// FillMatches brings up, for a member without a link, the other members that share a key with the person whom a look-up
// found.
func (s *Stage) FillMatches(ctx context.Context, c *roster.MemberCandidate) error {
	one := []roster.MemberCandidate{*c}
	err := s.fillMatches(ctx, one)
	c.Matches, c.Refused = one[0].Matches, one[0].Refused
	return err
}

// fillNamesakes finds, for the members without a link that only an email brings up, whose userName they have.
func (s *Stage) fillNamesakes(ctx context.Context, cands []roster.MemberCandidate) error {
	byEmail := func(m *roster.Match) bool {
		return m.ByEmail && !m.ByUserName && !m.ByExternalID && !m.ByID && m.LinkedObject == ""
	}
	var names []string
	for i := range cands {
		for j := range cands[i].Matches {
			if m := &cands[i].Matches[j]; byEmail(m) {
				names = append(names, roster.Fold(m.Member.UserName()))
			}
		}
	}
	objects := map[string]string{}
	for _, chunk := range chunks(names) {
		var rows []Ref
		query := `SELECT user_name_key AS of_id, object_id AS id, '' AS name FROM stage_users WHERE run_id = ? AND user_name_key IN (?)`
		if err := s.db.selectIn(ctx, s.conn, &rows, query, s.run.ID, chunk); err != nil {
			return fmt.Errorf("read whose userNames they are: %w", err)
		}
		for _, r := range rows {
			objects[r.Of] = r.ID
		}
	}
	for i := range cands {
		for j := range cands[i].Matches {
			if m := &cands[i].Matches[j]; byEmail(m) {
				m.Namesake = objects[roster.Fold(m.Member.UserName())]
			}
		}
	}
	return nil
}

func pickMatches(c *roster.MemberCandidate, all []roster.Match, by *matchIndex) []roster.Match {
	picked := map[int]*roster.Match{}
	var order []int
	pick := func(indexes []int, mark func(*roster.Match)) {
		for _, i := range indexes {
			if c.Here != nil && all[i].Member.ID == c.Here.ID {
				continue
			}
			if picked[i] == nil {
				m := all[i]
				picked[i] = &m
				order = append(order, i)
			}
			mark(picked[i])
		}
	}
	pick(by.id[c.There.MemberID], func(m *roster.Match) { m.ByID = true })
	pick(by.external[c.There.ObjectID], func(m *roster.Match) { m.ByExternalID = true })
	if k := roster.Fold(c.There.UserName()); k != "" {
		pick(by.name[k], func(m *roster.Match) { m.ByUserName = true })
	}
	if c.Here != nil && c.Here.Status == roster.Deleted { // a restore must see who has the name now
		pick(by.name[roster.Fold(c.Here.UserName())], func(*roster.Match) {})
	}
	if k := roster.Fold(c.There.Values[roster.AttrWorkEmail]); k != "" {
		pick(by.email[k], func(m *roster.Match) { m.ByEmail = true })
	}
	out := make([]roster.Match, 0, len(order))
	for _, i := range order {
		out = append(out, *picked[i])
	}
	return out
}

// matchRows reads the members that are not deleted and have any of the keys. Whom their object wants to be called is asked
// of those who are judged in this run, for a name that is not given up is no free one.
func (s *Stage) matchRows(ctx context.Context, names, emails, objects, ids []string) ([]matchRow, error) {
	var out []matchRow
	seen := map[string]bool{}
	judged := `(s.enabled = TRUE OR (s.keep = TRUE AND m.status IN ('pending', 'active')))`
	if s.delta() {
		judged += ` AND s.scope <> ''`
	}
	n := max(len(names), len(emails), len(objects), len(ids))
	for from := 0; from < n; from += chunkSize {
		var parts []string
		var args []any
		part := func(ids []string, where string) {
			if from < len(ids) {
				parts = append(parts, `SELECT id FROM members WHERE org_id = ? AND `+where)
				args = append(args, s.run.Org, ids[from:min(from+chunkSize, len(ids))])
			}
		}
		part(names, `user_name_key IN (?)`)
		part(emails, `email_key IN (?)`)
		part(objects, `external_id IN (?)`)
		part(ids, `id IN (?)`)
		query := `SELECT ` + memberColumns + `, COALESCE(l.object_id, '') AS linked, COALESCE(s.user_name, '') AS wants,
				COALESCE(l.seen_user_name, '') AS seen_name, (l.seen IS NULL AND COALESCE(l.seen_user_name, '') = '') AS unseen
			FROM (` + strings.Join(parts, " UNION ALL ") + `) k
			CROSS JOIN members m
			LEFT JOIN links l ON l.org_id = m.org_id AND l.connection_id = ? AND l.type = 'member' AND l.target_id = m.id
			LEFT JOIN stage_users s ON s.run_id = ? AND s.object_id = l.object_id AND ` + judged + `
			WHERE m.org_id = ? AND m.id = k.id AND m.status <> 'deleted' ORDER BY m.id`
		args = append(args, s.run.Connection, s.run.ID, s.run.Org)
		var rows []matchRow
		if err := s.db.selectIn(ctx, s.conn, &rows, query, args...); err != nil {
			return nil, fmt.Errorf("read members that match: %w", err)
		}
		for i := range rows {
			if !seen[rows[i].ID] {
				seen[rows[i].ID] = true
				out = append(out, rows[i])
			}
		}
	}
	return out, nil
}
