package roster

import (
	"context"
	"slices"
)

// loadRefs reads what lists need to know of members that the batch doesn't have yet.
func (b *batch) loadRefs(ctx context.Context, sel RefSelect) error {
	sel.IDs = slices.DeleteFunc(distinct(sel.IDs), func(id string) bool { return b.ref(id) != nil })
	sel.ExternalIDs = distinct(sel.ExternalIDs)
	if len(sel.IDs)+len(sel.ExternalIDs) == 0 {
		return nil
	}
	found, err := b.tx.MemberRefs(ctx, b.org, sel)
	if err != nil {
		return err
	}
	var foreign []string
	for i := range found {
		m := &found[i]
		if b.refs[m.ID] == nil {
			b.refs[m.ID] = m
			if b.foreign(m.Connection) && !b.linksLoaded[TypeMember][m.ID] {
				foreign = append(foreign, m.ID) // only a link lets the push's connection see them
			}
		}
	}
	return b.loadLinksOf(ctx, TypeMember, foreign)
}

// ref returns what is known of a member as the batch has it by now; nil: there is none, or it was not loaded.
func (b *batch) ref(id string) *MemberRef {
	if s := b.members[id]; s != nil {
		r := s.now.Ref()
		return &r
	}
	return b.refs[id]
}

// seesRef reports whether the cause may put a member into a team or take them out: a push only whom its token sees.
func (b *batch) seesRef(m *MemberRef) bool {
	return b.cause.By != ByPush || b.sees(TypeMember, m.ID, m.Connection, m.Source)
}

func counting(members []*MemberRef) []MemberRef {
	out := make([]MemberRef, 0, len(members))
	for _, m := range members {
		if m.Status.Live() {
			out = append(out, *m)
		}
	}
	return out
}

// loadPairs loads the rows of memberships that the batch did not name at its start.
func (b *batch) loadPairs(ctx context.Context, team string, members []string) error {
	if b.wholeTeams[team] {
		return nil
	}
	var missing []Pair
	for _, id := range members {
		if b.memberships[Pair{team, id}] == nil {
			missing = append(missing, Pair{team, id})
		}
	}
	if len(missing) == 0 {
		return nil
	}
	rows, err := b.tx.Memberships(ctx, b.org, distinctPairs(missing))
	if err != nil {
		return err
	}
	b.addMemberships(rows)
	return nil
}

// setPresent adds or removes one membership and tells it. It reports whether that changed anything. A push that says what
// is so already moves the row's version all the same, and one that removes whom nobody knows here leaves a tombstone: a run
// that read the list before it must not undo either. One that gives the whole list does both by the team's listings.
func (b *batch) setPresent(t *teamState, m *MemberRef, present bool) bool {
	p := Pair{t.now.ID, m.ID}
	s := b.memberships[p]
	if s == nil {
		if !present && b.cause.By != ByPush {
			return false
		}
		s = &membershipState{now: Membership{Org: b.org, TeamID: p.TeamID, MemberID: p.MemberID}}
		b.memberships[p] = s
	}
	if s.now.Present == present {
		if b.cause.By == ByPush && s.now.Seq != b.seq && t.now.ListedSeq != b.seq {
			s.now.Seq, s.now.PushedAt = b.seq, b.tx.Now()
			s.now.Version++
		}
		return false
	}
	s.now.Present, s.now.Seq = present, b.seq
	s.now.Version++
	if b.cause.By == ByPush {
		s.now.PushedAt = b.tx.Now()
	}
	b.grown(t)
	b.tellMembership(t, m, present)
	return true
}

// grown moves a team's version for a change of its members, once for each batch.
func (b *batch) grown(t *teamState) {
	if !t.touched {
		t.now.Version++
		t.touched = true
	}
	t.now.UpdatedAt = b.tx.Now()
}

// setMembership carries out a run's add or remove. A run changes memberships only of teams that its connection owns, and
// adds none whose member is not pending or active. A push of the team's whole list since it was planned makes it stale.
func (b *batch) setMembership(c MembershipSet) (Outcome, error) {
	t, m := b.teams[c.TeamID], b.members[c.MemberID]
	if t == nil || m == nil || t.now.Status == Deleted {
		return stale("the team or the member")
	}
	if t.now.Connection != b.cause.Connection {
		return refuse(Errorf(Forbidden, "the team belongs to %s now", b.ownerText(t.now.Connection)))
	}
	version := t.now.Listings
	if s := b.memberships[Pair{c.TeamID, c.MemberID}]; s != nil && s.was != nil {
		version += s.was.Version
	}
	if version != c.Version {
		return stale("the membership")
	}
	if c.Present && !m.now.Status.Live() {
		return stale("the member's status")
	}
	ref := m.now.Ref()
	did := b.setPresent(t, &ref, c.Present)
	out := Outcome{Result: Applied, ID: c.TeamID + "/" + c.MemberID, Team: &t.now, Member: &m.now}
	if !did {
		out.Result = Unchanged
	}
	return out, nil
}
