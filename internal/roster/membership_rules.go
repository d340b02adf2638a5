package roster

import (
	"context"
)

// references resolves the members that a push puts into a team. One that was deleted may be named: the membership waits
// without effect. One that is not known, or not visible, is refused by name, so that nothing is dropped silently.
func (b *batch) references(ids []string) ([]*memberState, *Error) {
	out := make([]*memberState, 0, len(ids))
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		s := b.members[id]
		if s == nil || !b.sees(TypeMember, id, s.now.Connection, s.now.Source) {
			return nil, Errorf(Invalid, "members: no user with id %q", id)
		}
		out = append(out, s)
	}
	return out, nil
}

func (b *batch) counting(members []*memberState) []Member {
	out := make([]Member, 0, len(members))
	for _, s := range members {
		if s.now.Status.Live() {
			out = append(out, s.now)
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
// that read the list before it must not undo either.
func (b *batch) setPresent(t *teamState, m *memberState, present bool) bool {
	p := Pair{t.now.ID, m.now.ID}
	s := b.memberships[p]
	if s == nil {
		if !present && b.cause.By != ByPush {
			return false
		}
		s = &membershipState{now: Membership{Org: b.org, TeamID: p.TeamID, MemberID: p.MemberID}}
		b.memberships[p] = s
	}
	if s.now.Present == present {
		if b.cause.By == ByPush && s.now.Seq != b.seq {
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
// adds none whose member is not pending or active.
func (b *batch) setMembership(c MembershipSet) (Outcome, error) {
	t, m := b.teams[c.TeamID], b.members[c.MemberID]
	if t == nil || m == nil || t.now.Status == Deleted {
		return stale("the team or the member")
	}
	if t.now.Connection != b.cause.Connection {
		return refuse(Errorf(Forbidden, "the team belongs to %s now", b.ownerText(t.now.Connection)))
	}
	var version int64
	if s := b.memberships[Pair{c.TeamID, c.MemberID}]; s != nil && s.was != nil {
		version = s.was.Version
	}
	if version != c.Version {
		return stale("the membership")
	}
	if c.Present && !m.now.Status.Live() {
		return stale("the member's status")
	}
	did := b.setPresent(t, m, c.Present)
	out := Outcome{Result: Applied, ID: c.TeamID + "/" + c.MemberID, Team: &t.now, Member: &m.now}
	if !did {
		out.Result = Unchanged
	}
	return out, nil
}
