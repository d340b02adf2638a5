package roster

import (
	"bytes"
	"context"
	"slices"
)

func (b *batch) loadLinksOf(ctx context.Context, typ ObjectType, targets []string) error {
	if len(targets) == 0 {
		return nil
	}
	found, err := b.tx.Links(ctx, b.org, LinkSelect{Type: typ, Targets: targets})
	if err != nil {
		return err
	}
	b.addLinks(found)
	for _, id := range targets {
		b.linksLoaded[typ][id] = true
	}
	return b.meet(ctx, len(found) > 0) // what is stored is compared by what they manage
}

func (b *batch) addLinks(found []Link) {
	for i := range found {
		l := found[i]
		k := linkKey{l.Connection, l.Type, l.ObjectID}
		if b.links[k] == nil {
			now := l
			s := &linkState{was: &l, now: &now}
			b.links[k] = s
			b.linksOf[string(l.Type)+l.TargetID] = append(b.linksOf[string(l.Type)+l.TargetID], s)
		}
	}
}

func (b *batch) loadLinkObjects(ctx context.Context, keys map[linkKey]bool) error {
	type group struct {
		connection string
		typ        ObjectType
	}
	by := map[group][]string{}
	for k := range keys {
		g := group{k.connection, k.typ}
		by[g] = append(by[g], k.object)
	}
	for g, ids := range by {
		found, err := b.tx.Links(ctx, b.org, LinkSelect{Type: g.typ, Connection: g.connection, ObjectIDs: distinct(ids)})
		if err != nil {
			return err
		}
		b.addLinks(found)
	}
	return b.meet(ctx, len(keys) > 0)
}

// linksTo yields the links to one of our objects, as they stand now, by connection.
func (b *batch) linksTo(typ ObjectType, target string) []*Link {
	var out []*Link
	for _, s := range b.linksOf[string(typ)+target] {
		if s.now != nil && s.now.TargetID == target {
			out = append(out, s.now)
		}
	}
	slices.SortFunc(out, func(a, c *Link) int { return bytes.Compare([]byte(a.Connection), []byte(c.Connection)) })
	return out
}

func (b *batch) linkFrom(connection string, typ ObjectType, target string) *Link {
	for _, s := range b.linksOf[string(typ)+target] {
		if s.now != nil && s.now.Connection == connection && s.now.TargetID == target {
			return s.now
		}
	}
	return nil
}

// putLink makes or replaces the link of an IdP object.
func (b *batch) putLink(l Link) {
	l.Org = b.org
	k := linkKey{l.Connection, l.Type, l.ObjectID}
	s := b.links[k]
	if s == nil {
		s = &linkState{}
		b.links[k] = s
	}
	if s.was != nil && l.CreatedAt.IsZero() {
		l.CreatedAt = s.was.CreatedAt
	}
	if l.CreatedAt.IsZero() {
		l.CreatedAt = b.tx.Now()
	}
	if l.Rule == "" && s.now != nil {
		l.Rule = s.now.Rule
	}
	l.Here = nil
	moved := s.now == nil || s.now.TargetID != l.TargetID
	s.now = &l
	if moved {
		b.linksOf[string(l.Type)+l.TargetID] = append(b.linksOf[string(l.Type)+l.TargetID], s)
	}
}

// renewHere renews, on the links of every changed object, the fingerprint of what is stored.
func (b *batch) renewHere(ctx context.Context) error {
	var missing []string
	for id, s := range b.members {
		if s.touched && s.was == nil {
			continue
		}
		if s.touched && !b.linksLoaded[TypeMember][id] {
			missing = append(missing, id)
		}
	}
	if err := b.loadLinksOf(ctx, TypeMember, distinct(missing)); err != nil {
		return err
	}
	if err := b.loadLinkTargets(ctx); err != nil {
		return err
	}
	for _, s := range b.links {
		if s.now == nil {
			continue
		}
		switch s.now.Type {
		case TypeMember:
			if m := b.members[s.now.TargetID]; m != nil {
				s.now.Here = Fingerprint(m.now.Attributes.Values(b.managed(s.now.Connection)))
			}
		case TypeTeam:
			if t := b.teams[s.now.TargetID]; t != nil {
				s.now.Here = Fingerprint(t.now.Values())
			}
		}
	}
	return nil
}

// loadLinkTargets loads the objects of links that were written without naming their target's change.
func (b *batch) loadLinkTargets(ctx context.Context) error {
	var members, teams []string
	for _, s := range b.links {
		if s.now == nil || s.now.Here != nil {
			continue
		}
		if s.now.Type == TypeMember && b.members[s.now.TargetID] == nil {
			members = append(members, s.now.TargetID)
		}
		if s.now.Type == TypeTeam && b.teams[s.now.TargetID] == nil {
			teams = append(teams, s.now.TargetID)
		}
	}
	if len(members) > 0 {
		if err := b.loadMembers(ctx, MemberSelect{IDs: distinct(members)}); err != nil {
			return err
		}
	}
	if len(teams) > 0 {
		return b.loadTeams(ctx, TeamSelect{IDs: distinct(teams)})
	}
	return nil
}

func (b *batch) managed(connection string) []string {
	if c := b.connections[connection]; c != nil {
		return c.Managed
	}
	return nil
}

func sameLink(a, c *Link) bool {
	return a.TargetID == c.TargetID && a.State == c.State && a.SeenUserName == c.SeenUserName &&
		a.SeenExternalID == c.SeenExternalID && bytes.Equal(a.Seen, c.Seen) && bytes.Equal(a.Here, c.Here) && a.Rule == c.Rule
}
