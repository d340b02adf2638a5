package roster

import (
	"context"
	"maps"
)

// named is what the members that a push gave come to.
type named struct {
	members []*MemberRef // one who was deleted may be named: the membership waits without effect
	groups  []*Team      // active teams
	unknown []string     // nobody's that the token sees
}

// ids returns the ids of the members.
func (n *named) ids() []string {
	out := make([]string, len(n.members))
	for i, m := range n.members {
		out[i] = m.ID
	}
	return out
}

// deleted returns the ids of those members who are deleted.
func (n *named) deleted() []string {
	var out []string
	for _, m := range n.members {
		if m.Status == Deleted {
			out = append(out, m.ID)
		}
	}
	return out
}

// meant is what one value means: a member or a team.
type meant struct {
	member *MemberRef
	team   *Team
}

func (m *meant) whose() (typ ObjectType, id, owner string, source Source) {
	if m.team != nil {
		return TypeTeam, m.team.ID, m.team.Connection, m.team.Source
	}
	return TypeMember, m.member.ID, m.member.Connection, m.member.Source
}

// resolve finds what values that a push gave mean, and keeps their order.
func (b *batch) resolve(ctx context.Context, values []string) (named, error) {
	found, err := b.whom(ctx, values)
	if err != nil {
		return named{}, err
	}
	var out named
	seen := make(map[string]bool, len(values))
	for _, v := range values {
		w, known := found[v]
		key := "?" + v // no id: what nobody is may stand twice as well
		switch {
		case known && w.team != nil:
			key = w.team.ID
		case known:
			key = w.member.ID
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		switch {
		case !known:
			out.unknown = append(out.unknown, v)
		case w.team != nil:
			out.groups = append(out.groups, w.team)
		default:
			out.members = append(out.members, w.member)
		}
	}
	return out, nil
}

// whom finds what each value means, as far as the cause sees it: a member's id, else an active team's, else the externalId
// of exactly one member who is not deleted, else that of an active team. IdPs are known to send their own object ids.
func (b *batch) whom(ctx context.Context, values []string) (map[string]meant, error) {
	if err := b.loadRefs(ctx, RefSelect{IDs: values}); err != nil {
		return nil, err
	}
	out := make(map[string]meant, len(values))
	var rest []string
	for _, v := range values {
		if m := b.ref(v); m != nil && b.seesRef(m) {
			out[v] = meant{member: m}
		} else {
			rest = append(rest, v)
		}
	}
	if rest = distinct(rest); len(rest) == 0 {
		return out, nil
	}
	if err := b.loadRefs(ctx, RefSelect{ExternalIDs: rest}); err != nil {
		return nil, err
	}
	teams, err := b.teamsNamed(ctx, TeamSelect{IDs: rest, ExternalIDs: rest})
	if err != nil {
		return nil, err
	}
	byExternal, teamByExternal := b.refsByExternalID(), map[string]*Team{}
	for _, t := range teams {
		if t.Status == Active {
			teamByExternal[t.ExternalID] = t
		}
	}
	for _, v := range rest {
		if t := teams[v]; t != nil && t.Status == Active {
			out[v] = meant{team: t}
		} else if m := b.oneOf(byExternal[v]); m != nil {
			out[v] = meant{member: m}
		} else if t := teamByExternal[v]; t != nil {
			out[v] = meant{team: t}
		}
	}
	return out, nil
}

// refsByExternalID sorts everybody whom the batch has, and who is not deleted, by their externalId.
func (b *batch) refsByExternalID() map[string][]*MemberRef {
	out := map[string][]*MemberRef{}
	add := func(m *MemberRef) {
		if m.ExternalID != "" && m.Status != Deleted {
			out[m.ExternalID] = append(out[m.ExternalID], m)
		}
	}
	for id := range b.members {
		add(b.ref(id))
	}
	for id, m := range b.refs {
		if b.members[id] == nil {
			add(m)
		}
	}
	return out
}

// oneOf returns the only one whom the cause sees; nil: none, or several.
func (b *batch) oneOf(members []*MemberRef) *MemberRef {
	var one *MemberRef
	for _, m := range members {
		if !b.seesRef(m) {
			continue
		}
		if one != nil {
			return nil
		}
		one = m
	}
	return one
}

// teamsNamed finds teams, deleted ones too, as far as the cause sees them, by their ids. They are not locked: what a group
// within a group is called may change at any time.
func (b *batch) teamsNamed(ctx context.Context, sel TeamSelect) (map[string]*Team, error) {
	sel.Unlocked = true
	found, err := b.tx.Teams(ctx, b.org, sel)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*Team, len(found))
	var foreign []string
	for i := range found {
		t := &found[i]
		if s := b.teams[t.ID]; s != nil {
			t = &s.now
		}
		out[t.ID] = t
		if b.foreign(t.Connection) && !b.linksLoaded[TypeTeam][t.ID] {
			foreign = append(foreign, t.ID)
		}
	}
	if err := b.loadLinksOf(ctx, TypeTeam, foreign); err != nil {
		return nil, err
	}
	maps.DeleteFunc(out, func(id string, t *Team) bool {
		return t.Source != SourceSCIM || b.cause.By == ByPush && !b.sees(TypeTeam, id, t.Connection, t.Source)
	})
	return out, nil
}
